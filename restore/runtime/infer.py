"""Restore an image tile by tile, from top to bottom: what is in memory beside the file does not grow with the image."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt

from optcodec import MAX_PIXELS, InvalidInputError, upright
from restore.runtime import cells
from restore.runtime.cells import Floats
from restore.runtime.decode import Received, Span, receive, to_rgb
from restore.runtime.models import Model, load_model

__all__ = ["restore_image", "restored_image", "restored_strips"]

TILE = 256  # larger ones are a little faster and take more than the 200 MB that are promised
_GRID = 16  # tiles begin at whole blocks of chrominance that is subsampled by two
_STRIP_NBYTES = 1 << 23  # of a finished strip, however wide the image; three may be alive while one is written


def restore_image(
    data: bytes,
    *,
    model: str | os.PathLike[str] | Model = "default",
    project: bool = True,
    threads: int | None = None,
    tile: int = TILE,
    max_pixels: int | None = MAX_PIXELS,
    orient: Literal["keep", "apply"] = "keep",
) -> npt.NDArray[np.uint8]:
    """Decode a JPEG file and take back what its quantization did.

    Parameters
    ----------
    data : bytes
        The whole file, gray or YCbCr.
    model : str, path or Model
        Name of a shipped model, the .json file of another, or what `load_model` gave.
    project : bool
        Move the restored luminance into the quantization cells of the file. This helps where its encoder rounded to
        nearest, as most do.
    threads : int, optional
        At most so many; all processors by default. Of no use with a `Model`, which has its threads.
    tile : int
        Pixels that are restored at once, in each direction, and what they depend on around them; a multiple of 16. The
        image is the same with any.
    max_pixels : int or None
        Larger images are refused before memory is taken for them; None allows every size.
    orient : {"keep", "apply"}
        Pixels as the file stores them, or turned upright, as its Exif says.

    Returns
    -------
    ndarray of uint8, shape (height, width) or (height, width, 3)
        Gray or RGB.

    Raises
    ------
    InvalidInputError
        If there is no such model, its files are broken, or ONNX Runtime is missing.
    MalformedJpegError, UnsupportedJpegError
        If the file breaks T.81, or is neither gray nor YCbCr.
    """
    if isinstance(model, Model) and threads is not None:
        raise InvalidInputError(f"a loaded model has its threads already, got threads={threads}; expected None")
    if orient not in ("keep", "apply"):
        raise InvalidInputError(f'orient is "keep" or "apply", got {orient!r}')
    received = receive(data, max_pixels=max_pixels)
    loaded = model if isinstance(model, Model) else load_model(model, threads=threads)
    pixels = restored_image(received, loaded, project=project, tile=tile)
    return upright(pixels, received.metadata)[0] if orient == "apply" else pixels


def restored_image(
    received: Received, model: Model, *, project: bool = True, tile: int = TILE
) -> npt.NDArray[np.uint8]:
    """All of `restored_strips` as one array, shape (height, width) or (height, width, 3)."""
    height, width = received.height, received.width
    image = np.empty((height, width) if received.is_gray else (height, width, 3), np.uint8)
    top = 0
    for strip in restored_strips(received, model, project=project, tile=tile):
        image[top : top + len(strip)] = strip
        top += len(strip)
    return image


def restored_strips(
    received: Received, model: Model, *, project: bool = True, tile: int = TILE
) -> Iterator[npt.NDArray[np.uint8]]:
    """Restore an image from top to bottom.

    Parameters
    ----------
    received : Received
        From `restore.runtime.decode.receive`.
    model : Model
        From `load_model`.
    project, tile
        As for `restore_image`.

    Yields
    ------
    ndarray of uint8, shape (rows, width) or (rows, width, 3)
        The next rows.
    """
    if not isinstance(tile, (int, np.integer)) or tile < _GRID or tile % _GRID:
        raise InvalidInputError(f"tile is a multiple of {_GRID}, got {tile!r}")
    tile = int(tile)  # a number of numpy with few bits would overflow
    height, width, channels = received.height, received.width, 1 if received.is_gray else 3
    most = _STRIP_NBYTES // (channels * width) // _GRID * _GRID
    for rows in _spans(height, min(tile, most)):
        received.release(max(0, rows[0] - _whole(model.border)))
        strip = np.empty((min(rows[1], height) - rows[0], width, channels), np.uint8)
        for columns in _spans(width, tile):
            restored = _restored_tile(received, model, rows, columns, project)
            strip[:, slice(*columns)] = restored[: len(strip), : width - columns[0]]
        yield strip[..., 0] if received.is_gray else strip


def _spans(extent: int, tile: int) -> list[Span]:
    """Parts of an extent, the last one a whole multiple of the grid too."""
    whole = _whole(extent)
    return [(start, min(start + tile, whole)) for start in range(0, whole, tile)]


def _whole(extent: int) -> int:
    """The extent, up to a multiple of the grid."""
    return -(-extent // _GRID) * _GRID


def _restored_tile(received: Received, model: Model, rows: Span, columns: Span, project: bool) -> npt.NDArray[np.uint8]:
    """One tile, shape (rows, columns, 1 or 3); less where the blocks of the image end before the tile does."""
    height, width = received.extent
    down, across = (rows[0], min(rows[1], height)), (columns[0], min(columns[1], width))
    outer = _around(down, model.border, height), _around(across, model.border, width)
    image = received.luminance(*outer)[None]
    restored = model.luminance(image / np.float32(255), received.tables[:1])
    luminance = _core(restored, (down, across), outer)[0] * np.float32(255)
    if project:
        luminance = cells.project(luminance, received.luminance_blocks(down, across), received.steps(0))
    luminance = np.clip(luminance, 0, 255)
    if received.is_gray:
        gray: npt.NDArray[np.uint8] = np.rint(luminance).astype(np.uint8)[..., None]
        return gray
    chrominance = _restored_chrominance(received, model, rows, columns)
    return to_rgb(luminance, chrominance[:, : luminance.shape[0], : luminance.shape[1]])


def _restored_chrominance(received: Received, model: Model, rows: Span, columns: Span) -> Floats:
    """Cb and Cr of a tile, 0..255; the network sees whole multiples of the grid, with the last samples repeated."""
    if model.chrominance is None:
        return received.chrominance(rows, columns)
    outer = (
        _around(rows, model.border, _whole(received.height)),
        _around(columns, model.border, _whole(received.width)),
    )
    image: Floats = np.concatenate([received.luminance(*outer)[None], received.chrominance(*outer)])
    restored = _core(model.chrominance(image / np.float32(255), received.tables), (rows, columns), outer)
    clipped: Floats = np.clip(restored * np.float32(255), 0, 255)
    return clipped


def _around(span: Span, border: int, extent: int) -> Span:
    """The span and what its samples depend on, within the image and on the grid."""
    margin = _whole(border)
    return max(0, span[0] - margin), min(span[1] + margin, extent)


def _core(planes: Floats, inner: tuple[Span, Span], outer: tuple[Span, Span]) -> Floats:
    """Samples of the inner region in planes of the outer one."""
    (top, bottom), (left, right) = inner
    start, first = outer[0][0], outer[1][0]
    return planes[:, top - start : bottom - start, left - first : right - first]
