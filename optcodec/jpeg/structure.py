"""What a JPEG file says before any coefficient is decoded: frame, scans with the tables in force, metadata.

A table holds from its segment on until another of the same number replaces it (T.81, B.2.4). This file resolves that
once: each scan gets the Huffman tables and the restart interval in force at its start, each component the quantization
table in force at the start of its first scan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from optcodec.errors import MalformedJpegError, UnsupportedJpegError
from optcodec.jpeg.carried import read_metadata
from optcodec.jpeg.headers import (
    Frame,
    HuffmanSpec,
    ScanHeader,
    parse_frame,
    parse_huffman_tables,
    parse_line_count,
    parse_quant_tables,
    parse_restart_interval,
    parse_scan,
)
from optcodec.jpeg.image import blocks_shape
from optcodec.jpeg.metadata import Metadata
from optcodec.jpeg.segments import Segment, read_segments
from optcodec.jpeg.tables import QuantTable

__all__ = ["CodedScan", "JpegStructure", "read_structure"]


@dataclass(frozen=True)
class CodedScan:
    """One scan with what is in force at its start.

    Parameters
    ----------
    header : ScanHeader
        Components, band and bit position.
    segment : Segment
        The SOS; `Segment.data_offset` and `Segment.data_nbytes` say where the entropy-coded data lies.
    dc_tables, ac_tables : tuple of (HuffmanSpec or None)
        One a component of the scan; None where the scan needs no such table.
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
        All segments, from SOI to EOI.
    frame : Frame
        Size and components; the height is that of DNL if the frame header leaves it open.
    scans : tuple of CodedScan
        In file order.
    tables : tuple of QuantTable
        The quantization tables that components use, in the order of their first use.
    table_indices : tuple of int
        Index into `tables` of each component.
    metadata : Metadata
        Colour profile, Exif, and the like.
    """

    segments: tuple[Segment, ...] = field(repr=False)
    frame: Frame
    scans: tuple[CodedScan, ...]
    tables: tuple[QuantTable, ...]
    table_indices: tuple[int, ...]
    metadata: Metadata

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


class _Tables:
    """Tables and restart interval in force while the segments are read in file order."""

    def __init__(self) -> None:
        self.quant: dict[int, QuantTable] = {}
        self.huffman: dict[tuple[int, int], HuffmanSpec] = {}
        self.restart_interval = 0

    def take(self, segment: Segment) -> None:
        """Note what a segment defines, if it defines something."""
        if segment.name == "DQT":
            self.quant.update(parse_quant_tables(segment))
        elif segment.name == "DHT":
            self.huffman.update({(kind, number): spec for kind, number, spec in parse_huffman_tables(segment)})
        elif segment.name == "DRI":
            self.restart_interval = parse_restart_interval(segment)

    def huffman_table(self, kind: int, number: int, segment: Segment) -> HuffmanSpec:
        """The table in force, or an error at the scan that lacks it."""
        spec = self.huffman.get((kind, number))
        if spec is None:
            raise MalformedJpegError(
                f"no DHT before this scan defines {('DC', 'AC')[kind]} table {number}", segment.offset
            )
        return spec


def read_structure(data: bytes) -> JpegStructure:
    """Read everything but the coefficients.

    Parameters
    ----------
    data : bytes
        The whole file; what follows EOI is ignored.

    Raises
    ------
    MalformedJpegError
        If a segment breaks T.81, a table or a scan is missing, or scans contradict one another.
    UnsupportedJpegError
        If the file is legal but not handled: arithmetic, lossless, hierarchical, 12 bit, more than 4 components.
    """
    segments = read_segments(data)
    frame = _frame(segments)
    tables = _Tables()
    scans: list[CodedScan] = []
    used: dict[int, tuple[int, QuantTable]] = {}  # by component: number and table in force at its first scan
    for segment in segments:
        tables.take(segment)
        if segment.name != "SOS":
            continue
        scan = _scan(segment, frame, tables)
        for part in scan.header.components:
            if part.index not in used:
                number = frame.components[part.index].table
                if number not in tables.quant:
                    raise MalformedJpegError(f"no DQT before this scan defines table {number}", segment.offset)
                used[part.index] = (number, tables.quant[number])
        scans.append(scan)
    _check_complete(frame, scans, segments[-1].offset)
    ordered = [used[index] for index in range(len(frame.components))]
    distinct = list(dict.fromkeys(ordered))
    indices = tuple(distinct.index(entry) for entry in ordered)
    metadata = read_metadata(data, segments, [part.id for part in frame.components])
    return JpegStructure(segments, frame, tuple(scans), tuple(table for _, table in distinct), indices, metadata)


def _frame(segments: Sequence[Segment]) -> Frame:
    """The one frame of the file, which comes before its scans, with the height of DNL where it leaves that open."""
    for segment in segments:
        if segment.name in ("DAC", "DHP", "EXP") or segment.name.startswith("JPG"):
            raise UnsupportedJpegError(f"{segment.name} belongs to arithmetic, hierarchical or extended coding")
    frames = [segment for segment in segments if segment.name.startswith("SOF")]
    first_scan = next((segment for segment in segments if segment.name == "SOS"), segments[-1])
    if not frames or frames[0].offset > first_scan.offset:
        raise MalformedJpegError(f"a frame header (SOF) is expected before {first_scan.name}", first_scan.offset)
    frame = parse_frame(frames[0])
    if len(frames) > 1:
        raise MalformedJpegError(f"the file has one frame header, found a second, {frames[1].name}", frames[1].offset)
    for position, segment in enumerate(segments):
        if segment.name == "DNL":
            if segments[position - 1] is not first_scan or frame.height not in (0, parse_line_count(segment)):
                message = "DNL stands right behind the first scan and agrees with the frame header"
                raise MalformedJpegError(message, segment.offset)
            frame = replace(frame, height=parse_line_count(segment))
    if frame.height == 0:
        raise MalformedJpegError("the height is 0, and no DNL segment gives it", frames[0].payload_offset + 1)
    return frame


def _scan(segment: Segment, frame: Frame, tables: _Tables) -> CodedScan:
    header = parse_scan(segment, frame)
    needs_dc = header.Ss == 0 and header.Ah == 0  # refinement of DC is bare bits (T.81, G.1.2.1)
    needs_ac = header.Se > 0
    dc = [tables.huffman_table(0, part.dc_table, segment) if needs_dc else None for part in header.components]
    ac = [tables.huffman_table(1, part.ac_table, segment) if needs_ac else None for part in header.components]
    return CodedScan(header, segment, tuple(dc), tuple(ac), tables.restart_interval)


def _check_complete(frame: Frame, scans: Sequence[CodedScan], end: int) -> None:
    """Each coefficient is sent once, or first and then refined bit by bit; each component has its DC (T.81, G.1.1.1).

    That AC or the lowest bits are never sent is legal in a progressive file: the coefficients are 0 there.
    """
    low_bit = [[-1] * 64 for _ in frame.components]  # Al of the last scan that sent the coefficient, -1 before
    for scan in scans:
        header = scan.header
        expected = header.Ah if header.Ah else -1
        for part in header.components:
            bits = low_bit[part.index]
            if header.Ss > 0 and bits[0] < 0:
                raise MalformedJpegError(f"AC of component {part.index} is sent before its DC", scan.segment.offset)
            if any(bits[k] != expected for k in range(header.Ss, header.Se + 1)):
                message = f"Ss={header.Ss} Se={header.Se} Ah={header.Ah} does not go on from earlier scans"
                raise MalformedJpegError(f"scan of component {part.index}: {message}", scan.segment.offset)
            bits[header.Ss : header.Se + 1] = [header.Al] * (header.Se + 1 - header.Ss)
    missing = [index for index, bits in enumerate(low_bit) if bits[0] < 0]
    if missing:
        raise MalformedJpegError(f"the file has no scan of the components {missing}", end)
