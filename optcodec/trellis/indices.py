"""Rate-distortion optimized quantization: indices for the least weighted error plus level times bits.

    minimise  sum_b w_b sum_i s_i (C_bi - q_i k_bi)^2 + level * bits(k)

w_b and s_i come from anywhere (`optcodec.trellis.criterion`); the bits are those of the Huffman tables that the file
will have, found in turns with the indices. AC and DC are both optimal for given tables: see `optcodec.kernels.trellis`
and `optcodec.kernels.dctrellis`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from optcodec.jpeg.image import CoefficientImage, DctComponent, DctImage
from optcodec.jpeg.layout import in_parallel, thread_count
from optcodec.jpeg.overshoot import FOR_TRELLIS, Blocks, Clipped
from optcodec.jpeg.quantize import quantize
from optcodec.jpeg.scratch import scratch
from optcodec.jpeg.tables import QuantTable
from optcodec.kernels import load
from optcodec.kernels.ratelayout import UNIT, WORK
from optcodec.trellis.criterion import Criterion
from optcodec.trellis.rates import Rates, progressive_rates, sequential_rates

__all__ = ["SAMPLE_BLOCKS", "ScanForm", "choose_indices", "optimized", "sampled"]

Floats = npt.NDArray[np.float64]

# Turns of tables and indices, on some rows, before the last on the whole image: the bits fall no further in a second
# (benchmarks/rates/ablation.py).
_TURNS = 1
SAMPLE_BLOCKS = 4096
_BLOCKS_PER_THREAD, _PARTS_PER_THREAD = 2048, 6
# Indices that are coded at most, over which nothing is rounded: AC has 10 bits (T.81, Table F.2); DC one to spare.
_LARGEST = np.array([2047.0, *63 * [1023.0]], np.float32)
_NO_BLOCKS = Blocks(np.empty(0, np.int64), np.empty((0, 64), np.float32))


@dataclass(frozen=True)
class ScanForm:
    """Which scans a file will have: what the bits of its indices depend on.

    Parameters
    ----------
    progressive : bool
        Whether the bits are those of a progressive file.
    apart : bool
        Whether luminance has scans of its own, as it always has in a progressive file.
    threads : int, optional
        At most so many; all processors by default. The results are the same.
    """

    progressive: bool = False
    apart: bool = False
    threads: int | None = None

    @property
    def alone(self) -> bool:
        """Whether luminance has scans of its own."""
        return self.apart or self.progressive

    def rates(self, coded: CoefficientImage) -> list[Rates]:
        """Bits of the indices of each component, with Huffman tables that are optimal for the indices of an image."""
        if self.progressive:
            return progressive_rates(coded)
        return sequential_rates(coded, apart=self.apart, threads=self.threads)


def optimized(
    image: DctImage,
    tables: Sequence[QuantTable],
    criterion: Criterion,
    levels: Sequence[float],
    form: ScanForm = ScanForm(),
    clipped: Clipped | None = None,
) -> CoefficientImage:
    """Quantize an image with the indices that make error plus level times bits least.

    Parameters
    ----------
    image : DctImage
        Coefficients.
    tables : sequence of QuantTable
        Luminance; luminance and chrominance; or one a component.
    criterion : Criterion
        Weights of the error.
    levels : sequence of float
        Error that a bit is worth in luminance, and in chrominance; above 0.
    form : ScanForm
        Which scans the file will have.
    clipped : Clipped, optional
        Samples of luminance whose errors count from one side only. Blocks with such samples are coded twice: with
        samples beyond white and black that make them cheap, and then with the nearest ones to what these were coded to.
        A small image is coded as a whole the second time, so that its size follows the level more evenly.
    """
    overshot = None if clipped is None else clipped.overshot(image, tables[0], FOR_TRELLIS)
    total = sum(part.coefficients.size // 64 for part in image.components)
    sample, thinned = sampled(image, criterion, min(SAMPLE_BLOCKS, total // 2), overshot)
    coded = quantize(sample, tables)
    for _ in range(_TURNS):
        coded = choose_indices(sample, coded, thinned, levels, form.rates(coded), form)
    coded = choose_indices(image, coded, criterion, levels, form.rates(coded), form, overshot)
    if clipped is None:
        return coded
    nearest = clipped.nearest(image, coded)
    if total <= SAMPLE_BLOCKS:
        return choose_indices(image, coded, criterion, levels, form.rates(coded), form, nearest)
    return _chosen_again(image, nearest, coded, criterion, levels, form)


def sampled(
    image: DctImage, criterion: Criterion, blocks: int, overshot: Blocks | None = None
) -> tuple[DctImage, Criterion]:
    """Some MCU rows of an image, evenly spread, with about so many blocks; all of a smaller one.

    Blocks of luminance may be given to take the place of others.
    """
    heights = [part.v for part in image.components]
    total = sum(part.coefficients.size // 64 for part in image.components)
    whole = image.height // (8 * max(heights))
    every = min(total // max(blocks, 1), whole // 4)
    if every < 2:
        return image if overshot is None else overshot.placed_in(image), criterion
    chosen = np.arange(every // 2, whole, every)
    rows = [(chosen[:, None] * v + np.arange(v)).ravel() for v in heights]
    parts = tuple(_part(part, places) for part, places in zip(image.components, rows, strict=True))
    fields = criterion.fields and [field[places] for field, places in zip(criterion.fields, rows, strict=True)]
    sample = DctImage(image.width, 8 * max(heights) * len(chosen), parts)
    if overshot is not None:
        sample = overshot.of_rows(rows[0], parts[0].coefficients.shape[1]).placed_in(sample)
    return sample, replace(criterion, fields=fields)


def _part(part: DctComponent, rows: npt.NDArray[np.int64]) -> DctComponent:
    coefficients = part.coefficients[rows]
    coefficients.flags.writeable = False
    return replace(part, coefficients=coefficients)


def choose_indices(
    image: DctImage,
    like: CoefficientImage,
    criterion: Criterion,
    levels: Sequence[float],
    rates: Sequence[Rates],
    form: ScanForm = ScanForm(),
    overshot: Blocks | None = None,
) -> CoefficientImage:
    """Best indices where the bits of all symbols are known.

    Parameters
    ----------
    image : DctImage
        Coefficients.
    like : CoefficientImage
        Where tables and metadata are taken from.
    criterion, levels, form
        See `optimized`.
    rates : sequence of Rates
        One a component.
    overshot : Blocks, optional
        Blocks of luminance that take the place of those of the image.
    """
    components = tuple(
        replace(old, blocks=choice.indices(overshot if index == 0 else None))
        for index, (choice, old) in enumerate(
            zip(_choices(image, like, criterion, levels, rates, form), like.components, strict=True)
        )
    )
    return replace(like, width=image.width, height=image.height, components=components)


def _chosen_again(
    image: DctImage,
    nearest: Blocks,
    coded: CoefficientImage,
    criterion: Criterion,
    levels: Sequence[float],
    form: ScanForm,
) -> CoefficientImage:
    """Best indices of some blocks of luminance, with the bits of the symbols of all of them.

    The indices are written over those of the coded image, which must not be used any more: that saves their memory.
    """
    rates, (luminance, *others) = form.rates(coded), coded.components
    choice = _choices(image, coded, criterion, levels, rates, form)[0]
    return replace(coded, components=(replace(luminance, blocks=choice.indices(nearest, luminance.blocks)), *others))


def _choices(
    image: DctImage,
    like: CoefficientImage,
    criterion: Criterion,
    levels: Sequence[float],
    rates: Sequence[Rates],
    form: ScanForm,
) -> list[_Choice]:
    """What is to be chosen in each component; see `choose_indices`."""
    weights, scales = criterion.per_coefficient(image), criterion.scales(image)
    v_max, threads = max(part.v for part in image.components), thread_count(form.threads)
    choices = []
    for index, (part, old) in enumerate(zip(image.components, like.components, strict=True)):
        steps = like.tables[old.table].steps.astype(np.float32).ravel()
        gains = UNIT / levels[min(index, 1)] * weights[index] * steps.astype(np.float64) ** 2
        alone = len(image.components) == 1 or (form.alone and index == 0)
        factors = (1, 1) if alone else (part.h, part.v)
        rows = part.coefficients.shape[0] if alone else -(-image.height // (8 * v_max))
        choices.append(_Choice(part.coefficients, steps, gains, scales[index], rates[index], factors, rows, threads))
    return choices


@dataclass(frozen=True, eq=False)
class _Choice:
    """What the indices of one component cost, their error and their bits, and how they lie in the scan.

    Parameters
    ----------
    coefficients : ndarray of float32, shape (rows, columns, 8, 8)
        What is coded.
    steps : ndarray of float32, shape (64,)
        Quantization table.
    gains : ndarray of float64, shape (64,)
        Cost of an error of one step, in units of `optcodec.kernels.ratelayout.UNIT` a bit.
    scales : ndarray of float32
        Weight of each block.
    rates : Rates
        Bits of all symbols.
    factors : tuple of int
        Blocks of an MCU, horizontally and vertically.
    mcu_rows : int
        Rows of MCUs, which threads share.
    threads : int
        At most so many.
    """

    coefficients: npt.NDArray[np.float32]
    steps: npt.NDArray[np.float32]
    gains: Floats
    scales: npt.NDArray[np.float32]
    rates: Rates
    factors: tuple[int, int]
    mcu_rows: int
    threads: int

    def indices(
        self, others: Blocks | None = None, before: npt.NDArray[np.int16] | None = None
    ) -> npt.NDArray[np.int16]:
        """Indices of all blocks, some of which may have other coefficients; or only of these, over earlier indices."""
        rows, columns = self.coefficients.shape[:2]
        memory = scratch(128 * rows * columns).view(np.int16) if before is None else before
        memory.flags.writeable = True
        coefficients, indices = (blocks.reshape(-1, 64) for blocks in (self.coefficients, memory))
        workers = max(1, min(self.threads, len(indices) // _BLOCKS_PER_THREAD))
        parts = min(_PARTS_PER_THREAD * workers if workers > 1 else 1, self.mcu_rows)  # some parts take longer
        edges = [self.mcu_rows * part // parts for part in range(parts + 1)]
        (h, v), largest, others = self.factors, _LARGEST * self.steps, others or _NO_BLOCKS
        costs = 1 / self.steps, largest, self.gains, self.scales, self.rates.ac, self.rates.dc
        starts = np.searchsorted(others.numbers, v * columns * np.array(edges))

        def work(part: int) -> None:
            geometry = rows, columns, h, v, edges[part], edges[part + 1]
            instead = others.coefficients, others.numbers, int(starts[part]), before is not None
            space = np.empty(64 + v * columns, np.float32), np.empty((WORK, 64), np.int64)
            ways = np.empty(v * columns, np.int64)
            load("trellis").choose_rows(coefficients, *geometry, *costs, *instead, *space, ways, indices)

        in_parallel(work, parts, workers)
        memory.flags.writeable = False
        return memory.reshape(rows, columns, 8, 8)
