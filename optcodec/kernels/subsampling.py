"""Error and bits of quantized coefficients, estimated without coding them."""

from __future__ import annotations

import math

import numpy as np

from optcodec.kernels.export import export, inlined

__all__ = ["estimated_cost"]

_CATEGORIES = 16  # of T.81, Tables F.1 and F.2, are at most 12 for 8-bit samples


@inlined
def _entropy(counts):
    """Bits of as many symbols as are counted: n log2 n of all, minus that of each symbol."""
    total, information = 0.0, 0.0
    for category in range(_CATEGORIES):
        n = float(counts[category])
        total += n
        if n > 0:
            information += n * math.log2(n)
    return total * math.log2(total) - information if total > 0 else 0.0


@export("f32[:,:], f32[:], f32, f64[:], out i64[:,:], out f64[:], out f64[:]")
def estimated_cost(coefficients, steps, threshold, weights, counts, sums, cost):
    """Sum up the weighted squared error of indices, which are 0 if magnitude / step is below a threshold, and bits.

    The bits are the entropy of the size categories of each frequency by itself, and the bits that follow a category
    (T.81, F.1.2), and one bit a block for its end. DC is counted by its differences from block to block.

    Parameters
    ----------
    coefficients : (blocks, 64)
    steps, weights : (64,) step and weight of each coefficient
    threshold : in steps; 0.5 rounds to nearest
    counts : (64, 16) work space
    sums : (64,) work space
    cost : (2,) receives the error and the bits
    """
    for f in range(64):
        sums[f] = 0.0
        for category in range(_CATEGORIES):
            counts[f, category] = 0
    before = np.int64(0)
    for block in range(coefficients.shape[0]):
        for f in range(64):
            value = abs(coefficients[block, f])
            ratio = value / steps[f]
            index = np.rint(ratio) if ratio >= threshold else np.float32(0)
            difference = value - index * steps[f]
            sums[f] += np.float64(difference * difference)
            number = np.int64(index)
            if f == 0:
                signed = number if coefficients[block, 0] >= 0 else -number
                number = abs(signed - before)
                before = signed
            category = 0
            while number > 0:
                number >>= 1
                category += 1
            counts[f, category] += 1
    cost[0], cost[1] = 0.0, float(coefficients.shape[0])
    for f in range(64):
        cost[0] += sums[f] * weights[f]
        cost[1] += _entropy(counts[f])
        for category in range(_CATEGORIES):
            cost[1] += float(category * counts[f, category])
