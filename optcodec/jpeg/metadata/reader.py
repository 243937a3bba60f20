"""Metadata of a file that is read: what its segments say, the segments themselves, and what lies behind EOI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from optcodec.errors import MalformedJpegError
from optcodec.jpeg.metadata.application import Complain, said_by
from optcodec.jpeg.metadata.values import CarriedSegment, Metadata, is_carried
from optcodec.jpeg.metadata.writer import made_segments
from optcodec.jpeg.segments import Segment

__all__ = ["read_metadata", "refuse"]


def refuse(message: str, offset: int) -> None:
    """Complain by raising `MalformedJpegError`."""
    raise MalformedJpegError(message, offset)


def read_metadata(
    data: bytes, segments: Sequence[Segment], ids: Sequence[int], complain: Complain = refuse
) -> Metadata:
    """Put together the metadata of a file.

    Parameters
    ----------
    data : bytes
        The whole file.
    segments : sequence of Segment
        All of its segments.
    ids : sequence of int
        Identifiers of the components of the frame.
    complain : callable
        Told of each application segment that is damaged, and where it is; by default that is an error. If it returns,
        such a segment says nothing, but it is kept like all others.

    Returns
    -------
    Metadata
        Its `segments` are None where the fields alone would give the same ones.
    """
    starts = [next((s.offset for s in segments if s.name.startswith(name)), len(data)) for name in ("SOF", "SOS")]
    kept = tuple(
        CarriedSegment(s.marker, s.payload, s.payload_offset, sum(s.offset > start for start in starts))
        for s in segments
        if is_carried(s.marker)
    )
    said = said_by(kept, ids, complain=complain)
    plain = Metadata(said.icc_profile, said.exif, said.adobe_transform, said.density)
    end = segments[-1].end
    trailer = data[end:] if segments[-1].name == "EOI" else b""
    if not trailer and list(kept) == made_segments(plain, ids):
        return plain
    return replace(plain, segments=kept, trailer=trailer, trailer_offset=end if trailer else 0)
