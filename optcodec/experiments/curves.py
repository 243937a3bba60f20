"""Rate-quality curves: mean distance of two curves (Bjøntegaard), and the rate at which a curve reaches a quality.

A quality is any figure that should rise with the rate: an accuracy, or a negative loss. Measured curves do not always
rise, so a curve is first made monotone by isotonic regression over its points in order of rate, all with equal weight
(Best and Chakravarti, 1990, as in `scipy.optimize.isotonic_regression`). Between the points it is interpolated over the
logarithm of the rate with PCHIP (Fritsch and Butland, 1984), which keeps it monotone. Akima's interpolation, which
Herglotz et al. (arXiv:2304.12852) found to be more accurate for smooth curves of PSNR, overshoots where an accuracy
levels off.

Every function processes R curves at once, one in each row: that of the sample first, then those of the resamples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optcodec.extras import require_packages

__all__ = ["Delta", "MonotoneCurves", "bd_quality", "bd_rate", "monotone_curves", "rate_at"]

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]

LEAST_POINTS = 3
LEAST_OVERLAP_PERCENT = 25
_SAME = 1e-9  # tolerance within which qualities (percentage points, nats) or logarithms of rates count as equal


@dataclass(frozen=True, eq=False)
class MonotoneCurves:
    """R monotone curves of n points.

    Parameters
    ----------
    log_rate : ndarray of float64, shape (R, n)
        Natural logarithm of the rate, rising along a row.
    quality : ndarray of float64, shape (R, n)
        Not falling along a row.
    """

    log_rate: Floats
    quality: Floats


@dataclass(frozen=True, eq=False)
class Delta:
    """Mean distance of two curves where they overlap.

    Parameters
    ----------
    values : ndarray of float64, shape (R,)
        NaN where the curves do not overlap, and everywhere if there is a reason not to compare them.
    overlap_percent : float
        Common range of the two curves of the sample, in percent of the shorter of their ranges.
    reason : str or None
        Why the curves of the sample are not compared; None if they are.
    """

    values: Floats
    overlap_percent: float
    reason: str | None


def monotone_curves(rates: Floats, qualities: Floats) -> MonotoneCurves:
    """Make measured curves monotone.

    Parameters
    ----------
    rates, qualities : ndarray of float64, shape (n, R)
        Points in any order; rates above 0.
    """
    require_packages("scipy.optimize")
    from scipy.optimize import isotonic_regression

    order = np.argsort(rates.T, axis=1, kind="stable")
    log_rate = np.take_along_axis(np.log(rates.T), order, axis=1)
    tied = (np.diff(log_rate, axis=1) < _SAME).any(axis=1)
    log_rate[tied] += _SAME * np.arange(len(rates))  # interpolation needs different rates
    quality = np.take_along_axis(qualities.T, order, axis=1)
    for row in np.flatnonzero((np.diff(quality, axis=1) < 0).any(axis=1)):
        quality[row] = isotonic_regression(quality[row]).x
    return MonotoneCurves(log_rate, quality)


def bd_rate(anchor: MonotoneCurves, test: MonotoneCurves) -> Delta:
    """Bjøntegaard-Delta rate: mean difference in rate at equal quality, in percent; below 0 if ``test`` needs less.

    Points to which the regression gave the same quality are replaced by one, at the mean of their logarithms of rates.

    Notes
    -----
    Bjøntegaard, VCEG-M33 (2001), with the piecewise interpolation of JCTVC-L1100. The value of the sample comes from
    the package ``bjontegaard``; those of the resamples from the same formula, over all rows at once.
    """
    require_packages("bjontegaard")
    from bjontegaard import bd_rate as package

    sides = [list(_knots(curves)) for curves in (anchor, test)]
    first = [(np.exp(rates[0]), qualities[0]) for groups in sides for rows, qualities, rates in groups if rows[0] == 0]
    low, high = _common(anchor.quality, test.quality)
    delta = _judge(first[0][1], first[1][1], resamples=len(low), what="qualities")
    if delta.reason is None:
        anchor_mean, test_mean = (_mean_over(groups, low, high) for groups in sides)
        delta.values[:] = 100 * np.expm1(test_mean - anchor_mean)
        delta.values[0] = package(*first[0], *first[1], method="pchip", require_matching_points=False, min_overlap=0)
    return delta


def bd_quality(anchor: MonotoneCurves, test: MonotoneCurves) -> Delta:
    """Bjøntegaard-Delta quality: mean difference in quality at equal rate; above 0 if ``test`` is better.

    The mean is taken over the logarithm of the rate; see `bd_rate`.
    """
    require_packages("bjontegaard")
    from bjontegaard import bd_psnr as package

    low, high = _common(anchor.log_rate, test.log_rate)
    delta = _judge(anchor.log_rate[0], test.log_rate[0], resamples=len(low), what="rates")
    if delta.reason is None:
        rows = np.arange(len(low))
        anchor_mean, test_mean = (
            _mean_over([(rows, curves.log_rate, curves.quality)], low, high) for curves in (anchor, test)
        )
        delta.values[:] = test_mean - anchor_mean
        first = [part for curves in (anchor, test) for part in (np.exp(curves.log_rate[0]), curves.quality[0])]
        delta.values[0] = package(*first, method="pchip", require_matching_points=False, min_overlap=0)
    return delta


def rate_at(curves: MonotoneCurves, target: Floats) -> tuple[Floats, Floats]:
    """Bounds of the smallest rate at which each curve reaches a quality.

    Parameters
    ----------
    curves : MonotoneCurves
        For a curve with a single point, the rate is known only if that point has the quality.
    target : ndarray of float64, shape (R,)
        Quality to reach.

    Returns
    -------
    lower, upper : ndarray of float64, shape (R,)
        Equal if the rate is known. If the first point is already better than the target, the lower bound is 0. If no
        point reaches the target, the lower bound is the highest rate of the curve, and the upper bound is infinite.
    """
    x, y = curves.log_rate, curves.quality
    reached = y >= target[:, np.newaxis] - _SAME
    first = np.where(reached.any(axis=1), reached.argmax(axis=1), y.shape[1])
    never = first == y.shape[1]
    better = (first == 0) & (y[:, 0] > target + _SAME)
    log_rate = x[:, 0]
    if y.shape[1] > 1:
        log_rate = np.where(first > 0, _crossing(curves, np.clip(first, 1, y.shape[1] - 1), target), log_rate)
    rate = np.exp(log_rate)
    lower = np.where(never, np.exp(x[:, -1]), np.where(better, 0, rate))
    return lower, np.where(never, np.inf, rate)


def _crossing(curves: MonotoneCurves, right: Index, target: Floats) -> Floats:
    """Logarithm of the rate at which each curve reaches the target, between the points ``right - 1`` and ``right``."""
    rows = np.arange(len(right))
    slopes = _pchip_slopes(curves.log_rate, curves.quality)
    x0, x1 = curves.log_rate[rows, right - 1], curves.log_rate[rows, right]
    y0, y1 = curves.quality[rows, right - 1], curves.quality[rows, right]
    d0, d1 = (x1 - x0) * slopes[rows, right - 1], (x1 - x0) * slopes[rows, right]
    low, high = np.zeros(len(rows)), np.ones(len(rows))
    for _ in range(52):  # bits of a float64
        t = (low + high) / 2
        rest = 1 - t
        value = rest**2 * ((1 + 2 * t) * y0 + t * d0) + t**2 * ((3 - 2 * t) * y1 - rest * d1)
        low, high = np.where(value < target, t, low), np.where(value < target, high, t)
    return np.asarray(x0 + high * (x1 - x0))


def _knots(curves: MonotoneCurves) -> Iterator[tuple[Index, Floats, Floats]]:
    """Merge points of equal quality, and yield the rows that have the same points merged.

    Rows are yielded with their qualities (G, m), which rise strictly, and logarithms of rates (G, m).
    """
    rises = np.diff(curves.quality, axis=1, prepend=-np.inf) > _SAME
    patterns, which = np.unique(rises, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        rows, starts = np.flatnonzero(which.ravel() == number), np.flatnonzero(pattern)
        sizes = np.diff(starts, append=curves.quality.shape[1])
        yield rows, curves.quality[np.ix_(rows, starts)], np.add.reduceat(curves.log_rate[rows], starts, 1) / sizes


def _common(anchor: Floats, test: Floats) -> tuple[Floats, Floats]:
    """Ends of the common range of both curves, row by row."""
    return np.maximum(anchor[:, 0], test[:, 0]), np.minimum(anchor[:, -1], test[:, -1])


def _judge(anchor: Floats, test: Floats, *, resamples: int, what: str) -> Delta:
    """Whether the curves of the sample can be compared, from the coordinates of their points on the common axis."""
    values = np.full(resamples, np.nan)
    fewest = min(len(anchor), len(test))
    if fewest < LEAST_POINTS:
        return Delta(values, 0.0, f"{fewest} different {what} on a curve; expected at least {LEAST_POINTS}")
    shorter = min(anchor[-1] - anchor[0], test[-1] - test[0])
    common = min(anchor[-1], test[-1]) - max(anchor[0], test[0])
    percent = float(100 * max(common, 0) / shorter)
    if percent < LEAST_OVERLAP_PERCENT:
        return Delta(
            values, percent, f"the {what} overlap by {percent:.0f} %; expected {LEAST_OVERLAP_PERCENT} % or more"
        )
    return Delta(values, percent, None)


def _mean_over(groups: Iterable[tuple[Index, Floats, Floats]], low: Floats, high: Floats) -> Floats:
    """Mean of each curve y(x) between ``low`` and ``high`` (R,), from groups of rows, x and y; NaN for empty ranges."""
    means = np.full(len(low), np.nan)
    for rows, x, y in groups:
        wide = high[rows] > low[rows]
        if x.shape[1] > 1 and wide.any():
            start, end = low[rows[wide]], high[rows[wide]]
            means[rows[wide]] = _integral(x[wide], y[wide], start, end) / (end - start)
    return means


def _integral(x: Floats, y: Floats, low: Floats, high: Floats) -> Floats:
    """Integrals of the PCHIP interpolants of y(x) (G, m) from ``low`` to ``high`` (G,), which lie in the range of x."""
    width = np.diff(x, axis=1)
    slopes = _pchip_slopes(x, y)
    d0, d1 = width * slopes[:, :-1], width * slopes[:, 1:]
    y0, y1 = y[:, :-1], y[:, 1:]

    def up_to(end: Floats) -> Floats:
        t = np.clip((end[:, np.newaxis] - x[:, :-1]) / width, 0, 1)
        # integral from 0 to t of the cubic that has the values y0, y1 and the slopes d0, d1 at 0 and 1
        values = y0 * (t - t**3 + t**4 / 2) + y1 * (t**3 - t**4 / 2)
        return np.asarray(values + d0 * (t**2 / 2 - 2 * t**3 / 3 + t**4 / 4) + d1 * (t**4 / 4 - t**3 / 3))

    return np.asarray((width * (up_to(high) - up_to(low))).sum(axis=1))


def _pchip_slopes(x: Floats, y: Floats) -> Floats:
    """Slopes of `scipy.interpolate.PchipInterpolator` at the points of rows y(x) (G, m), m > 1, that do not fall.

    Inner points have the weighted harmonic mean of Fritsch and Butland; the ends the one-sided formula of Moler,
    *Numerical Computing with MATLAB* (2004), section 3.6, of which for rows that do not fall only one case is left:
    negative slopes become 0.
    """
    width = np.diff(x, axis=1)
    steep = np.diff(y, axis=1) / width
    if steep.shape[1] == 1:
        return np.repeat(steep, 2, axis=1)
    before, after = steep[:, :-1], steep[:, 1:]
    w_before, w_after = 2 * width[:, 1:] + width[:, :-1], width[:, 1:] + 2 * width[:, :-1]
    flat = (before == 0) | (after == 0)
    inverse = w_before / np.where(flat, 1, before) + w_after / np.where(flat, 1, after)
    slopes = np.empty_like(y)
    slopes[:, 1:-1] = np.where(flat, 0, (w_before + w_after) / inverse)
    for end, next_to_it in ((0, 1), (-1, -2)):
        h0, h1 = width[:, end], width[:, next_to_it]
        one_sided = ((2 * h0 + h1) * steep[:, end] - h0 * steep[:, next_to_it]) / (h0 + h1)
        slopes[:, end] = np.maximum(one_sided, 0)
    return slopes
