"""Tokens to bytes: code words into a bit stream, a zero byte after each 0xFF, restart markers."""

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

__all__ = ["copy_and_find", "write_intervals", "write_part"]


@emit(2, types.int64)
def copy_and_find(b, source, target):
    """Copy 64 bytes; a mask of those that are 0xFF."""
    chunk = b.load(source, U8, 64)
    chunk.store(target)
    return chunk.equal_mask(255)


@helper
def _word(token, codes):
    """Length and value of the code word, with its extra bits, of the token at an address."""
    bits = load_u32(token)
    entry = load_u64(codes + 8 * (bits >> 16))
    return entry & 255, (entry >> 8) | (bits & 0xFFFF)


@helper
def _write(tokens, count, codes, raw, fill):
    """Code words of the tokens at an address, from bit `fill` (0..7) of the byte at `raw`; the bits in use after it.

    The words of four tokens at a time, where they are short enough, collect at the upper end of 64 bits. Eight bytes
    are stored each time, whole or not: what is not yet whole is stored again.
    """
    position = raw
    held = 0
    index = 0
    while index < count:
        bits, word = _word(tokens + 4 * index, codes)
        index += 1
        if index + 3 <= count:
            second, after = _word(tokens + 4 * index, codes)
            third, next_after = _word(tokens + 4 * index + 4, codes)
            fourth, last = _word(tokens + 4 * index + 8, codes)
            if bits + second + third + fourth <= 56:  # fits behind 7 bits that are left over
                word = ((word << second) | after) << (third + fourth) | (next_after << fourth) | last
                bits += second + third + fourth
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
    """Fill the last byte with ones (T.81, F.1.2.3); the number of whole bytes."""
    if bits & 7:
        last = raw + (bits >> 3)
        store_u8(last, load_u8(last) | (0xFF >> (bits & 7)))
    return (bits + 7) >> 3


@helper
def _stuff(source, count, target):
    """Copy bytes and put a zero behind each 0xFF (T.81, B.1.1.5); the number of bytes written."""
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


@export("u32[:], i64, i64[:], i64, out u8[:], out u8[:], out u8[:] -> i64")
def write_part(tokens, count, codes, fill, raw, target, edges):
    """Write the first `count` tokens of a part that begins at bit `fill` of a byte; the bytes written.

    `target` receives the whole bytes, stuffed. The bits before them, in a byte that the part before began, and those
    behind them go to `edges`, with zeros in the other bits; then the number of the latter. `raw` and `target` have 64
    bytes to spare. A part has at least 8 bits: parts are made of hundreds of blocks, which take 2 or more.
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
    """A scan with restart markers: tokens ``bounds[i]..bounds[i + 1]`` are interval i; the bytes written."""
    source, place = address_of(tokens), address_of(target)
    start = place
    intervals = bounds.shape[0] - 1
    for interval in range(intervals):
        first = bounds[interval]
        count = bounds[interval + 1] - first
        bits = _write(source + 4 * first, count, address_of(codes), address_of(raw), 0)
        place += _stuff(address_of(raw), _finish(address_of(raw), bits), place)
        if interval + 1 < intervals:
            store_u8(place, 0xFF)
            store_u8(place + 1, 0xD0 + (interval & 7))  # RST0..RST7 in turn
            place += 2
    return place - start
