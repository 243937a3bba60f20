"""What application segments carry: JFIF density, Exif, ICC colour profile, Adobe's colour transform.

==========  =======================  ==============================================================================
APP0        ``JFIF\\0``               version (2), units (1), density x and y (2 + 2), thumbnail size (ITU-T T.871)
APP1        ``Exif\\0\\0``             a TIFF structure (Exif 2.32, 4.7.2)
APP2        ``ICC_PROFILE\\0``        number of this chunk from 1, number of chunks, part of the profile (ICC.1, B.4)
APP14       ``Adobe``                version (2), flags (2 + 2), colour transform (1) (Adobe TN 5116)
==========  =======================  ==============================================================================

Application segments of other kinds are skipped, as T.81 (B.2.4.6) leaves them to their application.
"""

from __future__ import annotations

from collections.abc import Sequence

from optcodec.errors import MalformedJpegError
from optcodec.jpeg.image import Metadata
from optcodec.jpeg.segments import Segment

__all__ = ["parse_metadata"]

_JFIF, _EXIF, _ICC, _ADOBE = b"JFIF\0", b"Exif\0\0", b"ICC_PROFILE\0", b"Adobe"


def parse_metadata(segments: Sequence[Segment]) -> Metadata:
    """Put together the metadata of a file; of several JFIF, Exif or Adobe segments the first counts.

    Raises
    ------
    MalformedJpegError
        If one of these segments is too short, or the chunks of the colour profile are not 1..n, each once.
    """
    jfif = _first(segments, "APP0", _JFIF, 7)
    exif = _first(segments, "APP1", _EXIF, 1)
    adobe = _first(segments, "APP14", _ADOBE, 7)
    return Metadata(
        icc_profile=_icc_profile([s for s in segments if s.name == "APP2" and s.payload.startswith(_ICC)]),
        exif=exif or None,
        adobe_transform=adobe[6] if adobe else None,
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
