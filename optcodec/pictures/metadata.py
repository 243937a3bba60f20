"""What an image that Pillow has opened carries besides its pixels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from optcodec.jpeg.metadata.values import XMP, CarriedSegment, Metadata
from optcodec.jpeg.metadata.writer import made_segments
from optcodec.jpeg.segments import SEGMENT_LIMIT
from optcodec.pictures.orientation import minimal_exif

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["metadata_of", "orientation_of_tiff"]

_ORIENTATION_TAG = 0x0112
_IDS = (1, 2, 3)  # of the components of the files that are written
# What is given by fields, belongs to the file instead of the image, or is not told (JFIF, Adobe).
_OF_THE_FILE = (None, "Exif", "ICC profile", "list of further pictures (MPF)")


def metadata_of(image: Image.Image) -> Metadata:
    """ICC profile, Exif, density, XMP, and of a JPEG file the comments and other application segments.

    Pillow's Exif bytes may start with the header of the APP1 segment. What describes the JPEG file and not the image
    (JFIF, Adobe, a list of further pictures in the same file) is left out.
    """
    exif = _exif(image) or minimal_exif(_pillows_orientation(image))
    density = (0, 1, 1)
    dpi = image.info.get("dpi")
    if dpi is not None and all(np.isfinite(value) and 0.5 <= value < 65535.5 for value in map(float, dpi)):
        density = (1, round(float(dpi[0])), round(float(dpi[1])))
    plain = Metadata(icc_profile=image.info.get("icc_profile") or None, exif=exif or None, density=density)
    others = _others(image)
    return replace(plain, segments=(*made_segments(plain, _IDS), *others)) if others else plain


def _others(image: Image.Image) -> list[CarriedSegment]:
    """Segments of a JPEG file, or XMP of another one, besides those that the fields of `Metadata` give."""
    applications: list[tuple[str, Any]] | None = getattr(image, "applist", None)
    if applications is None:
        xmp = image.info.get("xmp")
        fits = isinstance(xmp, bytes) and len(XMP + xmp) <= SEGMENT_LIMIT
        return [CarriedSegment(0xE1, XMP + xmp)] if isinstance(xmp, bytes) and fits else []
    markers = {"COM": 0xFE} | {f"APP{number}": 0xE0 + number for number in range(16)}
    found = [CarriedSegment(markers[name], bytes(payload)) for name, payload in applications if name in markers]
    return [each for each in found if each.content not in _OF_THE_FILE]


def _exif(image: Image.Image) -> bytes | None:
    """Exif as a TIFF structure: of the file, or of a text as ImageMagick has put it into PNG files (hexadecimal)."""
    exif = image.info.get("exif")
    if exif is None:
        try:
            exif = bytes.fromhex("".join(image.info.get("Raw profile type exif", "").split("\n")[3:]))
        except (AttributeError, ValueError):  # another kind of text
            return None
    return exif.removeprefix(b"Exif\0\0") if isinstance(exif, bytes) else None


def _pillows_orientation(image: Image.Image) -> int:
    """What Pillow knows of the orientation of an image without Exif: from XMP, or set by hand."""
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except MemoryError:
        raise
    except Exception:  # whatever damaged Exif makes Pillow raise
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def orientation_of_tiff(image: Image.Image) -> int:
    """By which a TIFF file that is not decoded yet will be turned by Pillow."""
    value = getattr(image, "tag_v2", {}).get(_ORIENTATION_TAG, 1)
    return value if isinstance(value, int) and 2 <= value <= 8 else 1
