"""What a network is told of a file besides its samples: a vector of numbers, the condition.

With T quantization tables it has 128 T + 3 numbers: log2(steps) / 8 of all tables, their dead zones, log2 of the
vertical and the horizontal subsampling of chrominance, and the standard deviation of noise in units of 16 samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["condition_size", "make_condition"]

_SIGMA_UNIT = 16.0  # samples


def condition_size(tables: int) -> int:
    """Length of the condition for a number of quantization tables."""
    return 128 * tables + 3


def make_condition(
    steps: npt.NDArray[np.generic],
    dead_zones: npt.NDArray[np.generic],
    subsampling: Sequence[float] = (1, 1),
    sigma: float = 0.0,
) -> npt.NDArray[np.float32]:
    """The condition of a file.

    Parameters
    ----------
    steps : ndarray, shape (tables, 8, 8)
        Quantization steps, in natural order, luminance first.
    dead_zones : ndarray, shape (tables, 8, 8)
        Excess of zeros, see `restore.runtime.deadzone`.
    subsampling : sequence of float
        Ratios of the sampling factors of luminance and chrominance, vertical and horizontal.
    sigma : float
        Standard deviation of the noise that was added to the decoded image, in units of 8-bit samples.

    Returns
    -------
    ndarray of float32, shape (128 tables + 3,)
    """
    scaled = np.log2(np.asarray(steps, np.float64)) / 8
    numbers = np.log2(np.asarray(subsampling, np.float64)), [sigma / _SIGMA_UNIT]
    return np.concatenate([scaled.ravel(), np.ravel(dead_zones), *numbers]).astype(np.float32)
