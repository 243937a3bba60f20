"""Weights of x264's and libwebp's adaptive quantization: equal to values by hand, and to those in libwebp's files."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from optcodec import InvalidInputError
from optcodec.blocks.vaq import _VP8_STEPS, VAQ, _segments, libwebp_field, x264_field

PHOTO = astronaut()


class BooleanDecoder:
    """The arithmetic decoder of VP8 (RFC 6386, section 7.3)."""

    def __init__(self, data: bytes) -> None:
        self.data, self.place, self.value, self.range, self.shifts = data, 2, data[0] << 8 | data[1], 255, 0

    def bit(self) -> int:
        split = 1 + ((self.range - 1) * 128 >> 8)
        bit = int(self.value >= split << 8)
        self.range, self.value = (self.range - split, self.value - (split << 8)) if bit else (split, self.value)
        while self.range < 128:
            self.value, self.range, self.shifts = self.value << 1, self.range << 1, self.shifts + 1
            if self.shifts == 8:
                self.value, self.place, self.shifts = self.value | self.data[self.place], self.place + 1, 0
        return bit

    def number(self, bits: int) -> int:
        return sum(self.bit() << k for k in reversed(range(bits)))


def quantizers_of_libwebp(pixels: np.ndarray, quality: int) -> list[int]:
    """Quantizers of the four segments in the header of a file (RFC 6386, sections 9.2 and 9.3)."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", quality=quality, method=4)
    data = file.getvalue()
    decoder = BooleanDecoder(data[data.index(b"VP8 ") + 18 :])
    decoder.number(2)
    assert decoder.bit(), "no segments"
    decoder.number(2)
    assert decoder.bit(), "differences instead of values"
    return sorted(decoder.number(7) * (1 - 2 * decoder.bit()) if decoder.bit() else 0 for _ in range(4))


@pytest.mark.parametrize("quality", [40, 75, 90])
def test_segments_have_the_quantizers_of_libwebp(quality):
    steps = np.sort(1 / np.sqrt(np.unique(libwebp_field(PHOTO, quality=quality).weights)))
    ours = np.searchsorted(_VP8_STEPS, np.rint(steps))
    theirs = quantizers_of_libwebp(PHOTO, quality)
    assert len(ours) == 4
    assert np.abs(ours - theirs).max() <= 1  # libwebp downsamples chrominance in linear light


def test_steps_are_those_of_vp8():
    """Steps of RFC 6386, section 14.1, at indices where their difference changes."""
    assert len(_VP8_STEPS) == 128
    expected = {0: 4, 54: 58, 55: 60, 83: 116, 84: 119, 102: 173, 103: 177, 116: 229, 119: 245, 120: 249, 127: 284}
    assert {index: int(_VP8_STEPS[index]) for index in expected} == expected


def test_segments_by_hand():
    histogram = np.zeros(256, np.int64)
    histogram[[10, 12, 200]] = 3, 1, 4
    centers, nearest, middle = _segments(histogram, 2)
    assert centers.tolist() == [11, 200]  # (3 * 10 + 12 + 2) // 4
    assert nearest[[10, 12, 200]].tolist() == [0, 0, 1]
    assert middle == 106  # (4 * 11 + 4 * 200 + 4) // 8


def test_x264_by_hand():
    # Black and white in limited range are 16 and 235: 256 pixels, half of each, differ from the mean by 109.5.
    pixels = np.zeros((16, 32), np.uint8)
    pixels[::2, :16] = 255
    energy = 256 * 109.5**2
    offset = 1.0397 * (math.log2(energy) - 14.427)
    flat = 1.0397 * (0 - 14.427)
    expected = [[2 ** (-offset / 3)] * 2 + [2 ** (-flat / 3)] * 2] * 2
    np.testing.assert_allclose(x264_field(pixels).weights, expected, rtol=1e-12)
    halved = x264_field(pixels, strength=0.5).weights
    np.testing.assert_allclose(halved, np.sqrt(expected), rtol=1e-12)


def test_x264_sees_chrominance():
    # Red and blue, each in half of the block: (Y, Cb, Cr) = (81, 90, 240) and (41, 240, 110).
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:8, :, 0], pixels[8:, :, 2] = 255, 255
    energy = 256 * 20**2 + 64 * 75**2 + 64 * 65**2
    expected = 2 ** (-1.0397 * (math.log2(energy) - 14.427) / 3)
    np.testing.assert_allclose(x264_field(pixels).weights, np.full((2, 2), expected), rtol=1e-12)


@pytest.mark.parametrize("name", VAQ)
def test_flat_parts_weigh_more(name):
    pixels = np.full((64, 64), 90, np.uint8)
    pixels[:, 32:] = np.random.default_rng(0).integers(0, 256, (64, 32))
    weights = VAQ[name](pixels).weights
    assert weights[:, :4].min() > 2 * weights[:, 4:].max()


@pytest.mark.parametrize("name", VAQ)
@pytest.mark.parametrize("size", [(5, 17), (1, 1), (33, 31), (16, 100)])
def test_any_size_and_grey_images(name, size):
    part = np.ascontiguousarray(PHOTO[100 : 100 + size[0], 200 : 200 + size[1]])
    for pixels in (part, part[..., 1]):
        field = VAQ[name](np.ascontiguousarray(pixels))
        assert field.weights.shape == (-(-size[0] // 8), -(-size[1] // 8))
        spread = field.weights[::2, ::2].repeat(2, axis=0).repeat(2, axis=1)
        np.testing.assert_array_equal(field.weights, spread[: field.weights.shape[0], : field.weights.shape[1]])


def test_without_strength_or_segments_all_weigh_the_same():
    for field in (x264_field(PHOTO, strength=0), libwebp_field(PHOTO, strength=0), libwebp_field(PHOTO, segments=1)):
        assert np.ptp(field.weights) == 0
    flat = libwebp_field(np.full((40, 40), 7, np.uint8)).weights
    assert np.ptp(flat[2:]) == np.ptp(flat[:, 2:]) == 0  # the first macroblock has no neighbours for prediction


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: x264_field(PHOTO, strength=-1), "from 0 on, got -1"),
        (lambda: libwebp_field(PHOTO, quality=101), r"quality lies in 0\.\.100, got 101"),
        (lambda: libwebp_field(PHOTO, strength=-1), r"strength lies in 0\.\.100, got -1"),
        (lambda: libwebp_field(PHOTO, segments=5), r"segments lies in 1\.\.4, got 5"),
        (lambda: x264_field(PHOTO.astype(float)), "pixels are uint8 .* got float64"),
        (lambda: libwebp_field(PHOTO[:, :0]), r"got uint8 of shape \(512, 0, 3\)"),
    ],
)
def test_wrong_arguments_are_refused(make, message):
    with pytest.raises(InvalidInputError, match=message):
        make()
