"""A network that computes as its INT8 file will: each value and each weight goes through its 8 bits (Jacob et al., CVPR
2018), the gradient goes past the rounding (the straight-through estimator of Bengio et al., 2013).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from restore.networks.compact import Compact
from restore.networks.operations import MAPS, value_names, walk

__all__ = [
    "MAP_LEVELS",
    "SAMPLE_STEP",
    "WEIGHT_LEVELS",
    "Activation",
    "FakeQuantized",
    "Quantized",
    "TorchOperations",
    "weight_scales",
]

# Weights are -64..64 steps. x86 processors without VNNI multiply unsigned by signed bytes and add pairs of products in
# 16 bits that saturate (PMADDUBSW); 2 * 255 * 64 still fits. With more levels, results would be others there.
WEIGHT_LEVELS = 64
_BIAS_LEVELS = 2**30  # well within 32 bits
SAMPLE_STEP = 1 / 255  # of the input: decoded samples go through it without loss
MAP_LEVELS = 255  # maps are -255..255 steps: the file keeps their positive and their negative part apart


@dataclass(frozen=True)
class Activation:
    """A value on its way through a network, its name, and how much each of its channels was made smaller."""

    tensor: Tensor
    name: str = ""
    gains: Tensor | None = None


class TorchOperations:
    """The operations as they are in torch, with two places where subclasses step in."""

    def __init__(self, image: Tensor, table: Tensor | None) -> None:
        self.image, self.table = image, table

    def settled(self, name: str, value: Tensor) -> Tensor:
        """What becomes of a value."""
        return value

    def weights(self, layer: nn.Conv2d, value: Activation) -> Tensor:
        """What becomes of the weights of a layer that takes a value."""
        return layer.weight

    def bias(self, layer: nn.Conv2d, value: Activation) -> Tensor | None:
        """What becomes of the bias of a layer that takes a value."""
        return layer.bias

    def gains(self, network: Compact) -> Tensor | None:
        """How many times larger than a sample the maps may be, for each channel of the informed image."""
        return None

    def samples(self) -> Activation:
        return Activation(self.image)

    def informed(self, network: Compact) -> Activation:
        assert self.table is not None
        low = functional.pixel_unshuffle(self.image, 2)
        maps = network.condition(torch.log2(self.table.flatten(1)) / 8)
        maps = self.settled(MAPS, maps.view(-1, network.maps, network.period, network.period)).to(low.dtype)
        tiled = maps.repeat(1, 1, low.shape[2] // network.period, low.shape[3] // network.period)
        return Activation(torch.cat([low, tiled], 1), gains=self.gains(network))

    def convolution(self, name: str, layer: nn.Conv2d, value: Activation, *, rectified: bool) -> Activation:
        weights, bias = self.weights(layer, value), self.bias(layer, value)
        out = functional.conv2d(value.tensor, weights, bias, padding=layer.padding, groups=layer.groups)
        return Activation(self.settled(name, functional.relu(out) if rectified else out), name)

    def sum(self, name: str, one: Activation, other: Activation) -> Activation:
        return Activation(self.settled(name, one.tensor + other.tensor), name)

    def restored(self, change: Activation, planes: int, *, shuffled: bool) -> Activation:
        tensor = functional.pixel_shuffle(change.tensor, 2) if shuffled else change.tensor
        return Activation(self.image[:, -planes:] + tensor)


def weight_scales(weights: Tensor, bias: Tensor | None, step: float) -> Tensor:
    """Step of the weights of each filter: the largest is at `WEIGHT_LEVELS`; a filter of zeros has any step.

    The bias of a filter is a whole number of its weights' step times the `step` of the values that it takes. Weights
    that are next to nothing have a larger step than they need, so that this number stays well within 32 bits.
    """
    largest = weights.detach().abs().flatten(1).amax(1)
    scales = torch.where(largest > 0, largest, torch.ones_like(largest)) / WEIGHT_LEVELS
    return scales if bias is None else torch.maximum(scales, bias.detach().abs() / (step * _BIAS_LEVELS))


class FakeQuantized(TorchOperations):
    """Everything through its 8 bits and back."""

    def __init__(self, network: Quantized, image: Tensor, table: Tensor | None) -> None:
        super().__init__(image, table)
        self.ranges = {name: (network.scales[i], network.zeros[i]) for i, name in enumerate(network.names)}

    def settled(self, name: str, value: Tensor) -> Tensor:
        low, high = (-MAP_LEVELS, MAP_LEVELS) if name == MAPS else (0, 255)
        return torch.fake_quantize_per_tensor_affine(value, *self.ranges[name], low, high)

    def weights(self, layer: nn.Conv2d, value: Activation) -> Tensor:
        weights, scales = self._scaled(layer, value)
        none = torch.zeros_like(scales, dtype=torch.int32)
        weights = torch.fake_quantize_per_channel_affine(weights, scales, none, 0, -WEIGHT_LEVELS, WEIGHT_LEVELS)
        return weights if value.gains is None else weights / value.gains

    def bias(self, layer: nn.Conv2d, value: Activation) -> Tensor | None:
        if layer.bias is None:
            return None
        steps = self._scaled(layer, value)[1] * self._step(value)
        return layer.bias + (torch.round(layer.bias / steps) * steps - layer.bias).detach()

    def _scaled(self, layer: nn.Conv2d, value: Activation) -> tuple[Tensor, Tensor]:
        """Weights as the file has them before they are rounded, and their steps."""
        weights = layer.weight if value.gains is None else layer.weight * value.gains
        return weights, weight_scales(weights, layer.bias, self._step(value))

    def _step(self, value: Activation) -> float:
        """What a level of a value is worth; the input has whole samples."""
        return self.ranges[value.name][0].item() if value.name else SAMPLE_STEP

    def gains(self, network: Compact) -> Tensor:
        largest = self.ranges[MAPS][0] * MAP_LEVELS
        samples = network.head.in_channels - network.maps
        return torch.cat([largest.new_ones(samples), largest.expand(network.maps)]).view(1, -1, 1, 1)


class Quantized(nn.Module):
    """A network with 8-bit weights and values, for fine-tuning and as what an INT8 file is written from.

    The input stays as it is: samples of a decoded image are whole multiples of 1/255, which is the step of the file's
    input. Steps of weights follow the weights; those of values are calibrated and stay.

    Parameters
    ----------
    of : dict
        Configuration of the network, as for `restore.networks.build`; without batch norms.
    """

    scales: Tensor  # of each value, in the order of `names`
    zeros: Tensor  # the level that stands for zero

    def __init__(self, of: dict[str, Any]) -> None:
        super().__init__()
        from restore.networks import build  # here, for the registry of networks has this class in it

        self.config: dict[str, Any] = {"network": "quantized", "of": of}
        self.inner = build(of)
        self.names = value_names(self.inner)
        self.register_buffer("scales", torch.ones(len(self.names)))
        self.register_buffer("zeros", torch.zeros(len(self.names), dtype=torch.int32))

    def forward(self, image: Tensor, table: Tensor | None = None) -> Tensor:
        return walk(self.inner, FakeQuantized(self, image, table)).tensor

    @property
    def ranges(self) -> dict[str, tuple[float, int]]:
        """Step and zero level of each value."""
        pairs = zip(self.scales.tolist(), self.zeros.tolist(), strict=True)
        return dict(zip(self.names, pairs, strict=True))
