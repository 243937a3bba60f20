"""Opening image files with Pillow: whatever goes wrong with a file is one error that names it."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from optcodec.errors import InvalidInputError, OptcodecError
from optcodec.limits import MAX_PIXELS, too_many_pixels

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

__all__ = ["IMAGE_SUFFIXES", "JPEG_SUFFIXES", "first_line", "opened_image"]

# How the names of files end that are looked for in folders; a name may be in capitals, too.
JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")
IMAGE_SUFFIXES = tuple(sorted({*JPEG_SUFFIXES, ".bmp", ".gif", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}))

_PREFIX_NBYTES = 16  # of the file, which Pillow's plugins know their format by
_NOT_THIS_FORMAT = (SyntaxError, IndexError, TypeError, struct.error)  # what they raise where it is another one


@contextmanager
def opened_image(source: str | PathLike[str] | BinaryIO, *, max_pixels: int | None = MAX_PIXELS) -> Iterator[ImageFile]:
    """An image file, open as long as the block lasts.

    Parameters
    ----------
    source : str, path or binary file
        A file of any format that Pillow knows.
    max_pixels : int or None
        Larger images are refused before they are decoded; None allows every size.

    Yields
    ------
    PIL.ImageFile.ImageFile
        Not decoded yet.

    Raises
    ------
    InvalidInputError
        If the file cannot be opened or decoded, or is too large: also for whatever Pillow raises within the block.

    Notes
    -----
    Pillow warns of large images from a process-wide limit on. `warnings.catch_warnings` would silence that, but it
    changes the state of the whole process, so that threads would need a lock, which a fork could find taken. So the
    plugins are asked here, as ``PIL.Image.open`` asks them.
    """
    path = Path(source) if isinstance(source, (str, PathLike)) else None
    try:
        with _bytes_of(source) as file:
            yield _identified(file, str(path or ""), max_pixels)
    except MemoryError:
        raise
    except Exception as error:  # a damaged file makes Pillow's plugins raise almost anything
        reason = _reason(error)
        raise InvalidInputError(reason if path is None else f"{path}: {reason}") from None


def _bytes_of(source: str | PathLike[str] | BinaryIO) -> AbstractContextManager[BinaryIO]:
    """The file from its beginning, to be closed if it was opened here; of a stream, which has none, what it gives."""
    if isinstance(source, (str, PathLike)):
        return Path(source).open("rb")
    if hasattr(source, "seekable") and not source.seekable():
        return nullcontext(io.BytesIO(source.read()))
    source.seek(0)
    return nullcontext(source)


def _reason(error: Exception) -> str:
    if isinstance(error, OptcodecError):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"cannot be decoded: {first_line(error)}"


def first_line(error: Exception) -> str:
    """What an error of Pillow says, in one line."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _identified(file: BinaryIO, name: str, max_pixels: int | None) -> ImageFile:
    """The file as an image of the first format that takes it."""
    from PIL import Image

    prefix = file.read(_PREFIX_NBYTES)
    if not isinstance(prefix, bytes):
        raise InvalidInputError(f"an image file is opened in binary mode, got one that gives {type(prefix).__name__}")
    asked: set[str] = set()
    for register in (Image.preinit, Image.init):  # the usual formats, then all
        register()
        for kind in [each for each in Image.ID if each not in asked]:
            asked.add(kind)
            factory, accepts = Image.OPEN[kind]
            try:
                accepted = True if accepts is None else accepts(prefix)
                if not accepted or isinstance(accepted, str):  # a text says what Pillow was built without
                    continue
                file.seek(0)
                image = factory(file, name)
            except _NOT_THIS_FORMAT:
                continue
            reason = too_many_pixels(*image.size, max_pixels)
            if reason is not None:
                raise InvalidInputError(reason)
            return image
    raise InvalidInputError("not an image file that Pillow knows")
