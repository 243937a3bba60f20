"""Combine methods, settings and levels into the conditions of an experiment."""

from __future__ import annotations

from collections.abc import Sequence

from optcodec.accuracy.conditions import Condition
from optcodec.design import WATER_FILLING

__all__ = ["QUALITIES", "WATER_LEVELS", "grid"]

QUALITIES = (70.0, 75.0, 80.0, 85.0, 90.0, 95.0, 98.0)
WATER_LEVELS = (0.005, 0.01, 0.02, 0.051, 0.1, 0.2, 0.5, 1.0)

# Water levels of OptD are squared errors; those of OptS are squared errors times weights of at most 0.1. The authors of
# OptS run their implementation with 0.5, 1, 2, 5, 10, 20, 50, 100 for OptD, and 0.005, 0.01, 0.02, ... 1 for OptS.
_OPTD_TO_OPTS = 100


def grid(
    methods: Sequence[str],
    settings: Sequence[str],
    *,
    qualities: Sequence[float] = QUALITIES,
    water_levels: Sequence[float] = WATER_LEVELS,
) -> tuple[Condition, ...]:
    """Combine methods, settings and levels.

    Parameters
    ----------
    methods, settings : sequence of str
        See `Condition`.
    qualities : sequence of float
        Quality factors: the levels of the settings ``"1"``, ``"1-joint"`` and ``"bytes"``, and of those methods in
        ``"fixed"`` that take a quality.
    water_levels : sequence of float
        Levels of the settings ``"2"`` and ``"2-joint"``, and of those methods in ``"fixed"`` that take a water level;
        OptD, which has no weights, gets 100 times as much there.

    Returns
    -------
    tuple of Condition
        Sorted by setting, then by method, then by level, in the order of the arguments.
    """
    conditions = []
    for setting in settings:
        for method in methods:
            name = method.partition(":")[0]
            fixed = setting == "fixed"
            by_water = setting.startswith("2") or (fixed and name in WATER_FILLING)
            scale = _OPTD_TO_OPTS if fixed and name == "optd" else 1
            levels = water_levels if by_water else qualities
            conditions += [Condition(method, setting, scale * level) for level in levels]
    return tuple(conditions)
