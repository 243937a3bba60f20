"""Whole images by the trellis: what is minimised, who reads the files, and what errors weigh where."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.data import astronaut

from optcodec import (
    CoefficientImage,
    Component,
    DctImage,
    InvalidInputError,
    MaxBytes,
    QualityField,
    QuantTable,
    annex_k_tables,
    encode,
    forward,
    load_profile,
    read_jpeg,
    write_jpeg,
)
from optcodec.jpeg.bitstream import group_slots, scan_groups
from optcodec.jpeg.entropy import optimal_tables, scan_bits, sequential_tokens
from optcodec.jpeg.quantize import quantize
from optcodec.jpeg.scans import ScanSpec, progressive_scan, progressive_scans, smallest_scans
from optcodec.trellis.criterion import Criterion
from optcodec.trellis.indices import ScanForm, choose_indices, optimized
from optcodec.trellis.rates import Rates, progressive_rates, sequential_rates
from optcodec.trellis.steps import tables_for_level
from optcodec.trellis.tuning import STEP_RATIO, tuning_for
from tests.naive import ZIGZAG
from tests.naive_rdo import UNIT, AcBits, naive_ac_cost, naive_dc_cost, naive_dc_rows, naive_dynamic
from tests.peers import libjpeg_coefficients, picture, pillow_pixels
from tests.strategies import assert_same_image, coefficient_images
from tests.trellis.test_trellis import rate_table

SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0", "4:4:0", "grey")
ORDER = np.array([8 * y + x for y, x in ZIGZAG])
PHOTO = np.ascontiguousarray(astronaut()[40:200, 150:330])


def pixels_of(width: int, height: int, subsampling: str = "4:4:4") -> np.ndarray:
    part = PHOTO[:height, :width]
    return np.ascontiguousarray(part[..., 1] if subsampling == "grey" else part)


def forwarded(pixels: np.ndarray, subsampling: str) -> DctImage:
    return forward(pixels, "4:4:4" if subsampling == "grey" else subsampling)


def sequential_bits(coded: CoefficientImage, *, apart: bool = False) -> int:
    """Bits of the scans of a baseline file."""
    total = 0
    for group in scan_groups(coded, apart=apart):
        tokens = sequential_tokens(coded, group, group_slots(len(coded.components), group))
        total += scan_bits(tokens, optimal_tables(tokens.histogram))
    return total


def naive_error(image: DctImage, coded: CoefficientImage, weights: np.ndarray) -> float:
    """Squared errors times weights (components, 64) per block of a component, counted by blocks of luminance."""
    total, most = 0.0, image.components[0].coefficients.size
    for part, after, row in zip(image.components, coded.components, weights, strict=True):
        difference = part.coefficients.astype(np.float64) - after.blocks * coded.tables[after.table].steps.astype(float)
        total += (most / part.coefficients.size * row.reshape(8, 8) * difference**2).sum()
    return total


def lagrangian(image: DctImage, coded: CoefficientImage, criterion: Criterion, level: float) -> float:
    return naive_error(image, coded, criterion.weights) / level + sequential_bits(coded)


# ---- What is minimised ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
@pytest.mark.parametrize(("width", "height"), [(1, 1), (7, 9), (17, 33), (180, 160)])
@pytest.mark.parametrize("tune", ["psnr", "people"])
def test_costs_no_more_than_plain_quantization(subsampling, width, height, tune):
    """Of any image less, and of a photograph much less; of a few blocks, codes of symbols that do not occur show."""
    image = forwarded(pixels_of(width, height, subsampling), subsampling)
    criterion = Criterion(tuning_for(tune).criterion(image).weights)
    for level in (4.0, 40.0, 400.0):
        tables = tables_for_level(criterion, image, (level, level), STEP_RATIO)
        plain, chosen = quantize(image, tables), optimized(image, tables, criterion, (level, level))
        costs = [lagrangian(image, coded, criterion, level) for coded in (chosen, plain)]
        assert costs[0] <= costs[1] * (0.95 if width == 180 else 1.0) + (3 if width < 17 else 0)


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_the_lagrangian_falls_in_turns_of_tables_and_indices(subsampling):
    level = 30.0
    image = forwarded(pixels_of(180, 160, subsampling), subsampling)
    criterion = Criterion(np.ones((len(image.components), 64)))
    coded = quantize(image, tables_for_level(criterion, image, (level, level), STEP_RATIO))
    costs = [lagrangian(image, coded, criterion, level)]
    for _ in range(4):
        coded = choose_indices(image, coded, criterion, (level, level), sequential_rates(coded))
        costs.append(lagrangian(image, coded, criterion, level))
    assert costs[1] < 0.95 * costs[0]
    assert costs[2] < costs[1]
    # codes are kept for symbols that do not occur, which is all that a turn can lose by
    assert max(costs[2:]) < 1.0005 * costs[2]


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_every_block_has_the_cheapest_indices(subsampling, apart):
    """Weights from their definition: by frequency and component, the share of blocks, step, block and level."""
    rng = np.random.default_rng(7)
    image = forwarded(pixels_of(71, 55, subsampling), subsampling)
    fields = [rng.uniform(0.2, 5, part.coefficients.shape[:2]).astype(np.float32) for part in image.components]
    criterion = Criterion(rng.uniform(0.2, 2, (len(image.components), 64)), fields)
    levels, plain = (20.0, 70.0), quantize(image, annex_k_tables(80))
    bits = [ac_bits(rng) for _ in image.components]
    rates = [as_rates(bits_of_part, rng.integers(1, 12, 13)) for bits_of_part in bits]
    chosen = choose_indices(image, plain, criterion, levels, rates, ScanForm(apart=apart))
    most = image.components[0].coefficients.size
    for index, (part, new, old) in enumerate(zip(image.components, chosen.components, plain.components, strict=True)):
        steps = plain.tables[old.table].steps.astype(np.float64).ravel()
        gains = UNIT / levels[min(index, 1)] * criterion.weights[index] * steps**2 * (most / part.coefficients.size)
        weights = fields[index].astype(np.float64).reshape(-1, 1) * gains
        ratios = (part.coefficients.reshape(-1, 64) * (1 / steps.astype(np.float32))).astype(np.float64)
        indices, rounded = (part.blocks.reshape(-1, 64).astype(np.int64) for part in (new, old))
        for block in range(len(ratios)):
            known = np.abs(ratios[block, ORDER]).tolist(), weights[block, ORDER].tolist(), bits[index]
            cost = naive_ac_cost(np.abs(indices[block, ORDER]).tolist(), *known)
            assert cost == naive_dynamic(np.abs(rounded[block, ORDER]).tolist(), *known)
        assert new.blocks.any()
        factors = (1, 1) if apart and index == 0 else (part.h, part.v)
        assert_no_dc_is_better(
            indices[:, 0],
            rounded[:, 0],
            ratios[:, 0],
            weights[:, 0],
            rates[index].dc,
            (*new.blocks.shape[:2], *factors),
        )


def assert_no_dc_is_better(
    chosen: np.ndarray,
    rounded: np.ndarray,
    ratios: np.ndarray,
    weights: np.ndarray,
    lengths: np.ndarray,
    geometry: tuple[int, int, int, int],
) -> None:
    """No single index moved within its three candidates makes its MCU row cheaper; the last one is kept."""
    before = 0
    for places in naive_dc_rows(*geometry):
        known = before, ratios[places], weights[places], lengths
        row = chosen[places]
        cost = naive_dc_cost(row, *known)
        for place, (index, near) in enumerate(zip(row[:-1], rounded[places[:-1]], strict=True)):
            for other in {near - 1, near, near + 1} - {index}:
                moved = row.copy()
                moved[place] = other
                assert naive_dc_cost(moved, *known) >= cost
        before = int(rounded[places[-1]])
        assert row[-1] == before


def ac_bits(rng: np.random.Generator) -> AcBits:
    lengths = rng.integers(2, 9, 256) + np.arange(256) % 16
    return AcBits(lengths.tolist(), 3 * UNIT, 2 * UNIT)


def as_rates(bits: AcBits, dc: np.ndarray) -> Rates:
    return Rates(rate_table(bits), UNIT * (dc + np.arange(13)))


def bits_by_rates(coded: CoefficientImage, rates: Sequence[Rates], *, apart: bool = False) -> float:
    """Bits of all indices by tables of rates."""
    total = 0
    for number, (part, rates_of_part) in enumerate(zip(coded.components, rates, strict=True)):
        indices = part.blocks.reshape(-1, 64).astype(np.int64)
        for block in indices[:, ORDER]:
            places = np.flatnonzero(block[1:]) + 1
            runs = np.diff(places, prepend=0) - 1
            sizes = [int(abs(value)).bit_length() for value in block[places]]
            total += int(rates_of_part.ac[64 * np.array(sizes, int) + runs].sum())
            total += int(rates_of_part.ac[705] if not len(places) else rates_of_part.ac[704] if places[-1] < 63 else 0)
        factors = (1, 1) if apart and number == 0 else (part.h, part.v)
        before = 0
        for places_of_row in naive_dc_rows(*part.blocks.shape[:2], *factors):
            for index in indices[places_of_row, 0].tolist():
                total += int(rates_of_part.dc[abs(index - before).bit_length()])
                before = index
    return total / UNIT


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_rates_add_up_to_the_bits_of_the_scans(subsampling, apart):
    """All but for what blocks cost that only fill up MCUs, and codes kept for symbols that do not occur."""
    coded = encode(pixels_of(176, 160, subsampling), quality=85, subsampling=_named(subsampling)).coefficients
    rates, bits = sequential_rates(coded, apart=apart), sequential_bits(coded, apart=apart)
    assert bits <= bits_by_rates(coded, rates, apart=apart) < 1.01 * bits


def _named(subsampling: str) -> str | None:
    return None if subsampling == "grey" else subsampling


@pytest.mark.parametrize("subsampling", ["4:2:0", "grey"])
def test_progressive_rates_are_near_the_bits_of_one_scan_a_component(subsampling):
    coded = encode(
        pixels_of(176, 160, subsampling), quality=85, subsampling=_named(subsampling), tune="ycbcr"
    ).coefficients
    everything = range(len(coded.components))
    groups = scan_groups(coded, apart=True)
    specs = [*(ScanSpec(tuple(group)) for group in groups), *(ScanSpec((index,), 1, 63) for index in everything)]
    scans = [progressive_scan(coded, spec) for spec in specs]
    bits = sum(scan_bits(scan.tokens, optimal_tables(scan.tokens.histogram)) for scan in scans)
    assert bits_by_rates(coded, progressive_rates(coded), apart=True) == pytest.approx(bits, rel=0.02)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0", "grey"])
def test_any_number_of_threads_chooses_the_same(subsampling):
    """Several workers a component, and more blocks than the sample that tables are made from."""
    grey = subsampling == "grey"
    pixels = np.asarray(picture(1201, 777, "L" if grey else "RGB"))
    for options in ({"quality": 80}, {"tune": "psnr", "quality": 60, "progressive": True}):
        options = {"tune": "ycbcr", "subsampling": _named(subsampling)} | options
        files = {encode(pixels, threads=threads, **options).data for threads in (1, 2, 3)}
        assert len(files) == 1


def test_the_trellis_saves_bytes_at_the_same_tables():
    tables = annex_k_tables(75)
    for progressive in (False, True):
        plain = encode(PHOTO, tables=tables, progressive=progressive)
        chosen = encode(PHOTO, tables=tables, progressive=progressive, tune="ycbcr")
        assert chosen.coefficients.tables == plain.coefficients.tables
        assert chosen.nbytes < 0.93 * plain.nbytes


# ---- Who reads the files -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_interval": 3}, {"tune": "psnr"}])
@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
@pytest.mark.parametrize(("width", "height"), [(1, 1), (7, 9), (17, 33), (99, 50)])
def test_decoders_read_the_indices_that_were_chosen(options, subsampling, width, height, tmp_path):
    pixels = pixels_of(width, height, subsampling)
    chosen: list[CoefficientImage] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("optcodec.jpeg.sources.write_jpeg", lambda coded, **more: _noted(chosen, coded, more))
        data = encode(pixels, subsampling=_named(subsampling), **({"tune": "ycbcr", "quality": 85} | options)).data
    assert_same_image(read_jpeg(data), chosen[-1])
    assert read_jpeg(data).restart_interval == options.get("restart_interval", 0)
    for part, plane in zip(chosen[-1].components, libjpeg_coefficients(data, tmp_path), strict=True):
        np.testing.assert_array_equal(part.blocks, plane)
    decoded = pillow_pixels(data)
    assert decoded.shape == pixels.shape
    space = "GRAY" if subsampling == "grey" else "RGB"
    theirs = simplejpeg.decode_jpeg(data, space, fastdct=False, fastupsample=False)
    np.testing.assert_array_equal(theirs.reshape(pixels.shape), decoded)
    default = pillow_pixels(encode(pixels, subsampling=_named(subsampling), quality=85).data)
    errors = [np.mean((coded_pixels.astype(float) - pixels) ** 2) for coded_pixels in (decoded, default)]
    assert errors[0] < 1.3 * errors[1] + 1


def _noted(chosen: list[CoefficientImage], coded: CoefficientImage, options: dict[str, object]) -> bytes:
    chosen.append(coded)
    return write_jpeg(coded, **options)


# ---- Where errors count ----------------------------------------------------------------------------------------------


def test_blocks_without_weight_become_cheap():
    weights = np.ones((20, 22))
    weights[4:16, 6:18] = 0
    pixels = pixels_of(176, 160)
    coded = encode(
        pixels, tune="ycbcr", field=QualityField(176, 160, weights), quality=75, subsampling="4:4:4"
    ).coefficients
    for part in coded.components:
        inside = part.blocks[4:16, 6:18].reshape(12, 12, 64)
        assert not inside[..., 1:].any()
    assert coded.components[0].blocks[weights > 0, 1:].any()


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0", "grey"])
def test_errors_are_smaller_where_they_count_for_more(subsampling):
    """Files of the same size: better where the mask is white, worse where it is black."""
    pixels = pixels_of(176, 160, subsampling)
    mask = np.zeros((160, 176), np.uint8)
    mask[:, 96:] = 255
    errors = []
    for field in (None, QualityField.from_mask(mask)):
        options = {"target": MaxBytes(5000), "subsampling": _named(subsampling)}
        square = (pillow_pixels(encode(pixels, tune="ycbcr", field=field, **options).data).astype(float) - pixels) ** 2
        errors.append((square[:, :96].mean(), square[:, 96:].mean()))
    (left, right), (worse, better) = errors
    assert better < 0.75 * right
    assert worse > 1.5 * left


def test_more_strength_moves_more():
    mask = np.zeros((160, 176), np.uint8)
    mask[40:120, 40:120] = 255
    errors = []
    for strength in (1 / 16, 1.0, 4.0, 64.0):
        field = QualityField.from_mask(mask, strength=strength)
        file = encode(pixels_of(176, 160), tune="ycbcr", field=field, quality=60)
        square = (pillow_pixels(file.data).astype(float) - pixels_of(176, 160)) ** 2
        errors.append(square[mask > 0].mean() / square[mask == 0].mean())
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 5 * errors[-1]


def test_a_field_of_equal_weights_changes_nothing():
    pixels = pixels_of(100, 90)
    alone = encode(pixels, tune="ycbcr", quality=70).data
    for weight in (1.0, 0.25, 8.0):
        assert (
            encode(pixels, tune="ycbcr", field=QualityField(100, 90, np.full((12, 13), weight)), quality=70).data
            == alone
        )


# ---- Scans by trial --------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(coefficient_images())
def test_scans_by_trial_carry_the_same_coefficients(image):
    data = write_jpeg(image, progressive=True, smallest=True)
    assert_same_image(read_jpeg(data), image)
    assert read_jpeg(data).restart_interval == image.restart_interval


@settings(max_examples=40)
@given(coefficient_images(restart_intervals=st.just(0)))
def test_scans_by_trial_are_no_larger(image):
    """Counted in bits: bytes are filled up and stuffed, and small scans share Huffman tables."""
    sizes = []
    for scans in (smallest_scans(image), progressive_scans(image)):
        tables = [optimal_tables(scan.tokens.histogram) for scan in scans]
        pairs = zip(scans, tables, strict=True)
        sizes.append(sum(scan_bits(s.tokens, t) + 8 * (14 + len(t.definition)) for s, t in pairs))
    assert sizes[0] <= sizes[1]


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
@pytest.mark.parametrize("quality", [20, 60, 90])
@pytest.mark.parametrize("tune", [None, "ycbcr"])
def test_files_of_scans_by_trial_are_no_larger(subsampling, quality, tune):
    image = encode(pixels_of(180, 160, subsampling), subsampling=_named(subsampling), quality=quality, tune=tune)
    default, trial = (write_jpeg(image.coefficients, progressive=True, smallest=smallest) for smallest in (False, True))
    assert len(trial) <= len(default)
    np.testing.assert_array_equal(pillow_pixels(trial), pillow_pixels(default))


@pytest.mark.parametrize("options", [{"quality": 90}, {"quality": 90, "tune": "ycbcr"}, {"effort": 3}])
@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_baseline_files_have_one_scan_unless_two_are_asked_for(subsampling, options):
    pixels = pixels_of(180, 160, subsampling)
    together, apart = (
        encode(pixels, subsampling=_named(subsampling), scans=scans, **options).data for scans in ("together", "apart")
    )
    assert together.count(b"\xff\xda") == 1
    assert apart.count(b"\xff\xda") == 1 + (subsampling in ("4:2:0", "4:4:0", "4:2:2"))


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_luminance_in_a_scan_of_its_own_saves_bytes_and_no_coefficient(subsampling):
    pixels, options = pixels_of(180, 160, subsampling), {"quality": 90, "overshoot": False}
    image = encode(pixels, subsampling=_named(subsampling), **options).coefficients
    default, apart = (write_jpeg(image, apart=in_two_scans) for in_two_scans in (False, True))
    assert (len(apart) < len(default)) == (subsampling in ("4:2:0", "4:4:0", "4:2:2"))
    assert_same_image(read_jpeg(apart), image)
    np.testing.assert_array_equal(pillow_pixels(apart), pillow_pixels(default))
    assert encode(image, scans="apart").data == apart
    assert write_jpeg(image, progressive=True, apart=True) == write_jpeg(image, progressive=True)


def test_scans_are_together_or_apart():
    with pytest.raises(InvalidInputError, match='scans is "together" or "apart"; got \'both\''):
        encode(PHOTO, scans="both")


# ---- Corners ---------------------------------------------------------------------------------------------------------


def flat_blocks(values: np.ndarray) -> CoefficientImage:
    """A grey image of 8x8 blocks with given DC indices (rows, columns), step 1."""
    blocks = np.zeros((*values.shape, 8, 8), np.int16)
    blocks[..., 0, 0] = values
    part = Component(1, 1, 1, 0, blocks)
    return CoefficientImage(8 * values.shape[1], 8 * values.shape[0], (part,), (QuantTable(np.ones((8, 8), int)),))


def test_the_largest_differences_of_dc_stay_codable():
    """2047 needs 11 bits; one more has no code in 8-bit JPEG."""
    image = flat_blocks(np.tile([-1024, 1023], (2, 15)))
    assert read_jpeg(encode(image).data).components[0].blocks.max() == 1023
    chosen = encode(image, tune="ycbcr").coefficients
    assert np.abs(chosen.components[0].blocks.astype(int) - image.components[0].blocks).max() <= 1


@pytest.mark.parametrize(("dc", "ac"), [(20, 0), (200, 0), (0, 9), (0, 30), (0, 250)])
def test_what_has_no_code_is_refused_with_a_trellis_as_without(dc, ac):
    blocks = np.zeros((2, 3, 8, 8), np.int16)
    blocks[..., 0, 0], blocks[..., 2, 1] = np.tile([0, dc, 0], (2, 1)), ac
    coarse = QuantTable(np.full((8, 8), 255))
    image = CoefficientImage(24, 16, (Component(1, 1, 1, 0, blocks),), (coarse,))
    fine = (QuantTable(np.full((8, 8), 2)),)
    for effort in (1, 3):
        with pytest.raises(InvalidInputError, match=r"has more than 1[01] bits"):
            encode(image, tables=fine, effort=effort)


def test_coefficients_of_an_extended_file_are_checked_as_well():
    """Steps of 16 bits, which no step of a baseline file is a multiple of."""
    blocks = np.zeros((2, 3, 8, 8), np.int16)
    blocks[..., 2, 1] = 20
    image = CoefficientImage(24, 16, (Component(1, 1, 1, 0, blocks),), (QuantTable(np.full((8, 8), 300)),))
    with pytest.raises(InvalidInputError, match="has more than 10 bits"):
        encode(image, tables=(QuantTable(np.full((8, 8), 2)),), tune="ycbcr")
    coded = encode(image, target=MaxBytes(2000), tune="ycbcr").coefficients
    steps = coded.tables[0].steps
    assert 6 <= steps.min() <= steps.max() <= 255
    assert np.abs(coded.components[0].blocks[..., 2, 1] * steps[2, 1] - 6000).max() <= steps[2, 1] / 2


def test_black_and_white_at_step_1():
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[np.add.outer(np.arange(48) // 8, np.arange(64) // 8) % 2 == 1] = 255
    noise = np.random.default_rng(0).choice(np.array([0, 255], np.uint8), (48, 64, 3))
    for image in (pixels, noise):
        for tune in ("ycbcr", "psnr"):
            encoded = encode(image, tune=tune, tables=(QuantTable(np.ones((8, 8), int)),), subsampling="4:4:4")
            assert np.abs(pillow_pixels(encoded.data).astype(int) - image).max() <= 4


def test_a_profile_weighs_the_error():
    profile = load_profile("mobilenet_v2")
    image = forward(PHOTO, "4:4:4")
    tuned = {tune: encode(PHOTO, tune=tune, quality=60, subsampling="4:4:4") for tune in (profile, "ycbcr")}
    for tune, file in tuned.items():
        criterion = tuning_for(tune).criterion(image)
        default = quantize(image, annex_k_tables(60))
        errors = [naive_error(image, coded, criterion.weights) for coded in (file.coefficients, default)]
        assert errors[0] == pytest.approx(errors[1], rel=0.15)
        assert file.nbytes < 0.85 * encode(PHOTO, quality=60, subsampling="4:4:4").nbytes
