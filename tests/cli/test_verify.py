"""``optcodec verify``: originals against coded files as they lie, limits, and inputs that do not fit."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from optcodec.accuracy.change import Change, change_of
from optcodec.accuracy.classifier import torch_classifier
from optcodec.accuracy.onnx_classifier import INPUT_RANGES, onnx_classifier
from optcodec.accuracy.verification import verification_of
from optcodec.cli import verify
from tests.accuracy_helpers import CLASSES, classifier, crop, photographs
from tests.cli_helpers import messages, refusal, run, run_json, save
from tests.onnx_helpers import mean_network

torch = pytest.importorskip("torch")
NETWORK = "tests.accuracy_helpers:classifier"
COUNT = 4


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with originals in ``in`` and coded files in ``out``."""
    for image in photographs(tmp_path / "in", COUNT):
        save(tmp_path / "out" / f"{image.path.stem}.jpg", np.asarray(Image.open(image.path)), quality=10)
    return tmp_path


def arguments(folder: Path, *options: object, network: object = NETWORK) -> list[object]:
    return ["verify", "--before", folder / "in", "--after", folder / "out", "--network", network, *options]


def by_hand(folder: Path, network: Any, labels: list[int | None]) -> list[Change]:
    changes = []
    for number, label in enumerate(labels):
        paths = folder / f"in/{number:02d}.png", folder / f"out/{number:02d}.jpg"
        before, after = (np.asarray(Image.open(path)) for path in paths)
        sizes = paths[0].stat().st_size, paths[1].stat().st_size
        changes.append(change_of(network, paths[0].name, (before, after), sizes, label))
    return changes


def files_of(document: Any) -> list[dict[str, Any]]:
    return [{key: value for key, value in file.items() if key != "loss_increase"} for file in document["files"]]


def test_the_report_is_that_of_the_library(folder: Path) -> None:
    document = run_json(*arguments(folder, "--seed", 5))
    changes = by_hand(folder, torch_classifier(classifier()), [None] * COUNT)
    assert files_of(document) == [asdict(change) for change in changes]
    expected = verification_of(changes, seed=5)
    assert document["figures"] == json.loads(
        json.dumps(asdict(expected) | {"worst": [change.name for change in expected.worst]})
    )
    assert expected.kl.value > 1e-5
    assert document["figures"]["top1_percent_after"] is None
    assert (document["network"], document["labels"], document["failures"]) == ("small", "self", [])
    assert (document["before"], document["after"]) == (str(folder / "in"), str(folder / "out"))
    assert run_json(*arguments(folder, "--seed", 5, "--threads", 1))["files"] == document["files"]


def test_labels_give_accuracy(folder: Path) -> None:
    labels = [5, 1, 2, 0]
    table = "".join(f"{number:02d}.png,{label}\n" for number, label in enumerate(labels))
    (folder / "labels.csv").write_text(f"file,class_index\n{table}")
    document = run_json(*arguments(folder, "--labels", folder / "labels.csv"))
    changes = by_hand(folder, torch_classifier(classifier()), list(labels))
    assert files_of(document) == [asdict(change) for change in changes]
    right = sum(change.decision_before == change.label for change in changes)
    assert document["figures"]["top1_percent_before"]["value"] == 100 * right / COUNT
    text = run(*arguments(folder, "--labels", folder / "labels.csv")).stdout
    rows = [line.split("  ") for line in text.splitlines()]
    cells = {row[0]: [cell.strip() for cell in row[1:] if cell] for row in rows}
    assert cells["top-1 before, %"][0] == f"{100 * right / COUNT:.1f}"
    change = document["figures"]["top1_change_points"]
    assert cells["top-1 change, points"] == [f"{change[name]:+.1f}" for name in ("value", "low", "high")]


def test_the_text_names_figures_and_pictures(folder: Path) -> None:
    document = run_json(*arguments(folder))
    result = run(*arguments(folder, "--max-loss", 9, "--min-agreement", 0))
    assert (result.exit_code, messages(result)) == (0, [])
    lines = result.stdout.splitlines()
    before, after = (document["figures"][f"nbytes_{when}"] for when in ("before", "after"))
    assert lines[0] == (
        f"{folder / 'in'} -> {folder / 'out'}: {COUNT} pictures, {before:,} -> {after:,} bytes, read by small, "
        "labels: self"
    )
    kl = document["figures"]["kl"]
    assert f"{kl['value']:.4f} {kl['low']:.4f} {kl['high']:.4f}" in " ".join(result.stdout.split())
    assert [line.split()[0] for line in lines if ".png" in line] == document["figures"]["worst"]
    assert lines[-2].startswith("--max-loss 9 is kept: the upper end of the 95 % interval is ")
    assert lines[-1].startswith("--min-agreement 0 is kept: the lower end of the 95 % interval is ")


def test_one_picture_keeps_no_limit(folder: Path) -> None:
    for number in range(1, COUNT):
        (folder / f"in/{number:02d}.png").unlink()
        (folder / f"out/{number:02d}.jpg").unlink()
    result = run(*arguments(folder, "--max-loss", 99, "--max-kl", 99, "--min-agreement", 0))
    assert result.exit_code == 1
    assert messages(result) == [
        "Error: one picture says nothing of others, so that no limit is kept; expected at least two pictures"
    ]
    divergence = next(line for line in result.stdout.splitlines() if line.startswith("divergence"))
    assert len(divergence.split()) == 3, "the value has no interval"
    document = json.loads(run(*arguments(folder, "--max-loss", 99, "--json")).stdout)
    assert [check["kept"] for check in document["limits"]] == [False]
    assert run(*arguments(folder)).exit_code == 0


def test_limits_decide_the_exit_status(folder: Path) -> None:
    save(folder / "out/02.jpg", np.asarray(Image.open(folder / "in/03.png")))  # another picture, so another decision
    figures = run_json(*arguments(folder))["figures"]
    assert figures["agreement_percent"]["value"] < 100
    limits = (
        ("max-loss", figures["loss_increase"]),
        ("max-kl", figures["kl"]),
        ("min-agreement", figures["agreement_percent"]),
    )
    for name, figure in limits:
        end = figure["low" if name.startswith("min") else "high"]
        assert run(*arguments(folder, f"--{name}", end)).exit_code == 0
        result = run(*arguments(folder, f"--{name}", figure["value"]))  # the mean is within the limit, the end is not
        assert result.exit_code == 1
        (line,) = messages(result)
        assert line.startswith(f"Error: --{name} {figure['value']:g} is not kept: the ")
        assert line.endswith(f" end of the 95 % interval is {end:.4g}")
        assert result.stdout.startswith(str(folder / "in"))
    result = run(*arguments(folder, "--max-kl", 0, "--max-loss", 99, "--json"))
    assert result.exit_code == 1
    checks = [(check["name"], check["limit"], check["kept"]) for check in json.loads(result.stdout)["limits"]]
    assert checks == [("max_loss", 99, True), ("max_kl", 0, False)]


def test_files_that_do_not_fit_are_listed_and_the_others_measured(folder: Path) -> None:
    save(folder / "in/gone.png", crop())
    save(folder / "out/more.jpg", crop())
    save(folder / "in/02.tif", crop())
    for name in ("broken", "cut", "small", "deep"):
        save(folder / f"in/{name}.png", crop())
    (folder / "out/broken.jpg").write_text("no picture")
    save(folder / "out/small.jpg", crop()[:32, :32])
    data = save(folder / "out/cut.jpg", crop(), quality=95).read_bytes()
    (folder / "out/cut.jpg").write_bytes(data[: len(data) // 2])
    Image.fromarray(crop()[..., 0].astype(np.uint16) * 257).save(folder / "in/deep.png")
    save(folder / "out/deep.jpg", crop())
    result = run(*arguments(folder, "--json"))
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert [file["name"] for file in document["files"]] == ["00.png", "01.png", "03.png"]
    expected = {
        "in/broken.png": f"{folder}/out/broken.jpg: not an image file",
        "in/cut.png": f"{folder}/out/cut.jpg: ",
        "in/deep.png": "the image has 16 bits a sample; expected 8",
        "in/small.png": "the coded picture has 32x32 pixels; expected 64x64, as the original has (--resized allows ano",
        "in/02.png": "has 2 originals of one name without suffix, 02.png and 02.tif; expected one",
        "in/02.tif": "has 2 originals of one name without suffix, 02.png and 02.tif; expected one",
        "in/gone.png": "has no coded file; expected one named gone with any suffix in ",
        "out/more.jpg": "has no original; expected one named more with any suffix in ",
    }
    failures = {str(Path(failure["path"]).relative_to(folder)): failure["error"] for failure in document["failures"]}
    assert failures.keys() == expected.keys()
    for name, part in expected.items():
        assert part in failures[name], name
    lines = messages(result)
    assert lines[0] == "Error: 8 of 11 files failed:"
    assert len(lines) == 9


def test_missing_labels_are_listed(folder: Path) -> None:
    (folder / "labels.csv").write_text(f"file,class_index\n00.png,1\n01.png,2\n02.png,{CLASSES}\n")
    result = run(*arguments(folder, "--labels", folder / "labels.csv"))
    assert result.exit_code == 1
    head, *lines = messages(result)
    assert head == "Error: 2 of 4 files failed:"
    assert lines == [
        f"  {folder}/in/02.png: the label is one of the classes 0..5 of the network, got 6",
        f"  {folder}/in/03.png: has no label; expected a row for it in {folder}/labels.csv",
    ]
    assert "2 pictures" in result.stdout


def test_folders_are_classes(folder: Path) -> None:
    for kind, suffix in (("in", "png"), ("out", "jpg")):
        for number in range(COUNT):
            path = folder / f"{kind}/{number:02d}.{suffix}"
            (path.parent / str(number % 2)).mkdir(exist_ok=True)
            path.rename(path.parent / str(number % 2) / path.name)
    document = run_json(*arguments(folder, "--labels", "folders"))
    assert [(file["name"], file["label"]) for file in document["files"]] == [
        ("0/00.png", 0),
        ("0/02.png", 0),
        ("1/01.png", 1),
        ("1/03.png", 1),
    ]
    for kind in ("in", "out"):
        (folder / kind / "1").rename(folder / kind / "cat")
    line = refusal(*arguments(folder, "--labels", "folders"))
    assert "expected one folder for each class of small, whose output has shape (1, 6); found 2 folders" in line


def test_gray_and_resized_pictures(folder: Path) -> None:
    gray = crop()[..., 1]
    save(folder / "in/gray.png", gray)
    save(folder / "out/gray.jpg", gray, quality=90)
    save(folder / "in/large.png", np.kron(crop(), np.ones((2, 2, 1), np.uint8)))
    save(folder / "out/large.png", crop())
    files = run_json(*arguments(folder, "--resized"))["files"]
    assert [file["name"] for file in files[-2:]] == ["gray.png", "large.png"]
    result = run(*arguments(folder))
    assert (result.exit_code, len(messages(result))) == (1, 1 + 1)


def test_conversions_are_noted_once(folder: Path) -> None:
    Image.fromarray(crop()).quantize(16).save(folder / "in/palette.png")
    save(folder / "out/palette.jpg", crop(), quality=90)
    clear = np.dstack([crop(), np.full((64, 64), 128, np.uint8)])
    for name in ("in/clear.png", "out/clear.png"):
        save(folder / name, clear)
    result = run(*arguments(folder, "--background", "white"))
    assert result.exit_code == 0, result.output
    first, second = messages(result)
    assert first.startswith(f"{folder}/in/clear.png: composited")
    assert second == f"{folder}/in/palette.png: expanded palette to RGB"
    assert messages(run(*arguments(folder)))[1] == "Error: 1 of 6 files failed:"  # which is the transparent one


def test_without_any_picture_only_the_errors_are_printed(folder: Path) -> None:
    shutil.rmtree(folder / "out")
    save(folder / "out/other.jpg", crop())
    result = run(*arguments(folder, "--max-loss", 1))
    assert (result.exit_code, result.stdout) == (1, "")
    assert len(messages(result)) == 1 + COUNT + 1
    document = json.loads(run(*arguments(folder, "--json")).stdout)
    assert (document["figures"], document["files"], len(document["failures"])) == (None, [], COUNT + 1)


@pytest.fixture
def factories() -> Iterator[ModuleType]:
    module = ModuleType("optcodec_test_verify")
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


def test_networks_that_fail_are_one_line_for_each_file(folder: Path, factories: ModuleType) -> None:
    layers = torch.nn.Flatten(), torch.nn.LazyLinear(3)
    unstable, fixed = torch.nn.Sequential(*layers), torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(7, 3))
    unstable(torch.zeros(1, 3, 224, 224))
    torch.nn.init.constant_(unstable[1].weight, torch.inf)
    factories.unstable, factories.fixed = lambda: unstable, lambda: fixed
    for name, reason in {
        "unstable": "expected finite logits, got infinite or undefined ones",
        "fixed": "the network does not take pictures of 224x224 pixels: mat1 and mat2 shapes cannot be multiplied",
    }.items():
        result = run(*arguments(folder, network=f"optcodec_test_verify:{name}"))
        assert (result.exit_code, result.stdout) == (1, "")
        head, *lines = messages(result)
        assert head == f"Error: {COUNT} of {COUNT} files failed:"
        assert len(lines) == COUNT
        assert all(reason in line for line in lines)


def test_onnx_files_are_networks(folder: Path) -> None:
    pytest.importorskip("onnxruntime")
    path = mean_network(folder / "net.onnx", (1, 3, 56, 56))
    document = run_json(*arguments(folder, "--input-range", "-1..1", network=path))
    changes = by_hand(folder, onnx_classifier(path, input_range="-1..1"), [None] * COUNT)
    assert files_of(document) == [asdict(change) for change in changes]
    assert document["network"] == str(path)
    logits = run_json(*arguments(folder, network=path))["files"]
    soft = mean_network(folder / "soft.onnx", (1, 3, 56, 56), softmax=True)
    probabilities = run_json(*arguments(folder, "--outputs", "probabilities", network=soft))["files"]
    for first, second in zip(logits, probabilities, strict=True):
        assert second["kl"] == pytest.approx(first["kl"], rel=1e-2, abs=1e-7)
    result = run(*arguments(folder, network=soft))
    assert result.exit_code == 1
    assert "like probabilities (for these, say --outputs probabilities)" in messages(result)[1]


def test_ranges_are_those_of_the_library() -> None:
    (option,) = [parameter for parameter in verify.command.params if parameter.name == "input_range"]
    assert list(option.type.choices) == list(INPUT_RANGES)


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        (NETWORK, ["--max-loss", "nan"], "max_loss is a finite number from 0 on, got nan"),
        (NETWORK, ["--min-agreement", 101], "min_agreement is a percentage up to 100, got 101"),
        (NETWORK, ["--labels", "none.csv"], "labels are 'self', 'folders' or a CSV file; cannot read 'none.csv'"),
        (NETWORK, ["--input-range", "0..1"], "--input-range is for ONNX files, since others take RGB in 0..1; got it"),
        (NETWORK, ["--device", "tpu9"], "cannot use device 'tpu9'"),
        (NETWORK, ["--after", "none"], "expected a folder of images, got 'none'"),
        ("net.onnx", ["--weights", "a.pth"], "--weights is for networks of torch; got it with the ONNX file net.onnx"),
        ("net.onnx", ["--device", "cuda"], "--device is for networks of torch; got it with the ONNX file net.onnx"),
        ("none.onnx", [], "cannot read the network none.onnx: No such file"),
        ("squeezenet1_1", [], "squeezenet1_1 needs weights"),
    ],
)
def test_bad_options_are_refused(folder: Path, network: str, options: list[object], message: str) -> None:
    assert message in refusal(*arguments(folder, *options, network=network))
