"""What blocks cost and lose at several qualities at once, and the lower convex hulls of such curves."""

from __future__ import annotations

import numpy as np

from optcodec.kernels.dct import MAGIC
from optcodec.kernels.export import export, helper
from optcodec.kernels.hull import lower_hull
from optcodec.kernels.vector import F32, I32, address_of, emit

__all__ = ["add_component", "hull_vertices"]

_LANES = 16
_MAGNITUDE = 0x7FFFFFFF  # bits of a float without its sign
_ONE = 0x3F800000  # bits of 1.0
# A logarithm to base 2, linear between powers of 2: exponent and mantissa of a float, as one fixed-point number. Eight
# bits of the mantissa go, so that the sum over the 1024 coefficients of 4x4 blocks stays within 32 bits.
_SHIFT = 8
_UNIT = 1 << (23 - _SHIFT)


@emit(8)
def _add_block(b, coefficients, scale, reciprocals, steps, weights, errors, counts, logarithms):
    """Add up, in 16 lanes: weighted squared errors of a block, its AC indices that are not 0, log2(1 + magnitude)."""
    error, ones = None, b.constant(F32, [1.0] * _LANES)
    count, logarithm = b.load(counts, F32, _LANES), b.load(logarithms, I32, _LANES)
    for first in range(0, 64, _LANES):
        place = 4 * first
        value, step = (b.load(address + place, F32, _LANES) for address in (coefficients, steps))
        index = value.fma(b.load(reciprocals + place, F32, _LANES), MAGIC) - MAGIC
        difference = (index * -1.0).fma(step, value)
        weighted = difference * b.load(weights + place, F32, _LANES)
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
    """Add log2(1 + difference) of two DC indices, in 16 lanes of qualities."""
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
    """Add up the blocks from row `top` to before `bottom`, and from column `left` to before `right`; their number."""
    lanes, logarithms, dc, nothing = space
    lanes[:] = np.float32(0)
    logarithms[:] = 0
    dc[:] = 0
    top, bottom, left, right = rectangle
    source, factors = address_of(coefficients), address_of(scales)
    for row in range(top, bottom):
        for column in range(left, right):
            block = row * columns + column
            here = source + 256 * block
            for q in range(reciprocals.shape[0]):
                _add_block(
                    here, factors + 4 * block, address_of(reciprocals) + 256 * q, address_of(steps) + 256 * q,
                    address_of(weights), address_of(lanes) + 128 * q, address_of(lanes) + 128 * q + 64,
                    address_of(logarithms) + 64 * q,
                )  # fmt: skip
            before = address_of(nothing)
            if block:
                before = here - 256 if column else here - 256 * columns
            for place in range(0, 4 * dc.shape[0], 4 * _LANES):
                _add_dc(here, before, address_of(dc_reciprocals) + place, address_of(dc) + place)
    return (bottom - top) * (right - left)


@helper
def _sums(q, number, prices, lanes, logarithms, dc):
    """Bits and error at a quality, of what was added up."""
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
    """Add bits and errors of one component's blocks to those of the areas that they lie in.

    Parameters
    ----------
    coefficients, scales : (rows * columns, 64), (rows * columns,); the latter are factors of errors
    down, across : rows and columns of blocks in one area
    first, last : rows of areas to do, from first to before last
    reciprocals, steps : (Q, 64) 1 / step, and step, of each quality
    dc_reciprocals : (multiple of 16, at least Q) 1 / step of DC; 0 beyond Q
    weights : (64,) of squared errors
    prices : (4,) bits of an AC index that is not 0, of log2(1 + its magnitude), of a block, of log2(1 + DC difference)
    nothing : (1,) the DC that the first block is predicted from: 0
    lanes, logarithms, dc : (Q, 2, 16), (Q, 16), as dc_reciprocals; work space
    bits, errors : (areas down, areas across, Q)
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


@export("f64[:,:], f64[:,:], i64[:,:], out i64[:,:]")
def hull_vertices(costs, losses, order, vertices):
    """Vertices of the lower convex hull of each curve's points, from the cheapest on; -1 behind the last.

    Points on a side of the hull are vertices, too.

    Parameters
    ----------
    costs, losses, vertices : (curves, Q)
    order : (curves, Q) numbers of the points by falling cost, equal ones by falling loss
    """
    for curve in range(costs.shape[0]):
        hull = vertices[curve]
        count = lower_hull(losses[curve], costs[curve], order[curve], 1, hull)
        for place in range(count // 2):
            hull[place], hull[count - 1 - place] = hull[count - 1 - place], hull[place]
        for place in range(count, hull.shape[0]):
            hull[place] = -1
