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
    BIT,
    COLUMNS,
    COUNT,
    DC_FIRST,
    DC_REFINE,
    DC_TABLE,
    DONE,
    END,
    EOB_RUN,
    FILLED,
    FIRST,
    INTERVAL,
    KIND,
    LAST,
    LEFTOVER,
    LOOKAHEAD,
    LOW_BIT,
    MARKERS,
    MCU,
    MCU_COLUMNS,
    MCUS,
    OFFSET,
    PAUSED,
    PREDICTION,
    RANGE,
    RESTART,
    ROWS,
    RUN,
    SEQUENTIAL,
    SLACK,
    SOURCE,
    STOP,
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


@export("u8[:], i64, out u8[:], out i64[:], out i64[:] -> i64")
def unstuff(source, intervals, target, bounds, state):
    """Copy entropy-coded data without stuffed zeros and restart markers, as much as there is room for.

    Parameters
    ----------
    source : the file
    intervals : restart intervals of the scan
    target : the data is put behind the FILLED bytes that it has already; SLACK bytes are kept free, and set to 0
    bounds : receives where each restart interval begins in `target`, and where the last one ends, COUNT + 1 numbers;
        of the first and the last, other parts may have been there before and may be still to come
    state : (STATE_SIZE,) see `optcodec.kernels.scancodes`

    Returns
    -------
    DONE, and SOURCE is behind what was copied; or RESTART or STRAY, and SOURCE is where.
    """
    start, end = address_of(target), address_of(source) + state[END]
    place, full = start + state[FILLED], start + target.shape[0] - SLACK
    position, code, count = address_of(source) + state[SOURCE], DONE, 1
    bounds[0] = 0
    while position < end and place < full and code == DONE:
        if end - position >= 64 and full - place >= 64:
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
            before = position - 1
            position = _skip_fill(position, end)
            marker = load_u8(position) if position < end else 0
            if not 0xD0 <= marker <= 0xD7:
                code = STRAY
            elif state[MARKERS] + 1 == intervals or marker != 0xD0 + (state[MARKERS] & 7):
                code = RESTART
            elif count + 1 == bounds.shape[0]:
                position = before
                break
            else:
                state[MARKERS] += 1
                bounds[count] = place - start
                count += 1
                position += 1
    if code == DONE and position == end and state[MARKERS] + 1 < intervals:
        code = RESTART
    state[SOURCE] = position - address_of(source)
    state[FILLED] = bounds[count] = place - start
    state[COUNT] = count
    for index in range(SLACK // 8):
        store_u64(place + 8 * index, 0)
    return code


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
def _decode_mcus(first, last, bit, end, room, scan, parts, tables, coefficients):
    """Decode the MCUs first..last-1, which lie from a bit (8 times its address) up to the address `end`.

    Blocks outside of a component only fill up an MCU: they are decoded to the spare block at the end. An MCU is begun
    up to the address `room` only. Gives the result, the bits not used, the MCU that comes next, and what is left of an
    end-of-band run.
    """
    columns = scan[MCU_COLUMNS]
    spare = address_of(coefficients) + 2 * (coefficients.shape[0] - 64)
    blocks = held = count = np.int64(0)  # a plain 0 would have everything compiled once more for constants
    held, count, position = refill(held, count, bit >> 3)
    held <<= bit & 7
    count -= bit & 7
    mcu = first
    while mcu < last:
        if position > room:
            return PAUSED, (end - position) * 8 + count, mcu, blocks
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
                        return TRUNCATED, left, mcu, blocks
                    if code:
                        return code, left, mcu, blocks
        mcu += 1
    return EOB_RUN if blocks else DONE, (end - position) * 8 + count, mcu, blocks


@helper
def _bytes_of_mcu(parts):
    """More than any MCU takes: SLACK for each block."""
    blocks = 0
    for index in range(parts.shape[0]):
        blocks += parts[index, H] * parts[index, V]
    return blocks * SLACK


@export("u8[:], i64[:], i32[:,:], i64[:], out i64[:,:], out i16[:], out i64[:] -> i64")
def decode_scan(data, bounds, tables, scan, parts, coefficients, state):
    """Decode a scan, or the next MCUs of one.

    Parameters
    ----------
    data : entropy-coded data that went through `unstuff`, with SLACK bytes behind it
    bounds : (COUNT + 1,) or more; where in `data` each restart interval begins, and where the last one ends
    tables : (count, TABLE_SIZE) Huffman tables
    scan : (7,) KIND to INTERVAL of `optcodec.kernels.scancodes`; the restart interval is at least 1
    parts : (components, COMPONENT_COLUMNS) components of the scan
    coefficients : blocks of all components, row-major, and one spare block
    state : (STATE_SIZE,) where decoding begins and stops; on return, where it stopped. Only sequential scans may go on
        within a restart interval.

    Returns
    -------
    DONE at the MCU that was asked for, PAUSED if `unstuff` is to bring more data, or what is wrong.
    """
    start, code = address_of(data), DONE
    is_whole = state[SOURCE] == state[END]
    while state[MCU] < state[STOP] and code == DONE:
        number = state[MCU] // scan[INTERVAL]
        place = number - (state[MARKERS] + 1 - state[COUNT])
        if state[MCU] == number * scan[INTERVAL]:
            state[BIT] = 8 * bounds[place]
            for index in range(parts.shape[0]):
                parts[index, PREDICTION] = 0
        last = min((number + 1) * scan[INTERVAL], scan[MCUS])
        end = start + bounds[place + 1]
        # The last interval may go on behind the data. Then an MCU that is begun leaves some of it, so that nothing
        # seems to be truncated, and what is left behind the last MCU of the interval is left over for sure.
        room = end + SLACK if is_whole or place + 1 < state[COUNT] else end - _bytes_of_mcu(parts)
        code, left, reached, state[RUN] = _decode_mcus(
            state[MCU],
            min(last, state[STOP]),
            8 * start + state[BIT],
            end,
            room,
            scan,
            parts,
            address_of(tables),
            coefficients,
        )
        if code == DONE and reached == last and left >= 8:
            code = LEFTOVER
        state[BIT] = 8 * bounds[place + 1] - max(left, 0)
        state[MCU] = reached
    return code
