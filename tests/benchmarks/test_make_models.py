"""A network with a second recipe is trained by both, one after the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from benchmarks.receiver import make_models
from restore.networks import Conditioned, build
from restore.networks.operations import configuration
from restore.networks.weights import load_network, save_network
from restore.training.material import DataFolders
from restore.training.recipe import Recipe, load_recipe


def test_the_second_training_starts_where_the_first_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Recipe, nn.Module | None]] = []

    def train(recipe: Recipe, data: DataFolders, folder: Path, *, network: nn.Module | None, **_: Any) -> None:
        calls.append((recipe, network))
        trained = Conditioned(width=8 * len(calls), blocks=1)
        folder.mkdir(exist_ok=True)
        save_network(folder / "network.safetensors", trained)

    monkeypatch.setattr(make_models, "train", train)
    (tmp_path / "tiny-fine").mkdir()
    network = make_models._trained_network("tiny", tmp_path, tmp_path)
    assert [recipe for recipe, _ in calls] == [load_recipe("tiny"), load_recipe("tiny-fine")]
    first, second = (start for _, start in calls)
    assert first is None
    assert second is not None
    assert configuration(second) == configuration(load_network(tmp_path / "tiny" / "network.safetensors"))
    assert configuration(network)["width"] == 16
    make_models._trained_network("tiny", tmp_path, tmp_path)
    assert len(calls) == 2  # complete folders are skipped


def test_a_network_is_trained_once_without_a_second_recipe_or_its_folder(tmp_path: Path) -> None:
    (tmp_path / "large-fine").mkdir()
    assert make_models._trainings("large", tmp_path) == ["large"]
    assert make_models._trainings("tiny", tmp_path) == ["tiny"]


def test_a_training_can_have_the_recipe_of_another(tmp_path: Path) -> None:
    folder = tmp_path / "tiny-level"
    folder.mkdir()
    (folder / "log.csv").write_text("step,loss\n5,0.5\n")
    assert make_models._trainings("tiny", tmp_path) == ["tiny", "tiny-level"]
    training = make_models._training("tiny-level", folder)
    assert (training["name"], training["recipe"]) == ("tiny-level", load_recipe("tiny-smooth").to_json())
    (tmp_path / "tiny-free").mkdir()
    assert make_models._trainings("tiny", tmp_path) == ["tiny", "tiny-level", "tiny-free"]


def test_a_network_can_start_from_that_of_a_smaller_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    starts: list[nn.Module | None] = []

    def train(recipe: Recipe, data: DataFolders, folder: Path, *, network: nn.Module | None, **_: Any) -> None:
        starts.append(network)
        folder.mkdir(exist_ok=True)
        save_network(folder / "network.safetensors", network or build(recipe.network))

    monkeypatch.setattr(make_models, "train", train)
    network = make_models._trained_network("large", tmp_path, tmp_path)
    assert starts[0] is None  # `default`
    assert [start and configuration(start) for start in starts[1:]] == [configuration(network)]
    small = load_network(tmp_path / "default" / "network.safetensors")
    width = configuration(small)["width"]
    assert configuration(network)["width"] > width
    torch.testing.assert_close(network.head.weight[:width], small.head.weight)  # type: ignore[union-attr, index]


def test_a_stage_is_made_once(tmp_path: Path) -> None:
    made: list[str] = []

    def make() -> tuple[nn.Module, dict[str, Any]]:
        made.append("network")
        return Conditioned(width=8, blocks=1), {"patches": 3}

    for _ in range(2):
        network, record = make_models._stage("careful", "tiny", tmp_path, make)
        assert configuration(network)["width"] == 8
        assert record == {"patches": 3}
    assert made == ["network"]
