"""Histograms of coefficients: moments, and error and entropy of every step, equal to those of single coefficients."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optcodec.design.counting import count_coefficients, count_pixels, mean_deviation
from optcodec.design.histogram import Histogram
from optcodec.errors import InvalidInputError
from optcodec.jpeg.dct import forward
from tests.naive import naive_step

ROUNDING = 2.0**-15  # histograms count coefficients in multiples of this


def blocks(seed: int, rows: int, columns: int, scale: float = 30.0) -> np.ndarray:
    """Laplacian coefficients whose spread falls from frequency to frequency, down to many exact zeros."""
    random = np.random.default_rng(seed)
    widths = scale * np.exp(-np.arange(64) / 12)
    values = random.laplace(0, 1, (rows * columns, 64)) * widths + random.normal(0, 0.1, 64)
    values[:, 0] += 300
    values[:, 50:][random.random((rows * columns, 14)) < 0.5] = 0
    values = values.clip(-8192, 8192)  # somewhat more than the range of 8-bit samples
    return values.reshape(rows, columns, 8, 8).astype(np.float32)


def assert_equal(ours: Histogram, theirs: Histogram) -> None:
    np.testing.assert_array_equal(ours.extents, theirs.extents)
    np.testing.assert_array_equal(ours.sums, theirs.sums)
    np.testing.assert_array_equal(ours.squares, theirs.squares)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 9), scale=st.sampled_from([0.05, 2.0, 60.0, 900.0]))
def test_moments(seed: int, rows: int, scale: float) -> None:
    coefficients = blocks(seed, rows, 7, scale)
    histogram = count_coefficients(coefficients)
    flat = coefficients.reshape(-1, 64).astype(np.float64)
    assert histogram.blocks == rows * 7
    np.testing.assert_allclose(histogram.mean, flat.mean(axis=0), atol=ROUNDING)
    spread = np.sqrt(flat.var(axis=0)) + ROUNDING
    np.testing.assert_allclose(histogram.variance, flat.var(axis=0), rtol=0, atol=(2 * ROUNDING * spread).max())
    deviation = mean_deviation(coefficients, histogram.mean)
    np.testing.assert_allclose(deviation, np.abs(flat - flat.mean(axis=0)).mean(axis=0), atol=2 * ROUNDING)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([0.3, 30.0, 400.0]))
def test_every_step_equals_rounding_all_coefficients(seed: int, scale: float) -> None:
    coefficients = blocks(seed, 5, 6, scale)
    # multiples of the histogram's bins, so that a coefficient at a threshold counts on the same side
    coefficients = (np.rint(coefficients / ROUNDING) * ROUNDING).astype(np.float32)
    histogram = count_coefficients(coefficients)
    flat = coefficients.reshape(-1, 64)
    for frequency in (0, 1, 13, 40, 63):
        for step in (1, 2, 3, 7, 16, 77, 255):
            error, bits = naive_step(flat[:, frequency], step)
            assert histogram.distortion[frequency, step - 1] == pytest.approx(error, rel=1e-9, abs=1e-9)
            assert histogram.bits[frequency, step - 1] == pytest.approx(bits, rel=1e-9, abs=1e-9)


def test_many_blocks_of_one_value_take_the_logarithm_itself() -> None:
    """Counts that are larger than the table of n log n are computed directly."""
    coefficients = np.zeros((100, 200, 8, 8), np.float32)
    coefficients[:50] = 40
    histogram = count_coefficients(coefficients)
    np.testing.assert_allclose(histogram.bits[:, 9], 1 + 0.5, rtol=1e-12)  # half of them are 4 with a sign bit
    np.testing.assert_allclose(histogram.distortion[:, 29], 10**2 / 2, rtol=1e-12)


def test_multiples_of_a_step_lose_nothing_to_it() -> None:
    random = np.random.default_rng(5)
    coefficients = (7 * random.integers(-100, 101, (12, 5, 8, 8))).astype(np.float32)
    histogram = count_coefficients(coefficients)
    assert (histogram.distortion[:, 6] == 0).all()
    assert (histogram.distortion[:, 0] == 0).all()
    assert (histogram.distortion[:, 4] > 0).all()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scales=st.tuples(st.floats(0.1, 500), st.floats(0.1, 500)))
def test_merging_equals_concatenation(seed: int, scales: tuple[float, float]) -> None:
    parts = [blocks(seed + index, 4, 3, scale) for index, scale in enumerate(scales)]
    merged = count_coefficients(parts[0]).merged(count_coefficients(parts[1]))
    assert_equal(merged, count_coefficients(np.concatenate(parts)))
    assert_equal(count_coefficients(parts[1]).merged(count_coefficients(parts[0])), merged)


def test_result_does_not_depend_on_threads() -> None:
    coefficients = blocks(3, 230, 300)  # large enough that threads are used
    single_thread, three_threads = count_coefficients(coefficients), count_coefficients(coefficients, threads=3)
    assert_equal(three_threads, single_thread)
    deviations = [mean_deviation(coefficients, single_thread.mean, threads=threads) for threads in (1, 3)]
    np.testing.assert_array_equal(*deviations)


def rougher_and_rougher(height: int, width: int) -> np.ndarray:
    """Pixels that are rougher further down, so that larger and larger magnitudes turn up while they are counted."""
    noise = np.random.default_rng(4).integers(0, 256, (height, width, 3))
    return (noise * np.linspace(0.01, 1, height)[:, np.newaxis, np.newaxis]).astype(np.uint8)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0", "4:2:2", "4:4:0", "grey"])
@pytest.mark.parametrize("size", [(1, 1), (37, 90), (600, 650)])
@pytest.mark.parametrize("threads", [1, 3])
def test_pixels_are_counted_as_their_coefficients(subsampling: str, size: tuple[int, int], threads: int) -> None:
    pixels = rougher_and_rougher(*size)
    if subsampling == "grey":
        pixels, subsampling = pixels[..., 0].copy(), "4:4:4"
    parts = forward(pixels, subsampling).components
    for ours, part in zip(count_pixels(pixels, subsampling, threads=threads), parts, strict=True):
        assert_equal(ours, count_coefficients(part.coefficients))
        assert ours.blocks == part.coefficients.size // 64


def test_many_pixels_are_counted_by_several_threads() -> None:
    pixels = rougher_and_rougher(1600, 1600)  # large enough that threads are used
    for ours, theirs in zip(count_pixels(pixels, threads=3), count_pixels(pixels), strict=True):
        assert_equal(ours, theirs)


def test_the_coefficients_of_pixels_are_not_kept() -> None:
    pixels = np.full((1600, 1600, 3), 90, np.uint8)
    count_pixels(pixels[:16, :16])  # the kernel is loaded
    tracemalloc.start()
    count_pixels(pixels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * pixels.size / 20  # a twentieth of the coefficients


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 8193.0])
@pytest.mark.parametrize("place", [(0, 0, 0, 0), (2, 3, 5, 1)])
def test_refuses_what_is_no_coefficient(value: float, place: tuple[int, ...]) -> None:
    coefficients = blocks(1, 3, 4)
    coefficients[place] = value
    with pytest.raises(InvalidInputError, match=f"8192, got {abs(value)}"):
        count_coefficients(coefficients)


@pytest.mark.parametrize("value", [8192.0, -8192.0, 0.5, -0.5, np.nextafter(np.float32(0.5), np.float32(0)), 257.99997])
def test_bin_edges_and_limits(value: float) -> None:
    coefficients = np.full((1, 1, 8, 8), value, np.float32)
    histogram = count_coefficients(coefficients)
    np.testing.assert_allclose(histogram.mean, value, atol=2 * ROUNDING)
    np.testing.assert_allclose(histogram.variance, 0, atol=1e-6)
