"""Chrominance for the decoder: its equations, and luminance that makes up for it, against libjpeg's own decoding."""

from __future__ import annotations

import numpy as np
import pytest

from optcodec.jpeg.dct import forward_planes
from optcodec.jpeg.image import SUBSAMPLINGS
from optcodec.jpeg.quantize import quantize
from optcodec.jpeg.tables import QuantTable
from optcodec.jpeg.writer import write_jpeg
from optcodec.kernels import load
from optcodec.pictures.pixels import decoded_pixels
from optcodec.trellis.chroma import Planes
from tests.naive_rdo import naive_upsampling

SIZES = [(1, 1), (1, 9), (9, 1), (3, 2), (4, 4), (5, 6), (7, 4), (16, 16), (33, 31), (100, 40), (40, 1030)]


@pytest.mark.parametrize("lines", [1, 2, 3, 4, 5, 16, 33])
def test_the_equations_are_those_of_interpolation(lines: int) -> None:
    """L D L' is U'U, of which an odd number of lines lacks the last one."""
    count = (lines + 1) // 2
    factors = np.full((2, count + 1), np.nan, np.float32)
    load("downsample").factor_normal_equations(lines, factors)
    assert factors[1, 0] == factors[1, count] == 0
    lower = np.eye(count) + np.diag(factors[1, 1:count].astype(float), -1)
    upsampling = naive_upsampling(count)[:lines]
    np.testing.assert_allclose(lower @ np.diag(factors[0, :count]) @ lower.T, upsampling.T @ upsampling, atol=1e-6)


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("step", [4, 60])
def test_luminance_makes_up_for_what_libjpeg_decodes(subsampling: str, height: int, width: int, step: int) -> None:
    """To the last bit, for pictures of every shape."""
    rng = np.random.default_rng(height + width)
    slope = np.add.outer(3 * np.arange(height), 2 * np.arange(width))[..., None] + (0, 40, 90)
    pixels = (slope + rng.integers(0, 60, (height, width, 3))).astype(np.uint8)  # edges, where it wraps around
    planes = Planes(pixels, subsampling)
    image = planes.image()
    coded = quantize(image, (QuantTable(np.full((8, 8), step)),) * 2)
    shown = decoded_pixels(write_jpeg(coded), "YCbCr").astype(np.float32) - 128
    red, green, blue = (pixels[..., k] * np.float32(share) for k, share in enumerate((0.299, 0.587, 0.114)))
    luminance = red + green + blue
    moved = luminance
    for k, channel, scale, shift in ((1, 2, 1.772, (1.772 - 0.344136) / 3), (2, 0, 1.402, (1.402 - 0.714136) / 3)):
        exact = (pixels[..., channel] - luminance) / np.float32(scale)
        moved = moved - np.float32(shift) * (shown[..., k] - exact)
    (expected,) = forward_planes([moved - np.float32(128)], [(1, 1)]).components
    refined = planes.refined(image, coded)
    np.testing.assert_array_equal(refined.components[0].coefficients, expected.coefficients)
    assert refined.components[1:] == image.components[1:]
    (plain,) = forward_planes([luminance - np.float32(128)], [(1, 1)]).components
    np.testing.assert_array_equal(image.components[0].coefficients, plain.coefficients)


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_threads_change_nothing(subsampling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture of several strips and several groups of rows."""
    monkeypatch.setattr("optcodec.trellis.chroma._BLOCKS_PER_THREAD", 1)
    pixels = np.random.default_rng(5).integers(0, 256, (150, 1100, 3), dtype=np.uint8)
    results = []
    for threads in (1, 3):
        planes = Planes(pixels, subsampling, threads)
        image = planes.image()
        coded = quantize(image, (QuantTable(np.full((8, 8), 20)),) * 2)
        results.append([*image.components, planes.refined(image, coded).components[0]])
    for one, three in zip(*results, strict=True):
        np.testing.assert_array_equal(one.coefficients, three.coefficients)
