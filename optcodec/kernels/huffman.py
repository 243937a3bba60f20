"""Build optimal Huffman tables from symbol counts: code lengths, then codes.

Ties between equal counts are resolved as in libjpeg (jchuff.c), so that tables and scans are the same as there.
"""

from __future__ import annotations

from optcodec.kernels.export import export, helper

__all__ = ["build_tables", "count_bits"]

_RESERVED = 256  # T.81, K.2: a symbol that is never coded keeps the code of all ones free


@helper
def _sink(heap, index, size):
    """Move the key at `index` down until no key below it is smaller."""
    key = heap[index]
    while True:
        child = 2 * index + 1
        if child >= size:
            break
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= key:
            break
        heap[index] = heap[child]
        index = child
    heap[index] = key


@helper
def _code_sizes(heap, size, sizes, chain):
    """Compute code sizes (T.81, Figure K.1): merge the two rarest trees until one is left.

    A key is ``count << 9 | 511 - symbol``, so that the larger of two symbols with equal counts comes first. `chain`
    lists the symbols of each tree.
    """
    for index in range(size // 2 - 1, -1, -1):
        _sink(heap, index, size)
    while size > 1:
        low = heap[0]
        size -= 1
        heap[0] = heap[size]
        _sink(heap, 0, size)
        second = heap[0]
        heap[0] = low + (second >> 9 << 9)  # the merged tree has the symbol of the rarer tree
        _sink(heap, 0, size)
        end, member = 511 - (low & 511), 511 - (second & 511)
        sizes[end] += 1
        while chain[end] >= 0:
            end = chain[end]
            sizes[end] += 1
        chain[end] = member
        while member >= 0:
            sizes[member] += 1
            member = chain[member]


@helper
def _limit(lengths):
    """Limit codes to 16 bits (T.81, Figure K.3), then drop the reserved code, which is one of the longest."""
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


@helper
def _sort(counts, sizes, spread, starts, symbols):
    """Sort the symbols by code size, then value. The reserved symbol is the last one of the largest size."""
    index = 0
    for length in range(spread.shape[0]):
        starts[length] = index
        index += spread[length]
    for symbol in range(256):
        if counts[symbol]:
            symbols[starts[sizes[symbol]]] = symbol
            starts[sizes[symbol]] += 1


@helper
def _assign(lengths, symbols, slot, codes):
    """Assign the codes of one table (T.81, Figures C.1 and C.2), each with the bits of code and additional bits."""
    code = 0
    index = 0
    for length in range(1, 17):
        for _ in range(lengths[length]):
            symbol = symbols[index]
            # The number of additional bits is the size in the low four bits. If that is 0, it is the n of EOBn in the
            # upper four bits, which is 0 for EOB; ZRL (15) has no additional bits.
            extra = (symbol & 15 or (symbol >> 4) % 15) if slot & 1 else symbol & 31
            codes[slot * 256 + symbol] = (code << (8 + extra)) | (length + extra)
            code += 1
            index += 1
        code <<= 1


@helper
def _list_symbols(counts, heap, sizes, chain):
    """List the keys of the symbols that occur, and of the reserved one; return their number, or 0 if none occurs."""
    size = 0
    for symbol in range(256):
        if counts[symbol]:
            heap[size] = counts[symbol] << 9 | (511 - symbol)
            sizes[symbol], chain[symbol] = 0, -1
            size += 1
    if size == 0:
        return 0
    heap[size] = 1 << 9 | (511 - _RESERVED)
    sizes[_RESERVED], chain[_RESERVED] = 0, -1
    return size + 1


@export("i64[:], out i64[:], out i64[:], out i64[:], out u8[:] -> i64")
def build_tables(histogram, work, used, codes, definition):
    """Build optimal tables for the symbol counts of all eight slots; return the number of bytes of their definition.

    Parameters
    ----------
    histogram : (9 * 256,) number of tokens by context (see `optcodec.kernels.entropy`)
    work : (4 * 257 + 2 * 258,) work space
    used : (8,) receives the number of symbols of each slot, 0 if it has no table
    codes : (9 * 256,) receives ``code << extra << 8 | bits``: `extra` is the number of additional bits, `bits` that of
        code and additional bits together; slot 8 has no codes
    definition : (8 * 273,) receives for each table Tc and Th, 16 numbers of codes, and the symbols by code (T.81,
        B.2.4.2)
    """
    heap, sizes, chain, symbols = work[:257], work[257:514], work[514:771], work[771:1028]
    spread, starts = work[1028:1286], work[1286:]
    for bits in range(17):
        codes[8 * 256 + bits] = bits
    end = 0
    for slot in range(8):
        counts = histogram[slot * 256 : slot * 256 + 256]
        size = _list_symbols(counts, heap, sizes, chain)
        used[slot] = max(size - 1, 0)
        if size == 0:
            continue
        _code_sizes(heap, size, sizes, chain)
        spread[:] = 0
        spread[sizes[_RESERVED]] += 1
        for symbol in range(256):
            if counts[symbol]:
                spread[sizes[symbol]] += 1
        _sort(counts, sizes, spread, starts, symbols)
        _limit(spread)
        _assign(spread, symbols, slot, codes)
        definition[end] = (slot & 1) << 4 | slot >> 1
        for length in range(1, 17):
            definition[end + length] = spread[length]
        for index in range(size - 1):
            definition[end + 17 + index] = symbols[index]
        end += 16 + size
    return end


@export("i64[:], i64[:] -> i64")
def count_bits(histogram, codes):
    """Count the bits of all tokens in a histogram, additional bits included."""
    bits = 0
    for context in range(histogram.shape[0]):
        bits += histogram[context] * (codes[context] & 255)
    return bits
