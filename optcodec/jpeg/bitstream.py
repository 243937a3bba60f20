"""A JPEG file put together from its scans: SOI, segments, tables, frame header, scans, EOI (ITU-T T.81, B.2)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from optcodec.jpeg.entropy import HuffmanTables, ScanTokens, joint_tables, optimal_tables, scan_bytes
from optcodec.jpeg.headers import FrameComponent
from optcodec.jpeg.image import CoefficientImage
from optcodec.jpeg.layout import dc_slots
from optcodec.jpeg.metadata.values import Metadata
from optcodec.jpeg.metadata.writer import application_segments, with_trailer
from optcodec.jpeg.segments import EOI, segment_bytes
from optcodec.jpeg.tables import QuantTable

__all__ = ["Preamble", "Scan", "compact_tables", "group_slots", "jpeg_bytes", "scan_groups"]

_SOI = b"\xff\xd8"
_SOF0, _SOF1, _SOF2, _DHT, _SOS, _DQT, _DRI = 0xC0, 0xC1, 0xC2, 0xC4, 0xDA, 0xDB, 0xDD
_MCU_LIMIT = 10  # T.81, B.2.3: at most 10 blocks in an interleaved MCU


@dataclass(frozen=True)
class Preamble:
    """Everything in a file but its scans."""

    width: int
    height: int
    components: Sequence[FrameComponent]
    tables: Sequence[QuantTable]
    metadata: Metadata
    restart_interval: int

    @classmethod
    def of(cls, image: CoefficientImage) -> Preamble:
        """What a coefficient image says besides its coefficients."""
        tables, places = compact_tables(image.tables, [part.table for part in image.components])
        components = [
            FrameComponent(part.id, part.h, part.v, table) for part, table in zip(image.components, places, strict=True)
        ]
        return cls(image.width, image.height, components, tables, image.metadata, image.restart_interval)


def compact_tables(tables: Sequence[QuantTable], indices: Sequence[int]) -> tuple[list[QuantTable], list[int]]:
    """Tables that are used, each once, and new indices of them."""
    used: dict[QuantTable, int] = {}
    places = [used.setdefault(tables[index], len(used)) for index in indices]
    return list(used), places


@dataclass(frozen=True)
class Scan:
    """One scan: its components, its parameters by their names in T.81 (B.2.3), and its symbols.

    Parameters
    ----------
    components : sequence of int
        Indices of the components in the frame.
    slots : sequence of int
        DC slot of each, twice the number of its Huffman tables.
    tokens : ScanTokens
        What is coded.
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
    """Indices of the components that are interleaved: all, or each alone where the MCU would be too large.

    With `apart`, the first of three has a scan of its own if it is finer than the others. Its blocks then follow one
    another row by row, which makes differences of DC smaller.
    """
    everything = list(range(len(image.components)))
    blocks = sum(part.h * part.v for part in image.components)
    if blocks > _MCU_LIMIT:
        return [[index] for index in everything]
    finer = len(everything) == 3 and image.components[0].h * image.components[0].v > 1
    return [everything[:1], everything[1:]] if apart and finer else [everything]


def group_slots(components: int, group: Sequence[int]) -> list[int]:
    """DC slot of each component of a scan: tables 0 are those of the first one, or of all others in their own scan."""
    slots = dc_slots(components)
    return [slots[index] if 0 in group else 0 for index in group]


def jpeg_bytes(preamble: Preamble, scans: Iterable[Scan], *, progressive: bool, share_tables: bool = True) -> bytes:
    """Put a file together; `share_tables` allows one pair of Huffman tables for all components.

    Reads like the grammar of T.81, B.2: SOI, APPn, DQT, SOF, DRI, and for each scan DHT, SOS, entropy-coded data; EOI.
    """
    metadata, ids = preamble.metadata, [part.id for part in preamble.components]
    front, behind_frame, end = application_segments(metadata, ids)
    pieces: list[bytes | memoryview] = [_SOI, front, _dqt(tuple(preamble.tables))]
    pieces += [_frame_header(preamble, progressive), behind_frame]
    if preamble.restart_interval:
        pieces.append(segment_bytes(_DRI, struct.pack(">H", preamble.restart_interval)))
    for scan in scans:
        pieces += _scan_pieces(preamble, scan, share_tables)
    pieces += [end, EOI]
    return with_trailer(b"".join(pieces), metadata)


def _scan_pieces(preamble: Preamble, scan: Scan, share_tables: bool) -> list[bytes | memoryview]:
    """DHT, SOS and entropy-coded data, with the Huffman tables that take the fewest bytes in all."""
    apart = optimal_tables(scan.tokens.histogram)
    joint = joint_tables(scan.tokens, apart) if share_tables else None
    choices: list[list[bytes | memoryview]] = []
    for tables in (apart, joint) if joint else (apart,):
        # a scan of plain bits has no codes
        definition = [segment_bytes(_DHT, tables.definition)] if tables.definition else []
        choices.append([*definition, _scan_header(preamble, scan, tables), *scan_bytes(scan.tokens, tables)])
    return min(choices, key=lambda pieces: sum(map(len, pieces)))


@lru_cache(maxsize=64)
def _dqt(tables: tuple[QuantTable, ...]) -> bytes:
    """All tables in one segment: precision and number, then 64 steps in zig-zag order (T.81, B.2.4.1)."""
    payload = bytearray()
    for number, table in enumerate(tables):
        payload.append((0 if table.is_baseline else 16) | number)
        payload += table.steps_zz.astype("u1" if table.is_baseline else ">u2").tobytes()
    return segment_bytes(_DQT, bytes(payload))


def _frame_header(preamble: Preamble, progressive: bool) -> bytes:
    """T.81, B.2.2. Precision, lines, samples a line, components; baseline only where the tables allow it."""
    baseline = all(table.is_baseline for table in preamble.tables)
    marker = _SOF2 if progressive else _SOF0 if baseline else _SOF1
    payload = bytearray(struct.pack(">BHHB", 8, preamble.height, preamble.width, len(preamble.components)))
    for part in preamble.components:
        payload += bytes([part.id, part.h << 4 | part.v, part.table])
    return segment_bytes(marker, bytes(payload))


def _scan_header(preamble: Preamble, scan: Scan, tables: HuffmanTables) -> bytes:
    """T.81, B.2.3. Components with their Huffman tables (0 where a scan does not use one), Ss, Se, Ah and Al."""
    payload = bytearray([len(scan.components)])
    for index, slot in zip(scan.components, scan.slots, strict=True):
        dc = slot >> 1 if tables.used[slot] else 0
        ac = slot >> 1 if tables.used[slot + 1] else 0
        payload += bytes((preamble.components[index].id, dc << 4 | ac))
    payload += bytes([scan.Ss, scan.Se, scan.Ah << 4 | scan.Al])
    return segment_bytes(_SOS, bytes(payload))
