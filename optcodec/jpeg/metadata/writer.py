"""Metadata to the bytes in front of an image and behind it: application segments, comments, what follows EOI.

What a file carried is written again byte for byte. Only where `Metadata` says something else than its segments do (an
Exif that was taken out, another density), the segments of that kind are made anew.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from optcodec.errors import InvalidInputError
from optcodec.jpeg.metadata.application import ADOBE, EXIF, ICC, JFIF, adobe_payload, kind_of, said_by
from optcodec.jpeg.metadata.multipicture import repointed
from optcodec.jpeg.metadata.values import CarriedSegment, Metadata, is_carried
from optcodec.jpeg.segments import EOI, SEGMENT_LIMIT, read_segments, segment_bytes

__all__ = ["application_segments", "made_segments", "with_metadata", "with_trailer"]

_KINDS = (JFIF, EXIF, ADOBE, ICC)  # in the order in which they are written
_FIELDS = {JFIF: "density", EXIF: "exif", ADOBE: "adobe_transform", ICC: "icc_profile"}
_RGB = 0  # Adobe's transform of three components


def application_segments(metadata: Metadata, ids: Sequence[int]) -> tuple[bytes, bytes, bytes]:
    """Application and comment segments of a file: in front of the frame header, behind it, and behind all scans.

    Parameters
    ----------
    metadata : Metadata
        What they say.
    ids : sequence of int
        Identifiers of the components of the frame, which matter for what the colours are.

    Raises
    ------
    InvalidInputError
        If Exif or the colour profile are too long for their segments.
    """
    pieces = [b"", b"", b""]
    for segment in made_segments(metadata, ids):
        pieces[segment.place] += segment_bytes(segment.marker, segment.payload)
    return pieces[0], pieces[1], pieces[2]


def with_metadata(data: bytes, metadata: Metadata, ids: Sequence[int]) -> bytes:
    """A JPEG file whose scans and tables stay as they are, with other segments and another trailer."""
    front, behind_frame, end = application_segments(metadata, ids)
    pieces = []
    for segment in read_segments(data, tolerate=lambda finding: None, partial=True):
        pieces += [] if is_carried(segment.marker) or segment.name == "EOI" else [data[segment.offset : segment.end]]
        if segment.name == "SOI":
            pieces.append(front)
        elif segment.name.startswith("SOF"):
            pieces.append(behind_frame)
    return with_trailer(b"".join([*pieces, end, EOI]), metadata)


def with_trailer(data: bytes, metadata: Metadata) -> bytes:
    """A file with what lay behind its EOI, and with offsets that still point there."""
    return repointed(data, metadata) + metadata.trailer if metadata.trailer else data


def made_segments(metadata: Metadata, ids: Sequence[int]) -> list[CarriedSegment]:
    """The segments of the file as they are, but for kinds of which the metadata says something else."""
    made = {kind: _made(kind, metadata, ids) for kind in _KINDS}
    if metadata.segments is None:
        return [each for kind in _KINDS for each in made[kind]]
    said = said_by(metadata.segments, ids)
    changed = {kind for kind in _KINDS if getattr(said, _FIELDS[kind]) != getattr(metadata, _FIELDS[kind])}
    if ADOBE in changed:
        changed.add(JFIF)  # a JFIF segment says what the colours are, too
    kept: list[CarriedSegment] = []
    for segment in metadata.segments:
        kind = kind_of(segment)
        if kind not in changed or segment.place == 2:
            kept.append(segment)
        else:
            kept += made[kind]
            made[kind] = []
    front = made[JFIF] if JFIF in changed else []
    behind = [each for kind in (ADOBE, ICC) if kind in changed for each in made[kind]]
    if EXIF in changed:
        at = next((place for place, each in enumerate(kept) if kind_of(each) != JFIF), len(kept))
        kept[at:at] = made[EXIF]
    return [*front, *kept, *behind]


def _made(kind: bytes, metadata: Metadata, ids: Sequence[int]) -> list[CarriedSegment]:
    """Segments of one kind, from what the metadata says."""
    if kind == JFIF:
        return _jfif(metadata, ids)
    if kind == EXIF:
        return _exif(metadata.exif)
    if kind == ICC:
        return _icc(metadata.icc_profile)
    return [] if metadata.adobe_transform is None else [CarriedSegment(0xEE, adobe_payload(metadata.adobe_transform))]


def _jfif(metadata: Metadata, ids: Sequence[int]) -> list[CarriedSegment]:
    """JFIF header, unless an Adobe segment says what the colours are: then only for a density of YCbCr."""
    transform = metadata.adobe_transform
    needed = metadata.density != Metadata.density and transform != _RGB and len(ids) == 3
    if transform is not None and not needed:
        return []
    units, x, y = metadata.density
    return [CarriedSegment(0xE0, JFIF + struct.pack(">HBHHBB", 0x0102, units, x, y, 0, 0))]


def _exif(exif: bytes | None) -> list[CarriedSegment]:
    if exif is None:
        return []
    limit = SEGMENT_LIMIT - len(EXIF)
    if len(exif) > limit:
        raise InvalidInputError(f"Exif data has at most {limit} bytes, got {len(exif)}")
    return [CarriedSegment(0xE1, EXIF + exif)]


def _icc(profile: bytes | None) -> list[CarriedSegment]:
    if not profile:
        return []
    size = SEGMENT_LIMIT - len(ICC) - 2
    chunks = [profile[start : start + size] for start in range(0, len(profile), size)]
    if len(chunks) > 255:
        raise InvalidInputError(f"an ICC profile has at most {255 * size} bytes, got {len(profile)}")
    return [
        CarriedSegment(0xE2, ICC + bytes([number, len(chunks)]) + chunk) for number, chunk in enumerate(chunks, start=1)
    ]
