"""Read the metadata of an image that Pillow has opened."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from optcodec.jpeg.metadata.values import XMP, CarriedSegment, Metadata
from optcodec.jpeg.metadata.writer import segments_of
from optcodec.jpeg.segments import SEGMENT_LIMIT
from optcodec.pictures.orientation import minimal_exif

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["metadata_of", "orientation_of_tiff"]

_ORIENTATION_TAG, _RESOLUTION_TAG = 0x0112, 0x011A
_IDS = (1, 2, 3)  # component identifiers of the files that the encoder writes
# Contents of segments that are not copied: Exif and the ICC profile are fields of `Metadata`; JFIF and Adobe (None) and
# the list of further pictures describe the file, not the image.
_NOT_COPIED = (None, "Exif", "ICC profile", "list of further pictures (MPF)")


def metadata_of(image: Image.Image) -> Metadata:
    """Read ICC profile, Exif, density and XMP; from a JPEG file also comments and other application segments.

    Segments that describe the JPEG file and not the image (JFIF, Adobe, a list of further pictures) are left out.
    """
    exif = _exif(image) or minimal_exif(_orientation_without_exif(image))
    density = (0, 1, 1)
    tiff = getattr(image, "tag_v2", None)
    dpi = None if tiff is not None and _RESOLUTION_TAG not in tiff else image.info.get("dpi")  # Pillow makes 1 of none
    if dpi is not None and all(np.isfinite(value) and 0.5 <= value < 65535.5 for value in map(float, dpi)):
        density = (1, round(float(dpi[0])), round(float(dpi[1])))
    plain = Metadata(icc_profile=image.info.get("icc_profile") or None, exif=exif or None, density=density)
    further = _further_segments(image)
    return replace(plain, segments=(*segments_of(plain, _IDS), *further)) if further else plain


def _further_segments(image: Image.Image) -> list[CarriedSegment]:
    """List the segments of a JPEG file that are not fields of `Metadata`; for another file, its XMP as a segment."""
    applications: list[tuple[str, Any]] | None = getattr(image, "applist", None)
    if applications is None:
        xmp = image.info.get("xmp")
        fits = isinstance(xmp, bytes) and len(XMP + xmp) <= SEGMENT_LIMIT
        return [CarriedSegment(0xE1, XMP + xmp)] if isinstance(xmp, bytes) and fits else []
    markers = {"COM": 0xFE} | {f"APP{number}": 0xE0 + number for number in range(16)}
    segments = [CarriedSegment(markers[name], bytes(payload)) for name, payload in applications if name in markers]
    return [segment for segment in segments if segment.content not in _NOT_COPIED]


def _exif(image: Image.Image) -> bytes | None:
    """Return the TIFF structure of Exif, without the header of its APP1 segment.

    ImageMagick has stored Exif in PNG files as hexadecimal text; that is read, too.
    """
    exif = image.info.get("exif")
    if exif is None:
        try:
            exif = bytes.fromhex("".join(image.info.get("Raw profile type exif", "").split("\n")[3:]))
        except (AttributeError, ValueError):  # another kind of text
            return None
    return exif.removeprefix(b"Exif\0\0") if isinstance(exif, bytes) else None


def _orientation_without_exif(image: Image.Image) -> int:
    """Return the orientation of an image without Exif: Pillow reads it from XMP, or the caller has set it."""
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except MemoryError:
        raise
    except Exception:  # damaged Exif can make Pillow raise any error
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def orientation_of_tiff(image: Image.Image) -> int:
    """Return the orientation of a TIFF file that is not decoded yet; Pillow turns its pixels while it decodes them."""
    value = getattr(image, "tag_v2", {}).get(_ORIENTATION_TAG, 1)
    return value if isinstance(value, int) and 2 <= value <= 8 else 1
