"""Collect the metadata of a JPEG file: its application and comment segments, their contents, the bytes behind EOI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from optcodec.errors import MalformedJpegError
from optcodec.jpeg.metadata.application import Complain, read_contents
from optcodec.jpeg.metadata.values import CarriedSegment, Metadata, is_carried
from optcodec.jpeg.metadata.writer import segments_of
from optcodec.jpeg.segments import Segment

__all__ = ["read_metadata", "refuse"]


def refuse(message: str, offset: int) -> None:
    """Complain by raising `MalformedJpegError`."""
    raise MalformedJpegError(message, offset)


def read_metadata(
    data: bytes, segments: Sequence[Segment], ids: Sequence[int], complain: Complain = refuse
) -> Metadata:
    """Collect the metadata of a file.

    Parameters
    ----------
    data : bytes
        The whole file.
    segments : sequence of Segment
        All segments of the file.
    ids : sequence of int
        Identifiers of the components of the frame.
    complain : callable
        Called with a message and an offset in bytes for each damaged application segment; by default it raises. If
        it returns, the contents of the segment are ignored, but the segment itself is kept like all others.

    Returns
    -------
    Metadata
        Its `segments` are None if the writer makes the same segments from the other fields.
    """
    starts = [next((s.offset for s in segments if s.name.startswith(name)), len(data)) for name in ("SOF", "SOS")]
    carried = tuple(
        CarriedSegment(s.marker, s.payload, s.payload_offset, sum(s.offset > start for start in starts))
        for s in segments
        if is_carried(s.marker)
    )
    contents = read_contents(carried, ids, complain=complain)
    plain = Metadata(contents.icc_profile, contents.exif, contents.adobe_transform, contents.density)
    end = segments[-1].end
    trailer = data[end:] if segments[-1].name == "EOI" else b""
    if not trailer and list(carried) == segments_of(plain, ids):
        return plain
    return replace(plain, segments=carried, trailer=trailer, trailer_offset=end if trailer else 0)
