"""The Laplacian model of coefficients: its distortions equal the formulas in many digits and the error of rounding."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from optcodec.design.laplacian import LaplacianModel, deadzone_distortion, midpoint_distortion
from optcodec.errors import InvalidInputError
from tests.naive import naive_deadzone_distortion, naive_midpoint_distortion

FORMS = pytest.mark.parametrize(
    ("closed_form", "naive"),
    [(deadzone_distortion, naive_deadzone_distortion), (midpoint_distortion, naive_midpoint_distortion)],
)
Form = Callable[..., np.ndarray]


@FORMS
@given(logarithm=st.floats(-3.5, 5), step=st.integers(1, 255))
def test_equals_the_formula_in_many_digits(closed_form: Form, naive: Callable, logarithm: float, step: int) -> None:
    scale = 10.0**logarithm
    assert float(closed_form(scale, step)) == pytest.approx(naive(scale, step), rel=2e-12)


@FORMS
def test_series_and_direct_evaluation_meet(closed_form: Form, naive: Callable) -> None:
    for step in np.linspace(0.19, 0.21, 21):  # the series is used up to q = 0.2 l
        assert float(closed_form(1.0, step)) == pytest.approx(naive(1.0, step), rel=1e-12)


def density(y: float, scale: float) -> float:
    return math.exp(-abs(y) / scale) / (2 * scale)


@pytest.mark.parametrize(("scale", "step"), [(0.5, 1), (3.0, 2), (3.0, 17), (40.0, 25)])
def test_midpoint_is_the_error_of_rounding(scale: float, step: int) -> None:
    total = 0.0
    for k in range(math.ceil(60 * scale / step)):
        low, high = max(k - 0.5, 0) * step, (k + 0.5) * step
        total += 2 * quad(lambda y, k=k: (y - k * step) ** 2 * density(y, scale), low, high)[0]
    assert float(midpoint_distortion(scale, step)) == pytest.approx(total, rel=1e-8)


@pytest.mark.parametrize(("scale", "step"), [(0.5, 1), (3.0, 2), (3.0, 17), (40.0, 25)])
def test_deadzone_is_the_error_of_its_quantizer(scale: float, step: int) -> None:
    z = step - scale + step / math.expm1(step / scale)
    total = 2 * quad(lambda y: y**2 * density(y, scale), 0, z)[0]
    for k in range(1, math.ceil(60 * scale / step)):
        low = z + (k - 1) * step
        total += 2 * quad(lambda y, k=k: (y - k * step) ** 2 * density(y, scale), low, low + step)[0]
    assert float(deadzone_distortion(scale, step)) == pytest.approx(total, rel=1e-8)


@FORMS
def test_grows_with_the_step_between_its_limits(closed_form: Form, naive: Callable) -> None:
    scale = np.geomspace(0.01, 1e4, 200)[:, None]
    values = closed_form(scale, np.arange(1, 256))
    assert values.shape == (200, 255)
    assert (np.diff(values, axis=1) >= 0).all()
    assert (values <= 2 * scale**2).all()
    np.testing.assert_allclose(closed_form(1e6, np.arange(1, 256)), np.arange(1, 256) ** 2 / 12, rtol=1e-7)
    np.testing.assert_allclose(closed_form(0.1, 255), 2 * 0.1**2, rtol=1e-14)


def test_midpoint_is_below_deadzone() -> None:
    scale = np.geomspace(0.05, 1e3, 100)[:, None]
    steps = np.arange(1, 256)
    assert (midpoint_distortion(scale, steps) <= deadzone_distortion(scale, steps)).all()


@FORMS
@pytest.mark.parametrize("scale", [0.0, 5e-324, 1e-200, 1e-9, 1e12])
def test_extreme_scales_give_numbers(closed_form: Form, naive: Callable, scale: float) -> None:
    value = float(closed_form(scale, 255))
    assert math.isfinite(value)
    assert 0 <= value <= 255**2 / 12 * (1 + 1e-9)


@pytest.mark.parametrize(
    ("scale", "variance", "message"),
    [
        (np.ones((3, 63)), np.ones((3, 63)), r"\(3, 63\)"),
        (np.ones((3, 64)), np.ones((1, 64)), r"\(1, 64\)"),
        (np.full((1, 64), np.nan), np.ones((1, 64)), "nan"),
        (np.ones((1, 64)), np.full((1, 64), -2.0), "-2"),
    ],
)
def test_model_refuses_what_is_no_statistic(scale: np.ndarray, variance: np.ndarray, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        LaplacianModel(scale, variance)


def test_model_cannot_be_changed() -> None:
    scale = np.ones((1, 64))
    model = LaplacianModel(scale, scale)
    scale[:] = 2
    assert (model.scale == 1).all()
    with pytest.raises(ValueError, match="read-only"):
        model.scale[0, 0] = 3
