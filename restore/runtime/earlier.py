"""Whether the picture of a JPEG file was a JPEG file before, with which quantization steps and on which grid of blocks.

A picture that was coded coarsely and is saved again at a high quality keeps the errors of its first coding, but the
file no longer tells their size. The coefficients do: they are near multiples of the first steps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt

from optcodec import annex_k_tables
from restore.runtime.decode import Received
from restore.runtime.grids import on_other_grid, on_present_grid, promising_shifts, sampled_regions
from restore.runtime.multiples import MAX_STEP, Doubles, Histograms, evidence_of_steps

__all__ = ["EarlierCoding", "find_earlier_coding"]

Steps = npt.NDArray[np.int64]

_GRIDS = 4  # other grids that are examined in full
_LEAST_EVIDENCE = 60.0  # nats for all of the picture
_LEAST_CONFIDENCE = 0.02  # nats for a coefficient that is not 0
_COARSER = 0.1  # how many octaves an earlier coding is coarser, on average over the frequencies that tell
_FAMILY_SHARE = 0.9  # of the evidence for steps free to be any, that those of a quality must reach
_SINGLE = 10.0  # nats for one frequency by itself; ln 255, for having the choice among all steps, and some more
_TELLING = 20  # coefficients of a frequency that are not 0
_FEWEST = 4  # frequencies, for steps which are not those of a quality
_AGREEING = 0.7  # of the frequencies that could tell, for steps which are not those of a quality


@dataclass(frozen=True)
class EarlierCoding:
    """What a file tells about the coding before the present one.

    Parameters
    ----------
    steps : ndarray of uint16, shape (tables, 8, 8)
        Quantization steps, in natural order: those of luminance and, where the file has colour, of chrominance.
    quality : int or None
        The quality factor of the Independent JPEG Group, if the steps are those of Annex K at that quality.
    shift : (int, int)
        Row and column, 0..7, at which the first whole block of the earlier grid starts.
    confidence : float
        Logarithm of the likelihood ratio against "coded once", in nats for each coefficient that is not 0.
    """

    steps: npt.NDArray[np.uint16]
    quality: int | None
    shift: tuple[int, int]
    confidence: float


@dataclass(frozen=True)
class _Candidate:
    """Luminance steps in one line, and what speaks for them."""

    steps: Steps
    quality: int | None
    evidence: float
    confidence: float = 0.0


def find_earlier_coding(received: Received) -> EarlierCoding | None:
    """Find out whether the picture was coded before, with coarser steps.

    Parameters
    ----------
    received : Received
        The file.

    Returns
    -------
    EarlierCoding or None
        None if nothing speaks for an earlier coding, or if that had finer steps than the present one. That is also the
        answer for pictures that were resized in between.

    Raises
    ------
    MalformedJpegError
        If the coefficients are damaged.

    Notes
    -----
    The present grid is examined first. If it says nothing, the decoded pixels are examined on the other grids, of which
    a few promising ones are chosen. On each grid, the likelihood of the coefficients is compared for the tables of all
    quality factors, and for steps that are chosen frequency by frequency. The result depends on the file only.
    """
    regions = sampled_regions(received)
    if not regions:
        return None
    present = received.steps(0).reshape(64).astype(np.int64)
    shift, best = (0, 0), _examined(on_present_grid(regions, received.steps(0)), present)
    if best is None:
        for other in promising_shifts(regions, _GRIDS):
            candidate = _examined(on_other_grid(regions, received.steps(0), other), present)
            if candidate and (best is None or candidate.evidence > best.evidence):
                shift, best = other, candidate
    if best is None:
        return None
    tables = [best.steps]
    if not received.is_gray:
        tables.append(_annex_k(1)[(best.quality or _nearest_quality(best.steps, np.full(64, True))) - 1])
    steps = np.stack(tables).reshape(-1, 8, 8).astype(np.uint16)
    return EarlierCoding(steps, best.quality, shift, best.confidence)


def _examined(values: Histograms, present: Steps) -> _Candidate | None:
    """The luminance steps that the values on a grid speak for, if they do and if these are coarser."""
    evidence = evidence_of_steps(values)
    candidate = _best_quality(evidence)
    free = _best_steps(evidence, values, present)
    if free and candidate.evidence < _FAMILY_SHARE * free.evidence:
        candidate = free
    telling = values.nonzero >= _TELLING
    confidence = candidate.evidence / max(1.0, float(values.nonzero[1:].sum()))
    if candidate.evidence < _LEAST_EVIDENCE or confidence < _LEAST_CONFIDENCE or not np.any(telling):
        return None
    if np.log2(candidate.steps / present)[telling].mean() < _COARSER:
        return None
    return replace(candidate, confidence=confidence)


def _best_quality(evidence: Doubles) -> _Candidate:
    """The quality factor whose steps have most evidence, whatever that is."""
    totals = evidence[:, np.arange(64), _annex_k(0)].sum(axis=2)
    quality = int(totals.max(axis=0).argmax()) + 1
    return _Candidate(_annex_k(0)[quality - 1], quality, float(totals.max()))


def _best_steps(evidence: Doubles, values: Histograms, present: Steps) -> _Candidate | None:
    """The step with most evidence at each frequency, if nearly all frequencies that could tell have one."""
    most = evidence.max(axis=2)
    alone = np.where(most >= _SINGLE, most, 0)
    share = int(alone.sum(axis=1).argmax())
    steps = evidence[share].argmax(axis=1)
    known = (alone[share] > 0) & (steps > present)
    telling = values.nonzero >= _TELLING
    telling[0] = False
    if known.sum() < _FEWEST or (known & telling).sum() < _AGREEING * telling.sum():
        return None
    return _Candidate(_completed(steps, known), None, float(alone[share, known].sum()))


def _completed(steps: Steps, known: npt.NDArray[np.bool_]) -> Steps:
    """Fill in unknown steps: those of the nearest quality, times the ratio to it of known steps at like frequencies."""
    table = _annex_k(0)[_nearest_quality(steps, known) - 1]
    places = np.indices((8, 8)).reshape(2, 64)
    distances = ((places[:, :, None] - places[:, None, known]) ** 2).sum(axis=0)
    weights = 1 / np.maximum(distances, 1)
    ratios = np.exp(weights @ np.log(steps[known] / table[known]) / weights.sum(axis=1))
    return np.where(known, steps, np.clip(np.rint(table * ratios), 1, MAX_STEP)).astype(np.int64)


def _nearest_quality(steps: Steps, known: npt.NDArray[np.bool_]) -> int:
    """The quality factor whose luminance steps differ least in their logarithms."""
    distances = np.log(_annex_k(0)[:, known] / steps[known])
    return int((distances**2).sum(axis=1).argmin()) + 1


@cache
def _annex_k(index: int) -> Steps:
    """The steps of luminance (0) or chrominance (1) at qualities 1..100, shape (100, 64)."""
    return np.stack([annex_k_tables(quality)[index].steps.reshape(64) for quality in range(1, 101)]).astype(np.int64)
