"""``optcodec encode --kl``: the divergence of a network's output, as ``verify`` measures it, in rows and in JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import optcodec
from optcodec.accuracy.classifier import Classifier
from optcodec.batch.job import Job
from optcodec.batch.opening import Opening
from tests.accuracy_helpers import classifier, photographs
from tests.batch.helpers import last_rows
from tests.cli_helpers import refusal, run, run_json, save
from tests.onnx_helpers import mean_network

torch = pytest.importorskip("torch")
NETWORK = "tests.accuracy_helpers:classifier"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with photographs in ``in``: PNG files, one of them turned, a grey one and JPEG files."""
    monkeypatch.chdir(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    pictures = [np.asarray(Image.open(image.path)) for image in photographs(tmp_path / "in", 2)]
    wide = np.concatenate(pictures, axis=1)
    save(tmp_path / "in/turned.png", wide, exif=exif)
    save(tmp_path / "in/old.jpg", wide, quality=95, exif=exif)
    save(tmp_path / "in/grey.png", wide[..., 1])
    mean_network(tmp_path / "net.onnx", (1, 3, "height", "width"))
    mean_network(tmp_path / "soft.onnx", (1, 3, "height", "width"), softmax=True)
    return tmp_path


def measured_by(*options: object) -> dict[str, float]:
    """What ``verify`` says of the pictures in ``in`` and the files in ``out``."""
    files = run_json("verify", "--before", "in", "--after", "out", *options)["files"]
    return {Path(file["name"]).stem: file["kl"] for file in files}


def by_name(files: Any, source: str) -> dict[str, float]:
    return {Path(file[source]).stem: file["kl"] for file in files}


@pytest.mark.parametrize(
    ("network", "options"),
    [(NETWORK, ()), (NETWORK, ("--device", "cpu")), ("net.onnx", ()), ("soft.onnx", ("--outputs", "probabilities"))],
)
def test_the_figures_are_those_of_verify(folder: Path, network: str, options: tuple[str, ...]) -> None:
    common = "encode", "in", "-o", "out", "-q", 10, "--kl", network, *options
    report = run_json(*common, "--manifest", "m.jsonl")
    figures = by_name(report["files"], "input")
    assert figures == pytest.approx(measured_by("--network", network, *options), rel=1e-9)
    assert len(figures) == 5
    assert min(figures.values()) > 1e-7
    assert by_name(last_rows(folder / "m.jsonl").values(), "source") == figures
    files = [path.read_bytes() for path in sorted((folder / "out").iterdir())]
    run_json("encode", "in", "-o", "out", "-q", 10)
    assert [path.read_bytes() for path in sorted((folder / "out").iterdir())] == files


def test_weights_come_after_the_network(folder: Path) -> None:
    module = classifier().module
    torch.save({name: value / 2 for name, value in module.state_dict().items()}, "a@b.pth")
    report = run_json("encode", "in", "-o", "out", "-q", 10, "--kl", f"{NETWORK}@a@b.pth")
    figures = by_name(report["files"], "input")
    assert figures == pytest.approx(measured_by("--network", NETWORK, "--weights", "a@b.pth"), rel=1e-9)
    assert figures["00"] != pytest.approx(measured_by("--network", NETWORK)["00"], rel=0.1)


def test_psnr_is_in_the_json_too(folder: Path) -> None:
    report = run_json("encode", "in/00.png", "-o", "out.jpg", "--psnr")
    before, after = (np.asarray(Image.open(path)) for path in ("in/00.png", "out.jpg"))
    assert report["files"][0]["psnr_db"] == pytest.approx(optcodec.psnr_db(before, after))
    assert report["files"][0]["kl"] is None


def test_jobs_go_on_with_the_same_network(folder: Path) -> None:
    """Also with a manifest of an earlier version, whose rows do not have the entry."""
    common = "encode", "in", "-o", "out", "--smaller", "--manifest", "m.jsonl"
    run_json(*common, "--kl", "net.onnx")
    manifest = folder / "m.jsonl"
    assert last_rows(manifest)["in/old.jpg"]["kl"] == 0  # the same pixels in fewer bytes
    _change(manifest, lambda row: row | {"kl": 1.5})
    figures = by_name(run_json(*common, "--kl", "net.onnx", "--resume")["files"], "input")
    assert set(figures.values()) == {1.5}  # those of the manifest
    refused = refusal(*common, "--kl", "soft.onnx", "--outputs", "probabilities", "--resume")
    assert "m.jsonl was written with --kl" in refused
    run("encode", "in", "-o", "plain", "--manifest", "old.jsonl")
    _change(Path("old.jsonl"), lambda row: {name: value for name, value in row.items() if name != "kl"})
    assert run_json("encode", "in", "-o", "plain", "--manifest", "old.jsonl", "--resume")["resumed"] == 5


def _change(manifest: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Write a manifest anew with other rows."""
    lines = map(json.loads, manifest.read_text().splitlines())
    manifest.write_text("".join(json.dumps(line if "run" in line else change(line)) + "\n" for line in lines))


@pytest.mark.parametrize(
    ("network", "options", "expected"),
    [
        ("none.onnx", (), "cannot read the network none.onnx: No such file or directory"),
        ("nothing", (), "expected a classifier of torchvision or package.module:factory, got 'nothing'"),
        ("squeezenet1_1", (), "squeezenet1_1 needs weights"),
        ("net.onnx@a.pth", (), "--weights is for networks of torch; got it with the ONNX file net.onnx"),
        ("net.onnx", ("--device", "cpu"), "--device is for networks of torch; got it with net.onnx"),
        (NETWORK, ("--input-range", "0..1"), f"--input-range is for ONNX files; got it with {NETWORK}"),
        ("net.onnx", ("--weights", "a.pth"), "--weights needs --network with a model"),
        ("net.onnx", ("--views", 2), "--views needs --network with a model"),
        ("soft.onnx", (), "--kl soft.onnx: expected logits, got numbers in"),
    ],
)
def test_wrong_networks_are_named_before_the_work(
    folder: Path, network: str, options: tuple[object, ...], expected: str
) -> None:
    arguments = "encode", "in", "-o", "out", "--manifest", "m.jsonl", "--kl", network, *options
    assert refusal(*arguments).startswith(f"Error: {expected}")
    assert not list(folder.glob("out/*.jpg"))


def test_the_figure_needs_a_place(folder: Path) -> None:
    line = "--kl is written to a manifest or to --json; expected --manifest FILE"
    assert refusal("encode", "in", "-o", "out", "--kl", "net.onnx") == f"Error: {line}"


def test_details_are_for_networks_of_their_kind(folder: Path) -> None:
    """With ``--network`` of one kind and ``--kl`` of the other, each gets what is for it."""
    common = "encode", "in/00.png", "-o", "out.jpg", "-q", 30
    options = "--network", "net.onnx", "--input-range", "0..1", "--device", "cpu", "--kl", NETWORK
    assert run_json(*common, *options)["files"][0]["kl"] > 0
    line = refusal(*common, "--network", NETWORK, "--kl", NETWORK, "--input-range", "0..1", "--json", "--force")
    assert line == f"Error: --input-range is for ONNX files; got it with {NETWORK} and {NETWORK}"


def test_a_picture_that_the_network_does_not_take_is_coded(folder: Path) -> None:
    def outputs(pixels: np.ndarray) -> np.ndarray:
        raise optcodec.InvalidInputError(f"expected 300 rows, got {len(pixels)}")

    job = Job(Opening(), {"quality": 40}, psnr=True, classifier=Classifier("fastidious", outputs))
    coded = job(folder / "in/00.png")
    assert coded.kl is None
    assert coded.psnr_db is not None
    assert coded.notices == ("the divergence was not measured: expected 300 rows, got 64",)
    assert coded.encoded.data == optcodec.encode(folder / "in/00.png", quality=40).data
