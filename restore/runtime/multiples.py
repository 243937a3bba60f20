"""Whether values are multiples of an unknown step, up to noise: the likelihood of their histogram for every step.

A coefficient that was quantized with a step before is near a multiple of it. How near depends on what was done to the
picture since; how often each multiple occurs depends on the picture, of which only a smooth distribution is assumed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["MAX_STEP", "OUTLIERS", "Histograms", "count_sizes", "evidence_of_steps"]

Doubles = npt.NDArray[np.float64]

MAX_STEP = 255  # the largest step of a baseline file (T.81, B.2.4.1)
OUTLIERS = (0.02, 0.1, 0.4)  # shares of values, tried in turn, which something else than the noise has moved
_BINS = 128  # cells of the histogram of sizes |x|; larger values are not counted
_SCALES = np.geomspace(0.25, 64, 9)  # mean sizes, in cells, of the Laplacians that a smooth distribution is made of
_SPREADS = np.geomspace(2, 64, 6)  # standard deviations, in cells, of its normal distributions, for noise and texture
_ROUNDS = 60  # of expectation maximization; the likelihood has settled long before
_STEEP = 0.01  # share of all parts but that for 0 in the mixture that the fit starts from
_WINDOW = 2.0  # in standard deviations of the noise: how far a value that was quantized to 0 strays
_REACH = 3.5  # in standard deviations of the noise: how far other values stray
_STEPS = np.arange(1, MAX_STEP + 1)
_PER_UNIT, _FARTHEST = 200, 6  # places in the table of the normal distribution, and where it ends
_NORMAL = np.array(
    [math.erf(x / _PER_UNIT / math.sqrt(2)) / 2 + 0.5 for x in range(-_PER_UNIT * _FARTHEST, _PER_UNIT * _FARTHEST + 1)]
)


@dataclass(frozen=True)
class Histograms:
    """Sizes of values, one histogram for each frequency.

    Parameters
    ----------
    counts : ndarray of float64, shape (64, 128)
        How many values x have the size |x| = k `width`, rounded to the nearest k.
    width : ndarray of float64, shape (64,)
        Width of the cells.
    noise : ndarray of float64, shape (64,)
        Standard deviation of what was added to the multiples of the step.
    chosen : bool
        Whether the cells are those of a file, whose encoder may have put values of the cell 1 into that of 0 to save
        bits. The cell 1 is then passed over.
    """

    counts: Doubles
    width: Doubles
    noise: Doubles
    chosen: bool

    @property
    def nonzero(self) -> Doubles:
        """How many values of each frequency are in other cells than that of 0, shape (64,)."""
        total: Doubles = self.counts[:, 1:].sum(axis=1)
        return total


def count_sizes(sizes: npt.NDArray[np.int32]) -> Doubles:
    """Histograms of the columns of sizes in cells, shape (blocks, 64); gives the `counts` of `Histograms`.

    Blocks whose sizes agree but for DC count once: patterns that repeat, as in drawings and on screens, have few
    different coefficients because there are few different blocks, whatever their steps.
    """
    clipped = np.minimum(sizes, _BINS).astype(np.uint8)
    rows = np.ascontiguousarray(clipped[:, 1:]).view(np.dtype((np.void, 63))).reshape(-1)
    distinct = clipped[np.unique(rows, return_index=True)[1]]
    return np.stack([np.bincount(column, minlength=_BINS + 1)[:_BINS] for column in distinct.T]).astype(np.float64)


def evidence_of_steps(values: Histograms) -> Doubles:
    """Compare "multiples of a step, and noise" with "smooth", for every frequency and step.

    Parameters
    ----------
    values : Histograms
        The values. In the place of DC there are differences between blocks, because no smooth distribution that is
        known beforehand describes DC itself.

    Returns
    -------
    ndarray of float64, shape (3, 64, 256)
        Logarithm of the likelihood ratio (natural, so its unit is the nat), positive where the values speak for
        multiples: by the share in `OUTLIERS`, by frequency and by step. It is 0 for the step 0, and where all values
        are 0.

    Notes
    -----
    That the histogram of coefficients which were quantized twice tells the first step is due to Lukas and Fridrich,
    "Estimation of primary quantization matrix in double compressed JPEG images", DFRWS 2003; that a likelihood over
    steps finds them in the pixels of a decoded file, to Fan and de Queiroz, "Identification of bitmap compression
    history: JPEG detection and quantizer estimation", IEEE Trans. Image Processing 12(2), 2003. The likelihood here
    differs from theirs. The smooth distribution is a mixture of zero, Laplacians and normal distributions, fitted to
    the same histogram. The one of step q has its mass in [(m - 1/2) q, (m + 1/2) q] at m q, spread by the noise; but
    the values at m = 0 keep the shape of the histogram there, because flat blocks have less noise than others.
    """
    counted = np.arange(_BINS) != 1 if values.chosen else np.full(_BINS, True)
    weights, smooth = _fit_smooth(values.counts, counted)
    evidence = np.zeros((len(OUTLIERS), 64, MAX_STEP + 1))
    for frequency in range(64):
        counts = values.counts[frequency]
        cells = np.flatnonzero(counts * counted)
        if not np.any(cells):
            continue
        noise, width = float(values.noise[frequency]), float(values.width[frequency])
        combed = _combed(weights[frequency], smooth[frequency], noise, width, int(cells[-1]))
        combed /= _positive(combed[:, counted].sum(axis=1, keepdims=True))
        for index, share in enumerate(OUTLIERS):
            ratio = (1 - share) * combed[:, cells] / smooth[frequency, cells] + share
            evidence[index, frequency, 1:] = np.log(ratio) @ counts[cells]
    return evidence


def _fit_smooth(counts: Doubles, counted: npt.NDArray[np.bool_]) -> tuple[Doubles, Doubles]:
    """Most likely mixture of the parts of `_tails`: weights, shape (64, 16), and probabilities of cells, (64, 128).

    Probabilities are those of values in the counted cells. The other cells are filled with what the mixture expects.
    """
    parts = -np.diff(_tails(np.arange(_BINS + 1) - np.float64(0.5)), axis=0).T
    parts /= parts.sum(axis=1, keepdims=True)
    total = np.maximum(counts[:, counted].sum(axis=1, keepdims=True), 1)
    # Where cells that are not counted leave it open, values of 0 come from the part for 0, not from steep ones.
    weights = np.full((len(counts), len(parts)), _STEEP / (len(parts) - 1))
    weights[:, 0] = 1 - _STEEP
    for _ in range(_ROUNDS):
        mixture = _positive(weights @ parts)
        seen = mixture[:, counted].sum(axis=1, keepdims=True)
        complete = np.where(counted, counts, total * mixture / seen)
        weights = weights * ((complete / mixture) @ parts.T)
        weights /= _positive(weights.sum(axis=1, keepdims=True))
    mixture = _positive(weights @ parts)
    return weights, mixture / mixture[:, counted].sum(axis=1, keepdims=True)


def _tails(sizes: Doubles) -> Doubles:
    """Probability that |x| is larger than each size, in cells, for each part of the smooth distribution.

    The parts are zero, then Laplacians, then normal distributions: shape (sizes, 16).
    """
    sizes = np.maximum(sizes, 0)[:, None]
    tails = np.hstack([np.zeros_like(sizes), np.exp(-sizes / _SCALES), 2 - 2 * _normal(sizes / _SPREADS)])
    tails[sizes[:, 0] == 0] = 1
    return tails


def _combed(weights: Doubles, smooth: Doubles, noise: float, width: float, last: int) -> Doubles:
    """Probabilities of the cells if values are multiples of a step and noise, shape (255, 128), one row for each step.

    Multiples beyond the cell `last`, the last one with values, are passed over.
    """
    # all pairs of a step and a multiple of it, m >= 1, in one array
    multiples = ((last + 3) * width / _STEPS).astype(np.int64) + 1
    rows = np.repeat(np.arange(len(_STEPS)), multiples)
    m = np.arange(len(rows)) - np.repeat(np.cumsum(multiples) - multiples, multiples) + 1
    steps = _STEPS[rows].astype(np.float64)
    # the same borders serve as the upper one of a multiple and as the lower one of the next
    borders = _tails((m + 0.5) * steps / width) @ weights
    first = _tails(_STEPS / (2 * width)) @ weights
    lower = np.where(m == 1, first[rows], np.roll(borders, 1))
    mass = lower - borders
    reach = max(2, math.ceil(_REACH * noise / width))
    edges = np.rint(m * steps / width)[:, None] + np.arange(-reach, reach + 2)  # half a cell further down
    within = _normal(((edges - 0.5) * width - (m * steps)[:, None]) / noise)
    cells = edges[:, :-1].astype(np.int64)
    inside = (cells >= 0) & (cells < _BINS)
    places = (rows[:, None] * _BINS + cells)[inside]
    shares = (mass[:, None] * np.diff(within, axis=1))[inside]
    combed = np.zeros((len(_STEPS), _BINS))
    combed += np.bincount(places, shares, combed.size).reshape(combed.shape)
    zeros = smooth * np.exp(-((np.arange(_BINS) * width / (_WINDOW * noise)) ** 2) / 2)
    combed += (1 - first)[:, None] * (zeros / zeros.sum())
    return combed


def _normal(x: Doubles) -> Doubles:
    """The cumulative distribution function of the standard normal distribution, from a table."""
    places = np.clip(np.rint((x + _FARTHEST) * _PER_UNIT), 0, len(_NORMAL) - 1).astype(np.int64)
    probabilities: Doubles = _NORMAL[places]
    return probabilities


def _positive(probabilities: Doubles) -> Doubles:
    return np.maximum(probabilities, 1e-300)
