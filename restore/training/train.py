"""Training: patches in, weights out; it can be stopped at any time and goes on as if it had not been."""

from __future__ import annotations

import contextlib
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from optcodec import InvalidInputError
from restore.channel.degradation import Batch, Patches, Samples, load_photographs
from restore.channel.problem import find_problem
from restore.networks import build
from restore.networks.critic import Critic
from restore.networks.operations import configuration, face
from restore.networks.weights import save_network
from restore.training.checkpoint import load_checkpoint, save_checkpoint
from restore.training.features import load_features, load_lpips
from restore.training.learner import Learner
from restore.training.log import Journal
from restore.training.losses import critic_loss, fooling_loss, norm_scale_sum, pixel_loss
from restore.training.recipe import Recipe
from restore.training.validation import Watch

__all__ = ["train"]

_WARM_UP = 0.02  # share of the steps in which the learning rate rises
_TRIAL = 10  # steps that are timed to see how many fit into a budget
_CRITIC_FASTER = 4  # learning rate of a critic over that of its network (Zhang et al., "SAGAN", ICML 2019, section 4)
_PATIENCE = 3  # looks without progress before the rate falls
Progress = Callable[[int, int, dict[str, float]], None]


def train(
    recipe: Recipe,
    data: Path,
    folder: Path,
    *,
    network: nn.Module | None = None,
    budget: float | None = None,
    weights: Path | None = None,
    tensorboard: bool = False,
    progress: Progress | None = None,
) -> nn.Module:
    """Train a network, or go on where the last run in this folder stopped.

    Parameters
    ----------
    recipe : Recipe
        How; must be that of the run that is resumed.
    data : path
        The folder that holds the recipe's folders of photographs.
    folder : path
        Gets ``checkpoint.safetensors`` and ``log.csv`` at every look at the validation images, and
        ``network.safetensors`` at the end.
    network : Module, optional
        What to start from, for fine-tuning and stage 2; by default a new network. A run that is resumed has its own.
    budget : float, optional
        Minutes; the steps are set so that they take about that long on this machine, and stay so when resumed.
    weights : path, optional
        Folder with the weights that stage 2 and LPIPS ask for; by default ``weights`` in `data`.
    tensorboard : bool
        Whether TensorBoard's log is written, too, into ``tensorboard`` in `folder`.
    progress : callable, optional
        Called with step, steps and the last measurements.

    Returns
    -------
    Module
        The trained network, in evaluation mode.

    Raises
    ------
    InvalidInputError
        Photographs or weights are missing, the folder has a checkpoint that is damaged or of another recipe, or the
        loss is no longer finite.
    """
    torch.manual_seed(recipe.seed)
    run = _Run(recipe, data, weights or data / "weights", build(recipe.network) if network is None else network)
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "checkpoint.safetensors").exists():
        run.resume(folder)
    elif budget is not None:
        run.fit_to(budget)
    with contextlib.closing(Journal(folder, run.step, tensorboard=tensorboard)) as journal:
        run.go(folder, journal, progress or (lambda step, steps, seen: None))
    save_network(folder / "network.safetensors", run.network, recipe=recipe.to_json(), steps=run.steps)
    return run.network.eval()


class _Run:
    """A training: what changes from step to step, and what does not."""

    def __init__(self, recipe: Recipe, data: Path, weights: Path, network: nn.Module) -> None:
        self.recipe, self.steps, self.step, self.seconds = recipe, recipe.steps, 0, 0.0
        self.plateau = {"rate": recipe.rate, "best": -math.inf, "since": 0.0}
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.loss = pixel_loss(recipe.loss)
        watched = recipe.validation
        distance = load_lpips(watched.lpips, weights, self.device) if watched.lpips else None
        self.features = load_features(recipe.features, weights).to(self.device) if recipe.perceptual else None
        sides = face(configuration(network))
        problem = find_problem(recipe.problem) if recipe.problem else None
        if problem and (sides.planes, sides.scale) != (3, problem.scale):
            found = f"{sides.planes} planes, and enlarges {sides.scale} times"
            raise InvalidInputError(f"{problem.name} needs a network for RGB with scale {problem.scale}; got {found}")
        mode = "RGB" if problem else ("L" if sides.planes == 1 else "YCbCr")
        self.network = network.to(self.device).to(memory_format=torch.channels_last)
        self.learners = [Learner(self.network, recipe.rate)]
        if recipe.adversarial:
            critic = Critic(sides.planes, sides.restored).to(self.device)
            self.learners.append(Learner(critic, recipe.rate, name="critic.", adam="critic_adam."))
        photographs: list[Samples] = []
        for name, shrink in recipe.photographs.items():
            photographs += load_photographs(data / name, mode=mode, shrink=shrink)
        cut = {name: getattr(recipe, name) for name in ("side", "count", "seed", "stride")}
        self.patches = Patches(photographs, recipe.degradation, **cut, problem=problem)
        images = load_photographs(data / watched.folder, mode=mode)[: watched.images]
        self.watch = Watch(images, watched.qualities, self.device, distance, problem)

    def fit_to(self, minutes: float) -> None:
        """Set the number of steps by timing some; the weights are as before."""
        before = [learner.weights() for learner in self.learners]
        times = []
        for number in range(_TRIAL):
            start = time.perf_counter()
            self.update(self.patches.batch(number), 0.0)
            times.append(time.perf_counter() - start)
        for learner, weights in zip(self.learners, before, strict=True):
            learner.forget(weights)
        self.steps = max(1, int(60 * minutes / float(np.median(times))))

    def go(self, folder: Path, journal: Journal, progress: Progress) -> None:
        """All steps that are left; a look at the validation images every so often."""
        seen: dict[str, float] = {}
        total, count, started = Counter[str](), 0, time.perf_counter()
        for batch in _ahead(self.patches, self.step, self.steps):
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
                seen = {"loss": means.pop("loss"), "rate": rate, **self.look(), **means}
                total, count = Counter(), 0
                journal.add(self.step, self.seconds, seen)  # first, for a row too many goes when the run is resumed
                self.save(folder)
            progress(self.step, self.steps, seen)

    def rate(self) -> float:
        """Learning rate of this step."""
        recipe, share = self.recipe, self.step / self.steps
        if recipe.schedule == "plateau":
            return self.plateau["rate"]
        if recipe.schedule == "halving":
            return recipe.rate * 0.5 ** int(share * (recipe.halvings + 1))
        return recipe.rate * min(1.0, (share + 1 / self.steps) / _WARM_UP) * 0.5 * (1 + math.cos(math.pi * share))

    def update(self, batch: Batch, rate: float) -> dict[str, float]:
        """One step of Adam, and of the critic's before it; gives the loss, and its parts if there are several."""
        received, clean, table = (self._tensor(part) for part in (batch.received, batch.clean, batch.tables))
        received = received / 255
        self.network.train()
        with self._autocast():
            restored = self.network(received, table)
        restored = restored.float()
        clean = clean[:, -restored.shape[1] :] / 255
        loss = self.loss(restored, clean, table)
        parts: dict[str, Tensor] = {}
        if self.features is not None:
            parts["features"] = self._unlike(self.features, received, restored, clean)
            loss = loss + self.recipe.perceptual * parts["features"]
        if len(self.learners) > 1:
            parts["critic"], parts["fooling"] = self._criticized(received, restored, clean, rate)
            loss = loss + self.recipe.adversarial * parts["fooling"]
        if self.recipe.sparsity:
            loss = loss + self.recipe.sparsity * norm_scale_sum(self.network)
        self.learners[0].descend(loss, rate, self.recipe.clip)
        return {name: float(part.detach()) for name, part in {"loss": loss, **parts}.items()}

    def _unlike(self, features: nn.Module, received: Tensor, restored: Tensor, clean: Tensor) -> Tensor:
        """The loss on features; a network that restores chrominance only is judged with the luminance it was given."""
        kept = received[:, : received.shape[1] - restored.shape[1]]
        with self._autocast():
            loss: Tensor = features(torch.cat([kept, restored], 1), torch.cat([kept, clean], 1))
        return loss

    def _criticized(self, received: Tensor, restored: Tensor, clean: Tensor, rate: float) -> tuple[Tensor, Tensor]:
        """A step of the critic; gives its loss before, and what it then holds against the restored patches."""
        learner = self.learners[1]
        critic = learner.module.train().requires_grad_(True)
        with self._autocast():
            scores = critic(received, clean), critic(received, restored.detach())
        loss = critic_loss(*(score.float() for score in scores))
        learner.descend(loss, _CRITIC_FASTER * rate)
        critic.requires_grad_(False)  # the network's own step leaves it alone
        with self._autocast():
            fooling = critic(received, restored)
        return loss, fooling_loss(fooling.float())

    def look(self) -> dict[str, float]:
        """What is measured on the validation images; lowers the rate on a plateau of the PSNR."""
        seen = self.watch.look(self.network)
        mean = float(np.mean([value for name, value in seen.items() if name.startswith("psnr")]))
        state = self.plateau
        state["since"] = 0.0 if mean > state["best"] else state["since"] + 1
        state["best"] = max(mean, state["best"])
        if state["since"] >= _PATIENCE:
            state["rate"], state["since"] = state["rate"] / 10, 0.0
        return seen

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bfloat16")

    def _tensor(self, array: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> Tensor:
        return torch.from_numpy(array.astype(np.float32)).to(self.device)

    def save(self, folder: Path) -> None:
        """The checkpoint."""
        numbers = {"step": self.step, "steps": self.steps, "plateau": self.plateau, "seconds": self.seconds}
        save_checkpoint(folder / "checkpoint.safetensors", self.recipe, self.learners, **numbers)

    def resume(self, folder: Path) -> None:
        """Go back to where a checkpoint was written."""
        numbers = load_checkpoint(folder / "checkpoint.safetensors", self.recipe, self.learners)
        self.step, self.steps, self.plateau = numbers["step"], numbers["steps"], numbers["plateau"]
        self.seconds = numbers["seconds"]


def _ahead(patches: Patches, first: int, last: int) -> Iterator[Batch]:
    """Batches in order, the next one made while one is used."""
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(patches.batch, first)
        for number in range(first, last):
            batch = waiting.result()
            if number + 1 < last:
                waiting = pool.submit(patches.batch, number + 1)
            yield batch
