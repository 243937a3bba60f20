"""Weights of errors (quality fields, criteria, tunings), and errors of chrominance after the decoder's upsampling."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from optcodec import (
    Bpp,
    CoefficientImage,
    Component,
    InvalidInputError,
    QualityField,
    QuantTable,
    annex_k_tables,
    encode,
    forward,
    load_profile,
    psnr_db,
    write_jpeg,
)
from optcodec.design import SamplingMismatchWarning
from optcodec.jpeg.dct import forward_planes
from optcodec.jpeg.image import SUBSAMPLINGS, Metadata
from optcodec.jpeg.quantize import quantize
from optcodec.pictures.pixels import decoded_pixels
from optcodec.trellis.chroma import Planes
from optcodec.trellis.criterion import Criterion
from optcodec.trellis.indices import optimized
from optcodec.trellis.tuning import TUNINGS, falling_weights, tuning_for
from tests.naive_rdo import naive_upsampling
from tests.peers import picture, pillow_pixels

PHOTO = np.ascontiguousarray(astronaut()[40:200, 150:330])
# The orthonormal DCT (T.81, A.3.3): coefficients of a block are BASIS @ samples @ BASIS.T.
K = np.arange(8)
BASIS = np.cos((2 * K + 1) * K[:, None] * np.pi / 16) / 2
BASIS[0] /= np.sqrt(2)


def samples_of(coefficients: np.ndarray) -> np.ndarray:
    """The plane of samples of coefficient blocks (rows, columns, 8, 8)."""
    blocks = BASIS.T @ coefficients.astype(np.float64) @ BASIS
    return blocks.swapaxes(1, 2).reshape(8 * blocks.shape[0], 8 * blocks.shape[1])


# ---- Fields ----------------------------------------------------------------------------------------------------------


def test_white_of_a_mask_counts_for_more():
    mask = np.zeros((24, 40), np.uint8)
    mask[8:16, 16:] = 255
    mask[16:, 8:12] = 255
    field = QualityField.from_mask(mask)
    assert (field.width, field.height) == (40, 24)
    np.testing.assert_allclose(field.weights, [[1] * 5, [1, 1, 16, 16, 16], [1, 4, 1, 1, 1]])
    assert QualityField.from_mask(mask, strength=0.25).weights.min() == 0.25
    assert not field.weights.flags.writeable


def test_parts_of_blocks_at_the_edges_of_a_mask():
    """Edges of the mask are repeated, so that samples outside of the image have no influence."""
    mask = np.zeros((9, 17), np.uint8)
    mask[8], mask[:, 16] = 255, 255
    np.testing.assert_allclose(QualityField.from_mask(mask).weights, [[1, 1, 16], [16, 16, 16]])
    assert QualityField.from_mask(np.full((1, 1), 255, np.uint8)).weights.tolist() == [[16.0]]


def test_a_field_copies_its_array():
    weights = np.ones((2, 3))
    field = QualityField(24, 16, weights)
    weights[:] = 5
    assert (field.weights == 1).all()


@pytest.mark.parametrize("mask", [np.zeros((8, 8)), np.zeros((8, 8, 3), np.uint8), np.zeros((0, 8), np.uint8)])
def test_masks_of_another_kind(mask):
    with pytest.raises(InvalidInputError, match=r"a mask is uint8 of shape \(height, width\), got"):
        QualityField.from_mask(mask)


@pytest.mark.parametrize("strength", [0, -1.0, math.nan, math.inf])
def test_strengths_of_a_mask(strength):
    with pytest.raises(InvalidInputError, match="strength of a mask is a finite number above 0, got"):
        QualityField.from_mask(np.zeros((8, 8), np.uint8), strength=strength)


@pytest.mark.parametrize("shape", [(2, 2), (3, 2), (3,), (2, 3, 1)])
def test_fields_of_another_shape(shape):
    with pytest.raises(InvalidInputError, match=r"24x16 pixels has the shape \(2, 3\), got"):
        QualityField(24, 16, np.ones(shape))


@pytest.mark.parametrize(("value", "printed"), [(math.nan, "nan"), (-0.5, "-0.5"), (math.inf, "inf")])
def test_weights_of_a_field(value, printed):
    weights = np.ones((2, 3))
    weights[1, 1] = value
    with pytest.raises(InvalidInputError, match=rf"finite, from 0 on, not all 0; got .*{printed}"):
        QualityField(24, 16, weights)
    with pytest.raises(InvalidInputError, match=r"not all 0; got 0\.\.0"):
        QualityField(24, 16, np.zeros((2, 3)))


@pytest.mark.parametrize(("width", "height"), [(181, 160), (180, 161), (160, 180), (8, 8)])
def test_a_field_for_an_image_of_another_size(width, height):
    field = QualityField.from_mask(np.zeros((height, width), np.uint8))
    for image in (PHOTO, encode(PHOTO).coefficients):
        with pytest.raises(InvalidInputError, match=rf"has {width}x{height} pixels, the image 180x160"):
            encode(image, tune="ycbcr", field=field)


def test_something_else_for_a_field():
    with pytest.raises(InvalidInputError, match="a field is a QualityField, got ndarray"):
        encode(PHOTO, field=np.ones((2, 3)))


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_fields_of_components(subsampling):
    """A block of chrominance has the mean weight of the luminance blocks that it covers; the last ones are repeated."""
    image = forward(PHOTO[:37, :59], subsampling)
    weights = np.random.default_rng(0).uniform(0.1, 9, (5, 8))
    luminance, *chrominance = QualityField(59, 37, weights).by_component(image)
    np.testing.assert_array_equal(luminance, weights)
    h, v = SUBSAMPLINGS[subsampling]
    for weights_of_component in chrominance:
        assert weights_of_component.shape == image.components[1].coefficients.shape[:2]
        for row, column in np.ndindex(weights_of_component.shape):
            places = [(min(row * v + y, 4), min(column * h + x, 7)) for y in range(v) for x in range(h)]
            assert weights_of_component[row, column] == pytest.approx(np.mean([weights[block] for block in places]))


# ---- Criteria --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_an_error_is_the_sum_that_it_says(subsampling):
    rng = np.random.default_rng(1)
    image = forward(PHOTO[:41, :67], subsampling)
    coded = quantize(image, annex_k_tables(40))
    fields = [rng.uniform(0, 3, part.coefficients.shape[:2]).astype(np.float32) for part in image.components]
    weights = rng.uniform(0.1, 2, (3, 64))
    errors = Criterion(weights, fields).errors(image, coded)
    blocks = image.components[0].coefficients.size
    for index, (before, after) in enumerate(zip(image.components, coded.components, strict=True)):
        steps = coded.tables[after.table].steps.astype(float)
        square = (before.coefficients.astype(float) - after.blocks * steps) ** 2
        expected = (fields[index][..., None, None] * weights[index].reshape(8, 8) * square).sum()
        assert errors[index] == pytest.approx(expected * blocks / before.coefficients.size, rel=1e-5)


def test_errors_by_a_dead_zone():
    rng = np.random.default_rng(2)
    image = forward(PHOTO[:41, :67], "4:2:0")
    weights, steps = rng.uniform(0.1, 2, (3, 64)), rng.uniform(3, 40, (2, 64)).astype(np.float32)
    expected = 0.0
    for index, part in enumerate(image.components):
        step = steps[min(index, 1)]
        ratio = part.coefficients.reshape(-1, 64) / step
        square = (part.coefficients.reshape(-1, 64) - np.where(np.abs(ratio) < 0.7, 0, np.rint(ratio)) * step) ** 2
        expected += (weights[index] * square).sum() * (image.components[0].coefficients.size / part.coefficients.size)
    assert Criterion(weights).dead_zone_error(image, steps.astype(np.float64), 0.7) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("weights", "what"),
    [
        (np.ones((3, 8, 8)), r"shape \(components, 64\), got \(3, 8, 8\)"),
        (np.full((1, 64), math.nan), "finite, got NaN or infinity"),
        (np.full((1, 64), math.inf), "finite, got NaN or infinity"),
        (np.full((1, 64), -2.0), "at least 0, got -2"),
        (np.zeros((1, 64)), "not all 0"),
    ],
)
def test_weights_of_another_kind(weights, what):
    with pytest.raises(InvalidInputError, match=rf"weights .*{what}"):
        Criterion(weights)


def test_weights_of_blocks_of_another_kind():
    image = forward(PHOTO[:16, :24], "4:4:4")
    for value, what in ((math.nan, "finite"), (-1.0, "at least 0"), (0.0, "not all 0")):
        with pytest.raises(InvalidInputError, match=f"weights of blocks are {what}"):
            Criterion(np.ones((3, 64)), [np.full((2, 3), value, np.float32)] * 3)
    with pytest.raises(InvalidInputError, match=r"weights of blocks have the shapes \[\(2, 3\).*got \[\(3, 2\)"):
        Criterion(np.ones((3, 64)), [np.ones((3, 2), np.float32)] * 3).scales(image)


# ---- Tunings ---------------------------------------------------------------------------------------------------------


def test_psnr_weighs_what_chrominance_adds_to_rgb():
    """An error of 1 in Cb or Cr counts as much, against one in Y, as its squared differences of R, G, B (T.871, 7)."""
    matrix = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]])
    criterion = tuning_for("psnr").criterion(forward(PHOTO[:16, :16], "4:4:4"))
    expected = (matrix**2).sum(axis=0) / 3
    np.testing.assert_allclose(criterion.weights, np.repeat(expected[:, None], 64, 1), rtol=1e-6)
    assert criterion.fields is None


@pytest.mark.parametrize("tune", TUNINGS)
@pytest.mark.parametrize("subsampling", ["4:2:2", "4:2:0", "4:4:0"])
def test_upsampling_smooths_errors_away(tune, subsampling):
    """Weights are the energy per pixel of a wave in one block, upsampled by hand among blocks without error."""
    h, v = SUBSAMPLINGS[subsampling]
    tuning = replace(tuning_for(tune), full_chrominance=None)
    full, reduced = (tuning.criterion(forward(PHOTO[:32, :32], s)).weights for s in ("4:4:4", subsampling))
    np.testing.assert_array_equal(reduced[0], full[0])
    for y, x in np.ndindex(8, 8):
        coefficients = np.zeros((3, 3, 8, 8))
        coefficients[1, 1, y, x] = 1
        error = upsampled(samples_of(coefficients), h, v)
        np.testing.assert_allclose(reduced[1:, 8 * y + x] / full[1:, 8 * y + x], (error**2).sum() / (h * v))


def upsampled(plane: np.ndarray, h: int, v: int) -> np.ndarray:
    if v == 2:
        plane = naive_upsampling(plane.shape[0]) @ plane
    return plane @ naive_upsampling(plane.shape[1]).T if h == 2 else plane


@pytest.mark.parametrize("subsampling", ["4:2:2", "4:2:0"])
@pytest.mark.parametrize("frequency", [(0, 0), (0, 3), (2, 1), (7, 0), (6, 7)])
def test_weights_are_the_energy_that_libjpeg_decodes(subsampling, frequency):
    """Weights equal the energy after libjpeg's upsampling of random errors at one frequency in every block of Cb."""
    h, v = SUBSAMPLINGS[subsampling]
    side = 32
    signs = np.random.default_rng(3).choice([-1, 1], (side, side))
    blue = np.zeros((side, side, 8, 8), np.int16)
    blue[..., frequency[0], frequency[1]] = 300 * signs
    flat = [np.zeros((side * v, side * h, 8, 8), np.int16), np.zeros_like(blue)]
    parts = Component(1, h, v, 0, flat[0]), Component(2, 1, 1, 0, blue), Component(3, 1, 1, 0, flat[1])
    image = CoefficientImage(8 * h * side, 8 * v * side, parts, (QuantTable(np.ones((8, 8), int)),))
    decoded = decoded_pixels(write_jpeg(image), "YCbCr")[..., 1].astype(float) - 128
    tuning = tuning_for("psnr")
    gain = tuning.criterion(forward(PHOTO, subsampling)).weights[1].reshape(8, 8)[frequency] / tuning.weights[1, 0]
    assert (decoded**2).mean() / (300**2 / 64) == pytest.approx(gain, rel=0.03)


@pytest.mark.parametrize("tune", ["ssim", "people"])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
def test_masking_weighs_flat_blocks_most(tune, subsampling):
    image = forward(PHOTO, subsampling)
    luminance, *chrominance = tuning_for(tune).criterion(image).fields
    masking = tuning_for(tune).masking
    flat = image.components[0].coefficients.reshape(-1, 64).astype(np.float64)
    expected = ((flat[:, 1:] ** 2).sum(1) / 64 + masking.floor) ** -masking.exponent
    expected /= np.exp(np.log(expected).mean())
    np.testing.assert_allclose(luminance.ravel(), expected, rtol=1e-4)
    assert expected.max() / expected.min() > 5
    for weights in chrominance:
        assert weights.shape == image.components[1].coefficients.shape[:2]
        np.testing.assert_allclose(weights, 1, rtol=1e-5)  # chrominance is not masked


def test_masks_and_masking_multiply():
    image = forward(PHOTO, "4:4:4")
    weights = np.random.default_rng(4).uniform(0.5, 2, (20, 23))
    for tune in TUNINGS:
        masking = tuning_for(tune).criterion(image).fields or [np.ones((20, 23))] * 3
        both = tuning_for(tune).criterion(image, QualityField(180, 160, weights)).fields
        assert np.exp(np.log(both[0].astype(float)).mean()) == pytest.approx(1, rel=1e-5)
        for alone, product in zip(masking, both, strict=True):
            ratio = product / (alone * weights)
            np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-5)


def test_tunings_that_are_not_there():
    for tune in ("PSNR", "vmaf", ""):
        with pytest.raises(InvalidInputError, match=rf"tuned for psnr, ycbcr, ssim, people, .*profile; got '{tune}'"):
            encode(PHOTO, tune=tune)


def test_a_tuning_for_a_network():
    """The weights of a profile are used unchanged: they were measured at the resolution of subsampled chrominance."""
    profile = load_profile("mobilenet_v2_420")
    criterion = tuning_for(profile).criterion(forward(PHOTO, "4:2:0"))
    np.testing.assert_allclose(criterion.weights, profile.normalized().weights.reshape(3, 64), rtol=1e-5)
    assert criterion.fields is None


def test_the_profile_of_tables_is_the_tuning():
    profile = load_profile("mobilenet_v2")
    options = {"profile": profile, "target": Bpp(1.0)}
    assert encode(PHOTO, effort=3, **options).data == encode(PHOTO, tune=profile, **options).data
    plain = encode(PHOTO, tune="ycbcr", target=options["target"], subsampling="4:4:4")
    assert encode(PHOTO, effort=3, **options).data != plain.data


def test_a_profile_at_another_sampling():
    profile = load_profile("mobilenet_v2")
    with pytest.warns(SamplingMismatchWarning, match=r"estimated at 4:4:4, but is used at 4:2:0"):
        encode(PHOTO, tune=profile, subsampling="4:2:0")
    encode(PHOTO[..., 0], tune=profile, subsampling="4:2:0")


def test_images_that_are_neither_grey_nor_ycbcr():
    part = encode(PHOTO[..., 0]).coefficients.components[0]
    image = CoefficientImage(180, 160, (part, part), annex_k_tables(50))
    with pytest.raises(InvalidInputError, match="grey or YCbCr images can be tuned, got 2 components"):
        encode(image, tune="ycbcr")
    image = CoefficientImage(180, 160, (part, part, part), annex_k_tables(50), Metadata(adobe_transform=0))
    with pytest.raises(InvalidInputError, match="grey or YCbCr images can be tuned, got RGB components"):
        encode(image, tune="ycbcr")


# ---- Chrominance -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
@pytest.mark.parametrize(("width", "height"), [(2, 2), (4, 6), (16, 10), (30, 34), (3, 5), (17, 9), (31, 33)])
def test_chrominance_is_the_least_squares_solution(subsampling, width, height):
    """Chrominance has samples whose upsampling is nearest to the image; at odd sizes decoders crop the last line."""
    h, v = SUBSAMPLINGS[subsampling]
    pixels = np.random.default_rng(width).integers(100, 150, (height, width, 3), dtype=np.uint8)
    image = Planes(pixels, subsampling).image()
    assert (image.subsampling, image.width, image.height) == (subsampling, width, height)
    luminance = pixels.astype(float) @ (0.299, 0.587, 0.114)
    planes = (pixels[..., 2] - luminance) / 1.772, (pixels[..., 0] - luminance) / 1.402
    for plane, part in zip(planes, image.components[1:], strict=True):
        if v == 2:
            plane = np.linalg.lstsq(naive_upsampling(-(-height // 2))[:height], plane)[0]
        if h == 2:
            plane = np.linalg.lstsq(naive_upsampling(-(-width // 2))[:width], plane.T)[0].T
        samples = samples_of(part.coefficients)[: plane.shape[0], : plane.shape[1]]
        np.testing.assert_allclose(samples, plane, atol=2e-3)


@pytest.mark.parametrize("subsampling", ["4:2:2", "4:2:0", "4:4:0"])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 9), (9, 1), (2, 1), (1, 2)])
def test_a_single_sample_of_chrominance(subsampling, width, height):
    pixels = np.full((height, width, 3), (180, 90, 60), np.uint8)
    image = Planes(pixels, subsampling).image()
    expected = pixels[0, 0].astype(float) @ (0.299, 0.587, 0.114)
    np.testing.assert_allclose(samples_of(image.components[1].coefficients), (60 - expected) / 1.772, atol=1e-3)
    assert np.abs(pillow_pixels(encode(pixels, effort=3, quality=95).data).astype(int) - pixels).max() < 5


def test_chrominance_stays_within_its_range():
    pixels = np.asarray(Image.fromarray(np.random.default_rng(1).integers(0, 2, (40, 40, 3), dtype=np.uint8) * 255))
    for part in Planes(pixels, "4:2:0").image().components[1:]:
        samples = samples_of(part.coefficients)
        assert samples.min() >= -128.01
        assert samples.max() <= 127.01


@pytest.mark.parametrize(("width", "height"), [(1, 1), (8, 8), (9, 7), (41, 17), (130, 99)])
def test_planes_are_transformed_like_pixels(width, height):
    plane = np.random.default_rng(height).uniform(-128, 127, (height, width)).astype(np.float32)
    (part,) = forward_planes([plane], [(1, 1)]).components
    padded = np.pad(plane, ((0, -height % 8), (0, -width % 8)), "edge")
    np.testing.assert_allclose(samples_of(part.coefficients), padded, atol=1e-3)
    grey = np.rint(plane + 128).astype(np.uint8)
    (exact,) = forward_planes([grey.astype(np.float32) - 128], [(1, 1)]).components
    np.testing.assert_allclose(exact.coefficients, forward(grey).components[0].coefficients, atol=2e-3)


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
@pytest.mark.parametrize("step", [8, 30])
def test_luminance_makes_up_for_errors_of_chrominance(subsampling, step):
    """With the same tables and level, the error of RGB is smaller, and chrominance hardly changes."""
    planes = Planes(PHOTO, subsampling)
    image = planes.image()
    criterion = tuning_for("psnr").criterion(image)
    tables, levels = (QuantTable(np.full((8, 8), step)),) * 2, (0.115 * step**2,) * 2
    first = optimized(image, tables, criterion, levels)
    second = optimized(planes.refined(image, first), tables, criterion, levels)
    for before, after in zip(first.components[1:], second.components[1:], strict=True):
        same = np.mean(before.blocks == after.blocks)
        assert same > 0.99  # a few indices differ, since the Huffman codes depend on luminance, too
    gains = psnr_db(PHOTO, pillow_pixels(write_jpeg(second))) - psnr_db(PHOTO, pillow_pixels(write_jpeg(first)))
    assert gains > 0.1
    assert len(write_jpeg(second)) < 1.02 * len(write_jpeg(first))


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:2:2"])
def test_chrominance_for_the_decoder_has_less_error_than_averages(subsampling):
    """All steps are 1, so that only downsampling makes errors."""
    fine = (QuantTable(np.ones((8, 8), int)),)
    files = [quantize(image, fine) for image in (forward(PHOTO, subsampling), Planes(PHOTO, subsampling).image())]
    averaged, fitted = (psnr_db(PHOTO, pillow_pixels(write_jpeg(image))) for image in files)
    assert fitted > averaged + 0.3


def test_without_colours_there_is_nothing_to_refine():
    grey = np.asarray(picture(120, 90, "L"))
    assert encode(grey, effort=3).data == encode(grey, tune="ycbcr").data


# ---- Constants that were fitted --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ssim", "people"])
def test_fitted_constants_are_those_of_the_result(name):
    """The constants are those of the best trial of the search, with three digits."""
    result = json.loads((Path(__file__).parents[2] / f"benchmarks/results/fit_tunings_{name}.json").read_text())
    best = result["best"]["constants"]
    masking, tuning = TUNINGS[name].masking, TUNINGS[name]
    assert (masking.exponent, masking.floor, tuning.step_ratio) == pytest.approx(
        (best["exponent"], best["floor"], best["ratio"]), rel=2e-3
    )
    if name == "people":
        shares, half = (1.0, best["blue"], best["red"]), (best["half"], best["half_chroma"])
        expected = falling_weights(shares, half, (best["dc"], best["dc_chroma"]), power=best["power"])
        np.testing.assert_allclose(tuning.weights, expected, rtol=5e-3)
    assert result["best"]["bd_rate"] <= min(trial["bd_rate"] for trial in result["trials"]) + 0.05


def test_fitted_full_chrominance_is_that_of_the_result():
    result = json.loads((Path(__file__).parents[2] / "benchmarks/results/fit_tunings_people-full.json").read_text())
    best = result["best"]["constants"]
    halves, factors = (1.0, best["half_chroma"]), (1.0, best["dc_chroma"])
    expected = falling_weights((1.0, best["blue"], best["red"]), halves, factors)[1:]
    np.testing.assert_allclose(TUNINGS["people"].full_chrominance, expected, rtol=5e-3)
    assert result["best"]["bd_rate"] <= min(trial["bd_rate"] for trial in result["trials"]) + 0.05
