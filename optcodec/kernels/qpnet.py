"""Inference of QP-NET for each 32x32 block: three convolutions, average pooling, a fully connected layer, softmax.

All activations of a block stay in the first-level cache. The loops of a convolution are unrolled: one vector has the
output channels of one position, and `_Layer.tile` such vectors are computed together.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from optcodec.kernels.export import export, helper
from optcodec.kernels.vector import F32, I32, U8, address_of, emit

__all__ = ["distributions"]

_SIDE = 32
_ROW = 3 * _SIDE  # samples in a row of a block
_SCALE = 1 / 16  # inputs are (sample - 128) / 16, since the texture that matters differs by a few grey levels


class _Layer(NamedTuple):
    """A convolution without padding; its input has `side` x `side` positions with `inputs` channels each."""

    side: int
    kernel: int
    stride: int
    inputs: int
    outputs: int
    tile: int  # output positions that are computed together; divides the side of the output

    @property
    def positions(self):
        """Number of output positions on a side."""
        return (self.side - self.kernel) // self.stride + 1

    @property
    def values(self):
        """Number of output values."""
        return self.positions**2 * self.outputs

    @property
    def weights(self):
        """Number of weights and biases; the biases are behind the weights."""
        return (self.kernel**2 * self.inputs + 1) * self.outputs


_FIRST = _Layer(_SIDE, 4, 4, 3, 16, 8)
_SECOND = _Layer(_FIRST.positions, 3, 1, 16, 16, 6)
_THIRD = _Layer(_SECOND.positions, 3, 2, 16, 32, 2)
# Offsets in bytes from the start of the weights, and from the start of the work space.
_SECOND_WEIGHTS = 4 * _FIRST.weights
_THIRD_WEIGHTS = _SECOND_WEIGHTS + 4 * _SECOND.weights
_FIRST_VALUES = 4 * _SIDE * _ROW
_SECOND_VALUES = _FIRST_VALUES + 4 * _FIRST.values
_THIRD_VALUES = _SECOND_VALUES + 4 * _SECOND.values
_FEATURES = _THIRD.outputs
_POSITIONS = _THIRD.positions**2


def _tile(layer):
    """Emit code that computes `layer.tile` neighbouring output positions: bias, all products, ReLU."""

    @emit(3)
    def convolve(b, values, weights, target):
        bias = b.load(weights + 4 * (layer.weights - layer.outputs), F32, layer.outputs)
        sums = [bias] * layer.tile
        for row in range(layer.kernel):
            for tap in range(layer.kernel * layer.inputs):
                weight = row * layer.kernel * layer.inputs + tap
                factors = b.load(weights + 4 * layer.outputs * weight, F32, layer.outputs)
                for x in range(layer.tile):
                    source = row * layer.side * layer.inputs + x * layer.stride * layer.inputs + tap
                    value = b.load(values + 4 * source, F32, 1)
                    sums[x] = factors.fma(value.shuffle(value, [0] * layer.outputs), sums[x])
        zero = b.constant(F32, [0.0] * layer.outputs)
        for x, total in enumerate(sums):
            total.at_least(zero).store(target + 4 * layer.outputs * x)

    return convolve


def _convolution(layer):
    """Make the kernel of a whole layer."""
    convolve = _tile(layer)
    positions, tile = layer.positions, layer.tile
    down, right = 4 * layer.stride * layer.side * layer.inputs, 4 * layer.stride * layer.inputs
    size = 4 * layer.outputs

    @helper
    def layer_of(values, weights, target):
        for y in range(positions):
            for x in range(0, positions, tile):
                convolve(values + y * down + x * right, weights, target + (y * positions + x) * size)

    return layer_of


_first, _second, _third = _convolution(_FIRST), _convolution(_SECOND), _convolution(_THIRD)


@emit(2)
def _load_row(b, source, target):
    """Load one row of a block as floats."""
    for x in range(0, _ROW, 16):
        samples = b.load(source + x, U8, 16).widen(I32) - 128
        (samples.to_float() * _SCALE).store(target + 4 * x)


@helper
def _load_block(pixels, top, left, work):
    """Load a block as RGB floats; the last samples are repeated beyond the border, a grey sample fills all channels."""
    height, width, channels = pixels.shape
    is_inside = channels == 3 and left + _SIDE <= width
    for row in range(_SIDE):
        y = min(top + row, height - 1)
        if is_inside:
            _load_row(address_of(pixels) + 3 * (y * width + left), address_of(work) + 4 * row * _ROW)
            continue
        for column in range(_SIDE):
            x = min(left + column, width - 1)
            for c in range(3):
                sample = np.float32(pixels[y, x, c if channels == 3 else 0])
                work[row * _ROW + 3 * column + c] = (sample - np.float32(128)) * np.float32(_SCALE)


@helper
def _pool(work):
    """Store the mean of each channel of the last convolution at the start of the work space."""
    for channel in range(_FEATURES):
        total = np.float32(0)
        for index in range(_THIRD_VALUES // 4 + channel, work.shape[0], _FEATURES):
            total += work[index]
        work[channel] = total * np.float32(1 / _POSITIONS)


@helper
def _classify(work, dense, shares):
    """Store the softmax of the fully connected layer in `shares`."""
    largest = -np.inf
    for group in range(dense.shape[0]):
        total = np.float64(dense[group, _FEATURES])
        for channel in range(_FEATURES):
            total += np.float64(work[channel]) * np.float64(dense[group, channel])
        shares[group] = total
        largest = max(largest, np.float64(shares[group]))
    total = 0.0
    for group in range(dense.shape[0]):
        share = math.exp(np.float64(shares[group]) - largest)
        shares[group] = share
        total += share
    for group in range(dense.shape[0]):
        shares[group] /= total


@export("u8[:,:,:], i64, i64, f32[:], f32[:,:], out f32[:], out f32[:,:,:]")
def distributions(pixels, first, last, weights, dense, work, shares):
    """Compute the distribution over the groups for each block in the rows first..last-1 of blocks.

    Parameters
    ----------
    pixels : (height, width, 3 or 1)
    weights : for each convolution its weights by row, column, input and output, then its biases
    dense : (groups, 33) weights of the fully connected layer; the bias is last
    work : work space, as many numbers as a block and the outputs of the three convolutions have
    shares : (rows, columns, groups) receives the distributions
    """
    source, parameters = address_of(work), address_of(weights)
    for row in range(first, last):
        for column in range(shares.shape[1]):
            _load_block(pixels, row * _SIDE, column * _SIDE, work)
            _first(source, parameters, source + _FIRST_VALUES)
            _second(source + _FIRST_VALUES, parameters + _SECOND_WEIGHTS, source + _SECOND_VALUES)
            _third(source + _SECOND_VALUES, parameters + _THIRD_WEIGHTS, source + _THIRD_VALUES)
            _pool(work)
            _classify(work, dense, shares[row, column])
