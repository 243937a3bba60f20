"""Read everything in a JPEG file but its coefficients: frame, scans with the tables in force, metadata.

A table is in force from its segment until another table with the same number replaces it (T.81, B.2.4). This module
resolves that once: each scan gets the Huffman tables and the restart interval in force at its start, each component
gets the quantization table in force at the start of its first scan.

Breaches of T.81 that libjpeg tolerates are tolerated and reported, with the same result; `strict` refuses them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from optcodec.errors import InvalidInputError, MalformedJpegError, UnsupportedJpegError
from optcodec.jpeg.headers import (
    Frame,
    HuffmanSpec,
    ScanHeader,
    parse_frame,
    parse_scan,
)
from optcodec.jpeg.image import blocks_shape
from optcodec.jpeg.metadata.reader import read_metadata
from optcodec.jpeg.metadata.values import Metadata
from optcodec.jpeg.reading.table_segments import (
    parse_huffman_tables,
    parse_line_count,
    parse_quant_tables,
    parse_restart_interval,
)
from optcodec.jpeg.segments import Segment, file_bytes, read_segments
from optcodec.jpeg.standard_codes import STANDARD_CODES
from optcodec.jpeg.tables import QuantTable
from optcodec.notices import Finding, Notify, Tolerate, refuse, refuse_without_partial, sentences, warn_of

__all__ = ["CodedScan", "JpegStructure", "read_structure"]


@dataclass(frozen=True)
class CodedScan:
    """One scan, with the Huffman tables and the restart interval in force at its start.

    Parameters
    ----------
    header : ScanHeader
        Components, band and bit position.
    segment : Segment
        The SOS; `Segment.data_offset` and `Segment.data_nbytes` say where the entropy-coded data lies.
    dc_tables, ac_tables : tuple of (HuffmanSpec or None)
        One for each component of the scan; None if the scan needs no such table.
    restart_interval : int
        MCUs between restart markers, 0 for none.
    """

    header: ScanHeader
    segment: Segment
    dc_tables: tuple[HuffmanSpec | None, ...]
    ac_tables: tuple[HuffmanSpec | None, ...]
    restart_interval: int


@dataclass(frozen=True)
class JpegStructure:
    """A JPEG file without its coefficients.

    Parameters
    ----------
    segments : tuple of Segment
        All segments from SOI on; EOI is the last one unless it is missing.
    frame : Frame
        Size and components; the height is that of DNL if it is 0 in the frame header.
    scans : tuple of CodedScan
        In file order.
    tables : tuple of QuantTable
        The quantization tables that components use, in the order of their first use.
    table_indices : tuple of int
        Index into `tables` of each component.
    metadata : Metadata
        Colour profile, Exif, and whatever else the file carries besides the image.
    zero_steps : tuple of tuple of int
        For each component the row-major indices of the coefficients whose step is 0 in the file; `tables` have 1.
    """

    segments: tuple[Segment, ...] = field(repr=False)
    frame: Frame
    scans: tuple[CodedScan, ...]
    tables: tuple[QuantTable, ...]
    table_indices: tuple[int, ...]
    metadata: Metadata
    zero_steps: tuple[tuple[int, ...], ...]

    @property
    def restart_interval(self) -> int:
        """MCUs between restart markers in the first scan, 0 for none."""
        return self.scans[0].restart_interval

    def blocks_shape(self, index: int) -> tuple[int, int]:
        """Rows and columns of blocks of a component, without those that only fill up the last MCU."""
        components = self.frame.components
        h_max, v_max = max(c.h for c in components), max(c.v for c in components)
        component = components[index]
        return blocks_shape(self.frame.width, self.frame.height, component.h, component.v, h_max, v_max)


_UsedTable = tuple[int, QuantTable, tuple[int, ...]]  # number, table, and coefficients whose step is 0


class _Tables:
    """The tables and the restart interval in force, while the segments are read in file order."""

    def __init__(self, tolerate: Tolerate) -> None:
        self._tolerate = tolerate
        self.quant: dict[int, _UsedTable] = {}
        self.huffman: dict[tuple[int, int], HuffmanSpec] = {}
        self.restart_interval = 0

    def take(self, segment: Segment) -> None:
        """Replace the tables or the restart interval that a segment defines; ignore other segments."""
        if segment.name == "DQT":
            self.quant.update({table[0]: table for table in parse_quant_tables(segment, self._tolerate)})
        elif segment.name == "DHT":
            tables = parse_huffman_tables(segment, self._tolerate)
            self.huffman.update({(table_class, number): spec for table_class, number, spec in tables})
        elif segment.name == "DRI":
            self.restart_interval = parse_restart_interval(segment)

    def quant_table(self, number: int, segment: Segment) -> _UsedTable:
        """Return the quantization table in force; if there is none, raise an error at the scan that needs it."""
        if number not in self.quant:
            raise MalformedJpegError(f"no DQT before this scan defines table {number}", segment.offset)
        return self.quant[number]

    def huffman_table(self, table_class: int, number: int, segment: Segment, *, progressive: bool) -> HuffmanSpec:
        """Return the Huffman table in force. If there is none in a sequential file, return the one of T.81, K.3.

        libjpeg-turbo does so, too (jstdhuff.c).
        """
        spec = self.huffman.get((table_class, number))
        if spec is None:
            standard = None if progressive else STANDARD_CODES.get((table_class, number))
            message = f"no DHT before this scan defines {('DC', 'AC')[table_class]} table {number}"
            finding = Finding(message, segment.offset, "scans without tables were read with those of T.81, K.3")
            (refuse if standard is None else self._tolerate)(finding)
            spec = standard
        assert spec is not None  # otherwise `refuse` has raised an error
        return spec


def read_structure(
    data: bytes | bytearray | memoryview, *, strict: bool = False, partial: bool = False, notify: Notify | None = None
) -> JpegStructure:
    """Read everything but the coefficients.

    Parameters
    ----------
    data : bytes, bytearray or memoryview
        The whole file.
    strict : bool
        Refuse every breach of T.81, also those that libjpeg tolerates.
    partial : bool
        Also read a file that ends before its last scan.
    notify : callable, optional
        Called with one sentence for each kind of breach that was tolerated; by default each is a `JpegWarning`.

    Returns
    -------
    JpegStructure

    Raises
    ------
    InvalidInputError
        If `data` is not bytes, or both `strict` and `partial` are set.
    MalformedJpegError
        If a segment breaks T.81, a table or a scan is missing, or scans contradict one another.
    UnsupportedJpegError
        If the file is legal but not supported: arithmetic, lossless, hierarchical, 12 bit, more than 4 components.
    """
    if strict and partial:
        raise InvalidInputError("strict and partial exclude one another; expected one of them")
    findings: list[Finding] = []
    structure = _structure(file_bytes(data), refuse if strict else findings.append, partial)
    notices = sentences(findings)
    if notify is None:
        warn_of(notices)
    else:
        for sentence in notices:
            notify(sentence)
    return structure


def _structure(data: bytes, tolerate: Tolerate, partial: bool) -> JpegStructure:
    segments = read_segments(data, tolerate=tolerate, partial=partial)
    frame = _frame(segments, tolerate)
    tables = _Tables(tolerate)
    scans: list[CodedScan] = []
    used: dict[int, _UsedTable] = {}  # by component: the table in force at its first scan
    for segment in segments:
        tables.take(segment)
        if segment.name != "SOS":
            continue
        scan = _scan(segment, frame, tables, tolerate)
        for component in scan.header.components:
            if component.index not in used:
                used[component.index] = tables.quant_table(frame.components[component.index].table, segment)
        scans.append(scan)
    _check_complete(frame, scans, segments[-1], tolerate if partial or tolerate is refuse else refuse_without_partial)
    # A component without scans has only coefficients of 0, so that any table will do.
    ordered = [used.get(index, next(iter(used.values()))) for index in range(len(frame.components))]
    distinct = list(dict.fromkeys((number, table) for number, table, _ in ordered))
    indices = tuple(distinct.index((number, table)) for number, table, _ in ordered)

    def complain(message: str, offset: int) -> None:
        tolerate(Finding(message, offset, "damaged application segments were ignored"))

    metadata = read_metadata(data, segments, frame.ids, complain)
    quant = tuple(table for _, table in distinct)
    return JpegStructure(segments, frame, tuple(scans), quant, indices, metadata, tuple(zeros for *_, zeros in ordered))


def _frame(segments: Sequence[Segment], tolerate: Tolerate) -> Frame:
    """Read the only frame header of the file, which must precede the scans; take the height from DNL if it is 0."""
    for segment in segments:
        if segment.name in ("DAC", "DHP", "EXP") or segment.name.startswith("JPG"):
            raise UnsupportedJpegError(f"{segment.name} belongs to arithmetic, hierarchical or extended coding")
    frames = [segment for segment in segments if segment.name.startswith("SOF")]
    first_scan = next((segment for segment in segments if segment.name == "SOS"), segments[-1])
    if not frames or frames[0].offset > first_scan.offset:
        raise MalformedJpegError(f"a frame header (SOF) is expected before {first_scan.name}", first_scan.offset)
    frame = parse_frame(frames[0], tolerate)
    if len(frames) > 1:
        raise MalformedJpegError(f"the file has one frame header, found a second, {frames[1].name}", frames[1].offset)
    for before, segment in pairwise(segments):
        if segment.name == "DNL":
            is_behind_first_scan = before is first_scan
            if is_behind_first_scan and frame.height == 0:
                frame = replace(frame, height=parse_line_count(segment))
            elif not is_behind_first_scan or segment.payload != frame.height.to_bytes(2):
                message = "DNL stands right behind the first scan and agrees with the frame header"
                tolerate(Finding(message, segment.offset, "other DNL segments were ignored"))
    if frame.height == 0:
        raise MalformedJpegError("the height is 0, and no DNL segment gives it", frames[0].payload_offset + 1)
    return frame


def _scan(segment: Segment, frame: Frame, tables: _Tables, tolerate: Tolerate) -> CodedScan:
    header = parse_scan(segment, frame, tolerate)

    def table(table_class: int, number: int) -> HuffmanSpec | None:
        if not (header.needs_ac if table_class else header.needs_dc):
            return None
        return tables.huffman_table(table_class, number, segment, progressive=frame.is_progressive)

    dc = tuple(table(0, component.dc_table) for component in header.components)
    ac = tuple(table(1, component.ac_table) for component in header.components)
    return CodedScan(header, segment, dc, ac, tables.restart_interval)


def _check_complete(frame: Frame, scans: Sequence[CodedScan], last: Segment, tolerate_missing: Tolerate) -> None:
    """Check that the scans fit together (T.81, G.1.1.1).

    Each coefficient is sent once, or first sent and then refined one bit at a time, and each component has its DC. It
    is legal in a progressive file that AC coefficients or the lowest bits are never sent: they are 0. But if the file
    ends without EOI, they may have been lost. Missing data is passed to `tolerate_missing`.
    """
    low_bit = [[-1] * 64 for _ in frame.components]  # Al of the last scan that sent the coefficient, -1 before
    for scan in scans:
        header = scan.header
        band = slice(header.Ss, header.Se + 1)
        expected = [header.Ah if header.Ah else -1] * (header.Se + 1 - header.Ss)
        for component in header.components:
            index, bits = component.index, low_bit[component.index]
            if header.Ss > 0 and bits[0] < 0:
                raise MalformedJpegError(f"AC of component {index} is sent before its DC", scan.segment.offset)
            if bits[band] != expected:
                message = f"Ss={header.Ss} Se={header.Se} Ah={header.Ah} does not go on from earlier scans"
                raise MalformedJpegError(f"scan of component {index}: {message}", scan.segment.offset)
            bits[band] = [header.Al] * len(expected)
    missing = [index for index, bits in enumerate(low_bit) if bits[0] < 0]
    if missing:
        message = f"the file has no scan of the components {missing}"
        finding = Finding(message, last.offset, "components without scans were taken as 0")
        (tolerate_missing if scans else refuse)(finding)
    elif last.name != "EOI" and any(any(bits) for bits in low_bit):
        message = "the file ends without EOI, before its scans have sent all bits of all coefficients"
        tolerate_missing(Finding(message, last.end, "bits that were not sent were taken as 0"))
    if last.name != "EOI" and not scans[0].segment.data_nbytes:
        raise MalformedJpegError("truncated scan: the file ends before the first scan has any data", last.end)
