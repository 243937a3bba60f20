"""How visible differences of colour are: squares of the coarse and the fine part of each, where little masks them."""

from __future__ import annotations

import math

import numpy as np

from optcodec.kernels.export import export

__all__ = ["distance_slopes", "distances", "visible", "visible_slopes"]

_TWO = np.float32(2)


@export("f32[:], f32[:], f32, f32, out f32[:]")
def visible(whole, coarse, of_coarse, of_fine, result):
    """Add the weighted squares of the coarse part of a difference, and of the rest.

    Parameters
    ----------
    whole, coarse : (samples,) the difference, and the same smoothed
    of_coarse, of_fine : weights
    result : (samples,) to which is added
    """
    for i in range(result.shape[0]):
        fine = whole[i] - coarse[i]
        result[i] += of_coarse * coarse[i] * coarse[i] + of_fine * fine * fine


@export("f32[:], f32, f32, out f32[:], out f32[:]")
def visible_slopes(slopes, of_coarse, of_fine, whole, coarse):
    """Replace both parts of `visible` by the derivative of a loss by them, from `slopes`, that by its result."""
    for i in range(slopes.shape[0]):
        by_fine = _TWO * of_fine * slopes[i] * (whole[i] - coarse[i])
        coarse[i] = _TWO * of_coarse * slopes[i] * coarse[i] - by_fine
        whole[i] = by_fine


@export("f32[:], f32[:], out f64[:]")
def distances(squares, masks, sums):
    """Sum up the third, the sixth and the twelfth power of the distance, the root of ``square * mask``.

    Parameters
    ----------
    squares, masks : (samples,)
    sums : (3,) receives the sums
    """
    third, sixth, twelfth = 0.0, 0.0, 0.0
    for i in range(squares.shape[0]):
        square = np.float64(squares[i] * masks[i])
        cube = square * math.sqrt(square)
        third += cube
        sixth += cube * cube
        twelfth += (cube * cube) * (cube * cube)
    sums[0], sums[1], sums[2] = third, sixth, twelfth


@export("f64[:], f32[:], out f32[:]")
def distance_slopes(factors, masks, squares):
    """Replace the squares of `distances` by the derivative of a loss by them.

    Parameters
    ----------
    factors : (3,) derivative of the loss by each sum
    masks, squares : (samples,)
    """
    third, sixth, twelfth = 1.5 * factors[0], 3.0 * factors[1], 6.0 * factors[2]
    for i in range(squares.shape[0]):
        square = np.float64(squares[i] * masks[i])
        root, fourth = math.sqrt(square), square * square
        total = third * root + sixth * fourth + twelfth * (fourth * fourth * square)
        squares[i] = np.float32(total * np.float64(masks[i]))
