"""Slow and obvious implementations of the steps of the loop."""

from __future__ import annotations

import math


def naive_choices(f: int, ratio: float, index: int, least: float) -> set[int]:
    """The indices that coefficient `f` of a block, `ratio` steps, is led to; 0 is DC."""
    nearest = {math.floor(ratio), math.ceil(ratio)}
    if f == 0:
        return nearest
    if abs(ratio) < least:
        nearest = {0}
    return nearest | {index}


def naive_pull(f: int, ratio: float, index: int, least: float, slope: float, curvature: float) -> float:
    """|g| / h of an index whose loss has the slope g and the curvature h, 0 if no choice lies where the loss falls."""
    choices = naive_choices(f, ratio, index, least)
    follows = any(other < index for other in choices) if slope > 0 else any(other > index for other in choices)
    return abs(slope) / curvature if follows else 0.0


def naive_target(
    f: int, ratio: float, index: int, least: float, slope: float, curvature: float, fidelity: float
) -> tuple[float, float, float]:
    """The place where slope, curvature and fidelity are least, in steps, and how far it may lie: lowest and highest.

    The loss ``slope * (k - index) + curvature / 2 * ((k - index)^2 + fidelity * (k - ratio)^2)`` has the derivative 0
    there.
    """
    least_at = (index + fidelity * ratio - slope / curvature) / (1 + fidelity)
    choices = naive_choices(f, ratio, index, least)
    return least_at, min(choices) - 0.45, max(choices) + 0.45
