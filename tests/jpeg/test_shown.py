"""What decoders show of indices is, pixel for pixel, what libjpeg-turbo decodes from the file."""

from __future__ import annotations

import numpy as np
import pytest

from optcodec import annex_k_tables, encode, read_jpeg
from optcodec.jpeg.shown import MARGIN, shown_pixels, shown_samples
from optcodec.pictures.pixels import decoded_pixels

SAMPLINGS = ("4:4:4", "4:2:2", "4:2:0", "4:4:0")


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Waves, edges of white and black, and noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = 128 + 110 * np.sin(np.stack([x / 7 + y / 11, x / 5 - y / 9, x * y / 400], -1))
    waves[(x // 13 + y // 9) % 5 == 0] = rng.choice([0, 255], 3)
    return np.clip(waves + rng.normal(0, 12, waves.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("subsampling", SAMPLINGS)
@pytest.mark.parametrize(
    "size", [(1, 1), (1, 3), (2, 2), (3, 5), (4, 40), (8, 8), (16, 16), (17, 33), (31, 47), (64, 48), (65, 161)]
)
@pytest.mark.parametrize("quality", [1, 50, 97])
def test_pixels_are_those_of_libjpeg_turbo(size: tuple[int, int], subsampling: str, quality: int) -> None:
    data = encode(picture(*size), quality=quality, subsampling=subsampling).data
    assert np.array_equal(shown_pixels(read_jpeg(data)), decoded_pixels(data))


@pytest.mark.parametrize("size", [(1, 1), (7, 9), (16, 24), (33, 130)])
def test_grey_pixels_are_those_of_libjpeg_turbo(size: tuple[int, int]) -> None:
    data = encode(picture(*size)[..., 0], quality=30).data
    shown = shown_pixels(read_jpeg(data))
    assert np.array_equal(shown, decoded_pixels(data, "L"))
    assert shown.flags.c_contiguous


@pytest.mark.parametrize("steps", [1, 255])
def test_noise_of_all_extremes_is_shown_alike(steps: int) -> None:
    pixels = np.random.default_rng(5).choice(np.array([0, 255], np.uint8), (80, 96, 3))
    tables = [type(table)(np.full((8, 8), steps, np.uint16)) for table in annex_k_tables(50)]
    for subsampling in SAMPLINGS:
        data = encode(pixels, tables=tables, subsampling=subsampling).data
        assert np.array_equal(shown_pixels(read_jpeg(data)), decoded_pixels(data))


def test_the_number_of_threads_changes_nothing() -> None:
    image = read_jpeg(encode(picture(700, 800), quality=60).data)
    assert np.array_equal(shown_pixels(image, threads=3), shown_pixels(image))


def test_samples_have_a_margin_of_their_ends() -> None:
    image = read_jpeg(encode(picture(20, 37)[..., 0], quality=80).data)
    samples = shown_samples(image.components[0], image.tables[0], 37)
    assert samples.shape == (24, 48 + 2 * MARGIN)
    assert np.array_equal(samples[:20, MARGIN : MARGIN + 37], shown_pixels(image))
    assert np.array_equal(samples[:, MARGIN - 1], samples[:, MARGIN])
    assert np.array_equal(samples[:, MARGIN + 37], samples[:, MARGIN + 36])
