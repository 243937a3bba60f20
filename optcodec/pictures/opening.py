"""Open image files with Pillow; any problem with a file becomes one `InvalidInputError` that names the file."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from optcodec.errors import InvalidInputError, OptcodecError
from optcodec.limits import MAX_PIXELS, too_many_pixels

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

__all__ = ["IMAGE_SUFFIXES", "JPEG_SUFFIXES", "first_line", "has_deep_samples", "opened_image"]

# Suffixes of the image files that commands look for in folders; capital letters match, too.
JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")
IMAGE_SUFFIXES = tuple(sorted({*JPEG_SUFFIXES, ".bmp", ".gif", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}))

_PREFIX_NBYTES = 16  # bytes at the beginning of a file by which Pillow's plugins recognize their format
_DEEP = re.compile(r"\b(RGB[AX]?|LA?|I|CMYK);16")  # Pillow's raw modes of 16 bits a sample
_NOT_THIS_FORMAT = (SyntaxError, IndexError, TypeError, struct.error)  # raised by a plugin for files of other formats


@contextmanager
def opened_image(source: str | PathLike[str] | BinaryIO, *, max_pixels: int | None = MAX_PIXELS) -> Iterator[ImageFile]:
    """Open an image file for the duration of a ``with`` block.

    Parameters
    ----------
    source : str, path or binary file
        A file of any format that Pillow reads.
    max_pixels : int or None
        Larger images are refused before they are decoded; None allows every size.

    Yields
    ------
    PIL.ImageFile.ImageFile
        The image; its pixels are not decoded yet.

    Raises
    ------
    InvalidInputError
        If the file cannot be opened or decoded, or is too large; also in place of any error raised within the block.

    Notes
    -----
    ``PIL.Image.open`` warns of images above a process-wide limit. `warnings.catch_warnings` would suppress the warning,
    but it changes the state of the whole process, so threads would need a lock, and a fork could happen while the lock
    is held. Therefore this function tries Pillow's plugins itself, in the same way as ``PIL.Image.open``.
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
    """Open a path, rewind a file, or read a stream that cannot be rewound; only a file opened here will be closed."""
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
    """Return the first line of an error message, or the name of the error if it has no message."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _identified(file: BinaryIO, name: str, max_pixels: int | None) -> ImageFile:
    """Open a file with the first of Pillow's plugins that accepts it."""
    from PIL import Image

    prefix = file.read(_PREFIX_NBYTES)
    if not isinstance(prefix, bytes):
        raise InvalidInputError(f"an image file is opened in binary mode, got one that gives {type(prefix).__name__}")
    tried: set[str] = set()
    for register in (Image.preinit, Image.init):  # common formats first, then all
        register()
        for format_name in [name for name in Image.ID if name not in tried]:
            tried.add(format_name)
            factory, accepts = Image.OPEN[format_name]
            try:
                accepted = True if accepts is None else accepts(prefix)
                if not accepted or isinstance(accepted, str):  # a text says which library this Pillow lacks
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


def has_deep_samples(image: Image) -> bool:
    """Whether a file has more than 8 bits a sample, of which Pillow keeps 8 in its mode: how it decodes shows it.

    It does so with RGB: by a raw mode of 16 bits ("BGR;16" is none: it has 5, 6 and 5 bits), and in PPM files by a
    largest value, which is scaled to 255.
    """
    return any(_is_deep(codec, how) for codec, _, _, how in getattr(image, "tile", ()))


def _is_deep(codec: str, how: Any) -> bool:
    values = how if codec.startswith("ppm") else ()
    return bool(_DEEP.search(str(how))) or any(value > 255 for value in values if isinstance(value, int))
