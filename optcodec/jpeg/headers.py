"""Frame and scan headers (ITU-T T.81, B.2.2 and B.2.3) as small frozen values, and the functions that parse them.

Each ``parse_*`` function checks one segment against T.81 and returns its values; it does not see other segments. A
breach of T.81 that libjpeg tolerates is passed to `tolerate`, which by default raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from optcodec.errors import UnsupportedJpegError
from optcodec.jpeg.reading.fields import Fields
from optcodec.jpeg.segments import Segment
from optcodec.notices import Tolerate, refuse

__all__ = [
    "Frame",
    "FrameComponent",
    "HuffmanSpec",
    "ScanComponent",
    "ScanHeader",
    "parse_frame",
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
    """A component in a frame header: identifier, sampling factors 1..4, number 0..3 of its quantization table."""

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
        Size in pixels; height 0 means that a DNL segment behind the first scan has the height.
    components : tuple of FrameComponent
        One to four.
    """

    name: str
    width: int
    height: int
    components: tuple[FrameComponent, ...]

    @property
    def ids(self) -> tuple[int, ...]:
        """Identifiers of the components: those of the file if they all differ, else 1, 2, ..."""
        ids = tuple(component.id for component in self.components)
        return ids if len(set(ids)) == len(ids) else tuple(range(1, len(ids) + 1))

    @property
    def is_progressive(self) -> bool:
        """Whether the file is progressive: each scan has a band of coefficients, or one more bit of them."""
        return self.name == "SOF2"


@dataclass(frozen=True)
class HuffmanSpec:
    """A Huffman table as in a DHT segment (T.81, B.2.4.2).

    Parameters
    ----------
    counts : bytes
        16 numbers of codes, for code lengths of 1..16 bits.
    symbols : bytes
        The symbols in the order of their codes.
    """

    counts: bytes
    symbols: bytes


@dataclass(frozen=True)
class ScanComponent:
    """A component in a scan header: index into `Frame.components`, numbers 0..3 of its DC and AC Huffman tables."""

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

    @property
    def needs_dc(self) -> bool:
        """Whether the scan needs DC Huffman tables; a DC refinement scan has bits without codes (T.81, G.1.2.1)."""
        return self.Ss == 0 and self.Ah == 0

    @property
    def needs_ac(self) -> bool:
        """Whether the scan needs AC Huffman tables."""
        return self.Se > 0


def parse_frame(segment: Segment, tolerate: Tolerate = refuse) -> Frame:
    """Read a frame header; components with equal identifiers may be tolerated.

    Raises
    ------
    UnsupportedJpegError
        If the frame is legal but not supported: only sequential and progressive Huffman coding of 8-bit samples with 1
        to 4 components is.
    MalformedJpegError
        If the segment breaks T.81, B.2.2.
    """
    if segment.name in _UNSUPPORTED_FRAMES:
        raise UnsupportedJpegError(
            f"{segment.name} is {_UNSUPPORTED_FRAMES[segment.name]}; handled are SOF0, SOF1 and SOF2 (Huffman coding)"
        )
    fields = Fields(segment, tolerate)
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
    message = f"component identifiers differ, found {ids}"
    fields.expect(
        len(set(ids)) == count,
        message,
        "the components of scans were assigned in the order of the frame, and numbered 1, 2, ...",
    )
    return Frame(segment.name, width, height, components)


def _frame_component(fields: Fields) -> FrameComponent:
    identifier = fields.u8()
    h, v = fields.nibbles()
    fields.check(1 <= h <= 4 and 1 <= v <= 4, f"sampling factors lie in 1..4, found {h}x{v}")
    table = fields.u8()
    fields.check(table <= 3, f"quantization tables have the numbers 0..3, found {table}")
    return FrameComponent(identifier, h, v, table)


def parse_scan(segment: Segment, frame: Frame, tolerate: Tolerate = refuse) -> ScanHeader:
    """Read a scan header and check it against the kind of frame (T.81, B.2.3 and Table B.3).

    Breaches that may be tolerated: some orders of components; any Ss, Se, Ah and Al in a sequential file; wrong numbers
    of tables that the scan does not need.
    """
    fields = Fields(segment, tolerate)
    count = fields.u8()
    fields.check(1 <= count <= len(frame.components), f"1 to {len(frame.components)} components, found {count}")
    scan_ids, tables = [], []
    ids = [component.id for component in frame.components]
    for _ in range(count):
        scan_ids.append(fields.u8())
        fields.check(scan_ids[-1] in ids, f"the frame has components {ids}, found {scan_ids[-1]}")
        tables.append(fields.nibbles())
    Ss, Se = fields.u8(), fields.u8()
    Ah, Al = fields.nibbles()
    fields.end()
    indices = _indices_of(scan_ids, ids)
    message = f"components keep the order of the frame, found indices {indices}"
    fields.check(_is_known_order(indices), message)
    fields.expect(indices == sorted(indices), message, "components were taken in the order of their scan")
    blocks = sum(frame.components[index].h * frame.components[index].v for index in indices)
    fields.check(count == 1 or blocks <= MAX_BLOCKS_IN_MCU, f"an MCU has at most 10 blocks, found {blocks}")
    components = tuple(ScanComponent(index, *numbers) for index, numbers in zip(indices, tables, strict=True))
    header = _checked_band(fields, ScanHeader(components, Ss, Se, Ah, Al), frame)
    _check_numbers(fields, header, frame)
    return header


def _indices_of(scan_ids: Sequence[int], ids: Sequence[int]) -> list[int]:
    """Find the components of the frame that have the identifiers in a scan header.

    If several components have the same identifier, component k of the scan (k from 0) cannot be one of the first k
    components of the frame. libjpeg-turbo chooses in this way (jdmarker.c, ``get_sos``), which gives the order of the
    frame for most files.
    """
    indices = []
    for position, scan_id in enumerate(scan_ids):
        candidates = [index for index, identifier in enumerate(ids) if identifier == scan_id]
        indices.append(next((index for index in candidates if index >= position), candidates[0]))
    return indices


def _is_known_order(indices: Sequence[int]) -> bool:
    """Tell whether libjpeg-turbo accepts a scan with its components in this order."""
    return len(set(indices)) == len(indices) and all(index >= position for position, index in enumerate(indices))


def _checked_band(fields: Fields, scan: ScanHeader, frame: Frame) -> ScanHeader:
    """Check Ss, Se, Ah and Al (T.81, Table B.3 and G.1.1.1).

    In a progressive file, DC and AC are in separate scans, an AC scan has one component, and a refinement scan adds one
    bit. A scan of a sequential file always has all coefficients, whatever its header says.
    """
    message = f"no such scan in {frame.name}: Ss={scan.Ss} Se={scan.Se} Ah={scan.Ah} Al={scan.Al}"
    if not frame.is_progressive:
        is_legal = (scan.Ss, scan.Se, scan.Ah, scan.Al) == (0, 63, 0, 0)
        fields.expect(is_legal, message, "it was read as Ss=0 Se=63 Ah=0 Al=0")
        return ScanHeader(scan.components, 0, 63, 0, 0)
    is_band = scan.Se == 0 if scan.Ss == 0 else scan.Ss <= scan.Se <= 63 and len(scan.components) == 1
    fields.check(is_band and scan.Al <= MAX_POINT_TRANSFORM and scan.Ah in (0, scan.Al + 1), message)
    return scan


def _check_numbers(fields: Fields, scan: ScanHeader, frame: Frame) -> None:
    """Refuse Huffman table numbers above 3, or tolerate them if the scan does not need the table."""
    for component in scan.components:
        if max(component.dc_table, component.ac_table) <= 3:
            continue
        for number, is_needed in ((component.dc_table, scan.needs_dc), (component.ac_table, scan.needs_ac)):
            message = f"Huffman tables have the numbers 0..3, found {number}"
            fields.check(number <= 3 or not is_needed, message)
            fields.expect(number <= 3, message, "the scan needs no such table")
