"""Move quantization indices against a gradient: what each would gain, and the coefficients that ask for it.

The loss of a picture with the indices k, near those that it has now, k0, is taken to be

    L + sum_i g_i (k_i - k0_i) + c/2 sum_i h_i (k_i - k0_i)^2 + c f/2 sum_i h_i (k_i - C_i / q_i)^2

with the derivative g by an index, a curvature h that the weights of errors stand for (times the scale of the block and
the squared step), their common factor c, and the share f of the error against the original coefficient C. All of it is
a squared error, too, but for a constant: against the target (k0 + f C / q - g / (c h)) / (1 + f).

An index is led to one of the two next to C / q. That of an AC coefficient may also stay what it is, which is less where
a trellis chose it; and where |C / q| is below `least`, it is led to 0 only.
"""

from __future__ import annotations

import numpy as np

from optcodec.kernels.export import export, inlined

__all__ = ["pulls", "targets"]

# How far beyond the last index that is allowed a target may lie, so that it is rounded to that index.
_MARGIN = np.float32(0.45)


@inlined
def _bounds(f, ratio, index, least):
    """Return the lowest and the highest index that coefficient `f` is led to, which is `ratio` steps."""
    low, high = np.floor(ratio), np.ceil(ratio)
    if f == 0:
        return low, high
    if abs(ratio) < least:
        low, high = np.float32(0), np.float32(0)
    return min(low, index), max(high, index)


@export("f32[:,:], i16[:,:], f32[:,:], f32[:], f64[:], f32[:], f32, out f32[:,:]")
def pulls(coefficients, indices, gradients, steps, weights, scales, least, result):
    """Compute how strongly the gradient pulls at each index: |g| / h, or 0 where the index may not follow.

    Parameters
    ----------
    coefficients, indices, gradients : (blocks, 64) C, k0, and the derivative of the loss by each coefficient
    steps, weights : (64,) step and weight of each coefficient
    scales : (blocks,) factor of the weights of each block
    least : magnitude of C / q from which an index other than 0 is allowed; at most 1
    result : (blocks, 64) receives the pulls
    """
    for block in range(coefficients.shape[0]):
        for f in range(64):
            index, gradient = np.float32(indices[block, f]), gradients[block, f]
            low, high = _bounds(f, coefficients[block, f] / steps[f], index, least)
            follows = index > low if gradient > 0 else index < high
            strength = np.float64(abs(gradient)) / (weights[f] * scales[block] * steps[f]) if follows else 0.0
            result[block, f] = np.float32(strength)


@export("f32[:,:], i16[:,:], f32[:,:], f32[:], f64[:], f32[:], f32, f64, f64, out f32[:,:]")
def targets(coefficients, indices, gradients, steps, weights, scales, least, curvature, fidelity, result):
    """Compute the coefficients whose squared error stands for the loss.

    Parameters
    ----------
    coefficients, indices, gradients, steps, weights, scales, least : see `pulls`
    curvature : c
    fidelity : f
    result : (blocks, 64) receives the coefficients
    """
    for block in range(coefficients.shape[0]):
        for f in range(64):
            index, ratio = np.float32(indices[block, f]), coefficients[block, f] / steps[f]
            low, high = _bounds(f, ratio, index, least)
            pull = np.float64(gradients[block, f]) / (weights[f] * scales[block] * steps[f] * curvature)
            target = (index + fidelity * ratio - pull) / (1.0 + fidelity)
            limited = min(max(target, np.float64(low) - _MARGIN), np.float64(high) + _MARGIN)
            result[block, f] = np.float32(limited * steps[f])
