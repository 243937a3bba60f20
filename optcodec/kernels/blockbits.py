"""Count the bits of a sequential scan by regions of the image, from its tokens."""

from __future__ import annotations

from optcodec.kernels.export import export

__all__ = ["add_bits"]


@export("u32[:], i64, i64[:], i64[:], i64, out i64[:] -> i64")
def add_bits(tokens, count, codes, owners, first, bits):
    """Add the bits of each block of coefficients to the sum of the region that owns it.

    Returned is the number of blocks of the scan before the next token.

    Parameters
    ----------
    tokens : (tokens,) as `optcodec.kernels.entropy` makes them, of which `count` are used
    codes : (9 * 256,) by context; the lowest 8 bits are the number of bits of code and additional bits
    owners : (blocks,) index into `bits` of each block in the order of the scan
    first : number of blocks of the scan before the first token
    bits : sum of each region, to which is added
    """
    token, block = 0, first
    while token < count:
        owner = owners[block]
        bits[owner] += codes[tokens[token] >> 16] & 255
        token += 1
        position = 0
        while position < 63:
            context = tokens[token] >> 16
            bits[owner] += codes[context] & 255
            token += 1
            symbol = context & 255
            if symbol == 0:  # end of block
                break
            position += (symbol >> 4) + 1
        block += 1
    return block
