"""Variants of photographs: grain has the strengths that are said, sharpening adds detail, and a blur takes it away."""

import numpy as np
import pytest
from skimage import data

from restore.channel.coded import CodedSet
from restore.channel.mix import Mix
from restore.channel.variants import sharpened, smooth, with_grain

PHOTO = data.astronaut()[:160, 100:300]
GRAY = np.full((96, 96, 3), 128, np.uint8)


def detail(image: np.ndarray) -> float:
    """Mean squared difference of neighbours."""
    return float(np.mean(np.diff(image.astype(float), axis=1) ** 2))


def test_grain_has_strengths_of_one_to_ten_samples() -> None:
    strengths = [float(with_grain(GRAY, np.random.default_rng(seed))[..., 1].std()) for seed in range(40)]
    assert 0.9 < min(strengths) < 1.5
    assert 7 < max(strengths) < 10.5
    grainy = with_grain(GRAY, np.random.default_rng(3)).astype(float) - 128
    assert np.abs(grainy.mean(axis=(0, 1))).max() < 0.3  # as bright as before
    assert np.corrcoef(grainy[..., 0].ravel(), grainy[..., 1].ravel())[0, 1] > 0.7  # mostly gray


def test_the_grain_is_more_or_less_coarse() -> None:
    correlations = []
    for seed in range(30):
        grain = with_grain(GRAY, np.random.default_rng(seed))[..., 1].astype(float) - 128
        correlations.append(np.corrcoef(grain[:, 1:].ravel(), grain[:, :-1].ravel())[0, 1])
    assert min(correlations) < 0.05
    assert max(correlations) > 0.4


@pytest.mark.parametrize("vary", [with_grain, sharpened])
def test_variants_have_more_detail_and_are_reproducible(vary) -> None:
    for seed in range(5):
        varied = vary(PHOTO, np.random.default_rng(seed))
        assert varied.shape == PHOTO.shape
        assert varied.dtype == np.uint8
        assert detail(varied) > 1.01 * detail(PHOTO)
        np.testing.assert_array_equal(varied, vary(PHOTO, np.random.default_rng(seed)))


def test_sharpening_leaves_flat_areas() -> None:
    np.testing.assert_array_equal(sharpened(GRAY, np.random.default_rng(0)), GRAY)


def test_smooth_pictures_have_little_but_noise() -> None:
    noises = []
    for seed in range(20):
        varied = smooth(PHOTO, np.random.default_rng(seed))
        assert varied.shape == PHOTO.shape
        assert varied.dtype == np.uint8
        assert detail(varied) < 0.15 * detail(PHOTO)
        np.testing.assert_array_equal(varied, smooth(PHOTO, np.random.default_rng(seed)))
        noises.append(float(smooth(GRAY, np.random.default_rng(seed)).std()))
    assert min(noises) < 0.4
    assert 1.2 < max(noises) < 1.6


def test_a_mix_has_its_shares_of_variants() -> None:
    """Files without a variant are those of a mix without any."""
    plain, varied = (
        CodedSet([PHOTO], Mix({"pillow": 1}, qualities=(50,), versions=60, **shares), None)
        for shares in ({}, {"grainy": 0.2, "sharpened": 0.15, "smooth": 0.15})
    )
    same = [np.array_equal(plain.file(number).received, varied.file(number).received) for number in range(60)]
    assert 0.35 < np.mean(same) < 0.65
    grainy = CodedSet([GRAY], Mix({"pillow": 1}, qualities=(50,), grainy=1.0, versions=2), None)
    assert all(grainy.file(number).clean.std() > 0.8 for number in range(2))
