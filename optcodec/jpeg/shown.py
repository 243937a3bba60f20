"""What decoders show of indices: samples and pixels, as libjpeg-turbo makes them with its accurate integer DCT.

The arithmetic has 32 bits, where some decoders have 16: of indices that no encoder makes of pixels, whose samples would
lie far beyond 0..255, they show others.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from optcodec.jpeg.image import CoefficientImage, Component
from optcodec.jpeg.layout import in_parallel, thread_count
from optcodec.jpeg.scratch import scratch
from optcodec.jpeg.tables import QuantTable
from optcodec.kernels import load

__all__ = ["MARGIN", "shown_pixels", "shown_samples"]

MARGIN = 16  # samples before each row and, at least, behind it; see `optcodec.kernels.shown`

Samples = npt.NDArray[np.uint8]

_ROWS_OF_BLOCKS = 8  # at a time, with several threads
_BLOCKS_PER_THREAD = 2048  # below this, starting a thread costs more than it saves


def shown_samples(part: Component, table: QuantTable, width: int, workers: int = 1) -> Samples:
    """Samples of a component.

    Parameters
    ----------
    part : Component
        Its indices.
    table : QuantTable
        Their steps.
    width : int
        Samples in a row, without those that only fill up blocks.
    workers : int
        Number of threads.

    Returns
    -------
    ndarray of uint8, shape (8 * rows of blocks, pitch)
        In each row `MARGIN` samples, of which the last one repeats the first sample, then the samples, then others.
    """
    rows, columns = part.blocks.shape[:2]
    pitch = 16 * -(-columns // 2) + 2 * MARGIN
    samples = scratch(8 * rows * pitch).reshape(8 * rows, pitch)
    steps, parts = table.steps.astype(np.int32).ravel(), _parts(rows, workers)

    def work(index: int) -> None:
        first, last = parts[index]
        blocks = part.blocks[first:last].reshape(-1, 64)
        load("shown").decoded_samples(blocks, steps, columns, width, samples[8 * first : 8 * last])

    in_parallel(work, len(parts), workers)
    return samples


def shown_pixels(image: CoefficientImage, *, threads: int | None = 1) -> Samples:
    """Pixels of an image that was made of pixels.

    Parameters
    ----------
    image : CoefficientImage
        One component, or Y, Cb and Cr, of which chrominance may be subsampled by two in each direction.
    threads : int, optional
        At most so many; None for all processors. The result does not depend on it.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3) or (height, width)
        RGB, or grey.
    """
    height, width = image.height, image.width
    luminance, *others = image.components
    workers = max(1, min(thread_count(threads), luminance.blocks.size // 64 // _BLOCKS_PER_THREAD))

    def samples_of(part: Component, h: int) -> Samples:
        return shown_samples(part, image.tables[part.table], -(-width // h), workers)

    if not others:
        return samples_of(luminance, 1)[:height, MARGIN : MARGIN + width].copy()
    h, v = luminance.h // others[0].h, luminance.v // others[0].v
    planes = [samples_of(luminance, 1), *(samples_of(part, h) for part in others)]
    pixels, parts = np.empty((height, width, 3), np.uint8), _parts(-(-height // 8), workers)

    def work(index: int) -> None:
        first, last = (min(8 * row, height) for row in parts[index])
        space = np.empty((3, max(48, -(-width // 32) * 32)), np.uint8)
        load("shown").rgb_pixels(*planes, h, v, first, last, space, pixels)

    in_parallel(work, len(parts), workers)
    return pixels


def _parts(rows: int, workers: int) -> Sequence[tuple[int, int]]:
    """Rows of blocks that are computed together: all of them by one thread."""
    return list(pairwise([*range(0, rows, rows if workers == 1 else _ROWS_OF_BLOCKS), rows]))
