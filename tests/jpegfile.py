"""Build JPEG files piece by piece: valid files that no available encoder writes, and broken ones, to test the reader.

The Huffman tables are fixed and have a code for every symbol, so that any coefficients can be coded in any scan.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optcodec.jpeg.image import CoefficientImage
from tests.naive import ZIGZAG, naive_mcus

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
FILLER = [5, 3] + [0] * 62  # value of blocks that only complete an MCU: it must not appear in the image


@dataclass(frozen=True)
class Huffman:
    """A Huffman table: the number of codes of 1..16 bits each, and the symbols in the order of their codes."""

    counts: tuple[int, ...]
    symbols: tuple[int, ...]

    def codes(self) -> dict[int, str]:
        code, at, codes = 0, 0, {}
        for length, count in enumerate(self.counts, 1):
            for symbol in self.symbols[at : at + count]:
                codes[symbol] = format(code, f"0{length}b")
                code += 1
            at += count
            code *= 2
        return codes

    def for_dc(self) -> Huffman:
        """The same table with only the 16 symbols of DC: libjpeg accepts no others in a DC table."""
        longest = max(length for length, count in enumerate(self.counts) if count)
        return Huffman(tuple(16 if length == longest else 0 for length in range(16)), tuple(range(16)))


def table_of(lengths: dict[int, int]) -> Huffman:
    """A table of all 256 symbols in order, with the given number of codes of each length (a byte each: at most 255)."""
    return Huffman(tuple(lengths.get(bits, 0) for bits in range(1, 17)), tuple(range(256)))


# A few short codes, the rest of 14 and 16 bits.
MIXED = Huffman(
    (0, 1, 2, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 49, 0, 200),
    (0x00, 0x01, 0x11, 0x02, 0x03, 0x21, 0xF0, *(s for s in range(256) if s not in (0, 1, 0x11, 2, 3, 0x21, 0xF0))),
)
COMPLETE = table_of({7: 1, 8: 253, 9: 2})  # all codes are in use, so that the last one is all ones
HUFFMAN = (table_of({8: 1, 9: 255}), table_of({9: 1, 10: 255}), table_of({15: 1, 16: 255}), COMPLETE, MIXED)


@dataclass(frozen=True)
class ScanSpec:
    """A scan: indices of its components, spectral selection and bits of successive approximation."""

    components: tuple[int, ...]
    Ss: int = 0
    Se: int = 63
    Ah: int = 0
    Al: int = 0


def segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def dqt(number: int, steps_zz: Sequence[int]) -> bytes:
    wide = max(steps_zz) > 255
    return segment(0xDB, bytes([wide << 4 | number]) + np.array(steps_zz, ">u2" if wide else "u1").tobytes())


def dht(table_class: int, number: int, table: Huffman) -> bytes:
    return segment(0xC4, bytes([table_class << 4 | number, *table.counts, *table.symbols]))


def sof(marker: int, width: int, height: int, components: Sequence[tuple[int, int, int, int]]) -> bytes:
    """Frame header; components are (identifier, h, v, table)."""
    body = b"".join(bytes([identifier, h << 4 | v, table]) for identifier, h, v, table in components)
    return segment(marker, struct.pack(">BHHB", 8, height, width, len(components)) + body)


def sos(components: Sequence[tuple[int, int, int]], Ss: int = 0, Se: int = 63, Ah: int = 0, Al: int = 0) -> bytes:
    """Scan header; components are (identifier, DC table, AC table)."""
    body = b"".join(bytes([identifier, dc << 4 | ac]) for identifier, dc, ac in components)
    return segment(0xDA, bytes([len(components)]) + body + bytes([Ss, Se, Ah << 4 | Al]))


def entropy_coded(intervals: Sequence[str]) -> bytes:
    """Bytes of the bits of all restart intervals: padded with ones, with stuffed zeros and restart markers."""
    coded = b""
    for number, bits in enumerate(intervals):
        if number:
            coded += bytes([0xFF, 0xD0 + (number - 1) % 8])
        bits += "1" * (-len(bits) % 8)
        content = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
        coded += content.replace(b"\xff", b"\xff\x00")
    return coded


def scan_data(image: CoefficientImage, spec: ScanSpec, table: Huffman, *, longest_run: int = 32767) -> bytes:
    """Entropy-coded data of a scan: sequential if it has DC and AC, otherwise progressive."""
    factors = [(c.h, c.v) for c in image.components]
    mcus = naive_mcus(image.width, image.height, factors, list(spec.components))
    step = image.restart_interval or len(mcus)
    intervals = []
    for start in range(0, len(mcus), step):
        coder = _Coder(table, spec, longest_run)
        for index, row, column in (block for mcu in mcus[start : start + step] for block in mcu):
            blocks = image.components[index].blocks
            inside = row < blocks.shape[0] and column < blocks.shape[1]
            coder.add(index, [int(blocks[row, column, y, x]) for y, x in ZIGZAG] if inside else FILLER)
        intervals.append(coder.finish())
    return entropy_coded(intervals)


def build(
    image: CoefficientImage, script: Sequence[ScanSpec], *, table: Huffman = HUFFMAN[0], longest_run: int = 32767
) -> bytes:
    """A whole file, progressive unless every scan has DC and AC."""
    progressive = any(spec.Se < 63 or spec.Ss > 0 for spec in script)
    wide = any(t.steps.max() > 255 for t in image.tables)
    components = [(c.id, c.h, c.v, c.table) for c in image.components]
    pieces = [SOI, *(dqt(number, t.steps_zz.tolist()) for number, t in enumerate(image.tables))]
    pieces.append(sof(0xC2 if progressive else 0xC1 if wide else 0xC0, image.width, image.height, components))
    pieces += [dht(0, 0, table.for_dc()), dht(1, 0, table)]
    if image.restart_interval:
        pieces.append(segment(0xDD, struct.pack(">H", image.restart_interval)))
    for spec in script:
        parts = [(image.components[index].id, 0, 0) for index in spec.components]
        pieces.append(sos(parts, spec.Ss, spec.Se, spec.Ah, spec.Al))
        pieces.append(scan_data(image, spec, table, longest_run=longest_run))
    return b"".join([*pieces, EOI])


class _Coder:
    """Codes the blocks of one restart interval (T.81, F.1.2 and G.1.2)."""

    def __init__(self, table: Huffman, spec: ScanSpec, longest_run: int) -> None:
        self.dc_codes, self.codes, self.spec, self.longest_run = (
            table.for_dc().codes(),
            table.codes(),
            spec,
            longest_run,
        )
        self.bits: list[str] = []
        self.predictions: dict[int, int] = {}
        self.run, self.corrections = 0, ""  # number of blocks in the present end-of-band run, and their correction bits

    def add(self, index: int, block: list[int]) -> None:
        spec = self.spec
        if spec.Ss == 0 and spec.Ah == 0:
            value = block[0] >> spec.Al
            self.symbol(self.dc_codes, 0, value - self.predictions.get(index, 0))
            self.predictions[index] = value
        elif spec.Ss == 0:
            self.bits.append(str(block[0] >> spec.Al & 1))
        if spec.Se > 0 and spec.Ah == 0:
            self.first(block)
        elif spec.Se > 0:
            self.refine(block)

    def finish(self) -> str:
        self.end_run()
        return "".join(self.bits)

    def symbol(self, codes: dict[int, str], run: int, value: int) -> None:
        """Code of run and size, then the value (T.81, F.1.2.1)."""
        size = abs(value).bit_length()
        self.bits.append(codes[run << 4 | size])
        if size:
            self.bits.append(format(value if value > 0 else value + 2**size - 1, f"0{size}b"))

    def first(self, block: list[int]) -> None:
        """Code the AC coefficients of a sequential scan, or the first scan of a band (T.81, G.1.2.2)."""
        spec, run = self.spec, 0
        for k in range(max(spec.Ss, 1), spec.Se + 1):
            value = abs(block[k]) >> spec.Al
            if value == 0:
                run += 1
                continue
            self.end_run()
            while run > 15:
                self.bits.append(self.codes[0xF0])
                run -= 16
            self.symbol(self.codes, run, value if block[k] > 0 else -value)
            run = 0
        if run and spec.Ss == 0:
            self.bits.append(self.codes[0])
        elif run:
            self.add_to_run("")

    def refine(self, block: list[int]) -> None:
        spec = self.spec
        sizes = {k: abs(block[k]) >> spec.Al for k in range(spec.Ss, spec.Se + 1)}
        last_new = max((k for k, size in sizes.items() if size == 1), default=-1)
        run, corrections = 0, ""
        for k, size in sizes.items():
            if size == 0:
                run += 1
                continue
            while run > 15 and k <= last_new:
                self.end_run()
                self.bits.append(self.codes[0xF0] + corrections)
                run, corrections = run - 16, ""
            if size > 1:
                corrections += str(size & 1)
                continue
            self.end_run()
            self.bits.append(self.codes[run << 4 | 1] + ("1" if block[k] > 0 else "0") + corrections)
            run, corrections = 0, ""
        if run or corrections:
            self.add_to_run(corrections)

    def add_to_run(self, corrections: str) -> None:
        self.run += 1
        self.corrections += corrections
        if self.run == self.longest_run:
            self.end_run()

    def end_run(self) -> None:
        """Code the end-of-band run so far (T.81, Table G.1)."""
        if self.run:
            size = self.run.bit_length() - 1
            rest = format(self.run - 2**size, f"0{size}b") if size else ""
            self.bits.append(self.codes[size << 4] + rest + self.corrections)
        self.run, self.corrections = 0, ""
