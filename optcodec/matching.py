"""From a target to a search: what targets have in common, how closely they are met, and the goals of each kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from optcodec.errors import InvalidInputError
from optcodec.jpeg.sources import CoefficientSource, PixelSource
from optcodec.jpeg.tables import QuantTable
from optcodec.jpeg.writer import write_jpeg
from optcodec.lines import Candidate, Goal, Line
from optcodec.pictures.pixels import decoded_pixels
from optcodec.search import SearchResult, search

__all__ = [
    "MET",
    "TABLE_TOLERANCES",
    "TRELLIS_TOLERANCES",
    "Target",
    "TargetLine",
    "Tolerances",
    "check_target",
    "decoded_distance",
    "error_goals",
    "file_goal",
    "meet",
    "reference_pixels",
    "size_goal",
]

Pixels = npt.NDArray[np.uint8]

MET = 0.01  # part of a rate, or of an SWE, that may stay unused where it counts as reached


@dataclass(frozen=True)
class Tolerances:
    """Parts of a limit that may stay unused when a search ends.

    Parameters
    ----------
    size, error, pixels : float
        Of a file size; of a weighted error of coefficients; of a distance between decoded pixels.
    quality : float
        Of a quality, such as a PSNR in dB, which changes far less than the error behind it.
    accepted : float
        Of a distance between decoded pixels: files that leave no more unused are compared by their bytes, of others
        the nearest is kept.
    """

    size: float
    error: float
    pixels: float
    quality: float
    accepted: float


# Tables move in whole steps, so that a size cannot always be met more closely; their error is known without a file.
TABLE_TOLERANCES = Tolerances(size=0.01, error=1e-5, pixels=0.002, quality=2e-4, accepted=math.inf)
TRELLIS_TOLERANCES = Tolerances(size=0.002, error=0.002, pixels=0.002, quality=2e-4, accepted=0.0045)

C = TypeVar("C", bound=Candidate)


class TargetLine(Line[C], Protocol[C]):
    """A line of files together with what targets ask about the image."""

    @property
    def pixels(self) -> int:
        """Number of pixels of the image, or of all images of a data set."""

    @property
    def tolerances(self) -> Tolerances:
        """How closely the line comes to a limit."""

    def reference(self) -> Pixels:
        """The pixels that decoded files are compared with."""

    def errors_of(self, tables: Sequence[QuantTable]) -> tuple[float, ...]:
        """Weighted error of luminance and chrominance where all coefficients are rounded to the nearest index."""

    def level_like(self, quality: int) -> float | None:
        """Level with about the error of default JPEG at a quality factor, if it is known without a search."""

    def apart(self, luminance: C | None) -> TargetLine[C]:
        """The line on which only luminance moves, or, beside the luminance of a candidate, only chrominance."""


class Target:
    """What a user asks of a file."""

    needs_file: ClassVar[bool] = False  # whether it is measured on the decoded file of a single image

    def goals(self, line: TargetLine[C]) -> tuple[Goal, ...]:
        """One goal; or one of luminance and one of chrominance, which are met one after the other."""
        raise InvalidInputError(f"expected a target to search for, such as Bpp(1.0), got {self!r}")

    def budget(self, pixels: int) -> int | None:
        """Bytes that the target allows a file of so many pixels; None if it is not a size."""
        return None

    def allows(self, original: bytes, pixels: int) -> bool:
        """Whether a JPEG file that is to be transcoded meets the target already: it has no error against itself."""
        budget = self.budget(pixels)
        return budget is None or len(original) <= budget


def check_target(target: object) -> None:
    """Raise `InvalidInputError` unless the value is a target."""
    if not isinstance(target, Target):
        raise InvalidInputError(f"expected a target such as Bpp(1.0) or MatchPsnr(36.0), got {target!r}")


def meet(line: TargetLine[C], target: Target) -> SearchResult[C]:
    """The best file of a line that meets a target.

    Raises
    ------
    InvalidInputError
        If the target is not one to search for.
    TargetNotMetError
        If the target cannot be met.
    """
    check_target(target)
    goals = target.goals(line)
    if len(goals) == 1:
        return search(line, goals[0], target)
    luminance = search(line.apart(None), goals[0], target)
    return search(line.apart(luminance.candidate), goals[1], target)


def size_goal(target: Target, line: TargetLine[C], *, accepted: float = math.inf) -> Goal:
    """The size of the file: the file with the least weighted error that is no larger.

    Parameters
    ----------
    target : Target
        One with a budget.
    line : TargetLine
        The files.
    accepted : float
        Part of the budget: files that leave no more unused are compared by their error, of others the nearest is kept.
    """
    limit = target.budget(line.pixels)
    assert limit is not None
    return Goal(
        lambda candidate: candidate.nbytes,
        limit,
        f"{target}: a file size in bytes",
        rising=False,
        tolerance=line.tolerances.size * limit,
        accepted=accepted * limit,
    )


def error_goals(
    target: Target,
    line: TargetLine[C],
    errors_of: Callable[[Candidate], Sequence[float]],
    limits: Sequence[float],
    *,
    start: float | None = None,
) -> tuple[Goal, ...]:
    """Weighted errors of coefficients: in total, or of luminance and of chrominance.

    Parameters
    ----------
    target : Target
        For messages.
    line : TargetLine
        The files.
    errors_of : callable
        Errors of a candidate's luminance and chrominance.
    limits : sequence of float
        Of the total, or of both.
    start : float, optional
        Level to try first.
    """
    measures: list[Callable[[Candidate], float]] = [lambda candidate: sum(errors_of(candidate))]
    if len(limits) > 1:
        measures = [lambda candidate: errors_of(candidate)[0], lambda candidate: errors_of(candidate)[1]]
    tolerances = line.tolerances
    return tuple(
        Goal(
            measure,
            limit * (1 + 1e-12),  # rounding in the sums must not turn an equal error into a larger one
            f"{target}: a weighted error",
            tolerance=tolerances.error * limit,
            accepted=tolerances.error * limit,
            start=start,
        )
        for measure, limit in zip(measures, limits, strict=True)
    )


def file_goal(line: TargetLine[C], distance: Callable[[Candidate], float], limit: float, what: str) -> Goal:
    """A number that is measured on the file, and rises as the file gets coarser."""
    unused, accepted = line.tolerances.pixels * limit, line.tolerances.accepted * limit
    return Goal(distance, limit, what, tolerance=unused, accepted=accepted, of_file=True)


def reference_pixels(source: PixelSource | CoefficientSource) -> Pixels:
    """The pixels that are coded, or those that a JPEG file decodes to."""
    if isinstance(source, PixelSource):
        return source.pixels
    return decoded_pixels(write_jpeg(source.image), "L" if source.sampling == "grey" else "RGB")


def decoded_distance(reference: Pixels, between: Callable[[Pixels, Pixels], float]) -> Callable[[Candidate], float]:
    """Distance of a candidate's file, decoded as libjpeg-turbo does it, from the pixels that it was made from.

    Parameters
    ----------
    reference : ndarray of uint8, shape (height, width, 3) or (height, width)
        The pixels.
    between : callable
        Distance of two arrays of pixels.
    """
    mode = "RGB" if reference.ndim == 3 else "L"
    return lambda candidate: between(reference, decoded_pixels(candidate.data, mode))
