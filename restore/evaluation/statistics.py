"""Whether two receivers differ: paired tests over images, and how large the difference may be."""

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
    """Mean difference of a measure over the same images.

    Attributes
    ----------
    images : int
        Pairs of finite values.
    mean, low, high : float or None
        Of the differences, and the ends of the 95 % interval of the mean; None without images.
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
    """How much larger the one is than the other.

    Parameters
    ----------
    values, against : sequence of float
        A measure on the same images in the same order. Pairs with an infinite value (PSNR of an exact image) are left
        out.
    seed : int
        Of the resamples.

    Raises
    ------
    InvalidInputError
        If there are not as many of both.

    Notes
    -----
    The interval is that of the percentile bootstrap (Efron and Tibshirani 1993, section 13.3) with 10 000 resamples of
    the images: it says what another choice of images of the same kind would do.
    """
    if len(values) != len(against):
        raise InvalidInputError(f"paired values are as many of both; got {len(values)} and {len(against)}")
    pairs = np.array([values, against], np.float64)
    pairs = pairs[:, np.isfinite(pairs).all(axis=0)]
    differences = pairs[0] - pairs[1]
    count = differences.size
    if not count:
        return PairedDifference(0, None, None, None, None, None)
    low, high = percentile_interval(differences, resamples=_RESAMPLES, seed=seed)
    tests = _tests(differences) if count > 1 else (None, None)
    return PairedDifference(count, float(differences.mean()), low, high, *tests)


def _tests(differences: Floats) -> tuple[float, float]:
    """p-values; 1 where nothing differs at all."""
    require_packages("scipy.stats", extra="evaluate")
    from scipy.stats import ttest_1samp, wilcoxon

    if not differences.any():
        return 1.0, 1.0
    with warnings.catch_warnings():
        # where all images differ by the same, t is infinite and its p-value 0
        warnings.filterwarnings("ignore", "Precision loss occurred", RuntimeWarning)
        t_p = float(ttest_1samp(differences, 0).pvalue)
    return (0.0 if math.isnan(t_p) else t_p), float(wilcoxon(differences).pvalue)
