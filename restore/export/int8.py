"""INT8 graphs: each value between layers is 8 bits, written as QuantizeLinear and DequantizeLinear (QDQ).

A runtime fuses what stands between the two into integer operations: ONNX Runtime makes QLinearConv and QLinearAdd.
Values are uint8, weights int8 with a step for each filter, biases int32 (Jacob et al., CVPR 2018, section 2).
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
from restore.networks import Compact
from restore.networks.operations import MAPS
from restore.networks.quantized import MAP_LEVELS, SAMPLE_STEP, WEIGHT_LEVELS, weight_scales

__all__ = ["Int8Graph"]

_SAMPLE = (SAMPLE_STEP, 0)


@dataclass(frozen=True)
class Levels(Signal):
    """A value of 8 bits: what a step is worth, and which level is zero."""

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

    def samples(self) -> Levels:
        return self._levels("image", _SAMPLE)

    def informed(self, network: Compact) -> Levels:
        largest = self.ranges[MAPS][0] * MAP_LEVELS
        maps = self.maps(network, largest)
        # unsigned levels of the samples' step: the maps are scaled to 1, their positive and negative part kept apart
        apart = self.graph.node("Relu", [self.graph.node("Concat", [maps, self.graph.node("Neg", [maps])], axis=1)])
        low = self.graph.node("SpaceToDepth", ["image"], blocksize=2)
        both = self.graph.node("Concat", [low, self.tiled(network, apart, low)], axis=1)
        parts = np.hstack([np.eye(network.maps), -np.eye(network.maps)]) * largest
        return self._levels(both, _SAMPLE, block_diag(depth_order(network), parts).astype(np.float32))

    def convolution(self, name: str, layer: nn.Conv2d, value: Signal, *, rectified: bool) -> Levels:
        assert isinstance(value, Levels)
        assert rectified <= (self.ranges[name][1] == 0)  # levels from zero up are the ReLU
        weights = value.weights(layer)
        scales = weight_scales(torch.from_numpy(weights), layer.bias, value.step).numpy()
        levels = np.rint(weights / scales[:, None, None, None]).clip(-WEIGHT_LEVELS, WEIGHT_LEVELS).astype(np.int8)
        bias_scales = scales * np.float32(value.step)
        bias = np.rint(biases(layer) / bias_scales).astype(np.int32)
        inputs = [self._floats(value), self._constant(levels, scales), self._constant(bias, bias_scales)]
        return self._levels(self.convolved(name, layer, inputs), self.ranges[name])

    def sum(self, name: str, one: Signal, other: Signal) -> Levels:
        added = super().sum(name, Signal(self._floats(one)), Signal(self._floats(other)))
        return self._levels(added.name, self.ranges[name])

    def restored(self, change: Signal, planes: int, *, shuffled: bool) -> Signal:
        return super().restored(Signal(self._floats(change)), planes, shuffled=shuffled)

    def _levels(self, name: str, levels: tuple[float, int], mix: npt.NDArray[np.float32] | None = None) -> Levels:
        """A value of floats, quantized."""
        step, zero = levels
        inputs = [name, *self._scalars(step, zero)]
        return Levels(self.graph.node("QuantizeLinear", inputs), mix, step, zero)

    def _floats(self, value: Signal) -> str:
        """A value of levels, as floats."""
        assert isinstance(value, Levels)
        return self.graph.node("DequantizeLinear", [value.name, *self._scalars(value.step, value.zero)])

    def _scalars(self, step: float, zero: int) -> list[str]:
        return [self.graph.constant(np.array(step, np.float32)), self.graph.constant(np.array(zero, np.uint8))]

    def _constant(self, levels: npt.NDArray[Any], scales: npt.NDArray[np.float32]) -> str:
        """Weights or biases of 8 or 32 bits, as floats."""
        zeros = self.graph.constant(np.zeros(len(scales), levels.dtype))
        inputs = [self.graph.constant(levels), self.graph.constant(scales), zeros]
        return self.graph.node("DequantizeLinear", inputs, axis=0)
