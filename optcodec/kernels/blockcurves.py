"""Estimate bits and error of blocks at several qualities at once, and find lower convex hulls of such curves."""

from __future__ import annotations

import numpy as np

from optcodec.kernels.dct import MAGIC
from optcodec.kernels.export import export, helper
from optcodec.kernels.vector import F32, I32, address_of, emit

__all__ = ["add_component", "lower_hulls"]

_LANES = 16
_MAGNITUDE = 0x7FFFFFFF  # bits of a float without its sign
_ONE = 0x3F800000  # bits of 1.0
# Fixed-point logarithms to base 2, linear between powers of 2: exponent and mantissa of a float, as one integer. The
# lowest eight bits of the mantissa are dropped, so that a sum over the 1024 coefficients of 4x4 blocks has 32 bits.
_SHIFT = 8
_UNIT = 1 << (23 - _SHIFT)


@emit(8)
def _add_block(b, coefficients, scale, reciprocals, steps, weights, errors, counts, logarithms):
    """Add a block to sums in 16 lanes: weighted squared error, number of nonzero AC indices, log2(1 + magnitude)."""
    error, ones = None, b.constant(F32, [1.0] * _LANES)
    count, logarithm = b.load(counts, F32, _LANES), b.load(logarithms, I32, _LANES)
    for first in range(0, 64, _LANES):
        offset = 4 * first
        value, step = (b.load(address + offset, F32, _LANES) for address in (coefficients, steps))
        index = value.fma(b.load(reciprocals + offset, F32, _LANES), MAGIC) - MAGIC
        difference = (index * -1.0).fma(step, value)
        weighted = difference * b.load(weights + offset, F32, _LANES)
        error = weighted * difference if error is None else weighted.fma(difference, error)
        mask = b.constant(I32, [_MAGNITUDE if first + lane else 0 for lane in range(_LANES)])
        magnitude = (index.bits_as(I32, _LANES) & mask).bits_as(F32, _LANES)
        count = count + magnitude.at_most(ones)
        logarithm = logarithm + (((magnitude + 1.0).bits_as(I32, _LANES) - _ONE) >> _SHIFT)
    one = b.load(scale, F32, 1)
    error.fma(one.shuffle(one, [0] * _LANES), b.load(errors, F32, _LANES)).store(errors)
    count.store(counts)
    logarithm.store(logarithms)


@emit(4)
def _add_dc(b, coefficient, before, reciprocals, logarithms):
    """Add log2(1 + difference) of two DC indices to sums; the 16 lanes are qualities."""
    reciprocal = b.load(reciprocals, F32, _LANES)
    indices = []
    for address in (coefficient, before):
        one = b.load(address, F32, 1)
        indices.append(one.shuffle(one, [0] * _LANES).fma(reciprocal, MAGIC) - MAGIC)
    difference = indices[0] - indices[1]
    magnitude = (difference.bits_as(I32, _LANES) & _MAGNITUDE).bits_as(F32, _LANES)
    added = ((magnitude + 1.0).bits_as(I32, _LANES) - _ONE) >> _SHIFT
    (b.load(logarithms, I32, _LANES) + added).store(logarithms)


@helper
def _add_blocks(coefficients, scales, columns, rectangle, reciprocals, steps, dc_reciprocals, weights, space):
    """Add up the blocks in rows top..bottom-1 and columns left..right-1, and return their number."""
    lanes, logarithms, dc, nothing = space
    lanes[:] = np.float32(0)
    logarithms[:] = 0
    dc[:] = 0
    top, bottom, left, right = rectangle
    source, factors = address_of(coefficients), address_of(scales)
    for row in range(top, bottom):
        for column in range(left, right):
            block = row * columns + column
            coefficient = source + 256 * block  # address of its DC
            for q in range(reciprocals.shape[0]):
                _add_block(
                    coefficient, factors + 4 * block, address_of(reciprocals) + 256 * q, address_of(steps) + 256 * q,
                    address_of(weights), address_of(lanes) + 128 * q, address_of(lanes) + 128 * q + 64,
                    address_of(logarithms) + 64 * q,
                )  # fmt: skip
            before = address_of(nothing)
            if block:
                before = coefficient - 256 if column else coefficient - 256 * columns
            for offset in range(0, 4 * dc.shape[0], 4 * _LANES):
                _add_dc(coefficient, before, address_of(dc_reciprocals) + offset, address_of(dc) + offset)
    return (bottom - top) * (right - left)


@helper
def _sums(q, number, prices, lanes, logarithms, dc):
    """Return bits and error of `number` blocks at quality q, from the sums."""
    error, count, logarithm = 0.0, 0.0, 0
    for lane in range(_LANES):
        error += np.float64(lanes[q, 0, lane])
        count += np.float64(lanes[q, 1, lane])
        logarithm += np.int64(logarithms[q, lane])
    bits = prices[0] * count + prices[1] * logarithm / _UNIT + prices[2] * number
    return bits + prices[3] * np.int64(dc[q]) / _UNIT, error


@export(
    "f32[:,:], f32[:], i64, i64, i64, i64, i64, i64, f32[:,:], f32[:,:], f32[:], f32[:], f64[:], f32[:], "
    "out f32[:,:,:], out i32[:,:], out i32[:], out f64[:,:,:], out f64[:,:,:]"
)
def add_component(
    coefficients, scales, rows, columns, down, across, first, last, reciprocals, steps, dc_reciprocals, weights, prices,
    nothing, lanes, logarithms, dc, bits, errors,
):  # fmt: skip
    """Add the bits and errors of the blocks of one component to those of the areas in which they lie.

    Parameters
    ----------
    coefficients, scales : (rows * columns, 64) and (rows * columns,) coefficients, and factor of the error, of a block
    down, across : rows and columns of blocks in one area
    first, last : the areas in the rows first..last-1 of areas are processed
    reciprocals, steps : (Q, 64) 1 / step, and step, at each quality
    dc_reciprocals : (multiple of 16, at least Q) 1 / step of DC; 0 beyond Q
    weights : (64,) weights of squared errors
    prices : (4,) bits for each nonzero AC index, for its log2(1 + magnitude), for a block, for log2(1 + DC difference)
    nothing : (1,) the prediction for the DC of the first block: 0
    lanes, logarithms, dc : (Q, 2, 16), (Q, 16), as dc_reciprocals; work space
    bits, errors : (areas down, areas across, Q) sums to which is added
    """
    space = lanes, logarithms, dc, nothing
    for row in range(first, last):
        top, bottom = row * down, min((row + 1) * down, rows)
        for column in range(bits.shape[1]):
            rectangle = top, bottom, column * across, min((column + 1) * across, columns)
            number = _add_blocks(
                coefficients, scales, columns, rectangle, reciprocals, steps, dc_reciprocals, weights, space
            )
            for q in range(bits.shape[2]):
                rate, error = _sums(q, number, prices, lanes, logarithms, dc)
                bits[row, column, q] += rate
                errors[row, column, q] += error


@export("f64[:,:], f64[:,:], out i64[:,:]")
def lower_hulls(costs, losses, vertices):
    """Find the vertices of the lower convex hull of each curve, from the cheapest point on.

    From each vertex, the hull goes to the point that saves the most loss for its additional cost; of several such
    points, to the cheapest.

    Parameters
    ----------
    costs, losses : (curves, Q) the points of each curve
    vertices : (curves, Q) receives the indices of the vertices, and -1 behind the last
    """
    for curve in range(costs.shape[0]):
        cost, loss = costs[curve], losses[curve]
        vertex = 0
        for q in range(1, cost.shape[0]):
            if cost[q] < cost[vertex] or (cost[q] == cost[vertex] and loss[q] < loss[vertex]):
                vertex = q
        for number in range(cost.shape[0]):
            vertices[curve, number] = vertex
            if vertex < 0:
                continue
            best, following = 0.0, -1
            for q in range(cost.shape[0]):
                if cost[q] > cost[vertex] and loss[q] < loss[vertex]:
                    slope = (loss[vertex] - loss[q]) / (cost[q] - cost[vertex])
                    if slope > best or (slope == best and cost[q] < cost[following]):
                        best, following = slope, q
            vertex = following
