"""The excess of zeros tells rounding to nearest from an encoder that sets coefficients to zero; and the activities."""

import numpy as np
import pytest
from skimage import data

import optcodec
from restore.runtime.statistics import activities, count_magnitudes, dead_zones, interval_growth

REACHES = (0.5, 0.7, 0.9, 1.1)  # magnitude in steps up to which coefficients become zero


def laplacian_blocks(reach: float, scale: float = 1.5, seed: int = 3) -> np.ndarray:
    """Indices of Laplacian coefficients with zeros up to `reach` steps, and rounding to nearest beyond."""
    values = np.random.default_rng(seed).laplace(0, scale, (100, 100, 8, 8))
    blocks = np.rint(values)
    blocks = np.where((blocks == 0) & (np.abs(values) >= 0.5), np.sign(values), blocks)
    return np.where(np.abs(values) < reach, 0, blocks).astype(np.int16)


def test_counts_are_those_of_a_loop() -> None:
    blocks = np.random.default_rng(0).integers(-3, 4, (5, 7, 8, 8)).astype(np.int16)
    counts = count_magnitudes(blocks)
    for magnitude in (0, 1):
        assert np.array_equal(counts[magnitude], (np.abs(blocks.astype(int)) == magnitude).sum(axis=(0, 1)))
    assert np.array_equal(counts[:3].sum(axis=0), np.full((8, 8), 35))
    assert np.array_equal(counts[3], np.abs(blocks.astype(int)).sum(axis=(0, 1)))


def test_activities_are_the_logarithms_of_mean_magnitudes() -> None:
    blocks = np.random.default_rng(0).integers(-3, 4, (5, 7, 8, 8)).astype(np.int16)
    blocks[..., 3, 4] = 0
    steps = np.arange(1, 65).reshape(8, 8)
    means = np.abs(blocks.astype(float) * steps).mean(axis=(0, 1))
    expected = np.log2(1 + 16 * means)
    expected[0, 0] = 0
    strengths = activities(count_magnitudes(blocks), steps)
    assert strengths.dtype == np.float32
    np.testing.assert_allclose(strengths, expected, rtol=1e-6)
    assert strengths[3, 4] == 0


def test_activities_hardly_depend_on_the_steps() -> None:
    """They are those of the picture, as far as its coefficients are not all zero."""
    photo = data.camera()[:256, :256]
    fine, coarse = (
        activities(count_magnitudes(image.components[0].blocks), image.tables[0].steps)[:2, :2].ravel()[1:]
        for image in (optcodec.read_jpeg(optcodec.encode(photo, quality=quality).data) for quality in (95, 60))
    )
    np.testing.assert_allclose(fine, coarse, atol=0.3)
    assert np.all(fine > 3)


def test_rounding_to_nearest_has_no_excess() -> None:
    assert np.abs(dead_zones(count_magnitudes(laplacian_blocks(0.5))).ravel()[1:]).max() < 0.1


def test_the_excess_grows_with_the_zeros() -> None:
    means = [dead_zones(count_magnitudes(laplacian_blocks(reach))).mean() for reach in REACHES]
    assert np.all(np.diff(means) > 0.1)


@pytest.mark.parametrize("reach", [0.5, 0.7, 0.9])
def test_the_growth_of_the_interval_is_that_of_the_zeros(reach: float) -> None:
    growth = interval_growth(dead_zones(count_magnitudes(laplacian_blocks(reach))))
    assert np.median(growth) == pytest.approx(reach - 0.5, abs=0.08)


def test_few_coefficients_give_the_usual_value() -> None:
    empty = dead_zones(count_magnitudes(np.zeros((1, 1, 8, 8), np.int16)))
    np.testing.assert_allclose(empty, 0.3, atol=1e-6)


def test_a_trellis_shows_in_a_photograph() -> None:
    photo = data.astronaut()[:256, :256]
    zones = []
    for options in ({}, {"effort": 3, "tune": "psnr"}):
        luminance = optcodec.read_jpeg(optcodec.encode(photo, quality=60, **options).data).components[0]
        zones.append(dead_zones(count_magnitudes(luminance.blocks)).mean())
    assert zones[1] > zones[0] + 0.2
