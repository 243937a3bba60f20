"""INT8 graphs: values between layers have 8 bits, expressed by pairs of QuantizeLinear and DequantizeLinear (QDQ).

A runtime fuses the operations between such pairs into integer operations; ONNX Runtime uses QLinearConv and QLinearAdd.
Values are uint8, weights int8 with one step for each filter, biases int32 (Jacob et al., CVPR 2018, section 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.linalg import block_diag
from torch import nn

from restore.export.graph import FloatGraph, Signal, biases, depth_order
from restore.networks import Conditioned
from restore.networks.operations import MAPS
from restore.networks.quantized import MAP_LEVELS, SAMPLE_STEP, WEIGHT_LEVELS, weight_scales

__all__ = ["Int8Graph"]

_SAMPLE_RANGE = (SAMPLE_STEP, 0)


@dataclass(frozen=True)
class QuantizedSignal(Signal):
    """A value with 8 bits: the step between two levels, and the level that represents zero."""

    step: float = 1.0
    zero: int = 0


class Int8Graph(FloatGraph):
    """The operations of a network with 8-bit values.

    Parameters
    ----------
    ranges : dict of str to (float, int)
        Step and zero level of each value, by the names of `restore.networks.operations`.
    """

    def __init__(self, ranges: dict[str, tuple[float, int]]) -> None:
        super().__init__()
        self.ranges = ranges

    def image_input(self) -> QuantizedSignal:
        return self._quantize("image", _SAMPLE_RANGE)

    def conditioned_input(self, network: Conditioned) -> QuantizedSignal:
        largest = self.ranges[MAPS][0] * MAP_LEVELS
        maps = self.maps(network, largest)
        # unsigned levels with the step of samples: maps are scaled to 1, and split into positive and negative parts
        signed_parts = self.graph.node(
            "Relu", [self.graph.node("Concat", [maps, self.graph.node("Neg", [maps])], axis=1)]
        )
        low = self.graph.node("SpaceToDepth", ["image"], blocksize=2)
        channels = self.graph.node("Concat", [low, self.tiled(network, signed_parts, low)], axis=1)
        mix = np.hstack([np.eye(network.maps), -np.eye(network.maps)]) * largest
        return self._quantize(channels, _SAMPLE_RANGE, block_diag(depth_order(network), mix).astype(np.float32))

    def convolution(self, name: str, layer: nn.Conv2d, value: Signal, *, rectified: bool) -> QuantizedSignal:
        assert isinstance(value, QuantizedSignal)
        assert rectified <= (self.ranges[name][1] == 0)  # with zero as the lowest level, quantization includes the ReLU
        weights = value.weights(layer)
        scales = weight_scales(torch.from_numpy(weights), layer.bias, value.step).numpy()
        levels = np.rint(weights / scales[:, None, None, None]).clip(-WEIGHT_LEVELS, WEIGHT_LEVELS).astype(np.int8)
        bias_scales = scales * np.float32(value.step)
        bias = np.rint(biases(layer) / bias_scales).astype(np.int32)
        inputs = [self._dequantize(value), self._constant(levels, scales), self._constant(bias, bias_scales)]
        return self._quantize(self.convolved(name, layer, inputs), self.ranges[name])

    def sum(self, name: str, features: Signal, change: Signal) -> QuantizedSignal:
        total = super().sum(name, Signal(self._dequantize(features)), Signal(self._dequantize(change)))
        return self._quantize(total.name, self.ranges[name])

    def restored(self, change: Signal) -> Signal:
        return super().restored(Signal(self._dequantize(change)))

    def scaled_restored(self, network: Conditioned, change: Signal) -> Signal:
        return super().scaled_restored(network, Signal(self._dequantize(change)))

    def _quantize(
        self, name: str, step_and_zero: tuple[float, int], mix: npt.NDArray[np.float32] | None = None
    ) -> QuantizedSignal:
        """Quantize a value of floats."""
        step, zero = step_and_zero
        inputs = [name, *self._scalars(step, zero)]
        return QuantizedSignal(self.graph.node("QuantizeLinear", inputs), mix, step, zero)

    def _dequantize(self, value: Signal) -> str:
        """Dequantize a value, and return the name of the result."""
        assert isinstance(value, QuantizedSignal)
        return self.graph.node("DequantizeLinear", [value.name, *self._scalars(value.step, value.zero)])

    def _scalars(self, step: float, zero: int) -> list[str]:
        return [self.graph.constant(np.array(step, np.float32)), self.graph.constant(np.array(zero, np.uint8))]

    def _constant(self, levels: npt.NDArray[Any], scales: npt.NDArray[np.float32]) -> str:
        """Add weights (int8) or biases (int32) as constants, dequantize them, and return the name of the result."""
        zeros = self.graph.constant(np.zeros(len(scales), levels.dtype))
        inputs = [self.graph.constant(levels), self.graph.constant(scales), zeros]
        return self.graph.node("DequantizeLinear", inputs, axis=0)
