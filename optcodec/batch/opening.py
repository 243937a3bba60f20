"""Open pictures for work on them: JPEG files as coefficients, all other images as pixels."""

from __future__ import annotations

import io
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, TypeAlias

from optcodec.batch.places import Member, Place, Url, read
from optcodec.errors import InvalidInputError, OptcodecError
from optcodec.limits import MAX_PIXELS

if TYPE_CHECKING:
    from optcodec.jpeg.image import CoefficientImage
    from optcodec.pictures.orientation import Orient
    from optcodec.pictures.pixels import Picture

__all__ = ["Opened", "Opening", "is_jpeg", "mended", "needed_nbytes", "open_image"]

Content: TypeAlias = Path | BinaryIO  # a file, or its content, which can be read several times


class Opened(NamedTuple):
    """An input as coefficients or pixels, notices about it, its size in bytes, and the content of a JPEG file."""

    image: CoefficientImage | Picture
    notices: tuple[str, ...]
    nbytes: int
    data: bytes = b""


@dataclass(frozen=True)
class Opening:
    """How inputs are opened.

    Parameters
    ----------
    background : str, optional
        Colour on which transparent pixels are composited.
    decode : bool
        Decode JPEG files to pixels, instead of returning their coefficients.
    max_pixels : int or None
        Larger images are refused; None allows every size.
    orient : {"keep", "apply"}
        As in `optcodec.load_picture`; coefficients cannot be rotated.
    to_rgb : bool
        Convert CMYK images to RGB; JPEG files with four components are decoded for this.
    partial, strict : bool
        As in `optcodec.read_jpeg`, also if the JPEG file is decoded.
    short_side : int, optional
        Length of the shorter side to which larger pictures are reduced; coefficients cannot be.
    """

    background: str | None = None
    decode: bool = False
    max_pixels: int | None = MAX_PIXELS
    orient: Orient = "keep"
    to_rgb: bool = False
    partial: bool = False
    strict: bool = False
    short_side: int | None = None


def open_image(source: Content, how: Opening) -> Opened:
    """Read an image.

    Parameters
    ----------
    source : Path or binary file
        Image file.
    how : Opening
        How it is opened.

    Returns
    -------
    Opened
        Coefficients for a JPEG file that is not decoded, otherwise pixels.

    Raises
    ------
    InvalidInputError
        If coefficients would have to be rotated or reduced.
    """
    notices = list[str]()
    if is_jpeg(source) and (not how.decode or how.partial or how.strict):
        from optcodec.jpeg.reading.reader import read_jpeg

        data = read(source) if isinstance(source, Path) else source.read()
        image = read_jpeg(
            data, max_pixels=how.max_pixels, partial=how.partial, strict=how.strict, notify=notices.append
        )
        if not how.decode and not (how.to_rgb and len(image.components) == 4):
            wanted = {"--orient apply turns": how.orient == "apply", "--short-side reduces": how.short_side is not None}
            for what in [what for what, applies in wanted.items() if applies]:
                raise InvalidInputError(f"{what} pixels, got the coefficients of a JPEG file; expected --pixels")
            return Opened(image, tuple(notices), len(data), data)
        source = io.BytesIO(mended(image) if how.partial and notices else data)
    from optcodec.pictures.pixels import load_picture

    picture = load_picture(
        source, background=how.background, max_pixels=how.max_pixels, orient=how.orient, to_rgb=how.to_rgb
    )
    nbytes = source.stat().st_size if isinstance(source, Path) else source.seek(0, 2)
    if how.short_side is not None:
        from optcodec.pictures.resizing import shrunk

        picture = shrunk(picture, how.short_side)
    return Opened(picture, (*notices, *picture.notices), nbytes)


def mended(image: CoefficientImage) -> bytes:
    """A whole JPEG file with the coefficients that could be read of a damaged one; Pillow can decode it."""
    from optcodec.jpeg.writer import write_jpeg

    return write_jpeg(image)


def needed_nbytes(source: Content | Place, nbytes_per_pixel: int) -> int:
    """Estimated memory in bytes for work on an image, from the size in its header; 0 if that cannot be read.

    What is at a URL or in a tar file is read for this.
    """
    from optcodec.pictures.opening import opened_image

    if isinstance(source, Path) and not source.is_file():  # a pipe can be read only once
        return 0
    try:
        content = io.BytesIO(read(source)) if isinstance(source, (Url, Member)) else source
        with opened_image(content, max_pixels=None) as image:
            return nbytes_per_pixel * image.width * image.height
    except OptcodecError:
        return 0


def is_jpeg(source: Content) -> bool:
    """Whether a file starts like a JPEG file (SOI and the first byte of a marker); False if it cannot be read."""
    try:
        with source.open("rb") if isinstance(source, Path) else nullcontext(source) as file:
            start = file.read(3)
            file.seek(0)  # so that the caller can read the whole content
    except OSError:
        return False
    return start == b"\xff\xd8\xff"
