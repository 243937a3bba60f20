"""Chrominance for the way that decoders upsample it, and luminance that makes up for what chrominance loses.

Decoders interpolate chrominance linearly (libjpeg's "fancy upsampling", jdsample.c: 3/4 of the nearer sample and 1/4 of
the farther one, in each direction). Two things follow for the squared error of RGB:

- The samples c that come nearest to the chrominance C of all pixels solve ``U'U c = U'C``, where U is that
  interpolation; averages of pixels, which encoders mostly take, do not.
- An error (b, r) of Cb and Cr at a pixel shifts R, G and B by 1.402 r, -0.344 b - 0.714 r and 1.772 b; the least
  error is left if Y moves by minus the mean of the three. What chrominance lost, in downsampling and in quantization,
  is known before luminance is quantized.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from optcodec.jpeg.image import CoefficientImage, DctComponent, DctImage, blocks_shape, sampling_factors
from optcodec.jpeg.layout import in_parallel, thread_count
from optcodec.jpeg.scratch import scratch, scratch_blocks
from optcodec.jpeg.shown import shown_samples
from optcodec.kernels import load

__all__ = ["KERNELS", "Planes"]

KERNELS = "downsample", "compensate", "shown"

Floats = npt.NDArray[np.float32]
Samples = npt.NDArray[np.uint8]

_ROWS_OF_BLOCKS = 8  # at a time, where each of them takes memory
_STRIP = 512  # columns at a time, multiples of 16, where a column is computed as a whole
_BLOCKS_PER_THREAD = 2048  # below this, starting a thread costs more than it saves


class Planes:
    """Y, Cb and Cr of an RGB image in full resolution, not rounded.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)
        RGB.
    subsampling : str
        Name of the sampling to code with.
    threads : int, optional
        At most so many; all processors by default. The results are the same.
    """

    def __init__(self, pixels: npt.NDArray[np.uint8], subsampling: str, threads: int | None = None) -> None:
        self._pixels = np.ascontiguousarray(pixels)
        self._height, self._width = pixels.shape[:2]
        self._h, self._v = sampling_factors(subsampling)
        blocks = -(-self._height // 8) * -(-self._width // 8)
        self._workers = max(1, min(thread_count(threads), blocks // _BLOCKS_PER_THREAD))
        self._pitch = _up(self._width, 16)

    def image(self) -> DctImage:
        """Coefficients, chrominance downsampled."""
        return DctImage(self._width, self._height, (self._luminance(), *self._chrominance()))

    def refined(self, image: DctImage, coded: CoefficientImage) -> DctImage:
        """The image with luminance that makes up for the errors of chrominance in what it was coded to."""
        width = -(-self._width // self._h)
        parts = [(part, coded.tables[part.table]) for part in coded.components[1:]]
        shown = [shown_samples(part, table, width, self._workers) for part, table in parts]
        return DctImage(image.width, image.height, (self._luminance(shown), *image.components[1:]))

    def _luminance(self, shown: Sequence[Samples] = ()) -> DctComponent:
        """Luminance that goes with decoded samples of chrominance; if there are none, that of the image."""
        rows, columns = -(-self._height // 8), -(-self._width // 8)
        blocks = scratch_blocks(rows, columns)
        blue, red = shown or [np.empty((0, 0), np.uint8)] * 2
        parts = self._parts(rows)

        def work(index: int) -> None:
            bytes_space = np.empty((3, max(48, _up(self._width, 32))), np.uint8)
            place = self._h, self._v, *parts[index], bytes_space, np.empty(8 * self._pitch + 64, np.float32)
            load("compensate").luminance_coefficients(self._pixels, blue, red, *place, blocks.reshape(-1, 64))

        in_parallel(work, len(parts), self._workers)
        return _component(1, (self._h, self._v), blocks)

    def _chrominance(self) -> list[DctComponent]:
        """Cb and Cr, of samples whose interpolation is nearest to the image, within the range of samples."""
        rows, columns = blocks_shape(self._width, self._height, 1, 1, self._h, self._v)
        both = scratch_blocks(rows, columns), scratch_blocks(rows, columns)
        factors = _factors(self._width if self._h == 2 else 0)
        halved = self._halved_rows(8 * rows) if self._v == 2 else None
        parts = self._parts(rows)

        def work(index: int) -> None:
            first, last = parts[index]
            lines = self._lines(first, last) if halved is None else halved[8 * first : 8 * last]
            space = np.empty(144 + 24 * self._pitch, np.float32)
            targets = (blocks[first:last].reshape(-1, 64) for blocks in both)
            load("downsample").chrominance_coefficients(lines, self._width, self._h, factors, space, *targets)

        in_parallel(work, len(parts), self._workers)
        return [_component(identifier, (1, 1), blocks) for identifier, blocks in zip((2, 3), both, strict=True)]

    def _lines(self, first: int, last: int) -> Floats:
        """Rows of Cb and Cr of some rows of blocks, where rows are not subsampled."""
        pixels = self._pixels[8 * first : 8 * last]
        lines = np.empty((8 * (last - first), 2 * self._pitch), np.float32)
        self._convert(pixels, (0, self._pitch), _factors(0), lines[: len(pixels)])
        return self._filled(lines, len(pixels))

    def _halved_rows(self, count: int) -> Floats:
        """Half as many rows of Cb and Cr, filled up to a number of rows."""
        lines = scratch(8 * count * self._pitch).view(np.float32).reshape(count, 2 * self._pitch)
        factors, inside = _factors(self._height), (self._height + 1) // 2
        strips = list(pairwise([*range(0, self._pitch, _STRIP), self._pitch]))
        in_parallel(
            lambda index: self._convert(self._pixels, strips[index], factors, lines[:inside]),
            len(strips),
            self._workers,
        )
        return self._filled(lines, inside)

    def _convert(self, pixels: Samples, columns: tuple[int, int], factors: Floats, lines: Floats) -> None:
        """Some columns of rows of Cb and Cr."""
        space = np.empty(10 * (columns[1] - columns[0]), np.float32), np.empty(48, np.uint8)
        load("downsample").chrominance_lines(pixels, self._v, *columns, factors, *space, lines)

    def _filled(self, lines: Floats, inside: int) -> Floats:
        """Rows of samples, of which the last ones are repeated so as to fill up blocks."""
        if self._h == 1:
            planes = lines.reshape(-1, 2, self._pitch)
            planes[:inside, :, self._width :] = planes[:inside, :, self._width - 1 : self._width]
        lines[inside:] = lines[inside - 1]
        return lines

    def _parts(self, rows: int) -> list[tuple[int, int]]:
        """Rows of blocks that are computed together."""
        return list(pairwise([*range(0, rows, _ROWS_OF_BLOCKS), rows]))


def _up(length: int, multiple: int) -> int:
    return -(-length // multiple) * multiple


def _factors(lines: int) -> Floats:
    """Equations for so many interpolated lines, factored."""
    factors = np.empty((2, (lines + 1) // 2 + 1), np.float32)
    load("downsample").factor_normal_equations(lines, factors)
    return factors


def _component(identifier: int, factors: tuple[int, int], blocks: Floats) -> DctComponent:
    blocks.flags.writeable = False
    return DctComponent(identifier, *factors, blocks)
