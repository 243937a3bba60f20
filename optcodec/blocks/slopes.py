"""The rate-distortion curve of each 32x32 block on its own, and the block weights that realise qualities.

A trellis that minimises weighted errors plus a price of bits goes, in each block, to where ``-dD/dR`` of its errors is
the price over the weight of the block. So a block comes to the slope that it has at a quality of its own if its weight
is 1 over this slope; see Ortega and Ramchandran, "Rate-distortion methods for image and video compression", IEEE Signal
Processing Magazine 15(6), 1998, on constant slopes.

Errors are those of rounding to nearest. Bits are estimated: an AC index ``a`` that is not 0 takes
``p + s log2(1 + |a|)`` of them, a block ``b + e log2(1 + |d|)`` more, where ``d`` is the difference of its DC index to
that of the block on the left. The logarithms are linear between powers of 2. The four prices are fitted, by least
squares, to the bits of files with optimal Huffman tables: 12 images of BSDS500, 4:2:0 and 4:4:4, qualities 15..95.
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

__all__ = ["OwnCurves", "own_curves", "weights_from_qualities"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
TablesOf = Callable[[int], Sequence[QuantTable]]

# Bits of an AC index that is not 0, of log2(1 + its magnitude), of a block, of log2(1 + its DC difference).
_PRICES = np.array([[3.10, 1.34, 3.74, 1.65], [2.45, 1.87, 2.10, 1.95]])  # luminance, chrominance
_LANES = 16  # of the kernel
_WITHIN = BLOCK_SIDE // BLOCK  # 8x8 pixels in a block, to each side
_LIMIT = 64.0  # of a weight, against the geometric mean of the image
_ROWS_PER_PART = 4  # rows of blocks that a thread takes at a time


@dataclass(frozen=True, eq=False)
class OwnCurves:
    """Bits and errors of the blocks of an image.

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
        """Errors saved for a bit, -dD/dR, of each block at a quality of its own.

        They are those of the lower convex hull of the block's curve, so that they never rise with its bits: each side
        of the hull has its slope at its middle; between the middles the logarithm of the slope is linear in bits (as it
        is where errors fall exponentially with bits), and it is constant beyond the outermost ones.

        Parameters
        ----------
        qualities : array_like of int, shape (rows, columns)
            Those between two qualities of the curves have bits between.

        Returns
        -------
        ndarray of float64, shape (rows, columns)
            NaN where no quality saves errors for more bits.
        """
        given = np.asarray(qualities, np.float64).ravel()
        bits, errors = (each.reshape(-1, len(self.qualities)) for each in (self.bits, self.errors))
        hulls = Hulls.of(bits, errors)
        cost = np.take_along_axis(bits, hulls.vertices, axis=1)
        middles = (cost[:, 1:] + cost[:, :-1]) / 2
        found = _interpolated(
            middles, np.log(hulls.saved / hulls.costs), hulls.counts, _at(self.qualities, given, bits)
        )
        slopes: Floats = np.where(hulls.counts > 0, np.exp(found), np.nan).reshape(self.bits.shape[:2])
        return slopes


def _at(qualities: Integers, given: Floats, bits: Floats) -> Floats:
    """Bits (blocks,) at one quality for each block, linear between those of the curves (blocks, Q)."""
    upper = np.clip(np.searchsorted(qualities, given), 1, len(qualities) - 1)
    part = np.clip((given - qualities[upper - 1]) / (qualities[upper] - qualities[upper - 1]), 0, 1)
    blocks = np.arange(len(bits))
    found: Floats = (1 - part) * bits[blocks, upper - 1] + part * bits[blocks, upper]
    return found


def _interpolated(x: Floats, y: Floats, counts: Integers, at: Floats) -> Floats:
    """Value of each row's own function at one place: linear between its first `counts` points, constant beyond."""
    rows = np.arange(len(x))
    right = ((x <= at[:, None]) & (np.arange(x.shape[1]) < counts[:, None])).sum(axis=1)
    lower, upper = np.maximum(right - 1, 0), np.minimum(right, np.maximum(counts - 1, 0))
    width = np.where(upper > lower, x[rows, upper] - x[rows, lower], 1.0)
    part = np.where(upper > lower, at - x[rows, lower], 0.0) / width
    found: Floats = y[rows, lower] + part * (y[rows, upper] - y[rows, lower])
    return found


def own_curves(
    image: DctImage,
    criterion: Criterion,
    qualities: npt.ArrayLike = QUALITIES,
    *,
    tables: TablesOf = annex_k_tables,
    threads: int | None = None,
) -> OwnCurves:
    """Bits and errors of each block of an image at some qualities.

    Parameters
    ----------
    image : DctImage
        Coefficients, with sampling factors that are powers of 2.
    criterion : Criterion
        What errors weigh.
    qualities : array_like of int, shape (Q,)
        Rising, 1..100, at least two.
    tables : callable
        Quantization tables of a quality, as `optcodec.jpeg.quantize.quantize` takes them.
    threads : int, optional
        At most so many; all processors by default. The result is the same.

    Raises
    ------
    InvalidInputError
        If qualities or sampling factors are not of this kind.
    """
    found = checked_qualities(qualities)
    by_quality = [tables(int(quality)) for quality in found]
    rows, columns = block_grid(image.width, image.height)
    bits, errors = np.zeros((2, rows, columns, len(found)))
    weights, scales = criterion.per_coefficient(image), criterion.scales(image)
    for index, part in enumerate(image.components):
        table = [each[table_indices(len(image.components), len(each))[index]] for each in by_quality]
        steps = np.array([each.steps.ravel() for each in table], np.float32)
        constants = scales[index], weights[index].astype(np.float32), _PRICES[min(index, 1)]
        _add(part, _blocks_within(image, part), steps, constants, bits, errors, thread_count(threads))
    return OwnCurves(found, bits, errors)


def _blocks_within(image: DctImage, part: DctComponent) -> tuple[int, int]:
    """Rows and columns of a component's blocks in 32x32 pixels."""
    found = []
    for name in ("v", "h"):
        own, most = getattr(part, name), max(getattr(each, name) for each in image.components)
        if _WITHIN * own % most:
            raise InvalidInputError(f"sampling factors are 1, 2 or 4 for 32x32 blocks, got {own} of {most}")
        found.append(_WITHIN * own // most)
    return found[0], found[1]


def _add(
    part: DctComponent,
    within: tuple[int, int],
    steps: npt.NDArray[np.float32],
    constants: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], Floats],
    bits: Floats,
    errors: Floats,
    threads: int,
) -> None:
    """Add a component's bits and errors to those (rows, columns, Q) of the blocks; threads share the rows."""
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
    """The field with which a trellis gives each 32x32 block the slope that it has at a quality of its own.

    Parameters
    ----------
    image : DctImage
        Coefficients.
    criterion : Criterion
        What errors weigh besides.
    qualities_by_block : array_like of int, shape (ceil(height / 32), ceil(width / 32))
        1..100; the slopes beyond 15 and 95 are those at 15 and 95.
    tables, threads
        See `own_curves`.

    Returns
    -------
    QualityField
        1 over the slope, within 1/64 and 64 times the geometric mean over the blocks. Blocks without a slope have the
        mean.

    Raises
    ------
    InvalidInputError
        If the qualities are not of this kind.
    """
    given, expected = np.asarray(qualities_by_block), block_grid(image.width, image.height)
    if given.shape != expected or given.dtype.kind not in "iu":
        size = f"{image.width}x{image.height}"
        found = f"{given.dtype} of shape {given.shape}"
        raise InvalidInputError(f"qualities of the blocks of {size} pixels are whole, of shape {expected}, got {found}")
    if given.min() < 1 or given.max() > 100:
        raise InvalidInputError(f"qualities of blocks lie in 1..100, got {given.min()}..{given.max()}")
    logarithms = -np.log(own_curves(image, criterion, tables=tables, threads=threads).slopes(given))
    defined = np.isfinite(logarithms)
    mean = logarithms[defined].mean() if defined.any() else 0.0
    ratios = np.where(defined, np.clip(logarithms - mean, -np.log(_LIMIT), np.log(_LIMIT)), 0.0)
    return QualityField.from_squares(image.width, image.height, np.exp(ratios), BLOCK_SIDE)
