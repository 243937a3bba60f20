"""Rate-distortion optimized quantization: indices for the least weighted error plus level times bits.

    minimise  sum_b w_b sum_i s_i (C_bi - q_i k_bi)^2 + level * bits(k)

w_b and s_i come from anywhere (`optcodec.trellis.criterion`); the bits are those of the Huffman tables that the file
will have, found in turns with the indices. AC and DC are both optimal for given tables: see `optcodec.kernels.trellis`
and `optcodec.kernels.dctrellis`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from optcodec.jpeg.image import CoefficientImage, Component, DctComponent, DctImage
from optcodec.jpeg.layout import in_parallel, thread_count
from optcodec.jpeg.quantize import quantize
from optcodec.jpeg.scratch import scratch
from optcodec.jpeg.tables import QuantTable
from optcodec.kernels import load
from optcodec.kernels.ratelayout import UNIT, WORK
from optcodec.trellis.criterion import Criterion
from optcodec.trellis.rates import Rates, progressive_rates, sequential_rates

__all__ = ["SAMPLE_BLOCKS", "ac_steps", "again", "choose_indices", "optimized", "sampled", "tables_for_level"]

Floats = npt.NDArray[np.float64]

_DC_FACTORS = 1.12 ** np.arange(-10, 3)  # steps that are tried for DC, over what AC would have
# Turns of tables and indices, on some rows, before the last on the whole image: the bits fall no further in a second
# (benchmarks/rates/ablation.py).
_TURNS = 1
SAMPLE_BLOCKS = 4096
_BLOCKS_PER_THREAD, _PARTS_PER_THREAD = 2048, 6
# Indices that are coded at most, over which nothing is rounded: AC has 10 bits (T.81, Table F.2); DC one to spare.
_LARGEST = np.array([2047.0, *63 * [1023.0]], np.float32)


def tables_for_level(
    criterion: Criterion, image: DctImage, levels: Sequence[float], ratio: float, least: int = 1
) -> tuple[QuantTable, ...]:
    """Tables for luminance and chrominance that the trellis does best with.

    AC: ``q^2 = level / (ratio * s)``. Frequencies that weigh the same get the same step, whatever their variance: with
    a trellis the step only sets how fine the offer is, and the choice is made coefficient by coefficient. DC, which is
    coded in every block, has the step with the least error plus level times bits of its differences. Both measured in
    benchmarks/rates/ablation.py.

    Parameters
    ----------
    criterion : Criterion
        Its weights of Cb and Cr are averaged.
    image : DctImage
        The image, or a sample of it.
    levels : sequence of float
        Error that a bit is worth in luminance, and in chrominance.
    ratio : float
        See `optcodec.trellis.tuning.STEP_RATIO`.
    least : int
        Smallest step.
    """
    weights = criterion.per_coefficient(image)
    tables = ac_steps(weights, levels, ratio, least)
    for group, (steps, level) in enumerate(zip(tables, levels, strict=False)):
        members = slice(0, 1) if group == 0 else slice(1, 3)
        parts = [part.coefficients[..., 0, 0].ravel() for part in image.components[members]]
        steps[0] = _dc_step(parts, weights[members, 0] / level, steps[0], least)
    return tuple(QuantTable(np.rint(steps).astype(np.int64).reshape(8, 8)) for steps in tables)


def ac_steps(weights: Floats, levels: Sequence[float], ratio: float, least: int = 1) -> Floats:
    """Steps (1 or 2, 64) for weights (components, 64), before they are rounded; see `tables_for_level`."""
    if len(weights) == 1:
        return np.clip(np.sqrt(levels[0] / (ratio * weights)), least, 255)
    mean = np.array([weights[0], weights[1:].mean(axis=0)])
    return np.clip(np.sqrt(np.array(levels)[:, None] / (ratio * mean)), least, 255)


def _dc_step(parts: Sequence[npt.NDArray[np.float32]], weights: Floats, start: float, least: int) -> float:
    """The best of some steps up to `start`, by their error and the bits of the differences."""
    steps = np.unique(np.clip(np.rint(start * _DC_FACTORS), least, 255)).astype(np.float32)
    bounds = np.cumsum([0, *map(len, parts)])
    costs = np.empty(len(steps))
    values = parts[0] if len(parts) == 1 else np.concatenate(parts)
    load("dcsteps").dc_costs(values, bounds, weights, steps, np.empty(27, np.int64), costs)
    return float(steps[np.argmin(costs)])


def optimized(
    image: DctImage,
    tables: Sequence[QuantTable],
    criterion: Criterion,
    levels: Sequence[float],
    *,
    progressive: bool = False,
    apart: bool = False,
    threads: int | None = None,
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
    progressive : bool
        Whether the bits are those of a progressive file.
    apart : bool
        Whether luminance has scans of its own, as it always has in a progressive file.
    threads : int, optional
        At most so many; all processors by default. The result is the same.
    """
    rates_of, apart = _rates_of(progressive, apart, threads)
    total = sum(part.coefficients.size // 64 for part in image.components)
    sample, thinned = sampled(image, criterion, min(SAMPLE_BLOCKS, total // 2))
    coded = quantize(sample, tables)
    for _ in range(_TURNS):
        coded = choose_indices(sample, coded, thinned, levels, rates_of(coded), apart=apart, threads=threads)
    return choose_indices(image, coded, criterion, levels, rates_of(coded), apart=apart, threads=threads)


def _rates_of(
    progressive: bool, apart: bool, threads: int | None
) -> tuple[Callable[[CoefficientImage], list[Rates]], bool]:
    """How the bits of indices are found, and whether luminance has scans of its own."""
    if progressive:
        return progressive_rates, True
    return partial(sequential_rates, apart=apart, threads=threads), apart


def again(
    image: DctImage,
    coded: CoefficientImage,
    criterion: Criterion,
    levels: Sequence[float],
    *,
    progressive: bool = False,
    apart: bool = False,
    threads: int | None = None,
) -> CoefficientImage:
    """Best indices of an image that differs a little from what was coded, with the bits of those symbols.

    Parameters
    ----------
    image : DctImage
        Coefficients.
    coded : CoefficientImage
        Where tables, bits and metadata are taken from.
    criterion, levels, progressive, apart, threads
        See `optimized`.
    """
    rates_of, apart = _rates_of(progressive, apart, threads)
    return choose_indices(image, coded, criterion, levels, rates_of(coded), apart=apart, threads=threads)


def sampled(image: DctImage, criterion: Criterion, blocks: int) -> tuple[DctImage, Criterion]:
    """Some MCU rows of an image, evenly spread, with about so many blocks; all of a smaller one."""
    heights = [part.v for part in image.components]
    total = sum(part.coefficients.size // 64 for part in image.components)
    whole = image.height // (8 * max(heights))
    every = min(total // max(blocks, 1), whole // 4)
    if every < 2:
        return image, criterion
    chosen = np.arange(every // 2, whole, every)
    rows = [(chosen[:, None] * v + np.arange(v)).ravel() for v in heights]
    parts = tuple(_part(part, places) for part, places in zip(image.components, rows, strict=True))
    fields = criterion.fields and [field[places] for field, places in zip(criterion.fields, rows, strict=True)]
    return DctImage(image.width, 8 * max(heights) * len(chosen), parts), replace(criterion, fields=fields)


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
    *,
    apart: bool = False,
    threads: int | None = None,
) -> CoefficientImage:
    """Best indices where the bits of all symbols are known.

    Parameters
    ----------
    image : DctImage
        Coefficients.
    like : CoefficientImage
        Where tables and metadata are taken from.
    criterion, levels
        See `optimized`.
    rates : sequence of Rates
        One a component.
    apart : bool
        See `optimized`.
    threads : int, optional
        At most so many; all processors by default. The result is the same.
    """
    weights, scales = criterion.per_coefficient(image), criterion.scales(image)
    v_max = max(part.v for part in image.components)
    components = []
    for index, (part, old) in enumerate(zip(image.components, like.components, strict=True)):
        steps = like.tables[old.table].steps.astype(np.float32).ravel()
        gains = UNIT / levels[min(index, 1)] * weights[index] * steps.astype(np.float64) ** 2
        costs = _Costs(steps, gains, scales[index], rates[index])
        interleaved = len(image.components) > 1 and not (apart and index == 0)
        factors = (part.h, part.v) if interleaved else (1, 1)
        rows = -(-image.height // (8 * v_max)) if interleaved else part.coefficients.shape[0]
        blocks = _cheapest_indices(part, costs, factors, rows, thread_count(threads))
        components.append(Component(part.id, part.h, part.v, old.table, blocks))
    return CoefficientImage(
        image.width, image.height, tuple(components), like.tables, like.metadata, like.restart_interval
    )


@dataclass(frozen=True, eq=False)
class _Costs:
    """What the indices of one component cost: their error, and their bits.

    Parameters
    ----------
    steps : ndarray of float32, shape (64,)
        Quantization table.
    gains : ndarray of float64, shape (64,)
        Cost of an error of one step, in units of `optcodec.kernels.ratelayout.UNIT` a bit.
    scales : ndarray of float32
        Weight of each block.
    rates : Rates
        Bits of all symbols.
    """

    steps: npt.NDArray[np.float32]
    gains: Floats
    scales: npt.NDArray[np.float32]
    rates: Rates


def _cheapest_indices(
    part: DctComponent, costs: _Costs, factors: tuple[int, int], mcu_rows: int, threads: int
) -> npt.NDArray[np.int16]:
    """Indices of one component, whose MCUs have (h, v) blocks; threads share its MCU rows."""
    rows, columns = part.coefficients.shape[:2]
    coefficients = part.coefficients.reshape(-1, 64)
    indices = scratch(128 * rows * columns).view(np.int16).reshape(-1, 64)
    h, v = factors
    workers = max(1, min(threads, len(indices) // _BLOCKS_PER_THREAD))
    parts = min(_PARTS_PER_THREAD * workers if workers > 1 else 1, mcu_rows)  # not every part takes as long
    edges = [mcu_rows * part // parts for part in range(parts + 1)]

    def work(index: int) -> None:
        geometry = rows, columns, h, v, edges[index], edges[index + 1]
        space = np.empty(64 + v * columns, np.float32), np.empty((WORK, 64), np.int64), np.empty(v * columns, np.int64)
        inverse, largest = 1 / costs.steps, _LARGEST * costs.steps
        constants = inverse, largest, costs.gains, costs.scales, costs.rates.ac, costs.rates.dc
        load("trellis").choose_rows(coefficients, *geometry, *constants, *space, indices)

    in_parallel(work, parts, workers)
    indices.flags.writeable = False
    return indices.reshape(rows, columns, 8, 8)
