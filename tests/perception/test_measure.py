"""The measure of what people see, against a naive implementation, the package of SSIMULACRA2, and its own gradient."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.data import astronaut

pytest.importorskip("ssimulacra2")
from ssimulacra2 import ssimulacra2 as package

from optcodec.kernels import load
from optcodec.metrics import ssimulacra2
from optcodec.perception.measure import Perception
from optcodec.perception.planes import picture_of, smoothed
from optcodec.perception.ssimulacra2 import Structure
from optcodec.perception.visibility import Visibility
from optcodec.shared import encode_turbo
from tests.naive_perception import structure, visibility
from tests.peers import pillow_pixels

PHOTO = np.ascontiguousarray(astronaut()[20:180, 100:292])
# With less than 249 pixels on a side there is no sixth scale; the package then takes some weights for others.
LARGE = np.ascontiguousarray(astronaut()[20:276, 100:400])
WEIGHTS = package.weights.reshape(3, 6, 2, 3)
SHARE = 0.23


def coded(pixels: np.ndarray, quality: int) -> np.ndarray:
    return pillow_pixels(encode_turbo(pixels, "4:2:0", quality))


@pytest.mark.parametrize("quality", [15, 50, 90])
def test_the_naive_measure_is_that_of_the_package(quality: int) -> None:
    decoded = coded(LARGE, quality)
    assert 100 - structure(LARGE, decoded, WEIGHTS, "constant") == pytest.approx(ssimulacra2(LARGE, decoded), abs=1e-3)


@pytest.mark.parametrize("quality", [15, 50, 90])
@pytest.mark.parametrize("shape", [(160, 192), (67, 53), (16, 90)], ids=str)
def test_the_measure_is_the_naive_one(quality: int, shape: tuple[int, int]) -> None:
    original = PHOTO[: shape[0], : shape[1]]
    decoded = coded(np.ascontiguousarray(original), quality)
    picture, planes = picture_of(original), picture_of(decoded)
    expected = structure(original, decoded, WEIGHTS)
    assert Structure.of(picture).distance(planes) == pytest.approx(expected, abs=0.02)  # small weights are left out
    assert Visibility.of(picture).distance(planes) == pytest.approx(visibility(original, decoded), rel=1e-4)


def test_borders_matter_little_to_the_package() -> None:
    for quality in (30, 60, 90):
        decoded = coded(LARGE, quality)
        ours = Structure.of(picture_of(LARGE)).distance(picture_of(decoded))
        assert ours == pytest.approx(100 - ssimulacra2(LARGE, decoded), rel=0.1)


@pytest.mark.parametrize("shape", [(1, 1), (1, 17), (3, 2), (9, 40)], ids=str)
@pytest.mark.parametrize("grey", [False, True])
def test_small_and_grey_pictures_are_read(shape: tuple[int, int], grey: bool) -> None:
    random = np.random.default_rng(3)
    original = random.integers(0, 256, shape if grey else (*shape, 3), np.uint8)
    decoded = np.clip(original.astype(int) + random.integers(-20, 21, original.shape), 0, 255).astype(np.uint8)
    loss, gradient = Perception.of(original, SHARE).loss_with_gradient(decoded)
    expected = structure(original, decoded, WEIGHTS) ** (1 - SHARE) * visibility(original, decoded) ** SHARE
    assert loss == pytest.approx(expected, rel=2e-3, abs=0.03)
    assert gradient.shape == decoded.shape
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("quality", [20, 70])
def test_the_gradient_is_that_of_finite_differences(grey: bool, quality: int) -> None:
    original = np.ascontiguousarray(PHOTO[30:71, 60:95, 0] if grey else PHOTO[30:71, 60:95])
    decoded = coded(original, quality)
    _, gradient = Perception.of(original, SHARE).loss_with_gradient(decoded)

    def loss(values: np.ndarray) -> float:
        return structure(original, values, WEIGHTS) ** (1 - SHARE) * visibility(original, values) ** SHARE

    random, found, expected = np.random.default_rng(1), [], []
    for _ in range(12):
        place = tuple(random.integers(0, side) for side in decoded.shape)
        moved = np.array([decoded, decoded], np.float64)
        moved[(0, *place)] += 1e-3
        moved[(1, *place)] -= 1e-3
        expected.append((loss(moved[0]) - loss(moved[1])) / 2e-3)
        found.append(gradient[place])
    assert found == pytest.approx(expected, rel=0.01, abs=0.01 * np.abs(expected).max())


def test_the_original_has_no_loss_and_no_gradient() -> None:
    loss, gradient = Perception.of(PHOTO, SHARE).loss_with_gradient(PHOTO.copy())
    assert loss == 0
    assert not gradient.any()
    assert Perception.of(PHOTO, SHARE).loss(PHOTO.copy()) == 0


def test_with_a_share_of_0_the_loss_is_that_of_the_structure() -> None:
    decoded = coded(PHOTO, 40)
    expected = Structure.of(picture_of(PHOTO)).distance(picture_of(decoded))
    assert Perception.of(PHOTO, 0.0).loss_with_gradient(decoded)[0] == pytest.approx(expected)


@pytest.mark.parametrize("shape", [(1, 1), (4, 3), (13, 33)], ids=str)
def test_smoothing_is_its_own_transpose(shape: tuple[int, int]) -> None:
    random, width = np.random.default_rng(0), shape[1]
    planes = np.zeros((2, shape[0], -(-width // 16) * 16), np.float32)
    planes[..., :width] = random.normal(size=(2, *shape))
    first, second = (smoothed(plane, width) for plane in planes)
    assert (first * planes[1]).sum() == pytest.approx((second * planes[0]).sum(), rel=1e-4, abs=1e-5)
    assert not first[:, width:].any()


def test_halving_backwards_is_its_transpose() -> None:
    random = np.random.default_rng(0)
    fine, coarse = np.zeros((7, 16), np.float32), np.zeros((4, 16), np.float32)
    fine[:, :13], coarse[:, :7] = random.normal(size=(7, 13)), random.normal(size=(4, 7))
    half, back = np.empty_like(coarse), np.zeros_like(fine)
    load("opponent").halved(fine, 13, 7, half)
    load("opponent").halved_back(coarse, 13, back)
    assert (half * coarse).sum() == pytest.approx((fine * back).sum(), rel=1e-5)
