"""The Huffman tables of ITU-T T.81, K.3: those of many hardware encoders, and of files without DHT.

Decoders use them for files without tables, such as frames of Motion JPEG.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from optcodec.jpeg.entropy import CONTEXTS, HuffmanTables
from optcodec.jpeg.headers import HuffmanSpec

__all__ = ["STANDARD_CODES", "standard_tables"]

_DC = bytes(range(12))  # the symbols of Tables K.3 and K.4
# The symbols of Tables K.5 and K.6 in the order of their codes: run of zeros, then size, four bits each.
_AC_LUMINANCE = bytes.fromhex(
    "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a"
    "434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9"
    "aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa"
)
_AC_CHROMINANCE = bytes.fromhex(
    "000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125f11718191a262728292a3536373839"
    "3a434445464748494a535455565758595a636465666768696a737475767778797a82838485868788898a92939495969798999aa2a3a4a5a6a7"
    "a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa"
)

# By class (0 DC, 1 AC) and number (0 luminance, 1 chrominance).
STANDARD_CODES = {
    (0, 0): HuffmanSpec(bytes([0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]), _DC),
    (0, 1): HuffmanSpec(bytes([0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0]), _DC),
    (1, 0): HuffmanSpec(bytes([0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125]), _AC_LUMINANCE),
    (1, 1): HuffmanSpec(bytes([0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 119]), _AC_CHROMINANCE),
}


def standard_tables(histogram: npt.NDArray[np.int64]) -> HuffmanTables:
    """The standard tables of the slots that a sequential scan uses, for a histogram of shape (9 * 256,).

    Slots 0 and 1 are those of luminance, 2 and 3 of chrominance; see `HuffmanTables`.
    """
    counts = histogram[: 8 * 256].reshape(8, 256).any(axis=1)
    return _tables_of(tuple(np.flatnonzero(counts).tolist()))


@lru_cache(maxsize=16)
def _tables_of(slots: tuple[int, ...]) -> HuffmanTables:
    codes = np.zeros(CONTEXTS, np.int64)
    codes[8 * 256 : 8 * 256 + 17] = np.arange(17)  # bits without a code
    used, definition = [0] * 8, bytearray()
    for slot in slots:
        table_class, number = slot & 1, slot >> 1
        spec = STANDARD_CODES[table_class, number]
        used[slot] = len(spec.symbols)
        definition += bytes([table_class << 4 | number]) + spec.counts + spec.symbols
        code, symbols = 0, iter(spec.symbols)
        for length, count in enumerate(spec.counts, start=1):  # T.81, Figures C.1 and C.2
            for symbol in (next(symbols) for _ in range(count)):
                extra = symbol & 15  # additional bits
                codes[slot * 256 + symbol] = code << (8 + extra) | (length + extra)
                code += 1
            code <<= 1
    return HuffmanTables(bytes(definition), used, codes)
