"""Measure the rate-distortion curves of an image's blocks: bytes, and errors before and after restoration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from optcodec.blocks.curves import (
    BLOCK_SIDE,
    QUALITIES,
    Curves,
    block_errors,
    block_grid,
    checked_qualities,
    whole_blocks,
)
from optcodec.effort import Request
from optcodec.errors import InvalidInputError
from optcodec.extras import named_errors
from optcodec.jpeg.image import CoefficientImage, Metadata
from optcodec.jpeg.reading.reader import read_jpeg
from optcodec.jpeg.sources import PixelSource
from optcodec.jpeg.tables import annex_k_tables
from optcodec.jpeg.writer import write_jpeg
from optcodec.optimized import optimized
from optcodec.pictures.pixels import decoded_pixels
from optcodec.receivers.block_bits import file_block_bits
from optcodec.receivers.task import Task

__all__ = ["ENCODERS", "STRIDE", "grid_offsets", "measure_curves", "sent_and_reference", "training_blocks"]

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Offset = tuple[int, int]

ENCODERS = "jpeg", "rdo"
STRIDE = 28  # pixels between AccelIR's training blocks


def measure_curves(
    clean: Pixels,
    task: Task,
    *,
    encoder: str = "jpeg",
    subsampling: str = "4:2:0",
    qualities: Sequence[int] = QUALITIES,
    seed: int = 0,
    isolated: bool = False,
    offset: Offset = (0, 0),
    threads: int | None = None,
) -> Curves:
    """Measure the curves of all 32x32 blocks of an image.

    At each quality, the whole image is encoded, decoded and restored, and the errors are then taken block by block. So
    the network sees the surroundings of each block.

    Parameters
    ----------
    clean : ndarray of uint8, shape (height, width, 3)
        RGB; the image that the task sends for it must have at least 32 rows and columns.
    task : Task
        The restoration task.
    encoder : {"jpeg", "rdo"}
        ``"jpeg"``: default JPEG (T.81, Annex K) with optimal Huffman tables. ``"rdo"``: tables and indices by a
        trellis, with about the error of default JPEG at the same quality, as `optcodec.encode` with ``tune="ycbcr"``.
    subsampling : {"4:2:0", "4:2:2", "4:4:4", "4:4:0"}
        Chroma subsampling of the files.
    qualities : sequence of int
        Rising quality factors 1..100, at least two.
    seed : int
        Seed of the noise that the task adds.
    isolated : bool
        Restore each block from a file with the coefficients of this block only, so that the network sees no other
        pixels. The bytes are nevertheless those of the block in the file of the whole image.
    offset : (int, int)
        Rows and columns to cut off from the sent image at the top and at the left.
    threads : int, optional
        Largest number of threads of the encoder; all processors by default. The result is the same.

    Returns
    -------
    Curves
        Curves of all blocks in raster order (see `optcodec.blocks.curves.block_grid`), including those that the border
        cuts.

    Raises
    ------
    InvalidInputError
        If the image is grey or smaller than a block, an argument is not as described, or an image from the task is not
        RGB or has the wrong size.
    """
    if encoder not in ENCODERS:
        raise InvalidInputError(f"encoder is one of {', '.join(ENCODERS)}; got {encoder!r}")
    levels = checked_qualities(list(qualities))
    sent, reference = _cut(*sent_and_reference(clean, task, seed), task.scale, offset)
    source = PixelSource(sent, subsampling, "float", False, Metadata(), 0, threads)
    restored = _restored_alone if isolated else _restored
    points = []
    for quality in levels.tolist():
        data = _coded(source, encoder, quality)
        points.append((file_block_bits(data) / 8, *restored(data, task, sent, reference)))
    nbytes, before, after = (
        np.stack([values.ravel() for values in by_quality], axis=1) for by_quality in zip(*points, strict=True)
    )
    return Curves(levels, nbytes, before, after)


def training_blocks(
    clean: Pixels, task: Task, *, offsets: Sequence[Offset] = ((0, 0),), seed: int = 0, **options: Any
) -> tuple[Curves, Pixels]:
    """Measure the blocks of an image that the border does not cut, on several grids.

    AccelIR cuts training blocks with a stride of 28 pixels. A block that begins at 28 i is shifted by 28 i modulo 32, a
    multiple of 4, against the grid of 32x32 blocks, so it cannot be measured in the file of the image. Here the grid
    moves instead: some rows and columns of the sent image are cut off at the top and at the left, and it is encoded
    again. The 64 offsets that are multiples of 4 cover all blocks of stride 28. Each offset takes as long as the image
    itself, so a few are drawn (`grid_offsets`). After a cut, the first blocks lie at a border that the image does not
    have there.

    Parameters
    ----------
    clean, task, seed
        As in `measure_curves`.
    offsets : sequence of (int, int)
        Rows and columns to cut off. Offsets that leave no whole block are skipped.
    **options
        As in `measure_curves`.

    Returns
    -------
    tuple of (Curves, ndarray of uint8)
        The curves, and the sent pixels of the blocks, of shape (blocks, 32, 32, 3).
    """
    sent, _ = sent_and_reference(clean, task, seed)
    curves, blocks = [], []
    for offset in offsets:
        moved = sent[offset[0] :, offset[1] :]
        height, width = moved.shape[:2]
        if min(height, width) < BLOCK_SIDE:
            continue
        measured = measure_curves(clean, task, seed=seed, offset=offset, **options)
        curves.append(measured.chosen(whole_blocks(width, height)))
        rows, columns = height // BLOCK_SIDE, width // BLOCK_SIDE
        tiled = moved[: rows * BLOCK_SIDE, : columns * BLOCK_SIDE].reshape(rows, BLOCK_SIDE, columns, BLOCK_SIDE, 3)
        blocks.append(tiled.swapaxes(1, 2).reshape(-1, BLOCK_SIDE, BLOCK_SIDE, 3))
    return Curves.joined(curves), np.concatenate(blocks)


def grid_offsets(count: int, seed: int) -> tuple[Offset, ...]:
    """Offset (0, 0), and other grids of blocks with stride 28, drawn without repetition; see `training_blocks`.

    Parameters
    ----------
    count : int
        Number of grids, 1..64.
    seed : int
        Seed of the draw.

    Raises
    ------
    InvalidInputError
        If the count is outside 1..64.
    """
    step = BLOCK_SIDE - STRIDE
    offsets = list(product(range(0, BLOCK_SIDE, step), repeat=2))
    if not 1 <= count <= len(offsets):
        raise InvalidInputError(f"the number of grids lies in 1..{len(offsets)}, got {count}")
    drawn = np.random.default_rng(seed).choice(len(offsets) - 1, count - 1, replace=False)
    return (offsets[0], *(offsets[1 + index] for index in drawn))


def sent_and_reference(clean: Pixels, task: Task, seed: int) -> tuple[Pixels, Pixels]:
    """The image that the encoder receives, and the reference for the restored image.

    Raises
    ------
    InvalidInputError
        If the image is grey or smaller than a block, or an image from the task has the wrong size.
    """
    if clean.ndim != 3 or clean.shape[2] != 3 or clean.dtype != np.uint8:
        kind = "a grey image" if clean.ndim == 2 else f"{clean.dtype} of shape {clean.shape}"
        raise InvalidInputError(f"blocks are measured in RGB images, uint8 of shape (height, width, 3); got {kind}")
    side = BLOCK_SIDE * task.scale
    if min(clean.shape[:2]) < side:
        size = f"{clean.shape[1]}x{clean.shape[0]}"
        raise InvalidInputError(f"blocks of {task.name} have {side}x{side} pixels; the image is smaller: {size}")
    with named_errors(task.name):
        reference = task.reference(clean)
    _check_pixels(reference, tuple(length // task.scale * task.scale for length in clean.shape[:2]), task, "reference")
    with named_errors(task.name):
        sent = task.sent(reference, seed)
    _check_pixels(sent, tuple(length // task.scale for length in reference.shape[:2]), task, "sent image")
    return sent, reference


def _check_pixels(pixels: Pixels, size: tuple[int, ...], task: Task, what: str) -> None:
    if pixels.dtype != np.uint8 or pixels.shape != (*size, 3):
        expected = f"uint8 of shape {(*size, 3)}"
        raise InvalidInputError(f"expected the {what} of {task.name} as {expected}, got {pixels.dtype} {pixels.shape}")


def _cut(sent: Pixels, reference: Pixels, scale: int, offset: Offset) -> tuple[Pixels, Pixels]:
    top, left = offset
    height, width = sent.shape[0] - top, sent.shape[1] - left
    if min(offset) < 0 or min(height, width) < BLOCK_SIDE:
        raise InvalidInputError(f"expected an offset that leaves {BLOCK_SIDE}x{BLOCK_SIDE} pixels, got {offset}")
    return np.ascontiguousarray(sent[top:, left:]), reference[top * scale :, left * scale :]


def _coded(source: PixelSource, encoder: str, quality: int) -> bytes:
    """Encode the source; the same file as from `optcodec.encode`."""
    if encoder == "jpeg":
        return source.encoded(annex_k_tables(quality))
    return optimized(source, Request(quality=quality, tune="ycbcr"))


def _restored(data: bytes, task: Task, sent: Pixels, reference: Pixels) -> tuple[Floats, Floats]:
    """Mean squared errors of the blocks of an image, before and after restoration of the whole image."""
    before = block_errors(decoded_pixels(data), sent, BLOCK_SIDE)
    with named_errors(task.name):
        restored = task.restored(data)
    _check_pixels(restored, reference.shape[:2], task, "restored image")
    return before, block_errors(restored, reference, BLOCK_SIDE * task.scale)


def _restored_alone(data: bytes, task: Task, sent: Pixels, reference: Pixels) -> tuple[Floats, Floats]:
    """As `_restored`, but each block is restored alone."""
    image = read_jpeg(data, max_pixels=None)
    rows, columns = block_grid(image.width, image.height)
    before, after = np.empty((rows, columns)), np.empty((rows, columns))
    for row, column in product(range(rows), range(columns)):
        in_sent, in_reference = (
            (slice(row * side, (row + 1) * side), slice(column * side, (column + 1) * side))
            for side in (BLOCK_SIDE, BLOCK_SIDE * task.scale)
        )
        data = write_jpeg(_block_of(image, row, column))
        errors = _restored(data, task, sent[in_sent], reference[in_reference])
        before[row, column], after[row, column] = (error.item() for error in errors)
    return before, after


def _block_of(image: CoefficientImage, row: int, column: int) -> CoefficientImage:
    """The coefficients of one 32x32 block as an image; it is smaller if the border cuts the block."""
    top, left = row * BLOCK_SIDE, column * BLOCK_SIDE
    width, height = min(BLOCK_SIDE, image.width - left), min(BLOCK_SIDE, image.height - top)
    h_max, v_max = (max(getattr(part, name) for part in image.components) for name in ("h", "v"))
    components = []
    for part in image.components:
        vertical, horizontal = BLOCK_SIDE * part.v // (8 * v_max), BLOCK_SIDE * part.h // (8 * h_max)
        rows = slice(row * vertical, (row + 1) * vertical)
        blocks = part.blocks[rows, column * horizontal : (column + 1) * horizontal]
        components.append(replace(part, blocks=blocks))
    return CoefficientImage(width, height, tuple(components), image.tables)
