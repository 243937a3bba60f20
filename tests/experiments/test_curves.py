"""Monotone curves, Bjøntegaard deltas and rates at a quality, compared with libraries that take one curve at a time."""

from __future__ import annotations

import math
from typing import Any

import bjontegaard
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq, isotonic_regression

from optcodec.experiments.curves import bd_quality, bd_rate, monotone_curves, rate_at


def measured(seed: int, points: int = 6, rows: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Rates and qualities (points, rows) of noisy curves that level off, in random order."""
    rng = np.random.default_rng(seed)
    rates = np.exp(rng.normal(0, 0.2, (points, 1)) + np.linspace(0, 2.5, points)[:, np.newaxis])
    rates = rates * rng.lognormal(0, 0.02, (points, rows))
    qualities = 70 - 8 * rates**-1.5 + rng.normal(0, 0.4, (points, rows))
    order = rng.permutation(points)
    return rates[order], np.round(qualities[order], 1)


def pooled(rates: np.ndarray, qualities: np.ndarray) -> tuple[list[float], list[float]]:
    """One curve made monotone: neighbouring points pooled to equal quality are at their geometric mean rate."""
    order = np.argsort(rates)
    fitted = isotonic_regression(qualities[order]).x
    distinct = [fitted[0]]
    for quality in fitted:
        if quality > distinct[-1] + 1e-9:
            distinct.append(quality)
    logs = np.log(rates[order])
    return [math.exp(logs[np.abs(fitted - quality) < 1e-9].mean()) for quality in distinct], distinct


@given(st.integers(0, 10**6), st.integers(4, 9))
def test_deltas_are_those_of_the_package_in_every_row(seed: int, points: int) -> None:
    anchor, test = measured(seed, 6), measured(seed + 1, points)
    anchor_curves, test_curves = monotone_curves(*anchor), monotone_curves(*test)
    rate, quality = bd_rate(anchor_curves, test_curves), bd_quality(anchor_curves, test_curves)
    options: Any = {"method": "pchip", "require_matching_points": False, "min_overlap": 0}
    for row in range(anchor[0].shape[1]):
        (base_rate, base), (test_rate, mine) = (
            pooled(rates[:, row], qualities[:, row]) for rates, qualities in (anchor, test)
        )
        if rate.reason is None and min(len(base), len(mine)) > 1 and max(base[0], mine[0]) < min(base[-1], mine[-1]):
            expected = bjontegaard.bd_rate(base_rate, base, test_rate, mine, **options)
            assert rate.values[row] == pytest.approx(expected, rel=1e-8, abs=1e-8)
        else:
            assert math.isnan(rate.values[row])
        both = []
        for rates, qualities in (anchor, test):
            order = np.argsort(rates[:, row])
            both += [rates[order, row], isotonic_regression(qualities[order, row]).x]
        assert quality.reason is None
        assert quality.values[row] == pytest.approx(bjontegaard.bd_psnr(*both, **options), rel=1e-8, abs=1e-8)


@given(st.integers(0, 10**6))
@example(2523)
def test_rates_at_a_quality_are_roots_of_the_interpolant(seed: int) -> None:
    curves = monotone_curves(*measured(seed))
    inside = curves.quality[:, 0] + (curves.quality[:, -1] - curves.quality[:, 0]) * np.linspace(0.1, 0.9, 5)
    lower, upper = rate_at(curves, inside)
    assert np.array_equal(lower, upper)
    for row, target in enumerate(inside):
        log_rate, quality = curves.log_rate[row], curves.quality[row]
        interpolant = PchipInterpolator(log_rate, quality)
        last = int(np.argmax(quality >= target - 1e-9))  # qualities that differ only by rounding errors count as equal
        level = min(target, quality[last])
        root = brentq(lambda x: interpolant(x) - level, log_rate[last - 1], log_rate[last], xtol=1e-14)  # noqa: B023
        assert math.log(lower[row]) == pytest.approx(root, abs=1e-6)


def test_rates_out_of_reach_are_bounds() -> None:
    curves = monotone_curves(np.array([[1.0], [2.0], [4.0]]).repeat(5, 1), np.array([[60.0], [65], [65]]).repeat(5, 1))
    lower, upper = rate_at(curves, np.array([59.0, 60.0, 65.0, 65.1, 62.5]))
    assert lower[:4] == pytest.approx([0, 1, 2, 4])
    assert upper[:4] == pytest.approx([1, 1, 2, np.inf])
    assert 1 < lower[4] == upper[4] < 2


def test_one_point_is_no_curve_but_a_bound() -> None:
    curves = monotone_curves(np.full((1, 3), 2.0), np.full((1, 3), 60.0))
    lower, upper = rate_at(curves, np.array([59.0, 60.0, 61.0]))
    assert lower == pytest.approx([0, 2, 2])
    assert upper == pytest.approx([2, 2, np.inf])


def test_points_of_one_rate_are_compared_all_the_same() -> None:
    rates = np.array([[1.0], [2.0], [2.0], [4.0]])
    anchor = monotone_curves(rates, np.array([[60.0], [64], [65], [70]]))
    test = monotone_curves(0.5 * rates, np.array([[60.0], [64], [65], [70]]))
    assert bd_rate(anchor, test).values[0] == pytest.approx(-50, abs=1e-6)
