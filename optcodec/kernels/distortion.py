"""Compute the weighted squared error of quantized blocks."""

from __future__ import annotations

import numpy as np

from optcodec.kernels.export import export

__all__ = ["weighted_error"]


@export("f32[:,:], i16[:,:], f32[:], f64[:], f32[:], out f64[:] -> f64")
def weighted_error(coefficients, indices, steps, weights, scales, sums):
    """Sum up (coefficient - index * step)^2 times the weight of the coefficient times the scale of the block.

    Parameters
    ----------
    coefficients, indices : (blocks, 64)
    steps, weights : (64,) step and weight of each coefficient
    scales : (blocks,) factor of the error of each block
    sums : (64,) work space
    """
    for f in range(64):
        sums[f] = 0.0
    for block in range(coefficients.shape[0]):
        scale = scales[block]
        for f in range(64):
            difference = coefficients[block, f] - np.float32(indices[block, f]) * steps[f]
            sums[f] += np.float64(difference * difference * scale)
    total = 0.0
    for f in range(64):
        total += sums[f] * weights[f]
    return total


@export("f32[:,:], f32[:], f32, f64[:], f32[:], out f64[:] -> f64")
def dead_zone_error(coefficients, steps, threshold, weights, scales, sums):
    """Compute `weighted_error` for rounded indices, which are 0 if magnitude / step is below a threshold."""
    for f in range(64):
        sums[f] = 0.0
    for block in range(coefficients.shape[0]):
        scale = scales[block]
        for f in range(64):
            value = abs(coefficients[block, f])
            ratio = value / steps[f]
            index = np.rint(ratio) if ratio >= threshold else np.float32(0)
            difference = value - index * steps[f]
            sums[f] += np.float64(difference * difference * scale)
    total = 0.0
    for f in range(64):
        total += sums[f] * weights[f]
    return total
