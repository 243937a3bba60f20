"""OptS and OptD: the largest step at each frequency that keeps its weighted error under a common water level.

OptS: "JPEG Compliant Compression for DNN Vision" (ICIP 2023), Algorithm 1 (luminance) and 2 (chrominance, one table for
Cb and Cr). OptD is the same with all weights 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optcodec.cached import cached_property

__all__ = ["WaterFilling"]

Floats = npt.NDArray[np.float64]
Steps = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class WaterFilling:
    """The tables of OptS that one set of components shares, as a function of the water level.

    Parameters
    ----------
    weights : ndarray of float64, shape (components, 64)
        Sensitivity s of each component and frequency: Y alone, or Cb and Cr.
    variance : ndarray of float64, shape (components, 64)
        Variance v of the coefficients.
    distortion : ndarray of float64, shape (components, 64, 255)
        Mean squared error D of steps 1..255.
    exact : bool
        Whether ``distortion`` is the true error, at the DC too. Then it alone decides; otherwise the two rules of the
        paper for what its model does not describe come first: with s v < d in every component the step is ``qmax``;
        and the DC, taken as uniform within each step (D = q^2 / 12), has floor(sqrt(12 d / s)) for the largest s.
    qmax : int
        Largest step, 1..255.

    Notes
    -----
    Elsewhere the step is the largest q in 1..qmax with s D(q) <= d in every active component (s v >= d), and 1 where
    there is none. Steps never fall where d grows.
    """

    weights: Floats
    variance: Floats
    distortion: Floats
    exact: bool
    qmax: int

    def steps(self, d: float) -> Steps:
        """Steps (64,) at a water level d, 1..qmax."""
        if self.exact:
            allowed: Steps = (self._needed <= d).sum(axis=1)
            return np.maximum(allowed, 1)
        active = self.weights * self.variance >= d
        met: npt.NDArray[np.bool_] = (self._weighted <= d) | ~active[..., None]
        steps = np.where(active.any(axis=0), self._largest(met), self.qmax)
        if active[:, 0].any():
            largest = self.weights[active[:, 0], 0].max()
            steps[0] = np.clip(np.floor(np.sqrt(12 * d / largest)), 1, self.qmax)
        return steps

    def _largest(self, met: npt.NDArray[np.bool_]) -> Steps:
        """Largest step whose condition (components, 64, qmax) all components meet; 1 where there is none."""
        by_all = np.logical_and.reduce(met, axis=0)
        last: Steps = self.qmax - np.argmax(by_all[:, ::-1], axis=1)
        return np.where(by_all.any(axis=1), last, 1)

    @cached_property
    def _needed(self) -> Floats:
        """Water level from which on steps q..qmax, one of them at least, are allowed by all components; it rises with q
        also where the error does not, so that the number of those below a level is the largest such step."""
        reversed_steps = self._weighted.max(axis=0)[:, ::-1]
        return np.minimum.accumulate(reversed_steps, axis=1)[:, ::-1]

    @cached_property
    def _weighted(self) -> Floats:
        """s D of steps 1..qmax."""
        return self.weights[..., None] * self.distortion[..., : self.qmax]

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """Water levels, both above 0, below the first and above the last at which a step changes."""
        dc = self.weights[:, 0] / 12 * np.array([[1.0], [self.qmax**2]])
        edges = np.concatenate([self._weighted.ravel(), (self.weights * self.variance).ravel(), dc.ravel()])
        edges = edges[edges > 0]
        return (float(edges.min()) / 2, float(edges.max()) * 2) if edges.size else (0.5, 2.0)
