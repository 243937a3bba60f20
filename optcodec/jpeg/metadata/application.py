"""What application segments say: JFIF density, Exif, ICC colour profile, Adobe's colour transform.

==========  =======================  ==============================================================================
APP0        ``JFIF\\0``               version (2), units (1), density x and y (2 + 2), thumbnail size (ITU-T T.871)
APP1        ``Exif\\0\\0``             a TIFF structure (Exif 2.32, 4.7.2)
APP2        ``ICC_PROFILE\\0``        number of this chunk from 1, number of chunks, part of the profile (ICC.1, B.4)
APP14       ``Adobe``                version (2), flags (2 + 2), colour transform (1) (Adobe TN 5116)
==========  =======================  ==============================================================================

Application segments of other kinds are kept as they are: what they say is up to their application (T.81, B.2.4.6).

Three components are YCbCr or RGB. Which of both, T.81 does not say; decoders agree with libjpeg (jdapimin.c,
``default_decompress_parms``), and so does what is read here: YCbCr beside a JFIF segment; otherwise what Adobe's
transform says; without both RGB where the identifiers are the letters R, G and B. Only segments before the first scan
count for that, and of several Adobe segments the last. This is the only place where that is decided: `Metadata` has
the result, and `optcodec.jpeg.metadata.writer` asks here what a decoder will make of the segments that it writes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from optcodec.jpeg.metadata.values import CarriedSegment, Metadata

__all__ = ["ADOBE", "EXIF", "ICC", "JFIF", "Complain", "Said", "adobe_payload", "kind_of", "said_by"]

JFIF, EXIF, ICC, ADOBE = b"JFIF\0", b"Exif\0\0", b"ICC_PROFILE\0", b"Adobe"
_MARKERS = {JFIF: 0xE0, EXIF: 0xE1, ICC: 0xE2, ADOBE: 0xEE}
_NBYTES = {JFIF: 14, ADOBE: 12}  # payload that decoders ask for: T.871, 10.1, without a thumbnail; Adobe TN 5116
_LEAST = {JFIF: 7, EXIF: 1, ICC: 2, ADOBE: 7}  # bytes behind the signature without which a segment is damaged
_RGB_IDS = tuple(b"RGB")

Complain = Callable[[str, int], None]


@dataclass(frozen=True)
class Said:
    """What the segments of a file say; fields as those of `Metadata`."""

    icc_profile: bytes | None
    exif: bytes | None
    adobe_transform: int | None
    density: tuple[int, int, int]


def kind_of(segment: CarriedSegment) -> bytes | None:
    """The signature of a segment of the kinds that are understood here, damaged ones included; None for others."""
    for signature, marker in _MARKERS.items():
        if segment.marker == marker and segment.payload.startswith(signature):
            return signature
    return None


def said_by(
    segments: Sequence[CarriedSegment],
    ids: Sequence[int],
    *,
    complain: Complain = lambda message, offset: None,
) -> Said:
    """What segments say to a decoder; of several JFIF or Exif segments the first counts.

    Parameters
    ----------
    segments : sequence of CarriedSegment
        Application and comment segments of the file, in order. Those behind the first scan say nothing.
    ids : sequence of int
        Identifiers of the components of the frame.
    complain : callable
        Told of each segment that is damaged, and where it is. It may raise; otherwise such a segment says nothing.

    Returns
    -------
    Said
        With 0 (RGB) as Adobe's transform, too, where the identifiers alone say so; and without one that a JFIF segment
        overrides.
    """
    segments = [each for each in segments if each.place < 2]
    whole = {kind: _whole(segments, kind, complain) for kind in _LEAST}
    jfif, exif = (next(iter(whole[kind]), b"") for kind in (JFIF, EXIF))
    return Said(
        icc_profile=_icc_profile([each for each in segments if kind_of(each) == ICC], complain),
        exif=exif or None,
        adobe_transform=_colour_transform(segments, tuple(ids)),
        density=(jfif[2], int.from_bytes(jfif[3:5]), int.from_bytes(jfif[5:7])) if jfif else Metadata.density,
    )


def adobe_payload(transform: int) -> bytes:
    """Payload of an Adobe segment: version 100, no flags."""
    return ADOBE + (100).to_bytes(2) + bytes(4) + bytes([transform])


def _whole(segments: Sequence[CarriedSegment], kind: bytes, complain: Complain) -> list[bytes]:
    """What follows the signature in each segment of a kind that is not too short."""
    found = [(each, each.payload[len(kind) :]) for each in segments if kind_of(each) == kind]
    least, title = _LEAST[kind], kind.rstrip(b"\0").decode()
    for segment, content in found:
        if len(content) < least:
            complain(f"{segment.name} {title} has {len(content)} bytes, needs {least} or more", segment.offset)
    return [content for _, content in found if len(content) >= least]


def _colour_transform(segments: Sequence[CarriedSegment], ids: tuple[int, ...]) -> int | None:
    """Adobe's colour transform, or what stands in for it: see the beginning of this file."""
    transform, has_jfif = None, False
    for segment in segments:
        kind, payload = kind_of(segment), segment.payload
        if kind is None or len(payload) < _NBYTES.get(kind, 0):
            continue
        transform = payload[_NBYTES[ADOBE] - 1] if kind == ADOBE else transform
        has_jfif = has_jfif or kind == JFIF
    if len(ids) == 3 and has_jfif:
        return transform if transform == 1 else None
    return 0 if transform is None and ids == _RGB_IDS else transform


def _icc_profile(segments: Sequence[CarriedSegment], complain: Complain) -> bytes | None:
    """The profile of chunks 1..n, whatever their order; of a profile that comes twice, the first."""
    chunks: dict[int, bytes] = {}
    counts = []
    for segment in segments:
        head, content = segment.payload[len(ICC) : len(ICC) + 2], segment.payload[len(ICC) + 2 :]
        if len(head) < 2:
            continue
        number, count = head
        counts.append(count)
        if count != counts[0] or not 1 <= number <= count:
            complain(f"a chunk of a colour profile of {counts[0]} chunks says {number} of {count}", segment.offset)
        elif number in chunks:
            complain(f"chunk {number} of {count} of the colour profile comes again", segment.offset)
        else:
            chunks[number] = content
    if counts and len(chunks) < counts[0]:
        missing = ", ".join(str(number) for number in range(1, counts[0] + 1) if number not in chunks)
        complain(f"the colour profile of {counts[0]} chunks lacks number {missing}", segments[0].offset)
        return None
    return b"".join(chunks[number] for number in sorted(chunks)) or None
