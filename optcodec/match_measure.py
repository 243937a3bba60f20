"""The target for measures that this package does not know: any function of the file."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import ClassVar, TypeVar

from optcodec.errors import InvalidInputError
from optcodec.lines import Candidate, Goal
from optcodec.matching import Target, TargetLine

__all__ = ["MatchMeasure"]

C = TypeVar("C", bound=Candidate)


@dataclass(frozen=True)
class MatchMeasure(Target):
    """A measure of the user: the fewest bytes with which a function of the file keeps a limit.

    Parameters
    ----------
    function : callable
        ``function(data)`` gives a number for the bytes of a JPEG file. It is called for some ten files.
    limit : float
        Number that is not to be exceeded; with `at_least`, not to be undercut.
    at_least : bool
        False for a distance, which grows as files get coarser. True for a quality, which falls.
    tolerance : float, optional
        How far the number may stay from the limit when the search ends, in the unit of the function. By default
        0.2 % of the limit, with `at_least` 0.02 %.

    Raises
    ------
    InvalidInputError
        If an argument is of another kind; when files are measured, if the function does not give a real number.

    Notes
    -----
    The search expects that a coarser file has a larger number (with `at_least`, a smaller one), up to a little noise.
    Where this does not hold the result still keeps the limit, but it need not be the smallest file that does.

    Examples
    --------
    No sample of the decoded image may be off by more than 24:

    >>> import io
    >>> import numpy as np
    >>> from PIL import Image
    >>> from optcodec import MatchMeasure, encode
    >>> pixels = np.add.outer(np.arange(64), np.arange(96)).astype(np.uint8)
    >>> def largest_difference(data: bytes) -> float:
    ...     decoded = np.asarray(Image.open(io.BytesIO(data)), int)
    ...     return abs(decoded - pixels).max()
    >>> file = encode(pixels, target=MatchMeasure(largest_difference, 24), effort=3)
    >>> bool(largest_difference(file.data) <= 24)
    True
    """

    function: Callable[[bytes], float]
    limit: float
    at_least: bool = False
    tolerance: float | None = None
    needs_file: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise InvalidInputError(f"a measure is a function of the bytes of a file, got {self.function!r}")
        if not _is_number(self.limit) or not math.isfinite(self.limit):
            raise InvalidInputError(f"the limit of a measure is a finite number, got {self.limit!r}")
        if not isinstance(self.at_least, bool):
            raise InvalidInputError(f"at_least is True or False, got {self.at_least!r}")
        if self.tolerance is not None and not (_is_number(self.tolerance) and 0 <= self.tolerance < math.inf):
            raise InvalidInputError(f"the tolerance of a measure is a finite number from 0 on, got {self.tolerance!r}")
        object.__setattr__(self, "limit", float(self.limit))

    def measured(self, data: bytes) -> float:
        """The function's number for a file, turned around where it is a quality: it is not to exceed `signed_limit`.

        Raises
        ------
        InvalidInputError
            If the function gives something else than a number.
        """
        number = self.function(data)
        if not _is_number(number) or math.isnan(number):
            raise InvalidInputError(f"the function of a MatchMeasure gives a real number, got {number!r}")
        return -float(number) if self.at_least else float(number)

    @property
    def signed_limit(self) -> float:
        """The limit, turned around where it belongs to a quality."""
        return -self.limit if self.at_least else self.limit

    def goals(self, line: TargetLine[C]) -> tuple[Goal, ...]:
        """The function's number."""
        part = line.tolerances.quality if self.at_least else line.tolerances.pixels
        goal = Goal(
            lambda candidate: self.measured(candidate.data),
            self.signed_limit,
            f"{self}: a measure",
            tolerance=part * abs(self.limit) if self.tolerance is None else self.tolerance,
            negative=self.at_least,
            of_file=True,
        )
        return (goal,)

    def allows(self, original: bytes, pixels: int) -> bool:
        """Whether the original keeps the limit."""
        return self.measured(original) <= self.signed_limit


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
