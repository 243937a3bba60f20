"""Networks in the loop on the command line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from skimage.data import astronaut

from optcodec import MaxBytes, MaxLoss, MaxLossIncrease, NetworkReader, Readers, TiledReader, encode, load_profile
from optcodec.accuracy.onnx_classifier import onnx_classifier
from optcodec.accuracy.reader import ClassifierReader
from tests.cli_helpers import messages, refusal, run, run_json, save
from tests.onnx_helpers import mean_network
from tests.peers import pillow_pixels
from tests.vision.test_reader import network

torch = pytest.importorskip("torch")
PHOTO = np.ascontiguousarray(astronaut()[40:104, 150:246])
NET, OTHER = "optcodec_test_networks:net", "optcodec_test_networks:other"


@pytest.fixture(autouse=True)
def factories() -> Iterator[None]:
    """A module with two networks, which take pictures of any size; what `load_model` resizes stays as it is."""
    from optcodec.vision.models import TargetModel

    module = ModuleType("optcodec_test_networks")
    module.net = lambda: TargetModel("net", network(), lambda image: image, resample=lambda batch: batch)
    module.other = lambda: TargetModel("other", network(seed=8), lambda image: image, resample=lambda batch: batch)
    module.resized = network
    sys.modules[module.__name__] = module
    yield
    del sys.modules[module.__name__]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return save(tmp_path / "a.png", PHOTO)


def file_of(picture: Path) -> bytes:
    return picture.with_suffix(".jpg").read_bytes()


def test_options_are_those_of_the_library(picture: Path) -> None:
    report = run_json("encode", picture, "--network", NET, "--max-bytes", 1100, "--rounds", 3, "--views", 2)
    assert (report["effort"], report["tune"], report["networks"]) == (4, "dnn:generic", [NET])
    reader = NetworkReader(network(), views=2)
    options = {"tune": load_profile("generic"), "target": MaxBytes(1100), "rounds": 3}
    assert file_of(picture) == encode(PHOTO, reader=reader, **options).data
    loss = reader(PHOTO).loss(pillow_pixels(file_of(picture)))
    assert report["files"][0]["loss"] == pytest.approx(loss)
    shown = run("encode", picture, "--network", NET, "--max-bytes", 1100, "--rounds", 3, "--views", 2, "--force").stdout
    for_whom = f"made for {NET}, divergence {loss:.3g} nats on average; other networks may read these files worse than "
    assert shown.splitlines()[-1].startswith(for_whom)
    report = run_json("encode", picture, "--tune", "ycbcr", "--network", NET, "-q", 30, "--rounds", 1, "--force")
    assert report["tune"] == "ycbcr"
    assert file_of(picture) == encode(PHOTO, reader=NetworkReader(network()), tune="ycbcr", quality=30, rounds=1).data


def test_tiles_are_those_of_the_library(picture: Path) -> None:
    options = "--network", NET, "--max-bytes", 1100, "--rounds", 6, "--views", 1
    run_json("encode", picture, *options, "--tile", 48)
    reader = TiledReader(NetworkReader(network(), views=1), 48)
    expected = encode(PHOTO, reader=reader, tune=load_profile("generic"), target=MaxBytes(1100), rounds=6)
    assert file_of(picture) == expected.data
    run_json("encode", picture, *options, "--force")
    assert file_of(picture) != expected.data


def test_several_networks_read_a_file(picture: Path) -> None:
    arguments = "--network", NET, "--network", OTHER, "--max-bytes", 1100, "--rounds", 6, "--views", 1
    report = run_json("encode", picture, *arguments)
    both = [NetworkReader(network(seed=seed), views=1) for seed in (3, 8)]
    options = {"tune": load_profile("generic"), "target": MaxBytes(1100), "rounds": 6}
    assert file_of(picture) == encode(PHOTO, reader=both, **options).data
    assert file_of(picture) != encode(PHOTO, reader=both[:1], **options).data
    losses = [reader(PHOTO).loss(pillow_pixels(file_of(picture))) for reader in both]
    assert report["files"][0]["losses"] == pytest.approx(losses)
    assert report["files"][0]["loss"] == pytest.approx(sum(losses))
    last = run("encode", picture, *arguments, "--force").stdout.splitlines()[-1]
    for_whom = [
        f"{name}, divergence {loss:.3g} nats on average" for name, loss in zip((NET, OTHER), losses, strict=True)
    ]
    assert last.startswith(f"made for {for_whom[0]}, and {for_whom[1]}; other networks may read these files worse ")
    assert last.endswith(' of their size, which "optcodec verify --network" measures')


def test_each_network_keeps_the_target(picture: Path) -> None:
    readings = [NetworkReader(network(seed=seed), views=1)(PHOTO) for seed in (3, 8)]
    options = "--network", NET, "--network", OTHER, "--views", 1, "--rounds", 1
    run_json("encode", picture, *options, "--max-kl", 0.006)
    losses = [reading.loss(pillow_pixels(file_of(picture))) for reading in readings]
    assert max(losses) <= 0.006 < sum(losses)
    run_json("encode", picture, *options, "--same-top1", "--force")
    assert all(reading.agrees(pillow_pixels(file_of(picture))) for reading in readings)


def test_fidelity_is_that_of_the_library(picture: Path) -> None:
    options = "--network", NET, "--max-bytes", 1100, "--rounds", 3, "--views", 1, "--fidelity", 0.5
    run_json("encode", picture, *options)
    reader = Readers([NetworkReader(network(), views=1)], fidelity=0.5)
    expected = encode(PHOTO, reader=reader, tune=load_profile("generic"), target=MaxBytes(1100), rounds=3)
    assert file_of(picture) == expected.data


def test_targets_in_the_terms_of_the_network(picture: Path) -> None:
    reading = NetworkReader(network(), views=1)(PHOTO)
    options = "--network", NET, "--views", 1, "--rounds", 2
    run_json("encode", picture, *options, "--max-kl", 0.002)
    kept = pillow_pixels(file_of(picture))
    assert reading.loss(kept) <= 0.002
    target = MaxLoss(0.002)
    reader = NetworkReader(network(), views=1)
    assert file_of(picture) == encode(PHOTO, reader=reader, target=target, rounds=2, tune=load_profile("generic")).data
    run_json("encode", picture, *options, "--max-loss", 0.003, "--force")
    assert reading.loss_increase(pillow_pixels(file_of(picture))) <= 0.003
    target = MaxLossIncrease(0.003)
    assert file_of(picture) == encode(PHOTO, reader=reader, target=target, rounds=2, tune=load_profile("generic")).data
    run_json("encode", picture, *options, "--same-top1", "--force")
    assert reading.agrees(pillow_pixels(file_of(picture)))


def test_files_are_the_same_with_any_number_of_threads(tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / f"in/{number}.png", np.roll(PHOTO, 9 * number, axis=1))
    threads = torch.get_num_threads()
    for count in (1, 3):
        folder = tmp_path / f"out{count}"
        options = "--network", NET, "--bpp", 1, "--rounds", 2, "--views", 1, "--threads", count
        assert run("encode", tmp_path / "in", "-o", folder, *options).exit_code == 0
    for number in range(3):
        assert (tmp_path / f"out1/{number}.jpg").read_bytes() == (tmp_path / f"out3/{number}.jpg").read_bytes()
    assert torch.get_num_threads() == threads


def test_torchvision_networks_have_weights(picture: Path, tmp_path: Path) -> None:
    models = pytest.importorskip("torchvision").models
    torch.save(models.squeezenet1_1(weights=None).state_dict(), tmp_path / "net.pth")
    options = "--network", "squeezenet1_1", "--weights", tmp_path / "net.pth", "--views", 1, "--rounds", 0
    report = run_json("encode", picture, *options, "-q", 30)
    assert report["networks"] == ["squeezenet1_1"]


def test_an_onnx_file_chooses_among_files(picture: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    path = mean_network(tmp_path / "net.onnx", (1, 3, "height", "width"))
    options = "--network", path, "--max-bytes", 1100, "--input-range", "-1..1"
    report = run_json("encode", picture, *options)
    reader = ClassifierReader(onnx_classifier(path, input_range="-1..1"))
    profile = load_profile("generic")
    ways: list[dict[str, Any]] = [{"tune": profile}, {"profile": profile}, {"tune": "psnr"}, {"method": "jpeg"}]
    files = [encode(PHOTO, target=MaxBytes(1100), **arguments) for arguments in ways]
    losses = [reader(PHOTO).loss(pillow_pixels(file.data)) for file in files]
    assert report["files"][0]["loss"] == min(losses) < max(losses)
    assert file_of(picture) == files[losses.index(min(losses))].data
    assert report["networks"] == [str(path)]
    run_json("encode", picture, "--network", path, "--same-top1", "--force")
    plain = ClassifierReader(onnx_classifier(path))(PHOTO)
    assert plain.agrees(pillow_pixels(file_of(picture)))
    assert not plain.agrees(np.zeros_like(PHOTO))
    run_json("encode", picture, "--network", path, "--max-loss", 0.01, "--force")
    assert plain.loss_increase(pillow_pixels(file_of(picture))) <= 0.01 < plain.loss_increase(np.zeros_like(PHOTO))
    for more, message in (
        (["--rounds", 3], "the reader has no gradient, only a loss; expected 0 rounds, got 3"),
        (["--views", 1], f"--views is for networks of torch; got it with {path}"),
        (["--device", "cpu"], f"--device is for networks of torch; got it with {path}"),
        (["--weights", "a.pth"], f"--weights is for networks of torch; got it with the ONNX file {path}"),
        (["--outputs", "probabilities"], "expected probabilities, from 0 on with the sum 1, got numbers in "),
    ):
        assert message in refusal("encode", picture, *options, *more, "--force")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--effort", 4], "--effort 4 needs --network or --reader, got none"),
        (
            ["--effort", 3, "--network", NET],
            "--network or --reader has an effect with a reader in the loop only; expected --effort",
        ),
        (["--rounds", 2], "--effort 4 needs --network or --reader, got none"),
        (["--views", 2], "--views needs --network with a model"),
        (["--tile", 64], "--tile needs --network with a model"),
        (["--tile", 31, "--network", NET], "the side of a tile is a whole number in 32..65535, got 31"),
        (["--weights", "a.pth"], "--weights needs --network with a model"),
        (["--device", "cpu"], "--device needs --network with a model"),
        (["--outputs", "logits"], "--outputs needs --network with a model"),
        (["--input-range", "0..1", "--network", NET], f"--input-range is for ONNX files; got it with {NET}"),
        (["--fidelity", 0], "--fidelity needs --network or --reader"),
        (["--fidelity", 1, "--network", NET], "fidelity is a share below 1, got 1.0"),
        (["--fidelity", "nan", "--network", NET], "fidelity is a finite number from 0 on, got nan"),
        (["--max-kl", 0.1], "MaxLoss(loss=0.1) is measured by a reader (--network or --reader); expected --effort 4"),
        (["--same-top1"], "SameDecision() is measured by a reader (--network or --reader); expected --effort 4, got 2"),
        (
            ["--max-kl", 0.1, "--bpp", 1, "--network", NET],
            "--max-kl and another target (--bpp and the like) excl",
        ),
        (["--max-kl", 0.1, "--max-loss", 0.1, "--network", NET], "--max-kl and --max-loss exclude one another"),
        (["--max-loss", -1, "--network", NET], "a largest increase is a finite number from 0 on, got -1.0"),
        (["--max-kl", 0, "--network", NET], "a largest loss is a finite number above 0, got 0.0"),
        (
            ["--match-psnr", 30, "--network", NET],
            "--effort 4 has a reader in place of MatchPsnr(psnr_db=30.0); exp",
        ),
        (
            ["--network", NET, "--weights", "a", "--weights", "b"],
            "expected one --weights for each --network, got 2 for",
        ),
        (["--network", "squeezenet1_1"], "squeezenet1_1 needs weights: a .safetensors, .pth or .pt file"),
        (["--network", "no.such:thing"], "expected a model as package.module:factory, got 'no.such:thing'"),
        (["--network", NET, "--device", "tpu9"], "cannot use device 'tpu9'"),
    ],
)
def test_bad_options_are_refused(picture: Path, options: list[object], message: str) -> None:
    assert message in refusal("encode", picture, *options)
    assert not picture.with_suffix(".jpg").exists()


def test_a_loss_that_no_file_keeps_is_named(picture: Path) -> None:
    result = run("encode", picture, "--network", NET, "--max-kl", 1e-15, "--rounds", 0, "--views", 1)
    assert result.exit_code == 1
    (line,) = messages(result)
    assert "MaxLoss(loss=1e-15): a loss of at most 1e-15, but the nearest that can be reached is" in line
    assert not picture.with_suffix(".jpg").exists()
