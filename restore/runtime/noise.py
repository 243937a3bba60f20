"""The noise of a picture that was coded as JPEG, decoded, and then became noisy: y = C_Q(x) + n."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from restore.runtime.cells import forward_dct

__all__ = ["estimate_sigma"]

# Frequencies (u, v) with u + v from here on: JPEG at usual qualities leaves hardly any coefficients there.
_FIRST_DIAGONAL = 9
_NORMAL_MAD = 0.6744897501960817  # median of the absolute value of a standard normal variable
_ROUNDING = 1 / 12  # variance of rounding to whole samples


def estimate_sigma(luminance: npt.NDArray[np.floating]) -> float:
    """Estimate the standard deviation of Gaussian noise that was added to a decoded JPEG image.

    In the blocks of the file, quantization has set most coefficients of high frequencies to zero. What is there now is
    the noise: its standard deviation is the median of the absolute values, divided by that of a standard normal
    variable (Donoho and Johnstone, "Ideal spatial adaptation by wavelet shrinkage", Biometrika 81(3), 1994).

    Parameters
    ----------
    luminance : ndarray, shape (rows, columns)
        Samples, 0..255, whose first block of the former JPEG file begins at the first row and column. Blocks with
        samples of 0 or 255, where noise was clipped, are left out if others are there.

    Returns
    -------
    float
        In units of 8-bit samples; 0 for a picture without a whole block.
    """
    rows, columns = (extent // 8 for extent in luminance.shape)
    if rows * columns == 0:
        return 0.0
    plane = luminance[: 8 * rows, : 8 * columns].astype(np.float32)
    blocks = plane.reshape(rows, 8, columns, 8)
    is_inside = (blocks.min(axis=(1, 3)) > 0) & (blocks.max(axis=(1, 3)) < 255)
    values = forward_dct(plane)
    values = values[is_inside] if is_inside.any() else values.reshape(-1, 8, 8)
    high = np.abs(values[:, np.add.outer(np.arange(8), np.arange(8)) >= _FIRST_DIAGONAL])
    variance = (float(np.median(high)) / _NORMAL_MAD) ** 2 - _ROUNDING
    return float(max(0.0, variance) ** 0.5)
