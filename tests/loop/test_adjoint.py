"""The gradient by coefficients against the Jacobian of a decoder that is written down plainly."""

from __future__ import annotations

import numpy as np
import pytest

from optcodec.jpeg.image import sampling_factors
from optcodec.loop.adjoint import coefficient_gradients

TO_RGB = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]])
SIZES = ((16, 16), (17, 23), (9, 5), (8, 3), (1, 1), (24, 40))


def naive_inverse_dct(blocks: np.ndarray) -> np.ndarray:
    """Samples (8 rows, 8 columns) of coefficients (rows, columns, 8, 8): T.81, A.3.3, without level shift."""
    rows, columns = blocks.shape[:2]
    samples = np.zeros((8 * rows, 8 * columns))
    scale = np.array([np.sqrt(1 / 2), 1, 1, 1, 1, 1, 1, 1]) / 2
    waves = np.array([[scale[k] * np.cos((2 * x + 1) * k * np.pi / 16) for k in range(8)] for x in range(8)])
    for row in range(rows):
        for column in range(columns):
            part = waves @ blocks[row, column] @ waves.T
            samples[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = part
    return samples


def naive_upsampled(samples: np.ndarray, factor: int, length: int, interpolate: bool) -> np.ndarray:
    """Rows of samples, of which `length` are to be had, as libjpeg upsamples them (jdsample.c)."""
    if factor == 1:
        return samples[:length]
    inside = samples[: -(-length // 2)]
    lines = []
    for y in range(length):
        near, other = y // 2, y // 2 + (1 if y % 2 else -1)
        other = min(max(other, 0), len(inside) - 1)
        lines.append(0.75 * inside[near] + 0.25 * inside[other] if interpolate else inside[near])
    return np.array(lines)


def naive_decoded(parts: list[np.ndarray], height: int, width: int, subsampling: str) -> np.ndarray:
    """Pixels minus those of a decoder with all coefficients 0; nothing is rounded or clipped."""
    planes = [naive_inverse_dct(part) for part in parts]
    if len(planes) == 1:
        return planes[0][:height, :width]
    h, v = sampling_factors(subsampling)
    interpolate = h == 1 or -(-width // 2) > 2
    full = [planes[0][:height, :width]]
    for plane in planes[1:]:
        tall = naive_upsampled(plane, v, height, interpolate)
        full.append(naive_upsampled(tall.T, h, width, interpolate).T)
    return np.stack(full, -1) @ TO_RGB.T


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0", "4:4:0", "grey"])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_the_gradient_is_that_of_the_decoder(height: int, width: int, subsampling: str) -> None:
    """A decoder without clipping is linear: the loss that changes by the gradient times the pixels changes as much by
    the gradient times the coefficients, whatever these are."""
    rng = np.random.default_rng(height * width)
    shape = (height, width) if subsampling == "grey" else (height, width, 3)
    gradient = rng.normal(size=shape)
    slopes = coefficient_gradients(gradient, np.full(shape, 100, np.uint8), subsampling)
    assert slopes.subsampling == subsampling
    for _ in range(8):
        parts = [rng.normal(size=part.coefficients.shape) for part in slopes.components]
        by_pixels = float((gradient * naive_decoded(parts, height, width, subsampling)).sum())
        by_coefficients = sum(
            float((part.coefficients * values).sum()) for part, values in zip(slopes.components, parts, strict=True)
        )
        assert by_coefficients == pytest.approx(by_pixels, abs=1e-4 * np.sqrt(gradient.size) * 8)


def test_each_coefficient_has_its_own_entry() -> None:
    """Column by column of the Jacobian, for a picture of four MCUs."""
    height, width = 18, 20
    gradient = np.random.default_rng(1).normal(size=(height, width, 3))
    slopes = coefficient_gradients(gradient, np.full((height, width, 3), 100, np.uint8), "4:2:0")
    for index, part in enumerate(slopes.components):
        for place in [(0, 0, 0, 0), (0, 1, 2, 1), (1, 0, 7, 7), (part.coefficients.shape[0] - 1, 1, 0, 3)]:
            parts = [np.zeros(other.coefficients.shape) for other in slopes.components]
            parts[index][place] = 1
            expected = float((gradient * naive_decoded(parts, height, width, "4:2:0")).sum())
            assert part.coefficients[place] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("value", "sign"), [(0, 1.0), (255, -1.0)])
def test_what_is_clipped_pulls_no_further(value: int, sign: float) -> None:
    pixels, gradient = np.full((8, 8), 100, np.uint8), np.full((8, 8), sign)
    pixels[2, 3] = value
    whole = coefficient_gradients(gradient, np.full((8, 8), 100, np.uint8), "grey").components[0].coefficients
    clipped = coefficient_gradients(gradient, pixels, "grey").components[0].coefficients
    assert clipped[0, 0, 0, 0] == pytest.approx(whole[0, 0, 0, 0] * 63 / 64)
    inwards = coefficient_gradients(-gradient, pixels, "grey").components[0].coefficients
    assert np.array_equal(inwards, -whole)
