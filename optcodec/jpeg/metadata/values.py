"""Metadata of a JPEG file, which it carries besides its image, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field

from optcodec.jpeg.segments import marker_name
from optcodec.values import Value

__all__ = ["XMP", "CarriedSegment", "Metadata", "is_carried"]

XMP = b"http://ns.adobe.com/xap/1.0/\0"

# Marker, beginning of the payload, name for users; None for segments that only serve decoding.
_CONTENTS = (
    (0xE0, b"JFIF\0", None),
    (0xE0, b"JFXX\0", "thumbnail"),
    (0xE1, b"Exif\0\0", "Exif"),
    (0xE1, b"http://ns.adobe.com/x", "XMP"),
    (0xE2, b"ICC_PROFILE\0", "ICC profile"),
    (0xE2, b"MPF\0", "list of further pictures (MPF)"),
    (0xE2, b"urn:iso:std:iso:ts:21496", "gain map"),
    (0xEA, b"hint\0", "hint for the receiver"),
    (0xEB, b"JP", "JUMBF (such as C2PA)"),
    (0xED, b"Photoshop 3.0\0", "IPTC"),
    (0xEE, b"Adobe", None),
    (0xFE, b"", "comment"),
)


def is_carried(marker: int) -> bool:
    """Whether a marker, given its second byte, is one of APP0 to APP15 or COM."""
    return 0xE0 <= marker <= 0xEF or marker == 0xFE


@dataclass(frozen=True)
class CarriedSegment:
    """An application or comment segment of a file.

    Parameters
    ----------
    marker : int
        Second byte of the marker: 0xE0..0xEF for APP0 to APP15, 0xFE for COM.
    payload : bytes
        The bytes behind the length field; at most 65533.
    offset : int
        Position of the payload in the file that it was read from, in bytes. Ignored when segments are compared.
    place : int
        0 in front of the frame header, 1 between the frame header and the first scan, 2 behind the first scan, where
        it does not affect how the image is decoded.
    """

    marker: int
    payload: bytes = field(repr=False)
    offset: int = field(default=0, compare=False)
    place: int = 0

    @property
    def name(self) -> str:
        """Name in T.81, Table B.1, such as ``"APP2"``."""
        return marker_name(self.marker)

    @property
    def content(self) -> str | None:
        """Name for users, such as ``"XMP"``; None for segments that only serve decoding (JFIF, Adobe)."""
        for marker, start, name in _CONTENTS:
            if self.marker == marker and self.payload.startswith(start):
                return name
        return self.name


@dataclass(frozen=True)
class Metadata(Value):
    """Everything that a file carries besides the coded image.

    Parameters
    ----------
    icc_profile : bytes, optional
        ICC colour profile, put together from its APP2 segments.
    exif : bytes, optional
        TIFF structure of the APP1 Exif segment, without the ``Exif\\0\\0`` in front.
    adobe_transform : int, optional
        Colour transform of an APP14 Adobe segment: 0 RGB or CMYK, 1 YCbCr, 2 YCCK. None if there is no such segment,
        or if a JFIF segment overrides it; 0 also if there is neither segment and the identifiers of the components are
        the letters R, G and B.
    density : tuple of int
        JFIF units (0 aspect ratio, 1 per inch, 2 per cm), horizontal and vertical density.
    segments : tuple of CarriedSegment, optional
        All application and comment segments of the file that the metadata was read from, in order. The writer copies
        them byte for byte, except kinds that no longer agree with the fields above, which it makes anew. None if the
        fields above hold everything.
    trailer : bytes
        The bytes behind EOI: further pictures (MPF, gain maps), the video of a motion photograph.
    trailer_offset : int
        Position of the trailer in that file, in bytes; segments may point to it. Ignored when metadata is compared.
    """

    icc_profile: bytes | None = None
    exif: bytes | None = None
    adobe_transform: int | None = None
    density: tuple[int, int, int] = (0, 1, 1)
    segments: tuple[CarriedSegment, ...] | None = None
    trailer: bytes = field(default=b"", repr=False)
    trailer_offset: int = field(default=0, compare=False)

    @property
    def contents(self) -> tuple[str, ...]:
        """Names for users, such as ``"XMP"``, of all contents but density and colour transform, without repetition."""
        fields = {"ICC profile": self.icc_profile, "Exif": self.exif}
        names = [segment.content for segment in self.segments or ()] + [name for name, value in fields.items() if value]
        if self.trailer:
            names.append(f"{len(self.trailer):,} bytes behind the image")
        return tuple(dict.fromkeys(name for name in names if name is not None))
