"""Bits of a sequential scan by place, from its tokens."""

from __future__ import annotations

from optcodec.kernels.export import export

__all__ = ["add_bits"]


@export("u32[:], i64, i64[:], i64[:], i64, out i64[:] -> i64")
def add_bits(tokens, count, codes, owners, first, bits):
    """Add the bits of each block of coefficients to the count of its owner; the number of blocks before the next token.

    Parameters
    ----------
    tokens : (tokens,) as `optcodec.kernels.entropy` makes them, of which `count` are used
    codes : (9 * 256,) by context, the number of bits of code and value in the lowest 8
    owners : (blocks,) index into `bits` of each block in the order of the scan
    first : number of blocks before the first token
    bits : sums
    """
    place, block = 0, first
    while place < count:
        owner = owners[block]
        bits[owner] += codes[tokens[place] >> 16] & 255
        place += 1
        position = 0
        while position < 63:
            context = tokens[place] >> 16
            bits[owner] += codes[context] & 255
            place += 1
            symbol = context & 255
            if symbol == 0:  # end of block
                break
            position += (symbol >> 4) + 1
        block += 1
    return block
