"""What the marker segments say: frames, scans, tables (ITU-T T.81, B.2), as small frozen values.

Each ``parse_*`` function takes one segment, checks it against T.81, and gives back values; it sees no other segment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optcodec.errors import MalformedJpegError, UnsupportedJpegError
from optcodec.jpeg.segments import Segment
from optcodec.jpeg.tables import QuantTable

__all__ = [
    "Frame",
    "FrameComponent",
    "HuffmanSpec",
    "ScanComponent",
    "ScanHeader",
    "parse_frame",
    "parse_huffman_tables",
    "parse_line_count",
    "parse_quant_tables",
    "parse_restart_interval",
    "parse_scan",
]

_UNSUPPORTED_FRAMES = {
    "SOF3": "lossless coding",
    "SOF5": "hierarchical coding",
    "SOF6": "hierarchical coding",
    "SOF7": "hierarchical lossless coding",
    "SOF9": "arithmetic coding",
    "SOF10": "arithmetic coding",
    "SOF11": "lossless arithmetic coding",
    "SOF13": "hierarchical arithmetic coding",
    "SOF14": "hierarchical arithmetic coding",
    "SOF15": "hierarchical lossless arithmetic coding",
}
MAX_BLOCKS_IN_MCU = 10  # T.81, B.2.3
MAX_POINT_TRANSFORM = 13  # T.81, Table B.3


@dataclass(frozen=True)
class FrameComponent:
    """A component as the frame header declares it: identifier, sampling factors 1..4, number 0..3 of its table."""

    id: int
    h: int
    v: int
    table: int


@dataclass(frozen=True)
class Frame:
    """Frame header (T.81, B.2.2).

    Parameters
    ----------
    name : str
        ``"SOF0"`` baseline, ``"SOF1"`` extended sequential, ``"SOF2"`` progressive.
    width, height : int
        Size in pixels; height 0 means that a DNL segment after the first scan gives it.
    components : tuple of FrameComponent
        One to four.
    """

    name: str
    width: int
    height: int
    components: tuple[FrameComponent, ...]

    @property
    def is_progressive(self) -> bool:
        """Whether the coefficients come in several scans by band and by bit."""
        return self.name == "SOF2"


@dataclass(frozen=True)
class HuffmanSpec:
    """A Huffman table as DHT gives it (T.81, B.2.4.2).

    Parameters
    ----------
    counts : bytes
        16 numbers: how many codes have 1..16 bits.
    symbols : bytes
        The symbols in the order of their codes.
    """

    counts: bytes
    symbols: bytes


@dataclass(frozen=True)
class ScanComponent:
    """A component of a scan: index into `Frame.components`, numbers 0..3 of its DC and AC Huffman tables."""

    index: int
    dc_table: int
    ac_table: int


@dataclass(frozen=True)
class ScanHeader:
    """Scan header (T.81, B.2.3): components in MCU order, band ``Ss..Se`` in zig-zag order, bit position ``Ah, Al``."""

    components: tuple[ScanComponent, ...]
    Ss: int
    Se: int
    Ah: int
    Al: int


class _Fields:
    """Reads the payload of a segment from front to back and knows where it is in the file."""

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self._position = 0

    def __bool__(self) -> bool:
        return self._position < len(self._segment.payload)

    def take(self, nbytes: int) -> bytes:
        taken = self._segment.payload[self._position : self._position + nbytes]
        if len(taken) < nbytes:
            length = len(self._segment.payload)
            message = f"{self._segment.name} has {length} bytes of payload, needs {self._position + nbytes} or more"
            raise MalformedJpegError(message, self._segment.offset)
        self._position += nbytes
        return taken

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return int.from_bytes(self.take(2))

    def nibbles(self) -> tuple[int, int]:
        value = self.u8()
        return value >> 4, value & 15

    def check(self, good: bool, message: str) -> None:
        """Refuse the segment, at the last byte taken, unless ``good``."""
        if not good:
            at = self._segment.payload_offset + max(0, self._position - 1)
            raise MalformedJpegError(f"{self._segment.name}: {message}", at)

    def end(self) -> None:
        rest = len(self._segment.payload) - self._position
        self.check(rest == 0, f"{rest} bytes more than its content needs")


def parse_frame(segment: Segment) -> Frame:
    """Read a frame header.

    Raises
    ------
    UnsupportedJpegError
        If the frame is legal, but neither sequential nor progressive Huffman coding of 8-bit samples with 1 to 4
        components.
    MalformedJpegError
        If it breaks T.81, B.2.2.
    """
    if segment.name in _UNSUPPORTED_FRAMES:
        raise UnsupportedJpegError(
            f"{segment.name} is {_UNSUPPORTED_FRAMES[segment.name]}; handled are SOF0, SOF1 and SOF2 (Huffman coding)"
        )
    fields = _Fields(segment)
    precision = fields.u8()
    if precision == 12 and segment.name != "SOF0":
        raise UnsupportedJpegError("samples have 12 bits; handled are samples of 8 bits")
    fields.check(precision == 8, f"samples have 8 bits (or 12 in SOF1 and SOF2), found {precision}")
    height, width = fields.u16(), fields.u16()
    fields.check(width > 0, "the width is at least 1, found 0")
    count = fields.u8()
    fields.check(count > 0, "a frame has at least 1 component, found 0")
    if count > 4:
        raise UnsupportedJpegError(f"the frame has {count} components; handled are 1 to 4")
    components = tuple(_frame_component(fields) for _ in range(count))
    fields.end()
    ids = [component.id for component in components]
    fields.check(len(set(ids)) == count, f"component identifiers differ, found {ids}")
    return Frame(segment.name, width, height, components)


def _frame_component(fields: _Fields) -> FrameComponent:
    identifier = fields.u8()
    h, v = fields.nibbles()
    fields.check(1 <= h <= 4 and 1 <= v <= 4, f"sampling factors lie in 1..4, found {h}x{v}")
    table = fields.u8()
    fields.check(table <= 3, f"quantization tables have the numbers 0..3, found {table}")
    return FrameComponent(identifier, h, v, table)


def parse_scan(segment: Segment, frame: Frame) -> ScanHeader:
    """Read a scan header; its parameters are checked against the kind of frame (T.81, B.2.3 and Table B.3)."""
    fields = _Fields(segment)
    count = fields.u8()
    fields.check(1 <= count <= len(frame.components), f"1 to {len(frame.components)} components, found {count}")
    components = []
    ids = [component.id for component in frame.components]
    for _ in range(count):
        identifier = fields.u8()
        fields.check(identifier in ids, f"the frame has components {ids}, found {identifier}")
        tables = fields.nibbles()
        fields.check(max(tables) <= 3, f"Huffman tables have the numbers 0..3, found {max(tables)}")
        components.append(ScanComponent(ids.index(identifier), *tables))
    Ss, Se = fields.u8(), fields.u8()
    Ah, Al = fields.nibbles()
    fields.end()
    indices = [component.index for component in components]
    fields.check(indices == sorted(set(indices)), f"components keep the order of the frame, found indices {indices}")
    blocks = sum(frame.components[index].h * frame.components[index].v for index in indices)
    fields.check(count == 1 or blocks <= MAX_BLOCKS_IN_MCU, f"an MCU has at most 10 blocks, found {blocks}")
    header = ScanHeader(tuple(components), Ss, Se, Ah, Al)
    fields.check(_is_band_legal(header, frame), f"no such scan in {frame.name}: Ss={Ss} Se={Se} Ah={Ah} Al={Al}")
    return header


def _is_band_legal(scan: ScanHeader, frame: Frame) -> bool:
    """T.81, Table B.3 and G.1.1.1: DC and AC in scans of their own, AC of one component, one bit more a refinement."""
    if not frame.is_progressive:
        return (scan.Ss, scan.Se, scan.Ah, scan.Al) == (0, 63, 0, 0)
    band = scan.Se == 0 if scan.Ss == 0 else scan.Ss <= scan.Se <= 63 and len(scan.components) == 1
    return band and scan.Al <= MAX_POINT_TRANSFORM and scan.Ah in (0, scan.Al + 1)


def parse_quant_tables(segment: Segment) -> list[tuple[int, QuantTable]]:
    """Number 0..3 and steps of each table in a DQT; 16-bit steps are taken with 8-bit samples too, as libjpeg does."""
    fields = _Fields(segment)
    fields.check(bool(fields), "a table is expected, the segment is empty")
    tables = []
    while fields:
        wide, number = fields.nibbles()
        fields.check(wide <= 1, f"steps have 8 (0) or 16 bits (1), found {wide}")
        fields.check(number <= 3, f"quantization tables have the numbers 0..3, found {number}")
        steps_zz = np.frombuffer(fields.take(64 << wide), ">u2" if wide else "u1")
        fields.check(bool(steps_zz.all()), "quantization steps are at least 1, found 0")
        tables.append((number, QuantTable.from_zigzag(steps_zz)))
    return tables


def parse_huffman_tables(segment: Segment) -> list[tuple[int, int, HuffmanSpec]]:
    """Class (0 DC, 1 AC), number 0..3 and codes of each table in a DHT.

    A code of ones only, which T.81 (Annex C) keeps free, is taken, as libjpeg does: it is unambiguous.
    """
    fields = _Fields(segment)
    fields.check(bool(fields), "a table is expected, the segment is empty")
    tables = []
    while fields:
        kind, number = fields.nibbles()
        fields.check(kind <= 1, f"a Huffman table has class 0 (DC) or 1 (AC), found {kind}")
        fields.check(number <= 3, f"Huffman tables have the numbers 0..3, found {number}")
        counts = fields.take(16)
        total = sum(counts)
        fields.check(total <= 256, f"a Huffman table has at most 256 codes, found {total}")
        used = sum(count << (16 - length) for length, count in enumerate(counts, 1))
        fields.check(used <= 1 << 16, "over-subscribed Huffman table: more codes than its lengths allow")
        tables.append((kind, number, HuffmanSpec(counts, fields.take(total))))
    return tables


def parse_restart_interval(segment: Segment) -> int:
    """MCUs between restart markers, 0 for none, of a DRI."""
    fields = _Fields(segment)
    interval = fields.u16()
    fields.end()
    return interval


def parse_line_count(segment: Segment) -> int:
    """Height of the image in pixels of a DNL."""
    fields = _Fields(segment)
    height = fields.u16()
    fields.check(height > 0, "the number of lines is at least 1, found 0")
    fields.end()
    return height
