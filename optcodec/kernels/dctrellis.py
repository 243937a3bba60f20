"""Rate-distortion optimized DC indices: the way through three candidates of each block with the least error plus bits.

DC is coded as the difference to the block before (T.81, F.1.2.1), so a choice shows in two differences: a shortest path
(Viterbi). The last block of each MCU row keeps its rounded index, so that MCU rows do not depend on one another.
"""

from __future__ import annotations

import numpy as np

from optcodec.kernels.export import helper, inlined
from optcodec.kernels.scalars import bit_length

__all__ = ["choose_dc_row"]

_CHOICES = 6  # bits of a word that say from which candidate each of three comes


@inlined
def _bits(lengths, difference):
    return lengths[np.uint64(bit_length(abs(difference)))]


@inlined
def _cheapest(low, middle, high):
    """Least of three costs, the middle one where it is as good, and which it is."""
    if middle <= low and middle <= high:
        return middle, 1
    return (low, 0) if low <= high else (high, 2)


@inlined
def _advance(costs, difference, lengths):
    """Costs to come to the three candidates of a block, before their errors, and where from: 2 bits each.

    `difference` is that of the rounded indices of the two blocks.
    """
    less, little = _bits(lengths, difference - 2), _bits(lengths, difference - 1)
    same = _bits(lengths, difference)
    more, most = _bits(lengths, difference + 1), _bits(lengths, difference + 2)
    low, from_low = _cheapest(costs[0] + same, costs[1] + little, costs[2] + less)
    middle, from_middle = _cheapest(costs[0] + more, costs[1] + same, costs[2] + little)
    high, from_high = _cheapest(costs[0] + most, costs[1] + more, costs[2] + same)
    return (low, middle, high), from_low | from_middle << 2 | from_high << 4


@inlined
def _with_errors(costs, scale, off):
    """Costs with the errors of the candidates around a ratio that lies `off` above the rounded index."""
    return (
        costs[0] + np.int64(np.rint(scale * (off + 1) * (off + 1))),
        costs[1] + np.int64(np.rint(scale * off * off)),
        costs[2] + np.int64(np.rint(scale * (off - 1) * (off - 1))),
    )


@helper
def choose_dc_row(ratios, columns, h, height, start, before, weight, scales, lengths, ways, indices):
    """Choose the DC indices of one MCU row of a component; `indices` holds the rounded ones.

    Parameters
    ----------
    ratios : (blocks of the row,) DC over step
    columns, h : blocks of a row, and horizontal sampling factor in the scan
    height, start : rows of blocks, and number of the first block
    before : index of the block before in the scan
    weight : UNIT times the weight of a coefficient times step^2 over the error that a bit is worth
    scales, indices : of all blocks, shapes (blocks,) and (blocks, 64)
    lengths : (18,) UNIT times the bits of a difference by its size, additional bits included
    ways : (blocks of the row,) work space
    """
    far = np.int64(1) << 60
    costs, number = (far, 0, far), 0
    for mcu in range(0, columns, h):
        for y in range(height):
            for x in range(mcu, min(mcu + h, columns)):
                place = y * columns + x
                rounded = np.int64(indices[np.uint64(start + place), 0])
                costs, way = _advance(costs, rounded - before, lengths)
                off = np.float64(ratios[np.uint64(place)]) - rounded
                costs = _with_errors(costs, weight * scales[np.uint64(start + place)], off)
                ways[np.uint64(number)] = place << _CHOICES | way
                before = rounded
                number += 1
    chosen = 1
    while number > 0:
        number -= 1
        word = ways[np.uint64(number)]
        indices[np.uint64(start + (word >> _CHOICES)), 0] += chosen - 1
        chosen = (word >> (2 * chosen)) & 3
