"""Rate-distortion optimized quantization: the AC indices of each block with the least weighted error plus bits.

The bits are those of run-length codes (T.81, F.1.2.2, and G.1.2.2 without successive approximation). Dynamic
programming over run lengths decides which coefficients are coded, and with which index. A state is the last coefficient
that was coded so far, since the bits of the next one depend only on the zeros in between and on its own size. The
method is that of Ramchandran and Vetterli, "Rate-Distortion Optimal Fast Thresholding with Complete JPEG/MPEG Decoder
Compatibility", IEEE Trans. Image Processing 3(5), 1994. Here indices may also be lowered, and states that can no longer
lead to the least cost are dropped, by a bound that keeps the result exact.

Costs are whole numbers in units of 1 / UNIT bit, relative to a block whose AC coefficients are all 0. Index k of a
coefficient C with step q changes the weighted error by ``w k (k - 2 |C| / q)``, where w is its weight times q^2,
divided by the error that is worth one bit.
"""

from __future__ import annotations

import numpy as np
from numba import types

from optcodec.kernels.dct import MAGIC
from optcodec.kernels.dctrellis import choose_dc_row
from optcodec.kernels.export import export, helper, inlined
from optcodec.kernels.ratelayout import EMPTY, END, GROWTH, RUNS, SPREAD
from optcodec.kernels.scalars import bit_length, load_i16, trailing_zeros
from optcodec.kernels.vector import F32, I16, address_of, emit
from optcodec.kernels.zigzag import NATURAL_ORDER

__all__ = ["choose_rows"]

_ORDER = np.array(NATURAL_ORDER)
# Rows of the work space: position, index and predecessor of each state; then cost, position and state of each
# candidate, which is a state that may still lead to the least cost.
_POSITION, _INDEX, _BEFORE, _COST, _CANDIDATE_POSITION, _STATE = range(6)


@emit(5, types.int64)
def _round_block(b, coefficients, reciprocals, limits, ratios, indices):
    """Store C / q and the rounded indices of 64 coefficients; return the zig-zag mask of indices that are not 0."""
    words = []
    for offset in range(0, 256, 64):
        limit = b.load(limits + offset, F32, 16)
        value = b.load(coefficients + offset, F32, 16).at_least(limit * -1.0).at_most(limit)
        reciprocal = b.load(reciprocals + offset, F32, 16)
        (value * reciprocal).store(ratios + offset)
        words.append(value.fma(reciprocal, MAGIC).bits_as(I16, 32))
    even = range(0, 64, 2)
    natural = words[0].shuffle(words[1], even).join(words[2].shuffle(words[3], even))
    natural.store(indices)
    return natural.shuffle(natural, NATURAL_ORDER).nonzero_mask()


@emit(1)
def _clear_block(b, indices):
    """Set the indices of a block to 0."""
    b.constant(I16, [0] * 64).store(indices)


@inlined
def _at(array, index):
    """Return an element; an unsigned index spares numba the handling of negative ones."""
    return array[np.uint64(index)]


@inlined
def _cost(weight, index, ratio):
    """Return the weighted error of an index, relative to that of index 0."""
    return np.int64(np.rint(weight * (index * (index - 2.0 * ratio))))


@helper
def _cheapest(index, position, weight, ratio, rates, states, head, count):
    """Find the cheapest way to code a coefficient; return its cost, its index, and the state before it.

    After the rounded index, the largest index of each smaller size is tried, as long as fewer bits could outweigh the
    larger error.
    """
    size = bit_length(index)
    least_error = _cost(weight, index, ratio)
    best, before = _from_any(size * RUNS + position - 1, rates, states, head, count)
    best += least_error
    best_index = index
    while size > 1:
        size -= 1
        index = (1 << size) - 1
        error = _cost(weight, index, ratio)
        if error - least_error >= rates[SPREAD]:
            break
        cost, state = _from_any(size * RUNS + position - 1, rates, states, head, count)
        if cost + error < best:
            best, best_index, before = cost + error, index, state
    return best, best_index, before


@inlined
def _from_any(row, rates, states, head, count):
    """Find the cheapest predecessor among the latest state `head` and `count` older candidates; return cost and state.

    A predecessor at position p costs ``rates[row - p]`` in addition to its own cost.
    """
    best, before = head[0] + _at(rates, row - head[1]), head[2]
    for candidate in range(count):
        cost = _at(states[_COST], candidate) + _at(rates, row - _at(states[_CANDIDATE_POSITION], candidate))
        if cost < best:
            best, before = cost, _at(states[_STATE], candidate)
    return best, before


@helper
def _keep(cost, position, rates, states, head, count):
    """Drop the candidates that a new state with this cost and position beats, whatever follows; return how many stay.

    The candidates are `count` older ones and the latest state `head`, which becomes an older one.
    """
    remaining = 0
    for candidate in range(count):
        old_cost, old_position = _at(states[_COST], candidate), _at(states[_CANDIDATE_POSITION], candidate)
        if cost > old_cost + _at(rates, GROWTH + position - old_position):
            state = _at(states[_STATE], candidate)
            _put(states, remaining, old_cost, old_position, state)
            remaining += 1
    old_cost, old_position, state = head
    if cost > old_cost + _at(rates, GROWTH + position - old_position):
        _put(states, remaining, old_cost, old_position, state)
        remaining += 1
    return remaining


@inlined
def _put(states, candidate, cost, position, state):
    """Store a candidate."""
    row = np.uint64(candidate)
    states[_COST, row], states[_CANDIDATE_POSITION, row], states[_STATE, row] = cost, position, state


@helper
def _solve(mask, indices, ratios, weights, scale, rates, states):
    """Find the last state of the cheapest way to code a block; `mask` has its nonzero rounded indices.

    The latest state, `head`, is held apart from the older candidates, of which mostly none is left.
    """
    head, count, number = (0, 0, 0), 0, 0
    last, total = 0, rates[EMPTY]
    while mask:
        position = trailing_zeros(mask)
        mask &= mask - 1
        natural = _at(_ORDER, position)
        index, ratio = abs(np.int64(_at(indices, natural))), abs(np.float64(_at(ratios, natural)))
        weight = _at(weights, natural) * scale
        cost, chosen_index, before = _cheapest(index, position, weight, ratio, rates, states, head, count)
        count = _keep(cost, position, rates, states, head, count)
        number += 1
        states[_POSITION, np.uint64(number)], states[_INDEX, np.uint64(number)] = position, chosen_index
        states[_BEFORE, np.uint64(number)] = before
        head = (cost, position, number)
        cost += rates[END] if position < 63 else 0
        if cost < total:
            last, total = number, cost
    return last


@helper
def _choose_ac(address, mask, row, ratios, weights, scale, rates, states):
    """Replace the rounded AC indices of a block; `row` has its indices, which lie at `address`."""
    last = _solve(mask, row, ratios, weights, scale, rates, states)
    dc = row[0]
    _clear_block(address)
    row[0] = dc
    while last > 0:
        position, index = _at(_ORDER, _at(states[_POSITION], last)), _at(states[_INDEX], last)
        row[np.uint64(position)] = index if _at(ratios, position) > 0 else -index
        last = _at(states[_BEFORE], last)


@inlined
def _is_within(numbers, other, stop):
    """Tell whether a number of the list, from one on, is below a limit."""
    return other < numbers.shape[0] and numbers[other] < stop


@export(
    "f32[:,:], i64, i64, i64, i64, i64, i64, f32[:], f32[:], f64[:], f32[:], i64[:], i64[:], f32[:,:], i64[:], i64,"
    " i64, out f32[:], out i64[:,:], out i64[:], out i16[:,:]"
)
def choose_rows(
    coefficients, rows, columns, h, v, first, last, reciprocals, limits, weights, scales, ac, dc, others, numbers,
    other, only, ratios, states, ways, indices,
):  # fmt: skip
    """Choose the indices of the MCU rows first..last-1 of a component.

    Parameters
    ----------
    coefficients, indices : (rows * columns, 64) row-major; the indices are written
    h, v : sampling factors in the scan
    reciprocals, limits : (64,) 1 / step, and the magnitude to which coefficients are clipped before
    weights : (64,) UNIT times the weight of a coefficient times step^2, divided by the error that is worth one bit
    scales : (rows * columns,) factor of the weights of each block
    ac : table of rates, see `optcodec.kernels.ratelayout`
    dc : (18,) UNIT times the bits of a DC difference by its size, additional bits included
    others, numbers : (count, 64) and (count,) coefficients that some blocks have instead, and their numbers, ascending
    other : how many of these lie before the first of the MCU rows
    only : whether the AC indices of all other blocks are kept, and all of MCU rows without such a block
    ratios : (64 + v * columns,) work space
    states : (WORK, 64) work space
    ways : (v * columns,) work space
    """
    source, instead, space = address_of(coefficients), address_of(others), address_of(states)
    target, ratio = address_of(indices), address_of(ratios)
    dc_ratios, before = ratios[64:], 0
    if first > 0:  # the rounded DC index at the end of the MCU row before is computed again
        block = first * v * columns - 1
        place = source + 256 * block
        if other > 0 and numbers[other - 1] == block:
            place = instead + 256 * (other - 1)
        _round_block(place, address_of(reciprocals), address_of(limits), ratio, space)
        before = load_i16(space)
    for mcu_row in range(first, last):
        start, height = mcu_row * v * columns, min(v, rows - mcu_row * v)
        if not only or _is_within(numbers, other, start + height * columns):
            for number in range(height * columns):
                block = start + number
                row = target + 128 * block  # address of its indices
                place, chosen = source + 256 * block, not only
                if other < numbers.shape[0] and _at(numbers, other) == block:
                    place, chosen = instead + 256 * other, True
                    other += 1
                mask = _round_block(place, address_of(reciprocals), address_of(limits), ratio, row if chosen else space)
                dc_ratios[number] = ratios[0]
                if not chosen:
                    indices[block, 0] = load_i16(space)
                elif mask & ~1:
                    scale = np.float64(scales[block])
                    _choose_ac(row, mask & ~1, indices[block], ratios, weights, scale, ac, states)
            choose_dc_row(dc_ratios, columns, h, height, start, before, weights[0], scales, dc, ways, indices)
        before = np.int64(indices[start + height * columns - 1, 0])
