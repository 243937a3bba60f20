"""Find the file that meets a target: the one search that designed tables, the trellis and other encoders share.

A `Line` turns a level into a `Candidate`, a file that need not be written yet: the larger the level, the coarser the
file. A `Goal` measures candidates against a limit. `search` walks the line until the limit is used up but for a
tolerance, then tries the refinements of the line, and keeps the best of all candidates that it measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from optcodec.errors import TargetNotMetError
from optcodec.jpeg.tables import QuantTable
from optcodec.lines import Bracket, Candidate, Goal, Line, Moves, Refinement

__all__ = ["SearchResult", "level_within", "met", "place_with", "search"]

_MOST_TRIALS = 128  # along one line
_CLOSEST = 1e-12  # relative distance of places between which nothing is searched
# Between two places, where the limit lies beyond both: at least, at most, and where the measure does not tell how far.
_LEAST_FACTOR, _LARGEST_FACTOR, _BLIND_FACTOR = 1.002, 64.0, 4.0


C = TypeVar("C", bound=Candidate)
T = TypeVar("T")


@dataclass(frozen=True)
class SearchResult(Generic[C]):
    """The best candidate that meets a target.

    Parameters
    ----------
    candidate : Candidate
        With the file and its tables.
    measured : float
        Its measure.
    target : object
        What was asked for.
    """

    candidate: C
    measured: float
    target: object

    @property
    def data(self) -> bytes:
        """The file."""
        return self.candidate.data

    @property
    def tables(self) -> tuple[QuantTable, ...]:
        """Its quantization tables."""
        return self.candidate.tables


def search(line: Line[C], goal: Goal, target: object = None) -> SearchResult[C]:
    """The best candidate of a line and its refinements that meets a goal.

    Raises
    ------
    TargetNotMetError
        If the lowest level already exceeds the limit.
    """
    run = TargetSearch(line, goal)
    candidate, measured = run.result()
    return SearchResult(candidate, measured, target)


def met(ways: Iterable[Callable[[], T]]) -> list[T]:
    """What several ways to meet a target give, without those by which it cannot be met.

    Raises
    ------
    TargetNotMetError
        If it cannot be met by any of them: the error of the way that comes nearest.
    """
    results: list[T] = []
    errors: list[TargetNotMetError] = []
    for way in ways:
        try:
            results.append(way())
        except TargetNotMetError as error:
            errors.append(error)
    if not results:
        raise min(errors, key=lambda error: error.nearest)
    return results


def level_within(line: Line[C], goal: Goal) -> float | None:
    """The level of a line that comes near a limit and keeps it; None if no level keeps it. Refinements are left out."""
    bracket = _Walk(TargetSearch(line, goal), line, goal).bracket()
    return None if bracket is None else bracket.fits


def place_with(estimate: Callable[[float], float], wanted: float, low: float, high: float) -> float:
    """The largest place, between two others, whose estimate stays within a number; to one part in 2,000."""
    for _ in range(60):
        if high <= low * (1 + 1e-9):
            break
        middle = math.sqrt(low * high)
        estimated = estimate(middle)
        if estimated > wanted:
            high = middle
        else:
            low = middle
            if estimated >= 0.9995 * wanted:
                break
    return low


class TargetSearch(Generic[C]):
    """One search: the measures of all candidates that were tried, and the best candidate."""

    def __init__(self, line: Line[C], goal: Goal) -> None:
        self._line, self._goal = line, goal
        self._measures: dict[Hashable, float] = {}
        self._best: C | None = None
        self._best_rank: tuple[bool, float] = (False, -math.inf)

    def result(self) -> tuple[C, float]:
        """The best candidate and its measure."""
        goal, line = self._goal, self._line
        bracket = _Walk(self, line, goal).bracket()
        if bracket is None:
            reached = self.measure(line.at(line.bounds[0 if goal.rising else 1]))
            bound = f"{goal.what} of at {'least' if goal.negative else 'most'} {goal.shown(goal.limit)}"
            error = TargetNotMetError(f"expected {bound}, but the nearest that can be reached is {goal.shown(reached)}")
            error.nearest = reached
            raise error
        for group in line.refinements(goal):
            if self.is_near(goal.tolerance):
                break
            for refinement in group:
                self._refine(refinement, bracket)
        assert self._best is not None
        return self._best, self.measure(self._best)

    def _refine(self, refinement: Refinement[C], bracket: Bracket) -> None:
        assert self._best is not None
        way = refinement(bracket, self._best)
        if isinstance(way, Moves):
            self._move(way)
        elif way is not None:
            _Walk(self, way, self._goal).bracket()

    def measure(self, candidate: C) -> float:
        """Measure of a candidate, which is kept if it is the best so far."""
        if candidate.key not in self._measures:
            measured = self._measures[candidate.key] = self._goal.measure(candidate)
            if measured <= self._goal.limit:
                self._keep(candidate, measured)
        return self._measures[candidate.key]

    def is_near(self, unused: float) -> bool:
        """Whether the best candidate leaves no more than so much of the limit unused."""
        assert self._best is not None  # the walk along the line found one
        return self.measure(self._best) >= self._goal.limit - unused

    def _keep(self, candidate: C, measured: float) -> None:
        accepted = measured >= self._goal.limit - self._goal.accepted
        if self._best is None or accepted != self._best_rank[0]:
            better = self._best is None or accepted
        elif accepted:
            better = self._costs(candidate) < self._costs(self._best)
        else:
            better = measured > self._best_rank[1]
        if better:
            self._best, self._best_rank = candidate, (accepted, measured)

    def _costs(self, candidate: C) -> tuple[float, float]:
        """What candidates are compared by, and what decides where that is equal."""
        if self._goal.rising:
            return candidate.rate, 0.0
        return sum(candidate.errors), candidate.rate

    def _move(self, moves: Moves[C]) -> None:
        """Make single changes, as long as there is one that is expected to fit, but not without end."""
        candidate = moves.first
        for _ in range(moves.most):
            rest = self._goal.limit - self.measure(candidate)
            changed = moves.next(candidate, rest) if rest > self._goal.tolerance else None
            if changed is None:
                break
            if self.measure(changed) <= self._goal.limit:
                candidate = changed
            else:
                moves.refuse()


class _Walk(Generic[C]):
    """A search along one line, in places: the measure rises with the place."""

    def __init__(self, run: TargetSearch[C], line: Line[C], goal: Goal) -> None:
        self._run, self._line, self._goal = run, line, goal
        self._lowest, self._highest = sorted(map(goal.level, line.bounds))
        self._estimate = line.estimate(goal)
        self._near = line.near(goal)
        self._measures: dict[float, float] = {}  # by place
        self._previous: tuple[float, float] | None = None  # place and measure
        self._steps = 0  # that were made while the limit lay beyond all places

    def bracket(self) -> Bracket | None:
        """Walk until the limit is used up, or the line does not come closer; None if no place keeps the limit."""
        fits, exceeds = self._ends()
        if fits is None:
            return None
        if exceeds is None:
            return Bracket(self._goal.level(fits))
        return Bracket(self._goal.level(fits), self._goal.level(exceeds), self._measure(exceeds) - self._goal.limit)

    def _ends(self) -> tuple[float | None, float | None]:
        """The highest place that keeps the limit, and the lowest place above it, as far as they were tried."""
        goal = self._goal
        place = min(max(goal.level(self._line.start(goal)), self._lowest), self._highest)
        fits: float | None = None
        exceeds: float | None = None
        width = math.inf
        for _ in range(_MOST_TRIALS):
            measured = self._measure(place)
            if measured <= goal.limit:
                fits = place
                if measured >= goal.limit - self._near or place >= self._highest:
                    break
            else:
                exceeds = place
                if place <= self._lowest:
                    break
            if fits is None or exceeds is None:
                place = self._further(place, measured)
                continue
            if exceeds <= fits * (1 + _CLOSEST) or self._settled(fits, exceeds):
                break
            halve, width = math.log(exceeds / fits) > width / 2, math.log(exceeds / fits)
            place = self._between(fits, exceeds, halve=halve)
        return fits, exceeds

    def _measure(self, place: float) -> float:
        if place not in self._measures:
            self._measures[place] = self._run.measure(self._line.at(self._goal.level(place)))
        return self._measures[place]

    def _settled(self, fits: float, exceeds: float) -> bool:
        return self._line.settled(*sorted((self._goal.level(fits), self._goal.level(exceeds))))

    def _wanted(self) -> float:
        """The measure to aim for: in the middle of what the tolerance leaves."""
        return self._goal.limit - self._near / 2

    def _estimated(self, place: float) -> float:
        assert self._estimate is not None
        return self._estimate(self._goal.level(place))

    def _further(self, place: float, measured: float) -> float:
        """The next place, where the limit lies beyond all places that were tried."""
        up = measured <= self._goal.limit
        ratio = self._wanted() / measured if 0 < measured < math.inf and self._wanted() > 0 else None
        if ratio is None:
            factor = _BLIND_FACTOR ** (self._steps + 1)
        elif self._estimate is not None:
            bounds = (place, self._highest) if up else (self._lowest, place)
            proposed = place_with(self._estimated, ratio * self._estimated(place), *bounds)
            factor = max(proposed / place, place / proposed)
        else:
            factor = math.exp(min(abs(math.log(ratio)) / self._growth(place, measured), math.log(_LARGEST_FACTOR)))
        least = math.pow(_LEAST_FACTOR, 1 << min(self._steps, 18))  # grows: a measure may stay the same for long
        factor = max(factor, least)
        self._steps += 1
        self._previous = place, measured
        return min(place * factor, self._highest) if up else max(place / factor, self._lowest)

    def _growth(self, place: float, measured: float) -> float:
        """Power of the place with which the measure rises: what the last two trials say, near what the line says."""
        default = self._line.growth(self._goal)
        before, measured_before = self._previous or (place, measured)
        if before == place or not 0 < measured_before < math.inf:
            return default
        slope = math.log(measured / measured_before) / math.log(place / before)
        return min(max(slope, default / 16), default * 2)

    def _between(self, fits: float, exceeds: float, *, halve: bool) -> float:
        """The next place between two others: where estimates or a power law expect the wanted measure."""
        low, high = self._measure(fits), self._measure(exceeds)
        if halve or not -math.inf < low < high < math.inf:
            return math.sqrt(fits * exceeds)
        if self._estimate is not None:
            least, most = self._estimated(fits), self._estimated(exceeds)
            wanted = least + (most - least) * (self._wanted() - low) / (high - low)
            return place_with(self._estimated, wanted, fits, exceeds)  # if it stays there, the next one is the middle
        if low > 0:
            part = math.log(self._wanted() / low) / math.log(high / low)
        else:
            part = (self._wanted() - low) / (high - low)
        return fits * math.pow(exceeds / fits, min(max(part, 0.02), 0.98))
