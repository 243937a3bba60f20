"""The trellis against searches that leave nothing out: costs are whole numbers, and equal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optcodec.kernels import load
from tests.naive import ZIGZAG
from tests.naive_rdo import (
    UNIT,
    AcBits,
    naive_ac_cost,
    naive_dc_cost,
    naive_dc_rows,
    naive_dc_search,
    naive_dynamic,
    naive_full_search,
)

ORDER = np.array([8 * y + x for y, x in ZIGZAG])
LENGTH = 11 * 64 + 3 + 64  # of a table of rates, see optcodec/kernels/rates.py
DC_LENGTHS = np.array([UNIT * (3 + size) for size in range(13)])
SEEDS = st.integers(0, 2**32 - 1)


def ac_bits(rng: np.random.Generator) -> AcBits:
    """Random codes of 1..16 bits, in no order, or all nearly alike; the ends of blocks in parts of a bit."""
    longest = int(rng.choice([2, 6, 16]))
    lengths = rng.integers(1, longest + 1, 256) + np.arange(256) % 16
    lengths[0xF0] -= 0xF0 % 16
    end, empty = (int(rng.integers(0, 16 * UNIT)) for _ in range(2))
    return AcBits(lengths.tolist(), end, empty)


def rate_table(bits: AcBits) -> np.ndarray:
    table = np.zeros(LENGTH, np.int64)
    load("rates").rate_table(np.array(bits.lengths, np.int64), bits.end, bits.empty, table)
    return table


@dataclass(frozen=True)
class Problem:
    """One component: coefficients (blocks, 64), steps (64,), weights (64,), scales (blocks,); row-major frequencies."""

    coefficients: np.ndarray
    steps: np.ndarray
    weights: np.ndarray
    scales: np.ndarray

    @property
    def ratios(self) -> np.ndarray:
        """C / q in the precision of the kernel."""
        return self.coefficients * (1 / self.steps)

    @property
    def rounded(self) -> np.ndarray:
        """Nearest indices, halves to even, of the product with the reciprocal step."""
        return np.rint(self.coefficients.astype(np.float64) * (1 / self.steps)).astype(np.int64)

    def solve(
        self,
        bits: AcBits,
        dc: np.ndarray = DC_LENGTHS,
        *,
        shape: tuple[int, int] | None = None,
        factors: tuple[int, int] = (1, 1),
        parts: tuple[int, ...] = (),
        others: dict[int, np.ndarray] | None = None,
        before: np.ndarray | None = None,
    ) -> np.ndarray:
        """Indices (blocks, 64) by the kernel, in one call or in several that begin at the MCU rows `parts`.

        Some blocks may have other coefficients, and only these may be chosen, where the indices before are given.
        """
        rows, columns = shape or (1, len(self.coefficients))
        h, v = factors
        numbers = np.array(sorted(others or {}), np.int64)
        instead = np.array([others[number] for number in numbers.tolist()] if others else np.empty((0, 64)), np.float32)
        indices = np.full(self.coefficients.shape, 77, np.int16) if before is None else before.copy()
        edges = [0, *parts, -(-rows // v)]
        constants = 1 / self.steps, np.float32(32767) * self.steps, self.weights, self.scales, rate_table(bits), dc
        for first, last in pairwise(edges):
            space = np.empty(64 + v * columns, np.float32), np.empty((6, 64), np.int64), np.empty(v * columns, np.int64)
            geometry = rows, columns, h, v, first, last
            changes = instead, numbers, int((numbers < first * v * columns).sum()), before is not None
            load("trellis").choose_rows(self.coefficients, *geometry, *constants, *changes, *space, indices)
        return indices

    def block(self, number: int) -> tuple[list[int], list[float], list[float]]:
        """Magnitudes of rounded indices and of ratios, and weights, of one block in zig-zag order."""
        weights = self.weights * float(self.scales[number])
        magnitudes = np.abs(self.rounded[number]), np.abs(self.ratios[number].astype(np.float64))
        rounded, ratios = (of_block[ORDER].tolist() for of_block in magnitudes)
        return rounded, ratios, weights[ORDER].tolist()


def problem(rng: np.random.Generator, ratios: np.ndarray) -> Problem:
    """Random steps, weights over five orders of magnitude in all, and scales, of which some are 0."""
    steps = rng.integers(1, 80, 64).astype(np.float32)
    weights = UNIT * 10.0 ** (rng.uniform(-2, 2.5) + rng.uniform(-0.7, 0.7, 64))
    scales = np.exp2(rng.uniform(-3, 3, len(ratios))).astype(np.float32) * (rng.random(len(ratios)) > 0.05)
    return Problem((ratios * steps).astype(np.float32), steps, weights, scales.astype(np.float32))


def sparse_ratios(rng: np.random.Generator, blocks: int) -> np.ndarray:
    """Up to five ratios that do not round to 0, of which few combinations are to be tried; the rest is below 1/2."""
    ratios = rng.uniform(-0.49, 0.49, (blocks, 64)) * rng.choice([0, 1], (blocks, 1))
    for row in ratios:
        count = int(rng.integers(0, 6))
        places = ORDER[rng.choice([*range(1, 64), 63], count)]
        row[places] = rng.uniform(0.55, [900, 40, 9, 5, 4][max(count, 1) - 1] ** rng.random(count))
        row[places] *= rng.choice([-1, 1], count)
    return ratios


def dense_ratios(rng: np.random.Generator, blocks: int) -> np.ndarray:
    """Any number of ratios that do not round to 0, falling with frequency or not."""
    fall = np.exp(-rng.choice([0.0, 0.03, 0.1], (blocks, 1)) * np.argsort(ORDER))
    return np.clip(rng.laplace(0, rng.choice([0.4, 1.0, 5.0], (blocks, 1)) * fall, (blocks, 64)), -60, 60)


def assert_cheapest(task: Problem, bits: AcBits, search: Callable[..., int]) -> int:
    """Compare each block with a search; returns how many blocks do not have their rounded indices."""
    solved, changed = task.solve(bits), 0
    for number in range(len(solved)):
        rounded, ratios, weights = task.block(number)
        chosen = np.abs(solved[number].astype(np.int64))[ORDER].tolist()
        assert naive_ac_cost(chosen, ratios, weights, bits) == search(rounded, ratios, weights, bits)
        changed += chosen[1:] != rounded[1:]
    assert ((solved == 0) | (np.sign(solved) == np.sign(task.coefficients)))[:, 1:].all()
    assert (np.abs(solved[:, 1:]) <= np.abs(task.rounded[:, 1:])).all()
    return changed


# ---- AC ------------------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(SEEDS)
def test_no_combination_of_indices_costs_less(seed):
    rng = np.random.default_rng(seed)
    assert_cheapest(problem(rng, sparse_ratios(rng, 5)), ac_bits(rng), naive_full_search)


@settings(max_examples=60)
@given(SEEDS)
def test_dense_blocks_cost_what_dynamic_programming_finds(seed):
    rng = np.random.default_rng(seed)
    assert_cheapest(problem(rng, dense_ratios(rng, 4)), ac_bits(rng), naive_dynamic)


@pytest.mark.parametrize("weight", [0.02, 0.3, 3.0, 30.0])
def test_indices_of_every_size(weight):
    """Up to 1023, which a coder of 8-bit samples has to take."""
    rng = np.random.default_rng(5)
    ratios = np.zeros((20, 64))
    places = np.array([rng.choice(63, 12, replace=False) + 1 for _ in ratios])
    np.put_along_axis(ratios, places, np.exp2(rng.uniform(-1, 10, places.shape)).clip(0, 1023), 1)
    task = Problem(ratios.astype(np.float32), np.ones(64, np.float32), np.full(64, weight), np.ones(20, np.float32))
    assert task.rounded.max() > 512
    changed = assert_cheapest(task, ac_bits(rng), naive_dynamic)
    assert changed > (0 if weight > 3 else 10)


def test_the_twins_agree():
    rng = np.random.default_rng(11)
    for _ in range(40):
        task, bits = problem(rng, sparse_ratios(rng, 1)), ac_bits(rng)
        assert naive_full_search(*task.block(0), bits) == naive_dynamic(*task.block(0), bits)


def test_ends_of_blocks_count():
    """What a block ends with decides: free ends or dear ones, an empty block that costs more than all it holds."""
    ratios = np.zeros((1, 64))
    ratios[0, ORDER[[3, 63]]] = 0.7, -0.7
    steps, scales = np.ones(64, np.float32), np.ones(1, np.float32)
    task = Problem(ratios.astype(np.float32), steps, np.full(64, 15.0 * UNIT), scales)
    lengths = [4] * 256  # index 1 for a ratio of 0.7 saves 0.4 weights: 6 bits; a run of 59 takes 3 codes more

    def coded(end: int, empty: int) -> list[int]:
        indices = task.solve(AcBits(lengths, end * UNIT, empty * UNIT))[0]
        return [k for k in range(64) if indices[ORDER[k]]]

    assert coded(0, 0) == [3]
    assert coded(3, 0) == []
    assert coded(3, 2) == [3]
    assert coded(30, 5) == []
    assert coded(30, 30) == [3, 63]


def test_a_scale_of_zero_leaves_the_cheapest_code():
    rng = np.random.default_rng(2)
    task = problem(rng, dense_ratios(rng, 3))
    nothing = Problem(task.coefficients, task.steps, task.weights, np.zeros(3, np.float32))
    assert np.abs(task.rounded[:, 1:]).max() > 1
    assert not nothing.solve(AcBits([5] * 256, 4 * UNIT, 4 * UNIT))[:, 1:].any()


def test_heavy_errors_leave_the_rounded_indices():
    rng = np.random.default_rng(3)
    ratios = dense_ratios(rng, 8)
    ratios[np.abs(np.abs(ratios) % 1 - 0.5) < 0.01] = 3  # no near ties
    task = Problem(ratios.astype(np.float32), np.ones(64, np.float32), np.full(64, 1e8), np.ones(8, np.float32))
    np.testing.assert_array_equal(task.solve(ac_bits(rng)), task.rounded)


# ---- DC ------------------------------------------------------------------------------------------------------------


def dc_problem(rng: np.random.Generator, blocks: int) -> Problem:
    ratios = np.zeros((blocks, 64))
    ratios[:, 0] = np.cumsum(rng.normal(0, rng.choice([0.5, 2.0, 30.0]), blocks)) + rng.uniform(-0.5, 0.5, blocks)
    return problem(rng, ratios)


@settings(max_examples=60)
@given(SEEDS, st.sampled_from([(1, 1), (2, 1), (1, 2), (2, 2)]), st.integers(1, 5), st.integers(1, 5))
def test_no_way_through_dc_costs_less(seed, factors, rows, columns):
    rng = np.random.default_rng(seed)
    columns = min(columns, 6 // factors[1])  # 3^5 ways at most
    task = dc_problem(rng, rows * columns)
    lengths = UNIT * rng.integers(1, 14, 13)
    chosen = task.solve(ac_bits(rng), lengths, shape=(rows, columns), factors=factors)[:, 0].astype(np.int64)
    rounded, before = task.rounded[:, 0], 0
    weights = task.weights[0] * task.scales.astype(np.float64)
    for places in naive_dc_rows(rows, columns, *factors):
        known = before, task.ratios[places, 0].astype(np.float64), weights[places], lengths
        assert naive_dc_cost(chosen[places], *known) == naive_dc_search(rounded[places], *known)
        before = int(rounded[places[-1]])
        assert chosen[places[-1]] == before
    assert np.abs(chosen - rounded).max() <= 1


@pytest.mark.parametrize("factors", [(1, 1), (2, 1), (1, 2), (2, 2)])
def test_parts_of_a_component_fit_together(factors):
    """Whoever begins at a later MCU row finds the index before it."""
    rng = np.random.default_rng(4)
    rows, columns = 11, 7
    ratios = dense_ratios(rng, rows * columns)
    ratios[:, 0] = np.cumsum(rng.normal(0, 1, len(ratios)))
    task, bits = problem(rng, ratios), ac_bits(rng)
    whole = task.solve(bits, shape=(rows, columns), factors=factors)
    assert (whole[:, 0] != task.rounded[:, 0]).any()
    for parts in ((1,), (3,), (2, 5), tuple(range(1, -(-rows // factors[1])))):
        np.testing.assert_array_equal(task.solve(bits, shape=(rows, columns), factors=factors, parts=parts), whole)


@pytest.mark.parametrize("factors", [(1, 1), (2, 1), (1, 2), (2, 2)])
def test_some_blocks_have_other_coefficients(factors):
    """As if the component had them; and if only these are chosen, all else but DC of their MCU rows stays."""
    rng = np.random.default_rng(6)
    rows, columns = 11, 7
    ratios = dense_ratios(rng, rows * columns)
    ratios[:, 0] = np.cumsum(rng.normal(0, 1, len(ratios)))
    task, bits, more = problem(rng, ratios), ac_bits(rng), ac_bits(rng)
    form = {"shape": (rows, columns), "factors": factors}
    numbers = [0, 6, 20, 27, 28, 55, 76]  # in MCU rows of one row of blocks: 0, 2, 3, 4, 7 and 10
    others = {number: task.coefficients[number] * np.float32(1.7) for number in numbers}
    replaced = task.coefficients.copy()
    replaced[numbers] = list(others.values())
    expected = replace(task, coefficients=replaced).solve(bits, **form)
    all_parts = tuple(range(1, -(-rows // factors[1])))
    for parts in ((), (3,), all_parts):
        np.testing.assert_array_equal(task.solve(bits, **form, others=others, parts=parts), expected)
    before = task.solve(more, UNIT * rng.integers(1, 14, 13), **form)
    mcu_rows = np.arange(rows * columns) // columns // factors[1]
    changed = np.isin(np.arange(rows * columns), numbers)
    in_rows = np.isin(mcu_rows, mcu_rows[numbers])
    for parts in ((), (3,), all_parts):
        after = task.solve(bits, **form, others=others, parts=parts, before=before)
        np.testing.assert_array_equal(after[changed], expected[changed])
        np.testing.assert_array_equal(after[~changed, 1:], before[~changed, 1:])
        np.testing.assert_array_equal(after[in_rows, 0], expected[in_rows, 0])
        np.testing.assert_array_equal(after[~in_rows, 0], before[~in_rows, 0])
    for kept, place in ((~changed, slice(1, 64)), (~in_rows, 0)):  # which would be others if they were chosen
        assert (before[kept, place] != expected[kept, place]).any()


def test_dc_follows_its_neighbours_where_bits_are_dear():
    ratios = np.zeros((7, 64))
    ratios[:, 0] = [10.2, 10.6, 10.4, 10.7, 10.2, 10.9, 10.1]
    lengths = np.array([UNIT * (1 + 9 * (size > 0)) for size in range(13)])
    task = Problem(ratios.astype(np.float32), np.ones(64, np.float32), np.full(64, 2.0 * UNIT), np.ones(7, np.float32))
    assert task.rounded[:, 0].tolist() == [10, 11, 10, 11, 10, 11, 10]
    assert task.solve(AcBits([4] * 256, 0, 0), lengths)[:, 0].tolist() == [10] * 7


# ---- Tables of rates -------------------------------------------------------------------------------------------------


@settings(max_examples=8)
@given(SEEDS)
def test_a_table_of_rates_is_its_definition(seed):
    bits = ac_bits(np.random.default_rng(seed))
    table = rate_table(bits).tolist()
    rates = {(size, run): bits.of(run, size) for size in range(1, 11) for run in range(63)}
    assert all(table[64 * size + run] == rate for (size, run), rate in rates.items())
    spread = max(rates.values()) - min(rates.values())
    assert table[704:707] == [bits.end, bits.empty, spread]
    for more in range(1, 63):
        least = min(rates[size, run + more] - rates[size, run] for size in range(1, 11) for run in range(63 - more))
        assert table[707 + more] == min(spread, least)


# ---- The step of DC --------------------------------------------------------------------------------------------------


def naive_dc_step_cost(planes: list[np.ndarray], weights: np.ndarray, step: np.float32) -> float:
    """Weighted squared error, and bits of the differences with a Huffman code that leaves one code free."""
    error, sizes = 0.0, []
    for plane, weight in zip(planes, weights, strict=True):
        indices = np.rint(plane / step)
        error += weight * float(((plane - indices * step).astype(np.float64) ** 2).sum())
        sizes += [int(abs(difference)).bit_length() for difference in np.diff(indices, prepend=0)]
    counts = [1, *Counter(sizes).values()]
    bits = sum(sizes)
    while len(counts) > 1:
        counts = sorted(counts)
        counts = [counts[0] + counts[1], *counts[2:]]
        bits += counts[0]
    return error + bits


@given(SEEDS, st.integers(1, 2), st.integers(1, 90))
def test_a_step_of_dc_costs_its_error_and_bits(seed, components, blocks):
    rng = np.random.default_rng(seed)
    planes = [np.cumsum(rng.normal(0, 40, blocks)).astype(np.float32) for _ in range(components)]
    weights, steps = 10 ** rng.uniform(-4, 0, components), np.unique(rng.integers(1, 200, 9)).astype(np.float32)
    costs, bounds = np.empty(len(steps)), np.arange(components + 1) * blocks
    load("dcsteps").dc_costs(np.concatenate(planes), bounds, weights, steps, np.empty(27, np.int64), costs)
    np.testing.assert_allclose(costs, [naive_dc_step_cost(planes, weights, step) for step in steps], rtol=1e-5)
