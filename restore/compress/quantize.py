"""INT8: which range the 8 bits of each value cover, from what the values are on some patches."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from optcodec import InvalidInputError
from restore.channel.degradation import Patches, load_photographs
from restore.compress.equalize import equalize
from restore.networks import DnCNN
from restore.networks.fold import fold
from restore.networks.operations import MAPS, configuration, face, value_names, walk
from restore.networks.quantized import MAP_LEVELS, Quantized, TorchOperations
from restore.training.recipe import Recipe

__all__ = ["best_change_range", "best_range", "calibration_patches", "quantize"]

_KEPT = 512  # values that are kept of each patch and layer
_SHRINKS = np.linspace(0.3, 1.0, 71)  # shares of the whole range that are tried
_CHANGE_STEPS = (2.0, *(1 / part for part in range(1, 16, 2)))  # samples; the first reaches from black to white
Values = npt.NDArray[np.float32]


@torch.no_grad()
def quantize(network: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> Quantized:
    """A network with 8-bit weights and values, each value in the range of least squared error on some patches.

    Parameters
    ----------
    network : Module
        A compact one or a dncnn with 32-bit floats; batch norms are folded away, and channels equalized.
    batches : iterable of (Tensor, Tensor)
        Images (N, planes, H, W) 0..1 and tables (N, tables, 8, 8) to calibrate on; the paper has 1 024 patches.

    Returns
    -------
    Quantized
        In evaluation mode, to be used as it is or fine-tuned.

    Raises
    ------
    InvalidInputError
        If it is another network.
    """
    patches = list(batches)
    plain = equalize(fold(network) if isinstance(network, DnCNN) else network, patches)
    seen: dict[str, list[Tensor]] = {name: [] for name in value_names(plain)}
    for image, table in patches:
        walk(plain, _Watched(image, table, seen))
    quantized = Quantized(configuration(plain))
    quantized.inner.load_state_dict(plain.state_dict())
    for index, name in enumerate(quantized.names):
        values = torch.cat(seen[name]).numpy()
        if name == MAPS:
            found = float(np.abs(values).max()) / MAP_LEVELS or 1.0, 0
        else:
            found = best_change_range(values) if name == quantized.names[-1] else best_range(values)
        quantized.scales[index], quantized.zeros[index] = found
    return quantized.eval()


class _Watched(TorchOperations):
    """Operations that keep some of the values, always with the largest and the smallest."""

    def __init__(self, image: Tensor, table: Tensor, seen: dict[str, list[Tensor]]) -> None:
        super().__init__(image, table)
        self.seen = seen

    def settled(self, name: str, value: Tensor) -> Tensor:
        flat = value.flatten()
        stride = max(1, len(flat) // (_KEPT * len(value))) | 1  # odd, so that it does not keep to some columns
        self.seen[name].append(torch.cat([flat[::stride], flat.amin()[None], flat.amax()[None]]))
        return value


def best_range(values: Values) -> tuple[float, int]:
    """Step and zero level of 8 bits that keep values best.

    The whole range is shrunk by several factors; the one with the least squared error of rounding and clipping wins.

    Parameters
    ----------
    values : ndarray of float32
        What is to be kept; zero is always kept exactly.

    Returns
    -------
    float, int
        What a level is worth, and which level of 0..255 is zero.
    """
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    if low == high:
        return 1.0, 0
    steps = _SHRINKS * (high - low) / 255
    return _best(values, [(float(step), round(-low / (high - low) * 255)) for step in steps])


def best_change_range(values: Values) -> tuple[float, int]:
    """The same for what is added to the image at the end, with steps that suit an output of whole samples.

    A step is an odd part of a sample: then the borders between whole samples lie midway between two levels, and
    rounding twice, to levels and to samples, is rounding once.
    """
    return _best(values, [(step / 255, 128) for step in _CHANGE_STEPS])


def _best(values: Values, candidates: list[tuple[float, int]]) -> tuple[float, int]:
    def error(candidate: tuple[float, int]) -> float:
        step, zero = candidate
        levels = np.clip(np.rint(values / np.float32(step)) + zero, 0, 255)
        return float(np.mean(np.square(values - (levels - zero) * np.float32(step))))

    return min(candidates, key=error)


def calibration_patches(
    recipe: Recipe, data: Path, *, count: int = 1024, at_once: int = 32
) -> Iterator[tuple[Tensor, Tensor]]:
    """Patches that a network is calibrated on: drawn as for its training, but not the same ones.

    Parameters
    ----------
    recipe : Recipe
        Of the training.
    data : path
        The folder that holds the recipe's folders of photographs.
    count : int
        At least so many patches, in whole batches.
    at_once : int
        Patches of a batch.

    Yields
    ------
    Tensor and Tensor
        Images and tables, as `quantize` takes them.

    Raises
    ------
    InvalidInputError
        Photographs are missing, or the recipe is for another problem than JPEG.
    """
    if recipe.problem:
        raise InvalidInputError(f"only networks that undo JPEG alone are quantized; got one for {recipe.problem}")
    gray = face(recipe.network).planes == 1
    photographs = [
        photograph
        for name, shrink in recipe.photographs.items()
        for photograph in load_photographs(data / name, mode="L" if gray else "YCbCr", shrink=shrink)
    ]
    patches = Patches(
        photographs, recipe.degradation, side=recipe.side, count=min(count, at_once), seed=recipe.seed + 1
    )
    for number in range(math.ceil(count / at_once)):
        batch = patches.batch(number)
        image, tables = (torch.from_numpy(part.astype(np.float32)) for part in (batch.received, batch.tables))
        yield image / 255, tables
