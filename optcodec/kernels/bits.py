"""Write tokens as bytes: code words in a bit stream, a stuffed zero after each 0xFF, restart markers."""

from __future__ import annotations

from numba import types

from optcodec.kernels.export import export, helper
from optcodec.kernels.scalars import (
    load_u8,
    load_u32,
    load_u64,
    store_u8,
    store_u64_big_endian,
    trailing_zeros,
)
from optcodec.kernels.vector import U8, address_of, emit

__all__ = ["copy_and_find", "write_interval", "write_intervals", "write_part"]


@emit(2, types.int64)
def copy_and_find(b, source, target):
    """Copy 64 bytes, and return a mask of those that are 0xFF."""
    chunk = b.load(source, U8, 64)
    chunk.store(target)
    return chunk.equal_mask(255)


@helper
def _word(token, codes):
    """Return length and value of the code word, with its additional bits, of the token at an address."""
    bits = load_u32(token)
    entry = load_u64(codes + 8 * (bits >> 16))
    return entry & 255, (entry >> 8) | (bits & 0xFFFF)


@helper
def _write(tokens, count, codes, raw, fill):
    """Write the code words of tokens, from bit `fill` (0..7) of the byte at `raw`; return the bits used from there on.

    Four code words at a time, if they are short enough, are collected at the upper end of a 64-bit number. All of its
    eight bytes are stored each time; those that are not complete yet are stored again later.
    """
    position = raw
    held = 0
    index = 0
    while index < count:
        bits, word = _word(tokens + 4 * index, codes)
        index += 1
        if index + 3 <= count:
            bits_2, word_2 = _word(tokens + 4 * index, codes)
            bits_3, word_3 = _word(tokens + 4 * index + 4, codes)
            bits_4, word_4 = _word(tokens + 4 * index + 8, codes)
            if bits + bits_2 + bits_3 + bits_4 <= 56:  # fits behind the 7 bits that may be left over
                word = ((word << bits_2) | word_2) << (bits_3 + bits_4) | (word_3 << bits_4) | word_4
                bits += bits_2 + bits_3 + bits_4
                index += 3
        fill += bits
        held |= word << (64 - fill)
        store_u64_big_endian(position, held)
        position += fill >> 3
        held <<= fill & 56
        fill &= 7
    return (position - raw) * 8 + fill


@helper
def _finish(raw, bits):
    """Fill up the last byte with ones (T.81, F.1.2.3), and return the number of bytes."""
    if bits & 7:
        last = raw + (bits >> 3)
        store_u8(last, load_u8(last) | (0xFF >> (bits & 7)))
    return (bits + 7) >> 3


@helper
def _stuff(source, count, target):
    """Copy bytes and put a zero behind each 0xFF (T.81, B.1.1.5); return the number of bytes written."""
    start = target
    position = 0
    while position < count:
        marks = copy_and_find(source + position, target)
        step = min(64, count - position)
        if step < 64:
            marks &= (1 << step) - 1
        if marks:
            step = trailing_zeros(marks) + 1
            store_u8(target + step, 0)
            target += 1
        position += step
        target += step
    return target - start


@helper
def write_interval(tokens, count, codes, raw, target):
    """Write tokens as a whole restart interval, or a scan without such; return the bytes written.

    All but `count` are addresses. `raw` is work space of 4 bytes a token and 80 more; `target` has 8 bytes a token and
    160 more.
    """
    return _stuff(raw, _finish(raw, _write(tokens, count, codes, raw, 0)), target)


@export("u32[:], i64, i64[:], i64, out u8[:], out u8[:], out u8[:] -> i64")
def write_part(tokens, count, codes, fill, raw, target, edges):
    """Write the first `count` tokens of a part of a scan that begins at bit `fill` of a byte; return the bytes written.

    `target` receives the complete bytes, stuffed. `edges` receives three numbers: a byte with the first bits of this
    part, which belong behind the last bits of the part before; a byte with the last bits; and the number of last bits.
    `raw` and `target` need 64 spare bytes at their ends. A part has at least 8 bits, since it has hundreds of blocks
    with 2 or more bits each.
    """
    start = address_of(raw)
    bits = _write(address_of(tokens), count, address_of(codes), start, fill)
    skipped = 1 if fill else 0
    edges[0] = load_u8(start) if fill else 0
    edges[1] = load_u8(start + (bits >> 3)) if bits & 7 else 0
    edges[2] = bits & 7
    return _stuff(start + skipped, (bits >> 3) - skipped, address_of(target))


@export("u32[:], i64[:], i64[:], out u8[:], out u8[:] -> i64")
def write_intervals(tokens, bounds, codes, raw, target):
    """Write a scan with restart markers; return the number of bytes.

    Restart interval i has the tokens ``bounds[i]..bounds[i + 1] - 1``.
    """
    source, end = address_of(tokens), address_of(target)
    start = end
    intervals = bounds.shape[0] - 1
    for interval in range(intervals):
        first = bounds[interval]
        count = bounds[interval + 1] - first
        end += write_interval(source + 4 * first, count, address_of(codes), address_of(raw), end)
        if interval + 1 < intervals:
            store_u8(end, 0xFF)
            store_u8(end + 1, 0xD0 + (interval & 7))  # RST0..RST7 in turn
            end += 2
    return end - start
