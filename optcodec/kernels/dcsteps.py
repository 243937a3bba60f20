"""Cost of DC at several quantization steps: weighted error, and bits of the differences in an optimal Huffman code."""

from __future__ import annotations

import numpy as np

from optcodec.kernels.export import export, helper
from optcodec.kernels.scalars import bit_length

__all__ = ["dc_costs"]

_SIZES = 13  # sizes of DC differences: 0..12 bits


@helper
def _huffman_bits(counts, trees):
    """Count the bits of symbols in an optimal prefix code that reserves one code (T.81, K.2).

    That is the sum of the counts of all inner nodes of the Huffman tree. `trees` is work space.
    """
    size = 1
    trees[0] = 1  # stands for the reserved code
    for count in counts:
        if count:
            trees[size] = count
            size += 1
    bits = 0
    while size > 1:
        for front in (0, 1):  # move the two smallest counts to the front
            smallest = front
            for tree in range(front + 1, size):
                if trees[tree] < trees[smallest]:
                    smallest = tree
            trees[front], trees[smallest] = trees[smallest], trees[front]
        trees[0] += trees[1]
        bits += trees[0]
        size -= 1
        trees[1] = trees[size]
    return bits


@export("f32[:], i64[:], f64[:], f32[:], out i64[:], out f64[:]")
def dc_costs(values, bounds, weights, steps, work, costs):
    """Compute the cost of DC, weighted squared error plus bits, for several quantization steps.

    Parameters
    ----------
    values : DC of the blocks of all components that share a table
    bounds : (components + 1,) index in `values` of the first block of each component, then the number of all blocks
    weights : (components,) weight of a squared error, divided by the error that is worth one bit
    steps, costs : (candidates,) the steps, and the cost of each in bits
    work : (2 * 13 + 1,) work space
    """
    counts, trees = work[:_SIZES], work[_SIZES:]
    for candidate in range(steps.shape[0]):
        step, error, extra = steps[candidate], 0.0, 0
        counts[:] = 0
        for component in range(weights.shape[0]):
            prediction, squares = np.int64(0), 0.0
            for block in range(bounds[component], bounds[component + 1]):
                rounded = np.rint(values[block] / step)
                index = np.int64(rounded)
                difference = values[block] - rounded * step
                squares += np.float64(difference * difference)
                size = min(bit_length(abs(index - prediction)), _SIZES - 1)
                counts[size] += 1
                extra += size
                prediction = index
            error += squares * weights[component]
        costs[candidate] = error + np.float64(extra + _huffman_bits(counts, trees))
