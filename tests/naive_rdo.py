"""Slow and obvious implementations of the trellis: costs by their definition, and exhaustive searches.

Costs are integers, and UNIT is the cost of a bit. A weight is UNIT times the weight of a coefficient times step^2,
divided by the error that a bit is worth, so that a difference of d steps costs the weight times d^2. All arrays are in
zig-zag order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

UNIT = 1024


@dataclass(frozen=True)
class AcBits:
    """Costs, in UNIT: of each symbol with its additional bits, of the end of a block, and of an empty block."""

    lengths: Sequence[int]
    end: int
    empty: int

    def of(self, run: int, size: int) -> int:
        """Cost of a coefficient after a run of zeros (T.81, F.1.2.2.1); 16 zeros have a separate symbol."""
        bits = 0
        while run > 15:
            bits += self.lengths[0xF0]
            run -= 16
        return UNIT * (bits + self.lengths[16 * run + size])


def naive_ac_error(index: int, ratio: float, weight: float) -> int:
    """Change of the weighted error if the index replaces 0."""
    return round(weight * (index * (index - 2.0 * ratio)))


def naive_ac_cost(indices: Sequence[int], ratios: Sequence[float], weights: Sequence[float], bits: AcBits) -> int:
    """Cost of the AC indices of a block, errors and bits, from 64 magnitudes of which the first (DC) is ignored."""
    total, run = 0, 0
    for k in range(1, 64):
        if indices[k] == 0:
            run += 1
            continue
        total += bits.of(run, int(indices[k]).bit_length()) + naive_ac_error(indices[k], ratios[k], weights[k])
        run = 0
    if run == 63:
        return bits.empty
    return total + (bits.end if run else 0)


def naive_full_search(rounded: Sequence[int], ratios: Sequence[float], weights: Sequence[float], bits: AcBits) -> int:
    """Least cost of all combinations of indices from 0 to the rounded one."""
    places = [k for k in range(1, 64) if rounded[k]]
    best = bits.empty
    for values in product(*(range(rounded[k] + 1) for k in places)):
        total, last = 0, 0
        for k, value in zip(places, values, strict=True):
            if value:
                total += bits.of(k - last - 1, value.bit_length()) + naive_ac_error(value, ratios[k], weights[k])
                last = k
        if last:
            best = min(best, total + (bits.end if last < 63 else 0))
    return best


def naive_dynamic(rounded: Sequence[int], ratios: Sequence[float], weights: Sequence[float], bits: AcBits) -> int:
    """Least cost by dynamic programming over all positions of the previous nonzero coefficient and all its values."""
    cheapest, best = {0: 0}, bits.empty
    for k in range(1, 64):
        if not rounded[k]:
            continue
        values = [(value.bit_length(), naive_ac_error(value, ratios[k], weights[k])) for value in _upto(rounded[k])]
        cost = min(
            before + bits.of(k - last - 1, size) + error for last, before in cheapest.items() for size, error in values
        )
        cheapest[k] = cost
        best = min(best, cost + (bits.end if k < 63 else 0))
    return best


def _upto(index: int) -> Iterator[int]:
    return iter(range(1, int(index) + 1))


def naive_dc_rows(rows: int, columns: int, h: int, v: int) -> list[list[int]]:
    """Numbers of the blocks of each MCU row in scan order, without blocks outside of the component."""
    return [
        [
            y * columns + x
            for left in range(0, columns, h)
            for y in range(top, min(top + v, rows))
            for x in range(left, min(left + h, columns))
        ]
        for top in range(0, rows, v)
    ]


def naive_dc_cost(
    indices: Sequence[int], before: int, ratios: Sequence[float], weights: Sequence[float], lengths: Sequence[int]
) -> int:
    """Cost of DC indices in scan order, errors and bits; `lengths` are UNIT times the bits by size category."""
    total = 0
    for index, ratio, weight in zip(indices, ratios, weights, strict=True):
        total += round(weight * (ratio - index) * (ratio - index)) + lengths[abs(int(index) - before).bit_length()]
        before = int(index)
    return total


def naive_dc_search(
    rounded: Sequence[int], before: int, ratios: Sequence[float], weights: Sequence[float], lengths: Sequence[int]
) -> int:
    """Least cost of all ways to move each index but the last by -1, 0 or 1."""
    moves = product(*([(-1, 0, 1)] * (len(rounded) - 1)), (0,))
    return min(
        naive_dc_cost([r + m for r, m in zip(rounded, move, strict=True)], before, ratios, weights, lengths)
        for move in moves
    )


def naive_upsampling(count: int) -> np.ndarray:
    """Matrix (2 count, count) that doubles samples as libjpeg does: 3/4 of the nearer, 1/4 of the farther one."""
    matrix = np.zeros((2 * count, count))
    for k in range(count):
        for place, other in ((2 * k, k - 1), (2 * k + 1, k + 1)):
            matrix[place, k] += 0.75
            matrix[place, min(max(other, 0), count - 1)] += 0.25
    return matrix
