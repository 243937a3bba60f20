"""Statistics of the quantized coefficients of a file: how the encoder chose them, and how strong they are.

The choice shows in the excess of zeros over those of rounding to nearest. An encoder with rate-distortion
optimization (a trellis) sets many coefficients to zero that rounding would not. Errors of such files are larger than
their steps suggest, and the original is often outside of its quantization interval. The strength tells smooth pictures
from grainy ones, whose grain a network takes for an error otherwise.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["activities", "count_magnitudes", "dead_zones", "interval_growth"]

_PRIOR_COUNT = 200.0  # weight of the mean over frequencies in the estimate of each frequency, in coefficients
_PRIOR_EXCESS = 0.3  # the excess of a file with too few coefficients to tell; files of libjpeg have about this one
_LIMITS = -1.0, 3.0  # range of the estimates; beyond are only frequencies with very few coefficients
_MAGNITUDE_UNIT = 1 / 16  # samples: the unit of mean magnitudes in their logarithm


def count_magnitudes(blocks: npt.NDArray[np.int16]) -> npt.NDArray[np.int64]:
    """Count the indices of each frequency that are 0, +-1, and of larger magnitude, and add up all magnitudes.

    Parameters
    ----------
    blocks : ndarray of int16, shape (rows, columns, 8, 8)
        Quantized coefficients of a component, or of a part of it.

    Returns
    -------
    ndarray of int64, shape (4, 8, 8)
    """
    number = blocks.shape[0] * blocks.shape[1]
    zeros = number - np.count_nonzero(blocks, axis=(0, 1))
    ones = np.count_nonzero((blocks == 1) | (blocks == -1), axis=(0, 1))
    total = np.abs(blocks).sum(axis=(0, 1), dtype=np.int64)
    return np.stack([zeros, ones, number - zeros - ones, total])


def dead_zones(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Excess of zeros of each frequency: log of the ratio of the odds of a zero to those by rounding to nearest.

    A Laplacian density is fitted to the magnitudes from 1 on: with n1 indices of magnitude 1 and n2 of larger
    magnitude, rounding to nearest gives exp(-d) = n2 / (n1 + n2) for a decay d per step, and zeros with the odds
    exp(d / 2) - 1 to all others. Estimates of frequencies with few coefficients are drawn towards the mean of the file.

    Parameters
    ----------
    counts : ndarray of int64, shape (4, 8, 8)
        From `count_magnitudes`.

    Returns
    -------
    ndarray of float32, shape (8, 8)
        0 for a Laplacian density and rounding to nearest; larger, the more zeros the encoder chose. DC, which has no
        dead zone, has the mean of the other frequencies.
    """
    zeros, ones, larger = counts[:3].reshape(3, 64).astype(np.float64)
    # the halves keep logarithms finite
    decay = np.log((ones + larger + 1) / (larger + 0.5))
    excess = np.log((zeros + 0.5) / (ones + larger + 0.5)) - np.log(np.expm1(decay / 2))
    weight = larger * ones / (ones + larger + 1) * (zeros > 0)  # about the inverse of the variance of the estimate
    weight[0] = 0
    excess = np.clip(excess, *_LIMITS)
    mean = (weight @ excess + _PRIOR_COUNT * _PRIOR_EXCESS) / (weight.sum() + _PRIOR_COUNT)
    shrunk = (weight * excess + _PRIOR_COUNT * mean) / (weight + _PRIOR_COUNT)
    result: npt.NDArray[np.float32] = shrunk.reshape(8, 8).astype(np.float32)
    return result


def activities(counts: npt.NDArray[np.int64], steps: npt.NDArray[np.generic]) -> npt.NDArray[np.float32]:
    """Strength of each frequency in a file: the logarithm of the mean magnitude of its coefficients.

    Parameters
    ----------
    counts : ndarray of int64, shape (4, 8, 8)
        From `count_magnitudes`.
    steps : ndarray, shape (8, 8)
        Quantization steps of the file.

    Returns
    -------
    ndarray of float32, shape (8, 8)
        log2(1 + 16 m) for a mean magnitude m in samples, 0 where all coefficients are 0. DC, whose mean is that of the
        brightness, has 0.
    """
    number = np.maximum(counts[:3].sum(axis=0), 1)
    result: npt.NDArray[np.float32] = np.log2(1 + counts[3] / number * steps / _MAGNITUDE_UNIT).astype(np.float32)
    result[0, 0] = 0
    return result


def interval_growth(excess: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """How much further than half a step from zero the coefficients of index 0 reach, in steps.

    If coefficients up to T steps become zero, and those up to 3/2 steps one, a Laplacian density with decay d has the
    odds exp(d T) - 1 of zeros, and `dead_zones` measures the decay d (3/2 - T). For small decays, the excess is then
    log(T / (3/4 - T / 2)), which gives T.

    Parameters
    ----------
    excess : ndarray
        From `dead_zones`.

    Returns
    -------
    ndarray of float64
        T - 1/2, at least 0; the limit for a large excess is 1.
    """
    odds = np.exp(np.asarray(excess, np.float64))
    growth: npt.NDArray[np.float64] = np.maximum(0.75 * odds / (1 + odds / 2) - 0.5, 0)
    return growth
