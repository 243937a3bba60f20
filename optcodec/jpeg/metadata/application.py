"""Read the contents of application segments: JFIF density, Exif, ICC colour profile, Adobe's colour transform.

==========  =======================  ==============================================================================
APP0        ``JFIF\\0``               version (2), units (1), density x and y (2 + 2), thumbnail size (ITU-T T.871)
APP1        ``Exif\\0\\0``             a TIFF structure (Exif 2.32, 4.7.2)
APP2        ``ICC_PROFILE\\0``        number of this chunk from 1, number of chunks, bytes of the profile (ICC.1, B.4)
APP14       ``Adobe``                version (2), flags (2 + 2), colour transform (1) (Adobe TN 5116)
==========  =======================  ==============================================================================

Application segments of other kinds are kept unread: only their application knows what they mean (T.81, B.2.4.6).

An image with three components is YCbCr or RGB, but T.81 does not say how to tell. This module follows libjpeg
(jdapimin.c, ``default_decompress_parms``), as other decoders do:

1. With a JFIF segment, the image is YCbCr.
2. Otherwise Adobe's colour transform decides; if there are several Adobe segments, the last one counts.
3. With neither, the image is RGB if the component identifiers are the letters R, G and B, and YCbCr otherwise.

Segments behind the first scan do not count. This is the only module that decides it: `Metadata` holds the result, and
`optcodec.jpeg.metadata.writer` asks here how a decoder will understand the segments that it writes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from optcodec.jpeg.metadata.values import CarriedSegment, Metadata

__all__ = ["ADOBE", "EXIF", "ICC", "JFIF", "Complain", "SegmentContents", "adobe_payload", "kind_of", "read_contents"]

JFIF, EXIF, ICC, ADOBE = b"JFIF\0", b"Exif\0\0", b"ICC_PROFILE\0", b"Adobe"
_MARKERS = {JFIF: 0xE0, EXIF: 0xE1, ICC: 0xE2, ADOBE: 0xEE}
# The least payload in bytes that decoders accept: T.871, 10.1, without a thumbnail; Adobe TN 5116.
_MIN_PAYLOAD_NBYTES = {JFIF: 14, ADOBE: 12}
_MIN_CONTENT_NBYTES = {JFIF: 7, EXIF: 1, ICC: 2, ADOBE: 7}  # behind the signature; a shorter segment is damaged
_RGB_IDS = tuple(b"RGB")

Complain = Callable[[str, int], None]


@dataclass(frozen=True)
class SegmentContents:
    """Contents of the application segments of a file; the fields have the names and types of those of `Metadata`."""

    icc_profile: bytes | None
    exif: bytes | None
    adobe_transform: int | None
    density: tuple[int, int, int]


def kind_of(segment: CarriedSegment) -> bytes | None:
    """Return the signature of a JFIF, Exif, ICC or Adobe segment, also of a damaged one; None for other segments."""
    for signature, marker in _MARKERS.items():
        if segment.marker == marker and segment.payload.startswith(signature):
            return signature
    return None


def read_contents(
    segments: Sequence[CarriedSegment],
    ids: Sequence[int],
    *,
    complain: Complain = lambda message, offset: None,
) -> SegmentContents:
    """Read the segments as a decoder does; if there are several JFIF or Exif segments, the first one counts.

    Parameters
    ----------
    segments : sequence of CarriedSegment
        Application and comment segments of the file, in order. Those behind the first scan are ignored.
    ids : sequence of int
        Identifiers of the components of the frame.
    complain : callable
        Called with a message and an offset in bytes for each damaged segment. If it does not raise, the segment is
        ignored.

    Returns
    -------
    SegmentContents
        Its `adobe_transform` is the decision described at the top of this file: 0 (RGB) also if only the identifiers
        say so, and None if a JFIF segment overrides Adobe's transform.
    """
    segments = [segment for segment in segments if segment.place < 2]
    contents = {kind: _undamaged_contents(segments, kind, complain) for kind in _MIN_CONTENT_NBYTES}
    jfif, exif = (next(iter(contents[kind]), b"") for kind in (JFIF, EXIF))
    return SegmentContents(
        icc_profile=_icc_profile([segment for segment in segments if kind_of(segment) == ICC], complain),
        exif=exif or None,
        adobe_transform=_colour_transform(segments, tuple(ids)),
        density=(jfif[2], int.from_bytes(jfif[3:5]), int.from_bytes(jfif[5:7])) if jfif else Metadata.density,
    )


def adobe_payload(transform: int) -> bytes:
    """Return the payload of an Adobe segment with version 100 and no flags."""
    return ADOBE + (100).to_bytes(2) + bytes(4) + bytes([transform])


def _undamaged_contents(segments: Sequence[CarriedSegment], kind: bytes, complain: Complain) -> list[bytes]:
    """Return the bytes behind the signature in each segment of a kind; complain about segments that are too short."""
    min_nbytes, title = _MIN_CONTENT_NBYTES[kind], kind.rstrip(b"\0").decode()
    contents = []
    for segment in segments:
        if kind_of(segment) != kind:
            continue
        content = segment.payload[len(kind) :]
        if len(content) >= min_nbytes:
            contents.append(content)
        else:
            complain(f"{segment.name} {title} has {len(content)} bytes, needs {min_nbytes} or more", segment.offset)
    return contents


def _colour_transform(segments: Sequence[CarriedSegment], ids: tuple[int, ...]) -> int | None:
    """Decide the colour transform by the rules at the top of this file."""
    transform, has_jfif = None, False
    for segment in segments:
        kind, payload = kind_of(segment), segment.payload
        if kind is None or len(payload) < _MIN_PAYLOAD_NBYTES.get(kind, 0):
            continue
        transform = payload[_MIN_PAYLOAD_NBYTES[ADOBE] - 1] if kind == ADOBE else transform
        has_jfif = has_jfif or kind == JFIF
    if len(ids) == 3 and has_jfif:
        return transform if transform == 1 else None
    return 0 if transform is None and ids == _RGB_IDS else transform


def _icc_profile(segments: Sequence[CarriedSegment], complain: Complain) -> bytes | None:
    """Join the chunks 1..n of a colour profile, which may come in any order; of a repeated chunk, the first counts."""
    chunks: dict[int, bytes] = {}
    counts = []
    for segment in segments:
        header, content = segment.payload[len(ICC) : len(ICC) + 2], segment.payload[len(ICC) + 2 :]
        if len(header) < 2:
            continue
        number, count = header
        counts.append(count)
        if count != counts[0] or not 1 <= number <= count:
            message = f"chunk {number} of {count} does not fit a colour profile of {counts[0]} chunks"
            complain(message, segment.offset)
        elif number in chunks:
            complain(f"chunk {number} of {count} of the colour profile is repeated", segment.offset)
        else:
            chunks[number] = content
    if counts and len(chunks) < counts[0]:
        missing = ", ".join(str(number) for number in range(1, counts[0] + 1) if number not in chunks)
        complain(f"the colour profile of {counts[0]} chunks lacks number {missing}", segments[0].offset)
        return None
    return b"".join(chunks[number] for number in sorted(chunks)) or None
