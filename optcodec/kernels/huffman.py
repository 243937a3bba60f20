"""Build optimal Huffman tables from symbol counts: code lengths, then codes.

Ties between equal counts are resolved as in libjpeg (jchuff.c), so that tables and scans are the same as there.
"""

from __future__ import annotations

from optcodec.kernels.export import export, helper

__all__ = ["build_tables", "count_bits"]

_RESERVED = 256  # T.81, K.2: a symbol that is never coded keeps the code of all ones free


@helper
def _list_symbols(counts, keys):
    """List the keys of the symbols that occur, and of the reserved one; return their number, or 0 if none occurs.

    A key is ``count << 9 | 511 - symbol``, so that the larger of two symbols with equal counts comes first.
    """
    size = 0
    for symbol in range(256):
        keys[size] = counts[symbol] << 9 | (511 - symbol)
        size += counts[symbol] != 0
    if size == 0:
        return 0
    keys[size] = 1 << 9 | (511 - _RESERVED)
    return size + 1


@helper
def _sort_keys(keys, size, leaves):
    """Sort keys, which all differ: each one has as many before it as are smaller; that is faster than to branch."""
    for index in range(size):
        key, place = keys[index], 0
        for other in range(size):
            place += keys[other] < key
        leaves[place] = key


@helper
def _merge_trees(leaves, size, queue, trees, parents):
    """Merge the two rarest trees until one is left (T.81, Figure K.1); store the parent of each node.

    Nodes are numbered: first the leaves, by their keys, then merged trees as they are made, so that a parent has a
    larger number. `queue` and `trees` have the keys and the numbers of merged trees in the order of keys. A merged tree
    is no rarer than those before it, so it belongs at the end, or among others that are as frequent.
    """
    leaf = head = 0
    for node in range(size, 2 * size - 1):
        end = node - size
        key = 0
        for turn in range(2):
            if head == end or (leaf < size and leaves[leaf] < queue[head]):
                rarest, child = leaves[leaf], leaf
                leaf += 1
            else:
                rarest, child = queue[head], trees[head]
                head += 1
            parents[child] = node
            key += rarest >> 9 << 9 if turn else rarest  # the merged tree has the symbol of the rarer one
        place = end
        while place > head and queue[place - 1] > key:
            queue[place], trees[place] = queue[place - 1], trees[place - 1]
            place -= 1
        queue[place], trees[place] = key, node


@helper
def _code_sizes(leaves, size, parents, sizes, spread):
    """Compute the code size of each symbol: the number of nodes above its leaf. `spread` counts symbols by size."""
    spread[:] = 0
    parents[2 * size - 2] = 0
    for node in range(2 * size - 3, -1, -1):
        parents[node] = parents[parents[node]] + 1
    for index in range(size):
        sizes[511 - (leaves[index] & 511)] = parents[index]
        spread[parents[index]] += 1


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


@export("i64[:], out i64[:], out i64[:], out i64[:], out u8[:] -> i64")
def build_tables(histogram, work, used, codes, definition):
    """Build optimal tables for the symbol counts of all eight slots; return the number of bytes of their definition.

    Parameters
    ----------
    histogram : (9 * 256,) number of tokens by context (see `optcodec.kernels.entropy`)
    work : (9 * 257 + 2,) work space
    used : (8,) receives the number of symbols of each slot, 0 if it has no table
    codes : (9 * 256,) receives ``code << extra << 8 | bits``: `extra` is the number of additional bits, `bits` that of
        code and additional bits together; slot 8 has no codes
    definition : (8 * 273,) receives for each table Tc and Th, 16 numbers of codes, and the symbols by code (T.81,
        B.2.4.2)
    """
    keys, leaves, trees, sizes, symbols = work[:257], work[257:514], work[514:771], work[771:1028], work[1028:1285]
    parents, spread, starts = work[1285:1799], work[1799:2057], work[2057:]
    for bits in range(17):
        codes[8 * 256 + bits] = bits
    end = 0
    for slot in range(8):
        counts = histogram[slot * 256 : slot * 256 + 256]
        size = _list_symbols(counts, keys)
        used[slot] = max(size - 1, 0)
        if size == 0:
            continue
        _sort_keys(keys, size, leaves)
        _merge_trees(leaves, size, keys, trees, parents)
        _code_sizes(leaves, size, parents, sizes, spread)
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
