"""Image orientation: read it from Exif, turn the pixels upright, and write it back to Exif.

The orientation in Exif (CIPA DC-008, 4.6.5, tag 274) is a number from 1 to 8. It says on which side of the upright
image the first row and the first column of the stored pixels belong:

=====  ===========  ============  ==================================================
value  first row    first column  operation that makes the pixels upright
=====  ===========  ============  ==================================================
1      top          left          nothing
2      top          right         mirrored left to right
3      bottom       right         turned by 180 degrees
4      bottom       left          mirrored top to bottom
5      left         top           rows and columns exchanged
6      right        top           turned clockwise by 90 degrees
7      right        bottom        exchanged, then turned by 180 degrees
8      left         bottom        turned counter-clockwise by 90 degrees
=====  ===========  ============  ==================================================

Exif is a TIFF structure (TIFF 6.0, section 2)::

    II or MM   byte order: little or big endian
    42         16 bits
    offset     32 bits: where the first directory (IFD0) lies
    ...
    count      16 bits, and so many entries of 12 bytes:
                   tag (16 bits), type (16 bits), number of values (32 bits), the value or its offset (32 bits)

A picture with damaged Exif is not refused: the orientation is 1 if it cannot be read.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from optcodec.errors import InvalidInputError
from optcodec.jpeg.metadata.values import CarriedSegment, Metadata

__all__ = [
    "Orient",
    "check_orient",
    "minimal_exif",
    "orientation_of",
    "turned",
    "turned_density",
    "upright",
    "with_orientation",
]

Orient: TypeAlias = Literal["keep", "apply"]

_TAG = 0x0112
_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_FORMATS = {3: "H", 4: "I"}  # `struct` formats by type: SHORT, which Exif requires, and LONG, which some files have
_XMP_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:\s*=\s*["']|>))[2-8](?=["'<])""")
_EXCHANGED = (5, 6, 7, 8)  # orientations for which rows become columns


def check_orient(orient: str) -> None:
    """Raise `InvalidInputError` if `orient` is neither ``"keep"`` nor ``"apply"``."""
    if orient not in ("keep", "apply"):
        raise InvalidInputError(f'orient is "keep" or "apply", got {orient!r}')


def orientation_of(exif: bytes | None) -> int:
    """Read the orientation from Exif.

    Parameters
    ----------
    exif : bytes or None
        TIFF structure of an Exif segment, as in `Metadata.exif`; it may be damaged.

    Returns
    -------
    int
        1..8; 1, which is upright, if Exif has no valid orientation.
    """
    value = 1
    for offset, form in _orientation_values(exif or b""):  # if the tag is repeated, the last one counts, as in Pillow
        (value,) = struct.unpack_from(form, exif or b"", offset)
    return value if 1 <= value <= 8 else 1


def with_orientation(exif: bytes, orientation: int) -> bytes:
    """Replace the orientation in the first directory of Exif, if it has one; all other bytes stay the same."""
    changed = bytearray(exif)
    for offset, form in _orientation_values(exif):
        struct.pack_into(form, changed, offset, orientation)
    return bytes(changed)


def minimal_exif(orientation: int) -> bytes | None:
    """Make Exif that holds only an orientation (26 bytes); None for an upright image, which needs no Exif."""
    if orientation == 1:
        return None
    entry = struct.pack(">HHIHH", _TAG, 3, 1, orientation, 0)
    return b"MM\0*" + struct.pack(">IH", 8, 1) + entry + struct.pack(">I", 0)  # there is no second directory


def turned(pixels: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    """Turn pixels upright.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width) or (height, width, 3)
        Pixels as a file stores them.
    orientation : int
        Orientation of the pixels, 1..8.

    Returns
    -------
    ndarray of uint8
        Upright pixels, C-contiguous; for orientations 5..8 the shape is (width, height) or (width, height, 3).
    """
    if orientation in _EXCHANGED:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def upright(pixels: npt.NDArray[np.uint8], metadata: Metadata) -> tuple[npt.NDArray[np.uint8], Metadata]:
    """Turn pixels upright by the orientation in the metadata of their file.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width) or (height, width, 3)
        Pixels as the file stores them.
    metadata : Metadata
        Metadata of the file.

    Returns
    -------
    tuple of (ndarray of uint8, Metadata)
        The upright pixels and their metadata: with an orientation of 1 in Exif, and in XMP if that has one; and with
        horizontal and vertical density exchanged if rows became columns. All else stays the same.
    """
    orientation = orientation_of(metadata.exif)
    if metadata.exif is None or orientation == 1:
        return pixels, metadata
    exif, segments = with_orientation(metadata.exif, 1), _upright_xmp(metadata.segments)
    density = turned_density(metadata.density, orientation)
    return turned(pixels, orientation), replace(metadata, exif=exif, density=density, segments=segments)


def turned_density(density: tuple[int, int, int], orientation: int) -> tuple[int, int, int]:
    """Return `Metadata.density` (units, horizontal, vertical) of pixels after they were turned upright."""
    units, horizontal, vertical = density
    return (units, vertical, horizontal) if orientation in _EXCHANGED else density


def _upright_xmp(segments: tuple[CarriedSegment, ...] | None) -> tuple[CarriedSegment, ...] | None:
    """Set the orientation in XMP segments, where it is an attribute or an element (ISO 16684-1, ``tiff``), to 1."""
    if segments is None:
        return None
    return tuple(
        replace(segment, payload=_XMP_ORIENTATION.sub(rb"\g<1>1", segment.payload))
        if segment.content == "XMP"
        else segment
        for segment in segments
    )


def _orientation_values(exif: bytes) -> Iterator[tuple[int, str]]:
    """Find the orientation in the first directory: yield the offset of its value, and the `struct` format of the value.

    A truncated directory is read up to its last complete entry.
    """
    order = _BYTE_ORDERS.get(exif[:4])
    if order is None or len(exif) < 8:
        return
    (start,) = struct.unpack_from(f"{order}I", exif, 4)
    if start + 2 > len(exif):
        return
    (count,) = struct.unpack_from(f"{order}H", exif, start)
    for entry in range(start + 2, min(start + 2 + 12 * count, len(exif) - 11), 12):
        tag, value_type, values = struct.unpack_from(f"{order}HHI", exif, entry)
        if tag == _TAG and value_type in _FORMATS and values == 1:
            yield entry + 8, order + _FORMATS[value_type]
