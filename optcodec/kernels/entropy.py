"""Turn the blocks of a sequential scan into tokens, which are then counted for the Huffman tables and written.

A token is 32 bits: ``context << 16 | extra``. The context is ``slot * 256 + symbol``; slot ``2 t`` is DC table t, slot
``2 t + 1`` is AC table t. `extra` has the additional bits that follow the code (T.81, F.1.2.1 and F.1.2.2); the symbol
determines their number. A token of slot 8 has no code: its symbol is the number of additional bits.
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

# Columns of the table `components`, one row a component: rows and columns of blocks, sampling factors, DC slot; in the
# work space for one MCU row, the index of its first block, and the number of blocks between two rows of blocks; the
# address of its row-major int16 blocks.
ROWS, COLUMNS, H, V, SLOT, OFFSET, PITCH, ADDRESS = range(8)
PLAIN = 8 * 256  # context of tokens without a code; the number of bits is added to it
ZERO_RUN = 0xF0  # T.81, F.1.2.2: ZRL, a run of 16 zeros


@helper
def put_token(tokens, count, histogram, context, extra):
    """Store one token behind the `count` tokens at address `tokens`, and count it in the histogram."""
    store_u32(tokens + 4 * count, (context << 16) | extra)
    histogram[context] += 1
    return count + 1


@helper
def value_token(tokens, count, histogram, context, value):
    """Store the token of a value: its size is the symbol, and its low bits (minus one if negative) are `extra`."""
    sign = value >> 63
    size = bit_length((value ^ sign) - sign)
    return put_token(tokens, count, histogram, context + size, (value + sign) & ((1 << size) - 1))


@emit(2)
def _prepare(b, block, ready):
    """Compute the token of each of 64 coefficients with a run of 0 in slot 0, ``size << 16 | extra``; not used for 0.

    The size of a magnitude in bits (T.81, Table F.2) is the exponent of the magnitude as a float, minus 126.
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
def run_tokens(tokens, count, histogram, context, block, nonzero, last, ready):
    """Store the tokens of the coefficients in the mask `nonzero`, each with the run of zeros before it.

    See T.81, Figure F.2. `last` is the position before the first coefficient of the band; `ready` is work space of 256
    bytes. The tokens are counted in the two halves of `histogram` in turn: if a symbol is repeated, which is frequent,
    the second addition need not wait for the first.
    """
    if nonzero:
        _prepare(block, ready)
    target = tokens + 4 * count
    bank, other_bank = address_of(histogram), address_of(histogram) + 4 * histogram.shape[0]
    while nonzero:
        position = trailing_zeros(nonzero)
        nonzero &= nonzero - 1
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
        bank, other_bank = other_bank, bank
    return (target - tokens) >> 2


@helper
def block_tokens(tokens, count, histogram, slot, block, mask, previous, ready):
    """Store the tokens of one block: DC difference to `previous`, then AC run-length symbols.

    `block` is the address of 64 zig-zag coefficients; `mask` has a bit for each coefficient that is not 0.
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
    """Store the tokens of one MCU row; `blocks` and `masks` are the addresses of its zig-zag blocks and their masks.

    Blocks outside of a component only fill up an MCU: they repeat the DC before them and have no AC. `intervals[i]`
    receives the number of tokens before restart interval i. `state` has the DC predictions, then 32 words of work
    space.
    """
    predictions, ready = state[:4], address_of(state) + 32
    for column in range(columns):
        if restart_interval and (row * columns + column) % restart_interval == 0:
            intervals[(row * columns + column) // restart_interval] = count
            predictions[:] = 0
        for component in range(components.shape[0]):
            h, v, slot = components[component, H], components[component, V], components[component, SLOT]
            for y in range(v):
                for x in range(column * h, column * h + h):
                    if row * v + y >= components[component, ROWS] or x >= components[component, COLUMNS]:
                        count = put_token(tokens, count, histogram, slot * 256, 0)
                        count = put_token(tokens, count, histogram, slot * 256 + 256, 0)
                        continue
                    index = components[component, OFFSET] + y * components[component, PITCH] + x
                    block, mask = blocks + 128 * index, load_u64(masks + 8 * index)
                    count = block_tokens(tokens, count, histogram, slot, block, mask, predictions[component], ready)
                    predictions[component] = load_i16(block)
    return count


@helper
def prime(components, row, blocks, predictions):
    """Set the DC predictions to those after MCU row `row`: the DC of its last blocks; `blocks` is their address."""
    for component in range(components.shape[0]):
        v = components[component, V]
        y = min(row * v + v, components[component, ROWS]) - 1 - row * v
        index = components[component, OFFSET] + y * components[component, PITCH] + components[component, COLUMNS] - 1
        predictions[component] = load_i16(blocks + 128 * index)


@emit(3)
def _zigzag_block(b, block, target, mask):
    """Store one row-major block of 64 coefficients in zig-zag order, and the mask of its nonzero coefficients."""
    natural = b.load(block, I16, 64)
    zigzag = natural.shuffle(natural, NATURAL_ORDER)
    zigzag.store(target)
    zigzag.nonzero_mask().store(mask)


@helper
def _gather(components, row, blocks, masks):
    """Store the zig-zag blocks and masks of one MCU row."""
    for component in range(components.shape[0]):
        v, columns, rows = components[component, V], components[component, COLUMNS], components[component, ROWS]
        coefficients = memory_at(components[component, ADDRESS], 128 * rows * columns)
        for y in range(min(v, rows - row * v)):
            source = coefficients + 128 * (row * v + y) * columns
            index = components[component, OFFSET] + y * components[component, PITCH]
            for x in range(columns):
                _zigzag_block(source + 128 * x, blocks + 128 * (index + x), masks + 8 * (index + x))


@export("i64[:,:], i64, i64, i64, i64, out i16[:], out i64[:], out u32[:], out i64[:], out i64[:] -> i64")
def scan_tokens(components, first, last, columns, restart_interval, blocks, masks, tokens, histogram, intervals):
    """Store the tokens of the MCU rows first..last-1 of a sequential scan; return their number.

    `columns` is the number of MCUs in a row; `blocks` and `masks` are work space for one MCU row, with 36 more entries
    in `masks`. The first half of `histogram` receives the number of tokens by context.
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
