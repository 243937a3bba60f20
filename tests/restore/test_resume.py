"""Interrupted trainings continue with the result of uninterrupted ones; bad checkpoints and logs are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from safetensors import safe_open
from safetensors.torch import load, save_file

from optcodec import InvalidInputError
from restore.networks import build
from restore.training.material import DataFolders
from restore.training.recipe import Validation
from restore.training.train import train
from tests.train_helpers import SMALL, data, log, one_thread, recipe, stopped_at, weighed, weights_of

__all__ = ["data", "one_thread", "weighed"]  # fixtures


KINDS: dict[str, dict[str, Any]] = {
    "cosine": {},
    "halving": {"schedule": "halving", "halvings": 2},
    "plateau": {"schedule": "plateau"},
    "batch norm": {"network": {"network": "dncnn", "depth": 3, "width": 8}},
    "two domains": {"network": {"network": "dualdomain", "width": 8, "dct_width": 8}},
    "stage 2": {"perceptual": 0.1, "features": "squeezenet1_1", "adversarial": 0.01, "side": 32},
    "muon": {"optimizer": "muon", "network": {"network": "dncnn", "depth": 4, "width": 16, "normalized": False}},
    "bfloat16": {"precision": "bfloat16", "loss": "balanced"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupted_training_has_the_result_of_an_uninterrupted_one(
    weighed: Path, tmp_path: Path, kind: str
) -> None:
    how = recipe(**KINDS[kind], validation=Validation("photographs", 1, (10,), 3))
    at_once = train(how, DataFolders(weighed), tmp_path / "at once")
    with pytest.raises(KeyboardInterrupt):
        train(how, DataFolders(weighed), tmp_path / "twice", progress=stopped_at(5))
    assert not (tmp_path / "twice" / "network.safetensors").exists()
    twice = train(how, DataFolders(weighed), tmp_path / "twice")
    for name, tensor in weights_of(at_once).items():
        assert torch.equal(tensor, weights_of(twice)[name]), name
    states = [load((tmp_path / run / "checkpoint.safetensors").read_bytes()) for run in ("at once", "twice")]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())
    rows = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in log(tmp_path / run)]
        for run in ("at once", "twice")
    ]
    assert rows[0] == rows[1]
    assert [row["step"] for row in rows[0]] == ["3", "6"]


def test_rows_of_the_log_after_the_checkpoint_are_dropped(data: Path, tmp_path: Path) -> None:
    train(recipe(), DataFolders(data), tmp_path)
    early = (tmp_path / "log.csv").read_text()
    with pytest.raises(KeyboardInterrupt):
        train(recipe(seed=1), DataFolders(data), tmp_path / "again", progress=stopped_at(3))
    path = tmp_path / "again" / "log.csv"
    path.write_text(path.read_text() + "4,0,0,0,99\n")
    train(recipe(seed=1), DataFolders(data), tmp_path / "again")
    assert [row["step"] for row in log(tmp_path / "again")] == ["2", "4", "6"]
    assert "99" not in [row["psnr_q10"] for row in log(tmp_path / "again")]
    (tmp_path / "checkpoint.safetensors").unlink()
    train(recipe(), DataFolders(data), tmp_path)  # starts from the beginning, with a new log
    assert [row["step"] for row in log(tmp_path)] == ["2", "4", "6"]
    assert len(early.splitlines()) == 4


def test_a_finished_training_is_not_changed(data: Path, tmp_path: Path) -> None:
    first = weights_of(train(recipe(), DataFolders(data), tmp_path))
    again = train(recipe(), DataFolders(data), tmp_path, network=build(SMALL), budget=5, progress=stopped_at(1))
    assert all(torch.equal(tensor, first[name]) for name, tensor in weights_of(again).items())


def test_a_checkpoint_of_another_recipe_is_refused(data: Path, tmp_path: Path) -> None:
    train(recipe(), DataFolders(data), tmp_path)
    with pytest.raises(InvalidInputError, match=r"checkpoint\.safetensors belongs to another recipe; expected that"):
        train(recipe(rate=0.5), DataFolders(data), tmp_path)


def rewritten(path: Path, change: Any) -> None:
    """The checkpoint with another recipe in its header."""
    with safe_open(path, "pt") as file:
        header = json.loads(file.metadata()["run"])
    change(header["recipe"])
    save_file(load(path.read_bytes()), path, {"run": json.dumps(header)})


def test_a_checkpoint_without_newer_entries_of_recipes_is_resumed(data: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(recipe(), DataFolders(data), tmp_path, progress=stopped_at(3))

    def older(values: dict[str, Any]) -> None:
        del values["adversarial"], values["validation"]["lpips"]

    rewritten(tmp_path / "checkpoint.safetensors", older)
    train(recipe(), DataFolders(data), tmp_path)
    assert [row["step"] for row in log(tmp_path)] == ["2", "4", "6"]
    rewritten(tmp_path / "checkpoint.safetensors", lambda values: values.update(later=1))
    with pytest.raises(InvalidInputError, match="belongs to another recipe"):
        train(recipe(), DataFolders(data), tmp_path)


def test_a_damaged_checkpoint_is_one_line(data: Path, tmp_path: Path) -> None:
    train(recipe(), DataFolders(data), tmp_path)
    path = tmp_path / "checkpoint.safetensors"
    whole = path.read_bytes()
    tensors = load(path.read_bytes())
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    message = r"checkpoint\.safetensors cannot be resumed \([^\n]+\); expected a whole checkpoint, or none[^\n]*$"

    def refused() -> None:
        with pytest.raises(InvalidInputError, match=message):
            train(recipe(), DataFolders(data), tmp_path)

    for damaged in (whole[: len(whole) // 2], b"", b"\xff" * 100):
        path.write_bytes(damaged)
        refused()
    save_file(tensors, path)
    refused()
    save_file({name: tensor for name, tensor in tensors.items() if name != "network.head.weight"}, path, metadata)
    refused()


def test_a_log_of_something_else_is_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("date,weight\nmonday,80\n")
    with pytest.raises(InvalidInputError, match="rows without a step; expected the log of a training"):
        train(recipe(), DataFolders(data), tmp_path)
