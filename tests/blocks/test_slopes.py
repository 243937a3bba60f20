"""Estimated rate-distortion curves of blocks: equal to a slow implementation, near to real bits; weights by slopes."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from skimage.data import astronaut

from optcodec import Bpp, DctImage, InvalidInputError, annex_k_tables, encode, forward
from optcodec.blocks.curves import QUALITIES, block_grid
from optcodec.blocks.slopes import EstimatedCurves, estimated_curves, weights_from_qualities
from optcodec.jpeg.quantize import quantize
from optcodec.receivers.block_bits import block_bits
from optcodec.trellis.criterion import Criterion
from tests.peers import pillow_pixels

PHOTO = astronaut()
FLAT = Criterion(np.ones((3, 64)))
PRICES = (3.10, 1.34, 3.74, 1.65), (2.45, 1.87, 2.10, 1.95)


def image_of(width: int, height: int, subsampling: str) -> DctImage:
    part = PHOTO[60 : 60 + height, 180 : 180 + width]
    grey = subsampling == "grey"
    return forward(np.ascontiguousarray(part[..., 1] if grey else part), "4:4:4" if grey else subsampling)


def naive_logarithm(magnitude: float) -> float:
    """log2(1 + magnitude), interpolated linearly between powers of 2, in multiples of 2^-15."""
    exponent = np.floor(np.log2(1 + magnitude))
    return float(exponent + np.floor(2**15 * ((1 + magnitude) / 2**exponent - 1)) / 2**15)


def naive_curves(image: DctImage, criterion: Criterion, qualities: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Estimated bits and errors, computed one block of one component after the other."""
    bits, errors = np.zeros((2, *block_grid(image.width, image.height), len(qualities)))
    h_max, v_max = max(p.h for p in image.components), max(p.v for p in image.components)
    weights, scales = criterion.per_coefficient(image), criterion.scales(image)
    for index, part in enumerate(image.components):
        nonzero, size, block, dc = PRICES[min(index, 1)]
        for q, quality in enumerate(qualities):
            tables = annex_k_tables(quality)
            indices = quantize(image, tables).components[index].blocks.astype(np.float64)
            off = part.coefficients.astype(np.float64) - indices * tables[min(index, 1)].steps
            for r, c in np.ndindex(*indices.shape[:2]):
                at = 8 * r * v_max // part.v // 32, 8 * c * h_max // part.h // 32, q
                before = indices[r, c - 1, 0, 0] if c else indices[r - 1, 0, 0, 0] if r else 0
                magnitudes = [abs(value) for value in indices[r, c].ravel()[1:] if value]
                bits[at] += sum(nonzero + size * naive_logarithm(value) for value in magnitudes)
                bits[at] += block + dc * naive_logarithm(abs(indices[r, c, 0, 0] - before))
                scale = scales[index][r * indices.shape[1] + c]
                errors[at] += float(scale) * (weights[index] * off[r, c].ravel() ** 2).sum()
    return bits, errors


CASES = [(70, 50, "4:2:0"), (33, 65, "4:4:4"), (40, 31, "4:2:2"), (31, 40, "4:4:0"), (65, 33, "grey"), (5, 3, "4:2:0")]


@pytest.mark.parametrize(("width", "height", "subsampling"), CASES)
def test_curves_are_those_of_the_slow_twin(width, height, subsampling):
    image = image_of(width, height, subsampling)
    random = np.random.default_rng(3)
    weights = random.uniform(0.1, 2, (len(image.components), 64))
    fields = [random.uniform(0.2, 3, p.coefficients.shape[:2]).astype(np.float32) for p in image.components]
    for criterion in (Criterion(weights), Criterion(weights, fields)):
        curves = estimated_curves(image, criterion, [15, 50, 95])
        bits, errors = naive_curves(image, criterion, [15, 50, 95])
        np.testing.assert_allclose(curves.bits, bits, rtol=1e-12)
        np.testing.assert_allclose(curves.errors, errors, rtol=3e-6)  # the kernel adds in single precision


def test_many_qualities_give_the_same_curves_as_single_ones():
    image = image_of(64, 64, "4:2:0")
    curves = estimated_curves(image, FLAT, range(1, 101))
    for quality in (1, 16, 17, 50, 100):
        alone = estimated_curves(image, FLAT, [quality - 1, quality] if quality > 1 else [1, 2])
        column = int(np.flatnonzero(alone.qualities == quality)[0])
        np.testing.assert_array_equal(curves.bits[..., quality - 1], alone.bits[..., column])
        np.testing.assert_array_equal(curves.errors[..., quality - 1], alone.errors[..., column])


def test_errors_are_those_of_quantized_images_and_threads_do_not_matter():
    image = image_of(300, 280, "4:2:0")
    curves = estimated_curves(image, FLAT, threads=1)
    for column, quality in enumerate(QUALITIES):
        exact = sum(FLAT.errors(image, quantize(image, annex_k_tables(quality))))
        assert curves.errors[..., column].sum() == pytest.approx(exact, rel=1e-5)
    shared = estimated_curves(image, FLAT, threads=3)
    np.testing.assert_array_equal(shared.bits, curves.bits)
    np.testing.assert_array_equal(shared.errors, curves.errors)


def test_other_tables():
    image = image_of(64, 64, "4:2:0")
    curves = estimated_curves(image, FLAT, [30, 60], tables=lambda quality: annex_k_tables(quality - 15))
    expected = estimated_curves(image, FLAT, [15, 45])
    np.testing.assert_array_equal(curves.errors, expected.errors)


def photographs() -> list[np.ndarray]:
    if "OPTCODEC_DATA" not in os.environ:
        return [PHOTO]
    images = [PHOTO]
    for name in ("kodim05", "kodim23"):
        with Image.open(Path(os.environ["OPTCODEC_DATA"]) / f"Kodak/{name}.png") as image:
            images.append(np.asarray(image.convert("RGB")))
    return images


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
def test_estimated_bits_go_with_real_ones(subsampling):
    """Estimated and real bits correlate over blocks of photographs on which nothing was fitted, at each quality."""
    qualities = QUALITIES[::4]
    for pixels in photographs():
        image = forward(pixels, subsampling)
        estimated = estimated_curves(image, FLAT, qualities).bits
        exact = np.stack([block_bits(quantize(image, annex_k_tables(quality))) for quality in qualities], axis=-1)
        for column in range(len(qualities)):
            assert np.corrcoef(estimated[..., column].ravel(), exact[..., column].ravel())[0, 1] > 0.97
        assert np.corrcoef(estimated.ravel(), exact.ravel())[0, 1] > 0.995
        assert estimated.sum() == pytest.approx(exact.sum(), rel=0.1)


def small_curves() -> EstimatedCurves:
    """A block whose hull has slopes 10 and 1.25 with middles at 4 and 12 bits, and a block without any saving."""
    bits = np.array([[[0.0, 8, 16], [5, 5, 5]]])
    errors = np.array([[[100.0, 20, 10], [7, 7, 7]]])
    return EstimatedCurves(np.array([20, 40, 60]), bits, errors)


@pytest.mark.parametrize(
    ("quality", "slope"), [(20, 10), (30, 10), (40, 12.5**0.5), (50, 1.25), (60, 1.25), (1, 10), (100, 1.25)]
)
def test_slopes_by_hand(quality, slope):
    slopes = small_curves().slopes([[quality, quality]])
    assert slopes[0, 0] == pytest.approx(slope, rel=1e-12)
    assert np.isnan(slopes[0, 1])


def test_a_quarter_of_the_way_between_two_sides():
    assert small_curves().slopes([[35, 20]])[0, 0] == pytest.approx(10 * 0.125**0.25, rel=1e-12)


def test_exponential_curves_have_the_slopes_of_their_formula():
    qualities, bits = np.array(QUALITIES), np.linspace(0, 64, len(QUALITIES))
    curves = EstimatedCurves(qualities, bits[None, None], 100 * np.exp(-bits / 10)[None, None])
    for column in range(1, len(QUALITIES) - 1):
        step = bits[1] / 10
        # Between the middles of two sides, the logarithm of the slope is linear.
        exact = 10 * np.exp(-bits[column] / 10) * 2 * np.sinh(step / 2) / step
        assert curves.slopes([[qualities[column]]])[0, 0] == pytest.approx(exact, rel=1e-12)


@given(
    arrays(float, (6, 5), elements=st.integers(0, 50)),
    arrays(float, (6, 5), elements=st.integers(0, 50)),
)
def test_slopes_never_rise_with_bits(bits, errors):
    curves = EstimatedCurves(np.arange(20, 45, 5), bits[None], errors[None])
    slopes_of_blocks = np.stack([curves.slopes(np.full((1, 6), quality))[0] for quality in curves.qualities], axis=1)
    for bits_of_block, slopes in zip(bits, slopes_of_blocks, strict=True):
        assert np.isnan(slopes).all() or (slopes > 0).all()
        if not np.isnan(slopes).any():
            ordered = slopes[np.argsort(bits_of_block, kind="stable")]
            assert (ordered[1:] <= ordered[:-1] * (1 + 1e-12)).all()


@pytest.mark.parametrize(("width", "height", "subsampling"), CASES)
def test_a_field_has_a_weight_for_every_block(width, height, subsampling):
    image = image_of(width, height, subsampling)
    rows, columns = block_grid(width, height)
    qualities = np.random.default_rng(5).choice(QUALITIES, (rows, columns))
    field = weights_from_qualities(image, FLAT, qualities)
    slopes = estimated_curves(image, FLAT).slopes(qualities)
    expected = np.exp(np.log(slopes).mean()) / slopes
    assert ((expected > 1 / 64) & (expected < 64)).all()
    for y, x in np.ndindex(*field.weights.shape):
        assert field.weights[y, x] == pytest.approx(expected[y // 4, x // 4], rel=1e-12)


def test_flat_images_have_equal_weights():
    image = forward(np.full((70, 40, 3), 128, np.uint8), "4:2:0")
    assert (weights_from_qualities(image, FLAT, np.array([[15, 95]] * 3)).weights == 1).all()


def test_weights_have_a_limit_and_flat_blocks_the_mean():
    pixels = np.full((32, 32 * 12), 128, np.uint8)
    pixels[:, :64] = np.random.default_rng(2).integers(0, 256, (32, 64))  # and ten blocks without any coefficient
    pixels[:, 64:96] = 128 + np.arange(32) // 16
    qualities = np.full((1, 12), 95)
    qualities[0, 0] = 15
    field = weights_from_qualities(forward(pixels), Criterion(np.ones((1, 64))), qualities)
    assert field.weights.min() >= 1 / 64
    assert field.weights.max() <= 64
    assert (field.weights[:, 12:] == 1).all()
    assert field.weights[0, 0] < field.weights[0, 4]


def test_extreme_slopes_are_cut():
    pixels = np.random.default_rng(2).integers(0, 256, (32, 256)).astype(np.uint8)
    image = forward(pixels)
    scales = np.ones(image.components[0].coefficients.shape[:2], np.float32)
    scales[:, :4] = 1e6
    scales[:, 4:8] = 1e-6
    field = weights_from_qualities(image, Criterion(np.ones((1, 64)), [scales]), np.full((1, 8), 50))
    assert field.weights[0, 0] == pytest.approx(1 / 64, rel=1e-12)
    assert field.weights[0, 4] == pytest.approx(64, rel=1e-12)
    assert (field.weights[:, 8:] / field.weights.mean() < 2).all()


def halves_off(pixels: np.ndarray, qualities: np.ndarray | None) -> np.ndarray:
    """Mean squared errors of the left and the right half of a file with 1.5 bits per pixel."""
    field = None if qualities is None else weights_from_qualities(forward(pixels, "4:2:0"), FLAT, qualities)
    data = encode(pixels, target=Bpp(1.5), subsampling="4:2:0", tune="ycbcr", field=field).data
    square = (pillow_pixels(data).astype(float) - pixels) ** 2
    return np.array([square[:, :128].mean(), square[:, 128:].mean()])


def test_the_trellis_moves_errors_to_where_qualities_are_low():
    pixels = np.ascontiguousarray(PHOTO[64:192, 128:384])
    qualities = np.full((4, 8), 60)
    plain = halves_off(pixels, None)
    # All blocks have the same slope, so that no bits can be moved.
    np.testing.assert_allclose(halves_off(pixels, qualities), plain, rtol=0.05)
    qualities[:, :4], qualities[:, 4:] = 30, 90
    left, right = halves_off(pixels, qualities) / plain
    assert left > 1.5
    assert right < 0.8


@pytest.mark.parametrize(
    ("qualities", "message"),
    [
        ([[50]], r"64x40 pixels are whole, of shape \(2, 2\), got int64 of shape \(1, 1\)"),
        ([[50.0] * 2] * 2, "got float64"),
        ([[50, 0], [1, 1]], r"lie in 1\.\.100, got 0\.\.50"),
        ([[50, 101], [1, 1]], r"got 1\.\.101"),
    ],
)
def test_wrong_qualities_are_refused(qualities, message):
    with pytest.raises(InvalidInputError, match=message):
        weights_from_qualities(image_of(64, 40, "4:2:0"), FLAT, qualities)


def test_sampling_by_three_is_refused():
    image = image_of(24, 24, "4:4:4")
    thrice = replace(image.components[0], h=3, v=3)
    small = [replace(part, coefficients=part.coefficients[:1, :1]) for part in image.components[1:]]
    with pytest.raises(InvalidInputError, match="sampling factors are 1, 2 or 4 for 32x32 blocks, got 1 of 3"):
        estimated_curves(DctImage(24, 24, (thrice, *small)), FLAT)
