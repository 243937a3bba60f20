"""Quantization tables by one level that all of them share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from optcodec.cached import cached_property
from optcodec.design.histogram import MAX_STEP

__all__ = ["Family", "Joint"]

Steps = npt.NDArray[np.int64]


class Family(Protocol):
    """Tables as a function of one level, on which no step falls."""

    @property
    def bounds(self) -> tuple[float, float]:
        """Levels above 0 of the finest and of the coarsest table."""

    def steps(self, level: float, /) -> Steps:
        """Steps (64,) at a level."""


@dataclass(frozen=True, eq=False)
class Joint:
    """Families that share a level: one for luminance, one for chrominance.

    Beyond the coarsest tables of all families, steps grow together to 255; before the finest, they fall to 1.

    Parameters
    ----------
    families : sequence of Family
        In the order of their tables.
    least : ndarray of int64, shape (families, 64), or int
        No step goes below this.
    most : int
        Largest step of all families, as long as not all steps go beyond it together.
    """

    families: Sequence[Family]
    least: Steps | int = 1
    most: int = MAX_STEP

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """Level of the finest tables, and of those with 255 everywhere."""
        lows, highs = zip(*(family.bounds for family in self.families), strict=True)
        return min(lows) / 2, 2 * max(highs)

    def steps(self, level: float) -> Steps:
        """Steps (families, 64) at a level."""
        low, high = self.bounds[0] * 2, self.bounds[1] / 2
        inside = min(max(level, low), high)
        steps = np.array([family.steps(inside) for family in self.families])
        if level > high:
            steps += np.rint((MAX_STEP - steps) * (level / high - 1)).astype(np.int64)
        if level < low:
            steps -= np.rint((steps - 1) * 2 * (1 - level / low)).astype(np.int64)
        bounded: Steps = np.maximum(steps, self.least)
        return bounded
