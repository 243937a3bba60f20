"""Overshoot: what lies beyond white and black costs nothing, since decoders clip samples to 0..255.

Which samples may overshoot is decided by pixels, not by luminance. A pixel that is white has R = G = B = 255. A decoder
adds the same luminance to all three before it clips them, whatever chrominance it has: more of it moves none of the
three away from 255. Less of it moves no channel of a black pixel away from 0. So the range of a luminance sample has no
end in this direction. A pixel of which only one channel is clipped, such as a saturated red, has no such range: the
other channels would follow. Nor do samples of chrominance have one.

How far samples go is limited: to twice the distance of white and black from the middle, for which decoders have room,
and to what the indices of a baseline file can code. A block that exceeds this, with steps of 1 or 2, stays what it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from optcodec.cached import cached_property
from optcodec.jpeg.image import CoefficientImage, DctImage
from optcodec.jpeg.layout import in_parallel, thread_count, with_channels
from optcodec.jpeg.scratch import scratch, scratch_blocks
from optcodec.jpeg.tables import QuantTable
from optcodec.kernels import load

__all__ = ["Blocks", "Clipped", "Overshoot", "clipped_luminance"]

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Overshoot:
    """How coefficients of clipped blocks are chosen; see `optcodec.kernels.overshoot`.

    Parameters
    ----------
    height : float
        How far white is raised at first, in steps of the two lowest AC frequencies (their mean).
    threshold : float
        Below how many steps a coefficient is left out.
    turns : int
        How many times that is done.
    guarded : bool
        Whether a block keeps its own coefficients where others have a larger error after rounding.
    """

    height: float
    threshold: float
    turns: int
    guarded: bool

    def constants(self, table: QuantTable) -> Floats:
        """The numbers that the kernels read, for a quantization table; shape (388,)."""
        return _constants(self, table)


@lru_cache(maxsize=64)
def _constants(overshoot: Overshoot, table: QuantTable) -> Floats:
    steps = table.steps.astype(np.float32)
    thresholds = np.float32(overshoot.threshold) * steps
    thresholds[0, 0] = 0
    height = overshoot.height * float(steps[0, 1] + steps[1, 0]) / 2
    pairs = [np.concatenate([block.T, block.T], 1).ravel() for block in (thresholds, 1 / steps, steps)]
    numbers = height, overshoot.turns, overshoot.guarded, steps[0, 0]
    return np.concatenate([*pairs, np.array(numbers, np.float32)])


# Chosen on a page of grey text that is in no benchmark; BD-rates at equal PSNR. With a trellis: with a height of 1, 4
# turns save 17.2 %, 8 turns 19.4 % and 16 turns 21.2 %; with 8 turns, a height of 2 saves 19.8 %, one of 0.5 17.6 %;
# thresholds of 0.8 to 1.2 are alike. With nearest indices, a threshold of 0.7 in place of 0.5 loses 0.6 %, but files of
# the same quality have 3 % fewer bytes than without overshoot instead of 2 % more.
FOR_ROUNDING = Overshoot(2.0, 0.7, 6, guarded=True)
FOR_TRELLIS = Overshoot(2.0, 1.0, 12, guarded=False)
_BLOCKS_PER_THREAD = 4096


@dataclass(frozen=True, eq=False)
class Blocks:
    """Coefficients of some blocks of luminance, in place of those of an image.

    Parameters
    ----------
    numbers : ndarray of int64, shape (count,)
        Of these blocks in raster order, ascending.
    coefficients : ndarray of float32, shape (count, 64)
        Row-major.
    """

    numbers: npt.NDArray[np.int64]
    coefficients: Floats

    def placed_in(self, image: DctImage) -> DctImage:
        """The image with these blocks."""
        luminance = image.components[0]
        coefficients = scratch_blocks(*luminance.coefficients.shape[:2])
        coefficients[:] = luminance.coefficients
        coefficients.reshape(-1, 64)[self.numbers] = self.coefficients
        coefficients.flags.writeable = False
        return replace(image, components=(replace(luminance, coefficients=coefficients), *image.components[1:]))

    def of_rows(self, rows: npt.NDArray[np.int64], columns: int) -> Blocks:
        """Those in some rows of blocks of an image with so many columns, numbered in an image of these rows alone."""
        first, last = (np.searchsorted(self.numbers, columns * edge) for edge in (rows, rows + 1))
        parts = [np.arange(start, stop) for start, stop in zip(first, last, strict=True)]
        inside = np.concatenate(parts) if parts else np.empty(0, np.int64)
        moved = np.repeat(columns * (np.arange(len(rows)) - rows), last - first)
        return Blocks(self.numbers[inside] + moved, self.coefficients[inside])


@dataclass(frozen=True, eq=False)
class Clipped:
    """Which samples of luminance are clipped.

    Parameters
    ----------
    masks : ndarray of uint64, shape (blocks, 2)
        Of each block in raster order, the bits of its white and of its black samples: bit 8 y + x for sample x of row
        y.
    threads : int, optional
        At most so many; all processors by default. The results are the same.
    """

    masks: npt.NDArray[np.uint64]
    threads: int | None = None

    @cached_property
    def blocks(self) -> npt.NDArray[np.int64]:
        """Numbers of the blocks with such a sample, and which of these each one is; shape (count, 2).

        Those that are not all white or all black are first: they take longer, and are computed in pairs.
        """
        full = np.uint64(0xFFFFFFFFFFFFFFFF)
        white, black = self.masks.T
        whole = (white == full) | (black == full)
        numbers = np.flatnonzero(white | black)
        order = np.argsort(whole[numbers], kind="stable")
        return np.stack([numbers[order], order], 1)

    def overshot(self, image: DctImage, table: QuantTable, overshoot: Overshoot) -> Blocks:
        """Blocks with which an image is shown alike and takes less, if it is coded with a table for luminance."""
        coefficients, constants = image.components[0].coefficients.reshape(-1, 64), overshoot.constants(table)

        def work(blocks: npt.NDArray[np.int64], result: Floats) -> None:
            space = np.empty(528, np.float32)
            load("overshoot").overshot_blocks(coefficients, self.masks, blocks, constants, space, result)

        return self._computed(work)

    def nearest(self, image: DctImage, coded: CoefficientImage) -> Blocks:
        """Blocks with which an image is shown alike, and is nearest to what it was coded to.

        Their difference is the error that counts: where a sample is clipped, only that from one side.
        """
        table, indices = coded.tables[coded.components[0].table], coded.components[0].blocks.reshape(-1, 64)
        coefficients, constants = image.components[0].coefficients.reshape(-1, 64), FOR_TRELLIS.constants(table)
        steps = table.steps.astype(np.float32).ravel()

        def work(blocks: npt.NDArray[np.int64], result: Floats) -> None:
            given = coefficients, indices, steps, self.masks, blocks, constants
            load("overshoot").decoded_blocks(*given, np.empty(528, np.float32), result)

        return self._computed(work)

    def _computed(self, work: Callable[[npt.NDArray[np.int64], Floats], None]) -> Blocks:
        """The blocks that are clipped, with coefficients that are computed; threads share them."""
        result = scratch(256 * len(self.blocks)).view(np.float32).reshape(-1, 64)
        workers = max(1, min(thread_count(self.threads), len(self.blocks) // _BLOCKS_PER_THREAD))
        parts = np.array_split(self.blocks, workers)
        in_parallel(lambda part: work(parts[part], result), workers, workers)
        return Blocks(np.sort(self.blocks[:, 0]), result)


def clipped_luminance(pixels: npt.NDArray[np.uint8], *, threads: int | None = None) -> Clipped | None:
    """Find the samples of luminance that a decoder clips.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3) or (height, width)
        RGB or grey.
    threads : int, optional
        At most so many; all processors by default. The result is the same.

    Returns
    -------
    Clipped or None
        None if no pixel is white or black.
    """
    pixels = with_channels(pixels)
    rows, columns = (-(-side // 8) for side in pixels.shape[:2])
    masks = np.empty((rows * columns, 2), np.uint64)
    find, workers = load("clipped").clipped_samples, min(rows, len(masks) // _BLOCKS_PER_THREAD)
    if workers <= 1:  # as for all small pictures, for which every microsecond counts
        count = find(pixels, 0, rows, masks)
    else:
        workers = min(workers, thread_count(threads))
        edges = [rows * part // workers for part in range(workers + 1)]
        count = sum(in_parallel(lambda k: find(pixels, edges[k], edges[k + 1], masks), workers, workers))
    return Clipped(masks, threads) if count else None
