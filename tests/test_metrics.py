"""Metrics: SWE against its definition and the OptS reference, PSNR, SSIM, bits per pixel, and bad arguments."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from optcodec.errors import InvalidInputError
from optcodec.jpeg.image import CoefficientImage, Component, DctComponent, DctImage, blocks_shape, sampling_factors
from optcodec.jpeg.tables import QuantTable
from optcodec.metrics import bpp, psnr_db, ssim, swe, swe_by_component
from optcodec.vision.profile import SensitivityProfile
from tests.opts_reference import COMPONENTS, ReferenceImage, natural

UNIT = SensitivityProfile("unit", np.ones((3, 8, 8)))


def random_dct(seed: int, width: int = 37, height: int = 21, subsampling: str = "4:2:0") -> DctImage:
    rng = np.random.default_rng(seed)
    h, v = (1, 1) if subsampling == "grey" else sampling_factors(subsampling)
    factors = [(h, v)] if subsampling == "grey" else [(h, v), (1, 1), (1, 1)]
    shapes = [(*blocks_shape(width, height, *factor, h, v), 8, 8) for factor in factors]
    return DctImage(
        width,
        height,
        tuple(
            DctComponent(i + 1, *factor, rng.laplace(0, 20, shape).astype(np.float32))
            for i, (factor, shape) in enumerate(zip(factors, shapes, strict=True))
        ),
    )


def quantized(image: DctImage, tables: tuple[QuantTable, ...]) -> CoefficientImage:
    components = []
    for i, part in enumerate(image.components):
        table = min(i, len(tables) - 1)
        scaled = part.coefficients / tables[table].steps.astype(np.float64)
        indices = np.sign(scaled) * np.floor(np.abs(scaled) + 0.5)
        components.append(Component(part.id, part.h, part.v, table, indices.astype(np.int16)))
    return CoefficientImage(image.width, image.height, tuple(components), tables)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0", "4:2:2", "grey"])
def test_swe_is_the_sum_that_its_definition_names(subsampling: str) -> None:
    reference, test = random_dct(1, subsampling=subsampling), random_dct(2, subsampling=subsampling)
    profile = SensitivityProfile("p", np.random.default_rng(3).random((3, 8, 8)))
    expected = []
    for weights, a, b in zip(profile.weights, reference.components, test.components, strict=False):
        total, blocks = 0.0, 0
        for row_a, row_b in zip(a.coefficients, b.coefficients, strict=True):
            for block_a, block_b in zip(row_a, row_b, strict=True):
                total += float((weights * (block_a.astype(float) - block_b) ** 2).sum())
                blocks += 1
        expected.append(total / blocks)
    assert swe_by_component(reference, test, profile) == pytest.approx(expected, rel=1e-6)
    assert swe(reference, test, profile) == pytest.approx(sum(expected), rel=1e-6)


def test_swe_of_many_blocks_does_not_depend_on_how_they_are_grouped() -> None:
    # 2100 blocks, which are added up in three parts
    reference, test = random_dct(4, 400, 330, "grey"), random_dct(5, 400, 330, "grey")
    difference = reference.components[0].coefficients.astype(float) - test.components[0].coefficients
    expected = float((difference**2).sum() / (42 * 50))
    assert swe(reference, test, UNIT) == pytest.approx(expected, rel=1e-6)


def test_swe_takes_quantized_images_on_either_side() -> None:
    image = random_dct(6)
    tables = (QuantTable(np.full((8, 8), 7)), QuantTable(np.full((8, 8), 16)))
    coded = quantized(image, tables)
    assert swe(coded, coded, UNIT) == 0
    assert swe(image, coded, UNIT) == pytest.approx(swe(coded, image, UNIT))
    steps = (7, 16, 16)
    expected = [
        64 * float(np.mean((part.coefficients.astype(float) - step * other.blocks) ** 2))
        for part, other, step in zip(image.components, coded.components, steps, strict=True)
    ]
    assert swe_by_component(image, coded, UNIT) == pytest.approx(expected, rel=1e-5)


def test_a_grey_image_uses_the_luminance_weights_only() -> None:
    weights = np.zeros((3, 8, 8))
    weights[0] = 2
    weights[1:] = 1e9
    reference, test = random_dct(1, subsampling="grey"), random_dct(2, subsampling="grey")
    profile = SensitivityProfile("p", weights)
    assert swe(reference, test, profile) == pytest.approx(2 * swe(reference, test, UNIT))


def test_swe_takes_anything_with_weights() -> None:
    other = SimpleNamespace(weights=UNIT.weights)
    assert swe(random_dct(1), random_dct(2), other) == swe(random_dct(1), random_dct(2), UNIT)


@pytest.mark.parametrize(
    ("test", "shape"),
    [
        (random_dct(1, width=38), "38x21 4:2:0"),
        (random_dct(1, subsampling="4:4:4"), "37x21 4:4:4"),
        (random_dct(1, subsampling="grey"), "37x21 grey"),
    ],
)
def test_swe_refuses_images_that_do_not_match(test: DctImage, shape: str) -> None:
    with pytest.raises(InvalidInputError, match=f"37x21 4:2:0 against {shape}"):
        swe(random_dct(1), test, UNIT)


def test_swe_refuses_two_components() -> None:
    pair = DctImage(8, 8, random_dct(1, 8, 8, "4:4:4").components[:2])
    with pytest.raises(InvalidInputError, match="got 2 components"):
        swe(pair, pair, UNIT)


def test_psnr_and_bpp_by_hand() -> None:
    reference = np.zeros((4, 5, 3), np.uint8)
    test = reference.copy()
    assert psnr_db(reference, test) == math.inf
    test[0, 0, 0] = 255
    assert psnr_db(reference, test) == pytest.approx(10 * math.log10(60))
    # Unsigned bytes must not wrap around at 0 - 255.
    assert psnr_db(test, reference) == pytest.approx(10 * math.log10(60))
    assert bpp(1000, 40, 50) == 4.0


def test_ssim_has_the_constants_of_its_paper() -> None:
    # For two flat images only the luminance term remains: (2 a b + C1) / (a^2 + b^2 + C1) with C1 = (0.01 * 255)^2.
    a, b = np.full((16, 20), 100, np.uint8), np.full((16, 20), 150, np.uint8)
    c1 = (0.01 * 255) ** 2
    assert ssim(a, b) == pytest.approx((2 * 100 * 150 + c1) / (100**2 + 150**2 + c1))
    colour = np.stack([a, b, a], -1)
    assert ssim(colour, colour) == pytest.approx(1)
    assert ssim(colour, np.stack([a, a, a], -1)) == pytest.approx((2 + ssim(a, b)) / 3)


@pytest.mark.parametrize(
    ("reference", "test", "message"),
    [
        (np.zeros((16, 16), np.uint8), np.zeros((16, 17), np.uint8), r"\(16, 16\) and \(16, 17\)"),
        (np.zeros((16, 16)), np.zeros((16, 16)), "got float64"),
        (np.zeros((0, 16), np.uint8), np.zeros((0, 16), np.uint8), r"got uint8 \(0, 16\)"),
    ],
)
def test_pixel_metrics_refuse_what_is_no_pair_of_images(reference: object, test: object, message: str) -> None:
    for metric in (psnr_db, ssim):
        with pytest.raises(InvalidInputError, match=message):
            metric(reference, test)  # type: ignore[arg-type]


def test_small_and_empty_sizes_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="at least 11"):
        ssim(np.zeros((10, 50), np.uint8), np.zeros((10, 50), np.uint8))
    with pytest.raises(InvalidInputError, match="0x7"):
        bpp(100, 0, 7)


@pytest.fixture(scope="module")
def reference_folder() -> Path:
    if "OPTCODEC_DATA" not in os.environ:
        pytest.skip("OPTCODEC_DATA is not set: the reference vectors of OptS lie beside that folder")
    return Path(os.environ["OPTCODEC_DATA"]).parent / "reference" / "opts"


def reference_coefficients(path: Path) -> DctImage:
    with Image.open(path) as file:
        reference = ReferenceImage(np.asarray(file.convert("RGB")), "4:4:4")
    height, width = reference.rgb.shape[:2]
    parts = (blocks.astype(np.float32) for blocks in reference.blocks)
    return DctImage(width, height, tuple(DctComponent(i + 1, 1, 1, part) for i, part in enumerate(parts)))


@pytest.mark.parametrize("stem", ["v01_tench", "v06_television", "v07_odd203x157"])
def test_swe_agrees_with_the_opts_reference(reference_folder: Path, stem: str) -> None:
    image = reference_coefficients(reference_folder / "images" / f"{stem}.png")
    profiles = {}
    for model in ("mobilenet_v2", "Alexnet"):
        maps = [natural(np.load(reference_folder / "senmap" / f"{name}{model}.npy")) for name in COMPONENTS]
        profiles[model] = SensitivityProfile(model, np.reshape(maps, (3, 8, 8))).normalized()
    runs = json.loads((reference_folder / f"{stem}.json").read_text())["runs"]
    runs = [run for run in runs if run["subsampling"] == "4:4:4"][::5]
    assert len(runs) > 1
    for run in runs:
        tables = (QuantTable.from_zigzag(run["luma"]), QuantTable.from_zigzag(run["chroma"]))
        coded = quantized(image, tables)
        for model, profile in profiles.items():
            expected = run["swe"][model]
            by_component = [expected[name] for name in COMPONENTS]
            assert swe_by_component(image, coded, profile) == pytest.approx(by_component, rel=1e-5)
            assert swe(image, coded, profile) == pytest.approx(expected["total"], rel=1e-5)
