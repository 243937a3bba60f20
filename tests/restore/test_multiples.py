"""The likelihood that values are multiples of a step, compared with a naive twin and on values that have none."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from restore.runtime import multiples
from restore.runtime.multiples import Histograms, evidence_of_steps


def naive_evidence(
    counts: np.ndarray, smooth: np.ndarray, width: float, noise: float, step: int, share: float
) -> float:
    """Multiple by multiple, with their probabilities added up over the smooth distribution in tenths of a cell."""
    sizes = (np.arange(10 * len(smooth)) + 0.5) / 10 * width  # cell 0 is half as wide as the others
    cell_of = np.minimum(np.rint(sizes / width).astype(int), len(smooth) - 1)
    parts = np.bincount(cell_of, minlength=len(smooth))
    density = smooth[cell_of] / parts[cell_of]
    multiples_of = np.rint(sizes / step).astype(int)
    combed = np.zeros(len(smooth))
    for m in range(1, multiples_of.max() + 1):
        mass = density[multiples_of == m].sum()
        edges = scipy.stats.norm.cdf(((np.arange(len(smooth) + 1) - 0.5) * width - m * step) / noise)
        combed += mass * np.diff(edges)
    zeros = smooth * scipy.stats.norm.pdf(np.arange(len(smooth)) * width / (2 * noise))
    combed += density[multiples_of == 0].sum() * zeros / zeros.sum()
    ratio = (1 - share) * combed / combed.sum() / smooth + share
    return float(np.sum(counts * np.log(ratio)))


def test_evidence_is_that_of_the_naive_twin() -> None:
    rng = np.random.default_rng(0)
    width, noise, step = 4.0, 1.5, 23
    sizes = np.abs(np.rint(rng.laplace(0, 60, 4000) / step) * step + rng.normal(0, noise, 4000))
    counts = np.zeros((64, 128))
    counts[7] = np.bincount(np.rint(sizes / width).astype(int), minlength=128)[:128]
    evidence = evidence_of_steps(Histograms(counts, np.full(64, width), np.full(64, noise), chosen=False))
    smooth = multiples._fit_smooth(counts, np.full(128, True))[1][7]
    for step in (17, 23, 24, 46):
        for index, share in enumerate(multiples.OUTLIERS):
            naive = naive_evidence(counts[7], smooth, width, noise, step, share)
            assert evidence[index, 7, step] == pytest.approx(naive, rel=0.03, abs=30)
    assert evidence[0, 7].argmax() == 23
    assert not evidence[:, [0, 6, 8]].any()


@pytest.mark.parametrize("chosen", [False, True])
def test_smooth_values_speak_for_no_step(chosen: bool) -> None:
    rng = np.random.default_rng(3)
    counts = np.zeros((64, 128))
    for frequency in range(1, 64):
        values = rng.laplace(0, 0.3 * frequency, 5000) if frequency % 2 else rng.normal(0, 0.4 * frequency + 4, 5000)
        counts[frequency] = np.bincount(np.minimum(np.rint(np.abs(values)), 128).astype(int), minlength=129)[:128]
        if chosen:  # an encoder that takes half of the ones away
            counts[frequency, 1] //= 2
    evidence = evidence_of_steps(Histograms(counts, np.full(64, 5.0), np.full(64, 0.4), chosen))
    assert evidence.max(axis=(0, 2)).mean() < 10  # nats of 5000 values, the most for 3 * 255 hypotheses
    assert evidence.max() < 50


def test_equal_blocks_count_once() -> None:
    sizes = np.zeros((30, 64), np.int32)
    sizes[:, 0] = np.arange(30)  # DC does not make them different
    sizes[20:, 5] = 3
    sizes[29, 9] = 200
    counts = multiples.count_sizes(sizes)
    assert counts[5].sum() == 3
    assert (counts[5, 0], counts[5, 3]) == (1, 2)
    assert counts[9].sum() == 2  # sizes beyond the last cell are not counted
