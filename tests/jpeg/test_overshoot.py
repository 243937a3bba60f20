"""Samples beyond white and black: what the kernels compute, what it saves, and where nothing may change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont
from skimage.data import astronaut

from optcodec import (
    MatchPsnr,
    MatchSwe,
    QuantTable,
    annex_k_tables,
    blocks_by,
    encode,
    forward,
    load_profile,
    load_utility_profile,
    psnr_db,
    read_jpeg,
)
from optcodec.jpeg.image import DctComponent, DctImage
from optcodec.jpeg.overshoot import FOR_ROUNDING, FOR_TRELLIS, Blocks, Clipped, Overshoot, clipped_luminance
from optcodec.jpeg.quantize import dequantize, quantize
from optcodec.jpeg.writer import write_jpeg
from optcodec.loop.reader import Pace
from optcodec.loop.steering import target_image
from optcodec.trellis import indices
from optcodec.trellis.coder import Coder
from optcodec.trellis.criterion import Criterion
from optcodec.trellis.tuning import tuning_for
from tests.naive_overshoot import (
    naive_clipped,
    naive_dct,
    naive_inverse,
    naive_overshot,
    naive_ranges,
    naive_seen_error,
)
from tests.peers import pillow_pixels

SAMPLINGS = ("4:4:4", "4:2:2", "4:2:0", "4:4:0")


def page(width: int = 150, height: int = 101, *, dark: bool = False) -> np.ndarray:
    """A page of text, black on white with words in colour, or the other way round."""
    image = Image.new("RGB", (width, height), "black" if dark else "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default()
    for line, y in enumerate(range(3, height, 12)):
        colours = ("white", "#70b0ff", "#f0d060") if dark else ("black", "#1040c0", "#c02010")
        draw.text((4 + line % 3, y), "Quartz vow, 3 * 47 = 141: a page of text", colours[line % 7 % 3], font)
    return np.asarray(image)


PAGE, DARK = page(), page(dark=True)
SOFT = np.clip(PAGE, 1, 254)


def some_pixels(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """White and black areas with some other pixels, and pixels of which only one channel is at an end."""
    palette = np.array([[255, 255, 255], [0, 0, 0], [255, 0, 0], [255, 255, 254], [1, 0, 0], [90, 120, 200]], np.uint8)
    chosen = random.choice(len(palette), [-(-side // 3) for side in shape[:2]], p=[0.5, 0.2, 0.1, 0.05, 0.05, 0.1])
    pixels = palette[chosen].repeat(3, 0).repeat(3, 1)[: shape[0], : shape[1]]
    return np.ascontiguousarray(pixels if len(shape) == 3 else pixels[..., 0])


def unpacked(bits: np.uint64) -> np.ndarray:
    return np.array([(int(bits) >> place) & 1 for place in range(64)], bool).reshape(8, 8)


def blocks_of(image) -> np.ndarray:
    return image.components[0].coefficients.reshape(-1, 8, 8)


# ---- The kernels against their twins ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape",
    [(1, 1), (17, 37), (8, 63), (8, 64), (9, 65, 3), (40, 22, 3), (23, 150, 3), (5, 200)]
    + [(3, width, 3) for width in (20, 21, 23, 42, 43, 44, 64)],
)
def test_clipped_samples_are_those_of_white_and_black_pixels(shape):
    pixels = some_pixels(np.random.default_rng(sum(shape)), shape)
    clipped = clipped_luminance(pixels)
    expected = naive_clipped(pixels)
    assert clipped is not None or not any(white.any() or black.any() for white, black in expected)
    for bits, kinds in zip(clipped.masks if clipped else [], expected, strict=clipped is not None):
        for number, mask in zip(bits, kinds, strict=True):
            np.testing.assert_array_equal(unpacked(number), mask)


def test_a_saturated_colour_is_not_clipped():
    pixels = np.full((16, 16, 3), (255, 0, 0), np.uint8)
    assert clipped_luminance(pixels) is None
    pixels[3, 5] = 255
    assert clipped_luminance(pixels).blocks.tolist() == [[0, 0]]


@pytest.mark.parametrize("quality", [10, 50, 90, 98])
@pytest.mark.parametrize("turns", [0, 1, 5])
def test_coefficients_of_clipped_blocks(quality, turns):
    pixels = some_pixels(np.random.default_rng(quality), (45, 61))
    table, image, clipped = annex_k_tables(quality)[0], forward(pixels), clipped_luminance(pixels)
    found = blocks_of(clipped.overshot(image, table, Overshoot(1.5, 0.7, turns, guarded=False)).placed_in(image))
    steps, changed = table.steps.astype(float), 0
    for coefficients, before, bits in zip(found, blocks_of(image), clipped.masks, strict=True):
        white, black = map(unpacked, bits)
        expected = naive_overshot(naive_inverse(before), white, black, steps, (1.5, 0.7, turns))
        np.testing.assert_allclose(coefficients, expected, atol=0.01)
        changed += not np.allclose(expected, before, atol=1)
    assert changed > 10


def test_the_nearest_coefficients_that_are_shown_alike():
    pixels, table = some_pixels(np.random.default_rng(3), (30, 52)), annex_k_tables(40)[0]
    image, clipped = forward(pixels), clipped_luminance(pixels)
    coded = quantize(clipped.overshot(image, table, FOR_TRELLIS).placed_in(image), [table])
    found, decoded = blocks_of(clipped.nearest(image, coded).placed_in(image)), blocks_of(dequantize(coded))
    distances = []
    for nearest, after, before, bits in zip(found, decoded, blocks_of(image), clipped.masks, strict=True):
        white, black = map(unpacked, bits)
        ranges = naive_ranges(naive_inverse(before), white, black)
        np.testing.assert_allclose(nearest, naive_dct(np.clip(naive_inverse(after), *ranges)), atol=0.01)
        distances.append(abs(nearest - before).max())
    assert max(distances) > 20


@given(seed=st.integers(0, 2**32 - 1), quality=st.integers(1, 100))
@settings(max_examples=25)
def test_no_block_is_seen_to_get_worse(seed, quality):
    """The guard compares the errors after rounding, as far as decoders show them."""
    random = np.random.default_rng(seed)
    pixels = np.where(random.random((24, 40)) < 0.4, random.integers(0, 256, (24, 40)), 255).astype(np.uint8)
    table, image, clipped = annex_k_tables(quality)[0], forward(pixels), clipped_luminance(pixels)
    raised = clipped.overshot(image, table, FOR_ROUNDING).placed_in(image)
    plain, overshot = (blocks_of(dequantize(quantize(one, [table]))) for one in (image, raised))
    for before, after, original, bits in zip(plain, overshot, blocks_of(image), clipped.masks, strict=True):
        masks = [unpacked(number) for number in bits]
        errors = [naive_seen_error(naive_inverse(one), naive_inverse(original), *masks) for one in (before, after)]
        assert errors[1] <= errors[0] + 1e-3 * (1 + errors[0])


def test_results_do_not_depend_on_threads():
    pixels = some_pixels(np.random.default_rng(9), (700, 900))
    table, image = annex_k_tables(60)[0], forward(pixels)
    alone, together = (clipped_luminance(pixels, threads=threads) for threads in (1, 3))
    np.testing.assert_array_equal(alone.masks, together.masks)
    assert len(together.blocks) > 2 * 4096
    results = [one.overshot(image, table, FOR_TRELLIS).coefficients for one in (alone, together)]
    np.testing.assert_array_equal(*results)
    # Whichever blocks are computed together:
    mixed = Clipped(alone.masks)
    mixed.__dict__["blocks"] = np.random.default_rng(1).permutation(alone.blocks)
    np.testing.assert_array_equal(mixed.overshot(image, table, FOR_TRELLIS).coefficients, results[0])


def test_errors_against_other_blocks():
    random = np.random.default_rng(8)
    image, table = forward(some_pixels(random, (64, 40, 3)), "4:2:0"), annex_k_tables(50)
    fields = [random.uniform(0, 3, part.coefficients.shape[:2]).astype(np.float32) for part in image.components]
    criterion, coded = Criterion(random.uniform(0.1, 2, (3, 64)), fields), quantize(image, table)
    blocks = Blocks(np.array([3, 17, 18, 39]), random.normal(0, 40, (4, 64)).astype(np.float32))
    expected = criterion.errors(blocks.placed_in(image), coded)
    assert criterion.errors(image, coded, blocks) == pytest.approx(expected, rel=1e-6)
    assert criterion.errors(image, coded)[0] < 0.9 * expected[0]


def test_blocks_of_some_rows():
    image = forward(some_pixels(np.random.default_rng(2), (64, 40)))
    numbers = np.array([0, 4, 11, 12, 25, 39])
    blocks = Blocks(numbers, np.random.default_rng(3).normal(0, 9, (6, 64)).astype(np.float32))
    rows = np.array([1, 2, 5, 6])
    part = image.components[0].coefficients[rows]
    sample = DctImage(40, 32, (replace(image.components[0], coefficients=part),))
    found = blocks.of_rows(rows, 5).placed_in(sample).components[0].coefficients
    np.testing.assert_array_equal(found, blocks.placed_in(image).components[0].coefficients[rows])
    assert blocks.of_rows(rows, 5).numbers.tolist() == [6, 7, 10]


# ---- Files -----------------------------------------------------------------------------------------------------------

WAYS = {
    "plain": {},
    "plain, progressive": {"progressive": True},
    "designed": {"effort": 2, "quality": 75},
    "psnr": {"effort": 3},
    "psnr, progressive, 4:4:4": {"effort": 3, "progressive": True, "subsampling": "4:4:4"},
    "ycbcr, apart": {"tune": "ycbcr", "scans": "apart"},
    "ssim": {"tune": "ssim"},
    "people": {"tune": "people"},
    "people, 4:2:2": {"tune": "people", "subsampling": "4:2:2", "progressive": "smaller"},
    "tables": {"tune": "ycbcr", "tables": annex_k_tables(70)},
    "network": {"tune": load_profile("squeezenet1_1_420")},
    "receiver": {"tune": load_utility_profile("denoise25")},
    "blocks": {"effort": 3, "blocks": blocks_by("x264")},
}


def squared_error(original: np.ndarray):
    """A reader: the mean squared error of the decoded picture."""

    def reading(decoded: np.ndarray):
        difference = decoded.astype(np.float32) - original
        return float((difference**2).mean()), 2 * difference / difference.size

    return reading


@pytest.mark.parametrize("pixels", [SOFT, SOFT[..., 0].copy()], ids=["colour", "grey"])
@pytest.mark.parametrize("way", WAYS)
def test_pictures_without_white_and_black_keep_their_bytes(way, pixels):
    files = [encode(pixels, overshoot=overshoot, **WAYS[way]).data for overshoot in (True, False)]
    assert files[0] == files[1]


@pytest.mark.parametrize("pixels", [PAGE, DARK, PAGE[..., 0].copy()], ids=["light", "dark", "grey"])
@pytest.mark.parametrize("way", WAYS)
def test_text_is_better_for_its_bytes(way, pixels):
    """Half a dB and more for the bytes that a file of the same setting takes without overshoot."""
    after, before = (encode(pixels, overshoot=overshoot, **WAYS[way]) for overshoot in (True, False))
    psnrs = [psnr_db(pixels, pillow_pixels(file.data)) for file in (after, before)]
    assert psnrs[0] > psnrs[1] + 0.5
    assert after.nbytes < 1.01 * before.nbytes


@pytest.mark.parametrize("options", [{"effort": 2}, {"tune": "psnr"}, {"tune": "people", "progressive": True}])
@pytest.mark.parametrize("pixels", [PAGE, DARK, PAGE[..., 0].copy()], ids=["light", "dark", "grey"])
def test_text_takes_fewer_bytes_at_equal_psnr(options, pixels):
    options = options | {"target": MatchPsnr(32), "subsampling": "4:4:4"}
    after, before = (encode(pixels, overshoot=overshoot, **options) for overshoot in (True, False))
    assert after.nbytes < 0.93 * before.nbytes
    assert psnr_db(pixels, pillow_pixels(after.data)) >= 32


def test_a_reader_in_the_loop_starts_from_overshoot():
    options = {"reader": squared_error, "rounds": 3, "quality": 70, "subsampling": "4:4:4"}
    after, before = (encode(PAGE, overshoot=overshoot, **options) for overshoot in (True, False))
    assert after.loss < 0.85 * before.loss
    assert after.nbytes <= before.nbytes
    assert after.loss == pytest.approx(((pillow_pixels(after.data).astype(float) - PAGE) ** 2).mean(), rel=1e-4)


@pytest.mark.parametrize("options", [{"tune": "ycbcr"}, {"tune": "psnr"}, {"tune": "people", "progressive": True}])
def test_large_pictures_are_chosen_again_where_they_are_clipped(options, monkeypatch):
    """Files are hardly others than those of pictures that are chosen again as a whole, and do not depend on threads."""
    pixels = np.clip(1.3 * astronaut(), 0, 255).astype(np.uint8)
    assert 100 < len(clipped_luminance(pixels).blocks) < 2000
    files = [encode(pixels, effort=3, quality=70, threads=threads, **options) for threads in (1, 3)]
    assert files[0].data == files[1].data

    def whole(image, nearest, coded, criterion, levels, form):
        return indices.choose_indices(image, coded, criterion, levels, form.rates(coded), form, nearest)

    monkeypatch.setattr(indices, "_chosen_again", whole)
    expected = encode(pixels, effort=3, quality=70, **options)
    assert expected.data != files[0].data
    assert files[0].nbytes == pytest.approx(expected.nbytes, rel=0.004)
    found = [psnr_db(pixels, pillow_pixels(file.data)) for file in (files[0], expected)]
    assert found[0] == pytest.approx(found[1], abs=0.03)


def test_the_loop_does_not_lead_overshoot_back():
    """Without a gradient, it leads indices towards the nearest picture that is shown alike, not to the original."""
    grey = np.ascontiguousarray(PAGE[..., 0])
    image = forward(grey)
    tuning = tuning_for("ycbcr")
    coder = Coder(image, tuning.criterion(image), tuning.step_ratio, write_jpeg, clipped=clipped_luminance(grey))
    coded = coder.coded(annex_k_tables(70)[:1], (300.0, 300.0))
    flat = DctImage(image.width, image.height, tuple(_without(part) for part in image.components))
    led, led_back = (target_image(one, coded, flat, Pace(0.05)) for one in (coder, replace(coder, clipped=None)))
    distances = [np.square(blocks_of(one) - blocks_of(dequantize(coded))).sum() for one in (led, led_back)]
    assert distances[0] < 0.7 * distances[1]


def _without(part: DctComponent) -> DctComponent:
    return replace(part, coefficients=np.zeros_like(part.coefficients))


@pytest.mark.parametrize("subsampling", SAMPLINGS)
def test_both_ways_to_round_give_the_same_indices(subsampling):
    """Straight from pixels, in one kernel; and from coefficients, as for progressive files."""
    for pixels in (page(77, 45), page(77, 45)[..., 1].copy()):
        for quality in (20, 75, 95):
            files = [
                encode(pixels, quality=quality, subsampling=subsampling, progressive=progressive).coefficients
                for progressive in (False, True)
            ]
            for one, other in zip(*(file.components for file in files), strict=True):
                np.testing.assert_array_equal(one.blocks, other.blocks)
            plain = encode(pixels, quality=quality, subsampling=subsampling, overshoot=False).coefficients
            assert not np.array_equal(plain.components[0].blocks, files[0].components[0].blocks)
            for one, other in zip(plain.components[1:], files[0].components[1:], strict=True):
                np.testing.assert_array_equal(one.blocks, other.blocks)


@pytest.mark.parametrize(
    "options",
    [
        {"dct": "exact"},
        {"target": MatchSwe(900.0)},
        {"target": MatchSwe(900.0), "tune": "ycbcr"},
    ],
    ids=["exact", "swe", "trellis, swe"],
)
def test_what_counts_coefficients_has_no_overshoot(options):
    files = [encode(PAGE, overshoot=overshoot, **options).data for overshoot in (True, False)]
    assert files[0] == files[1]


def test_transcoding_keeps_coefficients():
    coded = read_jpeg(encode(PAGE, quality=90, overshoot=False).data)
    for options in ({}, {"quality": 50}, {"tune": "psnr", "quality": 50}):
        assert encode(coded, **options).data == encode(coded, overshoot=False, **options).data


@pytest.mark.parametrize("steps", [1, 2, 3, 17, 255])
@pytest.mark.parametrize("tune", [None, "ycbcr", "psnr"])
def test_all_indices_are_those_of_a_baseline_file(steps, tune):
    """The largest contrasts: noise and stripes of white and black, such as a cosine whose coefficient is 1020."""
    random = np.random.default_rng(steps)
    pixels = 255 * random.integers(0, 2, (64, 64), np.uint8)
    pixels[16:32], pixels[32:48, ::2], pixels[32:48, 1::2] = 255 * (np.arange(64) // 4 % 2), 255, 0
    pixels[48:56] = np.where(np.cos((2 * np.arange(64) + 1) * np.pi / 4) > 0, 255, 0)
    colour = np.repeat(pixels[..., None], 3, 2)
    data = encode(colour, tables=[QuantTable(np.full((8, 8), steps))], tune=tune).data
    for part in read_jpeg(data).components:
        blocks = part.blocks.reshape(-1, 64)
        assert abs(blocks[:, 1:]).max(initial=0) <= 1023
        assert int(blocks[:, 0].max()) - int(blocks[:, 0].min()) <= 2047
    error = np.abs(pillow_pixels(data).astype(int) - colour).mean()
    assert error <= 1.5 + steps / 2


def test_white_stays_white():
    """DC of white is no multiple of most steps: 1016 / 40 is 25.4, and 25 would be shown as 253."""
    white = np.full((24, 24, 3), 255, np.uint8)
    for pixels in (white, 255 - white):
        after, before = (encode(pixels, quality=20, overshoot=overshoot) for overshoot in (True, False))
        np.testing.assert_array_equal(pillow_pixels(after.data), pixels)
        assert after.nbytes == before.nbytes
    assert pillow_pixels(encode(white, quality=20, overshoot=False).data).max() == 253
    for tune in ("psnr", "ycbcr", "people"):
        np.testing.assert_array_equal(pillow_pixels(encode(white, quality=20, tune=tune).data), white)
