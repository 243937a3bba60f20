"""Assemble a JPEG file from its scans: SOI, segments, tables, frame header, scans, EOI (ITU-T T.81, B.2)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from optcodec.cached import cached_property
from optcodec.jpeg.entropy import HuffmanTables, ScanTokens, joint_tables, scan_bytes
from optcodec.jpeg.headers import FrameComponent
from optcodec.jpeg.image import CoefficientImage
from optcodec.jpeg.layout import dc_slots
from optcodec.jpeg.metadata.values import Metadata
from optcodec.jpeg.metadata.writer import application_segments, with_trailer
from optcodec.jpeg.segments import EOI, segment_bytes
from optcodec.jpeg.standard_codes import standard_tables
from optcodec.jpeg.tables import QuantTable

__all__ = ["Huffman", "Preamble", "Scan", "compact_tables", "group_slots", "jpeg_bytes", "scan_groups"]

Huffman = Literal["optimal", "standard"]

_SOI = b"\xff\xd8"
_SOF0, _SOF1, _SOF2, _DHT, _SOS, _DQT, _DRI = 0xC0, 0xC1, 0xC2, 0xC4, 0xDA, 0xDB, 0xDD
_MAX_BLOCKS_IN_MCU = 10  # T.81, B.2.3


@dataclass(frozen=True)
class Preamble:
    """Everything in a file but its scans: size, components, quantization tables, metadata, restart interval."""

    width: int
    height: int
    components: Sequence[FrameComponent]
    tables: Sequence[QuantTable]
    metadata: Metadata
    restart_interval: int

    @cached_property
    def sequential(self) -> bytes:
        """The beginning of a sequential file: baseline (SOF0) if all steps have 8 bits, otherwise extended (SOF1)."""
        return self._segments(_SOF0 if all(table.is_baseline for table in self.tables) else _SOF1)

    @cached_property
    def progressive(self) -> bytes:
        """The beginning of a progressive file."""
        return self._segments(_SOF2)

    @property
    def end(self) -> bytes:
        """What comes behind the scans."""
        return self._carried[2] + EOI

    @cached_property
    def _carried(self) -> tuple[bytes, bytes, bytes]:
        return application_segments(self.metadata, [component.id for component in self.components])

    def _segments(self, frame: int) -> bytes:
        """All segments in front of the first scan, with the marker of the frame header."""
        front, behind_frame, _ = self._carried
        pieces = [_SOI, front, _dqt(tuple(self.tables)), _frame_header(self, frame), behind_frame]
        if self.restart_interval:
            pieces.append(segment_bytes(_DRI, struct.pack(">H", self.restart_interval)))
        return b"".join(pieces)

    @classmethod
    def of(cls, image: CoefficientImage) -> Preamble:
        """Take everything but the coefficients from an image."""
        tables, indices = compact_tables(image.tables, [component.table for component in image.components])
        components = [
            FrameComponent(component.id, component.h, component.v, index)
            for component, index in zip(image.components, indices, strict=True)
        ]
        return cls(image.width, image.height, components, tables, image.metadata, image.restart_interval)


def compact_tables(tables: Sequence[QuantTable], indices: Sequence[int]) -> tuple[list[QuantTable], list[int]]:
    """Drop unused and repeated tables; return the remaining tables, and the indices that point into them."""
    used: dict[QuantTable, int] = {}
    new_indices = [used.setdefault(tables[index], len(used)) for index in indices]
    return list(used), new_indices


@dataclass(frozen=True)
class Scan:
    """One scan: its components, its parameters by their names in T.81 (B.2.3), and its symbols.

    Parameters
    ----------
    components : sequence of int
        Indices of the components in the frame.
    slots : sequence of int
        DC slot of each component, which is twice the number of its Huffman tables.
    tokens : ScanTokens
        Symbols and additional bits of the scan.
    Ss, Se, Ah, Al : int
        Spectral selection and successive approximation; the defaults are those of a sequential scan.
    """

    components: Sequence[int]
    slots: Sequence[int]
    tokens: ScanTokens
    Ss: int = 0
    Se: int = 63
    Ah: int = 0
    Al: int = 0


def scan_groups(image: CoefficientImage, *, apart: bool = False) -> list[list[int]]:
    """Group the indices of the components that share a scan: all, or one a scan if the MCU would be too large.

    With `apart`, the first of three components has a scan of its own if it has a finer sampling than the others. The
    scan then has its blocks row by row, which makes the DC differences smaller.
    """
    indices = list(range(len(image.components)))
    blocks = sum(component.h * component.v for component in image.components)
    if blocks > _MAX_BLOCKS_IN_MCU:
        return [[index] for index in indices]
    is_finer = len(indices) == 3 and image.components[0].h * image.components[0].v > 1
    return [indices[:1], indices[1:]] if apart and is_finer else [indices]


def group_slots(components: int, group: Sequence[int]) -> list[int]:
    """Return the DC slot of each component of a scan: tables 0 for component 0, tables 1 for the others.

    A scan without component 0 uses tables 0 for all its components.
    """
    slots = dc_slots(components)
    return [slots[index] if 0 in group else 0 for index in group]


def jpeg_bytes(
    preamble: Preamble,
    scans: Iterable[Scan],
    *,
    progressive: bool,
    share_tables: bool = True,
    huffman: Huffman = "optimal",
) -> bytes:
    """Assemble a file in the order of T.81, B.2.

    That is SOI, APPn, DQT, SOF, DRI, and for each scan DHT, SOS and entropy-coded data; then EOI. `share_tables` allows
    one pair of optimal Huffman tables for all components, if that makes the scan smaller.
    """
    pieces: list[bytes | memoryview] = [preamble.progressive if progressive else preamble.sequential]
    for scan in scans:
        if huffman == "standard":
            pieces += _coded_scan(preamble, scan, standard_tables(scan.tokens.histogram))
        else:
            pieces += _scan_pieces(preamble, scan, share_tables)
    pieces.append(preamble.end)
    return with_trailer(b"".join(pieces), preamble.metadata)


def _scan_pieces(preamble: Preamble, scan: Scan, share_tables: bool) -> list[bytes | memoryview]:
    """Write DHT, SOS and entropy-coded data, with the Huffman tables that take the fewest bytes in all."""
    pieces = _coded_scan(preamble, scan, scan.tokens.optimal)
    joint = joint_tables(scan.tokens, scan.tokens.optimal) if share_tables else None
    if joint is None:
        return pieces
    return min(pieces, _coded_scan(preamble, scan, joint), key=lambda pieces: sum(map(len, pieces)))


def _coded_scan(preamble: Preamble, scan: Scan, tables: HuffmanTables) -> list[bytes | memoryview]:
    """Write DHT, SOS and entropy-coded data with some Huffman tables."""
    # A DC refinement scan consists of plain bits, and has no Huffman table.
    definition = [segment_bytes(_DHT, tables.definition)] if tables.definition else []
    return [*definition, _scan_header(preamble, scan, tables), *scan_bytes(scan.tokens, tables)]


@lru_cache(maxsize=64)
def _dqt(tables: tuple[QuantTable, ...]) -> bytes:
    """Write all tables in one segment: precision and number, then 64 steps in zig-zag order (T.81, B.2.4.1)."""
    payload = bytearray()
    for number, table in enumerate(tables):
        payload.append((0 if table.is_baseline else 16) | number)
        payload += table.steps_zz.astype("u1" if table.is_baseline else ">u2").tobytes()
    return segment_bytes(_DQT, bytes(payload))


def _frame_header(preamble: Preamble, marker: int) -> bytes:
    """Write the frame header (T.81, B.2.2): precision, lines, samples a line, components."""
    payload = bytearray(struct.pack(">BHHB", 8, preamble.height, preamble.width, len(preamble.components)))
    for component in preamble.components:
        payload += bytes([component.id, component.h << 4 | component.v, component.table])
    return segment_bytes(marker, bytes(payload))


def _scan_header(preamble: Preamble, scan: Scan, tables: HuffmanTables) -> bytes:
    """Write the scan header (T.81, B.2.3): components with their Huffman tables, Ss, Se, Ah and Al.

    The number of a Huffman table that the scan does not use is 0.
    """
    payload = bytearray([len(scan.components)])
    for index, slot in zip(scan.components, scan.slots, strict=True):
        dc = slot >> 1 if tables.used[slot] else 0
        ac = slot >> 1 if tables.used[slot + 1] else 0
        payload += bytes((preamble.components[index].id, dc << 4 | ac))
    payload += bytes([scan.Ss, scan.Se, scan.Ah << 4 | scan.Al])
    return segment_bytes(_SOS, bytes(payload))
