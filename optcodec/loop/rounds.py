"""The loop: code, decode, ask the reader, move the indices, and keep the best file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from optcodec.jpeg.image import CoefficientImage, Component, DctImage
from optcodec.loop.adjoint import coefficient_gradients
from optcodec.loop.judge import DecodedFile, Judge, Verdict
from optcodec.loop.steering import moved, target_image
from optcodec.trellis.line import CodedFile

__all__ = ["ReadFile", "decoded_file", "gradient_at", "least_loss", "read", "rounds_from"]

# After a step that did not lower the loss the next one starts from the best indices again, and is shorter by a factor
# between these.
_SHORTEST, _LONGEST = 0.1, 0.5


@dataclass(frozen=True, eq=False)
class ReadFile:
    """A file that was read.

    Parameters
    ----------
    data : bytes
        The file.
    verdict : Verdict
        What its readers say of it.
    """

    data: bytes
    verdict: Verdict


def least_loss(files: Iterable[ReadFile]) -> ReadFile:
    """The file that costs least, the first one of several."""
    return min(files, key=lambda file: file.verdict.cost)


def gradient_at(file: CodedFile, judge: Judge) -> npt.NDArray[np.float32]:
    """The gradient of the loss of a file of the trellis by its decoded pixels."""
    return judge.gradient(decoded_file(file))[1]


def decoded_file(file: CodedFile) -> DecodedFile:
    """A file of the trellis with its pixels."""
    return _decoded(file.data, file.coded)


def read(data: bytes, judge: Judge, *, grey: bool) -> ReadFile:
    """A file with its loss."""
    return ReadFile(data, judge.verdict(DecodedFile.of(data, grey=grey)))


def _decoded(data: bytes, coded: CoefficientImage) -> DecodedFile:
    return DecodedFile.of(data, grey=len(coded.components) == 1)


def rounds_from(start: CodedFile, judge: Judge, budget: int, rounds: int) -> Iterator[ReadFile]:
    """Files of a size: one for each gradient, as long as there is something to change, and the first if it fits.

    Parameters
    ----------
    start : CodedFile
        The file of the trellis to start from.
    judge : Judge
        What reads the files.
    budget : int
        Bytes that a file may have at most.
    rounds : int
        How many gradients are asked for.
    """
    asked: _Asked | None = None
    coded, data, price, pace = start.coded, start.data, 1.0, judge.pace
    for _ in range(rounds):
        decoded = _decoded(data, coded)
        verdict, gradient = judge.gradient(decoded)
        fits = len(data) <= budget  # as all do but the first one
        if fits:
            yield ReadFile(data, verdict)
        if asked is None or verdict.cost < asked.cost:
            if not gradient.any():
                return
            slopes = coefficient_gradients(gradient, decoded.pixels, coded.subsampling)
            asked = _Asked(verdict.cost if fits else math.inf, coded, slopes)
        else:
            pace = replace(pace, share=pace.share * asked.shortened(verdict.cost, coded))
        targets = target_image(start.coder, asked.coded, asked.slopes, pace)
        step = moved(start, targets, asked.coded, budget, price)
        if step is None:
            return
        coded, data, price = step.coded, step.data, step.price
    if len(data) <= budget:
        yield ReadFile(data, judge.verdict(_decoded(data, coded)))


@dataclass(frozen=True, eq=False)
class _Asked:
    """Indices with their cost, infinite if their file is too large, and its derivative by each coefficient."""

    cost: float
    coded: CoefficientImage
    slopes: DctImage

    def shortened(self, cost: float, coded: CoefficientImage) -> float:
        """The part of a step to other indices after which a parabola is least, from both costs and the slope here."""
        expected = sum(
            float((slope.coefficients * _moves(before, after, self.coded)).sum(dtype=np.float64))
            for slope, before, after in zip(
                self.slopes.components, self.coded.components, coded.components, strict=True
            )
        )
        least = expected / (2 * (expected - (cost - self.cost))) if expected < 0 else _SHORTEST
        return min(max(least, _SHORTEST), _LONGEST)


def _moves(before: Component, after: Component, image: CoefficientImage) -> npt.NDArray[np.float64]:
    """Changes of dequantized coefficients."""
    changes: npt.NDArray[np.float64] = (after.blocks - before.blocks) * image.tables[before.table].steps.astype(float)
    return changes
