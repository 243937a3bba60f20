"""The standard deviation of noise on a decoded picture is estimated from its high frequencies."""

import io

import numpy as np
import pytest
from PIL import Image
from skimage import data

from restore.runtime.noise import estimate_sigma


def decoded(quality: int) -> np.ndarray:
    """Decoded luminance of a photograph."""
    file = io.BytesIO()
    Image.fromarray(data.astronaut()).convert("L").save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file)).astype(float)


@pytest.mark.parametrize("quality", [10, 30, 50])
@pytest.mark.parametrize("sigma", [0, 3, 10, 20])
def test_the_noise_is_estimated(quality: int, sigma: float) -> None:
    luminance = decoded(quality)
    noisy = np.clip(np.rint(luminance + np.random.default_rng(1).normal(0, sigma, luminance.shape)), 0, 255)
    assert estimate_sigma(noisy) == pytest.approx(sigma, abs=0.6)


def test_clipped_blocks_are_left_out() -> None:
    luminance = decoded(30)
    luminance[:, :300] = 255
    noisy = np.clip(np.rint(luminance + np.random.default_rng(1).normal(0, 10, luminance.shape)), 0, 255)
    assert estimate_sigma(noisy) == pytest.approx(10, abs=0.5)
    assert estimate_sigma(np.full((16, 16), 255.0)) == 0


def test_a_picture_without_a_whole_block_has_no_estimate() -> None:
    assert estimate_sigma(np.ones((7, 30))) == 0
