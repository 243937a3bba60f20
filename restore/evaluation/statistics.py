"""Statistical comparison of two receivers: paired tests over images, and a confidence interval of the difference."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from optcodec import InvalidInputError, require_packages
from optcodec.shared import percentile_interval

__all__ = ["PairedDifference", "compare"]

Floats: TypeAlias = npt.NDArray[np.float64]

_RESAMPLES = 10_000


@dataclass(frozen=True)
class PairedDifference:
    """Mean paired difference of a measure over the same images.

    Attributes
    ----------
    images : int
        Number of pairs with two finite values.
    mean, low, high : float or None
        Mean of the differences, None without images, and the ends of its 95 % confidence interval, None for fewer than
        two images.
    t_p, wilcoxon_p : float or None
        Two-sided p-values of the paired t-test and of Wilcoxon's signed-rank test; None for fewer than two images.
    """

    images: int
    mean: float | None
    low: float | None
    high: float | None
    t_p: float | None
    wilcoxon_p: float | None


def compare(values: Sequence[float], against: Sequence[float], *, seed: int = 0) -> PairedDifference:
    """Compare two receivers by paired values of one measure.

    Parameters
    ----------
    values, against : sequence of float
        The measure for both receivers on the same images, in the same order. Pairs with an infinite value (the PSNR of
        an image without error) are left out.
    seed : int
        Seed of the bootstrap resamples.

    Raises
    ------
    InvalidInputError
        If the two sequences differ in length.

    Notes
    -----
    The interval is that of the percentile bootstrap (Efron and Tibshirani 1993, section 13.3) with 10 000 resamples of
    the images: it estimates how the mean would vary with another choice of images of the same kind.
    """
    if len(values) != len(against):
        raise InvalidInputError(
            f"expected one value of both receivers for each image; got {len(values)} and {len(against)}"
        )
    pairs = np.array([values, against], np.float64)
    pairs = pairs[:, np.isfinite(pairs).all(axis=0)]
    differences = pairs[0] - pairs[1]
    count = differences.size
    if not count:
        return PairedDifference(0, None, None, None, None, None)
    mean = float(differences.mean())
    if count == 1:
        return PairedDifference(1, mean, None, None, None, None)
    low, high = percentile_interval(differences, resamples=_RESAMPLES, seed=seed)
    return PairedDifference(count, mean, low, high, *_tests(differences))


def _tests(differences: Floats) -> tuple[float, float]:
    """The p-values of the paired t-test and of Wilcoxon's signed-rank test; 1 where all differences are 0."""
    require_packages("scipy.stats", extra="evaluate")
    from scipy.stats import ttest_1samp, wilcoxon

    if not differences.any():
        return 1.0, 1.0
    with warnings.catch_warnings():
        # where all images have the same difference, t is infinite and its p-value is 0
        warnings.filterwarnings("ignore", "Precision loss occurred", RuntimeWarning)
        t_p = float(ttest_1samp(differences, 0).pvalue)
    return (0.0 if math.isnan(t_p) else t_p), float(wilcoxon(differences).pvalue)
