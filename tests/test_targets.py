from __future__ import annotations

import math
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optcodec.errors import InvalidInputError, TargetNotMetError
from optcodec.targets import Bpp, MatchQuality, MatchSwe, MaxBytes, Quality, WaterLevel, largest_within


@pytest.mark.parametrize("kind", [WaterLevel, Bpp])
@pytest.mark.parametrize("value", [0, -1.0, math.nan, math.inf, True, "1", None])
def test_numbers_above_zero(kind: type, value: object) -> None:
    with pytest.raises(InvalidInputError, match="above 0, got"):
        kind(value)


@pytest.mark.parametrize("kind", [Quality, MatchQuality])
@pytest.mark.parametrize("value", [0, 101, 75.5, True, "75"])
def test_quality_factors(kind: type, value: object) -> None:
    with pytest.raises(InvalidInputError, match=r"1\.\.100, got"):
        kind(value)


@pytest.mark.parametrize("value", [0, -5, 1000.0, True])
def test_whole_bytes(value: object) -> None:
    with pytest.raises(InvalidInputError, match="from 1 on, got"):
        MaxBytes(value)  # type: ignore[arg-type]


def test_water_level_of_chrominance() -> None:
    assert WaterLevel(0.2).levels == (0.2, 0.2)
    assert WaterLevel(0.2, chroma=0.5).levels == (0.2, 0.5)
    with pytest.raises(InvalidInputError, match="got -1"):
        WaterLevel(0.2, chroma=-1)


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf, True, "1", None])
def test_errors_of_zero_or_more(value: object) -> None:
    with pytest.raises(InvalidInputError, match="an SWE is a finite number from 0 on, got"):
        MatchSwe(value)  # type: ignore[arg-type]
    if value is not None:
        with pytest.raises(InvalidInputError, match="an SWE is a finite number from 0 on, got"):
            MatchSwe(0.2, chroma=value)  # type: ignore[arg-type]
    assert MatchSwe(0).chroma is None


def test_jointly_is_a_choice() -> None:
    assert not MatchQuality(75).jointly
    with pytest.raises(InvalidInputError, match="True or False, got 1"):
        MatchQuality(75, jointly=1)  # type: ignore[arg-type]


def test_targets_are_values() -> None:
    assert Bpp(1.0) == Bpp(1.0)
    assert len({MaxBytes(5), MaxBytes(5), MaxBytes(6)}) == 2
    with pytest.raises(FrozenInstanceError):
        Bpp(1.0).bpp = 2.0  # type: ignore[misc]


@given(steps=st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=30), limit=st.floats(0.5, 30))
def test_finds_the_largest_level_of_a_staircase(steps: list[float], limit: float) -> None:
    def measure(level: float) -> float:
        return sum(level >= step for step in steps)

    found, above = largest_within(measure, limit, (1e-7, 1e7), enough=math.inf)
    assert measure(found) <= limit
    if above == found:
        assert found == 1e7
    else:
        assert measure(above) > limit
        assert above / found < 1 + 1e-11


@given(target=st.floats(1.1, 999.0), start=st.floats(0.01, 100))
def test_a_proposal_is_taken_but_cannot_stop_the_search(target: float, start: float) -> None:
    calls = []

    def measure(level: float) -> float:
        calls.append(level)
        return level

    stubborn = {"enough": 0.999 * target, "propose": lambda low, high: low * (1 + 1e-9)}
    found, _ = largest_within(measure, target, (1.0, 1000.0), **stubborn)  # type: ignore[arg-type]
    assert 0.999 * target <= found <= target
    assert len(calls) < 50
    calls.clear()
    helpful = {"enough": 0.999 * target, "propose": lambda low, high: 0.9995 * target}
    largest_within(measure, target, (1.0, 1000.0), **helpful)  # type: ignore[arg-type]
    assert len(calls) <= 3


def test_a_search_that_is_settled_ends() -> None:
    brackets = []

    def settled(low: float, high: float) -> bool:
        brackets.append((low, high))
        return high < 1.5 * low

    found = largest_within(lambda level: level, 30.0, (1.0, 1000.0), enough=math.inf, settled=settled)
    assert found == brackets[-1]
    assert found[0] <= 30.0 < found[1] < 1.5 * found[0]
    assert all(high >= 1.5 * low for low, high in brackets[:-1])


def test_the_lowest_level_ends_the_search_where_it_is_enough() -> None:
    assert largest_within(lambda level: 5.0, 5.0, (1.0, 2.0), enough=5.0) == (1.0, 1.0)


def test_says_what_can_be_reached() -> None:
    with pytest.raises(TargetNotMetError, match=r"at most 3.*reached is 7\.25"):
        largest_within(lambda level: 7.25 * level, 3, (1.0, 100.0), enough=0)


def test_never_measures_without_end() -> None:
    calls = []

    def noise(level: float) -> float:
        calls.append(level)
        return hash(level) % 3

    found, _ = largest_within(noise, 1, (1e-300, 1e300), enough=10) if noise(1e-300) <= 1 else (1e-300, 0)
    assert len(calls) <= 129
    assert found >= 1e-300
