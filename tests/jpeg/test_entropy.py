"""Huffman tables and bit counts against slow twins."""

from __future__ import annotations

import heapq

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optcodec.jpeg.entropy import CONTEXTS, optimal_tables, scan_bits, scan_bytes, sequential_tokens
from tests.strategies import coefficient_images


def naive_lengths(counts: dict[int, int]) -> list[int]:
    """Numbers of codes of each length 1..16 by the procedure of T.81, K.2 and K.3, with the reserved symbol 256."""
    trees = [(count, -symbol, [symbol]) for symbol, count in (counts | {256: 1}).items()]
    depth = dict.fromkeys(counts, 0) | {256: 0}
    heapq.heapify(trees)
    while len(trees) > 1:
        (one, order, left), (other, _, right) = heapq.heappop(trees), heapq.heappop(trees)
        for symbol in left + right:
            depth[symbol] += 1
        heapq.heappush(trees, (one + other, order, left + right))
    numbers = [0] * 300
    for length in depth.values():
        numbers[length] += 1
    for length in range(299, 16, -1):
        while numbers[length]:
            shorter = next(k for k in range(length - 2, 0, -1) if numbers[k])
            numbers[length] -= 2
            numbers[length - 1] += 1
            numbers[shorter + 1] += 2
            numbers[shorter] -= 1
    longest = max(k for k in range(17) if numbers[k])
    numbers[longest] -= 1
    return numbers[1:17]


def tables_of(counts: dict[int, int], slot: int = 1):
    histogram = np.zeros(CONTEXTS, np.int64)
    for symbol, count in counts.items():
        histogram[slot * 256 + symbol] = count
    return optimal_tables(histogram), histogram


@settings(deadline=None)
@given(st.dictionaries(st.integers(0, 255), st.integers(1, 10**6), min_size=1))
def test_lengths_are_those_of_the_standards_procedure(counts):
    tables, _ = tables_of(counts)
    assert list(tables.definition[1:17]) == naive_lengths(counts)
    assert sorted(tables.definition[17:]) == sorted(counts)


def test_codes_of_rare_symbols_are_limited_to_16_bits():
    fibonacci = [1, 1]
    while len(fibonacci) < 40:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    tables, _ = tables_of(dict(enumerate(fibonacci)))
    lengths = tables.definition[1:17]
    assert sum(lengths) == 40
    assert sum(number / 2 ** (k + 1) for k, number in enumerate(lengths)) < 1  # the code of all ones is not used
    assert lengths[15] > 0


def test_one_symbol_has_a_code_of_one_bit():
    tables, _ = tables_of({7: 1000})
    assert list(tables.definition) == [16, 1, *[0] * 15, 7]


@settings(max_examples=60, deadline=None)
@given(coefficient_images(max_side=40))
def test_bits_are_counted_without_writing(image):
    slots = [0, 2, 2, 2][: len(image.components)]
    chosen = range(len(image.components)) if sum(c.h * c.v for c in image.components) <= 10 else [0]
    tokens = sequential_tokens(image, list(chosen), [slots[index] for index in chosen])
    tables = optimal_tables(tokens.histogram)
    data = b"".join(scan_bytes(tokens, tables))
    if tokens.bounds is None:
        assert -(-scan_bits(tokens, tables) // 8) == len(data) - data.count(b"\xff\x00")


@pytest.mark.parametrize("slot", [0, 1, 6, 7])
def test_every_definition_has_class_and_number_of_its_table(slot):
    tables, _ = tables_of({1: 5, 2: 9}, slot)
    assert tables.definition[0] == (slot % 2) * 16 + slot // 2
    assert tables.used[slot] == 2
    assert sum(tables.used) == 2
