"""Restore an image tile by tile, from top to bottom, so that memory does not grow with the size of the image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from optcodec import InvalidInputError
from restore.runtime import cells
from restore.runtime.cells import Floats
from restore.runtime.change import Change, Region, pixels_of
from restore.runtime.context import Context
from restore.runtime.decode import Received, Span
from restore.runtime.earlier import EarlierCoding
from restore.runtime.hint import hint_of
from restore.runtime.models import Model
from restore.runtime.picture import DecodedPicture
from restore.runtime.settings import GRID, Settings

__all__ = ["Source", "changes", "decoded_planes", "restored_image", "restored_strips"]

Source: TypeAlias = Received | DecodedPicture
_DEFAULT = Settings()
_UNCHANGED = 1e-3  # samples: less is the error of 32-bit floats
_STRIP_NBYTES = 1 << 23  # limit for a finished strip; up to three strips are in memory while one is written


def restored_image(received: Source, model: Model, settings: Settings = _DEFAULT) -> npt.NDArray[np.uint8]:
    """The strips of `restored_strips` joined to one image, shape (height, width) or (height, width, 3)."""
    height, width = received.height, received.width
    image = np.empty((height, width) if received.is_gray else (height, width, 3), np.uint8)
    top = 0
    for strip in restored_strips(received, model, settings):
        image[top : top + len(strip)] = strip
        top += len(strip)
    return image


def restored_strips(received: Source, model: Model, settings: Settings = _DEFAULT) -> Iterator[npt.NDArray[np.uint8]]:
    """Restore an image strip by strip, from top to bottom.

    Parameters
    ----------
    received : Received or DecodedPicture
        From `restore.runtime.decode.receive`, or a picture that is no JPEG file any more.
    model : Model
        From `load_model`.
    settings : Settings
        How it is restored.

    Yields
    ------
    ndarray of uint8, shape (rows, width) or (rows, width, 3)
        The next rows of the image.

    Raises
    ------
    InvalidInputError
        If the model was not trained for the noise of the picture.
    """
    hint = hint_of(received, model) if settings.takes_hint and isinstance(received, Received) else None
    height, width, channels = received.height, received.width, 1 if received.is_gray else 3
    share = settings.share(_context(received, settings.earlier))
    strip = np.empty(0, np.uint8)
    for change in changes(received, model, settings):
        rows, columns = change.region
        if columns[0] == 0:
            strip = np.empty((min(rows[1], height) - rows[0], width, channels), np.uint8)
        planes = change.planes if hint is None else hint.weigh(change)
        restored = pixels_of(change, planes, share)
        strip[:, slice(*columns)] = restored[: len(strip), : width - columns[0]]
        if columns[1] >= width:
            yield strip[..., 0] if received.is_gray else strip


def changes(received: Source, model: Model, settings: Settings = _DEFAULT) -> Iterator[Change]:
    """What a model changes in an image, tile by tile, row by row of tiles.

    Raises
    ------
    InvalidInputError
        If the model was not trained for the noise of the picture.
    """
    _check_noise(model, received)
    channels = 1 if received.is_gray else 3
    max_rows = _STRIP_NBYTES // (channels * received.width) // GRID * GRID
    for rows in _spans(received.height, min(settings.tile, max_rows)):
        received.release(max(0, rows[0] - _round_up_to_grid(model.border) - GRID))
        for columns in _spans(received.width, settings.tile):
            yield _change(received, model, (rows, columns), settings)


def _check_noise(model: Model, received: Source) -> None:
    sigma = 0.0 if isinstance(received, Received) else received.context.sigma
    if sigma > 0 and model.max_sigma == 0:
        raise InvalidInputError(f"the model {model.name} is for pictures without noise, got sigma {sigma:.3g}")
    if sigma > model.max_sigma:
        expected = f"0..{model.max_sigma:g}, for which it was trained"
        raise InvalidInputError(f"the model {model.name} takes a sigma of {expected}; got {sigma:.3g}")


def _spans(extent: int, tile: int) -> list[Span]:
    """Divide an extent into tiles; the last one ends at a multiple of the grid."""
    padded = _round_up_to_grid(extent)
    return [(start, min(start + tile, padded)) for start in range(0, padded, tile)]


def _round_up_to_grid(extent: int) -> int:
    """The extent, rounded up to a multiple of the grid."""
    return -(-extent // GRID) * GRID


def _change(received: Source, model: Model, region: Region, settings: Settings) -> Change:
    """What the networks of a model change in a tile."""
    within = _limited(region, received.extent)
    if received.is_gray or model.chrominance is None or not model.after_luminance:
        network_luminance, wide = _network_luminance(received, model, within, received.extent, settings), within
    else:  # the network for chrominance needs restored luminance around the tile
        padded = _round_up_to_grid(received.height), _round_up_to_grid(received.width)
        wide = _with_border(region, model.border, padded)
        network_luminance = _network_luminance(received, model, wide, padded, settings)
    planes = _crop(network_luminance[None], within, wide)
    if not received.is_gray:
        chrominance = _network_chrominance(received, model, region, settings, network_luminance)
        planes = np.concatenate([planes, chrominance[:, : planes.shape[1], : planes.shape[2]]])
    surroundings = decoded_planes(received, *((start - 8, stop + 8) for start, stop in within))
    decoded = surroundings[:, 8:-8, 8:-8]
    if settings.project and settings.earlier is None and isinstance(received, Received):
        _project(received, planes, decoded, within)
    return Change(region, surroundings, planes - decoded)


def _network_luminance(
    received: Source, model: Model, region: Region, extent: tuple[int, int], settings: Settings
) -> Floats:
    """Luminance of a region as the network gives it, in units of 8-bit samples."""
    shift = (0, 0) if settings.earlier is None else settings.earlier.shift
    input_region = _with_border(region, model.border, extent, shift)
    image = received.luminance(*input_region)[None]
    restored = model.luminance(image / np.float32(255), _context(received, settings.earlier))
    plane: Floats = _crop(restored, region, input_region)[0] * np.float32(255)
    return plane


def _project(received: Received, planes: Floats, decoded: Floats, region: Region) -> None:
    """Project planes whose coefficients are in the file, in place, but for blocks that the network did not change."""
    for index in range(1 if received.is_subsampled else len(planes)):
        changed = np.abs(planes[index] - decoded[index]) > _UNCHANGED
        if np.any(changed):
            blocks, steps = received.blocks(index, *region), received.steps(index)
            projected = cells.project(planes[index], blocks, steps, received.interval_growth(index))
            planes[index] = np.where(_whole_blocks(changed), projected, decoded[index])


def decoded_planes(received: Source, rows: Span, columns: Span) -> Floats:
    """Decoded samples of a region, 0..255, shape (1 or 3, rows, columns): Y, and Cb and Cr where there is colour."""
    luminance = received.luminance(rows, columns)[None]
    return luminance if received.is_gray else np.concatenate([luminance, received.chrominance(rows, columns)])


def _whole_blocks(pixels: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """All pixels of the blocks that have any of these pixels."""
    rows, columns = pixels.shape
    blocks = np.any(pixels.reshape(rows // 8, 8, columns // 8, 8), axis=(1, 3))
    return np.repeat(np.repeat(blocks, 8, axis=0), 8, axis=1)


def _network_chrominance(
    received: Source, model: Model, region: Region, settings: Settings, network_luminance: Floats
) -> Floats:
    """Cb and Cr of a tile as the network gives them, in units of 8-bit samples; without one, as they were decoded.

    The input of the network is padded to multiples of the grid.

    An earlier coding is taken into account if its blocks are those of the file: with another grid of luminance, that of
    subsampled chrominance is not known.
    """
    if model.chrominance is None:
        return received.chrominance(*region)
    padded = _round_up_to_grid(received.height), _round_up_to_grid(received.width)
    input_region = _with_border(region, model.border, padded)
    if model.after_luminance:
        luminance = np.rint(np.clip(network_luminance, 0, 255))
    else:
        luminance = received.luminance(*input_region)
    image: Floats = np.concatenate([luminance[None], received.chrominance(*input_region)])
    earlier = settings.earlier if settings.earlier is not None and settings.earlier.shift == (0, 0) else None
    restored = _crop(model.chrominance(image / np.float32(255), _context(received, earlier)), region, input_region)
    return restored * np.float32(255)


def _context(received: Source, earlier: EarlierCoding | None) -> Context:
    """What a network is told of the file: with an earlier coding, the larger steps of both."""
    context = received.context
    if earlier is None:
        return context
    return replace(context, steps=np.maximum(context.steps, earlier.steps[: len(context.steps)]))


def _limited(region: Region, extent: tuple[int, int]) -> Region:
    """The part of a region within an image."""
    (top, bottom), (left, right) = region
    return (top, min(bottom, extent[0])), (left, min(right, extent[1]))


def _with_border(region: Region, border: int, extent: tuple[int, int], shift: tuple[int, int] = (0, 0)) -> Region:
    """The region and a border on all sides, rounded up to the grid and limited to the image.

    With a shift, the region begins and ends at that distance from the grid, and may extend beyond the image.
    """
    margin = _round_up_to_grid(border)
    rows, columns = (
        (start - (start - offset) % GRID, stop + (offset - stop) % GRID if offset else stop)
        for start, stop, offset in (
            (max(0, span[0] - margin), min(span[1] + margin, limit), offset)
            for span, limit, offset in zip(region, extent, shift, strict=True)
        )
    )
    return rows, columns


def _crop(planes: Floats, region: Region, input_region: Region) -> Floats:
    """The samples of a region, from planes that cover the larger input region."""
    (top, bottom), (left, right) = region
    origin_y, origin_x = input_region[0][0], input_region[1][0]
    return planes[:, top - origin_y : bottom - origin_y, left - origin_x : right - origin_x]
