"""Compare the curves of methods with that of the baseline: Bjøntegaard deltas, rates at equal accuracy and loss."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from optcodec.accuracy.conditions import Condition
from optcodec.accuracy.means import Means
from optcodec.accuracy.rows import Rows
from optcodec.experiments.curves import MonotoneCurves, bd_quality, bd_rate, monotone_curves, rate_at
from optcodec.experiments.estimates import Estimate, estimate

__all__ = ["CURVE_RESAMPLES", "compare_curves", "grouped", "named"]

Floats = npt.NDArray[np.float64]
Bounds = tuple[Floats, Floats]  # bounds of rates: equal if the rate is known; 0 or infinite if there is no bound
Key = TypeVar("Key", bound=Hashable)

CURVE_RESAMPLES = 500  # only the first resamples, since comparing whole curves takes time
_ROWS = slice(1 + CURVE_RESAMPLES)
_MARGINS_POINTS = (0.0, 0.5, 1.0)
_LOSS_LEVELS = (90, 75, 50)  # rates are compared at the loss of the baseline with these quality factors
_QUALITY_SETTINGS = ("fixed", "1", "1-joint", "bytes")  # settings whose level is a quality factor for default JPEG
_DELTAS = ("bd_rate_top1_percent", "bd_rate_loss_percent", "bd_top1_points", "bd_loss")


@dataclass(frozen=True, eq=False)
class _Curve:
    """Curves of a method in a setting: top-1 accuracy in percent, and negative loss increase, against the rate."""

    method: str
    setting: str
    points: int
    top1: MonotoneCurves
    loss: MonotoneCurves


@dataclass(frozen=True, eq=False)
class _Baseline:
    """The curve to compare with; or None and the reason why there is none."""

    curve: _Curve | None
    reason: str


def compare_curves(rows: Rows, averages: Means, baseline: str) -> list[dict[str, Any]]:
    """Records of all curves, one for each method and setting; `summarize` explains the figures."""
    groups = grouped(rows.conditions, lambda condition: (condition.method, condition.setting))
    curves = {key: _curve(key, _distinct(rows, members), averages) for key, members in groups.items()}
    levels = _loss_levels(rows.conditions, baseline)
    records = []
    for (method, setting), curve in curves.items():
        base = _Baseline(curves.get((baseline, setting)), f"{baseline} was not measured in this setting")
        if method == baseline:
            base = _Baseline(None, "this is the baseline")
        record = {
            "method": method,
            "setting": setting,
            "points": curve.points,
            "against": baseline if base.curve else None,
            **_deltas(curve, base),
            "at_accuracy": [_at_accuracy(curve, base, averages, margin) for margin in _MARGINS_POINTS],
            "at_loss": [_at_loss(curve, averages, level, index) for level, index in levels.items()],
        }
        records.append(record)
    return records


def grouped(conditions: Sequence[Condition], key: Callable[[Condition], Key]) -> dict[Key, list[int]]:
    """Group the indices of conditions by a key, in the order of the first condition of each group."""
    groups: dict[Key, list[int]] = {}
    for index, condition in enumerate(conditions):
        groups.setdefault(key(condition), []).append(index)
    return groups


def named(condition: Condition) -> dict[str, Any]:
    """The fields of a record that identify its condition."""
    return {"method": condition.method, "setting": condition.setting, "level": condition.level}


def _distinct(rows: Rows, members: list[int]) -> list[int]:
    """Leave out conditions whose files have the same sizes as those of another: their levels led to the same tables."""
    return list({rows.nbytes[index].tobytes(): index for index in members}.values())


def _curve(key: tuple[str, str], members: list[int], averages: Means) -> _Curve:
    bpp, top1, increase = (
        values[members, _ROWS] for values in (averages.bpp, averages.top1_percent, averages.loss_increase)
    )
    return _Curve(*key, len(members), monotone_curves(bpp, top1), monotone_curves(bpp, -increase))


def _loss_levels(conditions: Sequence[Condition], baseline: str) -> dict[int, int]:
    """Index of the first condition of the baseline with each of the quality factors ``_LOSS_LEVELS``."""
    by_level: dict[float, int] = {}
    for index, condition in enumerate(conditions):
        if condition.method == baseline and condition.setting in _QUALITY_SETTINGS:
            by_level.setdefault(condition.level, index)
    return {level: by_level[level] for level in _LOSS_LEVELS if level in by_level}


def _deltas(curve: _Curve, base: _Baseline) -> dict[str, Estimate]:
    if base.curve is None:
        return {name: _unknown(base.reason) for name in _DELTAS}
    pairs = ((base.curve.top1, curve.top1), (base.curve.loss, curve.loss))
    deltas = [bd_rate(*pair) for pair in pairs] + [bd_quality(*pair) for pair in pairs]
    signs = (1, 1, 1, -1)  # curves have the negative loss, since a quality must rise with the rate
    return {
        name: estimate(sign * delta.values, reason=delta.reason) | {"overlap_percent": delta.overlap_percent}
        for name, sign, delta in zip(_DELTAS, signs, deltas, strict=True)
    }


def _at_accuracy(curve: _Curve, base: _Baseline, averages: Means, margin: float) -> dict[str, Any]:
    target = averages.reference_top1_percent[_ROWS] - margin
    rate = rate_at(curve.top1, target)
    return {
        "margin_points": margin,
        "top1_percent": float(target[0]),
        "bpp": _rate(rate),
        "change_percent": _change(rate, rate_at(base.curve.top1, target)) if base.curve else _unknown(base.reason),
    }


def _at_loss(curve: _Curve, averages: Means, level: int, index: int) -> dict[str, Any]:
    increase, bpp = averages.loss_increase[index, _ROWS], averages.bpp[index, _ROWS]
    rate = rate_at(curve.loss, -increase)
    return {
        "baseline_level": level,
        "loss_increase": float(increase[0]),
        "bpp": _rate(rate),
        "change_percent": _change(rate, (bpp, bpp)),
    }


def _rate(bounds: Bounds) -> Estimate:
    lower, upper = bounds
    reason = f"not reached at {lower[0]:.3f} bpp, the largest rate measured"
    if lower[0] == 0:
        reason = f"exceeded already at {upper[0]:.3f} bpp, the smallest rate measured"
    return estimate(np.where(lower == 0, -np.inf, lower), upper, reason=reason)


def _change(rate: Bounds, base: Bounds) -> Estimate:
    """Difference of two rates in percent of the second."""
    (lower, upper), (base_lower, base_upper) = rate, base
    with np.errstate(divide="ignore"):
        least = np.where((lower == 0) | np.isposinf(base_upper), -np.inf, 100 * (lower / base_upper - 1))
        most = 100 * (upper / base_lower - 1)
    return estimate(least, most, reason="one of the two rates is not known")


def _unknown(reason: str) -> Estimate:
    unknown = np.full(1 + CURVE_RESAMPLES, np.nan)
    return estimate(unknown, reason=reason)
