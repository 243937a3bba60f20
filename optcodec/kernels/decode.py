"""Decode the entropy-coded data of scans into row-major int16 blocks (ITU-T T.81, F.2 and G.2)."""

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
    """Fill one row of the Huffman tables (T.81, Annex C and Figure F.15).

    Parameters
    ----------
    spec : 16 numbers of codes by length, then the symbols; not over-subscribed
    fuse : 1 if additional bits are the value of a coefficient, and may be decoded together with the code; else 0
    table : (TABLE_SIZE,) see `optcodec.kernels.scancodes`
    """
    table[: 1 << LOOKAHEAD] = 0
    max_codes, to_index = table[1 << LOOKAHEAD :], table[(1 << LOOKAHEAD) + 17 :]
    symbols = table[(1 << LOOKAHEAD) + 34 :]
    code = index = 0
    for length in range(1, 17):
        to_index[length] = index - code
        for _ in range(spec[length - 1]):
            symbol = np.int64(spec[16 + index])
            symbols[index] = symbol
            if length <= LOOKAHEAD:
                put_entries(table, code << (LOOKAHEAD - length), length, symbol, fuse)
            code += 1
            index += 1
        max_codes[length] = code - 1 if spec[length - 1] else -1
        code <<= 1


@helper
def _skip_fill(position, end):
    """Skip fill bytes, any number of FF in front of a marker (T.81, B.1.1.2)."""
    while position < end and load_u8(position) == 0xFF:
        position += 1
    return position


@export("u8[:], i64, out u8[:], out i64[:], out i64[:] -> i64")
def unstuff(source, intervals, target, bounds, state):
    """Copy entropy-coded data without stuffed zeros and restart markers, as far as there is room.

    Parameters
    ----------
    source : the file
    intervals : number of restart intervals in the scan
    target : the data is appended to the FILLED bytes that are there already; SLACK bytes behind it are set to 0
    bounds : receives COUNT + 1 numbers: the position in `target` at which each restart interval begins, and that at
        which the last one ends; the beginning of the first interval may be missing, and so may the end of the last one
    state : (STATE_SIZE,) see `optcodec.kernels.scancodes`

    Returns
    -------
    DONE, with SOURCE behind the copied data; or RESTART or STRAY, with SOURCE at the position of the error.
    """
    start, end = address_of(target), address_of(source) + state[END]
    target_end, full = start + state[FILLED], start + target.shape[0] - SLACK
    position, code, count = address_of(source) + state[SOURCE], DONE, 1
    bounds[0] = 0
    while position < end and target_end < full and code == DONE:
        if end - position >= 64 and full - target_end >= 64:
            ones = copy_and_find(position, target_end)
            step = trailing_zeros(ones) if ones else 64
            target_end += step
            position += step
            if ones == 0:
                continue
        byte = load_u8(position)
        store_u8(target_end, byte)
        target_end += 1
        position += 1
        if byte == 0xFF and position < end and load_u8(position) == 0:
            position += 1
        elif byte == 0xFF:
            target_end -= 1
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
                bounds[count] = target_end - start
                count += 1
                position += 1
    if code == DONE and position == end and state[MARKERS] + 1 < intervals:
        code = RESTART
    state[SOURCE] = position - address_of(source)
    state[FILLED] = bounds[count] = target_end - start
    state[COUNT] = count
    for index in range(SLACK // 8):
        store_u64(target_end + 8 * index, 0)
    return code


@inlined
def _put_dc(block, component, difference, Al):
    """Add a DC difference to the prediction of a component (T.81, F.2.1.3.1), and store the sum."""
    value = component[PREDICTION] + difference
    component[PREDICTION] = value
    if not -LARGEST - 1 <= value << Al <= LARGEST:
        return RANGE
    store_i16(block, value << Al)
    return DONE


@helper
def _decode_block(scan, block, component, tables, blocks, held, count, position):
    """Decode one block of any kind of scan; `blocks` is the number of blocks left in the current end-of-band run."""
    kind, Ss, Se, Al = scan[KIND], scan[FIRST], scan[LAST], scan[LOW_BIT]
    dc = tables + 4 * TABLE_SIZE * component[DC_TABLE]
    ac = tables + 4 * TABLE_SIZE * component[AC_TABLE]
    code = DONE
    if kind == SEQUENTIAL:
        code, value, held, count, position = sequential_block(block, dc, ac, held, count, position)
        code = code or _put_dc(block, component, value, Al)
    elif kind == DC_FIRST:
        code, value, held, count, position = difference(dc, held, count, position)
        code = code or _put_dc(block, component, value, Al)
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
def _decode_mcus(first, last, bit, end, room, scan, components, tables, coefficients):
    """Decode the MCUs first..last-1, whose data begins at a bit (numbered from address 0) and ends at address `end`.

    Blocks outside of a component only fill up an MCU: they are decoded to the spare block at the end. No MCU is begun
    behind the address `room`. Returned are the result, the number of unused bits, the next MCU, and the blocks left in
    the current end-of-band run.
    """
    columns = scan[MCU_COLUMNS]
    spare = address_of(coefficients) + 2 * (coefficients.shape[0] - 64)
    blocks = held = count = np.int64(0)  # for a plain 0, numba would compile everything once more for constants
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
        for index in range(components.shape[0]):
            component = components[index]
            h, v = component[H], component[V]
            for y in range(row * v, row * v + v):
                for x in range(column * h, column * h + h):
                    block = spare
                    if y < component[ROWS] and x < component[COLUMNS]:
                        block = address_of(coefficients) + 128 * (component[OFFSET] + y * component[COLUMNS] + x)
                    code, blocks, held, count, position = _decode_block(
                        scan, block, component, tables, blocks, held, count, position
                    )
                    unused = (end - position) * 8 + count
                    if unused < 0 or (code == BAD_CODE and unused < 16):
                        return TRUNCATED, unused, mcu, blocks
                    if code:
                        return code, unused, mcu, blocks
        mcu += 1
    return EOB_RUN if blocks else DONE, (end - position) * 8 + count, mcu, blocks


@helper
def _bytes_of_mcu(components):
    """Return an upper limit for the bytes of an MCU: SLACK for each block."""
    blocks = 0
    for index in range(components.shape[0]):
        blocks += components[index, H] * components[index, V]
    return blocks * SLACK


@export("u8[:], i64[:], i32[:,:], i64[:], out i64[:,:], out i16[:], out i64[:] -> i64")
def decode_scan(data, bounds, tables, scan, components, coefficients, state):
    """Decode a scan, or the next MCUs of a scan.

    Parameters
    ----------
    data : entropy-coded data from `unstuff`, with SLACK bytes behind it
    bounds : (COUNT + 1,) or more; the position in `data` at which each restart interval begins, and the end of the last
    tables : (count, TABLE_SIZE) Huffman tables
    scan : (7,) KIND to INTERVAL of `optcodec.kernels.scancodes`; the restart interval is at least 1
    components : (components, COMPONENT_COLUMNS) components of the scan
    coefficients : blocks of all components, row-major, and one spare block
    state : (STATE_SIZE,) where decoding begins and where it shall stop; on return, where it stopped. Only for
        sequential scans may decoding begin or stop within a restart interval.

    Returns
    -------
    DONE at the requested MCU, PAUSED if `unstuff` has to fetch more data, or an error code.
    """
    start, code = address_of(data), DONE
    is_complete = state[SOURCE] == state[END]
    while state[MCU] < state[STOP] and code == DONE:
        number = state[MCU] // scan[INTERVAL]
        index = number - (state[MARKERS] + 1 - state[COUNT])  # in `bounds`
        if state[MCU] == number * scan[INTERVAL]:
            state[BIT] = 8 * bounds[index]
            for component in range(components.shape[0]):
                components[component, PREDICTION] = 0
        last = min((number + 1) * scan[INTERVAL], scan[MCUS])
        end = start + bounds[index + 1]
        # The data of the last interval may be incomplete. Then an MCU is begun only if its data is surely complete. So
        # the scan does not seem truncated, and bytes behind the last MCU of the interval are surely left over.
        room = end + SLACK if is_complete or index + 1 < state[COUNT] else end - _bytes_of_mcu(components)
        code, unused, reached, state[RUN] = _decode_mcus(
            state[MCU],
            min(last, state[STOP]),
            8 * start + state[BIT],
            end,
            room,
            scan,
            components,
            address_of(tables),
            coefficients,
        )
        if code == DONE and reached == last and unused >= 8:
            code = LEFTOVER
        state[BIT] = 8 * bounds[index + 1] - max(unused, 0)
        state[MCU] = reached
    return code
