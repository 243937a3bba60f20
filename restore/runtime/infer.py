"""Restore an image tile by tile, from top to bottom, so that memory does not grow with the size of the image."""

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

TILE = 256  # pixels; larger tiles are a little faster, but need more than the documented 200 MB
_GRID = 16  # pixels; tiles begin at whole blocks also of chrominance that is subsampled by two
_STRIP_NBYTES = 1 << 23  # limit for a finished strip; up to three strips are in memory while one is written


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
    """Decode a JPEG file and reduce the errors of its quantization with a neural network.

    Parameters
    ----------
    data : bytes
        The whole JPEG file, gray or YCbCr.
    model : str, path or Model
        Name of a shipped model, the .json file of another one, or the result of `load_model`.
    project : bool
        Clip the restored luminance to the quantization intervals of the file. This reduces errors if the encoder
        rounded coefficients to nearest, as most encoders do.
    threads : int, optional
        Maximum number of threads; by default one for each processor. Must be None with a loaded `Model`, which has its
        own number.
    tile : int
        Side of the square tiles that are restored one by one, in pixels, a multiple of 16. The result is the same for
        every size.
    max_pixels : int or None
        Images with more pixels are refused before memory is allocated for them; None allows every size.
    orient : {"keep", "apply"}
        "keep" returns the pixels as the file stores them, "apply" turned upright by the orientation in its Exif.

    Returns
    -------
    ndarray of uint8, shape (height, width) or (height, width, 3)
        Gray or RGB.

    Raises
    ------
    InvalidInputError
        If an argument is out of range, there is no such model, its files are damaged, or ONNX Runtime is missing.
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
    """The strips of `restored_strips` joined to one image, shape (height, width) or (height, width, 3)."""
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
    """Restore an image strip by strip, from top to bottom.

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
        The next rows of the image.
    """
    if not isinstance(tile, (int, np.integer)) or tile < _GRID or tile % _GRID:
        raise InvalidInputError(f"tile is a multiple of {_GRID}, got {tile!r}")
    tile = int(tile)  # a NumPy integer with few bits would overflow
    height, width, channels = received.height, received.width, 1 if received.is_gray else 3
    max_rows = _STRIP_NBYTES // (channels * width) // _GRID * _GRID
    for rows in _spans(height, min(tile, max_rows)):
        received.release(max(0, rows[0] - _round_up_to_grid(model.border)))
        strip = np.empty((min(rows[1], height) - rows[0], width, channels), np.uint8)
        for columns in _spans(width, tile):
            restored = _restored_tile(received, model, rows, columns, project)
            strip[:, slice(*columns)] = restored[: len(strip), : width - columns[0]]
        yield strip[..., 0] if received.is_gray else strip


def _spans(extent: int, tile: int) -> list[Span]:
    """Divide an extent into tiles; the last one ends at a multiple of the grid."""
    padded = _round_up_to_grid(extent)
    return [(start, min(start + tile, padded)) for start in range(0, padded, tile)]


def _round_up_to_grid(extent: int) -> int:
    """The extent, rounded up to a multiple of the grid."""
    return -(-extent // _GRID) * _GRID


def _restored_tile(received: Received, model: Model, rows: Span, columns: Span, project: bool) -> npt.NDArray[np.uint8]:
    """One restored tile, shape (rows, columns, 1 or 3); smaller where the blocks of the image end within the tile."""
    height, width = received.extent
    down, across = (rows[0], min(rows[1], height)), (columns[0], min(columns[1], width))
    input_region = _with_border(down, model.border, height), _with_border(across, model.border, width)
    image = received.luminance(*input_region)[None]
    restored = model.luminance(image / np.float32(255), received.context)
    luminance = _crop(restored, (down, across), input_region)[0] * np.float32(255)
    if project:
        luminance = cells.project(luminance, received.luminance_blocks(down, across), received.steps(0))
    luminance = np.clip(luminance, 0, 255)
    if received.is_gray:
        gray: npt.NDArray[np.uint8] = np.rint(luminance).astype(np.uint8)[..., None]
        return gray
    chrominance = _restored_chrominance(received, model, rows, columns)
    return to_rgb(luminance, chrominance[:, : luminance.shape[0], : luminance.shape[1]])


def _restored_chrominance(received: Received, model: Model, rows: Span, columns: Span) -> Floats:
    """Restored Cb and Cr of a tile, 0..255. The input of the network is padded to multiples of the grid."""
    if model.chrominance is None:
        return received.chrominance(rows, columns)
    input_region = (
        _with_border(rows, model.border, _round_up_to_grid(received.height)),
        _with_border(columns, model.border, _round_up_to_grid(received.width)),
    )
    image: Floats = np.concatenate([received.luminance(*input_region)[None], received.chrominance(*input_region)])
    restored = _crop(model.chrominance(image / np.float32(255), received.context), (rows, columns), input_region)
    clipped: Floats = np.clip(restored * np.float32(255), 0, 255)
    return clipped


def _with_border(span: Span, border: int, extent: int) -> Span:
    """The span and a border on both sides, rounded up to the grid and limited to the image."""
    margin = _round_up_to_grid(border)
    return max(0, span[0] - margin), min(span[1] + margin, extent)


def _crop(planes: Floats, region: tuple[Span, Span], input_region: tuple[Span, Span]) -> Floats:
    """The samples of a region, from planes that cover the larger input region."""
    (top, bottom), (left, right) = region
    origin_y, origin_x = input_region[0][0], input_region[1][0]
    return planes[:, top - origin_y : bottom - origin_y, left - origin_x : right - origin_x]
