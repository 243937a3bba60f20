"""INT8 quantization: calibrates the range that the 8 bits of each activation cover, from its values on some patches."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from optcodec import InvalidInputError
from restore.compress.equalize import equalize
from restore.networks import Conditioned, DnCNN
from restore.networks.fold import fold
from restore.networks.operations import MAPS, configuration, value_names, walk
from restore.networks.quantized import MAP_LEVELS, Quantized, TorchOperations
from restore.training.material import DataFolders, luminance_network, network_input, training_patches
from restore.training.recipe import Recipe

__all__ = ["best_change_range", "best_range", "calibration_patches", "quantize"]

_RECORDED = 512  # values that are recorded for each patch and layer
_SHRINKS = np.linspace(0.3, 1.0, 71)  # fractions of the full range that are tried
_CHANGE_STEPS = (2.0, *(1 / odd for odd in range(1, 16, 2)))  # in samples (0..255); 2 covers a change of black to white
Values = npt.NDArray[np.float32]


@torch.no_grad()
def quantize(network: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> Quantized:
    """Quantize weights and activations to 8 bits, with the ranges that have the least squared error on some patches.

    Parameters
    ----------
    network : Module
        A `Conditioned` or a `DnCNN` with 32-bit floats. Batch norms are folded, and channels equalized.
    batches : iterable of (Tensor, Tensor)
        Images (N, planes, H, W), 0..1, and conditions (N, numbers) for the calibration; the paper uses
        1 024 patches.

    Returns
    -------
    Quantized
        In evaluation mode; it can be used or fine-tuned.

    Raises
    ------
    InvalidInputError
        If it is another kind of network.
    """
    patches = list(batches)
    float_network = equalize(fold(network) if isinstance(network, DnCNN) else network, patches)
    recorded: dict[str, list[Tensor]] = {name: [] for name in value_names(float_network)}
    for image, condition in patches:
        walk(float_network, _Recorder(image, condition, recorded))
    quantized = Quantized(configuration(float_network))
    quantized.inner.load_state_dict(float_network.state_dict())
    for index, name in enumerate(quantized.names):
        values = torch.cat(recorded[name]).numpy()
        if name == MAPS:
            step_and_zero = float(np.abs(values).max()) / MAP_LEVELS or 1.0, 0
        else:
            is_change = name == quantized.names[-1] and not isinstance(float_network, Conditioned)
            step_and_zero = best_change_range(values) if is_change else best_range(values)
        quantized.scales[index], quantized.zeros[index] = step_and_zero
    return quantized.eval()


class _Recorder(TorchOperations):
    """Operations that record some numbers of each value, always including the largest and the smallest."""

    def __init__(self, image: Tensor, condition: Tensor, recorded: dict[str, list[Tensor]]) -> None:
        super().__init__(image, condition)
        self.recorded = recorded

    def process_value(self, name: str, value: Tensor) -> Tensor:
        flat = value.flatten()
        stride = max(1, len(flat) // (_RECORDED * len(value))) | 1  # odd, so as not to stay in a few columns
        self.recorded[name].append(torch.cat([flat[::stride], flat.amin()[None], flat.amax()[None]]))
        return value


def best_range(values: Values) -> tuple[float, int]:
    """The quantization step and the zero level of 8 bits with the least squared error.

    The full range is shrunk by several factors, and the one with the least error by rounding and clipping is taken.

    Parameters
    ----------
    values : ndarray of float32
        The values to quantize; zero is always represented exactly.

    Returns
    -------
    float, int
        The step between two levels, and the level (0..255) that represents zero.
    """
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    if low == high:
        return 1.0, 0
    steps = _SHRINKS * (high - low) / 255
    return _least_error(values, [(float(step), round(-low / (high - low) * 255)) for step in steps])


def best_change_range(values: Values) -> tuple[float, int]:
    """Like `best_range`, for a change in samples that is added to the image, whose result is rounded to samples.

    Only steps of 2 or 1/odd samples are tried: the borders between whole samples then lie midway between two levels, so
    that rounding to levels and then to samples has the same result as rounding to samples once.
    """
    return _least_error(values, [(step / 255, 128) for step in _CHANGE_STEPS])


def _least_error(values: Values, candidates: list[tuple[float, int]]) -> tuple[float, int]:
    def error(candidate: tuple[float, int]) -> float:
        step, zero = candidate
        levels = np.clip(np.rint(values / np.float32(step)) + zero, 0, 255)
        return float(np.mean(np.square(values - (levels - zero) * np.float32(step))))

    return min(candidates, key=error)


def calibration_patches(
    recipe: Recipe, data: DataFolders, *, count: int = 1024, at_once: int = 32
) -> Iterator[tuple[Tensor, Tensor]]:
    """Patches for the calibration of a network: drawn like those of its training, as those that would follow them.

    Parameters
    ----------
    recipe : Recipe
        Recipe of the training.
    data : DataFolders
        Photographs, and where coded files are kept.
    count : int
        Number of patches, rounded up to whole batches.
    at_once : int
        Patches in a batch.

    Yields
    ------
    Tensor and Tensor
        Images and conditions, as for `quantize`.

    Raises
    ------
    InvalidInputError
        If photographs are missing, or the recipe is for a problem other than JPEG.
    """
    if recipe.problem:
        raise InvalidInputError(f"only networks that undo JPEG alone are quantized; got one for {recipe.problem}")
    patches = training_patches(recipe, data, count=min(count, at_once))
    luminance = luminance_network(recipe)
    for number in range(math.ceil(count / at_once)):
        yield network_input(patches.batch(recipe.steps + number), luminance)
