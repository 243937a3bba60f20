"""Coefficients of a received picture on its grid of blocks, and of its decoded pixels on the 63 other grids.

Large pictures are represented by regions spread evenly over them, so that time and memory do not grow with the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from restore.runtime.cells import DCT, Floats, fit_laplacian, forward_dct
from restore.runtime.decode import Received, Span
from restore.runtime.multiples import Doubles, Histograms, count_sizes

__all__ = ["Region", "on_other_grid", "on_present_grid", "promising_shifts", "sampled_regions"]

# Standard deviation, in units of coefficients, of what happens to luminance between two codings: rounding of red, green
# and blue, variance (0.299^2 + 0.587^2 + 0.114^2) / 12, and of luminance, 1 / 12, make 0.35; the rest is for decoders
# and encoders that calculate with integers.
ROUNDING = 0.4
_HEIGHT, _WIDTH = 64, 512  # of a region, in pixels
_MAX_REGIONS = 32  # one megapixel
_BLACK, _WHITE = 3.0, 252.0  # a sample of red, green or blue outside was probably clipped
_LEAST_UNCLIPPED = 1 / 8  # of the blocks; if fewer are free of clipping, all are used
_SEARCHED = 1024  # blocks that are transformed on every grid


Plane = TypeVar("Plane", Floats, npt.NDArray[np.bool_])


@dataclass(frozen=True)
class Region:
    """A part of the picture.

    Parameters
    ----------
    blocks : ndarray of int16, shape (rows, columns, 8, 8)
        Quantized luminance coefficients of the file.
    luminance : ndarray of float32, shape (8 rows, 8 columns)
        Decoded samples.
    unclipped : ndarray of bool, shape (8 rows, 8 columns)
        Whether the pixel is far enough from black and white in all of its colours.
    """

    blocks: npt.NDArray[np.int16]
    luminance: Floats
    unclipped: npt.NDArray[np.bool_]


def sampled_regions(received: Received) -> list[Region]:
    """Regions of whole blocks inside of the picture: all of it, or one megapixel spread evenly."""
    height, width = received.height // 8 * 8, received.width // 8 * 8
    corners = [(top, left) for top in range(0, height, _HEIGHT) for left in range(0, width, _WIDTH)]
    count = min(len(corners), _MAX_REGIONS)
    regions = []
    for index in range(count):
        top, left = corners[index * len(corners) // count]
        received.release(top)
        regions.append(_region(received, (top, min(top + _HEIGHT, height)), (left, min(left + _WIDTH, width))))
    return _without_clipping(regions)


def on_present_grid(regions: list[Region], steps: npt.NDArray[np.uint16]) -> Histograms:
    """Sizes of the coefficients in the file, in cells of its quantization steps; for DC, of their differences."""
    taken = [region.blocks[_whole_blocks(region.unclipped)] for region in regions]
    width, noise = steps.reshape(64).astype(np.float64), np.full(64, ROUNDING)
    noise[0] = np.sqrt(2 * ROUNDING**2 + width[0] ** 2 / 12)  # two values, and the rounding of the second one to a cell
    return Histograms(count_sizes(_sizes(np.concatenate(taken))), width, noise, chosen=True)


def on_other_grid(regions: list[Region], steps: npt.NDArray[np.uint16], shift: tuple[int, int]) -> Histograms:
    """Sizes of the coefficients that the decoded pixels have on a grid which starts at this row and column.

    The coding of the file is noise on these coefficients. Its variance in a block follows from those of the blocks
    below it, because each coefficient here is a linear function of theirs.
    """
    down, across = (_overlaps(distance) for distance in shift)
    variance = down @ _coding_variance(regions, steps) @ across.T + ROUNDING**2 + 1 / 12
    variance[0, 0] *= 2
    noise = np.sqrt(variance).reshape(64)
    width = np.maximum(noise, 1)
    taken = [
        forward_dct(_shifted(region.luminance, shift))[_whole_blocks(_shifted(region.unclipped, shift))]
        for region in regions
    ]
    cells = np.rint(_sizes(np.concatenate(taken)) / width).astype(np.int32)
    return Histograms(count_sizes(cells), width, noise, chosen=False)


def promising_shifts(regions: list[Region], count: int) -> list[tuple[int, int]]:
    """Row and column of other grids on which coefficients are small more often than on the grids beside them.

    Coefficients are sparse on a grid on which they were quantized. They are a little sparse on all grids that share
    their rows or their columns with the present one; such a grid is promising if it stands out in both directions.
    """
    blocks = sum(region.luminance.size for region in regions) // 64
    searched = [region.luminance for region in regions[:: max(1, blocks // _SEARCHED)]]
    density = np.empty((8, 8))
    for shift in np.ndindex(8, 8):
        values = np.concatenate([forward_dct(_shifted(plane, shift)).reshape(-1, 64) for plane in searched])
        density[shift] = np.log(np.abs(values[:, 1:]).mean(axis=0) + 0.5).mean() if len(values) else 0
    dips = [_against_neighbours(density, axis) for axis in (0, 1)]
    crossed = _against_neighbours(dips[0], 1)  # what is left when rows and columns explain what they can by themselves
    order = np.argsort(np.maximum(*dips) + crossed, axis=None, kind="stable")
    return [(int(index) // 8, int(index) % 8) for index in order if index][:count]


def _against_neighbours(density: Doubles, axis: int) -> Doubles:
    """The differences to the mean of both neighbours along an axis; the last grid is beside the first one."""
    return density - (np.roll(density, 1, axis) + np.roll(density, -1, axis)) / 2


def _region(received: Received, rows: Span, columns: Span) -> Region:
    luminance = received.luminance(rows, columns)
    darkest = brightest = luminance
    if not received.is_gray:
        blue, red = received.chrominance(rows, columns) - np.float32(128)
        green = np.float32(-0.344136286) * blue - np.float32(0.714136286) * red
        differences = np.stack([np.float32(1.402) * red, green, np.float32(1.772) * blue])
        darkest, brightest = luminance + differences.min(axis=0), luminance + differences.max(axis=0)
    unclipped = (darkest >= _BLACK) & (brightest <= _WHITE)
    return Region(received.blocks(0, rows, columns), luminance, unclipped)


def _without_clipping(regions: list[Region]) -> list[Region]:
    """The same regions; where hardly any block is free of clipping, all count as free of it."""
    whole = [_whole_blocks(region.unclipped) for region in regions]
    if sum(int(each.sum()) for each in whole) >= _LEAST_UNCLIPPED * sum(each.size for each in whole):
        return regions
    return [Region(region.blocks, region.luminance, np.ones_like(region.unclipped)) for region in regions]


def _shifted(plane: Plane, shift: tuple[int, int]) -> Plane:
    """The whole blocks of a grid that starts at this row and column."""
    height, width = ((size - start) // 8 * 8 for size, start in zip(plane.shape, shift, strict=True))
    return plane[shift[0] : shift[0] + height, shift[1] : shift[1] + width]


def _whole_blocks(pixels: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Whether all pixels of a block are true, shape (rows, columns)."""
    height, width = pixels.shape
    whole: npt.NDArray[np.bool_] = np.all(pixels.reshape(height // 8, 8, width // 8, 8), axis=(1, 3))
    return whole


def _coding_variance(regions: list[Region], steps: npt.NDArray[np.uint16]) -> Doubles:
    """Variance of the error that the file's quantization made, by frequency, shape (8, 8).

    Coefficients follow a Laplacian of rate r, as `fit_laplacian` finds it. The error is uniform in all cells but that
    of 0, where it is the coefficient itself: the variance of an exponential distribution that ends at q / 2 = h is
    2 / r^2 - h (h + 2 / r) exp(-r h) / (1 - exp(-r h)) about 0.
    """
    blocks = np.concatenate([region.blocks.reshape(1, -1, 8, 8) for region in regions], axis=1)
    step = steps.astype(np.float64)
    # within these limits the formula is exact to many digits, and both ends are as good as flat or empty cells
    reach = np.clip(fit_laplacian(blocks) / 2, 1e-3, 1e3)
    rest = np.exp(-reach)
    rate = 2 * reach / step
    within = 2 / rate**2 - step / 2 * (step / 2 + 2 / rate) * rest / (1 - rest)
    uniform = step**2 / 12
    variance: Doubles = rest * uniform + (1 - rest) * np.clip(within, 0, uniform)
    variance[0, 0] = uniform[0, 0]
    return variance


def _sizes(blocks: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Sizes of the coefficients of blocks, shape (blocks, 64); for DC, of the differences to the block before.

    Differences of multiples of a step are multiples of it too, and unlike DC itself they are mostly small.
    """
    values = blocks.reshape(-1, 64).astype(np.int32 if blocks.dtype == np.int16 else np.float64)
    values[1:, 0] = np.diff(values[:, 0])
    values[:1, 0] = 0
    sizes: npt.NDArray[Any] = np.abs(values)
    return sizes


def _overlaps(distance: int) -> Doubles:
    """Shares of the variances of 8 coefficients in those of a vector that starts this many samples later: (8, 8)."""
    ahead = DCT[:, : 8 - distance] @ DCT[:, distance:].T
    behind = DCT[:, 8 - distance :] @ DCT[:, :distance].T
    shares: Doubles = ahead**2 + behind**2
    return shares
