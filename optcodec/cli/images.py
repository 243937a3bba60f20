"""Open the inputs of ``encode`` and ``design``: JPEG files as coefficients, all other images as pixels."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from optcodec.console.files import is_jpeg
from optcodec.console.many import Failure
from optcodec.console.options import reading_of
from optcodec.console.streams import image_source, read_bytes
from optcodec.errors import InvalidInputError, OptcodecError
from optcodec.limits import MAX_PIXELS

if TYPE_CHECKING:
    from optcodec.jpeg.image import CoefficientImage
    from optcodec.pictures.orientation import Orient
    from optcodec.pictures.pixels import Picture

__all__ = ["ImageSet", "Opened", "Opening", "needed_nbytes", "open_image", "opening_of"]


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


def opening_of(options: dict[str, Any]) -> Opening:
    """Settings for opening inputs, from the options of a verb."""
    shared: dict[str, Any] = {name: options[name] for name in ("background", "max_pixels", "orient", "to_rgb")}
    size = options.get("short_side")  # which only the verb encode has
    return Opening(**shared | reading_of(options), decode=options["pixels"], short_side=size)


def open_image(path: Path, how: Opening) -> Opened:
    """Read an image.

    Parameters
    ----------
    path : Path
        Image file; ``-`` is stdin.
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
    source, notices = image_source(path), list[str]()
    if is_jpeg(source) and (not how.decode or how.partial or how.strict):
        from optcodec.jpeg.reading.reader import read_jpeg

        data = read_bytes(source) if isinstance(source, Path) else source.read()
        image = read_jpeg(
            data, max_pixels=how.max_pixels, partial=how.partial, strict=how.strict, notify=notices.append
        )
        if not how.decode and not (how.to_rgb and len(image.components) == 4):
            wanted = {"--orient apply turns": how.orient == "apply", "--short-side reduces": how.short_side is not None}
            for what in [what for what, applies in wanted.items() if applies]:
                raise InvalidInputError(f"{what} pixels, got the coefficients of a JPEG file; expected --pixels")
            return Opened(image, tuple(notices), len(data), data)
        source = io.BytesIO(_mended(image) if how.partial and notices else data)
    from optcodec.pictures.pixels import load_picture

    picture = load_picture(
        source, background=how.background, max_pixels=how.max_pixels, orient=how.orient, to_rgb=how.to_rgb
    )
    nbytes = source.stat().st_size if isinstance(source, Path) else source.seek(0, 2)
    if how.short_side is not None:
        from optcodec.pictures.resizing import shrunk

        picture = shrunk(picture, how.short_side)
    return Opened(picture, (*notices, *picture.notices), nbytes)


def _mended(image: CoefficientImage) -> bytes:
    """A whole JPEG file with the coefficients that could be read of a damaged one; Pillow can decode it."""
    from optcodec.jpeg.writer import write_jpeg

    return write_jpeg(image)


def needed_nbytes(path: Path, nbytes_per_pixel: int) -> int:
    """Estimated memory in bytes for work on an image, from the size in its header; 0 if that cannot be read."""
    from optcodec.pictures.opening import opened_image

    if not path.is_file():  # a pipe can be read only once
        return 0
    try:
        with opened_image(path, max_pixels=None) as image:
            return nbytes_per_pixel * image.width * image.height
    except OptcodecError:
        return 0


class ImageSet:
    """The images of a data set, opened anew in each iteration; images that cannot be read are skipped and recorded.

    Parameters
    ----------
    paths : sequence of Path
        The files.
    opening : Opening
        How they are opened.
    """

    def __init__(self, paths: Sequence[Path], opening: Opening) -> None:
        self._paths, self._opening = paths, opening
        self.failed: dict[Path, Failure] = {}
        self.noticed: dict[str, list[Path]] = {}

    def __iter__(self) -> Iterator[CoefficientImage | Picture]:
        for path in self._paths:
            if path in self.failed:
                continue
            try:
                image, notices, *_ = open_image(path, self._opening)
            except (OptcodecError, MemoryError) as error:
                self.failed[path] = Failure.of(path, error)
                continue
            for notice in notices:
                about = self.noticed.setdefault(notice, [])
                about.extend([path] * (path not in about))
            yield image
