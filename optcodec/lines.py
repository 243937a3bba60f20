"""What a search for a target works on: candidate files, lines of candidates by level, and the goal of the search."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

from optcodec.jpeg.tables import QuantTable

__all__ = ["Bracket", "Candidate", "Goal", "Line", "Moves", "Refinement"]


class Candidate(Protocol):
    """A file that could be the result: each property is computed when it is first asked for."""

    @property
    def key(self) -> Hashable:
        """What tells it from other candidates: equal keys mean equal files."""

    @property
    def tables(self) -> tuple[QuantTable, ...]:
        """Its quantization tables."""

    @property
    def data(self) -> bytes:
        """The file."""

    @property
    def nbytes(self) -> int:
        """Size of the file in bytes; of all files, where one set of tables is designed for several images."""
        return len(self.data)

    @property
    def rate(self) -> float:
        """Size in bytes to compare candidates by; an estimate where no file was written to measure them."""
        return self.nbytes

    @property
    def errors(self) -> tuple[float, ...]:
        """Weighted squared error of luminance, and of chrominance if there is any, as the line weighs it."""

    @property
    def swe(self) -> tuple[float, ...]:
        """Sensitivity weighted error of luminance, and of chrominance, see `optcodec.metrics.swe`."""


C = TypeVar("C", bound=Candidate)


@dataclass(frozen=True)
class Goal:
    """What a target asks of a file: a measure that comes close to a limit and never exceeds it.

    Parameters
    ----------
    measure : callable
        Number that belongs to a candidate.
    limit : float
        Largest measure that is allowed.
    what : str
        What is measured, for messages.
    rising : bool
        Whether the measure rises with the level, as errors do; sizes fall. Of candidates that meet a limit of an error,
        the one with the fewest bytes is kept; of those that meet a limit of a size, the one with the least weighted
        error.
    tolerance : float
        How much of the limit may stay unused when the search ends, in the unit of the measure, as the next one.
    accepted : float
        Candidates that leave no more than this unused are compared by error or bytes; of others, the nearest is kept.
    negative : bool
        Whether measure and limit are the negative numbers of a quality; messages name the quality.
    of_file : bool
        Whether the measure is a distance that only the written file tells.
    start : float, optional
        Level to try first.
    """

    measure: Callable[[Candidate], float]
    limit: float
    what: str
    rising: bool = True
    tolerance: float = 0.0
    accepted: float = math.inf
    negative: bool = False
    of_file: bool = False
    start: float | None = None

    def shown(self, measured: float) -> str:
        """A measure as text for a message."""
        return f"{-measured if self.negative else measured:.10g}"

    def level(self, place: float) -> float:
        """The level that belongs to a place, where the measure rises with the place; also the way back."""
        return place if self.rising else 1 / place


@runtime_checkable
class Moves(Protocol[C]):
    """Single changes of a candidate, each expected to use up a part of what is left of the limit."""

    @property
    def most(self) -> int:
        """How many changes are tried at most, so that every search ends."""

    @property
    def first(self) -> C:
        """The candidate to start from, which keeps the limit."""

    def next(self, candidate: C, rest: float) -> C | None:
        """The candidate with one more change, or None if there is none that is expected to fit."""

    def refuse(self) -> None:
        """Do not propose the last change again: the candidate exceeded the limit."""


class Line(Protocol[C]):
    """Candidates by level, a number above 0: the larger the level, the coarser the file."""

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest level."""

    def at(self, level: float) -> C:
        """The candidate of a level."""

    def start(self, goal: Goal) -> float:
        """Level to try first."""

    def growth(self, goal: Goal) -> float:
        """Power of the place (`Goal.level`) with which the measure rises, about; for lines without an estimate."""

    def near(self, goal: Goal) -> float:
        """How much of the limit may stay unused on this line; refinements use it up. What the goal tolerates."""
        return goal.tolerance

    def estimate(self, goal: Goal) -> Callable[[float], float] | None:
        """Estimate, by level, of a number that grows in proportion to the measure, if there is a cheap one."""
        return None

    def settled(self, lower: float, upper: float) -> bool:
        """Whether there is nothing to search for between two levels."""

    def refinements(self, goal: Goal) -> Sequence[Sequence[Refinement[C]]]:
        """Groups of ways to use up what the line leaves of the limit.

        All ways of a group are tried, so that the better file is kept; the next group only if the limit is not used up.
        By default there are none.
        """
        return ()


@dataclass(frozen=True)
class Bracket:
    """Where the walk along a line ended.

    Parameters
    ----------
    fits : float
        The level nearest to the limit that keeps it.
    exceeds : float, optional
        The next level that exceeds the limit; None where none was tried.
    excess : float
        By how much it exceeds the limit, in the unit of the measure.
    """

    fits: float
    exceeds: float | None = None
    excess: float = math.inf


# Takes the bracket and the best candidate so far; gives another line, or moves; None where there is nothing to try.
Refinement = Callable[[Bracket, C], "Line[C] | Moves[C] | None"]
