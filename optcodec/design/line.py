"""Designed tables as a line of files, and the single steps that use up what the line leaves of a limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from optcodec.cached import cached_property
from optcodec.design.candidates import DesignedFile, Files, values_at
from optcodec.design.families import Family, Joint
from optcodec.design.histogram import MAX_STEP
from optcodec.design.methods import Design
from optcodec.design.moves import SingleSteps
from optcodec.jpeg.tables import QuantTable, annex_k_tables
from optcodec.lines import Bracket, Goal, Line, Refinement
from optcodec.matching import TABLE_TOLERANCES, Tolerances
from optcodec.search import place_with

__all__ = ["DesignLine"]

Floats = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]
Steps = npt.NDArray[np.int64]
Tables = tuple[QuantTable, ...]

_HEADERS = 400  # bytes of a file besides the bits that are estimated, about
_FIRST_QUALITY = 75  # default JPEG of this quality has the error of the first file that is tried for its pixels


@dataclass(frozen=True, eq=False)
class DesignLine(Line[DesignedFile]):
    """The tables of a method by their level; see `optcodec.matching.TargetLine`.

    Parameters
    ----------
    design : Design
        Image or data set, and weights.
    families : sequence of Family
        Tables of luminance, and of chrominance if there is any.
    files : Files
        Writes files.
    moving : slice
        Tables that the level moves.
    others : ndarray of int64, shape (tables, 64), optional
        Steps of the tables that it does not move.
    only_scaled : bool
        Whether only the tables of levels are tried, and none between them.
    """

    design: Design
    families: Sequence[Family]
    files: Files
    moving: slice = field(default_factory=lambda: slice(None))
    others: Steps | None = None
    tolerances: Tolerances = TABLE_TOLERANCES
    only_scaled: bool = False

    @property
    def pixels(self) -> int:
        """Number of pixels of the image or data set."""
        return self.design.statistics.pixels

    def reference(self) -> Pixels:
        """The pixels that decoded files are compared with."""
        assert self.files.reference is not None
        return self.files.reference()

    def errors_of(self, tables: Sequence[QuantTable]) -> tuple[float, ...]:
        """Weighted error of rounding with some tables."""
        steps = [table.steps.ravel().astype(np.int64) for table in tables]
        return self.file_with(np.array(steps[: len(self.families)])).errors

    def level_like(self, quality: int) -> float | None:
        """Not known: levels of methods differ."""
        return None

    def apart(self, luminance: DesignedFile | None) -> DesignLine:
        """The line of luminance alone, or of chrominance beside the luminance of a candidate."""
        if luminance is None:
            return replace(self, moving=slice(0, 1), others=np.full((len(self.families), 64), MAX_STEP))
        return replace(self, moving=slice(1, 2), others=luminance.steps)

    @cached_property
    def joint(self) -> Joint:
        """Families of the tables that move, with the limits of their steps."""
        return self.design.joint(self.families[self.moving], self.moving)

    @property
    def bounds(self) -> tuple[float, float]:
        """Levels of the finest and of the coarsest tables."""
        return self.joint.bounds

    def file_with(self, moved: Steps) -> DesignedFile:
        """The candidate with some steps of the tables that move."""
        if self.others is not None:
            steps = self.others.copy()
            steps[self.moving] = moved
            moved = steps
        return DesignedFile(moved, self.design, self.files)

    def at(self, level: float) -> DesignedFile:
        """The candidate of a level."""
        return self.file_with(self._steps(level))

    def _steps(self, level: float) -> Steps:
        """Steps of the tables that move; a search asks for those of a level again and again."""
        if level not in self._known:
            self._known[level] = self.joint.steps(level)
        return self._known[level]

    @cached_property
    def _known(self) -> dict[float, Steps]:
        return {}

    def start(self, goal: Goal) -> float:
        """Where the estimate comes to the limit of a size; of a distance of pixels, to the error of a quality."""
        estimate, (low, high) = self.estimate(goal), self.bounds
        if estimate is None:
            return float(np.sqrt(low * high))
        wanted = sum(self.errors_of(annex_k_tables(_FIRST_QUALITY))) if goal.rising else goal.limit - _HEADERS
        places = sorted((goal.level(low), goal.level(high)))
        return goal.level(place_with(lambda place: estimate(goal.level(place)), wanted, *places))

    def growth(self, goal: Goal) -> float:
        """About 1 for errors between small and large steps."""
        return 1.0

    def estimate(self, goal: Goal) -> Callable[[float], float] | None:
        """Bytes of the coefficients for a size, the weighted error for a distance of pixels."""
        if not goal.rising:
            return lambda level: float(values_at(self.design.bits[self.moving], self._steps(level)).sum()) / 8
        if goal.of_file:
            return lambda level: float(values_at(self.design.errors[self.moving], self._steps(level)).sum())
        return None

    def settled(self, lower: float, upper: float) -> bool:
        """Whether there are no other tables between those of two levels."""
        return bool((self._steps(upper) - self._steps(lower)).sum() <= 1)  # no step falls

    def refinements(self, goal: Goal) -> Sequence[Sequence[Refinement[DesignedFile]]]:
        """Tables between two levels, one unit of one step after the other; then single steps in any order."""
        if self.only_scaled:
            return []
        if goal.of_file:
            return [[self._between]]
        return [[self._coarser_steps]] if goal.rising else [[self._between], [self._finer_steps]]

    def _coarser_steps(self, bracket: Bracket, best: DesignedFile) -> SingleSteps:
        errors = self.design.errors[self.moving]
        return SingleSteps(self.at(bracket.fits), self.moving, self.joint, errors, self.file_with, coarser=True)

    def _finer_steps(self, bracket: Bracket, best: DesignedFile) -> SingleSteps:
        nbytes = self.design.bits[self.moving] / 8
        return SingleSteps(best, self.moving, self.joint, nbytes, self.file_with, coarser=False)

    def _between(self, bracket: Bracket, best: DesignedFile) -> StepLine | None:
        if bracket.exceeds is None:
            return None
        fine, coarse = (self._steps(level) for level in sorted((bracket.fits, bracket.exceeds)))
        if np.array_equal(fine, coarse):
            return None
        return StepLine(self, fine, coarse - fine, first=bracket.fits > bracket.exceeds)


@dataclass(frozen=True, eq=False)
class StepLine(Line[DesignedFile]):
    """Tables between two others: by one unit of a step after the other, in the order of the frequencies.

    Parameters
    ----------
    line : DesignLine
        Where the tables lie on.
    fine : ndarray of int64, shape (tables, 64)
        Steps of the finer tables.
    gaps : ndarray of int64, shape (tables, 64)
        What the coarser tables have more.
    first : bool
        Whether the coarser tables are tried first, not the finer ones.
    """

    line: DesignLine
    fine: Steps
    gaps: Steps
    first: bool

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """Levels are numbers of units, plus 1."""
        return 1.0, 1.0 + int(self.gaps.sum())

    def _steps(self, level: float) -> Steps:
        gaps = self.gaps.ravel()
        ends = np.cumsum(gaps[::-1])[::-1]  # units of this step and of all behind it, which are coarsened before
        units = np.clip(_whole(level) - 1 - (ends - gaps), 0, gaps)
        steps: Steps = self.fine + units.reshape(self.gaps.shape)
        return steps

    def at(self, level: float) -> DesignedFile:
        """The candidate of a level."""
        return self.line.file_with(self._steps(level))

    def start(self, goal: Goal) -> float:
        """The end that keeps the limit, which is measured already."""
        return self.bounds[int(self.first)]

    def growth(self, goal: Goal) -> float:
        """Not used: there is an estimate."""
        return 1.0

    def estimate(self, goal: Goal) -> Callable[[float], float] | None:
        """The estimate of the whole line."""
        values = self.line.design.errors if goal.rising else self.line.design.bits
        return lambda level: float(values_at(values[self.line.moving], self._steps(level)).sum())

    def settled(self, lower: float, upper: float) -> bool:
        """Whether there is no whole number of units in between."""
        return _whole(upper) - _whole(lower) <= 1


def _whole(level: float) -> int:
    """Number of units, whatever rounding the way over places has done."""
    return int(level + 1e-6)
