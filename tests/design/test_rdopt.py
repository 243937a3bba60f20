"""Tables by RD-OPT: each step has the least cost of rate and distortion of all steps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.data import astronaut

from optcodec import design_tables, encode, load_profile, swe
from optcodec.design import METHODS, gather
from optcodec.design.methods import Design
from optcodec.design.rdopt import Lagrangian
from optcodec.jpeg.dct import forward
from optcodec.targets import MatchQuality, MatchSwe, MaxBytes, Quality, Target, WaterLevel


def by_search(error: np.ndarray, bits: np.ndarray, level: float) -> np.ndarray:
    """The largest of the steps with the least cost, by trying all steps."""
    cost = error + level * bits
    return np.array([1 + max(np.flatnonzero(row <= row.min() * (1 + 1e-12))) for row in cost])


def curves(seed: int, steps: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Errors that rise with the step and bits that fall, with some noise, at 64 frequencies."""
    rng = np.random.default_rng(seed)
    q = np.arange(1, steps + 1)
    spread = rng.uniform(1, 60, (64, 1))
    error = rng.uniform(0.1, 3, (64, 1)) * np.minimum(q**2 / 12 * rng.uniform(1, 1.02, (64, steps)), spread**2)
    bits = np.maximum(np.log2(4 * spread / q), 0)
    return np.maximum.accumulate(error, axis=1), bits


@given(st.integers(0, 2**32 - 1), st.floats(-4, 6))
def test_steps_cost_least(seed: int, exponent: float) -> None:
    error, bits = curves(seed)
    level = 10.0**exponent
    assert np.array_equal(Lagrangian(error, bits).steps(level), by_search(error, bits, level))


def test_bounds_enclose_all_changes() -> None:
    error, bits = curves(1)
    family = Lagrangian(error, bits)
    low, high = family.bounds
    assert np.array_equal(family.steps(low), by_search(error, bits, low * 1e-9))
    assert np.array_equal(family.steps(high), by_search(error, bits, high * 1e9))
    assert not np.array_equal(family.steps(3 * low), family.steps(low))
    assert not np.array_equal(family.steps(high / 3), family.steps(high))


def test_nothing_but_zeros_takes_the_largest_step() -> None:
    family = Lagrangian(np.zeros((64, 255)), np.zeros((64, 255)))
    low, high = family.bounds
    assert 0 < low < high
    assert (family.steps(low) == 255).all()
    assert (family.steps(high) == 255).all()


def test_of_equal_points_the_largest_step_stays() -> None:
    error, bits = np.tile([0.0, 1, 1, 1, 4, 4], (64, 1)), np.tile([9.0, 5, 5, 5, 0, 0], (64, 1))
    family = Lagrangian(error, bits)
    assert (family.steps(0.2) == 1).all()
    assert (family.steps(0.3) == 4).all()
    assert (family.steps(0.7) == 6).all()


def test_steps_never_fall() -> None:
    """For coefficients that were quantized before, a larger step can have both less error and fewer bits."""
    error, bits = np.tile([3.0, 2, 5, 0, 4, 6], (64, 1)), np.tile([9.0, 8, 7, 6, 2, 2.5], (64, 1))
    family = Lagrangian(error, bits)
    steps = [int(family.steps(level)[0]) for level in (1e-6, 0.5, 0.99, 1.01, 100)]
    assert steps == [4, 4, 4, 5, 5]


@pytest.mark.parametrize("level", [0.1, 3.0, 50.0])
def test_steps_rise_where_the_curve_turns_back(level: float) -> None:
    """The point with the fewest bits has a smaller step than its neighbour on the hull, and is left out."""
    error, bits = np.tile([0.0, 9, 1], (64, 1)), np.tile([9.0, 0, 4], (64, 1))
    family = Lagrangian(error, bits)
    steps = [family.steps(lower_level)[0] for lower_level in (level / 2, level)]
    assert steps == sorted(steps)
    assert set(steps) <= {1, 3}


PHOTO = astronaut()[:192, 100:292]


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
@pytest.mark.parametrize("level", [0.3, 20.0])
def test_tables_of_a_photograph_cost_least(subsampling: str, level: float) -> None:
    """Bits are counted per block of luminance, so that those of chrominance at 4:2:0 count a quarter."""
    statistics = gather(forward(PHOTO, subsampling))
    luma, chroma = (family.steps(level) for family in METHODS["rdopt"](Design(statistics, None, "empirical", 255)))
    ratio = 4 if subsampling == "4:2:0" else 1
    error, bits = statistics.empirical, statistics.bits
    assert np.array_equal(luma, by_search(error[0], bits[0], level))
    assert np.array_equal(chroma, by_search(error[1] + error[2], (bits[1] + bits[2]) / ratio, level))


@pytest.mark.parametrize("target", [MatchQuality(60), MatchSwe(20.0)])
def test_fewer_bytes_than_opts_at_the_same_error(target: Target) -> None:
    profile = load_profile("mobilenet_v2")
    options = {"profile": profile, "target": target, "overshoot": False}  # nothing but tables differs
    files = {method: encode(PHOTO, method=method, **options) for method in ("opts", "rdopt")}
    original = forward(PHOTO, "4:4:4")
    errors = {method: swe(original, file.coefficients, profile.normalized()) for method, file in files.items()}
    assert errors["rdopt"] <= errors["opts"] * 1.001
    assert files["rdopt"].nbytes < 0.99 * files["opts"].nbytes


@pytest.mark.parametrize(
    ("target", "weighted", "method"),
    [
        (MaxBytes(5000), True, "rdopt"),
        (MaxBytes(5000), False, "rdopt"),
        (WaterLevel(0.5), True, "opts"),
        (WaterLevel(500.0), False, "optd"),
        (Quality(50), False, "jpeg"),
    ],
)
def test_the_method_where_none_is_named(target: Target, weighted: bool, method: str) -> None:
    profile = load_profile("mobilenet_v2") if weighted else None
    data = encode(PHOTO, profile=profile, target=target, subsampling="4:4:4", effort=2).data
    assert data == encode(PHOTO, profile=profile, target=target, subsampling="4:4:4", method=method).data


def test_qmax_bounds_the_steps() -> None:
    free = design_tables(PHOTO, MaxBytes(4000))
    bounded = design_tables(PHOTO, MaxBytes(4000), qmax=120)
    assert max(table.steps.max() for table in free) == 255
    assert max(table.steps.max() for table in bounded) == 120
