"""Estimate the rate-distortion curve of each 32x32 block, and turn qualities of blocks into weights for the trellis.

A trellis minimizes weight * error + price * bits. In each block it stops where the slope ``-dD/dR`` equals the price
divided by the block's weight. Hence a block reaches the slope that it has at a chosen quality if its weight is 1 over
that slope; see Ortega and Ramchandran, "Rate-distortion methods for image and video compression", IEEE Signal
Processing Magazine 15(6), 1998, on constant slopes.

Errors are computed for rounding to nearest. Bits are estimated: a nonzero AC index ``a`` takes
``p + s log2(1 + |a|)`` bits, and each 8x8 block takes ``b + e log2(1 + |d|)`` more, where ``d`` is the difference of
its DC index to that of the block on the left. The logarithms are interpolated linearly between powers of 2. The four
prices are fitted, by least squares, to the bits of files with optimal Huffman tables: 12 images of BSDS500, 4:2:0 and
4:4:4, qualities 15..95.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optcodec.blocks.allocate import Hulls
from optcodec.blocks.curves import BLOCK_SIDE, QUALITIES, block_grid, checked_qualities
from optcodec.errors import InvalidInputError
from optcodec.jpeg.image import DctComponent, DctImage
from optcodec.jpeg.layout import in_parallel, thread_count
from optcodec.jpeg.quantize import table_indices
from optcodec.jpeg.tables import QuantTable, annex_k_tables
from optcodec.kernels import load
from optcodec.trellis.criterion import Criterion
from optcodec.trellis.field import BLOCK, QualityField

__all__ = ["EstimatedCurves", "estimated_curves", "weights_from_qualities"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
TablesOf = Callable[[int], Sequence[QuantTable]]

# The prices p, s, b and e in bits: see above.
_PRICES = np.array([[3.10, 1.34, 3.74, 1.65], [2.45, 1.87, 2.10, 1.95]])  # luminance, chrominance
_LANES = 16  # qualities that the kernel computes at once
_WITHIN = BLOCK_SIDE // BLOCK  # 8x8 blocks along a side of a 32x32 block
_LIMIT = 64.0  # largest ratio of a weight to the geometric mean over the image, or of the mean to a weight
_ROWS_PER_PART = 4  # rows of blocks that a thread takes at a time


@dataclass(frozen=True, eq=False)
class EstimatedCurves:
    """Estimated rate-distortion curves of the blocks of an image.

    Parameters
    ----------
    qualities : ndarray of int64, shape (Q,)
        JPEG quality factors, rising.
    bits : ndarray of float64, shape (rows, columns, Q)
        Estimated bits of all components of a block.
    errors : ndarray of float64, shape (rows, columns, Q)
        Squared errors of the block's coefficients, weighted as in `Criterion.per_coefficient` and `Criterion.scales`.
    """

    qualities: Integers
    bits: Floats
    errors: Floats

    def slopes(self, qualities: npt.ArrayLike) -> Floats:
        """Slope -dD/dR of each block at its quality: the error saved per bit.

        The slopes are those of the lower convex hull of the block's curve, so they never rise with the bits. Each side
        of the hull has its slope at its middle. Between the middles the logarithm of the slope is linear in bits, which
        is exact if errors fall exponentially with bits; beyond the outermost middles the slope is constant.

        Parameters
        ----------
        qualities : array_like of int, shape (rows, columns)
            Bits at other qualities than those of the curves are interpolated linearly.

        Returns
        -------
        ndarray of float64, shape (rows, columns)
            NaN for blocks whose error no quality lowers for more bits.
        """
        by_block = np.asarray(qualities, np.float64).ravel()
        bits, errors = (values.reshape(-1, len(self.qualities)) for values in (self.bits, self.errors))
        hulls = Hulls.of(bits, errors)
        cost = np.take_along_axis(bits, hulls.vertices, axis=1)
        middles = (cost[:, 1:] + cost[:, :-1]) / 2
        at = _bits_at(self.qualities, by_block, bits)
        log_slopes = _interpolated(middles, np.log(hulls.saved / hulls.costs), hulls.counts, at)
        slopes: Floats = np.where(hulls.counts > 0, np.exp(log_slopes), np.nan).reshape(self.bits.shape[:2])
        return slopes


def _bits_at(qualities: Integers, by_block: Floats, bits: Floats) -> Floats:
    """Bits (blocks,) of each block at its quality, interpolated linearly between the bits (blocks, Q) of the curves."""
    upper = np.clip(np.searchsorted(qualities, by_block), 1, len(qualities) - 1)
    part = np.clip((by_block - qualities[upper - 1]) / (qualities[upper] - qualities[upper - 1]), 0, 1)
    blocks = np.arange(len(bits))
    interpolated: Floats = (1 - part) * bits[blocks, upper - 1] + part * bits[blocks, upper]
    return interpolated


def _interpolated(x: Floats, y: Floats, counts: Integers, at: Floats) -> Floats:
    """Value of the function of each row at ``at[row]``: linear between its first `counts` points, constant beyond."""
    rows = np.arange(len(x))
    right = ((x <= at[:, None]) & (np.arange(x.shape[1]) < counts[:, None])).sum(axis=1)
    lower, upper = np.maximum(right - 1, 0), np.minimum(right, np.maximum(counts - 1, 0))
    width = np.where(upper > lower, x[rows, upper] - x[rows, lower], 1.0)
    part = np.where(upper > lower, at - x[rows, lower], 0.0) / width
    values: Floats = y[rows, lower] + part * (y[rows, upper] - y[rows, lower])
    return values


def estimated_curves(
    image: DctImage,
    criterion: Criterion,
    qualities: npt.ArrayLike = QUALITIES,
    *,
    tables: TablesOf = annex_k_tables,
    threads: int | None = None,
) -> EstimatedCurves:
    """Estimate bits and errors of each 32x32 block of an image at some qualities.

    Parameters
    ----------
    image : DctImage
        Coefficients, with sampling factors that are powers of 2.
    criterion : Criterion
        Weights of errors.
    qualities : array_like of int, shape (Q,)
        Rising, 1..100, at least two.
    tables : callable
        Takes a quality, and returns quantization tables for `optcodec.jpeg.quantize.quantize`.
    threads : int, optional
        Largest number of threads; all processors by default. The result is the same.

    Raises
    ------
    InvalidInputError
        If the qualities or the sampling factors are not as described.
    """
    checked = checked_qualities(qualities)
    tables_by_quality = [tables(int(quality)) for quality in checked]
    rows, columns = block_grid(image.width, image.height)
    bits, errors = np.zeros((2, rows, columns, len(checked)))
    weights, scales = criterion.per_coefficient(image), criterion.scales(image)
    count = len(image.components)
    for index, part in enumerate(image.components):
        by_quality = [
            quality_tables[table_indices(count, len(quality_tables))[index]] for quality_tables in tables_by_quality
        ]
        steps = np.array([table.steps.ravel() for table in by_quality], np.float32)
        constants = scales[index], weights[index].astype(np.float32), _PRICES[min(index, 1)]
        _add(part, _blocks_within(image, part), steps, constants, bits, errors, thread_count(threads))
    return EstimatedCurves(checked, bits, errors)


def _blocks_within(image: DctImage, part: DctComponent) -> tuple[int, int]:
    """Numbers of rows and columns of a component's blocks in 32x32 pixels."""
    counts = []
    for name in ("v", "h"):
        factor, largest = getattr(part, name), max(getattr(component, name) for component in image.components)
        if _WITHIN * factor % largest:
            raise InvalidInputError(f"sampling factors are 1, 2 or 4 for 32x32 blocks, got {factor} of {largest}")
        counts.append(_WITHIN * factor // largest)
    return counts[0], counts[1]


def _add(
    part: DctComponent,
    within: tuple[int, int],
    steps: npt.NDArray[np.float32],
    constants: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], Floats],
    bits: Floats,
    errors: Floats,
    threads: int,
) -> None:
    """Add the bits and errors of a component to those of the blocks (rows, columns, Q); threads share the rows."""
    scales, weights, prices = constants
    count = len(steps)
    dc = np.zeros(-(-count // _LANES) * _LANES, np.float32)
    dc[:count] = 1 / steps[:, 0]
    blocks = part.coefficients.reshape(-1, 64)
    edges = [*range(0, len(bits), _ROWS_PER_PART), len(bits)]

    def work(index: int) -> None:
        geometry = *part.coefficients.shape[:2], *within, edges[index], edges[index + 1]
        space = (
            np.empty((count, 2, _LANES), np.float32),
            np.empty((count, _LANES), np.int32),
            np.empty(len(dc), np.int32),
        )
        known = 1 / steps, steps, dc, weights, prices, np.zeros(1, np.float32)
        load("blockcurves").add_component(blocks, scales, *geometry, *known, *space, bits, errors)

    in_parallel(work, len(edges) - 1, threads)


def weights_from_qualities(
    image: DctImage,
    criterion: Criterion,
    qualities_by_block: npt.ArrayLike,
    *,
    tables: TablesOf = annex_k_tables,
    threads: int | None = None,
) -> QualityField:
    """Weights with which a trellis gives each 32x32 block the slope that it has at its quality.

    Parameters
    ----------
    image : DctImage
        Coefficients.
    criterion : Criterion
        Weights of errors that are the same for all blocks.
    qualities_by_block : array_like of int, shape (ceil(height / 32), ceil(width / 32))
        1..100; below 15 and above 95, the slopes at 15 and 95 are used.
    tables, threads
        See `estimated_curves`.

    Returns
    -------
    QualityField
        1 divided by the slope, clipped to 1/64 and 64 times the geometric mean over the blocks. Blocks without a slope
        have the mean.

    Raises
    ------
    InvalidInputError
        If the qualities are not as described.
    """
    qualities, expected = np.asarray(qualities_by_block), block_grid(image.width, image.height)
    if qualities.shape != expected or qualities.dtype.kind not in "iu":
        size = f"{image.width}x{image.height}"
        wrong = f"{qualities.dtype} of shape {qualities.shape}"
        raise InvalidInputError(f"qualities of the blocks of {size} pixels are whole, of shape {expected}, got {wrong}")
    if qualities.min() < 1 or qualities.max() > 100:
        raise InvalidInputError(f"qualities of blocks lie in 1..100, got {qualities.min()}..{qualities.max()}")
    curves = estimated_curves(image, criterion, tables=tables, threads=threads)
    logarithms = -np.log(curves.slopes(qualities))
    defined = np.isfinite(logarithms)
    mean = logarithms[defined].mean() if defined.any() else 0.0
    ratios = np.where(defined, np.clip(logarithms - mean, -np.log(_LIMIT), np.log(_LIMIT)), 0.0)
    return QualityField.from_squares(image.width, image.height, np.exp(ratios), BLOCK_SIDE)
