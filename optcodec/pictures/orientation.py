"""The orientation of an image: how its pixels have to be turned to be seen upright, as Exif says it.

Exif (CIPA DC-008, 4.6.5, tag 274) counts from 1 to 8 and says where the first row and the first column of the pixels
belong:

=====  ===========  ============  ==================================================
value  first row    first column  what brings the pixels upright
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

Damaged Exif is no reason to refuse a picture: what cannot be read there says nothing, and the orientation is 1.
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
_FORMATS = {3: "H", 4: "I"}  # of a value, by its type: SHORT, which Exif asks for, and LONG
_OF_XMP = re.compile(rb"""(tiff:Orientation(?:\s*=\s*["']|>))[2-8](?=["'<])""")
_EXCHANGED = (5, 6, 7, 8)  # rows become columns


def check_orient(orient: str) -> None:
    """Raise `InvalidInputError` if it is neither ``"keep"`` nor ``"apply"``."""
    if orient not in ("keep", "apply"):
        raise InvalidInputError(f'orient is "keep" or "apply", got {orient!r}')


def orientation_of(exif: bytes | None) -> int:
    """The orientation that Exif tells.

    Parameters
    ----------
    exif : bytes or None
        TIFF structure of an Exif segment, as in `Metadata.exif`; it may be damaged.

    Returns
    -------
    int
        1..8; 1, which is upright, where there is nothing else to be read.
    """
    value = 1
    for place, form in _places(exif or b""):  # where the tag is there twice, Pillow takes the last one, too
        (value,) = struct.unpack_from(form, exif or b"", place)
    return value if 1 <= value <= 8 else 1


def with_orientation(exif: bytes, orientation: int) -> bytes:
    """The same Exif, byte for byte but for the orientation in its first directory, if that tells one."""
    changed = bytearray(exif)
    for place, form in _places(exif):
        struct.pack_into(form, changed, place, orientation)
    return bytes(changed)


def minimal_exif(orientation: int) -> bytes | None:
    """Exif that holds an orientation and nothing else, 26 bytes; None for an upright image, which needs none."""
    if orientation == 1:
        return None
    entry = struct.pack(">HHIHH", _TAG, 3, 1, orientation, 0)
    return b"MM\0*" + struct.pack(">IH", 8, 1) + entry + struct.pack(">I", 0)  # no second directory


def turned(pixels: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    """Pixels as they are to be seen.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width) or (height, width, 3)
        As a file stores them.
    orientation : int
        1..8.

    Returns
    -------
    ndarray of uint8
        C-contiguous; with an orientation of 5..8 of shape (width, height) or (width, height, 3).
    """
    if orientation in _EXCHANGED:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def upright(pixels: npt.NDArray[np.uint8], metadata: Metadata) -> tuple[npt.NDArray[np.uint8], Metadata]:
    """Turn pixels as the orientation of their file says.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width) or (height, width, 3)
        As the file stores them.
    metadata : Metadata
        Of the file.

    Returns
    -------
    tuple of (ndarray of uint8, Metadata)
        The pixels as they are to be seen, and metadata that say so: an orientation of 1 in Exif, and in XMP where it
        tells one, all else of which stays, and the densities across and down exchanged where rows became columns.
    """
    orientation = orientation_of(metadata.exif)
    if metadata.exif is None or orientation == 1:
        return pixels, metadata
    exif, segments = with_orientation(metadata.exif, 1), _upright_xmp(metadata.segments)
    about = replace(metadata, exif=exif, density=turned_density(metadata.density, orientation), segments=segments)
    return turned(pixels, orientation), about


def turned_density(density: tuple[int, int, int], orientation: int) -> tuple[int, int, int]:
    """Units and densities across and down, as `Metadata.density` has them, of pixels that were turned."""
    unit, across, down = density
    return (unit, down, across) if orientation in _EXCHANGED else density


def _upright_xmp(segments: tuple[CarriedSegment, ...] | None) -> tuple[CarriedSegment, ...] | None:
    """Segments with 1 as the orientation that XMP tells as an attribute or an element (ISO 16684-1, ``tiff``)."""
    if segments is None:
        return None
    return tuple(
        replace(each, payload=_OF_XMP.sub(rb"\g<1>1", each.payload)) if each.content == "XMP" else each
        for each in segments
    )


def _places(exif: bytes) -> Iterator[tuple[int, str]]:
    """Where the first directory has an orientation, and the format of `struct` that it has; nothing where it has none.

    A directory that ends before its last entry does counts as far as it goes.
    """
    order = _BYTE_ORDERS.get(exif[:4])
    if order is None or len(exif) < 8:
        return
    (start,) = struct.unpack_from(f"{order}I", exif, 4)
    if start + 2 > len(exif):
        return
    (count,) = struct.unpack_from(f"{order}H", exif, start)
    for place in range(start + 2, min(start + 2 + 12 * count, len(exif) - 11), 12):
        tag, kind, values = struct.unpack_from(f"{order}HHI", exif, place)
        if tag == _TAG and kind in _FORMATS and values == 1:
            yield place + 8, order + _FORMATS[kind]
