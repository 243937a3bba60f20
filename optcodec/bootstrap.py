"""The bootstrap: how far a statistic of some images may be from that of other images of the same kind.

Images are drawn with replacement, as many as there are, again and again; the statistic of each draw (a resample) tells
how the statistic varies. Source: Efron and Tibshirani, *An Introduction to the Bootstrap* (1993), section 13.3.

`draw_counts` and `weighted_means` serve where many means share one draw; `percentile_interval` gives the interval of
one statistic.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from optcodec.errors import InvalidInputError

__all__ = ["CONFIDENCE_PERCENT", "draw_counts", "mean_of_draws", "percentile_interval", "weighted_means"]

Floats = npt.NDArray[np.float64]

CONFIDENCE_PERCENT = 95
_LARGEST_DRAW = 1 << 20  # drawn values that are in memory at once


def draw_counts(images: int, resamples: int, seed: int) -> Floats:
    """How often each image is drawn.

    Returns
    -------
    ndarray of float64, shape (1 + resamples, images)
        Whole numbers; the first row is the sample itself, the others are drawn with replacement. Each sums to
        ``images``.
    """
    drawn = np.random.default_rng(seed).multinomial(images, np.full(images, 1 / images), size=resamples)
    return np.vstack([np.ones((1, images)), drawn])


def weighted_means(values: npt.NDArray[Any], counts: Floats) -> Floats:
    """Mean of ``values`` (..., N) in each row of ``counts`` (R, N), as an array (..., R).

    Values are first rounded to a fixed point that leaves every sum below 2^53. All sums are then exact, in whichever
    order a matrix product adds, so that the result is the same with any number of threads and on any machine.
    """
    values = np.asarray(values, np.float64)
    images = counts.shape[1]
    largest = float(np.abs(values).max(initial=0))
    bits = min(52 - math.ceil(math.log2(images * largest)), 1000) if largest else 0
    sums = np.rint(np.ldexp(values, bits)) @ counts.T
    return np.asarray(np.ldexp(sums, -bits) / images)


def mean_of_draws(drawn: Floats) -> Floats:
    """Mean over all values of each draw (draws, images, ...), shape (draws,)."""
    return np.asarray(drawn.reshape(len(drawn), -1).mean(axis=1))


def percentile_interval(
    values: npt.ArrayLike,
    *,
    resamples: int,
    seed: int = 0,
    statistic: Callable[[Floats], npt.ArrayLike] = mean_of_draws,
) -> tuple[float, float]:
    """Ends of the 95 % interval of a statistic, by the percentile bootstrap.

    Parameters
    ----------
    values : array_like of float64, shape (images, ...)
        One entry for each image, at least one image.
    resamples : int
        Number of draws.
    seed : int
        Of the draws; the same seed and values give the same interval.
    statistic : callable
        Takes drawn values, shape (draws, images, ...), and gives the statistic of each draw, shape (draws,); the mean
        by default. Draws for which it is NaN are left out.

    Returns
    -------
    tuple of float
        The percentiles 2.5 and 97.5 of the statistic, with linear interpolation; NaN where all draws are NaN.

    Raises
    ------
    InvalidInputError
        If there are no images.
    """
    array = np.asarray(values, np.float64)
    if not array.size:
        raise InvalidInputError("expected values of at least one image, got none")
    generator, images = np.random.default_rng(seed), len(array)
    statistics = np.empty(resamples)
    step = max(1, _LARGEST_DRAW // array.size)
    for start in range(0, resamples, step):
        part = statistics[start : start + step]  # drawing in parts gives the same draws as drawing all at once
        part[:] = statistic(array[generator.integers(images, size=(part.size, images))])
    known = statistics[~np.isnan(statistics)]
    if not known.size:
        return math.nan, math.nan
    beyond = (100 - CONFIDENCE_PERCENT) / 2
    low, high = np.percentile(known, [beyond, 100 - beyond]).tolist()
    return low, high
