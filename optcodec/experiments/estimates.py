"""A figure with its interval, from its values in the sample and in each resample of the bootstrap."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from optcodec.bootstrap import CONFIDENCE_PERCENT
from optcodec.jsontext import finite

__all__ = ["Estimate", "estimate"]

Floats = npt.NDArray[np.float64]
Estimate = dict[str, Any]


def estimate(lower: Floats, upper: Floats | None = None, *, reason: str | None = None) -> Estimate:
    """A figure with its interval, ready for JSON.

    Parameters
    ----------
    lower : ndarray of float64, shape (R,)
        The figure in the sample and in each resample; NaN where a resample does not tell it, which counts as
        anything at all and can only widen the interval.
    upper : ndarray of float64, shape (R,), optional
        Where the figure is only known to lie between two bounds: the upper ones; ``lower`` holds the others.
    reason : str, optional
        Why there is no value, if there is none.

    Returns
    -------
    dict
        ``value``, None if it is not known; ``low`` and ``high``, the ends of the 95 % interval, None where it has no
        end; ``reason``, where one is given and there is no value.
    """
    upper = lower if upper is None else upper
    beyond = int(len(lower[1:]) * (100 - CONFIDENCE_PERCENT) / 200)  # resamples left out at each end
    low = np.sort(np.where(np.isnan(lower[1:]), -np.inf, lower[1:]))[beyond]
    high = np.sort(np.where(np.isnan(upper[1:]), np.inf, upper[1:]))[-1 - beyond]
    value = finite(float(lower[0])) if lower[0] == upper[0] else None
    why = {"reason": reason} if value is None and reason is not None else {}
    return {"value": value, "low": finite(float(low)), "high": finite(float(high))} | why
