"""Quantization tables that fit the price of a bit, for indices that a trellis chooses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from optcodec.jpeg.image import DctImage
from optcodec.jpeg.tables import QuantTable
from optcodec.kernels import load
from optcodec.trellis.criterion import Criterion

__all__ = ["ac_steps", "tables_for_level"]

Floats = npt.NDArray[np.float64]

_DC_FACTORS = 1.12 ** np.arange(-10, 3)  # steps that are tried for DC, over what AC would have


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
