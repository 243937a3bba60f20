"""What frame and scan headers say (ITU-T T.81, B.2.2 and B.2.3), as small frozen values.

Each ``parse_*`` function takes one segment, checks it against T.81, and gives back values; it sees no other segment.
What libjpeg reads although T.81 does not allow it is handed to `tolerate`, which by default refuses it.
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
    def ids(self) -> tuple[int, ...]:
        """Identifiers of the components: those of the file, or from 1 on if these do not tell components apart."""
        ids = tuple(component.id for component in self.components)
        return ids if len(set(ids)) == len(ids) else tuple(range(1, len(ids) + 1))

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

    @property
    def needs_dc(self) -> bool:
        """Whether it takes Huffman tables for DC. Refinement of DC is bare bits (T.81, G.1.2.1)."""
        return self.Ss == 0 and self.Ah == 0

    @property
    def needs_ac(self) -> bool:
        """Whether it takes Huffman tables for AC."""
        return self.Se > 0


def parse_frame(segment: Segment, tolerate: Tolerate = refuse) -> Frame:
    """Read a frame header. Components with the same identifier may be tolerated.

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
        "scans were taken to have the first that is left, and identifiers to be 1, 2, ...",
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
    """Read a scan header; its parameters are checked against the kind of frame (T.81, B.2.3 and Table B.3).

    Some orders of components may be tolerated, any Ss, Se, Ah and Al in a sequential file, and numbers of tables that
    the scan does not need.
    """
    fields = Fields(segment, tolerate)
    count = fields.u8()
    fields.check(1 <= count <= len(frame.components), f"1 to {len(frame.components)} components, found {count}")
    names, tables = [], []
    ids = [component.id for component in frame.components]
    for _ in range(count):
        names.append(fields.u8())
        fields.check(names[-1] in ids, f"the frame has components {ids}, found {names[-1]}")
        tables.append(fields.nibbles())
    Ss, Se = fields.u8(), fields.u8()
    Ah, Al = fields.nibbles()
    fields.end()
    indices = _indices_of(names, ids)
    message = f"components keep the order of the frame, found indices {indices}"
    fields.check(_is_known_order(indices), message)
    fields.expect(indices == sorted(indices), message, "components were taken in the order of their scan")
    blocks = sum(frame.components[index].h * frame.components[index].v for index in indices)
    fields.check(count == 1 or blocks <= MAX_BLOCKS_IN_MCU, f"an MCU has at most 10 blocks, found {blocks}")
    components = tuple(ScanComponent(index, *numbers) for index, numbers in zip(indices, tables, strict=True))
    header = _checked_band(fields, ScanHeader(components, Ss, Se, Ah, Al), frame)
    _check_numbers(fields, header, frame)
    return header


def _indices_of(names: Sequence[int], ids: Sequence[int]) -> list[int]:
    """Components that identifiers stand for.

    Where several have one identifier, the k-th of a scan is none of the first k of the frame (k from 0). So does
    libjpeg-turbo choose (jdmarker.c, ``get_sos``), which thereby takes the order of the frame, and few others.
    """
    indices = []
    for position, name in enumerate(names):
        candidates = [index for index, identifier in enumerate(ids) if identifier == name]
        indices.append(next((index for index in candidates if index >= position), candidates[0]))
    return indices


def _is_known_order(indices: Sequence[int]) -> bool:
    """Whether libjpeg-turbo takes a scan with components in this order."""
    return len(set(indices)) == len(indices) and all(index >= position for position, index in enumerate(indices))


def _checked_band(fields: Fields, scan: ScanHeader, frame: Frame) -> ScanHeader:
    """T.81, Table B.3 and G.1.1.1: DC and AC in scans of their own, AC of one component, one bit more a refinement.

    A scan of a sequential file has all coefficients, whatever it says.
    """
    message = f"no such scan in {frame.name}: Ss={scan.Ss} Se={scan.Se} Ah={scan.Ah} Al={scan.Al}"
    if not frame.is_progressive:
        is_legal = (scan.Ss, scan.Se, scan.Ah, scan.Al) == (0, 63, 0, 0)
        fields.expect(is_legal, message, "it was read as Ss=0 Se=63 Ah=0 Al=0")
        return ScanHeader(scan.components, 0, 63, 0, 0)
    band = scan.Se == 0 if scan.Ss == 0 else scan.Ss <= scan.Se <= 63 and len(scan.components) == 1
    fields.check(band and scan.Al <= MAX_POINT_TRANSFORM and scan.Ah in (0, scan.Al + 1), message)
    return scan


def _check_numbers(fields: Fields, scan: ScanHeader, frame: Frame) -> None:
    """Huffman tables have the numbers 0..3; of those that a scan does not need it is no matter what they are."""
    for part in scan.components:
        if max(part.dc_table, part.ac_table) <= 3:
            continue
        for number, is_needed in ((part.dc_table, scan.needs_dc), (part.ac_table, scan.needs_ac)):
            message = f"Huffman tables have the numbers 0..3, found {number}"
            fields.check(number <= 3 or not is_needed, message)
            fields.expect(number <= 3, message, "the scan needs no such table")
