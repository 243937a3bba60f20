"""Targets check their numbers when they are made, and are plain values."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError

import pytest

from optcodec.errors import InvalidInputError
from optcodec.targets import Bpp, MatchQuality, MatchSwe, MaxBytes, Quality, WaterLevel


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
