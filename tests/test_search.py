"""The one search that all lines of files share, on lines whose measures are plain functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from optcodec.errors import TargetNotMetError
from optcodec.lines import Bracket, Goal
from optcodec.search import level_within, place_with, search

Function = Callable[[float], float]


@dataclass(frozen=True)
class File:
    """A candidate: all that it has are numbers."""

    level: float
    measured: float
    error: float = 0.0
    rate: float = 0.0
    tables = ()
    data = b""

    @property
    def key(self) -> float:
        return self.level

    @property
    def nbytes(self) -> int:
        return int(self.measured)

    @property
    def errors(self) -> tuple[float, ...]:
        return (self.error,)

    @property
    def swe(self) -> tuple[float, ...]:
        return (self.error,)


@dataclass
class NumberLine:
    """Candidates whose measure is a function of the level; the levels that were tried are kept."""

    function: Function
    bounds: tuple[float, float] = (1e-6, 1e6)
    first: float = 1.0
    error: Function = lambda level: level
    rate: Function = lambda level: 1 / level
    guess: Function | None = None
    apart: float = 1e-9
    groups: Sequence[Sequence[Any]] = ()
    loose: float = 0.0
    tried: list[float] = field(default_factory=list)

    def at(self, level: float) -> File:
        return File(level, self.function(level), self.error(level), self.rate(level))

    def start(self, goal: Goal) -> float:
        return self.first

    def growth(self, goal: Goal) -> float:
        return 1.0

    def near(self, goal: Goal) -> float:
        return max(goal.tolerance, self.loose)

    def estimate(self, goal: Goal) -> Function | None:
        return self.guess

    def settled(self, lower: float, upper: float) -> bool:
        return upper < lower * (1 + self.apart)

    def refinements(self, goal: Goal) -> Sequence[Sequence[Any]]:
        return self.groups


def goal(limit: float, **options: Any) -> Goal:
    return Goal(lambda file: file.measured, limit, "a number", **options)  # type: ignore[attr-defined]


def counted(function: Function, calls: list[float]) -> Function:
    def count(level: float) -> float:
        calls.append(level)
        return function(level)

    return count


@given(steps=st.lists(st.floats(1e-5, 1e5), min_size=1, max_size=30), limit=st.floats(0.5, 30), rising=st.booleans())
def test_finds_the_end_of_a_staircase(steps: list[float], limit: float, rising: bool) -> None:
    """The coarsest candidate within an error, the finest within a size."""
    limit = math.floor(limit) + 0.5  # a limit that is used up ends the search

    def stairs(level: float) -> float:
        place = level if rising else 1 / level
        return sum(place >= step for step in steps)

    line = NumberLine(stairs)
    found = level_within(line, goal(limit, rising=rising))
    assert found is not None
    assert stairs(found) <= limit
    beyond = found * (1 + 1e-8) if rising else found / (1 + 1e-8)
    assert stairs(beyond) > limit or beyond > 1e6 or beyond < 1e-6


@given(limit=st.floats(1e-4, 1e4), power=st.floats(0.5, 2), start=st.floats(1e-3, 1e3), rising=st.booleans())
@example(limit=1.0, power=1.0, start=1.0, rising=True)
def test_smooth_measures_take_few_trials(limit: float, power: float, start: float, rising: bool) -> None:
    calls: list[float] = []
    line = NumberLine(counted(lambda level: level ** (power if rising else -power), calls), (1e-30, 1e30), start)
    result = search(line, goal(limit, rising=rising, tolerance=0.002 * limit))
    assert 0.998 * limit <= result.measured <= limit
    assert len(calls) <= 12


def test_an_estimate_saves_trials() -> None:
    def bent(level: float) -> float:
        return level + 40 * level**0.3

    calls: dict[bool, list[float]] = {False: [], True: []}
    for known in (False, True):
        line = NumberLine(counted(bent, calls[known]), first=1e-3, guess=bent if known else None)
        assert 998 <= search(line, goal(1000.0, tolerance=2.0)).measured <= 1000
    assert len(calls[True]) <= 3 < len(calls[False])


@pytest.mark.parametrize("wrong", [lambda level: 1.0, lambda level: 1 / level, lambda level: math.exp(-level)])
def test_a_wrong_estimate_cannot_hold_up_the_search(wrong: Function) -> None:
    calls: list[float] = []
    line = NumberLine(counted(lambda level: level, calls), guess=wrong)
    assert 99.9 <= search(line, goal(100.0, tolerance=0.1)).measured <= 100
    assert len(calls) < 128


@pytest.mark.parametrize("limit", [-5.0, 0.0, 5.0])
def test_measures_may_be_negative(limit: float) -> None:
    line = NumberLine(lambda level: math.log(level))
    result = search(line, goal(limit, tolerance=0.01))
    assert limit - 0.01 <= result.measured <= limit


@pytest.mark.parametrize("tolerance", [0.5, 2.0, 1000.0])
def test_a_tolerance_may_be_larger_than_the_limit(tolerance: float) -> None:
    line = NumberLine(lambda level: level, loose=15 * tolerance)
    assert 1 - tolerance <= search(line, goal(1.0, tolerance=tolerance)).measured <= 1


def test_an_infinite_error_does_not_hold_up_the_search() -> None:
    line = NumberLine(lambda level: math.inf if level > 7e3 else level, first=1e6)
    assert 99 <= search(line, goal(100.0, tolerance=1.0)).measured <= 100


def test_infinite_measures_do_not_hold_up_the_search() -> None:
    line = NumberLine(lambda level: -math.inf if level < 7 else level, first=1e-3)
    assert 99 <= search(line, goal(100.0, tolerance=1.0)).measured <= 100


# ---- Which candidate is kept -----------------------------------------------------------------------------------------


def test_of_files_within_a_size_the_one_with_the_least_error_is_kept() -> None:
    """Not the one that is nearest to the limit."""
    errors = {True: 1.0, False: 2.0}
    line = NumberLine(lambda level: 100 / level, error=lambda level: errors[level > 1.3], first=2.0, loose=15.0)
    line.groups = [[lambda bracket, best: NumberLine(lambda level: 99.0, first=1.1, error=lambda level: 2.0)]]
    result = search(line, goal(100.0, rising=False, tolerance=2.0))
    assert (result.candidate.error, result.measured) == (1.0, 50.0)
    assert (result.data, result.tables) == (result.candidate.data, result.candidate.tables)


def test_of_files_within_an_error_the_smallest_one_is_kept() -> None:
    line = NumberLine(lambda level: level, first=50.0, loose=60.0, rate=lambda level: 10.0)
    line.groups = [[lambda bracket, best: NumberLine(lambda level: 99.0, rate=lambda level: 11.0)]]
    assert search(line, goal(100.0, tolerance=2.0)).measured == 50


def test_a_rate_that_has_to_be_met_is_met_first() -> None:
    line = NumberLine(lambda level: 100 / level, error=lambda level: 1.0, first=2.0, loose=60.0)
    line.groups = [[lambda bracket, best: NumberLine(lambda level: 99.5, error=lambda level: 2.0)]]
    result = search(line, goal(100.0, rising=False, tolerance=0.2, accepted=1.0, required=1.0))
    assert result.measured == 99.5


def test_all_ways_of_a_group_are_tried_and_later_groups_only_if_need_be() -> None:
    tried = []

    def way(name: str, measured: float, error: float) -> Callable[[Bracket, File], NumberLine]:
        def refine(bracket: Bracket, best: File) -> NumberLine:
            tried.append(name)
            return NumberLine(lambda level: measured, error=lambda level: error, first=10.0 + len(tried))

        return refine

    groups = [[way("near", 99.0, 3.0), way("better", 99.0, 2.0)], [way("late", 99.0, 1.0)]]
    line = NumberLine(lambda level: 100 / level, error=lambda level: 9.0, first=2.0, loose=60.0, groups=groups)
    result = search(line, goal(100.0, rising=False, tolerance=1.0))
    assert tried == ["near", "better"]
    assert result.candidate.error == 2.0


@dataclass
class Steps:
    """Moves whose next step is a function of what is left of the limit; refused steps are counted."""

    first: File
    step: Callable[[float, int], float]
    most: int = 40
    rests: list[float] = field(default_factory=list)
    refused: int = 0

    def next(self, candidate: File, rest: float) -> File | None:
        self.rests.append(rest)
        step = self.step(rest, self.refused)
        return File(candidate.level + step, candidate.measured + step) if step else None

    def refuse(self) -> None:
        self.refused += 1


def searched_with_moves(step: Callable[[float, int], float], **options: Any) -> tuple[float, Steps]:
    """The measure that moves come to from 50, where 100 is the limit, and the moves."""
    made = []

    def moves(bracket: Bracket, best: File) -> Steps:
        made.append(Steps(best, step))
        return made[0]

    line = NumberLine(lambda level: level, first=50.0, loose=60.0, rate=lambda level: 1.0, groups=[[moves]])
    result = search(line, goal(100.0, **{"tolerance": 0.01, "accepted": 0.01} | options))
    return result.measured, made[0]


def test_moves_are_made_while_they_fit() -> None:
    """Each uses up half of the rest; the first one proves to be too much."""
    measured, moves = searched_with_moves(lambda rest, refused: rest / 2 if refused else 2 * rest)
    assert 99.99 <= measured <= 100
    assert moves.refused == 1
    assert moves.rests == [50.0, *(50 / 2**number for number in range(13))]


def test_moves_end_where_there_is_none() -> None:
    measured, moves = searched_with_moves(lambda rest, refused: 10.0 if rest > 15 else 0.0)
    assert (measured, moves.refused) == (90.0, 0)
    assert moves.rests == [50, 40, 30, 20, 10]


def test_a_move_may_use_up_the_limit_to_the_last() -> None:
    measured, moves = searched_with_moves(lambda rest, refused: rest)
    assert (measured, moves.refused, len(moves.rests)) == (100.0, 0, 1)


def test_no_more_moves_are_made_than_a_line_allows() -> None:
    """Whether they are refused without end, or lead nowhere without end."""
    for step, measured, refused in ((1000.0, 50.0, 40), (1e-9, 50.0, 0)):
        result, moves = searched_with_moves(lambda rest, refused, step=step: step)  # type: ignore[misc]
        assert result == pytest.approx(measured, abs=1e-6)
        assert (len(moves.rests), moves.refused) == (40, refused)


# ---- What cannot be met ----------------------------------------------------------------------------------------------


def test_says_what_can_be_reached() -> None:
    line = NumberLine(lambda level: 7.25 * level, (1.0, 100.0), first=30.0)
    with pytest.raises(
        TargetNotMetError, match=r"expected a number of at most 3, but the nearest .* reached is 7\.25$"
    ):
        search(line, goal(3.0))
    assert level_within(line, goal(3.0)) is None
    line = NumberLine(lambda level: -7.25 / level, (1.0, 100.0), first=30.0)
    with pytest.raises(TargetNotMetError, match=r"a number of at least 8, but the nearest .* reached is 7\.25$"):
        search(line, goal(-8.0, negative=True))


def test_says_what_is_nearest_below() -> None:
    line = NumberLine(lambda level: level, (1.0, 50.0))
    assert search(line, goal(100.0)).measured == 50
    for options in ({"required": 1.0}, {"required_at_end": 1.0}):
        with pytest.raises(TargetNotMetError, match=r"expected a number of 100, but the nearest below is 50$"):
            search(line, goal(100.0, **options))


def test_a_line_with_a_jump_does_not_end_below_the_limit_by_itself() -> None:
    """What is required at the end of a line is not required at a jump."""
    line = NumberLine(lambda level: 50.0 if level < 5 else 150.0)
    assert search(line, goal(100.0, required_at_end=1.0)).measured == 50


@given(st.randoms(use_true_random=False))
def test_never_measures_without_end(random: Any) -> None:
    calls: list[float] = []
    line = NumberLine(counted(lambda level: random.choice([0.0, 1.0, 2.0]), calls), (1e-300, 1e300), apart=0.0)
    level_within(line, goal(1.0, tolerance=-1.0))
    assert len(calls) <= 128


def test_places_with_an_estimate() -> None:
    assert place_with(lambda place: place**2, 49.0, 1.0, 100.0) == pytest.approx(7.0, rel=1e-3)
    assert place_with(lambda place: place**2, 49.0, 1.0, 5.0) == pytest.approx(5.0, rel=1e-6)
    assert place_with(lambda place: place**2, 49.0, 8.0, 9.0) == 8.0


def test_a_measure_that_stays_the_same_for_long_does_not_hold_up_the_search() -> None:
    """Just above the limit, where a power law expects the limit to be very near."""
    line = NumberLine(lambda level: 0.5 if level < 1e-4 else 1.001)
    assert search(line, goal(1.0)).measured == 0.5
