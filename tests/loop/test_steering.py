"""The kernels of a step against their slow twins, and the steps that come of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optcodec.kernels import load
from tests.naive_loop import naive_pull, naive_target


def problem(seed: int) -> tuple[np.ndarray, ...]:
    """Coefficients, indices, gradients, steps, weights and scales of three blocks; most indices are near the ratio."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(1, 60, 64).astype(np.float32)
    ratios = rng.choice([rng.normal(0, 0.6, (3, 64)), rng.normal(0, 6, (3, 64)), rng.integers(-3, 4, (3, 64))])
    coefficients = (ratios * steps).astype(np.float32)
    indices = (np.round(coefficients / steps) + rng.choice([-1, 0, 0, 0, 1], (3, 64))).astype(np.int16)
    gradients = rng.normal(size=(3, 64)).astype(np.float32)
    gradients[rng.random((3, 64)) < 0.1] = 0
    return coefficients, indices, gradients, steps, rng.uniform(0.1, 9, 64), rng.uniform(0.2, 3, 3).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3, 0.9]), st.sampled_from([0.0, 0.3, 2.0]))
def test_pulls_and_targets_are_those_of_their_definition(seed: int, least: float, fidelity: float) -> None:
    coefficients, indices, gradients, steps, weights, scales = values = problem(seed)
    pulls, targets = (np.empty((3, 64), np.float32) for _ in range(2))
    load("steer").pulls(*values, least, pulls)
    load("steer").targets(*values, least, 0.7, fidelity, targets)
    for block, f in np.ndindex(3, 64):
        ratio, index = float(coefficients[block, f] / steps[f]), int(indices[block, f])
        slope, curvature = gradients[block, f] * steps[f], weights[f] * scales[block] * steps[f] ** 2
        expected = naive_pull(f, ratio, index, np.float32(least), slope, curvature)
        assert pulls[block, f] == pytest.approx(expected, rel=1e-5)
        place, low, high = naive_target(f, ratio, index, np.float32(least), slope, 0.7 * curvature, fidelity)
        assert targets[block, f] == pytest.approx(min(max(place, low), high) * steps[f], rel=1e-4, abs=1e-4)
