"""Count the coefficients of an image in histograms, also those of pixels, without keeping them."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from optcodec.design.histogram import UNIT, Histogram, middles_of
from optcodec.errors import InvalidInputError
from optcodec.jpeg.layout import in_parallel, pixel_layout, with_channels
from optcodec.kernels import load

__all__ = ["count_coefficients", "count_pixels", "mean_deviation"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# Eight times the largest coefficient of 8-bit samples. Only a damaged or a hostile file goes beyond.
_LARGEST = 8192.0
_NUMBER_BITS = 24  # of a bin's word, for the number of its coefficients, as in optcodec/kernels/counting.py
_MOST_BLOCKS = (1 << _NUMBER_BITS) - 1
_BLOCKS_PER_THREAD = 16384
_BLOCKS_AT_ONCE = 2048  # half a megabyte of coefficients, which stay in the cache of one core


def count_coefficients(coefficients: npt.NDArray[np.float32], *, threads: int = 1) -> Histogram:
    """Count the coefficients of a component.

    Parameters
    ----------
    coefficients : ndarray of float32, shape (rows, columns, 8, 8)
        C-contiguous, natural order.
    threads : int
        At most so many; the result is the same.

    Raises
    ------
    InvalidInputError
        If a coefficient is not a number, or beyond +-8192.
    """
    blocks = coefficients.reshape(-1, 64)

    def count(first: int, last: int) -> tuple[Histogram, ...]:
        def work(at: int, *bins: npt.NDArray[Any]) -> int:
            stop: int = load("counting").count_coefficients(blocks, at, last, *bins)
            return stop

        return _Tally(1).counted(work, first, last)

    return _merged(count, _parts(len(blocks), len(blocks), threads), threads)[0]


def count_pixels(
    pixels: npt.NDArray[np.uint8], subsampling: str = "4:4:4", *, threads: int = 1
) -> tuple[Histogram, ...]:
    """Count the coefficients that `optcodec.jpeg.dct.forward` makes of pixels, which are not kept.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3) or (height, width)
        RGB or grey.
    subsampling : {"4:4:4", "4:2:2", "4:2:0", "4:4:0"}
        Ignored for grey pixels.
    threads : int
        At most so many; the result is the same.

    Returns
    -------
    tuple of Histogram
        One (Y) or three (Y, Cb, Cr).
    """
    pixels = with_channels(pixels)
    layout, h, v = pixel_layout(pixels.shape, subsampling)
    in_a_row = int((layout.components[:, 1] * layout.components[:, 3]).sum())
    rows = min(max(1, _BLOCKS_AT_ONCE // in_a_row), layout.rows)

    def count(first: int, last: int) -> tuple[Histogram, ...]:
        space = layout.sample_space(), np.empty(128, np.float32), np.empty((rows * in_a_row, 64), np.float32), rows

        def work(at: int, *bins: npt.NDArray[Any]) -> int:
            stop: int = load("counting").count_pixels(pixels, layout.components, h, v, at, last, *bins, *space)
            return stop

        return _Tally(len(layout.components)).counted(work, first, last)

    return _merged(count, _parts(layout.rows, layout.blocks, threads), threads)


def mean_deviation(coefficients: npt.NDArray[np.float32], centre: Floats, *, threads: int = 1) -> Floats:
    """Mean of |coefficient - centre| at each frequency.

    Parameters
    ----------
    coefficients : ndarray of float32, shape (rows, columns, 8, 8)
        C-contiguous; magnitudes up to 8192, as `count_coefficients` makes sure.
    centre : ndarray of float64, shape (64,)
        Such as the mean.
    threads : int
        At most so many; the result is the same.

    Returns
    -------
    ndarray of float64, shape (64,)
    """
    blocks = coefficients.reshape(-1, 64)
    parts = _parts(len(blocks), len(blocks), threads)
    fixed = np.rint(centre * UNIT).astype(np.int64)

    def work(part: int) -> Integers:
        sums = np.empty(64, np.int64)
        load("histogram").sum_deviations(blocks, *parts[part], fixed, sums)
        return sums

    total: Integers = np.sum(in_parallel(work, len(parts), threads), axis=0)
    return total / (UNIT * len(blocks))


class _Tally:
    """What was counted of so many components; its bins grow where a larger magnitude turns up."""

    def __init__(self, components: int) -> None:
        self._largest = np.zeros((components, 64), np.float32)
        self._extents = np.zeros((components, 64), np.int64)
        self._words = np.zeros(0, np.int64)
        self._lines = np.zeros((components, 3, 64), np.int64)

    def counted(self, count: Callable[..., int], first: int, last: int) -> tuple[Histogram, ...]:
        """Count from `first` to `last` with a function that stops where a magnitude has no bin."""
        while True:
            first = count(first, self._middles, self._extents, self._largest, self._words, self._lines)
            if first == last:
                return self._histograms()
            self._grow()

    def _grow(self) -> None:
        """Make bins for magnitudes twice as large as the largest ones."""
        old, self._extents = self._extents, np.maximum(2 * _needed(self._largest), self._extents)
        words = np.zeros(2 * int(self._extents.sum()), np.int64)
        load("counting").move_bins(self._words, middles_of(old.ravel()), old.ravel(), self._middles.ravel(), words)
        self._words = words

    def _histograms(self) -> tuple[Histogram, ...]:
        extents = _needed(self._largest)
        sums = np.empty((2 * int(extents.sum()), 2), np.int64)
        load("counting").split_words(self._words, self._middles.ravel(), extents.ravel(), sums)
        ends = np.cumsum(2 * extents.sum(axis=1))[:-1]
        return tuple(Histogram(*part) for part in zip(extents, np.split(sums, ends), self._lines[:, 2], strict=True))

    @property
    def _middles(self) -> Integers:
        return middles_of(self._extents.ravel()).reshape(self._extents.shape)


def _needed(largest: npt.NDArray[np.float32]) -> Integers:
    """Extents of the histograms of coefficients with these largest magnitudes."""
    if not (largest <= _LARGEST).all():
        wrong = largest[~(largest <= _LARGEST)][0]
        raise InvalidInputError(f"DCT coefficients of 8-bit samples lie within +-{_LARGEST:.0f}, got {wrong}")
    # the bin of the largest magnitude, which the kernel may round up by one fixed-point step first
    extents: Integers = np.floor(2 * largest.astype(np.float64) + 2 / UNIT).astype(np.int64) + 1
    return extents


def _merged(
    count: Callable[[int, int], tuple[Histogram, ...]], parts: list[tuple[int, int]], threads: int
) -> tuple[Histogram, ...]:
    """Histograms of all parts together."""
    counted = in_parallel(lambda part: count(*parts[part]), len(parts), threads)
    return reduce(lambda one, two: tuple(a.merged(b) for a, b in zip(one, two, strict=True)), counted)


def _parts(length: int, blocks: int, threads: int) -> list[tuple[int, int]]:
    """Split a length into ranges, one for each thread, of so many blocks in all; small images stay whole."""
    count = min(max(min(threads, blocks // _BLOCKS_PER_THREAD), -(-blocks // _MOST_BLOCKS), 1), length)
    return list(pairwise(length * part // count for part in range(count + 1)))
