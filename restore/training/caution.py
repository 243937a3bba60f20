"""The caution of a network: a factor of its change by file, learned at the end, so that no file gets worse.

A training lowers the mean error, and pays for it with files that it makes worse: drawings above all, whose encoder did
better than the network expects. Most of them can be told by what the network is told of the file. With the change d of
a patch whose error is e, a factor a leaves the mean square of e - a d, which three means over the patch give for every
a: of e^2, e d and d^2. The change of constant areas is 0, since they stay as decoded. So the caution (see
`restore.networks.Conditioned`) is learned from these means alone, within seconds, with a loss to which a patch that
gets worse counts many times more than one that gets better. Most patches are of drawings (with the shipped recipes, 85
of 100), other ones than those of the training, and of more kinds. Pictures that are out of focus and fine files are
more frequent than in the training, since what is seldom there is what gets worse.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from optcodec import InvalidInputError
from optcodec.shared import whole_file
from restore.channel.drawings import ALL_KINDS
from restore.networks import Conditioned, build
from restore.networks.operations import configuration
from restore.networks.quantized import Quantized
from restore.runtime.change import is_constant
from restore.training.material import DataFolders, luminance_network, network_input, training_patches
from restore.training.recipe import Recipe

__all__ = ["BATCHES", "Observations", "careful", "learn", "observe", "observed_recipe", "taught", "with_caution"]

# Weights were chosen on every tenth patch, which took no part. Of 1,500 of them, with the luminance network `tiny`, 25
# lost more than 0.02 dB without caution (the worst 1.7 dB), 11 with a weight of 30 (0.9 dB), and 6 with 100 (0.4 dB),
# for 0.02 dB of the mean gain of 2.22 dB. With its network for chrominance 66 lost without caution (the worst 5.6 dB),
# 12 with a weight of 300 (0.31 dB), for 0.13 dB of 0.96 dB, and 8 with 1,000, for 0.22 dB.
BATCHES = 2500  # of patches that are observed
_HELD_OUT = 10  # one of so many patches takes no part, and shows what the caution does
_WIDTH = 32  # of the hidden layer
_HARM = (100.0, 300.0)  # how much more a loss counts than a gain, for luminance and for chrominance
_NOISE = (0.0, 0.2)  # standard deviation of the noise on what the caution is told of each patch as it learns, likewise
_MARGIN = 0.02  # the least gain in dB that is no loss
_FLOOR = 0.02  # mean square, in 8-bit samples, that is added to all errors: smaller ones are of no interest
_EPOCHS, _BATCH, _RATE = 150, 64, 3e-3
_SIDE, _DRAWINGS = 176, 2000  # side of the patches, and number of drawings
_FIRST_DRAWING = 500_000  # none that a training or a benchmark has
_SMOOTH = 0.25  # share of pictures out of focus
_FINE, _TIMES = 80, 3  # the quality from which on files are fine, and how many times each of these qualities counts
_LEAST_CHANGE = 1e-4  # mean square below which a patch does not tell anything
_DECIBEL = 10 / math.log(10)


@dataclass(frozen=True, eq=False)
class Observations:
    """What a network does to patches of files, in units of 8-bit samples; all of shape (count,) but the first.

    Attributes
    ----------
    conditions : Tensor, shape (count, condition)
        What the network is told of each file.
    errors, products, changes : Tensor of float64
        Means over the patch of the squared error as decoded, of the error times the change of the network, and of the
        squared change.
    """

    conditions: Tensor
    errors: Tensor
    products: Tensor
    changes: Tensor

    def __getitem__(self, index: Tensor) -> Observations:
        return Observations(*(getattr(self, field.name)[index] for field in dataclasses.fields(self)))

    def save(self, path: Path) -> None:
        """Write them as .npz, into a folder that is made if it is not there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as target:
            np.savez(target, **{field.name: getattr(self, field.name).numpy() for field in dataclasses.fields(self)})

    @classmethod
    def load(cls, path: Path) -> Observations:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as held:
            return cls(*(torch.from_numpy(held[field.name]) for field in dataclasses.fields(cls)))

    def gains(self, factors: Tensor | float = 1.0) -> Tensor:
        """Gain of PSNR of each patch in dB, if the changes are multiplied by these factors."""
        after = self.errors - 2 * factors * self.products + factors * factors * self.changes
        gains: Tensor = -_DECIBEL * torch.log((after.clamp_min(0) + _FLOOR) / (self.errors + _FLOOR))
        return gains


def careful(
    network: nn.Module,
    recipe: Recipe,
    data: DataFolders,
    *,
    batches: int = BATCHES,
    progress: Callable[[int], None] = lambda batch: None,
) -> tuple[Conditioned, dict[str, float]]:
    """A copy of a trained network that has learned caution.

    Parameters
    ----------
    network, recipe
        A network and the recipe that it was trained by.
    data, batches, progress
        See `observe`.

    Returns
    -------
    network : Conditioned
        The network with caution.
    record : dict
        Number of patches that were observed; of those that took no part in learning their number, the mean gain in dB,
        how many lost more than 0.02 dB, and the least gain, before and after.

    Raises
    ------
    InvalidInputError
        If the network cannot be told how files are made or has caution already, the recipe has no mix, or photographs
        are missing.
    """
    _teachable(network)  # before minutes are spent
    return taught(network, observe(network, observed_recipe(recipe), data, batches=batches, progress=progress))


def taught(network: nn.Module, seen: Observations) -> tuple[Conditioned, dict[str, float]]:
    """A copy of a network that has learned caution from what was observed of it; see `careful`."""
    teachable = _teachable(network)
    numbers = torch.arange(len(seen.errors))
    held_out = numbers % _HELD_OUT == _HELD_OUT - 1
    cautious, rest = learn(teachable, seen[numbers[~held_out]]), seen[numbers[held_out]]
    record: dict[str, float] = {"patches": len(numbers), "held_out": len(rest.errors)}
    with torch.no_grad():
        factors = cautious.caution_factor(cautious.pooled(rest.conditions))[:, 0].double()
    for name, gains in (("before", rest.gains()), ("after", rest.gains(factors))):
        figures = {"gain_db": float(gains.mean()), "least_db": float(gains.min())}
        record |= {f"{key}_{name}": round(value, 4) for key, value in figures.items()}
        record[f"harmed_{name}"] = int((gains < -_MARGIN).sum())
    return cautious, record


def _teachable(network: nn.Module) -> Conditioned:
    """The network, if it can learn caution.

    Raises
    ------
    InvalidInputError
        If it cannot be told how files are made, or has caution already.
    """
    if not isinstance(network, Conditioned) or network.caution is not None:
        raise InvalidInputError(f"caution is for a network conditioned without it; got {configuration(network)}")
    return network


def observed_recipe(recipe: Recipe) -> Recipe:
    """The recipe whose patches are observed: other ones than those of the training; see the top of this module.

    Raises
    ------
    InvalidInputError
        If the recipe has no mix of whole files, whose statistics the caution takes.
    """
    if recipe.mix is None:
        raise InvalidInputError("caution is learned on a mix of whole files; the recipe has no mix")
    fine = [quality for quality in recipe.mix.qualities if quality >= _FINE]
    mix = dataclasses.replace(
        recipe.mix,
        qualities=[*recipe.mix.qualities, *(_TIMES - 1) * fine],
        smooth=min(_SMOOTH, 1 - recipe.mix.grainy - recipe.mix.sharpened),
        drawings=_DRAWINGS,
        first_drawing=_FIRST_DRAWING,
        kinds=ALL_KINDS,
    )
    return dataclasses.replace(recipe, side=_SIDE, mix=mix, seed=recipe.seed + 1)


def observe(
    network: nn.Module,
    recipe: Recipe,
    data: DataFolders,
    *,
    batches: int,
    progress: Callable[[int], None] = lambda batch: None,
) -> Observations:
    """See what a network does to patches of a recipe.

    Parameters
    ----------
    network : Module
        A network with 32-bit floats.
    recipe : Recipe
        See `observed_recipe`.
    data : DataFolders
        Photographs, and where coded files are kept.
    batches : int
        How many batches of patches.
    progress : callable, optional
        Called with the number of batches that are done.

    Raises
    ------
    InvalidInputError
        If photographs are missing.
    """
    patches, luminance, rows = training_patches(recipe, data), luminance_network(recipe), []
    for number in range(batches):
        batch = patches.batch(number)
        planes, conditions = network_input(batch, luminance)
        with torch.no_grad():
            restored = network.eval()(planes, conditions)
        own = slice(-restored.shape[1], None)  # the planes that it restores
        decoded = torch.from_numpy(batch.received)[:, own].double()
        error, change = torch.from_numpy(batch.clean)[:, own] - decoded, 255 * restored.double() - decoded
        change *= ~torch.from_numpy(np.stack([_constant(planes)[own] for planes in batch.received]))
        means = [(one * other).mean((1, 2, 3)) for one, other in ((error, error), (error, change), (change, change))]
        rows.append((conditions, *means))
        progress(number + 1)
    return Observations(*(torch.cat(parts) for parts in zip(*rows, strict=True)))


def _constant(planes: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Where the planes of a patch stay as they are in any case, of their shape (planes, side, side)."""
    return is_constant(np.pad(planes.astype(np.float32), ((0, 0), (8, 8), (8, 8)), mode="edge"))


def learn(network: Conditioned, observations: Observations, seed: int = 0) -> Conditioned:
    """A copy of a network, with caution that is learned from what it did.

    Parameters
    ----------
    network : Conditioned
        A network without caution.
    observations : Observations
        What it does; see `observe`.
    seed : int
        Of the initial weights and of the order of the patches.
    """
    torch.manual_seed(seed)
    cautious = build(configuration(network) | {"caution": _WIDTH})
    assert isinstance(cautious, Conditioned)
    cautious.load_state_dict(network.state_dict(), strict=False)
    assert cautious.caution is not None
    telling = observations[observations.changes > _LEAST_CHANGE]
    pooled = network.pooled(telling.conditions).detach()
    harm, noise = (each[network.restored - 1] for each in (_HARM, _NOISE))
    optimizer = torch.optim.Adam(cautious.caution.parameters(), _RATE)
    for epoch in range(_EPOCHS):
        for group in optimizer.param_groups:
            group["lr"] = _RATE * (1 - epoch / _EPOCHS)
        for part in torch.split(torch.randperm(len(pooled)), _BATCH):
            told = pooled[part] + noise * torch.randn_like(pooled[part]) if noise else pooled[part]
            gains = telling[part].gains(cautious.caution_factor(told)[:, 0].double())
            loss = (harm * torch.relu(_MARGIN - gains) - gains).mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return cautious.eval()


def with_caution(network: Quantized, cautious: Conditioned) -> Quantized:
    """A copy of a quantized network, with the caution of the network with 32-bit floats that it imitates."""
    copied = Quantized({**network.config["of"], "caution": cautious.config["caution"]})
    own = {name: held for name, held in network.state_dict().items() if not name.startswith("inner.caution")}
    copied.load_state_dict(own, strict=False)
    assert isinstance(copied.inner, Conditioned)
    copied.inner.caution = copy.deepcopy(cautious.caution)
    return copied.eval()
