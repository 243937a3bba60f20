"""Coefficients of blocks that a decoder clips: samples that are white may become whiter, and black ones blacker.

A decoder clips samples to 0..255, so it shows all values from 255 on alike, and all values up to 0. Every sample of a
block has a range of values that are as good as its own: at white from its own to a highest one, at black from a lowest
one to its own, elsewhere its own alone. A block may be coded as any picture within these ranges, so it is coded as one
that takes few coefficients: ringing around dark text is pushed to where nobody sees it.

1. White is raised by a constant, and by half of it beside samples that are not white; black is lowered likewise. The
   constant grows with the steps, but is at most a share of the contrast along the border, so that a soft highlight
   gets no edge.
2. A few times, coefficients below a threshold become 0, and each sample returns to its range. Both are projections:
   onto sparse blocks, and onto those that are shown alike. (The first is the iterative hard thresholding of Blumensath
   and Davies, "Iterative thresholding for sparse approximations", J. Fourier Analysis and Applications 14, 2008.)

Two blocks are computed at once, as in `optcodec.kernels.dct`. Samples are floats, 128 less than what is shown. A mask
has a bit for each sample of a block: bit 8 y + x for sample x of row y.
"""

from __future__ import annotations

import numpy as np
from numba import types

from optcodec.kernels.dct import MAGIC, float_columns, inverse_rows, pair_natural, transpose
from optcodec.kernels.export import export, helper, inlined
from optcodec.kernels.scalars import count_ones
from optcodec.kernels.vector import F32, I16, U64, address_of, emit

__all__ = ["decoded_blocks", "overshot_blocks", "overshot_pair"]

# Constants of a table, by their position in an array: 128 thresholds, 128 reciprocals of steps and 128 steps, each laid
# out as by `float_columns` for two blocks; then single numbers.
_THRESHOLDS, _RECIPROCALS, _STEPS = 0, 512, 1024  # in bytes
_HEIGHT, _TURNS, _GUARDED, _DC = range(384, 388)
# Rows of 16 floats in the work space, in bytes: the samples of both blocks, the least and the largest value of each,
# sums of each column, and 128 coefficients.
_LOWEST, _HIGHEST, _SUMS, _DECODED = 512, 1024, 1536, 1600
_PITCH = 64  # bytes from one row of 16 floats to the next
_SHARE = np.float32(0.3)  # of the contrast along the border
_WHITE, _BLACK = np.float32(127), np.float32(-128)
# Values beyond which no sample goes: twice as far from the middle as white and black, for which decoders have room.
_HIGHEST_VALUE, _LOWEST_VALUE = np.float32(255), np.float32(-256)
_LARGEST_INDEX = 1023.0  # of baseline files: AC has 10 bits (T.81, Table F.2), differences of DC have 11
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_LEFT, _RIGHT = np.uint64(0xFEFEFEFEFEFEFEFE), np.uint64(0x7F7F7F7F7F7F7F7F)  # without column 0, without column 7


def _pair(b, first, second):
    """Load two blocks of 64 floats, laid out as by `float_columns`."""
    return transpose([b.load(first + 32 * y, F32, 8).join(b.load(second + 32 * y, F32, 8)) for y in range(8)])


def _within(b, row, y, space):
    """Return the samples of row `y` to their ranges."""
    lowest, highest = (b.load(space + start + _PITCH * y, F32, 16) for start in (_LOWEST, _HIGHEST))
    return row.at_least(lowest).at_most(highest)


@emit(3)
def _decode_pair(b, first, second, space):
    """Store the samples of two blocks of coefficients."""
    for y, row in enumerate(inverse_rows(b, _pair(b, first, second))):
        row.store(space + _PITCH * y)


@emit(1)
def _return_to_ranges(b, space):
    """Return each sample to its range."""
    for y in range(8):
        _within(b, b.load(space + _PITCH * y, F32, 16), y, space).store(space + _PITCH * y)


@emit(2)
def _make_sparser(b, space, constants):
    """Set coefficients below their thresholds to 0, then return each sample to its range."""
    kept = []
    for x, column in enumerate(float_columns(b, space, _PITCH, real=True)):
        magnitude, threshold = column.at_least(column * -1.0), b.load(constants + _THRESHOLDS + 64 * x, F32, 16)
        is_kept = b.builder.fcmp_ordered(">=", magnitude.value, threshold.value)
        kept.append(column._with(b.builder.select(is_kept, column.value, (column * 0.0).value)))
    for y, row in enumerate(inverse_rows(b, kept)):
        _within(b, row, y, space).store(space + _PITCH * y)


@emit(4)
def _sum_errors(b, first, second, constants, space):
    """Sum up, for each column of samples, the squared distances from their ranges if indices are the nearest ones."""
    columns = []
    for x, column in enumerate(_pair(b, first, second)):
        reciprocal, step = (b.load(constants + start + 64 * x, F32, 16) for start in (_RECIPROCALS, _STEPS))
        columns.append((column.fma(reciprocal, MAGIC) - MAGIC) * step)
    total = b.constant(F32, [0.0] * 16)
    for y, row in enumerate(inverse_rows(b, columns)):
        distance = row - _within(b, row, y, space)
        total = distance.fma(distance, total)
    total.store(space + _SUMS)


@emit(3, types.int64)
def _exceeding(b, first, second, constants):
    """Return a bit for each of two blocks: whether one of its coefficients has too large an index to be coded."""
    exceeding = None
    for x, column in enumerate(_pair(b, first, second)):
        limit = b.load(constants + _STEPS + 64 * x, F32, 16) * _LARGEST_INDEX
        is_larger = b.builder.fcmp_ordered(">", column.at_least(column * -1.0).value, limit.value)
        exceeding = is_larger if exceeding is None else b.builder.or_(exceeding, is_larger)
    lanes = b.builder.bitcast(exceeding, I16)
    halves = (b.builder.and_(lanes, I16(half)) for half in (0x00FF, 0xFF00))
    left, right = (b.builder.zext(b.builder.icmp_unsigned("!=", half, I16(0)), U64) for half in halves)
    return first._with(b.builder.or_(left, b.builder.shl(right, U64(1))))


@emit(2)
def _copy_block(b, source, target):
    """Copy a block of 64 floats."""
    for offset in range(0, 256, 64):
        b.load(source + offset, F32, 16).store(target + offset)


@inlined
def _grown(mask):
    """Add the eight neighbours within the block of each sample of a mask."""
    one, eight = np.uint64(1), np.uint64(8)
    wide = mask | ((mask << one) & _LEFT) | ((mask >> one) & _RIGHT)
    return wide | (wide << eight) | (wide >> eight)


@helper
def _height(space, lane, mask, end, constants):
    """Return how far samples at an end of the scale are moved beyond it: as the constants say, but at most a share of
    the mean distance of the samples around them from this end."""
    border = _grown(mask) & ~mask
    total, count = np.float32(0), count_ones(np.int64(border))
    for n in range(64):
        if (border >> np.uint64(n)) & np.uint64(1):
            total += abs(space[16 * (n >> 3) + lane + (n & 7)] - end)
    return min(constants[_HEIGHT], _SHARE * total / np.float32(max(count, 1)))


@helper
def _flatten(space, lane, constants):
    """Make a block that is white or black as a whole a constant with a DC that is a multiple of its step, at or beyond
    all of its samples; this is then their range, too."""
    most = np.float32(0)
    for n in range(64):
        most = max(most, abs(space[16 * (n >> 3) + lane + (n & 7)]))
    step = constants[_DC]
    value = np.ceil(np.float32(8) * most / step - np.float32(0.001)) * step / np.float32(8)
    for n in range(64):
        place = 16 * (n >> 3) + lane + (n & 7)
        space[place] = value if space[place] > 0 else -value
        space[128 + place] = space[256 + place] = space[place]


@helper
def _set_ranges(space, lane, white, black, constants, raised):
    """Store the ranges of the samples of a block; if `raised`, move what is clipped beyond the end of the scale.

    `lane` is 0 for the first of the two blocks, 8 for the second one.
    """
    one = np.uint64(1)
    beside = (white & _grown(~white)) | (black & _grown(~black))
    up = _height(space, lane, white, _WHITE, constants) if raised and white else np.float32(0)
    down = _height(space, lane, black, _BLACK, constants) if raised and black else np.float32(0)
    for n in range(64):
        bit, place = np.uint64(n), 16 * (n >> 3) + lane + (n & 7)
        low = high = sample = space[place]
        share = np.float32(0.5) if (beside >> bit) & one else np.float32(1)
        if (white >> bit) & one:
            high = max(sample, _HIGHEST_VALUE)
            space[place] = min(sample + share * up, high)
        elif (black >> bit) & one:
            low = min(sample, _LOWEST_VALUE)
            space[place] = max(sample - share * down, low)
        space[128 + place], space[256 + place] = low, high
    if raised and (white == _ALL or black == _ALL):
        _flatten(space, lane, constants)


@helper
def _begin(first, second, masks, left, right, constants, space, raised):
    """Store samples and ranges of the blocks with the numbers `left` and `right`, which lie at two addresses."""
    _decode_pair(first, second, address_of(space))
    _set_ranges(space, 0, masks[left, 0], masks[left, 1], constants, raised)
    _set_ranges(space, 8, masks[right, 0], masks[right, 1], constants, raised)


@helper
def _is_worse(source, target, other_source, other_target, constants, space):
    """Return a bit for each of two blocks: whether the new coefficients have the larger error after rounding."""
    sums = space[_SUMS // 4 :]
    _sum_errors(source, other_source, address_of(constants), address_of(space))
    before = (sums[0:8].sum(), sums[8:16].sum())
    _sum_errors(target, other_target, address_of(constants), address_of(space))
    worse = 1 if sums[0:8].sum() > before[0] else 0
    return worse + (2 if sums[8:16].sum() > before[1] else 0)


@inlined
def _is_partial(masks, block):
    """Tell whether some samples of a block are clipped, but not all of them to the same end of the scale."""
    white, black = masks[block, 0], masks[block, 1]
    return (white | black) != 0 and white != _ALL and black != _ALL


@helper
def overshot_pair(first, second, masks, left, right, constants, space, first_target, second_target):
    """Compute coefficients of the blocks `left` and `right` that are shown alike, and take less.

    Parameters
    ----------
    first, second : addresses of the 64 coefficients of each block
    masks : (blocks, 2) masks of white and of black samples
    left, right : numbers of the two blocks
    constants : (388,) see `optcodec.jpeg.overshoot`
    space : (528,) work space
    first_target, second_target : addresses of 64 coefficients, which are written
    """
    _begin(first, second, masks, left, right, constants, space, True)
    turns = np.int64(constants[_TURNS]) if _is_partial(masks, left) or _is_partial(masks, right) else 0
    for _ in range(turns):
        _make_sparser(address_of(space), address_of(constants))
    pair_natural(address_of(space), _PITCH, first_target, second_target)
    kept = _exceeding(first_target, second_target, address_of(constants))
    if constants[_GUARDED]:
        kept |= _is_worse(first, first_target, second, second_target, constants, space)
    if kept & 1 or not (masks[left, 0] | masks[left, 1]):
        _copy_block(first, first_target)
    if kept & 2 or not (masks[right, 0] | masks[right, 1]):
        _copy_block(second, second_target)


@export("f32[:,:], u64[:,:], i64[:,:], f32[:], out f32[:], out f32[:,:]")
def overshot_blocks(coefficients, masks, blocks, constants, space, result):
    """Compute the coefficients of some blocks by `overshot_pair`.

    Parameters
    ----------
    coefficients : (count, 64)
    masks : (count, 2) masks of white and of black samples
    blocks : (some, 2) numbers of the blocks, and rows of the result for them
    constants, space : see `overshot_pair`
    result : (rows, 64) receives the coefficients of these blocks
    """
    source, target = address_of(coefficients), address_of(result)
    for index in range(0, blocks.shape[0], 2):
        other = min(index + 1, blocks.shape[0] - 1)
        left, right = blocks[index, 0], blocks[other, 0]
        targets = target + 256 * blocks[index, 1], target + 256 * blocks[other, 1]
        overshot_pair(
            source + 256 * left, source + 256 * right, masks, left, right, constants, space, targets[0], targets[1]
        )


@export("f32[:,:], i16[:,:], f32[:], u64[:,:], i64[:,:], f32[:], out f32[:], out f32[:,:]")
def decoded_blocks(coefficients, indices, steps, masks, blocks, constants, space, result):
    """Compute the coefficients of some blocks in the nearest picture to the decoded one that is shown alike.

    Parameters
    ----------
    coefficients, indices : (count, 64) of the picture, and what it was coded to
    steps : (64,) quantization table
    masks, blocks, constants, result : see `overshot_blocks`
    space : (528,) work space
    """
    source, target, decoded = address_of(coefficients), address_of(result), space[_DECODED // 4 :]
    for index in range(0, blocks.shape[0], 2):
        other = min(index + 1, blocks.shape[0] - 1)
        left, right = blocks[index, 0], blocks[other, 0]
        _begin(source + 256 * left, source + 256 * right, masks, left, right, constants, space, False)
        for f in range(64):
            decoded[f] = np.float32(indices[left, f]) * steps[f]
            decoded[64 + f] = np.float32(indices[right, f]) * steps[f]
        _decode_pair(address_of(decoded), address_of(decoded) + 256, address_of(space))
        _return_to_ranges(address_of(space))
        pair_natural(address_of(space), _PITCH, target + 256 * blocks[index, 1], target + 256 * blocks[other, 1])
