"""Allocators of block qualities: equal to exhaustive search and to a plain greedy loop; budgets are never exceeded."""

from __future__ import annotations

import math
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from optcodec import InvalidInputError
from optcodec.blocks.allocate import ALLOCATORS, Hulls, accelir, lagrangian, uniform
from optcodec.blocks.curves import Curves

QUALITIES = np.array([20, 40, 60, 80])


def curves_of(nbytes: object, after: object, before: object = None) -> Curves:
    """Curves whose bytes are multiples of 1/8, so that all sums are exact."""
    nbytes, after = np.array(nbytes, float), np.array(after, float)
    qualities = np.arange(15, 15 + 5 * nbytes.shape[1], 5) if nbytes.shape[1] != 4 else QUALITIES
    return Curves(qualities, nbytes, after if before is None else np.array(before, float), after)


@st.composite
def some_curves(draw: st.DrawFn, blocks: int = 4, count: int = 4) -> Curves:
    """Curves with few different values, so that there are ties; they rise and fall."""
    grid = arrays(float, (blocks, count), elements=st.integers(0, 40))
    nbytes, after = draw(grid) / 8, draw(grid)
    if draw(st.booleans()):
        nbytes, after = np.cumsum(nbytes, axis=1), np.sort(after, axis=1)[:, ::-1]
    return curves_of(nbytes, after)


def spent(curves: Curves, qualities: np.ndarray) -> float:
    places = np.searchsorted(curves.qualities, qualities)
    return math.fsum(curves.nbytes[np.arange(len(curves)), places])


def lost(curves: Curves, qualities: np.ndarray, pixels: np.ndarray, which: str = "after") -> float:
    places = np.searchsorted(curves.qualities, qualities)
    return math.fsum(getattr(curves, which)[np.arange(len(curves)), places] * pixels)


def naive_best(curves: Curves, budget: float, pixels: np.ndarray) -> float:
    """Least loss of all combinations of qualities within the budget."""
    blocks = np.arange(len(curves))
    places = np.array(list(product(range(len(curves.qualities)), repeat=len(curves))))
    fitting = curves.nbytes[blocks, places].sum(axis=1) <= budget
    return float((curves.after * pixels[:, None])[blocks, places[fitting]].sum(axis=1).min())


def hull_budgets(curves: Curves, pixels: np.ndarray) -> list[float]:
    """Total bytes of the best points of all blocks, at every price of a byte that lies between two slopes.

    Slopes are those of all pairs of points; strictly between two of them, the best point of a block is unique.
    """
    losses = curves.after * pixels[:, None]
    slopes = {0.0}
    for cost, loss in zip(curves.nbytes, losses, strict=True):
        rises = [(cost[b] - cost[a], loss[a] - loss[b]) for a in range(len(cost)) for b in range(len(cost))]
        slopes |= {gain / price for price, gain in rises if price > 0 and gain > 0}
    edges = sorted(slopes)
    prices = [(low + high) / 2 for low, high in pairwise(edges)] + [edges[-1] + 1]
    budgets = []
    for price in prices:
        places = np.lexsort((curves.nbytes, losses + price * curves.nbytes), axis=1)[:, 0]
        budgets.append(math.fsum(curves.nbytes[np.arange(len(curves)), places]))
    return budgets


def naive_accelir(curves: Curves, budget: float) -> np.ndarray:
    """The greedy loop without sorting: look at all blocks, and raise the quality of the best one."""
    at, psnr, size = [0] * len(curves), curves.psnr_db, curves.nbytes
    last = len(curves.qualities) - 1
    stopped: set[int] = set()

    def reward(block: int) -> float:
        here = at[block]
        steps = [
            (psnr[block, to] - psnr[block, here]) / max(size[block, to] - size[block, here], 0.125)
            for to in (here + 1, last)
        ]
        return float(steps[0] + 0.15 * steps[1])

    while open_blocks := [b for b in range(len(curves)) if b not in stopped and at[b] < last]:
        best = max(open_blocks, key=lambda block: (reward(block), -block))
        total = math.fsum(size[b, at[b]] for b in range(len(curves)))
        if total - size[best, at[best]] + size[best, at[best] + 1] > budget:
            stopped.add(best)
        else:
            at[best] += 1
    return curves.qualities[at]


@given(some_curves(), arrays(np.int64, 4, elements=st.integers(1, 4)))
def test_on_its_hull_no_allocation_is_better_than_lagrangian(curves, pixels):
    for budget in sorted(set(filter(None, hull_budgets(curves, pixels)))):
        chosen = lagrangian(curves, budget, pixels)
        assert spent(curves, chosen) <= budget
        assert lost(curves, chosen, pixels) == naive_best(curves, budget, pixels)


@given(some_curves(blocks=7, count=5), st.integers(0, 1000))
def test_accelir_is_the_greedy_loop(curves, more):
    budget = math.fsum(curves.nbytes[:, 0]) + more / 8
    if budget > 0:
        np.testing.assert_array_equal(accelir(curves, budget, np.ones(7)), naive_accelir(curves, budget))


LEAST = {
    "accelir": lambda curves: curves.nbytes[:, 0].sum(),
    "lagrangian": lambda curves: curves.nbytes.min(axis=1).sum(),
    "uniform": lambda curves: curves.nbytes.sum(axis=0).min(),
}


@pytest.mark.parametrize("name", ALLOCATORS)
@given(curves=some_curves(blocks=6, count=5), more=st.integers(-10, 1000))
def test_no_budget_is_exceeded_and_all_qualities_are_known(name, curves, more):
    least = LEAST[name](curves)
    budget, pixels = least + more / 8, np.full(6, 1024)
    if budget <= 0:
        return
    if more < 0:
        with pytest.raises(InvalidInputError, match=f"expected a budget of at least {least:g} bytes"):
            ALLOCATORS[name](curves, budget, pixels)
        return
    chosen = ALLOCATORS[name](curves, budget, pixels)
    assert chosen.shape == (6,)
    assert chosen.dtype == np.int64
    assert np.isin(chosen, curves.qualities).all()
    assert spent(curves, chosen) <= budget


def test_accelir_by_hand():
    # PSNR rises by 10 dB for each factor of 10. Block 0: steps of 10 dB for 10 bytes; block 1: the same for 20 bytes.
    curves = Curves(np.array([15, 20, 25]), [[10, 20, 30], [10, 30, 50]], *[[[1000, 100, 10], [1000, 100, 10]]] * 2)
    for budget, expected in ((20, [15, 15]), (30, [20, 15]), (40, [25, 15]), (59, [25, 15]), (60, [25, 20])):
        assert accelir(curves, budget, [1024, 1024]).tolist() == expected


def test_accelir_looks_ahead():
    """A smaller first gain wins because of later steps: 0.15 times 60 dB over 6 bytes is 1.5 dB per byte."""
    after = [[1e4, 1e4 / 10**0.5, 1e4 / 10**0.6], [1e4, 1e4 / 10**0.4, 1e4 / 10**3]]
    curves = Curves(np.array([15, 20, 25]), [[1, 6, 7], [1, 6, 7]], after, after)
    assert accelir(curves, 7, [1, 1]).tolist() == [15, 20]


def test_a_step_that_does_not_fit_leaves_room_for_others():
    curves = curves_of([[1, 100, 200, 300], [1, 2, 3, 4]], [[1000, 1, 1, 1], [10, 9, 8, 7]])
    assert accelir(curves, 5, [1, 1]).tolist() == [20, 80]
    assert lagrangian(curves, 5, [1, 1]).tolist() == [20, 80]
    assert uniform(curves, 105, [1, 1]).tolist() == [40, 40]


def test_equal_rewards_go_to_the_first_block():
    curves = curves_of([[1, 2, 3, 4]] * 3, [[400, 200, 100, 50]] * 3)
    assert lagrangian(curves, 4, np.ones(3)).tolist() == [40, 20, 20]
    assert accelir(curves, 4, np.ones(3)).tolist() == [40, 20, 20]


def test_lagrangian_counts_pixels_and_either_error():
    curves = curves_of([[1, 2, 3, 4]] * 2, [[40, 30, 20, 10]] * 2, [[40, 30, 20, 10], [80, 30, 20, 10]])
    assert lagrangian(curves, 3, [1, 2]).tolist() == [20, 40]
    assert lagrangian(curves, 3, [2, 1]).tolist() == [40, 20]
    assert lagrangian(curves, 3, [2, 1], which="before").tolist() == [20, 40]


def test_lagrangian_leaves_out_points_above_the_hull():
    curves = curves_of([[1, 3, 5, 9]], [[100, 90, 20, 10]])
    assert lagrangian(curves, 4, [1]).tolist() == [20]
    assert lagrangian(curves, 5, [1]).tolist() == [60]


def naive_hull(costs: np.ndarray, losses: np.ndarray) -> list[int]:
    """The lower hull: from the cheapest point, always go to the point with the largest saving for its cost."""
    points = range(len(costs))
    vertices = [min(points, key=lambda q: (costs[q], losses[q]))]
    while True:
        here = vertices[-1]
        others = [q for q in points if costs[q] > costs[here] and losses[q] < losses[here]]
        if not others:
            return vertices
        slopes = {q: (losses[here] - losses[q]) / (costs[q] - costs[here]) for q in others}
        vertices.append(min(others, key=lambda q: (-slopes[q], costs[q])))


@pytest.mark.parametrize("largest", [2, 5, 50])
def test_hulls_of_points_in_any_order(largest: int) -> None:
    """Coordinates are integers, so that some points coincide or lie on a line."""
    costs, losses = np.random.default_rng(largest).integers(0, largest, (2, 400, 9)).astype(np.float64)
    hulls = Hulls.of(costs, losses)
    for vertices, count, cost, loss in zip(hulls.vertices, hulls.counts, costs, losses, strict=True):
        assert vertices[: count + 1].tolist() == naive_hull(cost, loss)
        assert not vertices[count + 1 :].any()


def test_hulls_by_hand():
    hulls = Hulls.of(
        np.array([[1.0, 3, 5, 9], [4, 2, 2, 8], [1, 1, 1, 1]]),
        np.array([[100.0, 90, 20, 10], [9, 9, 8, 8], [3, 2, 2, 4]]),
    )
    assert hulls.counts.tolist() == [2, 0, 0]
    assert hulls.vertices[:, 0].tolist() == [0, 2, 1]
    assert hulls.vertices[0, :3].tolist() == [0, 2, 3]
    assert hulls.costs[0].tolist() == [4, 4, 1]
    assert hulls.saved[0].tolist() == [80, 10, 1]


@pytest.mark.parametrize(("name", "least"), [("accelir", 8), ("lagrangian", 7.5), ("uniform", 8)])
def test_a_budget_below_the_least_is_refused_with_the_least(name, least):
    curves = curves_of([[4, 5, 6, 7], [4, 3.5, 5, 6]], [[4, 3, 2, 1]] * 2)
    assert spent(curves, ALLOCATORS[name](curves, least, [1, 1])) <= least
    with pytest.raises(
        InvalidInputError, match=rf"expected a budget of at least {least:g} bytes, got {least - 0.125:g}"
    ):
        ALLOCATORS[name](curves, least - 0.125, [1, 1])


@pytest.mark.parametrize("name", ALLOCATORS)
@pytest.mark.parametrize(
    ("budget", "pixels", "message"),
    [
        (0, [1, 1], "above 0, got 0"),
        (math.nan, [1, 1], "above 0, got nan"),
        (100, [1], r"of shape \(2,\)"),
        (100, [1, 0], "pixels above 0"),
    ],
)
def test_wrong_arguments_are_refused(name, budget, pixels, message):
    curves = curves_of([[1, 2, 3, 4]] * 2, [[4, 3, 2, 1]] * 2)
    with pytest.raises(InvalidInputError, match=message):
        ALLOCATORS[name](curves, budget, pixels)


def test_there_are_errors_before_and_after_only():
    with pytest.raises(InvalidInputError, match="before or after restoration, got 'during'"):
        lagrangian(curves_of([[1, 2, 3, 4]], [[4, 3, 2, 1]]), 10, [1], which="during")
