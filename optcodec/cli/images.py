"""Opening the inputs of ``encode`` and ``design``: JPEG files as coefficients, everything else as pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from optcodec.cli.files import is_jpeg, read_bytes
from optcodec.cli.many import Failure
from optcodec.errors import OptcodecError

if TYPE_CHECKING:
    from optcodec.jpeg.image import CoefficientImage
    from optcodec.pixels import Picture

__all__ = ["ImageSet", "open_image"]


def open_image(
    path: Path, *, background: str | None = None, decode: bool = False
) -> tuple[CoefficientImage | Picture, tuple[str, ...]]:
    """Read a file.

    Parameters
    ----------
    path : Path
        Of an image.
    background : str, optional
        Colour on which transparent pixels are composited.
    decode : bool
        Take the pixels of a JPEG file too, instead of its coefficients.

    Returns
    -------
    tuple of (CoefficientImage or Picture, tuple of str)
        The image, and notices of what was done to it.
    """
    if is_jpeg(path) and not decode:
        from optcodec.jpeg.reader import read_jpeg

        return read_jpeg(read_bytes(path)), ()
    from optcodec.pixels import load_picture

    picture = load_picture(path, background=background)
    return picture, picture.notices


class ImageSet:
    """The images of a data set, opened again each time that it is gone through; broken ones are left out and noted.

    Parameters
    ----------
    paths : sequence of Path
        The files.
    background, decode
        As in `open_image`.
    """

    def __init__(self, paths: Sequence[Path], *, background: str | None, decode: bool) -> None:
        self._paths, self._background, self._decode = paths, background, decode
        self.failed: dict[Path, Failure] = {}
        self.noticed: dict[str, list[Path]] = {}

    def __iter__(self) -> Iterator[CoefficientImage | Picture]:
        for path in self._paths:
            if path in self.failed:
                continue
            try:
                image, notices = open_image(path, background=self._background, decode=self._decode)
            except OptcodecError as error:
                self.failed[path] = Failure(path, str(error).removeprefix(f"{path}: "))
                continue
            for notice in notices:
                about = self.noticed.setdefault(notice, [])
                about.extend([path] * (path not in about))
            yield image
