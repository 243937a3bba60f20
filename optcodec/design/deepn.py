"""Tables that are scaled as a whole: DeepN-JPEG, and default JPEG."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optcodec.design.histogram import MAX_STEP
from optcodec.jpeg.tables import scaled_steps

__all__ = ["ScaledTable", "deepn_steps"]

Steps = npt.NDArray[np.int64]


def deepn_steps(deviation: npt.ArrayLike) -> Steps:
    """Steps of DeepN-JPEG.

    Parameters
    ----------
    deviation : array_like
        Standard deviation s of the coefficient over a data set; not negative.

    Returns
    -------
    ndarray of int64
        255 - 9.75 s for s <= 20, 80 - s for 20 < s <= 60, 240 - 3 s above, at least 5; rounded to nearest, halves up.

    Notes
    -----
    Liu et al., "DeepN-JPEG" (DAC 2018), piecewise linear mapping with the parameters of its ImageNet experiments. The
    paper leaves the rounding open. At s = 60 the mapping jumps up, from 20 to 60; that is how it is published.
    """
    s = np.asarray(deviation, np.float64)
    step = np.where(s <= 20, 255 - 9.75 * s, np.where(s <= 60, 80 - s, 240 - 3 * s))
    return np.floor(np.maximum(step, 5) + 0.5).astype(np.int64)


@dataclass(frozen=True, eq=False)
class ScaledTable:
    """A base table as a function of the percentage that scales it, rounded and clamped as in libjpeg.

    Parameters
    ----------
    base : ndarray of int64, shape (64,)
        Steps at 100 %, row-major.
    """

    base: Steps

    def steps(self, level: float) -> Steps:
        """Steps (64,) at a percentage."""
        return scaled_steps(self.base, level)

    @property
    def bounds(self) -> tuple[float, float]:
        """Level of the finest table (1 everywhere), and that of the coarsest (255 everywhere); both above 0."""
        return 50 / float(self.base.max()), 100 * MAX_STEP / float(self.base.min())
