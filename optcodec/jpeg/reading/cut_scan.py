"""Decode the MCU in which the data of a restart interval ends too early, with the same result as libjpeg.

libjpeg replaces the missing bits by zeros until the MCU is complete, and does not change the rest of the interval
(jdhuff.c and jdphuff.c: ``insufficient_data``). Zero bits are codes like any others, so the end of the MCU consists of
arbitrary coefficients, and the codes may break T.81. A scan that was cut has one such MCU, seldom more, so plain Python
is fast enough.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from optcodec.jpeg.headers import HuffmanSpec, ScanHeader
from optcodec.jpeg.tables import NATURAL_ORDER

__all__ = ["Bits", "CutMcu"]

Block = npt.NDArray[np.int16]  # 64 coefficients, row-major
_NATURAL = [int(index) for index in NATURAL_ORDER] + [
    63
] * 16  # beyond the block, libjpeg writes to its last coefficient


class Bits:
    """A bit stream that continues with zero bits behind its data.

    Parameters
    ----------
    data : bytes
        Entropy-coded data without stuffing.
    skipped : int
        Bits at the beginning of the data that have been decoded already.
    """

    def __init__(self, data: bytes, skipped: int) -> None:
        self._value, self._remaining = int.from_bytes(data), 8 * len(data) - skipped

    def take(self, count: int) -> int:
        """Read the next `count` bits as a number."""
        self._remaining -= count
        value = self._value >> self._remaining if self._remaining >= 0 else self._value << -self._remaining
        return value & ((1 << count) - 1)

    def symbol(self, codes: dict[tuple[int, int], int]) -> int:
        """Read the symbol of the next code; as in libjpeg, bits that begin no code are 17 bits with the symbol 0.

        See ``jpeg_huff_decode`` in jdhuff.c.
        """
        code = 0
        for length in range(1, 17):
            code = code << 1 | self.take(1)
            if (length, code) in codes:
                return codes[length, code]
        self.take(1)
        return 0

    def number(self, size: int) -> int:
        """Read `size` additional bits and return the value that they stand for (T.81, Figure F.12)."""
        value = self.take(size)
        return value if size == 0 or value >> (size - 1) else value - (1 << size) + 1


class CutMcu:
    """Decoder of the blocks of such an MCU, one after another.

    Parameters
    ----------
    scan : ScanHeader
        Header of the scan.
    bits : Bits
        The bit stream from the first bit of the MCU on.
    run : int
        Blocks left in the current end-of-band run.
    """

    def __init__(self, scan: ScanHeader, bits: Bits, run: int) -> None:
        self._scan, self._bits, self._run = scan, bits, run
        self.is_outside = False  # whether a coefficient outside of the band Ss..Se was written

    def decode(self, block: Block, dc: HuffmanSpec | None, ac: HuffmanSpec | None, prediction: int) -> int:
        """Decode one block.

        Parameters
        ----------
        block : ndarray of int16, shape (64,)
            Row-major, with the coefficients of earlier scans; changed in place.
        dc, ac : HuffmanSpec or None
            Huffman tables; None for a table that the scan does not need.
        prediction : int
            DC of the previous block of the component, divided by 2^Al.

        Returns
        -------
        int
            The prediction for the next block.
        """
        scan, bits = self._scan, self._bits
        if scan.needs_dc:
            assert dc is not None
            prediction += bits.number(bits.symbol(_codes(dc)))
            block[0] = _wrapped(prediction << scan.Al)
        elif scan.Ss == 0:
            block[0] |= bits.take(1) << scan.Al
        if ac is not None and scan.Ss == 0:
            self._sequential(block, _codes(ac))
        elif ac is not None and scan.Ah == 0:
            self._first(block, _codes(ac))
        elif ac is not None:
            self._refine(block, _codes(ac))
        return prediction

    def _sequential(self, block: Block, codes: dict[tuple[int, int], int]) -> None:
        k = 1
        while k < 64:
            run, size = divmod(self._bits.symbol(codes), 16)
            if size == 0 and run != 15:
                return
            k += run
            if size:
                block[_NATURAL[k]] = self._bits.number(size)
            k += 1

    def _first(self, block: Block, codes: dict[tuple[int, int], int]) -> None:
        if self._run:
            self._run -= 1
            return
        k = self._scan.Ss
        while k <= self._scan.Se:
            run, size = divmod(self._bits.symbol(codes), 16)
            if size == 0 and run != 15:
                self._run = (1 << run) + self._bits.take(run) - 1
                return
            k += run
            if size:
                self._put(block, k, self._bits.number(size) << self._scan.Al)
            k += 1

    def _refine(self, block: Block, codes: dict[tuple[int, int], int]) -> None:
        Se, k = self._scan.Se, self._scan.Ss
        while k <= Se and self._run == 0:
            run, size = divmod(self._bits.symbol(codes), 16)
            if size == 0 and run != 15:
                self._run = (1 << run) + self._bits.take(run)
                break
            value = (1 if self._bits.take(1) else -1) if size else 0
            while k <= Se:
                if block[_NATURAL[k]]:
                    self._correct(block, k)
                elif run == 0:
                    break
                else:
                    run -= 1
                k += 1
            if value:
                self._put(block, k, value << self._scan.Al)
            k += 1
        if self._run:
            for position in range(k, Se + 1):
                if block[_NATURAL[position]]:
                    self._correct(block, position)
            self._run -= 1

    def _correct(self, block: Block, k: int) -> None:
        """Read the correction bit of a coefficient that is not 0 (T.81, G.1.2.3)."""
        if self._bits.take(1):
            value, step = int(block[_NATURAL[k]]), 1 << self._scan.Al
            if not value & step:
                block[_NATURAL[k]] = _wrapped(value + (step if value >= 0 else -step))

    def _put(self, block: Block, k: int, value: int) -> None:
        self.is_outside |= k > self._scan.Se and self._scan.Se < 63
        block[_NATURAL[k]] = _wrapped(value)


def _codes(spec: HuffmanSpec) -> dict[tuple[int, int], int]:
    """List the symbols of a Huffman table by (length, code) of their codes (T.81, Annex C)."""
    codes, code, symbols = {}, 0, iter(spec.symbols)
    for length, count in enumerate(spec.counts, 1):
        for _ in range(count):
            codes[length, code] = next(symbols)
            code += 1
        code <<= 1
    return codes


def _wrapped(value: int) -> int:
    """Wrap a number to signed 16 bits, as libjpeg does when it stores a coefficient."""
    return (value + (1 << 15)) % (1 << 16) - (1 << 15)
