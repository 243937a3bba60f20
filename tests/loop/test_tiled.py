"""Large pictures in tiles: what covers them, and losses, gradients and files by tiles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.data import astronaut

from optcodec import Bpp, InvalidInputError, MaxLoss, MaxLossIncrease, Pace, SameDecision, TiledReader, encode
from optcodec.loop.tiled import tiles
from tests.peers import pillow_pixels

PHOTO = np.ascontiguousarray(astronaut()[40:112, 150:246])  # 72 rows, 96 columns
SIDE = 48


class _Squares:
    """Squared error, and as a decision whether the mean is above 100: a reading with all that readings may have."""

    pace = Pace(share=0.3, hold=0.05, rounds=3)

    def __init__(self, original: np.ndarray) -> None:
        self.original = original.astype(np.float64)

    def __call__(self, decoded: np.ndarray) -> tuple[float, np.ndarray]:
        difference = decoded - self.original
        return float((difference**2).mean()), 2 * difference / difference.size

    def sensitivity(self) -> np.ndarray:
        return np.full(self.original.shape[:2], 2.0)

    def agrees(self, decoded: np.ndarray) -> bool:
        return bool((decoded.mean() > 100) == (self.original.mean() > 100))


class _Losses:
    """A reading without gradient."""

    def __init__(self, original: np.ndarray) -> None:
        self.inner = _Squares(original)

    def loss(self, decoded: np.ndarray) -> float:
        return self.inner(decoded)[0]


def decoded_at(quality: int) -> np.ndarray:
    return pillow_pixels(encode(PHOTO, quality=quality).data)


@given(st.integers(1, 400), st.integers(1, 400), st.integers(32, 200))
def test_tiles_cover_the_picture_and_overlap(height: int, width: int, side: int) -> None:
    covered, parts = np.zeros((height, width), int), tiles(height, width, side)
    for part in parts:
        assert covered[part].shape == (min(height, side), min(width, side))
        covered[part] += 1
    assert covered.min() == 1
    for spans in zip(*parts, strict=True):
        starts = sorted({span.start for span in spans})
        gaps = np.diff(starts)
        assert gaps.max(initial=0) <= side - side // 8
        assert gaps.max(initial=0) - gaps.min(initial=side) <= 1


def test_the_loss_is_the_mean_of_the_tiles_and_the_gradient_is_its_own() -> None:
    pixels, parts = decoded_at(20), tiles(72, 96, SIDE)
    reading = TiledReader(_Squares, SIDE)(PHOTO)
    loss, gradient = reading(pixels)
    assert len(parts) == 6
    assert loss == pytest.approx(np.mean([_Squares(PHOTO[part])(pixels[part])[0] for part in parts]))
    assert loss == pytest.approx(reading.loss(pixels))
    direction = np.random.default_rng(0).normal(size=pixels.shape)
    ahead, behind = (reading.loss(pixels + step * direction) for step in (0.01, -0.01))
    assert float((gradient * direction).sum()) == pytest.approx((ahead - behind) / 0.02, rel=1e-5)


def test_what_lies_in_two_tiles_is_sensitive_twice() -> None:
    values = TiledReader(_Squares, SIDE)(PHOTO).sensitivity()
    expected = np.zeros((72, 96))
    for part in tiles(72, 96, SIDE):
        expected[part] += 2
    np.testing.assert_array_equal(values, expected)
    assert (expected.min(), expected.max()) == (2, 8)
    assert TiledReader(_Losses, SIDE)(PHOTO).sensitivity() is None


def test_small_pictures_are_read_at_once() -> None:
    assert isinstance(TiledReader(_Squares, 96)(PHOTO), _Squares)
    tiled = encode(PHOTO, reader=TiledReader(_Squares, 96), rounds=2, target=Bpp(1.0))
    assert tiled.data == encode(PHOTO, reader=_Squares, rounds=2, target=Bpp(1.0)).data


def test_files_of_tiles_are_read_better() -> None:
    reader = TiledReader(_Squares, SIDE)
    files = [encode(PHOTO, target=Bpp(1.0), tune="ycbcr", **how) for how in ({"effort": 3}, {"reader": reader})]
    trellis, loop = (reader(PHOTO).loss(pillow_pixels(file.data)) for file in files)
    assert loop < 0.99 * trellis
    assert files[1].loss == pytest.approx(loop)
    kept = encode(PHOTO, target=MaxLoss(60), reader=reader, rounds=1)
    assert kept.loss is not None
    assert 40 < kept.loss <= 60


def test_every_tile_decides_as_on_the_original() -> None:
    reading = TiledReader(_Squares, SIDE)(PHOTO)
    one_tile_dark = PHOTO.copy()
    brightest = max(tiles(72, 96, SIDE), key=lambda part: PHOTO[part].mean())
    one_tile_dark[brightest] = 0
    assert PHOTO[brightest].mean() > 100
    assert reading.agrees(decoded_at(60))
    assert not reading.agrees(one_tile_dark)
    same = encode(PHOTO, target=SameDecision(), reader=TiledReader(_Squares, SIDE), rounds=1)
    assert reading.agrees(pillow_pixels(same.data))


def test_without_gradients_whole_files_are_chosen() -> None:
    reader = TiledReader(_Losses, SIDE)
    assert not callable(reader(PHOTO))
    file = encode(PHOTO, target=Bpp(1.0), reader=reader)
    assert file.loss == pytest.approx(reader(PHOTO).loss(pillow_pixels(file.data)))


def test_grey_pictures_have_tiles() -> None:
    grey = np.ascontiguousarray(PHOTO[..., 1])
    loss, gradient = TiledReader(_Squares, SIDE)(grey)(grey + np.uint8(1))
    assert (loss, gradient.shape) == (pytest.approx(1), grey.shape)


def with_file(original: np.ndarray) -> Any:
    reading = _Squares(original)
    reading.of_file = lambda data: reading
    return reading


@pytest.mark.parametrize(
    ("reader", "side", "message"),
    [
        (3, 64, "a reader is a function of the original pixels, got a int"),
        (_Squares, 31, r"the side of a tile is a whole number in 32\.\.65535, got 31"),
        (_Squares, "64", r"the side of a tile is a whole number in 32\.\.65535, got '64'"),
        (lambda original: 3, 64, "a reader gives a function of decoded pixels, got a int"),
        (lambda original: lambda decoded: 3, 64, "a reader gives a loss and a gradient, got a int"),
        (lambda original: lambda decoded: (1.0, np.zeros(3)), 64, r"floats of shape \(64, 64, 3\), got float64 of"),
        (with_file, 64, "only what reads pixels can read tiles of them; got a reader with of_file"),
    ],
)
def test_wrong_readers_and_sides_are_refused(reader: Any, side: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        encode(PHOTO, reader=TiledReader(reader, side), rounds=1)


@pytest.mark.parametrize("target", [SameDecision(), MaxLossIncrease(0.1)])
def test_no_decision_without_the_method(target: Any) -> None:
    with pytest.raises(InvalidInputError, match="the reader makes no decisions"):
        encode(PHOTO, target=target, reader=TiledReader(_Losses, SIDE))


class _Deciding(_Losses):
    def loss_increase(self, decoded: np.ndarray) -> float:
        return float(self.inner.original.mean() - decoded.mean()) / 100


def test_the_loss_of_decisions_grows_by_the_mean_of_the_tiles() -> None:
    reading = TiledReader(_Deciding, SIDE)(PHOTO)
    parts = tiles(72, 96, SIDE)
    expected = np.mean([_Deciding(PHOTO[part]).loss_increase(decoded_at(20)[part]) for part in parts])
    assert reading.loss_increase(decoded_at(20)) == pytest.approx(expected)
