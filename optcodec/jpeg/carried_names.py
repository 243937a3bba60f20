"""What metadata is called, for people who are told that it is left out."""

from __future__ import annotations

from optcodec.jpeg.metadata import CarriedSegment, Metadata

__all__ = ["names_of"]

# Marker, beginning of the payload, name; None for what only serves decoding.
_NAMES = (
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


def names_of(metadata: Metadata) -> tuple[str, ...]:
    """Names of all that metadata holds but density and colour transform, each once."""
    fields = {"ICC profile": metadata.icc_profile, "Exif": metadata.exif}
    found = [_name(each) for each in metadata.segments or ()] + [name for name, value in fields.items() if value]
    if metadata.trailer:
        found.append(f"{len(metadata.trailer):,} bytes behind the image")
    return tuple(dict.fromkeys(name for name in found if name is not None))


def _name(segment: CarriedSegment) -> str | None:
    for marker, start, name in _NAMES:
        if segment.marker == marker and segment.payload.startswith(start):
            return name
    return segment.name
