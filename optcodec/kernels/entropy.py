"""Blocks to tokens: the symbols of a sequential scan, made once, then counted for the tables and written.

A token is 32 bits: ``context << 16 | extra``. The context is ``slot * 256 + symbol``; slot ``2 t`` is DC table t, slot
``2 t + 1`` AC table t. `extra` holds the additional bits that follow the code (T.81, F.1.2.1 and F.1.2.2); how many
follow from the symbol. A token of slot 8 has no code: its symbol is the number of additional bits.
"""

from __future__ import annotations

from optcodec.kernels.export import export, helper
from optcodec.kernels.scalars import bit_length, load_i16, load_u32, load_u64, store_u32, trailing_zeros
from optcodec.kernels.vector import I16, I32, U64, address_of, emit, memory_at
from optcodec.kernels.zigzag import NATURAL_ORDER

__all__ = [
    "ADDRESS",
    "COLUMNS",
    "OFFSET",
    "PITCH",
    "PLAIN",
    "ROWS",
    "SLOT",
    "ZERO_RUN",
    "H",
    "V",
    "block_tokens",
    "merge_banks",
    "prime",
    "put_token",
    "row_tokens",
    "run_tokens",
    "value_token",
]

# Columns of the table `components`, one row a component: rows and columns of blocks, sampling factors, DC slot; where
# its blocks of one MCU row begin in the work space, and how many it keeps there for each row of blocks; the address of
# its row-major int16 blocks.
ROWS, COLUMNS, H, V, SLOT, OFFSET, PITCH, ADDRESS = range(8)
PLAIN = 8 * 256  # context of tokens without a code, to which the number of bits is added
ZERO_RUN = 0xF0  # T.81, F.1.2.2: ZRL, a run of 16 zeros


@helper
def put_token(tokens, count, histogram, context, extra):
    """Append one token at an address and count it."""
    store_u32(tokens + 4 * count, (context << 16) | extra)
    histogram[context] += 1
    return count + 1


@helper
def value_token(tokens, count, histogram, context, value):
    """Token of a value: its size is added to the context, its low bits follow (one less where it is negative)."""
    sign = value >> 63
    size = bit_length((value ^ sign) - sign)
    return put_token(tokens, count, histogram, context + size, (value + sign) & ((1 << size) - 1))


@emit(2)
def _prepare(b, block, ready):
    """For each of 64 coefficients that is not 0, the token with a run of 0 in slot 0: ``size << 16 | extra``.

    The exponent of the magnitude as a float is its size in bits (T.81, Table F.2), plus 126.
    """
    for quarter in range(4):
        value = b.load(block + 32 * quarter, I16, 16).widen_signed(I32)
        sign = value >> 31
        size = (((value ^ sign) - sign).to_float().bits_as(I32, 16) >> 23) - 126
        mask = b.constant(I32, [1] * 16).shift_left(size & 31) - 1
        ((size << 16) + ((value + sign) & mask)).store(ready + 64 * quarter)


@emit(2)
def _count(b, bank, context):
    """Add one to a 64-bit counter."""
    address = bank + (context << 3)
    (b.load(address, U64) + 1).store(address)


@helper
def run_tokens(tokens, count, histogram, context, block, rest, last, ready):
    """Tokens of the coefficients in the mask `rest`, each with the run of zeros before it (T.81, Figure F.2).

    `last` is the position before the first one that counts for a run; `ready` is work space of 256 bytes. The two
    halves of `histogram` take turns: the same symbol often comes twice, and the second would wait for the first.
    """
    if rest:
        _prepare(block, ready)
    target = tokens + 4 * count
    bank, other = address_of(histogram), address_of(histogram) + 4 * histogram.shape[0]
    while rest:
        position = trailing_zeros(rest)
        rest &= rest - 1
        run = position - last - 1
        last = position
        while run > 15:
            store_u32(target, (context + ZERO_RUN) << 16)
            _count(bank, context + ZERO_RUN)
            target += 4
            run -= 16
        token = load_u32(ready + 4 * position) + ((context + (run << 4)) << 16)
        store_u32(target, token)
        _count(bank, token >> 16)
        target += 4
        bank, other = other, bank
    return (target - tokens) >> 2


@helper
def block_tokens(tokens, count, histogram, slot, block, mask, previous, ready):
    """Tokens of one block: DC difference to `previous`, then AC run-length symbols.

    `block` is the address of 64 zig-zag coefficients, `mask` has a bit for each that is not 0.
    """
    count = value_token(tokens, count, histogram, slot * 256, load_i16(block) - previous)
    context = (slot + 1) * 256
    count = run_tokens(tokens, count, histogram, context, block, mask & ~1, 0, ready)
    if mask >= 0:  # the last coefficient, bit 63, is 0
        count = put_token(tokens, count, histogram, context, 0)
    return count


@helper
def merge_banks(histogram):
    """Add the second half of a histogram to the first."""
    half = histogram.shape[0] // 2
    for context in range(half):
        histogram[context] += histogram[half + context]


@helper
def row_tokens(components, row, columns, restart_interval, blocks, masks, state, tokens, count, histogram, intervals):
    """Tokens of one MCU row whose zig-zag blocks and masks lie at `blocks` and `masks`.

    Blocks outside of a component only fill up an MCU: they repeat the DC before them and have no AC. `intervals[i]`
    receives the number of tokens before restart interval i. `state` holds the DC predictions, then 32 words of work
    space.
    """
    predictions, ready = state[:4], address_of(state) + 32
    for column in range(columns):
        if restart_interval and (row * columns + column) % restart_interval == 0:
            intervals[(row * columns + column) // restart_interval] = count
            predictions[:] = 0
        for part in range(components.shape[0]):
            h, v, slot = components[part, H], components[part, V], components[part, SLOT]
            for y in range(v):
                for x in range(column * h, column * h + h):
                    if row * v + y >= components[part, ROWS] or x >= components[part, COLUMNS]:
                        count = put_token(tokens, count, histogram, slot * 256, 0)
                        count = put_token(tokens, count, histogram, slot * 256 + 256, 0)
                        continue
                    index = components[part, OFFSET] + y * components[part, PITCH] + x
                    block, mask = blocks + 128 * index, load_u64(masks + 8 * index)
                    count = block_tokens(tokens, count, histogram, slot, block, mask, predictions[part], ready)
                    predictions[part] = load_i16(block)
    return count


@helper
def prime(components, row, blocks, predictions):
    """DC predictions after MCU row `row`, whose blocks lie at `blocks`: those of its last blocks."""
    for part in range(components.shape[0]):
        v = components[part, V]
        y = min(row * v + v, components[part, ROWS]) - 1 - row * v
        index = components[part, OFFSET] + y * components[part, PITCH] + components[part, COLUMNS] - 1
        predictions[part] = load_i16(blocks + 128 * index)


@emit(3)
def _zigzag_block(b, block, target, mask):
    """One row-major block of 64 coefficients to zig-zag order, and its mask of nonzero coefficients."""
    natural = b.load(block, I16, 64)
    zigzag = natural.shuffle(natural, NATURAL_ORDER)
    zigzag.store(target)
    zigzag.nonzero_mask().store(mask)


@helper
def _gather(components, row, blocks, masks):
    """Zig-zag blocks and masks of one MCU row."""
    for part in range(components.shape[0]):
        v, columns, rows = components[part, V], components[part, COLUMNS], components[part, ROWS]
        coefficients = memory_at(components[part, ADDRESS], 128 * rows * columns)
        for y in range(min(v, rows - row * v)):
            source = coefficients + 128 * (row * v + y) * columns
            index = components[part, OFFSET] + y * components[part, PITCH]
            for x in range(columns):
                _zigzag_block(source + 128 * x, blocks + 128 * (index + x), masks + 8 * (index + x))


@export("i64[:,:], i64, i64, i64, i64, out i16[:], out i64[:], out u32[:], out i64[:], out i64[:] -> i64")
def scan_tokens(components, first, last, columns, restart_interval, blocks, masks, tokens, histogram, intervals):
    """Tokens of the MCU rows first..last-1 of a sequential scan; how many were made.

    `columns` counts the MCUs of a row; `blocks` and `masks` are work space for one MCU row, with 36 more entries in
    `masks`. The first half of `histogram` receives the counts.
    """
    block_start, mask_start, token_start = address_of(blocks), address_of(masks), address_of(tokens)
    state = masks[masks.shape[0] - 36 :]
    state[:4] = 0
    if first > 0:
        _gather(components, first - 1, block_start, mask_start)
        prime(components, first - 1, block_start, state)
    count = 0
    for row in range(first, last):
        _gather(components, row, block_start, mask_start)
        count = row_tokens(
            components, row, columns, restart_interval, block_start, mask_start, state, token_start, count,
            histogram, intervals,
        )  # fmt: skip
    merge_banks(histogram)
    return count
