"""Decode one block: the decoding procedures of sequential and progressive scans (ITU-T T.81, F.2 and G.2).

A block is the address of 64 row-major int16. The bit stream is `held, count, position` of `optcodec.kernels.codewords`.
Each procedure returns a result code of `optcodec.kernels.scancodes`, a value of its own, and the bit stream behind the
block. It may read up to SLACK bytes behind the data, so its caller has to compare the position with the end.
"""

from __future__ import annotations

import numpy as np
from numba import types

from optcodec.kernels.codewords import difference, extend, lookup, refill, shift_down
from optcodec.kernels.export import helper, inlined
from optcodec.kernels.scalars import load_i16, load_u8, trailing_zeros
from optcodec.kernels.scancodes import BAD_CODE, BAD_SYMBOL, DONE, INDEX, RANGE
from optcodec.kernels.vector import I16, address_of, emit
from optcodec.kernels.zigzag import NATURAL_ORDER

__all__ = ["LARGEST", "ac_first_block", "ac_refine_block", "sequential_block", "store_i16"]

LARGEST = 32767
# Byte offset of the k-th coefficient of the zig-zag sequence; a run may end up to 15 behind the last one.
_NATURAL = np.array([2 * n for n in NATURAL_ORDER] + [2 * 63] * 16, np.uint8)


@emit(2)
def store_i16(b, address, value):
    value.resize(I16).store(address)


@emit(1, types.int64)
def _nonzero_zz(b, block):
    """Return the zig-zag mask of the nonzero coefficients of a row-major block."""
    natural = b.load(block, I16, 64)
    return natural.shuffle(natural, NATURAL_ORDER).nonzero_mask()


@helper
def sequential_block(block, dc, ac, held, count, position):
    """Decode a block of a sequential scan (T.81, F.2.2): return its DC difference, store AC in the zeroed block."""
    code, value, held, count, position = difference(dc, held, count, position)
    natural = address_of(_NATURAL)
    k = 1
    while k < 64 and code == DONE:
        if count < 32:
            held, count, position = refill(held, count, position)
        entry = lookup(ac, held)
        held <<= entry & 255
        count -= entry & 255
        coefficient = entry >> 16
        k += (entry >> 12) & 15
        if coefficient == 0:
            size = (entry >> 8) & 15
            if size == 0:
                if (entry >> 12) == 15:
                    k += 1
                    continue
                if entry >> 12:
                    code = BAD_SYMBOL
                elif entry == 0:
                    code = BAD_CODE
                break
            coefficient = extend(shift_down(held, 64 - size), size)
            held <<= size
            count -= size
        store_i16(block + load_u8(natural + k), coefficient)
        k += 1
    if k > 64 and code == DONE:
        code = INDEX
    return code, value, held, count, position


@inlined
def _end_of_band(size, held, count):
    """Read the length of an end-of-band run, this block included, from `size` additional bits (T.81, Figure G.4)."""
    blocks = (1 << size) + shift_down(shift_down(held, 1), 63 - size)
    return blocks, held << size, count - size


@helper
def ac_first_block(block, ac, Ss, Se, Al, held, count, position):
    """Decode a block of a first AC scan (T.81, G.1.2.2); also return the length of an end-of-band run that begins."""
    natural = address_of(_NATURAL)
    largest = LARGEST >> Al
    code, blocks = DONE, 0
    k = Ss
    while k <= Se:
        if count < 32:
            held, count, position = refill(held, count, position)
        entry = lookup(ac, held)
        held <<= entry & 255
        count -= entry & 255
        coefficient = entry >> 16
        run = (entry >> 12) & 15
        if coefficient == 0:
            size = (entry >> 8) & 15
            if size == 0 and run < 15:
                blocks, held, count = _end_of_band(run, held, count)
                if entry == 0:
                    code = BAD_CODE
                break
            if size:
                coefficient = extend(shift_down(held, 64 - size), size)
                held <<= size
                count -= size
        if abs(coefficient) > largest:
            code = RANGE
        k += run
        if coefficient:
            store_i16(block + load_u8(natural + k), coefficient << Al)
        k += 1
    if k > Se + 1 and code == DONE:
        code = INDEX
    return code, blocks, held, count, position


@helper
def _correct(block, mask, Al, held, count, position):
    """Read a correction bit for each coefficient in the mask (T.81, G.1.2.3); a 1 adds to its magnitude."""
    natural = address_of(_NATURAL)
    while mask:
        if count < 1:
            held, count, position = refill(held, count, position)
        if held < 0:  # the next bit is 1
            address = block + load_u8(natural + trailing_zeros(mask))
            value = load_i16(address)
            store_i16(address, value + (((value >> 63) | 1) << Al))
        held <<= 1
        count -= 1
        mask &= mask - 1
    return held, count, position


@inlined
def _skip_zeros(zeros, run):
    """Return the position of the one behind the first `run` ones of a mask; 64 if there is none."""
    for _ in range(run):
        zeros &= zeros - 1
    return trailing_zeros(zeros) if zeros else 64


@helper
def ac_refine_block(block, ac, blocks, Ss, Se, Al, held, count, position):
    """Decode a block of an AC refinement scan (T.81, Figure G.7): new coefficients, and correction bits of known ones.

    `blocks` is the number of blocks left in the end-of-band run before, and in the returned values that after.
    """
    natural = address_of(_NATURAL)
    known = _nonzero_zz(block)
    band = shift_down(-1, 63 - Se)  # coefficients 0..Se
    code = DONE
    k = Ss
    while k <= Se and blocks == 0:
        if count < 32:
            held, count, position = refill(held, count, position)
        entry = lookup(ac, held)
        held <<= entry & 255
        count -= entry & 255
        size, run = (entry >> 8) & 15, (entry >> 12) & 15
        if entry == 0 or size > 1:
            code = BAD_SYMBOL if entry else BAD_CODE
            break
        if size == 0 and run < 15:
            blocks, held, count = _end_of_band(run, held, count)
            break
        coefficient = 0
        if size:
            coefficient = (1 if held < 0 else -1) << Al
            held <<= 1
            count -= 1
        end = _skip_zeros(~known & band & (-1 << k), run)
        if end > Se:
            code = INDEX
            break
        held, count, position = _correct(block, known & (-1 << k) & ((1 << end) - 1), Al, held, count, position)
        if coefficient:
            store_i16(block + load_u8(natural + end), coefficient)
        k = end + 1
    if blocks:
        blocks -= 1
        if k <= Se:
            held, count, position = _correct(block, known & band & (-1 << k), Al, held, count, position)
    return code, blocks, held, count, position
