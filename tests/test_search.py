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
    chrominance: float = 0.0
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
        return (self.error, self.chrominance)

    @property
    def swe(self) -> tuple[float, ...]:
        return self.errors


@dataclass
class NumberLine:
    """Candidates whose measure is a function of the level; what the search asks for is kept."""

    function: Function
    bounds: tuple[float, float] = (1e-6, 1e6)
    first: float = 1.0
    error: Function = lambda level: level
    rate: Function = lambda level: 1 / level
    guess: Function | None = None
    apart: float = 1e-9
    groups: Sequence[Sequence[Any]] = ()
    loose: float = 0.0
    power: float = 1.0
    growths: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)

    def at(self, level: float) -> File:
        return File(level, self.function(level), self.error(level), self.rate(level))

    def start(self, goal: Goal) -> float:
        return self.first

    def growth(self, goal: Goal) -> float:
        self.growths.append(self.power)
        return self.power

    def near(self, goal: Goal) -> float:
        return max(goal.tolerance, self.loose)

    def estimate(self, goal: Goal) -> Function | None:
        return self.guess

    def settled(self, lower: float, upper: float) -> bool:
        self.gaps.append(upper / lower)
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
    level = level_within(line, goal(limit, rising=rising))
    assert level is not None
    assert stairs(level) <= limit
    beyond = level * (1 + 1e-8) if rising else level / (1 + 1e-8)
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
@pytest.mark.parametrize("first", [1.0, 50.0])
def test_a_tolerance_may_be_larger_than_the_limit(tolerance: float, first: float) -> None:
    line = NumberLine(lambda level: level, first=first, loose=15 * tolerance)
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
    result = search(line, goal(100.0, rising=False, tolerance=0.2, accepted=1.0))
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
    candidates = []

    def moves(bracket: Bracket, best: File) -> Steps:
        candidates.append(Steps(best, step))
        return candidates[0]

    line = NumberLine(lambda level: level, first=50.0, loose=60.0, rate=lambda level: 1.0, groups=[[moves]])
    result = search(line, goal(100.0, **{"tolerance": 0.01, "accepted": 0.01} | options))
    return result.measured, candidates[0]


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


# ---- Which of several files is kept, and what refinements are told ---------------------------------------------------


def kept(files: Sequence[File], rising: bool = True, **options: Any) -> float:
    """Number of the file that a search keeps: 0 is that of the line, 1, 2, ... are offered one after the other."""

    @dataclass
    class Offers:
        first: File
        most: int = len(files) - 1

        def next(self, candidate: File, rest: float) -> File | None:
            return next(waiting)

        def refuse(self) -> None:
            raise AssertionError("all files keep the limit")

    waiting = iter(files[1:])
    first = files[0]
    line = NumberLine(lambda level: first.measured, (1.0, 1.0), error=lambda level: first.error, loose=200.0)
    line.rate = lambda level: first.rate
    line.groups = [[lambda bracket, best: Offers(best)]]
    return search(line, goal(100.0, rising=rising, **options)).candidate.level


def test_files_that_leave_much_unused_are_kept_only_until_there_is_one_that_does_not() -> None:
    far, near = File(1.0, 40.0, rate=1.0), File(2.0, 50.0, rate=9.0)
    assert kept([far, near, File(3.0, 60.0, rate=10.0)], accepted=50.0) == 2  # it is just near enough
    assert kept([far, near, File(3.0, 49.0, rate=0.0)], accepted=50.0) == 2
    assert kept([far, near, File(3.0, 60.0, rate=8.0), File(4.0, 70.0, rate=9.0)], accepted=50.0) == 3


def test_of_files_that_leave_much_unused_the_nearest_is_kept() -> None:
    files = [File(1.0, 40.0), File(2.0, 45.0), File(3.0, 42.0), File(4.0, 45.0)]
    assert kept(files, accepted=0.0) == 2


def test_of_files_of_equal_size_the_first_is_kept() -> None:
    assert kept([File(1.0, 40.0, rate=5.0), File(2.0, 50.0, rate=5.0)]) == 1


def test_of_files_within_a_size_all_errors_count_then_their_bytes() -> None:
    first = File(1.0, 40.0, error=3.0, rate=40.0)
    assert kept([first, File(2.0, 50.0, error=1.0, chrominance=1.5, rate=50.0)], rising=False) == 2
    assert kept([first, File(2.0, 50.0, error=1.0, chrominance=2.5, rate=50.0)], rising=False) == 1
    assert kept([first, File(2.0, 39.0, error=3.0, rate=39.0)], rising=False) == 2
    assert kept([first, File(2.0, 50.0, error=3.0, rate=50.0)], rising=False) == 1
    assert kept([first, File(2.0, 40.0, error=3.0, rate=40.0)], rising=False) == 1


def test_moves_end_where_the_tolerance_is_kept_just_so() -> None:
    measured, moves = searched_with_moves(lambda rest, refused: 10.0, tolerance=10.0, accepted=10.0)
    assert (measured, len(moves.rests)) == (90.0, 4)


def test_refinements_get_what_the_walk_came_to_and_the_best_file() -> None:
    told: list[tuple[Bracket, File]] = []

    def better(bracket: Bracket, best: File) -> NumberLine:
        told.append((bracket, best))
        return NumberLine(lambda level: 50.0, (7.0, 7.0), first=7.0)

    def nothing(bracket: Bracket, best: File) -> None:
        told.append((bracket, best))

    line = NumberLine(lambda level: 40.0 if level < 5 else 130.0, apart=0.5, first=4.0, rate=lambda level: 9.0)
    line.groups = [[better], [nothing]]
    assert search(line, goal(100.0, accepted=0.0)).measured == 50
    (bracket, first), (again, best) = told
    assert bracket == again
    assert (first.level, best.level) == (bracket.fits, 7.0)
    assert bracket.exceeds is not None
    assert bracket.fits < 5 <= bracket.exceeds < 1.5 * bracket.fits
    assert bracket.excess == 30


def test_no_file_is_measured_twice() -> None:
    calls: list[float] = []

    def measure(file: File) -> float:
        calls.append(file.level)
        return file.measured

    line = NumberLine(lambda level: level, first=40.0, loose=70.0)
    line.groups = [[lambda bracket, best: NumberLine(lambda level: level, first=40.0)]]
    search(line, Goal(measure, 100.0, "a number", tolerance=0.1))  # type: ignore[arg-type]
    assert len(calls) == len(set(calls))
    assert calls[0] == 40


def test_a_limit_may_be_used_up_to_the_last() -> None:
    line = NumberLine(lambda level: 100.0 if level < 5 else 150.0)
    assert search(line, goal(100.0)).measured == 100


# ---- What cannot be met ----------------------------------------------------------------------------------------------


def test_says_what_can_be_reached() -> None:
    line = NumberLine(lambda level: 7.25 * level, (1.0, 100.0), first=30.0)
    with pytest.raises(
        TargetNotMetError, match=r"expected a number of at most 3, but the nearest .* reached is 7\.25$"
    ):
        search(line, goal(3.0))
    assert level_within(line, goal(3.0)) is None
    line = NumberLine(lambda level: 725 / level, (1.0, 100.0), first=30.0)
    with pytest.raises(TargetNotMetError, match=r"a number of at most 3, but the nearest .* reached is 7\.25$"):
        search(line, goal(3.0, rising=False))
    line = NumberLine(lambda level: -7.25 / level, (1.0, 100.0), first=30.0)
    with pytest.raises(TargetNotMetError, match=r"a number of at least 8, but the nearest .* reached is 7\.25$"):
        search(line, goal(-8.0, negative=True))


def test_a_limit_that_no_candidate_reaches_is_kept_by_the_last_one() -> None:
    line = NumberLine(lambda level: level, (1.0, 50.0))
    assert search(line, goal(100.0)).measured == 50
    line = NumberLine(lambda level: 50.0 if level < 5 else 150.0)
    assert search(line, goal(100.0)).measured == 50


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
    assert place_with(lambda place: math.floor(place), 5.0, 1.0, 100.0) >= 5.0
    calls: list[float] = []
    assert place_with(counted(lambda place: place, calls), 1e-3, 1e-9, 1e12) == pytest.approx(1e-3, rel=1e-3)
    assert len(calls) < 20


def test_a_measure_that_stays_the_same_for_long_does_not_hold_up_the_search() -> None:
    """Just above the limit, where a power law expects the limit to be very near."""
    line = NumberLine(lambda level: 0.5 if level < 1e-4 else 1.001)
    assert search(line, goal(1.0)).measured == 0.5


def test_a_measure_may_stay_the_same_over_all_numbers() -> None:
    line = NumberLine(lambda level: 0.5, (1e-300, 1e300), first=1e-300)
    assert level_within(line, goal(1.0)) == 1e300


# ---- How many files are tried, and which -----------------------------------------------------------------------------


def tried_levels(function: Function, limit: float, line_options: dict[str, Any], **options: Any) -> list[float]:
    calls: list[float] = []
    level_within(NumberLine(counted(function, calls), **line_options), goal(limit, **options))
    return calls


def test_the_middle_of_the_tolerance_is_tried() -> None:
    assert tried_levels(lambda level: level, 100.0, {"first": 99.0}, tolerance=0.2) == [99.0, pytest.approx(99.9)]
    assert tried_levels(lambda level: level, 100.0, {"first": 101.0}, tolerance=0.2) == [101.0, pytest.approx(99.9)]


def test_the_first_file_is_enough_where_it_keeps_to_the_tolerance() -> None:
    assert tried_levels(lambda level: level, 100.0, {"first": 50.0, "loose": 50.0}) == [50.0]


def test_what_is_tried_next_is_not_too_far() -> None:
    levels = tried_levels(lambda level: level, 1000.0, {"first": 1e-6}, tolerance=1.0)
    assert levels[1] == pytest.approx(64e-6)
    assert len(levels) <= 9
    levels = tried_levels(lambda level: level, 1e-3, {"first": 1e6}, tolerance=1e-6)
    assert levels[1] == pytest.approx(1e6 / 64)


def test_steps_grow_where_a_measure_does_not_tell_how_far_the_limit_is() -> None:
    """Without a ratio of limit and measure: below 0, and at infinity."""
    for function in (lambda level: math.log(level) - 40, lambda level: -math.inf if level < 1e17 else level):
        levels = tried_levels(function, 1e18, {"first": 1.0, "bounds": (1e-30, 1e30)}, tolerance=1e16)
        assert levels[:5] == [1.0, 4.0, 4.0**3, 4.0**6, 4.0**10]
        assert len(levels) < 20
    levels = tried_levels(lambda level: math.inf if level > 1e-9 else level, 1.0, {"first": 1.0}, tolerance=1.0)
    assert levels[:3] == [1.0, 0.25, 1 / 64]


def test_the_next_file_depends_on_how_the_measure_grew_so_far() -> None:
    """A measure may grow slower, or faster, than the line says."""
    slow = tried_levels(lambda level: level**0.25, 30.0, {"first": 1.0}, tolerance=0.01)
    assert slow[:3] == [1.0, pytest.approx(30, rel=0.01), pytest.approx(64 * slow[1])]
    fast = tried_levels(lambda level: level**2, 1e5, {"first": 1.0, "power": 0.5}, tolerance=1e3)
    assert fast[1] == pytest.approx(64)
    assert fast[2] / fast[1] == pytest.approx(1e5 / 64**2, rel=0.01)  # at most twice the power, 1


def test_an_estimate_leads_down_as_well_as_up() -> None:
    for first in (1e-3, 1e4):
        levels = tried_levels(
            lambda level: level, 1.0, {"first": first, "guess": lambda level: 3 * level}, tolerance=0.1
        )
        assert len(levels) == 2


def test_an_estimate_leads_to_levels_between_two_others() -> None:
    """Also where the measure is another one by a factor and a constant; one that says nothing does no harm."""
    line = {"first": 2.0, "bounds": (1.0, 64.0), "guess": lambda level: level**3}
    levels = tried_levels(lambda level: 5 * level**3 - 10, 5000.0, line, tolerance=10.0)
    assert levels == pytest.approx([2.0, (8 * 4995 / 30) ** (1 / 3), (5005 / 5) ** (1 / 3)], rel=1e-3)
    for nothing in (lambda level: 7.0, lambda level: 7 / level):
        levels = tried_levels(lambda level: level**3, 5000.0, line | {"guess": nothing}, tolerance=10.0)
        assert max(level**3 for level in levels if level**3 <= 5000) >= 4990
        assert len(levels) < 30


def test_levels_between_two_others_follow_a_power_law() -> None:
    """Once the limit lies between them; a straight line where the measure is below 0."""
    line = {"first": 1.0, "bounds": (1.0, 64.0), "power": 0.01}
    levels = tried_levels(lambda level: level**3 + 100, 5000.0, line, tolerance=1.0)
    assert levels[:2] == pytest.approx([1.0, 64.0])
    share = math.log(4999.5 / 101) / math.log((64**3 + 100) / 101)
    assert levels[2] == pytest.approx(64**share)
    levels = tried_levels(lambda level: level**3 + 100, 50000.0, line, tolerance=1.0)
    before, after = levels[2] ** 3 + 100, 64**3 + 100  # the interval is less than half of the one before
    share = math.log(49999.5 / before) / math.log(after / before)
    assert levels[3] == pytest.approx(levels[2] * (64 / levels[2]) ** share)
    levels = tried_levels(lambda level: level - 65, -11.0, line | {"power": 1.0}, tolerance=0.01)
    assert levels[:3] == pytest.approx([1.0, 4.0, 64.0])
    assert levels[3] == pytest.approx(4 * 16 ** ((61 - 11.005) / 60))


def test_levels_between_two_others_are_not_too_near_to_either() -> None:
    line = {"first": 1.0, "bounds": (1.0, 64.0), "power": 0.01}
    steep = tried_levels(lambda level: 1.0 if level < 2 else 1e30, 1.5, line, tolerance=0.01)
    assert steep[2] == pytest.approx(64**0.02)
    flat = tried_levels(lambda level: 1.0 if level < 63 else 1e10, 9e9, line)
    assert flat[2] == pytest.approx(64**0.98)


def test_intervals_are_halved_where_they_do_not_shrink() -> None:
    line = {"first": 1.0, "bounds": (1.0, 1e6), "power": 0.01, "apart": 0.01}
    levels = tried_levels(lambda level: 1.0 if level < 1000 else 1e30, 1.5, line, tolerance=0.01)
    assert levels[:3] == pytest.approx([1.0, 64.0, 4096.0])
    assert levels[3] == pytest.approx(64 * 64**0.02)
    assert levels[4] == pytest.approx(math.sqrt(levels[3] * 4096))
    assert len(levels) < 25


def test_infinite_measures_are_no_ends_of_a_power_law() -> None:
    line = {"first": 1.0, "bounds": (1.0, 64.0), "power": 0.01}
    levels = tried_levels(lambda level: level if level < 40 else math.inf, 30.0, line, tolerance=0.1)
    assert levels[:3] == pytest.approx([1.0, 64.0, 8.0])
    levels = tried_levels(lambda level: -math.inf if level < 5 else level, 30.0, line, tolerance=0.1)
    assert levels[:4] == pytest.approx([1.0, 4.0, 64.0, 16.0])


def test_all_levels_lie_within_the_line() -> None:
    for first in (0.01, 100.0):
        for limit in (0.5, 5.0, 50.0):
            levels = tried_levels(lambda level: level, limit, {"first": first, "bounds": (1.0, 10.0)}, tolerance=0.1)
            assert all(1 <= level <= 10 for level in levels)


@pytest.mark.parametrize("limit", [0.5, 50.0])
@pytest.mark.parametrize("rising", [False, True])
def test_the_search_ends_at_the_ends_of_a_line(limit: float, rising: bool) -> None:
    line = NumberLine(lambda level: level if rising else 10 / level, (1.0, 10.0), first=3.0)
    level_within(line, goal(limit, rising=rising, tolerance=0.1))
    assert len(line.growths) < 5


def test_the_search_ends_where_two_levels_are_close() -> None:
    """As close as the line says, or else as close as numbers can be."""
    for apart, most in ((0.1, 15), (0.0, 60)):
        line = NumberLine(lambda level: 1.0 if level < 3 else 2.0, apart=apart)
        level = level_within(line, goal(1.5))
        assert level is not None
        assert level <= 3 <= level * (1 + max(apart, 1e-9))
        assert 1 < len(line.gaps) <= most
        assert min(line.gaps) >= 1
