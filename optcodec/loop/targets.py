"""Targets in the terms of a reader: the smallest file that it minds no more than that, or that it decides alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeVar, runtime_checkable

from optcodec.errors import InvalidInputError
from optcodec.lines import Candidate, Goal
from optcodec.matching import Target, TargetLine
from optcodec.scalars import real_number

__all__ = ["MaxLoss", "MaxLossIncrease", "ReaderTarget", "SameDecision"]

C = TypeVar("C", bound=Candidate)

_TOLERANCE = 0.05  # part of a loss that may stay unused: from one file to the next it is no smoother
_AGREES, _DIFFERS = 0.0, 1.0


@runtime_checkable
class _HasReader(Protocol):
    """A line of files that a reader has read."""

    def loss_of(self, candidate: Candidate) -> float:
        """Largest loss of a file of the line to one of its readers."""

    def increase_of(self, candidate: Candidate) -> float:
        """Largest increase of the loss of the decision that one of the readers makes on the original."""

    def agrees_on(self, candidate: Candidate) -> bool:
        """Whether the reader's decision on a file of the line is that on the original."""


class ReaderTarget(Target):
    """A target that is measured by the reader of `optcodec.encode`."""

    needs_file: ClassVar[bool] = True

    def goals(self, line: TargetLine[C]) -> tuple[Goal, ...]:
        """One goal, measured by the reader of the line."""
        if not isinstance(line, _HasReader):
            raise InvalidInputError(f"{self} is measured by a reader, but there is none; expected effort 4 with one")
        return (self._goal(line),)

    def allows(self, original: bytes, pixels: int) -> bool:
        """Whether a JPEG file that is to be transcoded meets the target already: others are compared with it."""
        return True

    def _goal(self, line: _HasReader) -> Goal:
        raise NotImplementedError


@dataclass(frozen=True)
class MaxLoss(ReaderTarget):
    """A loss of the reader, with several of each, that is not exceeded: the smallest file found that keeps it.

    Parameters
    ----------
    loss : float
        Above 0, in the unit of the reader, such as the divergence, in nats, of a network's output from that on the
        original.
    """

    loss: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "loss", real_number(self.loss, "a largest loss"))

    def _goal(self, line: _HasReader) -> Goal:
        return _goal(line.loss_of, self.loss, f"{self}: a loss", _TOLERANCE * self.loss)


@dataclass(frozen=True)
class MaxLossIncrease(ReaderTarget):
    """An increase of the loss of the decision on the original, with several readers of each, that is not exceeded: the
    smallest file found that keeps it.

    What the loop lowers stays the loss of the reader, such as the divergence of all classes.

    Parameters
    ----------
    increase : float
        0 or more, in nats: by how much the cross-entropy of the class that a network decides for on the original may
        be larger on the decoded file, in each of the views of a `NetworkReader`.
    """

    increase: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "increase", real_number(self.increase, "a largest increase", or_zero=True))

    def _goal(self, line: _HasReader) -> Goal:
        return _goal(line.increase_of, self.increase, f"{self}: an increase", _TOLERANCE * self.increase)


@dataclass(frozen=True)
class SameDecision(ReaderTarget):
    """The decision that the reader makes on the original, such as a network's most likely class, with several readers
    the decision of each: the smallest file found that keeps it."""

    def _goal(self, line: _HasReader) -> Goal:
        def measure(candidate: Candidate) -> float:
            return _AGREES if line.agrees_on(candidate) else _DIFFERS

        return _goal(measure, _AGREES, f"{self}: a number of other decisions", -1.0)


def _goal(measure: Callable[[Candidate], float], limit: float, what: str, tolerance: float) -> Goal:
    return Goal(measure, limit, what, tolerance=tolerance, of_file=True)
