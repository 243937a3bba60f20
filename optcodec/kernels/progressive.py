"""Turn the blocks of a progressive scan into tokens (T.81, G.1.2): a band of coefficients, or one more bit of them.

Tokens are those of `optcodec.kernels.entropy`; correction bits have no code. The symbol EOBn is one token with the n
bits that follow its code. The token is reserved where the run of end-of-band blocks begins, and stored when the length
of the run is known; the correction bits of these blocks come behind it.
"""

from __future__ import annotations

from numba import types

from optcodec.kernels.entropy import (
    ADDRESS,
    COLUMNS,
    PLAIN,
    ROWS,
    SLOT,
    ZERO_RUN,
    H,
    V,
    merge_banks,
    put_token,
    run_tokens,
    value_token,
)
from optcodec.kernels.export import export, helper
from optcodec.kernels.scalars import bit_length, count_ones, load_i16, load_u64, trailing_zeros
from optcodec.kernels.vector import I16, address_of, emit, memory_at
from optcodec.kernels.zigzag import NATURAL_ORDER

__all__ = ["ac_scan", "dc_scan"]

AC = 256  # contexts of AC table 0
LONGEST_RUN = 0x7FFF  # blocks; T.81, Table G.1: EOB14 with all its bits set


def _magnitude(b, block, low):
    """Load a block in zig-zag order; return its signs (0 or -1), and its magnitudes without their `low` lowest bits."""
    natural = b.load(block, I16, 64)
    zigzag = natural.shuffle(natural, NATURAL_ORDER)
    sign = zigzag >> 15
    shift = low.bits_as(I16, 4)
    return sign, ((zigzag ^ sign) - sign) >> shift.shuffle(shift, [0] * 64)


@emit(3, types.int64)
def _transform_point(b, block, low, target):
    """Store a block in zig-zag order, divided by 2^low towards zero (T.81, G.1.2.2); return its nonzero mask."""
    sign, magnitude = _magnitude(b, block, low)
    ((magnitude ^ sign) - sign).store(target)
    return magnitude.nonzero_mask()


@emit(3)
def _bit_planes(b, block, low, target):
    """Store three zig-zag masks of a block: magnitudes with bits above `low`; with bit `low`; values of 0 or more."""
    sign, magnitude = _magnitude(b, block, low)
    (magnitude >> 1).nonzero_mask().store(target)
    (magnitude & 1).nonzero_mask().store(target + 8)
    sign.equal_mask(0).store(target + 16)


@helper
def _below(position):
    """Return the mask of all bits below a position in 0..63."""
    return (1 << position) - 1


@helper
def _plain_bits(tokens, count, histogram, positions, bits):
    """Store the bits at the positions in a mask as tokens of at most 16 bits."""
    while positions:
        size, value = 0, 0
        while positions and size < 16:
            value = value << 1 | (bits >> trailing_zeros(positions)) & 1
            positions &= positions - 1
            size += 1
        count = put_token(tokens, count, histogram, PLAIN + size, value)
    return count


@helper
def _refinement_tokens(tokens, count, histogram, last, new, known, bits, positive):
    """Store the tokens of a block of an AC refinement scan (T.81, Figures G.7 and G.8).

    `new` is the mask of coefficients that become nonzero in this scan, `known` that of coefficients that were nonzero
    before. Runs count only coefficients that stay 0. The correction bits of known coefficients follow the symbol whose
    run passes them.
    """
    while new:
        position = trailing_zeros(new)
        new &= new - 1
        passed = known & _below(position)
        known ^= passed
        run = position - last - 1 - count_ones(passed)
        while run > 15:
            zeros = _below(position) & ~_below(last + 1) & ~passed
            for _ in range(15):
                zeros &= zeros - 1
            last = trailing_zeros(zeros)  # the 16th zero
            count = put_token(tokens, count, histogram, AC + ZERO_RUN, 0)
            count = _plain_bits(tokens, count, histogram, passed & _below(last), bits)
            passed &= ~_below(last)
            run -= 16
        count = put_token(tokens, count, histogram, AC + (run << 4) + 1, (positive >> position) & 1)
        count = _plain_bits(tokens, count, histogram, passed, bits)
        last = position
    return count


@helper
def _end_run(tokens, histogram, index, run):
    """Store the token EOBn of an end-of-band run, if there is one, at `index` (T.81, Figure G.4); return a run of 0."""
    if run:
        size = bit_length(run) - 1
        put_token(tokens, index, histogram, AC + (size << 4), run & _below(size))
    return 0


@export("i16[:,:,:,:], i64, i64, i64, i64, i64, out i64[:], out u32[:], out i64[:], out i64[:] -> i64")
def ac_scan(blocks, Ss, Se, Ah, Al, restart_interval, work, token_array, histogram, intervals):
    """Store the tokens of an AC scan of all blocks of one component, with AC table 0; return their number.

    Parameters
    ----------
    blocks : (rows, columns, 8, 8) coefficients
    Ss, Se, Ah, Al : the scan's parameters (T.81, G.1.1.1); Ah is 0 or Al + 1
    restart_interval : blocks between restart markers, 0 for none
    work : (48,) work space
    token_array : room for Se - Ss + 2 tokens a block
    histogram : receives the number of tokens by context in its first half
    intervals : receives the number of tokens before each restart interval
    """
    source, target, tokens = address_of(blocks), address_of(work), address_of(token_array)
    band = _below(Se) & ~_below(Ss) | (1 << Se)
    count, run, eob_index = 0, 0, 0
    for index in range(blocks.shape[0] * blocks.shape[1]):
        if restart_interval and index % restart_interval == 0:
            run = _end_run(tokens, histogram, eob_index, run)
            intervals[index // restart_interval] = count
        block = source + 128 * index
        known, bits = 0, 0
        if Ah == 0:
            new = _transform_point(block, Al, target) & band
        else:
            _bit_planes(block, Al, target)
            known, bits = load_u64(target) & band, load_u64(target + 8) & band
            new = bits & ~known
        if new:
            run = _end_run(tokens, histogram, eob_index, run)
            if Ah == 0:
                count = run_tokens(tokens, count, histogram, AC, target, new, Ss - 1, target + 128)
            else:
                positive = load_u64(target + 16)
                count = _refinement_tokens(tokens, count, histogram, Ss - 1, new, known, bits, positive)
            if (new >> Se) & 1:
                continue
        if run == 0:
            eob_index = count
            count += 1
        run += 1
        count = _plain_bits(tokens, count, histogram, known & ~_below(bit_length(new)), bits)
        if run == LONGEST_RUN:
            run = _end_run(tokens, histogram, eob_index, run)
    _end_run(tokens, histogram, eob_index, run)
    merge_banks(histogram)
    return count


@export("i64[:,:], i64, i64, i64, i64, i64, out i64[:], out u32[:], out i64[:], out i64[:] -> i64")
def dc_scan(components, rows, columns, Ah, Al, restart_interval, previous, token_array, histogram, intervals):
    """Store the tokens of a DC scan (T.81, G.1.2.1): DC differences, or one more bit of each DC; return their number.

    Parameters
    ----------
    components : (components, 8), see `optcodec.kernels.entropy`; offsets and pitches are not used
    rows, columns : MCUs of the scan
    Ah, Al : the scan's parameters; Ah is 0 or Al + 1
    restart_interval : MCUs between restart markers, 0 for none
    previous : work space, 4 entries or more
    token_array : room for one token a block, including blocks that only fill up an MCU, which repeat the DC before
    histogram, intervals : as for `ac_scan`
    """
    tokens = address_of(token_array)
    count, size, held = 0, 0, 0
    previous[:4] = 0
    for mcu in range(rows * columns):
        row, column = mcu // columns, mcu % columns
        if restart_interval and mcu % restart_interval == 0:
            if size:
                count = put_token(tokens, count, histogram, PLAIN + size, held)
                size, held = 0, 0
            intervals[mcu // restart_interval] = count
            previous[:4] = 0
        for component in range(components.shape[0]):
            h, v, context = components[component, H], components[component, V], components[component, SLOT] * 256
            width, height = components[component, COLUMNS], components[component, ROWS]
            coefficients = memory_at(components[component, ADDRESS], 128 * width * height)
            last = previous[component]
            for y in range(row * v, row * v + v):
                for x in range(column * h, column * h + h):
                    value = last
                    if y < height and x < width:
                        value = load_i16(coefficients + 128 * (y * width + x))
                    if Ah == 0:
                        count = value_token(tokens, count, histogram, context, (value >> Al) - (last >> Al))
                    else:
                        held = held << 1 | (value >> Al) & 1
                        size += 1
                        if size == 16:
                            count = put_token(tokens, count, histogram, PLAIN + size, held)
                            size, held = 0, 0
                    last = value
            previous[component] = last
    if size:
        count = put_token(tokens, count, histogram, PLAIN + size, held)
    return count
