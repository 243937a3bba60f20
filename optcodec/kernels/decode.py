"""Entropy decoding of whole scans into row-major int16 blocks (ITU-T T.81, F.2 and G.2)."""

from __future__ import annotations

import numpy as np

from optcodec.kernels.bits import copy_and_find
from optcodec.kernels.blocks import LARGEST, ac_first_block, ac_refine_block, sequential_block, store_i16
from optcodec.kernels.codewords import difference, put_entries, refill, shift_down
from optcodec.kernels.export import export, helper, inlined
from optcodec.kernels.scalars import load_i16, load_u8, store_u8, store_u64, trailing_zeros
from optcodec.kernels.scancodes import (
    AC_FIRST,
    AC_TABLE,
    BAD_CODE,
    COLUMNS,
    DC_FIRST,
    DC_REFINE,
    DC_TABLE,
    DONE,
    EOB_RUN,
    FIRST,
    INTERVAL,
    KIND,
    LAST,
    LEFTOVER,
    LOOKAHEAD,
    LOW_BIT,
    MCU_COLUMNS,
    MCUS,
    OFFSET,
    PREDICTION,
    RANGE,
    RESTART,
    ROWS,
    SEQUENTIAL,
    SLACK,
    STRAY,
    TABLE_SIZE,
    TRUNCATED,
    H,
    V,
)
from optcodec.kernels.vector import address_of

__all__ = ["build_table", "decode_scan", "unstuff"]


@export("u8[:], i64, out i32[:]")
def build_table(spec, fuse, table):
    """Fill one row of Huffman tables (T.81, Annex C and Figure F.15).

    Parameters
    ----------
    spec : 16 numbers of codes by length, then the symbols; not over-subscribed
    fuse : 1 if the additional bits of a symbol are a coefficient that may be decoded along with it, 0 if not
    table : (TABLE_SIZE,) see `optcodec.kernels.scancodes`
    """
    table[: 1 << LOOKAHEAD] = 0
    max_codes, to_place = table[1 << LOOKAHEAD :], table[(1 << LOOKAHEAD) + 17 :]
    symbols = table[(1 << LOOKAHEAD) + 34 :]
    code = place = 0
    for length in range(1, 17):
        to_place[length] = place - code
        for _ in range(spec[length - 1]):
            symbol = np.int64(spec[16 + place])
            symbols[place] = symbol
            if length <= LOOKAHEAD:
                put_entries(table, code << (LOOKAHEAD - length), length, symbol, fuse)
            code += 1
            place += 1
        max_codes[length] = code - 1 if spec[length - 1] else -1
        code <<= 1


@helper
def _skip_fill(position, end):
    """T.81, B.1.1.2: any number of FF may stand before a marker."""
    while position < end and load_u8(position) == 0xFF:
        position += 1
    return position


@export("u8[:], i64, i64, out u8[:], out i64[:] -> i64")
def unstuff(source, first, last, target, bounds):
    """Copy the entropy-coded data source[first:last] without stuffed zeros and restart markers.

    `bounds` receives where each restart interval begins in `target`, and where the last one ends; its length says how
    many there are. `target` has SLACK bytes more than the data; those behind the copy are set to 0. The result is DONE,
    or RESTART or STRAY with the position in `source` in bounds[0].
    """
    start, place = address_of(target), address_of(target)
    position, end = address_of(source) + first, address_of(source) + last
    intervals, interval, code = bounds.shape[0] - 1, 0, DONE
    bounds[0] = 0
    while position < end and code == DONE:
        if end - position >= 64:
            ones = copy_and_find(position, place)
            step = trailing_zeros(ones) if ones else 64
            place += step
            position += step
            if ones == 0:
                continue
        byte = load_u8(position)
        store_u8(place, byte)
        place += 1
        position += 1
        if byte == 0xFF and position < end and load_u8(position) == 0:
            position += 1
        elif byte == 0xFF:
            place -= 1
            interval += 1
            position = _skip_fill(position, end)
            marker = load_u8(position) if position < end else 0
            if not 0xD0 <= marker <= 0xD7:
                code = STRAY
            elif interval == intervals or marker != 0xD0 + ((interval - 1) & 7):
                code = RESTART
            else:
                bounds[interval] = place - start
                position += 1
    if code == DONE and interval + 1 < intervals:
        code = RESTART
    if code:
        bounds[0] = position - address_of(source)
        return code
    bounds[intervals] = place - start
    for index in range(SLACK // 8):
        store_u64(place + 8 * index, 0)
    return DONE


@inlined
def _put_dc(block, part, difference, Al):
    """Add a DC difference to the prediction of a component (T.81, F.2.1.3.1), and store the sum."""
    value = part[PREDICTION] + difference
    part[PREDICTION] = value
    if not -LARGEST - 1 <= value << Al <= LARGEST:
        return RANGE
    store_i16(block, value << Al)
    return DONE


@helper
def _decode_block(scan, block, part, tables, blocks, held, count, position):
    """Decode one block of any kind of scan; `blocks` is what an end-of-band run has left."""
    kind, Ss, Se, Al = scan[KIND], scan[FIRST], scan[LAST], scan[LOW_BIT]
    dc = tables + 4 * TABLE_SIZE * part[DC_TABLE]
    ac = tables + 4 * TABLE_SIZE * part[AC_TABLE]
    code = DONE
    if kind == SEQUENTIAL:
        code, value, held, count, position = sequential_block(block, dc, ac, held, count, position)
        code = code or _put_dc(block, part, value, Al)
    elif kind == DC_FIRST:
        code, value, held, count, position = difference(dc, held, count, position)
        code = code or _put_dc(block, part, value, Al)
    elif kind == DC_REFINE:
        if count < 1:
            held, count, position = refill(held, count, position)
        store_i16(block, load_i16(block) | (shift_down(held, 63) << Al))
        held <<= 1
        count -= 1
    elif kind == AC_FIRST:
        code, blocks, held, count, position = ac_first_block(block, ac, Ss, Se, Al, held, count, position)
        blocks -= blocks > 0
    else:
        code, blocks, held, count, position = ac_refine_block(block, ac, blocks, Ss, Se, Al, held, count, position)
    return code, blocks, held, count, position


@helper
def _decode_mcus(first, last, position, end, scan, parts, tables, coefficients):
    """Decode the MCUs first..last-1, which lie from address `position` up to `end`; the result and the bits not used.

    Blocks outside of a component only fill up an MCU: they are decoded to the spare block at the end.
    """
    columns = scan[MCU_COLUMNS]
    spare = address_of(coefficients) + 2 * (coefficients.shape[0] - 64)
    blocks = held = count = np.int64(0)  # a plain 0 would have everything compiled once more for constants
    mcu = first
    while mcu < last:
        if scan[KIND] == AC_FIRST and blocks > 0:
            skipped = min(blocks, last - mcu)
            blocks -= skipped
            mcu += skipped
            continue
        row, column = mcu // columns, mcu % columns
        for index in range(parts.shape[0]):
            part = parts[index]
            h, v = part[H], part[V]
            for y in range(row * v, row * v + v):
                for x in range(column * h, column * h + h):
                    block = spare
                    if y < part[ROWS] and x < part[COLUMNS]:
                        block = address_of(coefficients) + 128 * (part[OFFSET] + y * part[COLUMNS] + x)
                    code, blocks, held, count, position = _decode_block(
                        scan, block, part, tables, blocks, held, count, position
                    )
                    left = (end - position) * 8 + count
                    if left < 0 or (code == BAD_CODE and left < 16):
                        return TRUNCATED, left
                    if code:
                        return code, left
        mcu += 1
    return EOB_RUN if blocks else DONE, (end - position) * 8 + count


@export("u8[:], i64[:], i32[:,:], i64[:], out i64[:,:], out i16[:], out i64[:] -> i64")
def decode_scan(data, bounds, tables, scan, parts, coefficients, report):
    """Decode one scan.

    Parameters
    ----------
    data : entropy-coded data that went through `unstuff`, with SLACK bytes behind it
    bounds : (intervals + 1,) where in `data` each restart interval begins, and where the last one ends
    tables : (count, TABLE_SIZE) Huffman tables
    scan : (7,) KIND to INTERVAL of `optcodec.kernels.scancodes`; the restart interval is at least 1
    parts : (components, PART_COLUMNS) components of the scan
    coefficients : blocks of all components, row-major, and one spare block
    report : (1,) where in `data` decoding stopped, in bytes

    Returns
    -------
    A result of `optcodec.kernels.scancodes`.
    """
    start = address_of(data)
    for interval in range(bounds.shape[0] - 1):
        for index in range(parts.shape[0]):
            parts[index, PREDICTION] = 0
        first = interval * scan[INTERVAL]
        last = min(first + scan[INTERVAL], scan[MCUS])
        end = start + bounds[interval + 1]
        code, left = _decode_mcus(
            first, last, start + bounds[interval], end, scan, parts, address_of(tables), coefficients
        )
        if code == DONE and left >= 8:
            code = LEFTOVER
        if code:
            report[0] = bounds[interval + 1] - ((max(left, 0) + 7) >> 3)
            return code
    return DONE
