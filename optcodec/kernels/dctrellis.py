"""Rate-distortion optimized DC indices: a shortest path (Viterbi) through three candidates for each block.

DC is coded as the difference to the block before (T.81, F.1.2.1), so that the index of a block changes the bits of two
differences. The path has the least weighted error plus bits. The last block of each MCU row keeps its rounded index, so
that MCU rows do not depend on one another.
"""

from __future__ import annotations

import numpy as np

from optcodec.kernels.export import helper, inlined
from optcodec.kernels.scalars import bit_length

__all__ = ["choose_dc_row"]

_CHOICE_BITS = 6  # bits of a word that say from which candidate of the block before each of three candidates comes


@inlined
def _bits(lengths, difference):
    return lengths[np.uint64(bit_length(abs(difference)))]


@inlined
def _cheapest(low, middle, high):
    """Return the least of three costs, and its number 0..2; of equal costs, the middle one is taken."""
    if middle <= low and middle <= high:
        return middle, 1
    return (low, 0) if low <= high else (high, 2)


@inlined
def _advance(costs, difference, lengths):
    """Compute the cost of reaching each of the three candidates of a block, without their own errors.

    `difference` is that of the rounded indices of this block and the one before. Also returned is the candidate of the
    block before from which each candidate is reached, in 2 bits each.
    """
    minus_2, minus_1 = _bits(lengths, difference - 2), _bits(lengths, difference - 1)
    same = _bits(lengths, difference)
    plus_1, plus_2 = _bits(lengths, difference + 1), _bits(lengths, difference + 2)
    low, from_low = _cheapest(costs[0] + same, costs[1] + minus_1, costs[2] + minus_2)
    middle, from_middle = _cheapest(costs[0] + plus_1, costs[1] + same, costs[2] + minus_1)
    high, from_high = _cheapest(costs[0] + plus_2, costs[1] + plus_1, costs[2] + same)
    return (low, middle, high), from_low | from_middle << 2 | from_high << 4


@inlined
def _with_errors(costs, scale, off):
    """Add the errors of the three candidates, for a ratio of DC to step that lies `off` above the rounded index."""
    return (
        costs[0] + np.int64(np.rint(scale * (off + 1) * (off + 1))),
        costs[1] + np.int64(np.rint(scale * off * off)),
        costs[2] + np.int64(np.rint(scale * (off - 1) * (off - 1))),
    )


@helper
def choose_dc_row(ratios, columns, h, height, start, before, weight, scales, lengths, ways, indices):
    """Choose the DC indices of one MCU row of a component; `indices` has the rounded ones, and is changed in place.

    Parameters
    ----------
    ratios : (blocks of the MCU row,) DC divided by its step
    columns, h : blocks in a row of blocks, and horizontal sampling factor in the scan
    height, start : rows of blocks in the MCU row, and number of its first block
    before : DC index of the block before in the scan
    weight : UNIT times the weight of DC times step^2, divided by the error that is worth one bit
    scales, indices : (blocks,) and (blocks, 64) factor of the weight, and indices, of all blocks of the component
    lengths : (18,) UNIT times the bits of a difference by its size, additional bits included
    ways : (blocks of the MCU row,) work space
    """
    far = np.int64(1) << 60
    costs, number = (far, 0, far), 0
    for mcu in range(0, columns, h):
        for y in range(height):
            for x in range(mcu, min(mcu + h, columns)):
                block = y * columns + x
                rounded = np.int64(indices[np.uint64(start + block), 0])
                costs, way = _advance(costs, rounded - before, lengths)
                off = np.float64(ratios[np.uint64(block)]) - rounded
                costs = _with_errors(costs, weight * scales[np.uint64(start + block)], off)
                ways[np.uint64(number)] = block << _CHOICE_BITS | way
                before = rounded
                number += 1
    candidate = 1
    while number > 0:
        number -= 1
        word = ways[np.uint64(number)]
        indices[np.uint64(start + (word >> _CHOICE_BITS)), 0] += candidate - 1
        candidate = (word >> (2 * candidate)) & 3
