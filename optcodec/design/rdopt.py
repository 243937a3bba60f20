"""RD-OPT: at each frequency the step with the least error plus level times rate, both counted from the coefficients.

Ratnakar and Livny, "An Efficient Algorithm for Optimizing DCT Quantization", IEEE Trans. Image Processing 9(2), 2000.
Theirs is the squared error; here each coefficient has a weight. With equal weights this is their Lagrangian variant.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optcodec.cached import cached_property
from optcodec.kernels import load

__all__ = ["Lagrangian"]

Floats = npt.NDArray[np.float64]
Steps = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Lagrangian:
    """Tables that one set of components shares, as a function of the error that a bit is worth.

    Parameters
    ----------
    error : ndarray of float64, shape (64, steps)
        Weighted error of steps 1, 2, ..., all components together.
    bits : ndarray of float64, shape (64, steps)
        Bits that the coefficients take with these steps, all components together.

    Notes
    -----
    Frequencies are taken apart, which the run lengths of JPEG are not quite: the bits are first-order entropies.
    Of steps that cost the same, the largest is taken; a frequency with nothing but zeros has the largest step. Steps
    never fall where the level grows: the few that would, in images that were quantized before, are left out.
    """

    error: Floats
    bits: Floats

    def steps(self, level: float) -> Steps:
        """Steps (64,) at a level, in units of error per bit."""
        slopes, steps, first = self._hulls
        chosen: Steps = steps.ravel()[first + np.add.reduce(slopes <= level, axis=1, dtype=np.int64)]
        return chosen

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """Levels, both above 0, below the first and above the last at which a step changes."""
        slopes = self._hulls[0]
        inner = slopes[(slopes > 0) & np.isfinite(slopes)]
        return (float(inner.min()) / 2, float(inner.max()) * 2) if inner.size else (0.5, 2.0)

    @cached_property
    def _hulls(self) -> tuple[Floats, Steps, Steps]:
        """Levels from which on another step is worth taking, infinite where there are no more, and these steps.

        At last, the number of the step before the first one of each frequency.
        """
        most = self.error.shape[1]
        slopes, steps = np.empty(self.error.shape), np.empty(self.error.shape, np.int64)
        counts = np.empty(len(slopes), np.int64)
        load("histogram").lower_hulls(self.error, self.bits, np.empty(most, np.int64), slopes, steps, counts)
        slopes[np.arange(most) >= counts[:, None]] = np.inf
        most = int(counts.max())  # most of all steps are worth taking at no level
        first = most * np.arange(len(steps)) - 1
        return np.ascontiguousarray(slopes[:, :most]), np.ascontiguousarray(steps[:, :most]), first
