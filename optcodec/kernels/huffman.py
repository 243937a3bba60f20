"""Huffman tables: optimal code lengths from symbol counts, and the codes.

The choices among equal counts are those of libjpeg (jchuff.c), so that tables and scans are equal to its own.
"""

from __future__ import annotations

from numba import njit

from optcodec.kernels.export import export

__all__ = ["build_tables", "count_bits"]

_RESERVED = 256  # T.81, K.2: a symbol that is never coded keeps the code of all ones free


@njit
def _least(counts, live, size, besides):
    """Place in `live` of the smallest count, of equal ones the last."""
    found = -1
    for place in range(size):
        if place != besides and (found < 0 or counts[live[place]] <= counts[live[found]]):
            found = place
    return found


@njit
def _code_sizes(counts, live, size, sizes, chain):
    """T.81, Figure K.1: merge the two rarest until one tree is left; `chain` lists the members of each tree."""
    while size > 1:
        low = _least(counts, live, size, -1)
        second = _least(counts, live, size, low)
        a, b = live[low], live[second]
        counts[a] += counts[b]
        end = a
        sizes[end] += 1
        while chain[end] >= 0:
            end = chain[end]
            sizes[end] += 1
        chain[end] = b
        while b >= 0:
            sizes[b] += 1
            b = chain[b]
        for place in range(second, size - 1):
            live[place] = live[place + 1]
        size -= 1


@njit
def _limit(lengths):
    """T.81, Figure K.3: no code longer than 16 bits; then the reserved code, one of the longest, is dropped."""
    for length in range(lengths.shape[0] - 1, 16, -1):
        while lengths[length] > 0:
            shorter = length - 2
            while lengths[shorter] == 0:
                shorter -= 1
            lengths[length] -= 2
            lengths[length - 1] += 1
            lengths[shorter + 1] += 2
            lengths[shorter] -= 1
    longest = 16
    while lengths[longest] == 0:
        longest -= 1
    lengths[longest] -= 1


@njit
def _assign(lengths, symbols, slot, codes):
    """T.81, Figures C.1 and C.2: codes of one table, each with the number of bits that it and its extra bits take."""
    code = 0
    place = 0
    for length in range(1, 17):
        for _ in range(lengths[length]):
            symbol = symbols[place]
            extra = symbol & 15 if slot & 1 else symbol & 31
            codes[slot * 256 + symbol] = (code << (8 + extra)) | (length + extra)
            code += 1
            place += 1
        code <<= 1


@export("i64[:], out i64[:], out i64[:,:], out i64[:,:], out i64[:]")
def build_tables(histogram, work, lengths, symbols, codes):
    """Optimal tables for the symbol counts of all eight slots.

    Parameters
    ----------
    histogram : (9 * 256,) counts by context (see `optcodec.kernels.entropy`)
    work : (4 * 257 + 258,) work space
    lengths : (8, 17) how many codes have each length; all zero for a slot that is not used
    symbols : (8, 256) symbols by increasing code length, then value
    codes : (9 * 256,) ``code << extra << 8 | bits``: bits counts code and extra bits; slot 8 has no codes
    """
    counts, live = work[:257], work[257:514]
    sizes, chain = work[514:771], work[771:1028]
    spread = work[1028:]
    for bits in range(17):
        codes[8 * 256 + bits] = bits
    for slot in range(8):
        size = 0
        for symbol in range(256):
            count = histogram[slot * 256 + symbol]
            if count:
                counts[symbol], sizes[symbol], chain[symbol] = count, 0, -1
                live[size] = symbol
                size += 1
        lengths[slot, :] = 0
        if size == 0:
            continue
        counts[_RESERVED], sizes[_RESERVED], chain[_RESERVED] = 1, 0, -1
        live[size] = _RESERVED
        _code_sizes(counts, live, size + 1, sizes, chain)
        spread[:] = 0
        spread[sizes[_RESERVED]] += 1
        for symbol in range(256):
            if histogram[slot * 256 + symbol]:
                spread[sizes[symbol]] += 1
        place = 0
        for length in range(1, spread.shape[0]):
            for symbol in range(256):
                if histogram[slot * 256 + symbol] and sizes[symbol] == length:
                    symbols[slot, place] = symbol
                    place += 1
        _limit(spread)
        for length in range(17):
            lengths[slot, length] = spread[length]
        _assign(lengths[slot], symbols[slot], slot, codes)


@export("i64[:], i64[:] -> i64")
def count_bits(histogram, codes):
    """Bits of all tokens that were counted, extra bits included."""
    bits = 0
    for context in range(histogram.shape[0]):
        bits += histogram[context] * (codes[context] & 255)
    return bits
