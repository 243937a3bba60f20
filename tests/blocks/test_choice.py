"""Methods that choose block weights: equal to slow implementations; their arguments, errors and effect on files."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from optcodec import (
    BlockChoice,
    InvalidInputError,
    MaxBytes,
    QualityField,
    TargetNotMetError,
    Tuning,
    blocks_by,
    encode,
    read_jpeg,
)
from optcodec.blocks.choice import WAYS, BlockContext, pixels_of_blocks
from optcodec.blocks.curves import block_grid
from optcodec.blocks.profile import shipped_utility_profiles
from optcodec.blocks.qpnet import shipped_qpnets
from optcodec.blocks.slopes import weights_from_qualities
from optcodec.blocks.vaq import VAQ
from optcodec.jpeg.dct import forward
from optcodec.pictures.pixels import decoded_pixels
from optcodec.trellis.tuning import TUNINGS, flat_weights
from tests.block_helpers import save_both, small_net, small_profile
from tests.cli_helpers import photograph
from tests.test_imports import command, heavy_after

PROFILE, NET = small_profile(), small_net()
BY_NET = ("exchange", "accelir", "lagrangian", "uniform")
SIZES = {"a block": (32, 32), "odd": (45, 70), "a pixel": (1, 1), "a strip": (3, 97), "many": (100, 130)}
PIXELS = photograph(100, 130)


def choice(way: str) -> BlockChoice:
    return BlockChoice(way) if way in VAQ else BlockChoice(way, PROFILE, NET)


def context_of(pixels: np.ndarray, *, threads: int | None = None) -> BlockContext:
    image = forward(pixels, "4:2:0")
    return BlockContext(pixels, image, TUNINGS["psnr"], PROFILE, NET, threads)


def test_the_ways() -> None:
    assert tuple(WAYS) == (*BY_NET, "x264", "libwebp")


@pytest.mark.parametrize("grey", [False, True], ids=["colour", "grey"])
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("way", WAYS)
def test_every_way_gives_a_field_of_the_image(way: str, size: tuple[int, int], grey: bool) -> None:
    pixels = photograph(*size)
    context = context_of(pixels[..., 0] if grey else pixels)
    field = choice(way).field(context, 900.0)
    assert (field.height, field.width) == size
    assert field.weights.min() > 0
    within = 2 if way in VAQ else 4  # 8x8 blocks along a side of a macroblock and of a 32x32 block
    for row, column in np.ndindex(field.weights.shape):
        first = row - row % within, column - column % within
        assert field.weights[row, column] == field.weights[first]
    if way in VAQ:
        np.testing.assert_array_equal(field.weights, VAQ[way](context.pixels).weights)
    if way == "uniform":  # equal slopes are the slopes at one quality, not equal weights
        assert min(size) < 33 or np.unique(field.weights).size > 1


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_exchange_is_the_weighted_geometric_mean_of_the_residual_ratios_of_groups(strength: float) -> None:
    profile = small_profile(strength=strength)
    image = forward(PIXELS, "4:2:0")
    context = BlockContext(PIXELS, image, TUNINGS["psnr"], profile, NET)
    field = BlockChoice("exchange", profile, NET).field(context, None)
    shares = NET.distributions(PIXELS)
    for row, column in np.ndindex(*block_grid(130, 100)):
        expected = 1.0
        for group in range(profile.groups):
            expected *= profile.exchange[group] ** (strength * float(shares[row, column, group]))
        np.testing.assert_allclose(field.weights[4 * row, 4 * column], expected, rtol=1e-12)
    assert (np.ptp(field.weights) > 0.05) == (strength > 0)


def test_curves_are_means_over_the_groups() -> None:
    context = context_of(PIXELS)
    shares = NET.distributions(PIXELS).reshape(-1, PROFILE.groups).astype(float)
    assert len(context.curves) == 4 * 5
    for name in ("nbytes", "before", "after"):
        by_group = getattr(PROFILE, name)
        for block, share in enumerate(shares):
            expected = sum(part * curve for part, curve in zip(share, by_group, strict=True)) / sum(share)
            np.testing.assert_allclose(getattr(context.curves, name)[block], expected, rtol=1e-12)


@pytest.mark.parametrize("way", BY_NET[1:])
@pytest.mark.parametrize(("budget", "quality"), [(1.0, 15), (1e9, 95)], ids=["nothing", "everything"])
def test_allocators_beyond_both_ends_of_the_curves(way: str, budget: float, quality: int) -> None:
    context = context_of(PIXELS)
    expected = weights_from_qualities(context.image, context.criterion, np.full((4, 5), quality))
    np.testing.assert_array_equal(choice(way).field(context, budget).weights, expected.weights)


@pytest.mark.parametrize("way", BY_NET[1:3])
def test_allocators_do_not_give_all_blocks_one_quality(way: str) -> None:
    context = context_of(PIXELS)
    even = choice("uniform").field(context, 1500.0)
    assert (choice(way).field(context, 1500.0).weights != even.weights).any()


@given(st.integers(1, 200), st.integers(1, 200))
def test_pixels_of_blocks(width: int, height: int) -> None:
    rows, columns = block_grid(width, height)
    counted = np.zeros((rows, columns), int)
    ys, xs = np.mgrid[:height, :width] // 32
    np.add.at(counted, (ys, xs), 1)
    np.testing.assert_array_equal(pixels_of_blocks(width, height), counted.ravel())


@settings(max_examples=30)
@given(st.integers(1, 150), st.integers(1, 150))
def test_fields_of_squares(width: int, height: int) -> None:
    rows, columns = block_grid(width, height)
    weights = np.arange(1.0, rows * columns + 1).reshape(rows, columns)
    field = QualityField.from_squares(width, height, weights, 32)
    ys, xs = np.mgrid[:height:8, :width:8]
    np.testing.assert_array_equal(field.weights, weights[ys // 32, xs // 32])


@pytest.mark.parametrize(
    ("shape", "side", "message"),
    [
        ((5, 5), 16, r"30x20 pixels in squares of 16 take weights of shape \(2, 2\), got \(5, 5\)"),
        ((2, 3), 12, "the side of the squares is a multiple of 8 pixels, got 12"),
    ],
)
def test_fields_of_wrong_squares(shape: tuple[int, int], side: int, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        QualityField.from_squares(30, 20, np.ones(shape), side)


@pytest.mark.parametrize("way", WAYS)
def test_threads_do_not_matter(way: str) -> None:
    single, several = (choice(way).field(context_of(PIXELS, threads=threads), 1500.0) for threads in (1, 3))
    np.testing.assert_array_equal(single.weights, several.weights)


def coded(blocks: BlockChoice | None, *, pixels: np.ndarray = PIXELS, threads: int = 1, **words: Any) -> bytes:
    return encode(pixels, target=MaxBytes(1500), effort=3, blocks=blocks, **words, threads=threads).data


@pytest.mark.parametrize("way", WAYS)
def test_files_meet_the_budget_and_differ(way: str) -> None:
    data = coded(choice(way))
    assert 0.97 * 1500 <= len(data) <= 1500
    assert data != coded(None)
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (130, 100)
        image.load()


def test_the_same_file_by_any_number_of_threads_and_again() -> None:
    files = [coded(choice("accelir"), threads=threads) for threads in (1, 3, 1)]
    assert files[0] == files[1] == files[2]


@pytest.mark.parametrize("way", ["exchange", "x264"])
def test_fields_multiply(way: str) -> None:
    mask = np.zeros((100, 130), np.uint8)
    mask[20:50, 60:100] = 255
    region = QualityField.from_mask(mask)
    by_blocks = choice(way).field(context_of(PIXELS), None)
    product = QualityField(130, 100, region.weights * by_blocks.weights)
    assert coded(choice(way), field=region, tune="ycbcr") == coded(None, field=product, tune="ycbcr")


def test_weights_are_those_that_the_trellis_uses() -> None:
    """A quality field with the same weights gives the same file."""
    field = choice("exchange").field(context_of(PIXELS), None)
    assert coded(choice("exchange"), tune="ycbcr") == coded(None, field=field, tune="ycbcr")


def test_tuning_and_sampling_of_the_receiver() -> None:
    tuning = Tuning(flat_weights(1.0, 0.2, 0.2), step_ratio=0.08)
    profile = small_profile(subsampling="4:4:4", tuning=tuning)
    tuned, untuned = (
        BlockChoice("exchange", profile, NET),
        BlockChoice("exchange", small_profile(subsampling="4:4:4"), NET),
    )
    data = coded(tuned)
    assert read_jpeg(data).subsampling == "4:4:4"
    assert data == coded(untuned, tune=tuning) != coded(tuned, tune="psnr") == coded(untuned)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", [(1, 1), (5, 33)], ids=str)
@pytest.mark.parametrize("grey", [False, True], ids=["colour", "grey"])
def test_images_smaller_than_a_block(way: str, size: tuple[int, int], grey: bool) -> None:
    pixels = photograph(*size)[..., 0] if grey else photograph(*size)
    result = encode(pixels, target=MaxBytes(800), tune="ycbcr", blocks=choice(way), threads=1)
    assert (result.height, result.width) == size
    assert len(read_jpeg(result.data).components) == (1 if grey else 3)


def test_a_budget_below_the_smallest_file_names_that() -> None:
    def least() -> int:
        with pytest.raises(TargetNotMetError, match="but the nearest that can be reached is ") as caught:
            encode(PIXELS, target=MaxBytes(50), effort=3, blocks=choice("accelir"))
        return int(str(caught.value).rpartition(" ")[2])

    limit = least()
    result = encode(PIXELS, target=MaxBytes(limit + 10), effort=3, blocks=choice("accelir"))
    assert len(result.data) <= limit + 10


def test_a_grey_image_has_no_sampling_to_fit() -> None:
    blocks = BlockChoice("exchange", small_profile(subsampling="4:4:4"), NET)
    result = encode(PIXELS[..., 0], tune="ycbcr", blocks=blocks, subsampling="4:2:0")
    assert len(read_jpeg(result.data).components) == 1


def test_images_that_blocks_refuse() -> None:
    with pytest.raises(InvalidInputError, match="profile small is for 4:2:0 sampling; expected 4:4:4"):
        encode(PIXELS, tune="ycbcr", blocks=choice("exchange"), subsampling="4:4:4")
    with pytest.raises(InvalidInputError, match="by their pixels, got coefficients of a file; expected pixels"):
        encode(read_jpeg(encode(PIXELS).data), tune="ycbcr", blocks=choice("x264"))
    for way in BY_NET[1:]:
        with pytest.raises(InvalidInputError, match=f"blocks weighed by {way} share a budget: expected a target in"):
            encode(PIXELS, tune="ycbcr", blocks=choice(way))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BlockChoice("best"), "blocks are weighed by exchange, accelir, .* libwebp, crop; got 'best'"),
        (lambda: BlockChoice("accelir"), "blocks weighed by accelir need a utility profile and a QP-NET, got none"),
        (lambda: BlockChoice("exchange", PROFILE), "need a utility profile and a QP-NET"),
        (lambda: BlockChoice("exchange", PROFILE, small_net(5)), "the profile has 4 groups, its QP-NET 5; expected"),
        (lambda: encode(PIXELS, blocks="x264"), "blocks are weighed by a BlockChoice, got str"),  # type: ignore[arg-type]
        (lambda: BlockChoice("crop"), r"a part of the shorter side goes with crop; got None with crop"),
        (lambda: BlockChoice("x264", part=0.5), r"a part of the shorter side goes with crop; got 0.5 with x264"),
        (lambda: blocks_by("x265"), r"blocks are chosen by x264, libwebp, qpnet:NET or crop:PART, got 'x265'"),
        (lambda: blocks_by("qpnet:"), r"qpnet:NET or crop:PART, got 'qpnet:'"),
        (lambda: blocks_by("crop"), r"qpnet:NET or crop:PART, got 'crop'"),
        (lambda: blocks_by("crop:"), r"qpnet:NET or crop:PART, got 'crop:'"),
        (lambda: blocks_by("crop:1/0"), r"crop:PART has a number, or two as in 224/256; got '1/0'"),
        (lambda: blocks_by("crop:a"), r"crop:PART has a number, or two as in 224/256; got 'a'"),
        (lambda: blocks_by("crop:256/224"), r"above 0 and at most 1; got 1\.14"),
        (lambda: blocks_by("crop:nan"), r"the part of a crop is a finite number above 0, got nan"),
        (lambda: blocks_by("crop:0"), r"the part of a crop is a finite number above 0, got 0"),
        (lambda: blocks_by("crop:0.5", "accelir"), "accelir allocates by a QP-NET; expected qpnet:NET, got 'crop:0.5'"),
        (lambda: blocks_by("x264", "accelir"), "accelir allocates by a QP-NET; expected qpnet:NET, got 'x264'"),
        (lambda: blocks_by("qpnet:none"), r"cannot read 'none\.json': No such file"),
    ],
)
def test_choices_refused(make: object, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        make()  # type: ignore[operator]


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize(("text", "part"), [("1", 1.0), ("0.5", 0.5), ("224/256", 0.875), ("1/64", 1 / 64)])
def test_a_crop_counts_by_the_pixels_that_are_seen(text: str, part: float, size: tuple[int, int]) -> None:
    field = blocks_by(f"crop:{text}").field(replace(context_of(photograph(*size)), pixels=None), None)
    side = part * min(size)
    seen = [np.clip(np.arange(extent) + 1, *(extent / 2 + half * side for half in (-0.5, 0.5))) for extent in size]
    seen = [ends - np.clip(np.arange(len(ends)), (len(ends) - side) / 2, (len(ends) + side) / 2) for ends in seen]
    by_pixel = np.outer(*seen)
    for row, column in np.ndindex(field.weights.shape):
        block = by_pixel[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
        np.testing.assert_allclose(field.weights[row, column], 0.01 + 0.99 * block.mean(), rtol=1e-9)


def test_a_crop_has_the_bytes_and_what_is_cut_away_the_errors() -> None:
    pixels = data.chelsea()[:256, :384]
    plain = encode(pixels, tune="ycbcr", target=MaxBytes(5000))
    cropped = encode(pixels, tune="ycbcr", target=MaxBytes(5000), blocks=blocks_by("crop:0.75"))
    middle = np.zeros((256, 384, 1))
    middle[32:-32, 96:-96] = 1
    errors = [np.square(pixels.astype(float) - decoded_pixels(file.data)) for file in (plain, cropped)]
    seen, rest = ([(error * part).sum() for error in errors] for part in (middle, 1 - middle))
    assert seen[1] < 0.8 * seen[0]
    assert rest[1] > rest[0]


def test_a_crop_of_coefficients() -> None:
    old = read_jpeg(encode(PIXELS[:, :100], quality=95).data)
    choices = (None, blocks_by("crop:1"), blocks_by("crop:0.5"))
    plain, whole, cropped = (encode(old, tune="ycbcr", target=MaxBytes(2500), blocks=blocks).data for blocks in choices)
    assert plain == whole != cropped


def test_choices_by_name(tmp_path: Path) -> None:
    assert blocks_by("libwebp").way == "libwebp"
    name = save_both(tmp_path / "mine", PROFILE)
    assert blocks_by(name).way == "exchange"
    chosen = blocks_by(name, "lagrangian")
    assert chosen.way == "lagrangian"
    assert chosen.profile is not None
    assert chosen.profile.name == "small"
    assert coded(chosen) == coded(choice("lagrangian"))


def test_shipped_choices() -> None:
    assert set(shipped_qpnets()) <= set(shipped_utility_profiles())
    for name in shipped_qpnets():
        shipped = blocks_by(f"qpnet:{name}")  # profile and QP-NET have the same number of groups
        assert shipped.profile is not None
        assert shipped.profile.provenance.task.split()[0] == name


def test_the_whole_chain_imports_neither_torch_nor_numba_nor_matplotlib(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    options = ("--blocks", save_both(tmp_path / "mine", PROFILE), "--allocator", "accelir", "--bpp", 1.2)
    heavy_after(command("encode", tmp_path / "a.png", "-o", tmp_path / "warm.jpg", *options))  # compiles the kernels
    heavy = heavy_after(command("encode", tmp_path / "a.png", "-o", tmp_path / "b.jpg", *options))
    assert heavy <= {"numpy", "PIL", "llvmlite", "scipy"}  # scipy, for the chrominance of the trellis
    assert (tmp_path / "b.jpg").read_bytes() == (tmp_path / "warm.jpg").read_bytes()


@pytest.mark.parametrize("way", ["exchange", "accelir", "lagrangian", "uniform", "x264"])
def test_regions_count_with_any_way(way: str) -> None:
    mask = np.zeros(PIXELS.shape[:2], np.uint8)
    mask[:, : mask.shape[1] // 2] = 255
    target = MaxBytes(1800)
    errors = []
    for region in (None, QualityField.from_mask(mask, strength=16.0)):
        data = encode(PIXELS, tune="ycbcr", blocks=choice(way), field=region, target=target).data
        squares = (decoded_pixels(data).astype(float) - PIXELS) ** 2
        errors.append(squares[:, : mask.shape[1] // 2].mean() / squares[:, mask.shape[1] // 2 :].mean())
    assert errors[1] < 0.85 * errors[0]
