"""What DC costs with different steps: error, and bits of the differences with an optimal Huffman code."""

from __future__ import annotations

import numpy as np

from optcodec.kernels.export import export, helper
from optcodec.kernels.scalars import bit_length

__all__ = ["dc_costs"]

_SIZES = 13  # of differences: 0..12 bits


@helper
def _huffman_bits(counts, trees):
    """Bits of symbols in an optimal prefix code that leaves one code free (T.81, K.2): the sum of all inner nodes."""
    size = 1
    trees[0] = 1  # what stands for the free code
    for count in counts:
        if count:
            trees[size] = count
            size += 1
    bits = 0
    while size > 1:
        for place in (0, 1):  # the two smallest to the front
            least = place
            for other in range(place + 1, size):
                if trees[other] < trees[least]:
                    least = other
            trees[place], trees[least] = trees[least], trees[place]
        trees[0] += trees[1]
        bits += trees[0]
        size -= 1
        trees[1] = trees[size]
    return bits


@export("f32[:], i64[:], f64[:], f32[:], out i64[:], out f64[:]")
def dc_costs(values, bounds, weights, steps, work, costs):
    """Weighted squared error plus bits of DC, for several steps.

    Parameters
    ----------
    values : DC of the blocks of all components that share a table
    bounds : (components + 1,) where each component begins in `values`
    weights : (components,) weight of a squared error over the error that a bit is worth
    steps, costs : (candidates,)
    work : (2 * 13 + 1,) work space
    """
    counts, trees = work[:_SIZES], work[_SIZES:]
    for candidate in range(steps.shape[0]):
        step, error, extra = steps[candidate], 0.0, 0
        counts[:] = 0
        for part in range(weights.shape[0]):
            before, squares = np.int64(0), 0.0
            for place in range(bounds[part], bounds[part + 1]):
                rounded = np.rint(values[place] / step)
                index = np.int64(rounded)
                difference = values[place] - rounded * step
                squares += np.float64(difference * difference)
                size = min(bit_length(abs(index - before)), _SIZES - 1)
                counts[size] += 1
                extra += size
                before = index
            error += squares * weights[part]
        costs[candidate] = error + np.float64(extra + _huffman_bits(counts, trees))
