"""Coefficient histograms: exact moments, and the exact error and the entropy of every step at every frequency."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optcodec.cached import cached_property
from optcodec.kernels import load

__all__ = ["MAX_STEP", "UNIT", "Histogram", "bins_around", "middles_of"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

MAX_STEP = 255  # largest step of a baseline table
UNIT = 1 << 15  # fixed-point steps to one, as in optcodec/kernels/counting.py
_LOG_ENTRIES = 8192


@dataclass(frozen=True, eq=False)
class Histogram:
    """Histograms of the 64 coefficients of a component, with bins of half a unit.

    Parameters
    ----------
    extents : ndarray of int64, shape (64,)
        Bins of each sign: frequency ``f`` (row-major) has ``2 * extents[f]`` of them, those of the negative
        coefficients first, the most negative at the start.
    sums : ndarray of int64, shape (bins, 2)
        Of the members of each bin: their number, and the sum of the distances r of |x| from the bin's inner edge, in
        units of 2^-15.
    squares : ndarray of int64, shape (64,)
        Sum of r^2 over all bins of a frequency, in units of 2^-30.

    Notes
    -----
    All sums are integers, so histograms merge exactly and do not depend on the order of the blocks or on the number of
    threads. Coefficients are rounded to multiples of 2^-15, below the error of a single-precision DCT.
    """

    extents: Integers
    sums: Integers
    squares: Integers

    def merged(self, other: Histogram) -> Histogram:
        """Histogram of the coefficients of both."""
        extents = np.maximum(self.extents, other.extents)
        sums, middles = np.zeros((2 * int(extents.sum()), 2), np.int64), middles_of(extents)
        for part in (self, other):
            sums[bins_around(middles, part.extents)] += part.sums
        return Histogram(extents, sums, self.squares + other.squares)

    @cached_property
    def blocks(self) -> int:
        """Number of blocks."""
        return int(self.sums[: 2 * self.extents[0], 0].sum())

    @cached_property
    def mean(self) -> Floats:
        """Mean coefficient, shape (64,)."""
        return self._moments[0]

    @cached_property
    def variance(self) -> Floats:
        """Population variance, shape (64,)."""
        mean, square = self._moments
        return np.maximum(square - mean * mean, 0.0)

    @cached_property
    def _moments(self) -> tuple[Floats, Floats]:
        """Mean and mean square."""
        first = _first_bins(self.extents)
        offset = np.arange(len(self.sums)) - np.repeat(middles_of(self.extents), 2 * self.extents)
        edge = np.where(offset >= 0, offset, -1 - offset) / 2
        number, r = self.sums[:, 0], self.sums[:, 1] / UNIT
        magnitude = number * edge + r
        signed = np.add.reduceat(np.where(offset >= 0, magnitude, -magnitude), first[:-1])
        square = np.add.reduceat((magnitude + r) * edge, first[:-1]) + self.squares / UNIT**2
        return signed / self.blocks, square / self.blocks

    @cached_property
    def least_steps(self) -> Integers:
        """Smallest steps (64,) with which baseline JPEG can code all coefficients; 1 for those of 8-bit samples.

        AC indices have at most 10 bits, DC differences 11 (T.81, Tables F.1 and F.2). Coefficients that were quantized
        coarsely before may need more at step 1.
        """
        steps = np.ceil(self.extents / (2 * 1023.5)).astype(np.int64)
        members = np.flatnonzero(self.sums[: 2 * self.extents[0], 0]) - self.extents[0]
        low, high = min(members[0], 0) / 2, max(members[-1] + 1, 0) / 2
        steps[0] = np.ceil((high - low) / (2047 - 1))  # both ends may be rounded outwards
        return np.maximum(steps, 1)

    @cached_property
    def distortion(self) -> Floats:
        """Mean squared error after quantization with each step 1..255, shape (64, 255).

        Reconstruction is ``q * round(x / q)``, as in every decoder.
        """
        return self._curves[0]

    @cached_property
    def bits(self) -> Floats:
        """Entropy of the index after quantization with each step 1..255, in bits per coefficient, shape (64, 255).

        First-order entropy of the magnitude, and one bit for the sign of what is not zero.
        """
        return self._curves[1]

    @cached_property
    def _curves(self) -> tuple[Floats, Floats]:
        counts = np.arange(_LOG_ENTRIES, dtype=np.float64)
        n_log_n = counts * np.log2(np.maximum(counts, 1))
        prefix = np.empty((int(self.extents.max()) + 1, 3))
        distortion, bits = np.empty((64, MAX_STEP)), np.empty((64, MAX_STEP))
        first = _first_bins(self.extents)
        load("histogram").step_curves(self.sums, self.squares, first, n_log_n, prefix, distortion, bits)
        return distortion, bits


def middles_of(extents: Integers) -> Integers:
    """Bin of each frequency with the smallest coefficients that are not negative."""
    return np.cumsum(2 * extents) - extents


def bins_around(middles: Integers, extents: Integers) -> Integers:
    """Numbers of the bins to both sides of each middle, one frequency after the other."""
    ends = np.cumsum(2 * extents)
    numbers: Integers = np.arange(ends[-1]) + np.repeat(middles + extents - ends, 2 * extents)
    return numbers


def _first_bins(extents: Integers) -> Integers:
    """First bin of each frequency, and the number of bins: shape (65,)."""
    return np.concatenate(([0], np.cumsum(2 * extents)))
