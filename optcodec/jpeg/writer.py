"""Write JPEG files: baseline, extended sequential or progressive, whatever the data asks for."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from optcodec.errors import InvalidInputError
from optcodec.jpeg.application_writer import application_segments, with_trailer
from optcodec.jpeg.entropy import (
    HuffmanTables,
    ScanTokens,
    joint_tables,
    optimal_tables,
    scan_bytes,
    sequential_tokens,
)
from optcodec.jpeg.headers import FrameComponent
from optcodec.jpeg.image import CoefficientImage, Metadata
from optcodec.jpeg.layout import dc_slots
from optcodec.jpeg.segments import EOI, segment_bytes
from optcodec.jpeg.tables import QuantTable

__all__ = [
    "Preamble",
    "Progressive",
    "Scan",
    "compact_tables",
    "group_slots",
    "jpeg_bytes",
    "scan_groups",
    "write_jpeg",
]

Progressive = Literal[False, True, "smaller"]

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
    metadata: Metadata = field(default_factory=Metadata)
    restart_interval: int = 0

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


def write_jpeg(
    image: CoefficientImage,
    *,
    progressive: Progressive = False,
    smallest: bool = False,
    apart: bool = False,
    threads: int | None = None,
) -> bytes:
    """Write a coefficient image as a JPEG file with optimal Huffman tables.

    Parameters
    ----------
    image : CoefficientImage
        What to write; every coefficient is kept.
    progressive : {False, True, "smaller"}
        Sequential; progressive; or whichever file is smaller.
    smallest : bool
        Choose the scans of a progressive file by trial, which takes longer; otherwise they are always the same.
    apart : bool
        Give luminance a scan of its own in a sequential file where it is finer than chrominance, which mostly makes the
        file 1 to 2 % smaller, but some decoders read one scan only. By default all components are interleaved.
    threads : int, optional
        At most so many; all processors by default. The bytes are the same.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    InvalidInputError
        If a coefficient is outside of the range that 8-bit JPEG codes (T.81, F.1.2.1: differences of DC need at most
        11 bits, AC coefficients at most 10).
    """
    check_progressive(progressive)
    for part in image.components:
        if part.blocks.size and part.blocks.min() == -32768:
            raise InvalidInputError(f"a coefficient of component {part.id} is -32768; 8-bit JPEG codes -1023..1023")
    preamble, files = Preamble.of(image), []
    if progressive is not True:
        scans = _sequential_scans(image, scan_groups(image, apart=apart), threads)
        _check_range(scans)
        files.append(jpeg_bytes(preamble, scans, progressive=False))
    if progressive:
        from optcodec.jpeg.scans import progressive_scans, smallest_scans

        scans = (smallest_scans if smallest else progressive_scans)(image, threads=threads)
        _check_range(scans)
        files.append(jpeg_bytes(preamble, scans, progressive=True))
    return min(files, key=len)


def check_progressive(progressive: object) -> None:
    """Raise unless the value is one of `Progressive`."""
    if progressive not in (False, True, "smaller"):
        raise InvalidInputError(f'progressive is False, True or "smaller"; got {progressive!r}')


def _check_range(scans: Sequence[Scan]) -> None:
    """Refuse what 8-bit JPEG has no code for; the histograms of the scans hold the sizes of all values."""
    for scan in scans:
        sizes = scan.tokens.histogram[: 8 * 256].reshape(4, 2, 16, 16)
        if sizes[:, 0, 0, 12:].any() or sizes[:, 0, 1:].any():
            raise InvalidInputError("a difference of DC has more than 11 bits; 8-bit JPEG codes -2047..2047")
        if sizes[:, 1, :, 11 - scan.Al :].any():
            raise InvalidInputError("an AC coefficient has more than 10 bits; 8-bit JPEG codes -1023..1023")


def scan_groups(image: CoefficientImage, *, apart: bool = False) -> list[list[int]]:
    """Indices of the components that are interleaved: all, or each alone where the MCU would be too large.

    With `apart`, the first of three has a scan of its own if it is finer than the others. Its blocks then follow one
    another row by row, which makes differences of DC smaller.
    """
    everything = list(range(len(image.components)))
    blocks = sum(part.h * part.v for part in image.components)
    if blocks > _MCU_LIMIT and len(everything) > 1:
        return [[index] for index in everything]
    finer = len(everything) == 3 and image.components[0].h * image.components[0].v > 1
    return [everything[:1], everything[1:]] if apart and finer else [everything]


def group_slots(components: int, group: Sequence[int]) -> list[int]:
    """DC slot of each component of a scan: tables 0 are those of the first one, or of all others in their own scan."""
    slots = dc_slots(components)
    return [slots[index] if 0 in group else 0 for index in group]


def _sequential_scans(image: CoefficientImage, groups: Sequence[Sequence[int]], threads: int | None) -> list[Scan]:
    """Sequential scans of groups of components."""
    scans = []
    for group in groups:
        chosen = group_slots(len(image.components), group)
        scans.append(Scan(group, chosen, sequential_tokens(image, group, chosen, threads=threads)))
    return scans


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
