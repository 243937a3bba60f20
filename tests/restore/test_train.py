"""Training: it lowers the loss, follows its schedule, and refuses missing files in one line."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import numpy as np
import torch

from optcodec import InvalidInputError
from restore.channel.degradation import Degradation
from restore.networks import build
from restore.training.material import DataFolders
from restore.training.recipe import Validation
from restore.training.train import _Training, train
from tests.train_helpers import SMALL, data, log, one_thread, recipe, stopped_at, weighed, weights_of

__all__ = ["data", "one_thread", "weighed"]  # fixtures


def test_equal_seeds_give_equal_weights(data: Path, tmp_path: Path) -> None:
    runs = [
        weights_of(train(recipe(seed=seed), DataFolders(data), tmp_path / str(k))) for k, seed in enumerate((0, 0, 1))
    ]
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])
    assert not torch.equal(runs[0]["head.weight"], runs[2]["head.weight"])


def test_training_lowers_the_loss_on_new_patches(data: Path, tmp_path: Path) -> None:
    noisy = Degradation((50,), sigmas=(20.0,))  # noise on flat shapes: much is learned in a few steps
    how = recipe(steps=200, rate=1e-2, degradation=noisy, validation=Validation("photographs", 1, (10,), 50))
    trained = train(how, DataFolders(data), tmp_path)
    patches = _Training(how, DataFolders(data), build(SMALL)).patches
    before = after = 0.0
    for number in range(1000, 1004):
        batch = patches.batch(number)
        clean, received, condition = (
            torch.from_numpy(part.astype(np.float32)) for part in (batch.clean, batch.received, batch.conditions)
        )
        before += float((received - clean).square().mean())
        with torch.no_grad():
            after += float((255 * trained(received / 255, condition) - clean).square().mean())
    assert after < 0.7 * before
    losses = [float(row["loss"]) for row in log(tmp_path)]
    assert losses == sorted(losses, reverse=True)


def test_bfloat16_is_close_to_float32_but_not_equal(data: Path, tmp_path: Path) -> None:
    runs = [train(recipe(precision=name), DataFolders(data), tmp_path / name) for name in ("float32", "bfloat16")]
    full, half = (weights_of(run)["body.0.first.weight"] for run in runs)
    assert full.dtype == half.dtype == torch.float32
    assert not torch.equal(full, half)
    torch.testing.assert_close(full, half, rtol=0, atol=2 * 6 * 1e-3)  # six steps of Adam, each as long as the rate


def run_of(data: Path, **options: Any) -> _Training:
    """A training before its first step."""
    how = recipe(**options)
    return _Training(how, DataFolders(data), build(how.network))


def rates(training: _Training) -> list[float]:
    """The learning rates of all steps."""
    rates_by_step = []
    for step in range(training.steps):
        training.step = step
        rates_by_step.append(training.rate())
    return rates_by_step


def test_cosine_rises_shortly_and_ends_near_zero(data: Path) -> None:
    rates_by_step = rates(run_of(data, steps=1000, rate=1.0))
    share = np.arange(1000) / 1000
    rise = np.minimum(1, (np.arange(1000) + 1) / 20)
    np.testing.assert_allclose(rates_by_step, rise * (1 + np.cos(np.pi * share)) / 2)


def test_halving_halves_at_equal_parts(data: Path) -> None:
    assert rates(run_of(data, steps=6, rate=1.0, schedule="halving", halvings=2)) == [1, 1, 0.5, 0.5, 0.25, 0.25]


def test_plateau_halves_after_five_validations_without_progress(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training = run_of(data, schedule="plateau", rate=1.0)
    psnrs = iter([30.0, 31.0, 30.9, 31.0, 30.0, 30.0, 29.0, 31.1, 31.0, 31.0, 31.0, 31.0, 31.1])
    monkeypatch.setattr(training.validation, "measure", lambda network: {"psnr_q10": next(psnrs), "lpips_q10": 9.0})
    rates_by_step = []
    for _ in range(13):
        training.validate()
        rates_by_step.append(training.rate())
    assert rates_by_step == [*6 * [1], *6 * [0.5], 0.25]


def test_a_budget_sets_the_steps_and_keeps_the_initial_weights(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training = run_of(data, adversarial=0.01)
    before = [weights_of(learner.module) for learner in training.learners]
    ticks = iter(np.repeat(np.arange(0, 11), 2)[1:] * 0.5)  # half a second a step
    monkeypatch.setattr("restore.training.train.time.perf_counter", lambda: float(next(ticks)))
    training.fit_steps(2.0)
    assert training.steps == 240
    for learner, start in zip(training.learners, before, strict=True):
        assert all(torch.equal(tensor, start[name]) for name, tensor in weights_of(learner.module).items())
        assert not any("adam." in name for name in learner.state())


def test_a_budget_stays_when_resumed(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Training, "fit_steps", lambda run, minutes: setattr(run, "steps", round(minutes)))
    with pytest.raises(KeyboardInterrupt):
        train(recipe(), DataFolders(data), tmp_path, budget=8, progress=stopped_at(3))
    train(recipe(), DataFolders(data), tmp_path, budget=99)
    assert [row["step"] for row in log(tmp_path)] == ["2", "4", "6", "8"]


def test_stage_2_begins_from_a_network_and_logs_its_parts(weighed: Path, tmp_path: Path) -> None:
    start = train(recipe(), DataFolders(weighed), tmp_path / "1")
    watched = Validation("photographs", 1, (10,), 2, lpips="squeeze")
    how = recipe(
        perceptual=0.1, features="squeezenet1_1", adversarial=0.01, side=32, steps=2, rate=1e-9, validation=watched
    )
    before = weights_of(start)
    after = train(how, DataFolders(weighed), tmp_path / "2", network=start)
    for name, tensor in weights_of(after).items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=1e-8)
    row = {name: float(value) for name, value in log(tmp_path / "2")[0].items()}
    assert {"features", "critic", "fooling", "lpips_q10"} < row.keys()
    assert row["features"] > 0
    assert row["lpips_q10"] > 0


def test_chrominance_alone_can_be_trained_in_stage_2(weighed: Path, tmp_path: Path) -> None:
    network = {**SMALL, "planes": 3, "restored": 2, "tables": 2, "period": 8}
    watched = Validation("photographs", 1, (10,), 2, lpips="squeeze")
    how = recipe(
        network=network,
        perceptual=0.1,
        features="squeezenet1_1",
        adversarial=0.01,
        side=32,
        steps=2,
        validation=watched,
    )
    train(how, DataFolders(weighed), tmp_path)
    assert float(log(tmp_path)[0]["features"]) > 0


@pytest.mark.parametrize(
    ("options", "file"),
    [
        ({"perceptual": 0.1}, "vgg16.safetensors"),
        ({"validation": Validation("photographs", 1, (10,), 2, lpips="alex")}, "alexnet.safetensors"),
    ],
)
def test_missing_weights_are_refused_before_the_training(
    data: Path, tmp_path: Path, options: dict[str, Any], file: str
) -> None:
    with pytest.raises(InvalidInputError, match=f"expected them at {re.escape(str(data / 'weights' / file))}$"):
        train(recipe(**options), DataFolders(data), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(InvalidInputError, match=re.escape(str(tmp_path / file))):
        train(recipe(**options), DataFolders(data, tmp_path), tmp_path / "run")


def test_a_loss_that_is_not_finite_stops_the_training(data: Path, tmp_path: Path) -> None:
    network = build(SMALL)
    with torch.no_grad():
        network.tail.bias.fill_(float("nan"))
    with pytest.raises(InvalidInputError, match="the loss at step 1 is nan; try a lower rate or a clip"):
        train(recipe(), DataFolders(data), tmp_path, network=network)


def test_missing_tensorboard_is_named(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(InvalidInputError, match=r"tensorboard is needed .* pip install 'optcodec\[tensorboard\]'"):
        train(recipe(), DataFolders(data), tmp_path, tensorboard=True)


def test_tensorboard_gets_the_rows_of_the_log(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(recipe(), DataFolders(data), tmp_path, tensorboard=True)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload().Scalars("psnr_q10")
    rows = log(tmp_path)
    assert [event.step for event in events] == [int(row["step"]) for row in rows]
    np.testing.assert_allclose([event.value for event in events], [float(row["psnr_q10"]) for row in rows], rtol=1e-5)
