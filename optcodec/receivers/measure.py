"""Bytes and errors of the blocks of an image at each quality, before and after restoration."""

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
from optcodec.effort import Rdo, Wanted, rdo_encoded
from optcodec.errors import InvalidInputError
from optcodec.jpeg.image import CoefficientImage, Metadata
from optcodec.jpeg.reading.reader import read_jpeg
from optcodec.jpeg.sources import PixelSource
from optcodec.jpeg.tables import annex_k_tables
from optcodec.jpeg.writer import write_jpeg
from optcodec.pictures.pixels import decoded_pixels
from optcodec.receivers.block_bits import file_block_bits
from optcodec.receivers.task import Task

__all__ = ["ENCODERS", "STRIDE", "grid_offsets", "measure_curves", "sent_and_reference", "training_blocks"]

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Offset = tuple[int, int]

ENCODERS = "jpeg", "rdo"
STRIDE = 28  # of AccelIR's training blocks, in pixels


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
    """Measure all 32x32 blocks of an image.

    The image is coded, decoded and restored as a whole, and the errors of each block are then taken from it: a block is
    measured with what surrounds it.

    Parameters
    ----------
    clean : ndarray of uint8, shape (height, width, 3)
        RGB; what the task sends of it has 32 pixels a side at least.
    task : Task
        What is sent, and how it is restored.
    encoder : {"jpeg", "rdo"}
        Default JPEG (T.81, Annex K) with optimal Huffman tables; or tables and indices by a trellis, for about the
        error of default JPEG at the same quality, as `optcodec.encode` makes them with ``rdo=True``.
    subsampling : {"4:2:0", "4:2:2", "4:4:4", "4:4:0"}
        Of the files.
    qualities : sequence of int
        Rising quality factors 1..100, at least two.
    seed : int
        Of what the task adds.
    isolated : bool
        Restore each block by itself: a file with nothing but its coefficients, so that the network sees no pixel of
        what surrounds it. Bytes are those of the block within the image all the same, since there they are paid.
    offset : (int, int)
        Rows and columns of the sent image that are cut off at the top and at the left.
    threads : int, optional
        At most so many for the encoder; all processors by default. The result is the same.

    Returns
    -------
    Curves
        Of the blocks in raster order (see `optcodec.blocks.curves.block_grid`), those cut by the border included.

    Raises
    ------
    InvalidInputError
        If the image is grey or smaller than a block, an argument is none of these, or the task gives something else
        than RGB images of the sizes that it should.
    """
    if encoder not in ENCODERS:
        raise InvalidInputError(f"encoder is one of {', '.join(ENCODERS)}; got {encoder!r}")
    levels = checked_qualities(list(qualities))
    sent, reference = _cut(*sent_and_reference(clean, task, seed), task.scale, offset)
    source = PixelSource(sent, subsampling, "float", False, Metadata(), 0, threads)
    restored = _restored_alone if isolated else _restored
    found = []
    for quality in levels.tolist():
        data = _coded(source, encoder, quality)
        found.append((file_block_bits(data) / 8, *restored(data, task, sent, reference)))
    return Curves(levels, *(np.stack([each.ravel() for each in kind], axis=1) for kind in zip(*found, strict=True)))


def training_blocks(
    clean: Pixels, task: Task, *, offsets: Sequence[Offset] = ((0, 0),), seed: int = 0, **options: Any
) -> tuple[Curves, Pixels]:
    """Measure the whole blocks of an image on several grids.

    AccelIR cuts training blocks with a stride of 28 pixels. A block that begins at 28 i lies at 28 i modulo 32, a
    multiple of 4, in the grid of MCUs, so it cannot be coded as a block of that file. Here the grid moves instead: the
    sent image is cut by an offset at the top and at the left, and coded again. The 64 offsets of multiples of 4 hold
    all blocks of stride 28, each on the grid of MCUs of a real file; each offset costs as much as the image itself, so
    that a few are drawn (`grid_offsets`). Of a moved grid, the first blocks have a border where the image has none.

    Parameters
    ----------
    clean, task, seed
        As in `measure_curves`.
    offsets : sequence of (int, int)
        Rows and columns that are cut off. Where no whole block is left, nothing is measured.
    **options
        As in `measure_curves`.

    Returns
    -------
    tuple of (Curves, ndarray of uint8)
        The curves, and the sent pixels, of shape (blocks, 32, 32, 3).
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
    """The grid of the image itself, and others that blocks of stride 28 lie on, drawn without repetition.

    Parameters
    ----------
    count : int
        1..64.
    seed : int
        Of the draw.

    Raises
    ------
    InvalidInputError
        If the count is another.
    """
    step = BLOCK_SIDE - STRIDE
    places = list(product(range(0, BLOCK_SIDE, step), repeat=2))
    if not 1 <= count <= len(places):
        raise InvalidInputError(f"the number of grids lies in 1..{len(places)}, got {count}")
    drawn = np.random.default_rng(seed).choice(len(places) - 1, count - 1, replace=False)
    return (places[0], *(places[1 + place] for place in drawn))


def sent_and_reference(clean: Pixels, task: Task, seed: int) -> tuple[Pixels, Pixels]:
    """What the encoder is given of an image, and what the restored image is compared with.

    Raises
    ------
    InvalidInputError
        If the image is grey or smaller than a block, or the task gives other sizes than it should.
    """
    if clean.ndim != 3 or clean.shape[2] != 3 or clean.dtype != np.uint8:
        kind = "a grey image" if clean.ndim == 2 else f"{clean.dtype} of shape {clean.shape}"
        raise InvalidInputError(f"blocks are measured in RGB images, uint8 of shape (height, width, 3); got {kind}")
    side = BLOCK_SIDE * task.scale
    if min(clean.shape[:2]) < side:
        size = f"{clean.shape[1]}x{clean.shape[0]}"
        raise InvalidInputError(f"blocks of {task.name} have {side}x{side} pixels; the image is smaller: {size}")
    reference = task.reference(clean)
    _check_pixels(reference, tuple(length // task.scale * task.scale for length in clean.shape[:2]), task, "reference")
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
    """The file that `optcodec.encode` makes of the same."""
    if encoder == "jpeg":
        return source.encoded(annex_k_tables(quality))
    return rdo_encoded(source, Rdo(), Wanted(quality, None, None, None, None))


def _restored(data: bytes, task: Task, sent: Pixels, reference: Pixels) -> tuple[Floats, Floats]:
    """Errors before and after, of the blocks of one image."""
    before = block_errors(decoded_pixels(data), sent, BLOCK_SIDE)
    restored = task.restored(data)
    _check_pixels(restored, reference.shape[:2], task, "restored image")
    return before, block_errors(restored, reference, BLOCK_SIDE * task.scale)


def _restored_alone(data: bytes, task: Task, sent: Pixels, reference: Pixels) -> tuple[Floats, Floats]:
    """As `_restored`, of each block by itself."""
    image = read_jpeg(data, max_pixels=None)
    rows, columns = block_grid(image.width, image.height)
    before, after = np.empty((rows, columns)), np.empty((rows, columns))
    for row, column in product(range(rows), range(columns)):
        place, large = (
            (slice(row * side, (row + 1) * side), slice(column * side, (column + 1) * side))
            for side in (BLOCK_SIDE, BLOCK_SIDE * task.scale)
        )
        errors = _restored(write_jpeg(_block_of(image, row, column)), task, sent[place], reference[large])
        before[row, column], after[row, column] = (each.item() for each in errors)
    return before, after


def _block_of(image: CoefficientImage, row: int, column: int) -> CoefficientImage:
    """The coefficients of 32x32 pixels, or of what the border leaves of them, as an image."""
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
