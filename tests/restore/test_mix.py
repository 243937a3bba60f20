"""Trainings on whole coded photographs: they run, continue, keep their files, and chain networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import numpy as np
import torch

from optcodec import InvalidInputError
from restore.channel.mix import Mix
from restore.channel.patches import CodedBatch
from restore.compress.quantize import calibration_patches
from restore.networks import Conditioned, build
from restore.networks.chain import restored_luminance
from restore.networks.weights import save_network
from restore.runtime.context import condition_size
from restore.training.losses import pixel_loss
from restore.training.material import DataFolders, luminance_network, network_input, training_patches, validation_set
from restore.training.recipe import Recipe, Validation
from restore.training.train import train
from tests.train_helpers import SMALL, log, one_thread, recipe, save_shapes, shaken, stopped_at, weights_of

__all__ = ["one_thread"]  # fixture

CHROMA = {**SMALL, "planes": 3, "restored": 2, "tables": 2, "period": 8, "after_luminance": True}
MIX = Mix({"pillow": 2, "varied": 1}, qualities=(10, 30), twice=0.4, versions=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two pictures of flat shapes, large enough for whole files."""
    return save_shapes(tmp_path_factory.mktemp("large"), 2, 112, 128)


def mixed(**options: Any) -> Recipe:
    """A recipe with a mix whose training takes a second."""
    watched = Validation("photographs", 1, (10,), 3, senders=("pillow", "varied"))
    return recipe(**({"mix": MIX, "loss": "relative", "validation": watched} | options))


def files_of(folder: Path) -> dict[str, int]:
    """The coded files in a folder, and when each was written."""
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*.npz")}


def test_an_interrupted_training_has_the_result_of_an_uninterrupted_one(data: Path, tmp_path: Path) -> None:
    how = mixed()
    at_once = train(how, DataFolders(data), tmp_path / "at once")
    with pytest.raises(KeyboardInterrupt):
        train(how, DataFolders(data), tmp_path / "twice", progress=stopped_at(5))
    twice = train(how, DataFolders(data), tmp_path / "twice")
    initial = build(SMALL)
    for name, tensor in weights_of(at_once).items():
        assert torch.equal(tensor, weights_of(twice)[name]), name
    assert not torch.equal(weights_of(at_once)["tail.weight"], initial.state_dict()["tail.weight"])
    rows = [
        [{name: value for name, value in row.items() if name != "seconds"} for row in log(tmp_path / run)]
        for run in ("at once", "twice")
    ]
    assert rows[0] == rows[1]
    assert [row["step"] for row in rows[0]] == ["3", "6"]
    assert {"psnr_pillow_q10", "psnr_varied_q10"} < rows[0][0].keys()


def test_files_are_kept_beside_the_training_or_where_it_is_told(data: Path, tmp_path: Path) -> None:
    """The next training with the same mix reads them, and gives the same weights."""
    beside = train(mixed(steps=3), DataFolders(data), tmp_path / "a")
    assert 0 < len(files_of(tmp_path / "a" / "files")) <= 4  # two versions of two pictures
    shared = DataFolders(data, files=tmp_path / "shared")
    first = train(mixed(steps=3), shared, tmp_path / "b")
    written = files_of(tmp_path / "shared")
    second = train(mixed(steps=3), shared, tmp_path / "c")
    assert files_of(tmp_path / "shared") == written
    assert len(written) == len(files_of(tmp_path / "a" / "files"))
    assert not (tmp_path / "b" / "files").exists()
    for other in (first, second):
        assert all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in beside.state_dict().items())


def test_the_loss_is_relative_to_the_errors_of_the_files(data: Path, tmp_path: Path) -> None:
    """An untrained network gives the decoded samples, so that the loss of the first step is that of the files."""
    how = mixed(steps=1)
    train(how, DataFolders(data), tmp_path)
    batch = training_patches(how, DataFolders(data)).batch(0)
    clean, received = (torch.from_numpy(part.astype(np.float32) / 255) for part in (batch.clean, batch.received))
    assert isinstance(batch, CodedBatch)
    errors = torch.from_numpy(batch.reference)
    (row,) = log(tmp_path)
    expected = pixel_loss("relative")(received, clean, errors).item()
    assert float(row["loss"]) == pytest.approx(expected, rel=1e-4)


@pytest.fixture(scope="module")
def luminance(tmp_path_factory: pytest.TempPathFactory) -> tuple[Conditioned, str]:
    """A network for luminance with random weights, and its file."""
    network = shaken(Conditioned(width=8, blocks=1))
    path = tmp_path_factory.mktemp("luminance") / "y.safetensors"
    save_network(path, network)
    return network, str(path)


def test_chrominance_is_trained_on_restored_luminance(
    data: Path, tmp_path: Path, luminance: tuple[Conditioned, str]
) -> None:
    network, path = luminance
    how = mixed(network=CHROMA, luminance=path)
    batch = training_patches(how, DataFolders(data)).batch(0)
    assert batch.received.shape == (4, 3, 16, 16)
    planes, conditions = network_input(batch, luminance_network(how))
    assert conditions.shape == (4, condition_size(2))
    received = torch.from_numpy(batch.received.astype(np.float32)) / 255
    assert torch.equal(planes, restored_luminance(network, received, conditions))
    assert not torch.equal(planes[:, 0], received[:, 0])
    before = weights_of(network)
    trained = train(how, DataFolders(data), tmp_path)
    assert trained.config.items() >= CHROMA.items()
    loaded = luminance_network(how)
    assert loaded is not None
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights_of(loaded).items())


def test_chrominance_is_validated_on_restored_luminance(data: Path, luminance: tuple[Conditioned, str]) -> None:
    _, path = luminance
    seen: list[torch.Tensor] = []

    class Spy(torch.nn.Module):
        def forward(self, planes: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
            seen.append(planes)
            return planes[:, 1:]

    cpu, folders = torch.device("cpu"), DataFolders(data)
    after = validation_set(mixed(network=CHROMA, luminance=path), folders, cpu).measure(Spy())
    alone = {**CHROMA, "after_luminance": False}
    plain = validation_set(mixed(network=alone), folders, cpu).measure(Spy())
    assert after == plain  # this network gives Cb and Cr as they were decoded
    assert list(after) == ["psnr_pillow_q10", "psnr_varied_q10"]
    assert after["psnr_pillow_q10"] < 50
    restored, decoded = seen[0], seen[2]
    assert torch.equal(restored[:, 1:], decoded[:, 1:])
    assert (restored[:, 0] - decoded[:, 0]).abs().mean() > 1 / 255


def test_a_missing_encoder_of_the_validation_is_named(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    how = mixed(validation=Validation("photographs", 1, (10,), 3, senders=("jpegli",)))
    monkeypatch.setattr("optcodec.extras.find_spec", lambda name: None)
    with pytest.raises(InvalidInputError, match=r"ajpegli is needed for this.*pip install 'optcodec\[train\]'"):
        validation_set(how, DataFolders(data), torch.device("cpu"))


def test_a_shipped_network_restores_luminance_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Conditioned(width=8, blocks=1)
    asked: list[str] = []

    def shipped(name: str) -> Conditioned:
        asked.append(name)
        return network

    monkeypatch.setattr("restore.training.material.shipped_network", shipped)
    assert luminance_network(mixed(network=CHROMA, luminance="tiny")) is network
    assert asked == ["tiny"]
    assert luminance_network(mixed()) is None


def test_calibration_draws_other_patches_of_the_same_files(data: Path, luminance: tuple[Conditioned, str]) -> None:
    _, path = luminance
    how = mixed(network=CHROMA, luminance=path)
    batches = list(calibration_patches(how, DataFolders(data), count=8, at_once=4))
    assert [(images.shape, conditions.shape) for images, conditions in batches] == [
        ((4, 3, 16, 16), (4, condition_size(2)))
    ] * 2
    trained_on, _ = network_input(training_patches(how, DataFolders(data)).batch(0), luminance_network(how))
    assert not torch.equal(batches[0][0], trained_on)
    assert not torch.equal(batches[0][0], batches[1][0])
