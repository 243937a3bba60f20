"""Decode Huffman codes from a bit stream (ITU-T T.81, F.2.2).

The state of the bit stream is `held, count, position`: the next `count` bits are the upper bits of the 64-bit number
`held`, and `position` is the address of the byte behind them. Stuffed zeros and restart markers have been removed
before, so that eight bytes can be loaded at a time.

A Huffman table is a row of int32 (see TABLE_SIZE in `optcodec.kernels.scancodes`). It begins with an entry for each
value of the next LOOKAHEAD bits::

    value << 16 | run << 12 | size << 8 | bits to drop

If the code and its additional bits fit into the lookahead, the entry has their value, and size is 0. An entry of 0
stands for codes that are longer than the lookahead.
"""

from __future__ import annotations

from numba import types

from optcodec.kernels.export import helper, inlined
from optcodec.kernels.scalars import load_u64_big_endian
from optcodec.kernels.scancodes import BAD_CODE, BAD_SYMBOL, DONE, LOOKAHEAD
from optcodec.kernels.vector import I32, U64, Vector, emit

__all__ = ["difference", "extend", "lookup", "put_entries", "refill", "shift_down"]

# Byte offsets in a table.
_MAX_CODE = 4 << LOOKAHEAD
_TO_INDEX = _MAX_CODE + 4 * 17
_SYMBOLS = _TO_INDEX + 4 * 17


@emit(1, types.int64)
def _load_i32(b, address):
    return b.load(address, I32).resize(U64, signed=True)


@emit(2, types.int64)
def shift_down(b, value, bits):
    """Logical shift to the right by 0..63 bits."""
    return Vector(b.builder, b.builder.lshr(value.value, bits.value))


@inlined
def refill(held, count, position):
    """Load bytes until at least 56 bits are held; some bytes are loaded again, which changes nothing."""
    held |= shift_down(load_u64_big_endian(position), count)
    return held, count | 56, position + ((63 - count) >> 3)


@inlined
def extend(bits, size):
    """Return the value that `size` additional bits stand for (T.81, Figure F.12)."""
    return bits - (((bits >> (size - 1)) - 1) & ((1 << size) - 1))


@helper
def _long_code(table, held):
    """Find the entry of a code longer than the lookahead (T.81, Figure F.16); 0 if the bits begin no code."""
    for length in range(LOOKAHEAD + 1, 17):
        code = shift_down(held, 64 - length)
        if code <= _load_i32(table + _MAX_CODE + 4 * length):
            index = code + _load_i32(table + _TO_INDEX + 4 * length)
            symbol = _load_i32(table + _SYMBOLS + 4 * index)
            return symbol << 8 | length
    return 0


@inlined
def lookup(table, held):
    """Find the entry of the next code; 0 if the bits begin no code."""
    entry = _load_i32(table + 4 * shift_down(held, 64 - LOOKAHEAD))
    if entry == 0:
        entry = _long_code(table, held)
    return entry


@inlined
def difference(table, held, count, position):
    """Decode the next DC difference (T.81, F.2.2.1)."""
    if count < 32:
        held, count, position = refill(held, count, position)
    entry = lookup(table, held)
    held <<= entry & 255
    count -= entry & 255
    value = entry >> 16
    size = (entry >> 8) & 15
    if size:
        value = extend(shift_down(held, 64 - size), size)
        held <<= size
        count -= size
    code = DONE
    if entry == 0:
        code = BAD_CODE
    elif (entry >> 12) & 15:
        code = BAD_SYMBOL
    return code, value, held, count, position


@helper
def put_entries(table, first, length, symbol, fuse):
    """Write the entries of all lookaheads that begin with a code.

    They have the value of the additional bits, too, if these fit into the lookahead and `fuse` is set.
    """
    size, remaining = symbol & 15, LOOKAHEAD - length
    for tail in range(1 << remaining):
        if fuse and size <= remaining:
            value = extend(tail >> (remaining - size), size) if size else 0
            table[first + tail] = value << 16 | (symbol >> 4) << 12 | (length + size)
        else:
            table[first + tail] = symbol << 8 | length
