"""Training of a network by a recipe. It can be interrupted at any time, and continues with the same result."""

from __future__ import annotations

import contextlib
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from optcodec import InvalidInputError
from restore.channel.problem import find_problem
from restore.networks import build
from restore.networks.critic import Critic
from restore.networks.operations import configuration, plane_spec
from restore.networks.weights import save_network
from restore.training.checkpoint import load_checkpoint, save_checkpoint
from restore.training.features import load_features, load_lpips
from restore.training.learner import Learner
from restore.training.log import TrainingLog
from restore.training.losses import critic_loss, fooling_loss, norm_scale_sum, pixel_loss
from restore.training.material import (
    AnyBatch,
    AnyPatches,
    DataFolders,
    luminance_network,
    network_input,
    training_patches,
    validation_set,
)
from restore.training.recipe import Recipe

__all__ = ["train"]

_WARM_UP = 0.02  # share of the steps during which the learning rate rises (schedule "cosine")
_TIMED_STEPS = 10  # steps that are timed, to estimate how many fit into a budget
# Ratio of the learning rates of critic and network (Zhang et al., "SAGAN", ICML 2019, section 4).
_CRITIC_RATE_RATIO = 4
# Validations without progress after which the rate falls, and by which factor (schedule "plateau"): Ahmed et al., "A
# Lightweight Denoising Convolutional Neural Network", ETASR 2025, section II.F.
_PATIENCE, _FALL = 5, 0.5
Progress = Callable[[int, int, dict[str, float]], None]


def train(
    recipe: Recipe,
    data: DataFolders,
    folder: Path,
    *,
    network: nn.Module | None = None,
    budget: float | None = None,
    tensorboard: bool = False,
    progress: Progress | None = None,
) -> nn.Module:
    """Train a network, or continue the interrupted training in this folder.

    Parameters
    ----------
    recipe : Recipe
        Settings of the training; a resumed training must have the same recipe.
    data : DataFolders
        Photographs, and weights of networks that losses need. Coded files are kept in ``files`` in `folder`, unless it
        names another folder.
    folder : path
        Output folder. ``checkpoint.safetensors`` and ``log.csv`` are written at every validation, and
        ``network.safetensors`` at the end.
    network : Module, optional
        Network to start from, for fine-tuning and stage 2; by default a new one. A resumed training continues with the
        weights of its checkpoint.
    budget : float, optional
        Training time in minutes: sets the number of steps so that they take about that long on this machine. A resumed
        training keeps its number.
    tensorboard : bool
        Whether a log for TensorBoard is written, too, to ``tensorboard`` in `folder`.
    progress : callable, optional
        Called after each step with its number, the number of steps, and the results of the last validation.

    Returns
    -------
    Module
        The trained network, in evaluation mode.

    Raises
    ------
    InvalidInputError
        If photographs or weights are missing, the folder has a checkpoint that is damaged or of another recipe, or the
        loss is no longer finite.
    """
    torch.manual_seed(recipe.seed)
    if data.files is None:
        data = replace(data, files=folder / "files")
    training = _Training(recipe, data, build(recipe.network) if network is None else network)
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "checkpoint.safetensors").exists():
        training.resume(folder)
    elif budget is not None:
        training.fit_steps(budget)
    with contextlib.closing(TrainingLog(folder, training.step, tensorboard=tensorboard)) as log:
        training.run_steps(folder, log, progress or (lambda step, steps, measured: None))
    save_network(folder / "network.safetensors", training.network, recipe=recipe.to_json(), steps=training.steps)
    return training.network.eval()


class _Training:
    """A training: the networks, the patches, and the state that changes from step to step."""

    def __init__(self, recipe: Recipe, data: DataFolders, network: nn.Module) -> None:
        self.recipe, self.steps, self.step, self.seconds = recipe, recipe.steps, 0, 0.0
        self.plateau = {"rate": recipe.rate, "best": -math.inf, "since": 0.0}
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.loss = pixel_loss(recipe.loss)
        lpips = recipe.validation.lpips
        distance = load_lpips(lpips, data.feature_weights, self.device) if lpips else None
        features = load_features(recipe.features, data.feature_weights) if recipe.perceptual else None
        self.features = None if features is None else features.to(self.device)
        spec = plane_spec(configuration(network))
        problem = find_problem(recipe.problem) if recipe.problem else None
        if problem and (spec.planes, spec.scale) != (3, problem.scale):
            actual = f"{spec.planes} planes, and enlarges {spec.scale} times"
            raise InvalidInputError(f"{problem.name} needs a network for RGB with scale {problem.scale}; got {actual}")
        self.network = network.to(self.device).to(memory_format=torch.channels_last)
        self.learners = [Learner(self.network, recipe.rate, optimizer=recipe.optimizer)]
        if recipe.adversarial:
            critic = Critic(spec.planes, spec.restored).to(self.device)
            self.learners.append(Learner(critic, recipe.rate, name="critic.", prefix="critic_"))
        luminance = luminance_network(recipe)
        self.luminance = luminance and luminance.to(self.device).to(memory_format=torch.channels_last)
        self.patches = training_patches(recipe, data)
        self.validation = validation_set(recipe, data, self.device, distance)

    def fit_steps(self, minutes: float) -> None:
        """Set the number of steps from the time that a few steps take, and reset the weights afterwards."""
        initial_weights = [learner.weights() for learner in self.learners]
        times = []
        for number in range(_TIMED_STEPS):
            start = time.perf_counter()
            self.update(self.patches.batch(number), 0.0)
            times.append(time.perf_counter() - start)
        for learner, weights in zip(self.learners, initial_weights, strict=True):
            learner.reset(weights)
        self.steps = max(1, int(60 * minutes / float(np.median(times))))

    def run_steps(self, folder: Path, log: TrainingLog, progress: Progress) -> None:
        """Run the remaining steps; validate, log and save a checkpoint at the interval of the recipe."""
        measured: dict[str, float] = {}
        total, count, started = Counter[str](), 0, time.perf_counter()
        for batch in _prefetched(self.patches, self.step, self.steps):
            rate = self.rate()
            losses = self.update(batch, rate)
            self.step += 1
            if not math.isfinite(losses["loss"]):
                raise InvalidInputError(f"the loss at step {self.step} is {losses['loss']}; try a lower rate or a clip")
            total.update(losses)
            count += 1
            if self.step % self.recipe.validation.every == 0 or self.step == self.steps:
                self.seconds, started = self.seconds + time.perf_counter() - started, time.perf_counter()
                means = {name: value / count for name, value in total.items()}
                measured = {"loss": means.pop("loss"), "rate": rate, **self.validate(), **means}
                total, count = Counter(), 0
                # the log first: a resumed training drops rows that are later than its checkpoint
                log.add(self.step, self.seconds, measured)
                self.save(folder)
            progress(self.step, self.steps, measured)

    def rate(self) -> float:
        """Learning rate of this step."""
        recipe, share = self.recipe, self.step / self.steps
        if recipe.schedule == "plateau":
            return self.plateau["rate"]
        if recipe.schedule == "halving":
            return recipe.rate * 0.5 ** int(share * (recipe.halvings + 1))
        return recipe.rate * min(1.0, (share + 1 / self.steps) / _WARM_UP) * 0.5 * (1 + math.cos(math.pi * share))

    def update(self, batch: AnyBatch, rate: float) -> dict[str, float]:
        """Take one step: first of the critic, if there is one, then of the network. Returns the loss and its terms."""
        with self._autocast():
            received, conditions = network_input(batch, self.luminance, self.device)
        clean, reference = self._tensor(batch.clean), self._tensor(batch.reference)
        self.network.train()
        with self._autocast():
            restored = self.network(received, conditions)
        restored = restored.float()
        clean = clean[:, -restored.shape[1] :] / 255
        loss = self.loss(restored, clean, reference)
        terms: dict[str, Tensor] = {}
        if self.features is not None:
            terms["features"] = self._feature_loss(self.features, received, restored, clean)
            loss = loss + self.recipe.perceptual * terms["features"]
        if len(self.learners) > 1:
            terms["critic"], terms["fooling"] = self._adversarial_step(received, restored, clean, rate)
            loss = loss + self.recipe.adversarial * terms["fooling"]
        if self.recipe.sparsity:
            loss = loss + self.recipe.sparsity * norm_scale_sum(self.network)
        self.learners[0].descend(loss, rate, self.recipe.clip)
        return {name: float(value.detach()) for name, value in {"loss": loss, **terms}.items()}

    def _feature_loss(self, features: nn.Module, received: Tensor, restored: Tensor, clean: Tensor) -> Tensor:
        """The feature loss. If the network restores only chrominance, it is combined with the received luminance."""
        luminance = received[:, : received.shape[1] - restored.shape[1]]
        with self._autocast():
            loss: Tensor = features(torch.cat([luminance, restored], 1), torch.cat([luminance, clean], 1))
        return loss

    def _adversarial_step(
        self, received: Tensor, restored: Tensor, clean: Tensor, rate: float
    ) -> tuple[Tensor, Tensor]:
        """Take a step of the critic. Returns its loss before, and the adversarial loss of the network after it."""
        learner = self.learners[1]
        critic = learner.module.train().requires_grad_(True)
        with self._autocast():
            scores = critic(received, clean), critic(received, restored.detach())
        loss = critic_loss(*(score.float() for score in scores))
        learner.descend(loss, _CRITIC_RATE_RATIO * rate)
        critic.requires_grad_(False)  # the step of the network must not change the critic
        with self._autocast():
            restored_scores = critic(received, restored)
        return loss, fooling_loss(restored_scores.float())

    def validate(self) -> dict[str, float]:
        """Measure the validation images, and lower the rate of the schedule "plateau" if the PSNR stagnates."""
        measured = self.validation.measure(self.network)
        mean = float(np.mean([value for name, value in measured.items() if name.startswith("psnr")]))
        state = self.plateau
        state["since"] = 0.0 if mean > state["best"] else state["since"] + 1
        state["best"] = max(mean, state["best"])
        if state["since"] >= _PATIENCE:
            state["rate"], state["since"] = _FALL * state["rate"], 0.0
        return measured

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bfloat16")

    def _tensor(self, array: npt.NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(array.astype(np.float32)).to(self.device)

    def save(self, folder: Path) -> None:
        """Write the checkpoint."""
        numbers = {"step": self.step, "steps": self.steps, "plateau": self.plateau, "seconds": self.seconds}
        save_checkpoint(folder / "checkpoint.safetensors", self.recipe, self.learners, **numbers)

    def resume(self, folder: Path) -> None:
        """Load the state from the checkpoint."""
        numbers = load_checkpoint(folder / "checkpoint.safetensors", self.recipe, self.learners)
        self.step, self.steps, self.plateau = numbers["step"], numbers["steps"], numbers["plateau"]
        self.seconds = numbers["seconds"]


def _prefetched(patches: AnyPatches, start: int, stop: int) -> Iterator[AnyBatch]:
    """Batches in order; the next batch is prepared in a thread while one is used."""
    with ThreadPoolExecutor(1) as pool:
        next_batch: Future[AnyBatch] = pool.submit(patches.batch, start)
        for number in range(start, stop):
            batch = next_batch.result()
            if number + 1 < stop:
                next_batch = pool.submit(patches.batch, number + 1)
            yield batch
