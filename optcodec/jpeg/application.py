"""What application segments carry: JFIF density, Exif, ICC colour profile, Adobe's colour transform.

==========  =======================  ==============================================================================
APP0        ``JFIF\\0``               version (2), units (1), density x and y (2 + 2), thumbnail size (ITU-T T.871)
APP1        ``Exif\\0\\0``             a TIFF structure (Exif 2.32, 4.7.2)
APP2        ``ICC_PROFILE\\0``        number of this chunk from 1, number of chunks, part of the profile (ICC.1, B.4)
APP14       ``Adobe``                version (2), flags (2 + 2), colour transform (1) (Adobe TN 5116)
==========  =======================  ==============================================================================

Application segments of other kinds are skipped, as T.81 (B.2.4.6) leaves them to their application.

Three components are YCbCr or RGB. Which of both, T.81 does not say; decoders agree with libjpeg (jdapimin.c,
``default_decompress_parms``), and so does what is read here: YCbCr beside a JFIF segment; otherwise what Adobe's
transform says; without both RGB where the identifiers are the letters R, G and B. Only segments before the first scan
count for that, and of several Adobe segments the last.
"""

from __future__ import annotations

from collections.abc import Sequence

from optcodec.errors import MalformedJpegError
from optcodec.jpeg.image import Metadata
from optcodec.jpeg.segments import Segment

__all__ = ["parse_metadata"]

_JFIF, _EXIF, _ICC, _ADOBE = b"JFIF\0", b"Exif\0\0", b"ICC_PROFILE\0", b"Adobe"
_JFIF_NBYTES = 14  # T.871, 10.1: payload without a thumbnail
_ADOBE_NBYTES = 12
_RGB_IDS = tuple(b"RGB")


def parse_metadata(segments: Sequence[Segment], ids: Sequence[int]) -> Metadata:
    """Put together the metadata of a file; of several JFIF or Exif segments the first counts.

    Parameters
    ----------
    segments : sequence of Segment
        All of the file.
    ids : sequence of int
        Identifiers of the components of the frame.

    Returns
    -------
    Metadata
        With 0 (RGB) as Adobe's transform, too, where the identifiers alone say so; and without one that a JFIF segment
        overrides.

    Raises
    ------
    MalformedJpegError
        If one of these segments is too short, or the chunks of the colour profile are not 1..n, each once.
    """
    jfif = _first(segments, "APP0", _JFIF, 7)
    exif = _first(segments, "APP1", _EXIF, 1)
    _first(segments, "APP14", _ADOBE, _ADOBE_NBYTES - len(_ADOBE))  # refused if it is too short
    return Metadata(
        icc_profile=_icc_profile([s for s in segments if s.name == "APP2" and s.payload.startswith(_ICC)]),
        exif=exif or None,
        adobe_transform=_colour_transform(segments, tuple(ids)),
        density=(jfif[2], int.from_bytes(jfif[3:5]), int.from_bytes(jfif[5:7])) if jfif else Metadata.density,
    )


def _first(segments: Sequence[Segment], name: str, signature: bytes, least: int) -> bytes:
    """What follows the signature in the first such segment; empty if there is none."""
    for segment in segments:
        if segment.name == name and segment.payload.startswith(signature):
            content = segment.payload[len(signature) :]
            if len(content) < least:
                message = (
                    f"{name} {signature.rstrip(bytes(1)).decode()} has {len(content)} bytes, needs {least} or more"
                )
                raise MalformedJpegError(message, segment.payload_offset)
            return content
    return b""


def _colour_transform(segments: Sequence[Segment], ids: tuple[int, ...]) -> int | None:
    """Adobe's colour transform, or what stands in for it: see the beginning of this file."""
    transform, has_jfif = None, False
    for segment in segments:
        if segment.name == "SOS":
            break
        payload = segment.payload
        if segment.name == "APP14" and payload.startswith(_ADOBE) and len(payload) >= _ADOBE_NBYTES:
            transform = payload[_ADOBE_NBYTES - 1]
        elif segment.name == "APP0" and payload.startswith(_JFIF) and len(payload) >= _JFIF_NBYTES:
            has_jfif = True
    if len(ids) == 3 and has_jfif:
        return transform if transform == 1 else None
    return 0 if transform is None and ids == _RGB_IDS else transform


def _icc_profile(segments: Sequence[Segment]) -> bytes | None:
    chunks: dict[int, bytes] = {}
    for segment in segments:
        head, content = segment.payload[len(_ICC) : len(_ICC) + 2], segment.payload[len(_ICC) + 2 :]
        if len(head) < 2:
            raise MalformedJpegError("APP2 ICC_PROFILE ends before the numbers of its chunk", segment.payload_offset)
        number, count = head
        if count != len(segments) or not 1 <= number <= count or number in chunks:
            message = f"the file has {len(segments)} chunks of a colour profile, this one is number {number} of {count}"
            raise MalformedJpegError(message, segment.payload_offset + len(_ICC))
        chunks[number] = content
    return b"".join(chunks[number] for number in sorted(chunks)) or None
