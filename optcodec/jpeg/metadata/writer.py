"""Write metadata: the application and comment segments of a JPEG file, and the trailer behind EOI.

Segments that were read from a file are written again byte for byte. Only if a field of `Metadata` differs from what the
segments say (Exif was removed, the density was changed) are the segments of that kind made anew.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from optcodec.errors import InvalidInputError
from optcodec.jpeg.metadata.application import ADOBE, EXIF, ICC, JFIF, adobe_payload, kind_of, read_contents
from optcodec.jpeg.metadata.multipicture import repointed
from optcodec.jpeg.metadata.values import CarriedSegment, Metadata, is_carried
from optcodec.jpeg.segments import EOI, SEGMENT_LIMIT, read_segments, segment_bytes

__all__ = ["application_segments", "segments_of", "with_metadata", "with_trailer"]

_KINDS = (JFIF, EXIF, ADOBE, ICC)  # in the order in which they are written
_FIELDS = {JFIF: "density", EXIF: "exif", ADOBE: "adobe_transform", ICC: "icc_profile"}
_RGB = 0  # Adobe's transform of three components


def application_segments(metadata: Metadata, ids: Sequence[int]) -> tuple[bytes, bytes, bytes]:
    """Write the application and comment segments of a file.

    Parameters
    ----------
    metadata : Metadata
        Contents of the segments.
    ids : sequence of int
        Identifiers of the components of the frame; decoders may tell the colour space by them.

    Returns
    -------
    tuple of (bytes, bytes, bytes)
        The segments in front of the frame header, those behind it, and those behind all scans.

    Raises
    ------
    InvalidInputError
        If Exif or the colour profile is too long for its segments.
    """
    pieces = [b"", b"", b""]
    for segment in segments_of(metadata, ids):
        pieces[segment.place] += segment_bytes(segment.marker, segment.payload)
    return pieces[0], pieces[1], pieces[2]


def with_metadata(data: bytes, metadata: Metadata, ids: Sequence[int]) -> bytes:
    """Replace the metadata of a JPEG file; frame, scans and tables stay as they are."""
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
    """Append the trailer of the metadata to a file, and correct the offsets that point into it."""
    return repointed(data, metadata) + metadata.trailer if metadata.trailer else data


def segments_of(metadata: Metadata, ids: Sequence[int]) -> list[CarriedSegment]:
    """List the segments to write: those of the file, with new ones for each kind that differs from the fields."""
    new = {kind: _new_segments(kind, metadata, ids) for kind in _KINDS}
    if metadata.segments is None:
        return [segment for kind in _KINDS for segment in new[kind]]
    contents = read_contents(metadata.segments, ids)
    changed = {kind for kind in _KINDS if getattr(contents, _FIELDS[kind]) != getattr(metadata, _FIELDS[kind])}
    if ADOBE in changed:
        changed.add(JFIF)  # because a JFIF segment overrides the Adobe segment
    body: list[CarriedSegment] = []
    for segment in metadata.segments:
        kind = kind_of(segment)
        if kind not in changed or segment.place == 2:
            body.append(segment)
        elif new[kind]:
            body += new.pop(kind)
            new[kind] = []
    front = new[JFIF] if JFIF in changed else []
    back = [segment for kind in (ADOBE, ICC) if kind in changed for segment in new[kind]]
    if EXIF in changed and new[EXIF]:
        behind_jfif = next((index for index, segment in enumerate(body) if kind_of(segment) != JFIF), len(body))
        body[behind_jfif:behind_jfif] = new[EXIF]
    return [*front, *body, *back]


def _new_segments(kind: bytes, metadata: Metadata, ids: Sequence[int]) -> list[CarriedSegment]:
    """Make the segments of one kind from the fields of the metadata."""
    if kind == JFIF:
        return _jfif(metadata, ids)
    if kind == EXIF:
        return _exif(metadata.exif)
    if kind == ICC:
        return _icc(metadata.icc_profile)
    return [] if metadata.adobe_transform is None else [CarriedSegment(0xEE, adobe_payload(metadata.adobe_transform))]


def _jfif(metadata: Metadata, ids: Sequence[int]) -> list[CarriedSegment]:
    """Make the JFIF segment. If an Adobe segment states the colour transform, only YCbCr with a density needs one."""
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
