"""Weights of blocks from the sensitivity of pixels."""

from __future__ import annotations

import numpy as np
import pytest

from optcodec.loop.importance import LINEAR, ROOT, importance


def test_weights_are_powers_of_the_sums_over_blocks() -> None:
    """Blocks that the border cuts have fewer pixels, and count for less."""
    sensitivity = np.random.default_rng(0).uniform(0.5, 2, (19, 30))
    sums = np.array([[sensitivity[y : y + 8, x : x + 8].sum() for x in range(0, 30, 8)] for y in range(0, 19, 8)])
    for power in (LINEAR, ROOT):
        field = importance(sensitivity, power)
        assert field is not None
        assert (field.width, field.height) == (30, 19)
        assert field.weights == pytest.approx(sums**power / (sums**power).mean())


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
@pytest.mark.parametrize(("power", "lowest"), [(LINEAR, 0.0009), (ROOT, 0.03)])
def test_weights_neither_vanish_nor_take_all(scale: float, power: float, lowest: float) -> None:
    sensitivity = np.full((64, 64), 1e-9 * scale)
    sensitivity[8:16, 24:32] = scale
    field = importance(sensitivity, power)
    assert field is not None
    assert (field.weights.max(), field.weights.min()) == (30, lowest)


@pytest.mark.parametrize("power", [LINEAR, ROOT])
def test_blocks_that_are_not_seen_weigh_next_to_nothing(power: float) -> None:
    sensitivity = np.ones((16, 32))
    sensitivity[:, 16:] = 0
    field = importance(sensitivity, power)
    assert field is not None
    assert field.weights.tolist() == [[2, 2, 0.0009, 0.0009]] * 2


def test_there_are_no_weights_where_nothing_counts() -> None:
    assert importance(np.zeros((9, 9)), ROOT) is None
