"""What a JPEG file carries besides its image, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field

from optcodec.jpeg.segments import marker_name

__all__ = ["XMP", "CarriedSegment", "Metadata", "is_carried"]

XMP = b"http://ns.adobe.com/xap/1.0/\0"

# Marker, beginning of the payload, name; None for what only serves decoding.
_CONTENTS = (
    (0xE0, b"JFIF\0", None),
    (0xE0, b"JFXX\0", "thumbnail"),
    (0xE1, b"Exif\0\0", "Exif"),
    (0xE1, b"http://ns.adobe.com/x", "XMP"),
    (0xE2, b"ICC_PROFILE\0", "ICC profile"),
    (0xE2, b"MPF\0", "list of further pictures (MPF)"),
    (0xE2, b"urn:iso:std:iso:ts:21496", "gain map"),
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
    """An application or comment segment, as a file has it.

    Parameters
    ----------
    marker : int
        Second byte of the marker: 0xE0..0xEF for APP0 to APP15, 0xFE for COM.
    payload : bytes
        What follows the length; at most 65533 bytes.
    offset : int
        Where the payload lay in the file that it was read from, in bytes. Does not count when segments are compared.
    place : int
        Where it stands: 0 in front of the frame header, 1 between that and the first scan, 2 behind the first scan,
        where it says nothing about how the image is decoded.
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
        """What people call it, such as ``"XMP"``; None for what only serves decoding (JFIF, Adobe)."""
        for marker, start, name in _CONTENTS:
            if self.marker == marker and self.payload.startswith(start):
                return name
        return self.name


@dataclass(frozen=True)
class Metadata:
    """What a file carries besides the coded image.

    Parameters
    ----------
    icc_profile : bytes, optional
        ICC colour profile, put together from its APP2 segments.
    exif : bytes, optional
        TIFF structure of the APP1 Exif segment, without the ``Exif\\0\\0`` in front.
    adobe_transform : int, optional
        Colour transform of an APP14 Adobe segment: 0 RGB or CMYK, 1 YCbCr, 2 YCCK. None where there is no segment, or
        a JFIF segment says otherwise; 0 also where the identifiers of the components are the letters R, G and B and
        there is neither segment.
    density : tuple of int
        JFIF units (0 aspect ratio, 1 per inch, 2 per cm), horizontal and vertical density.
    segments : tuple of CarriedSegment, optional
        All application and comment segments of the file that this was read from, in order. They are written again byte
        for byte, but for kinds of which the fields above say something else: these are made anew. None where the
        fields say all.
    trailer : bytes
        What lies behind EOI: further pictures (MPF, gain maps), the video of a motion photograph.
    trailer_offset : int
        Where it lay in that file, in bytes, for segments that point to it. Does not count when metadata is compared.
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
        """What people call all that it holds but density and colour transform, each once, such as ``"XMP"``."""
        fields = {"ICC profile": self.icc_profile, "Exif": self.exif}
        found = [each.content for each in self.segments or ()] + [name for name, value in fields.items() if value]
        if self.trailer:
            found.append(f"{len(self.trailer):,} bytes behind the image")
        return tuple(dict.fromkeys(name for name in found if name is not None))
