"""Fake quantization: a network whose weights and activations are rounded like those of its INT8 file.

Quantization follows Jacob et al., CVPR 2018. Gradients ignore the rounding (the straight-through estimator of Bengio et
al., 2013), so that the network can be fine-tuned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from restore.networks.conditioned import Conditioned
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
# 16 bits with saturation (PMADDUBSW); 2 * 255 * 64 still fits. With more levels, their results would differ.
WEIGHT_LEVELS = 64
_BIAS_LEVELS = 2**30  # limit for a bias in steps, well within 32 bits
SAMPLE_STEP = 1 / 255  # step of the input, which represents decoded samples without loss
MAP_LEVELS = 255  # maps are -255..255 steps, as the file has their positive and negative parts as separate channels


@dataclass(frozen=True)
class Activation:
    """A value of a network, its name, and for each channel how many times smaller the file stores it (its gain)."""

    tensor: Tensor
    name: str = ""
    gains: Tensor | None = None


class TorchOperations:
    """The operations in torch, with hooks that subclasses override to observe or quantize values and weights."""

    def __init__(self, image: Tensor, condition: Tensor | None) -> None:
        self.image, self.condition = image, condition

    def process_value(self, name: str, value: Tensor) -> Tensor:
        """Hook for each computed value; returns it unchanged."""
        return value

    def weights(self, layer: nn.Conv2d, value: Activation) -> Tensor:
        """The weights to use for a layer and its input value."""
        return layer.weight

    def bias(self, layer: nn.Conv2d, value: Activation) -> Tensor | None:
        """The bias to use for a layer and its input value."""
        return layer.bias

    def gains(self, network: Conditioned) -> Tensor | None:
        """The gain of each channel of the conditioned input: the range of the maps relative to that of samples."""
        return None

    def image_input(self) -> Activation:
        return Activation(self.image)

    def conditioned_input(self, network: Conditioned) -> Activation:
        assert self.condition is not None
        low = functional.pixel_unshuffle(self.image, 2)
        maps = self.process_value(MAPS, network.period_of_maps(self.condition))
        return Activation(torch.cat([low, network.tiled(maps, low)], 1), gains=self.gains(network))

    def convolution(self, name: str, layer: nn.Conv2d, value: Activation, *, rectified: bool) -> Activation:
        weights, bias = self.weights(layer, value), self.bias(layer, value)
        out = functional.conv2d(value.tensor, weights, bias, padding=layer.padding, groups=layer.groups)
        return Activation(self.process_value(name, functional.relu(out) if rectified else out), name)

    def sum(self, name: str, features: Activation, change: Activation) -> Activation:
        return Activation(self.process_value(name, features.tensor + change.tensor), name)

    def restored(self, change: Activation) -> Activation:
        return Activation(self.image + change.tensor)

    def scaled_restored(self, network: Conditioned, change: Activation) -> Activation:
        assert self.condition is not None
        samples = functional.pixel_shuffle(change.tensor, 2) * network.scale(self.condition)
        return Activation(self.image[:, -network.restored :] + samples)


def weight_scales(weights: Tensor, bias: Tensor | None, step: float) -> Tensor:
    """Quantization step of the weights of each filter, so that the largest weight has the level `WEIGHT_LEVELS`.

    The bias of a filter is a multiple of its weight step times the `step` of its input values. Filters with very small
    weights get a larger step, so that this multiple stays well within 32 bits. A filter of zeros may have any step.
    """
    largest = weights.detach().abs().flatten(1).amax(1)
    scales = torch.where(largest > 0, largest, torch.ones_like(largest)) / WEIGHT_LEVELS
    return scales if bias is None else torch.maximum(scales, bias.detach().abs() / (step * _BIAS_LEVELS))


class FakeQuantized(TorchOperations):
    """Operations whose weights, biases and values are quantized and dequantized."""

    def __init__(self, network: Quantized, image: Tensor, condition: Tensor | None) -> None:
        super().__init__(image, condition)
        self.ranges = {name: (network.scales[i], network.zeros[i]) for i, name in enumerate(network.names)}

    def process_value(self, name: str, value: Tensor) -> Tensor:
        low, high = (-MAP_LEVELS, MAP_LEVELS) if name == MAPS else (0, 255)
        return torch.fake_quantize_per_tensor_affine(value, *self.ranges[name], low, high)

    def weights(self, layer: nn.Conv2d, value: Activation) -> Tensor:
        weights, scales = self._scaled(layer, value)
        zero_points = torch.zeros_like(scales, dtype=torch.int32)
        weights = torch.fake_quantize_per_channel_affine(weights, scales, zero_points, 0, -WEIGHT_LEVELS, WEIGHT_LEVELS)
        return weights if value.gains is None else weights / value.gains

    def bias(self, layer: nn.Conv2d, value: Activation) -> Tensor | None:
        if layer.bias is None:
            return None
        steps = self._scaled(layer, value)[1] * self._step(value)
        return layer.bias + (torch.round(layer.bias / steps) * steps - layer.bias).detach()

    def _scaled(self, layer: nn.Conv2d, value: Activation) -> tuple[Tensor, Tensor]:
        """The weights as the file has them, before rounding, and their quantization steps."""
        weights = layer.weight if value.gains is None else layer.weight * value.gains
        return weights, weight_scales(weights, layer.bias, self._step(value))

    def _step(self, value: Activation) -> float:
        """The quantization step of a value; that of the input is one sample."""
        return self.ranges[value.name][0].item() if value.name else SAMPLE_STEP

    def gains(self, network: Conditioned) -> Tensor:
        largest = self.ranges[MAPS][0] * MAP_LEVELS
        samples = network.head.in_channels - network.maps
        return torch.cat([largest.new_ones(samples), largest.expand(network.maps)]).view(1, -1, 1, 1)


class Quantized(nn.Module):
    """A network with 8-bit weights and activations, for fine-tuning and for the export to an INT8 file.

    The input is not quantized: decoded samples are multiples of 1/255, which is the step of the input in the file. The
    steps of the weights are computed from the weights; those of the activations are calibrated, and constant.

    Parameters
    ----------
    of : dict
        Configuration of the float network, as for `restore.networks.build`; without batch norms.
    """

    scales: Tensor  # quantization step of each value, in the order of `names`
    zeros: Tensor  # level (0..255) that represents zero, for each value

    def __init__(self, of: dict[str, Any]) -> None:
        super().__init__()
        from restore.networks import build  # here, as that module imports this class

        self.config: dict[str, Any] = {"network": "quantized", "of": of}
        self.inner = build(of)
        self.names = value_names(self.inner)
        self.register_buffer("scales", torch.ones(len(self.names)))
        self.register_buffer("zeros", torch.zeros(len(self.names), dtype=torch.int32))

    def forward(self, image: Tensor, condition: Tensor | None = None) -> Tensor:
        return walk(self.inner, FakeQuantized(self, image, condition)).tensor

    @property
    def ranges(self) -> dict[str, tuple[float, int]]:
        """Step and zero level of each value."""
        pairs = zip(self.scales.tolist(), self.zeros.tolist(), strict=True)
        return dict(zip(self.names, pairs, strict=True))
