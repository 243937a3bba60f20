"""Find the samples of luminance that a decoder clips: where a pixel is white, or black."""

from __future__ import annotations

import numpy as np
from numba import types

from optcodec.kernels.export import export, helper
from optcodec.kernels.scalars import load_u8, trailing_zeros
from optcodec.kernels.vector import U8, address_of, emit

__all__ = ["clipped_samples", "mark_blocks"]

_LANES = 64  # bytes that are looked at together
_FIRST_OF_3 = sum(1 << bit for bit in range(0, 63, 3))


def _common(b, address, channels, white):
    """Return 64 bytes, each of which is 255 if so many bytes from it on are 255, or if not `white`, are 0."""
    common = None
    for channel in range(channels):
        values = b.load(address + channel, U8, _LANES)
        values = values if white else values ^ 255
        common = values if common is None else common & values
    return common


def _bits(channels, kinds):
    """Make a function of an address that returns bits: of which pixels all channels are at one of these ends."""

    @emit(1, types.int64)
    def bits(b, address):
        total = None
        for white in kinds:
            mask = _common(b, address, channels, white).equal_mask(255)
            total = mask if total is None else mask._with(b.builder.or_(total.value, mask.value))
        return total & _FIRST_OF_3 if channels == 3 else total

    return bits


_ends_of_3, _whites_of_3, _blacks_of_3 = _bits(3, (True, False)), _bits(3, (True,)), _bits(3, (False,))
_ends_of_1, _whites_of_1, _blacks_of_1 = _bits(1, (True, False)), _bits(1, (True,)), _bits(1, (False,))


@helper
def _is_end(address, channels, value):
    """Tell whether all channels of a pixel have a value."""
    found = 0
    for channel in range(channels):
        found += load_u8(address + channel) == value
    return found == channels


@helper
def _mark(masks, block, kind, sample):
    masks[block, kind] |= np.uint64(1) << np.uint64(sample)


@helper
def _mark_bits(masks, bits, kind, channels, first, x, y):
    """Mark the samples whose bits are set, for the pixels from column `x` on, `channels` bits apart; count them."""
    count = 0
    while bits:
        place = x + trailing_zeros(bits) // channels
        bits &= bits - 1
        _mark(masks, first + place // 8, kind, 8 * y + place % 8)
        count += 1
    return count


@helper
def _scan_group(address, channels, kept, first, x, y, masks):
    """Mark the clipped samples among the pixels from column `x` on whose bits are kept; count them."""
    count = 0
    if channels == 3:
        if _ends_of_3(address):
            count += _mark_bits(masks, _whites_of_3(address) & kept, 0, 3, first, x, y)
            count += _mark_bits(masks, _blacks_of_3(address) & kept, 1, 3, first, x, y)
    elif _ends_of_1(address):
        count += _mark_bits(masks, _whites_of_1(address) & kept, 0, 1, first, x, y)
        count += _mark_bits(masks, _blacks_of_1(address) & kept, 1, 1, first, x, y)
    return count


@helper
def _scan_row(row, width, channels, first, y, masks):
    """Mark the clipped samples of a row of pixels, which is row `y` of the blocks from `first` on; count them."""
    x = count = 0
    last = width - (_LANES + 2 * channels - 2) // channels  # column where a group of pixels can begin
    while x <= last:
        count += _scan_group(row + channels * x, channels, np.int64(-1), first, x, y, masks)
        x += _LANES // channels
    if 0 <= last < x < width:  # once more the last group, without the pixels that have been looked at
        kept = np.int64(-1) << np.int64(channels * (x - last))
        count += _scan_group(row + channels * last, channels, kept, first, last, y, masks)
        x = max(x, last + _LANES // channels)
    for place in range(x, width):
        for kind in range(2):
            if _is_end(row + channels * place, channels, 255 if kind == 0 else 0):
                _mark(masks, first + place // 8, kind, 8 * y + place % 8)
                count += 1
    return count


@helper
def _extend(masks, first, columns, width, height):
    """Repeat the last column and the last row of the picture up to the ends of the blocks, as the encoder does."""
    for kind in range(2):
        if width & 7:
            for y in range(8):
                last = first + columns - 1
                if (masks[last, kind] >> np.uint64(8 * y + (width & 7) - 1)) & np.uint64(1):
                    for x in range(width & 7, 8):
                        _mark(masks, last, kind, 8 * y + x)
        for block in range(first, first + columns):
            for y in range(height, 8):
                row = (masks[block, kind] >> np.uint64(8 * height - 8)) & np.uint64(255)
                masks[block, kind] |= row << np.uint64(8 * y)


@helper
def _has_end(samples, width):
    """Tell whether one of `width` samples of luminance, or of up to 63 more, is 0 or 255."""
    found = 0
    for x in range(0, width, _LANES):
        found |= _ends_of_1(samples + x)
    return found != 0


@helper
def mark_blocks(pixels, row, masks, first, samples, stride):
    """Store which samples of luminance are clipped in a row of blocks; return how many pixels are.

    The masks are those from `first` on. Where the samples are known, which lie at the address `samples`, rows of
    pixels without a sample of 0 or 255 are left out: white and black pixels have such ones.
    """
    height, width, channels = pixels.shape
    columns, count, inside = (width + 7) // 8, 0, min(8, height - 8 * row)
    masks[first : first + columns] = 0
    for y in range(inside):
        if not samples or _has_end(samples + y * stride, width):
            start = address_of(pixels) + channels * width * (8 * row + y)
            count += _scan_row(start, width, channels, first, y, masks)
    if count:
        _extend(masks, first, columns, width, inside)
    return count


@export("u8[:,:,:], i64, i64, out u64[:,:] -> i64")
def clipped_samples(pixels, first, last, masks):
    """Store which samples of luminance are clipped in the rows first..last-1 of blocks; return how many pixels are.

    Parameters
    ----------
    pixels : (height, width, 1 or 3) grey or RGB
    masks : (blocks, 2) bits of the white and of the black samples of each block: bit 8 y + x for sample x of row y
    """
    columns, count = (pixels.shape[1] + 7) // 8, 0
    for row in range(first, last):
        count += mark_blocks(pixels, row, masks, row * columns, 0, 0)
    return count
