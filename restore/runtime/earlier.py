"""Whether the picture of a JPEG file was a JPEG file before, with which quantization steps and on which grid of blocks.

A picture that was coded coarsely and is saved again at a high quality keeps the errors of its first coding, but the
file no longer tells their size. The coefficients do: they are near multiples of the first steps.
"""

from __future__ import annotations

import math
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

_GRIDS = 3  # other grids that are examined in full
_LEAST_EVIDENCE = 60.0  # nats for all of the picture
_LEAST_CONFIDENCE = 0.03  # nats for a coefficient that is not 0; noise that was coded once reaches 0.018
_LEAST_CONFIDENCE_ELSEWHERE = 0.003  # the same for other grids, where coefficients that were coded once have far less
_LEAST_CONFIDENCE_FREE = 0.05  # for steps that were chosen frequency by frequency
_COARSER = 0.1  # how many octaves an earlier coding is coarser, on average over the frequencies that tell
_FAMILY_SHARE = 0.8  # of the evidence for steps chosen frequency by frequency, that those of a quality must reach
_CHOICE = math.log(MAX_STEP)  # nats that the best of all steps has by being chosen
_SINGLE = 5.0  # nats more for the step of one frequency
_TELLING = 20  # coefficients of a frequency that are not 0
# steps which are not those of a quality:
_VISIBLE = 1.3  # ratio to the present step from which a frequency should show the earlier one
_FEWEST = 4  # frequencies that should
_AGREEING = 0.6  # share of them that do


@dataclass(frozen=True, eq=False)
class EarlierCoding:
    """What a file tells about the coding before the present one.

    Parameters
    ----------
    steps : ndarray of uint16, shape (tables, 8, 8)
        Quantization steps, in natural order, read-only: those of luminance and, where the file has colour, of
        chrominance. The latter are not measured, because most files resampled chrominance in between: they are those
        of Annex K at the quality of luminance, or at the one that is nearest to its steps.
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

    An earlier coding is missed most often where nearly all blocks hold black, white or saturated pixels, which the
    first decoder clipped (text on white, for instance), in pictures of few blocks, and after cropping where both
    codings had about the same steps.
    """
    regions = sampled_regions(received)
    if not regions:
        return None
    present = received.steps(0).reshape(64).astype(np.int64)
    shift, best = (0, 0), _examined(on_present_grid(regions, received.steps(0)), present, _LEAST_CONFIDENCE)
    if best is None:
        for other in promising_shifts(regions, _GRIDS):
            values = on_other_grid(regions, received.steps(0), other)
            candidate = _examined(values, present, _LEAST_CONFIDENCE_ELSEWHERE)
            if candidate and (best is None or candidate.evidence > best.evidence):
                shift, best = other, candidate
    if best is None:
        return None
    tables = [best.steps]
    if not received.is_gray:
        tables.append(_annex_k(1)[(best.quality or _nearest_quality(best.steps, np.full(64, True))) - 1])
    steps = np.stack(tables).reshape(-1, 8, 8).astype(np.uint16)
    steps.flags.writeable = False
    return EarlierCoding(steps, best.quality, shift, best.confidence)


def _examined(values: Histograms, present: Steps, least: float) -> _Candidate | None:
    """The luminance steps that the values on a grid speak for, if they do and if these are coarser."""
    evidence = evidence_of_steps(values)
    telling = values.nonzero >= _TELLING
    if not np.any(telling):
        return None
    total = float(values.nonzero.sum())
    candidate = _best_quality(evidence)
    steps, known, free = _best_steps(evidence)
    if candidate.evidence < _FAMILY_SHARE * free:
        if not np.any(known):
            return None
        candidate, least = _Candidate(_completed(steps, known), None, free), _LEAST_CONFIDENCE_FREE
        expected = telling & (candidate.steps >= _VISIBLE * present)
        if expected.sum() < _FEWEST or known[expected].mean() < _AGREEING:
            return None
    coarser = np.log2(candidate.steps / present)[telling].mean()
    if candidate.evidence < max(_LEAST_EVIDENCE, least * total) or coarser < _COARSER:
        return None
    return replace(candidate, confidence=candidate.evidence / total)


def _best_quality(evidence: Doubles) -> _Candidate:
    """The quality factor whose steps have most evidence, whatever that is."""
    totals = evidence[:, np.arange(64), _annex_k(0)].sum(axis=2)
    quality = int(totals.max(axis=0).argmax()) + 1
    return _Candidate(_annex_k(0)[quality - 1], quality, float(totals.max()))


def _best_steps(evidence: Doubles) -> tuple[Steps, npt.NDArray[np.bool_], float]:
    """The step with most evidence at each frequency, whether it has enough of it, and the evidence of those in all."""
    most = evidence.max(axis=2) - _CHOICE
    enough = most >= _SINGLE
    totals = np.where(enough, most, 0).sum(axis=1)
    share = int(totals.argmax())
    return evidence[share].argmax(axis=1), enough[share], float(totals[share])


def _completed(steps: Steps, known: npt.NDArray[np.bool_]) -> Steps:
    """Fill in unknown steps from the known ones, by the shape of Annex K's table as far as they have it.

    In logarithms, a line through the steps of Annex K (a slope of 1 for a multiple of that table, 0 for a flat one),
    and the mean distance from it of known steps, which count the less the farther their frequency is.
    """
    shape, found = np.log(_annex_k(0)[49]), np.log(steps[known])
    deviation = shape[known] - shape[known].mean()
    slope = np.clip(deviation @ found / max(deviation @ deviation, 1e-9), 0, 1)
    line = found.mean() + slope * (shape - shape[known].mean())
    places = np.indices((8, 8)).reshape(2, 64)
    weights = 1 / np.maximum(((places[:, :, None] - places[:, None, known]) ** 2).sum(axis=0), 1)
    filled = np.exp(line + weights @ (found - line[known]) / weights.sum(axis=1))
    return np.where(known, steps, np.clip(np.rint(filled), 1, MAX_STEP)).astype(np.int64)


def _nearest_quality(steps: Steps, known: npt.NDArray[np.bool_]) -> int:
    """The quality factor whose luminance steps differ least in their logarithms."""
    distances = np.log(_annex_k(0)[:, known] / steps[known])
    return int((distances**2).sum(axis=1).argmin()) + 1


@cache
def _annex_k(index: int) -> Steps:
    """The steps of luminance (0) or chrominance (1) at qualities 1..100, shape (100, 64)."""
    return np.stack([annex_k_tables(quality)[index].steps.reshape(64) for quality in range(1, 101)]).astype(np.int64)
