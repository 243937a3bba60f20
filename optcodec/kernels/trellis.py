"""Rate-distortion optimized quantization: the AC indices of each block with the least weighted error plus bits.

The bits are those of run-length codes (T.81, F.1.2.2, and G.1.2.2 without successive approximation). Which coefficients
are coded, and how large, is found by dynamic programming over the run lengths: a state is the last coefficient that was
coded so far, since the bits of the next one depend on nothing but the zeros in between and its own size. Ramchandran
and Vetterli, "Rate-Distortion Optimal Fast Thresholding with Complete JPEG/MPEG Decoder Compatibility", IEEE Trans.
Image Processing 3(5), 1994; here indices may also be lowered, and states that cannot win any more are dropped, by a
bound that keeps the result exact.

Costs are whole numbers, UNIT to a bit, against a block whose AC coefficients are all 0: index k of a coefficient C with
step q changes the weighted error by ``w k (k - 2 |C| / q)``, where w is its weight times q^2 over the error that a bit
is worth.
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
# Columns of the work space: of each state its position, index and the state before it; of those that may still win
# their cost, position and number.
_POSITION, _INDEX, _BEFORE, _COST, _PLACE, _STATE = range(6)


@emit(5, types.int64)
def _round_block(b, coefficients, reciprocals, limits, ratios, indices):
    """C / q of 64 coefficients, their rounded indices, and a mask, in zig-zag order, of those that are not 0."""
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
    """Indices of a block to 0."""
    b.constant(I16, [0] * 64).store(indices)


@inlined
def _at(array, place):
    """An element, by an index that cannot count from the end."""
    return array[np.uint64(place)]


@inlined
def _cost(weight, index, ratio):
    """Weighted error of an index, against that of 0."""
    return np.int64(np.rint(weight * (index * (index - 2.0 * ratio))))


@helper
def _cheapest(index, position, weight, ratio, rates, states, head, count):
    """Cheapest way to code a coefficient: cost, index and state before it.

    Smaller sizes, with the largest index of each, follow for as long as bits might make up for the error.
    """
    size = bit_length(index)
    least = _cost(weight, index, ratio)
    best, before = _from_any(size * RUNS + position - 1, rates, states, head, count)
    best += least
    chosen = index
    while size > 1:
        size -= 1
        index = (1 << size) - 1
        error = _cost(weight, index, ratio)
        if error - least >= rates[SPREAD]:
            break
        found, state = _from_any(size * RUNS + position - 1, rates, states, head, count)
        if found + error < best:
            best, chosen, before = found + error, index, state
    return best, chosen, before


@inlined
def _from_any(row, rates, states, head, count):
    """Least cost to come from the latest state or one of `count` older ones to a row of rates, and from which."""
    best, before = head[0] + _at(rates, row - head[1]), head[2]
    for place in range(count):
        found = _at(states[_COST], place) + _at(rates, row - _at(states[_PLACE], place))
        if found < best:
            best, before = found, _at(states[_STATE], place)
    return best, before


@helper
def _keep(cost, position, rates, states, head, count):
    """Drop the states that a new one beats whatever follows, the latest one and `count` older ones; how many stay."""
    kept = 0
    for place in range(count):
        old, where = _at(states[_COST], place), _at(states[_PLACE], place)
        if cost > old + _at(rates, GROWTH + position - where):
            number = _at(states[_STATE], place)
            _put(states, kept, old, where, number)
            kept += 1
    old, where, number = head
    if cost > old + _at(rates, GROWTH + position - where):
        _put(states, kept, old, where, number)
        kept += 1
    return kept


@inlined
def _put(states, place, cost, position, state):
    """Note a state that may still win."""
    there = np.uint64(place)
    states[_COST, there], states[_PLACE, there], states[_STATE, there] = cost, position, state


@helper
def _solve(mask, indices, ratios, weights, scale, rates, states):
    """State to end with in a block whose rounded indices have the given mask, where the cost is least.

    The latest state is kept apart from the older ones, of which mostly none is left.
    """
    head, count, made = (0, 0, 0), 0, 0
    last, total = 0, rates[EMPTY]
    while mask:
        position = trailing_zeros(mask)
        mask &= mask - 1
        place = _at(_ORDER, position)
        index, ratio = abs(np.int64(_at(indices, place))), abs(np.float64(_at(ratios, place)))
        weight = _at(weights, place) * scale
        cost, chosen, before = _cheapest(index, position, weight, ratio, rates, states, head, count)
        count = _keep(cost, position, rates, states, head, count)
        made += 1
        states[_POSITION, np.uint64(made)], states[_INDEX, np.uint64(made)] = position, chosen
        states[_BEFORE, np.uint64(made)] = before
        head = (cost, position, made)
        cost += rates[END] if position < 63 else 0
        if cost < total:
            last, total = made, cost
    return last


@helper
def _choose_ac(place, mask, row, ratios, weights, scale, rates, states):
    """Replace the rounded AC indices of a block, whose row of indices lies at `place`."""
    last = _solve(mask, row, ratios, weights, scale, rates, states)
    dc = row[0]
    _clear_block(place)
    row[0] = dc
    while last > 0:
        position, index = _at(_ORDER, _at(states[_POSITION], last)), _at(states[_INDEX], last)
        row[np.uint64(position)] = index if _at(ratios, position) > 0 else -index
        last = _at(states[_BEFORE], last)


@export(
    "f32[:,:], i64, i64, i64, i64, i64, i64, f32[:], f32[:], f64[:], f32[:], i64[:], i64[:], out f32[:], out i64[:,:],"
    " out i64[:], out i16[:,:]"
)
def choose_rows(
    coefficients, rows, columns, h, v, first, last, reciprocals, limits, weights, scales, ac, dc, ratios, states, ways,
    indices,
):  # fmt: skip
    """Choose the indices of the MCU rows first..last-1 of a component.

    Parameters
    ----------
    coefficients, indices : (rows * columns, 64) row-major
    h, v : sampling factors in the scan
    reciprocals, limits : (64,) 1 / step, and the largest magnitude of a coefficient that counts
    weights : (64,) UNIT times the weight of a coefficient times step^2 over the error that a bit is worth
    scales : (rows * columns,) factor of the weights of each block
    ac : see `optcodec.kernels.ratelayout`
    dc : (18,) UNIT times the bits of a difference of DC by its size, additional bits included
    ratios : (64 + v * columns,) work space
    states : (WORK, 64) work space
    ways : (v * columns,) work space
    """
    source, target, ratio = address_of(coefficients), address_of(indices), address_of(ratios)
    divided = ratios[64:]
    before = 0
    if first > 0:  # the index that the MCU row before ends with, to be found anew
        block = first * v * columns - 1
        _round_block(source + 256 * block, address_of(reciprocals), address_of(limits), ratio, address_of(states))
        before = load_i16(address_of(states))
    for mcu_row in range(first, last):
        start, height = mcu_row * v * columns, min(v, rows - mcu_row * v)
        for place in range(height * columns):
            block = start + place
            at = target + 128 * block
            mask = _round_block(source + 256 * block, address_of(reciprocals), address_of(limits), ratio, at) & ~1
            divided[place] = ratios[0]
            if mask:
                scale = np.float64(scales[block])
                _choose_ac(at, mask, indices[block], ratios, weights, scale, ac, states)
        choose_dc_row(divided, columns, h, height, start, before, weights[0], scales, dc, ways, indices)
        before = np.int64(indices[start + height * columns - 1, 0])
