"""Table design: every target is met by the tables and files of every method, and wrong arguments are refused."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from optcodec.design import (
    DISTORTIONS,
    METHODS,
    Files,
    SamplingMismatchWarning,
    Statistics,
    design_tables,
    gather,
    resolve,
)
from optcodec.design.deepn import deepn_steps
from optcodec.design.opts import WaterFilling
from optcodec.encoder import encode
from optcodec.errors import InvalidInputError, TargetNotMetError
from optcodec.jpeg.dct import forward
from optcodec.jpeg.image import CoefficientImage, Component, DctImage, Metadata
from optcodec.jpeg.quantize import quantize
from optcodec.jpeg.tables import QuantTable, annex_k_tables
from optcodec.jpeg.writer import write_jpeg
from optcodec.metrics import swe_by_component
from optcodec.targets import Bpp, MatchQuality, MatchSwe, MaxBytes, Quality, Target, WaterLevel
from optcodec.vision.profile import Provenance, SensitivityProfile
from tests.strategies import COLOUR_FACTORS, GREY_FACTORS, coefficient_images

FALLING = np.exp(-np.add.outer(np.arange(8), np.arange(8)) / 5)
PROFILE = SensitivityProfile("falling", np.array([FALLING, FALLING / 4, FALLING / 3]))
ONES = SensitivityProfile("ones", np.full((3, 8, 8), 10.0), Provenance(subsampling="4:2:0"))  # 10: normalized to 0.1


def picture(seed: int = 0, height: int = 120, width: int = 168) -> np.ndarray:
    """A picture with smooth colours, edges and noise, so that no frequency is empty."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / 40
    smooth = np.stack([np.sin(x + phase) * np.cos(y * (1 + phase / 3)) for phase in (0, 1, 2)], axis=-1)
    edges = (np.sin(7 * x) + np.sin(5 * y + x) > 0.4)[..., None] * np.array([50, 35, -20])
    return np.clip(120 + 70 * smooth + edges + random.normal(0, 6, (height, width, 3)), 0, 255).astype(np.uint8)


IMAGE = forward(picture(), "4:4:4")
STATISTICS = gather(IMAGE)


def size_of(tables: tuple[QuantTable, ...]) -> int:
    return len(write_jpeg(quantize(IMAGE, tables)))


def design(target: Target, method: str = "opts", **options: object) -> tuple[QuantTable, ...]:
    return resolve(target, STATISTICS, PROFILE, method=method, files=FILES, **options).tables  # type: ignore[arg-type]


FILES = Files(size_of)


def errors(image: DctImage, tables: tuple[QuantTable, ...], profile: SensitivityProfile) -> tuple[float, float]:
    """SWE of luminance and of chrominance, measured on the quantized image."""
    y, cb, cr = swe_by_component(image, quantize(image, tables), profile.normalized())
    return y, cb + cr


# ---- Water levels ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["opts", "optd"])
@pytest.mark.parametrize("distortion", DISTORTIONS)
def test_steps_never_fall_where_the_level_rises(method: str, distortion: str) -> None:
    levels = np.geomspace(1e-5, 1e5, 80)
    steps = np.array([[t.steps for t in design(WaterLevel(d), method, distortion=distortion)] for d in levels])
    steps = steps.astype(int)
    assert (np.diff(steps, axis=0) >= 0).all()
    assert (steps[0] == 1).all()
    assert (steps[-1] == 100).all()


@pytest.mark.parametrize("d", [0.01, 0.1, 0.7])
def test_empirical_is_the_largest_step_with_that_error(d: float) -> None:
    luminance, chrominance = design(WaterLevel(d), distortion="empirical")
    weights = PROFILE.normalized().weights.reshape(3, 64)
    blocks = [part.coefficients.reshape(-1, 64).astype(float) for part in IMAGE.components]
    for table, components in ((luminance, (0,)), (chrominance, (1, 2))):
        for frequency in (0, 1, 8, 27, 63):
            meeting = [1]
            for q in range(1, 101):
                c = [blocks[component][:, frequency] for component in components]
                measured = [np.mean((x - q * np.rint(x / q)) ** 2) for x in c]
                if all(
                    weights[component, frequency] * e <= d for component, e in zip(components, measured, strict=True)
                ):
                    meeting.append(q)
            assert table.steps.flat[frequency] == max(meeting)


def test_levels_of_luminance_and_chrominance_are_separate() -> None:
    fine, coarse, mixed = (design(WaterLevel(*levels)) for levels in ((0.05,), (0.5,), (0.05, 0.5)))
    assert mixed == (fine[0], coarse[1])


def test_weights_of_zero_cost_nothing() -> None:
    weights = np.array(PROFILE.weights)
    weights[0, 7, 7] = 0
    blind = SensitivityProfile("blind", weights)
    for distortion in DISTORTIONS:
        (table, _) = resolve(WaterLevel(1e-6), STATISTICS, blind, distortion=distortion, files=FILES).tables
        assert table.steps[7, 7] == 100
        assert (table.steps.ravel()[:63] == 1).all()


def test_optd_is_opts_with_weights_of_one() -> None:
    tenth = SensitivityProfile("tenth", np.ones((3, 8, 8)))  # normalized to 0.1
    for distortion in DISTORTIONS:
        opts = resolve(WaterLevel(2.0), STATISTICS, tenth, distortion=distortion, files=FILES).tables
        assert opts == design(WaterLevel(20.0), "optd", distortion=distortion)


def test_shared_chrominance_follows_the_active_components() -> None:
    """Algorithm 2 of OptS by hand: its rules for active components, which empirical errors do not need."""
    weights, variance = np.ones((2, 64)), np.full((2, 64), 50.0)
    variance[1, 5] = 0.5  # inactive at d = 1: its error does not count
    variance[:, 6] = 0.5  # both inactive: qmax
    weights[1, 0] = 3.0
    distortion = np.broadcast_to(np.arange(1, 256) ** 2 / 12.0, (2, 64, 255)).copy()
    distortion[1, 5] *= 100
    distortion[1, 7] *= 4
    distortion[0, 8] += 2
    steps = WaterFilling(weights, variance, distortion, False, 90).steps(1.0)
    assert steps[0] == 2  # floor(sqrt(12 / 3)), from the largest weight of the active components
    assert steps[5] == 3  # 9 / 12 <= 1 < 16 / 12
    assert steps[6] == 90
    assert steps[7] == 1
    assert steps[8] == 1  # no step qualifies
    assert steps[9] == 3


def test_qmax_bounds_steps_at_a_water_level() -> None:
    for qmax in (1, 40, 255):
        assert max(table.steps.max() for table in design(WaterLevel(1e9), limits=(1, qmax))) == qmax


def test_qmax_bounds_steps_of_other_targets_while_they_can_be_met() -> None:
    for target in (MatchQuality(80), MatchSwe(5.0), MaxBytes(20000)):
        assert max(table.steps.max() for table in design(target, limits=(1, 30))) <= 30
    assert max(table.steps.max() for table in design(MaxBytes(2000), limits=(1, 30))) > 30


# ---- The other methods -----------------------------------------------------------------------------------------------


def test_deepn_follows_the_published_mapping() -> None:
    deviation = [0, 10, 20, 20.01, 40, 60, 60.01, 70, 78.2, 78.4, 500]
    assert deepn_steps(deviation).tolist() == [255, 158, 60, 60, 40, 20, 60, 30, 5, 5, 5]


def test_deepn_takes_deviations_of_cb_and_cr_together() -> None:
    luminance, chrominance = design(Quality(50), "deepn")
    y, cb, cr = (part.coefficients.reshape(-1, 64).astype(float) for part in IMAGE.components)
    np.testing.assert_array_equal(luminance.steps.ravel(), deepn_steps(y.std(axis=0)))
    np.testing.assert_array_equal(chrominance.steps.ravel(), deepn_steps(np.concatenate([cb, cr]).std(axis=0)))


@pytest.mark.parametrize("quality", [1, 30, 50, 75, 99, 100])
def test_jpeg_is_default_jpeg(quality: int) -> None:
    assert design(Quality(quality), "jpeg") == annex_k_tables(quality)


@pytest.mark.parametrize(
    ("method", "target"),
    [("opts", Quality(50)), ("optd", Quality(50)), ("deepn", WaterLevel(1)), ("jpeg", WaterLevel(1))],
)
def test_levels_belong_to_their_methods(method: str, target: Target) -> None:
    with pytest.raises(InvalidInputError, match=f"'{method}' takes a .* got {type(target).__name__}"):
        design(target, method)


# ---- Targets to search for -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("quality", [5, 50, 90, 98, 100])
def test_match_quality_keeps_the_error_of_default_jpeg(method: str, quality: int) -> None:
    swe = errors(IMAGE, design(MatchQuality(quality), method), PROFILE)
    default_swe = errors(IMAGE, annex_k_tables(quality), PROFILE)
    for ours, theirs in zip(swe, default_swe, strict=True):
        assert 0.996 * theirs <= ours <= theirs * (1 + 1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("quality", [5, 50, 90, 98, 100])
def test_match_quality_jointly_keeps_the_total_error(method: str, quality: int) -> None:
    default_swe = sum(errors(IMAGE, annex_k_tables(quality), PROFILE))
    swe = sum(errors(IMAGE, design(MatchQuality(quality, jointly=True), method), PROFILE))
    assert 0.999 * default_swe <= swe <= default_swe * (1 + 1e-6)


def test_jointly_means_one_level() -> None:
    """The tables are those of OptS at one water level, apart from single steps that use up the rest of the error."""
    joint_tables, separate_tables = design(MatchQuality(80, jointly=True)), design(MatchQuality(80))
    luma, luma_apart = (errors(IMAGE, tables, PROFILE)[0] for tables in (joint_tables, separate_tables))
    assert abs(luma / luma_apart - 1) > 0.05
    levels = np.geomspace(1e-3, 10, 100)
    total = sum(errors(IMAGE, joint_tables, PROFILE))
    above = np.searchsorted([sum(errors(IMAGE, design(WaterLevel(d)), PROFILE)) for d in levels], total)
    low, high = (np.array([t.steps for t in design(WaterLevel(d))], int) for d in levels[above - 1 : above + 1])
    steps = np.array([table.steps for table in joint_tables], int)
    assert ((low - 1 <= steps) & (steps <= high + 1)).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("luma", "chroma"), [(2.0, 4.0), (6.0, 0.6), (0.5, 70.0)])
def test_match_swe_of_luminance_and_chrominance_apart(method: str, luma: float, chroma: float) -> None:
    swe = errors(IMAGE, design(MatchSwe(luma, chroma), method), PROFILE)
    for ours, wanted in zip(swe, (luma, chroma), strict=True):
        assert 0.996 * wanted <= ours <= wanted * (1 + 1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("swe", [2.0, 6.0, 70.0])
def test_match_swe(method: str, swe: float) -> None:
    assert 0.999 * swe <= sum(errors(IMAGE, design(MatchSwe(swe), method), PROFILE)) <= swe * (1 + 1e-6)


def test_errors_that_no_table_reaches() -> None:
    finest = sum(errors(IMAGE, (QuantTable(np.ones((8, 8))),) * 2, PROFILE))
    with pytest.raises(TargetNotMetError, match=f"reached is {finest:.4g}"):
        design(MatchSwe(finest / 2))
    coarsest = np.full((8, 8), 255)
    assert all(np.array_equal(table.steps, coarsest) for table in design(MatchSwe(1e9)))
    luminance, chrominance = design(MatchSwe(1.0, chroma=1e9))
    assert luminance == design(MatchSwe(1.0, chroma=1.0))[0]
    assert np.array_equal(chrominance.steps, coarsest)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("share", [0.06, 0.2, 0.5, 0.9])
def test_sizes_are_met_by_the_file(method: str, share: float) -> None:
    limit = round(share * size_of((QuantTable(np.ones((8, 8))),) * 2))
    tables = design(MaxBytes(limit), method)
    assert 0.99 * limit <= size_of(tables) <= limit
    bpp = 8 * (limit + 0.5) / STATISTICS.pixels
    assert 0.99 * limit <= size_of(design(Bpp(bpp), method)) <= limit


def test_sizes_that_no_table_reaches() -> None:
    finest, coarsest = (size_of((QuantTable(np.full((8, 8), step)),) * 2) for step in (1, 255))
    for target in (MaxBytes(coarsest - 1), Bpp(8 * (coarsest - 1) / STATISTICS.pixels)):
        with pytest.raises(TargetNotMetError, match=f"bytes of at most {coarsest - 1}, .* is {coarsest}"):
            design(target)
    for target in (MaxBytes(2 * finest), Bpp(8 * 2 * finest / STATISTICS.pixels)):
        assert size_of(design(target)) == finest  # the target is a limit, not a size to reach


@settings(max_examples=30, deadline=None)
@given(image=coefficient_images(factors=GREY_FACTORS + COLOUR_FACTORS, max_side=30, max_step=7), share=st.floats(0, 1))
def test_max_bytes_is_never_exceeded(image: CoefficientImage, share: float) -> None:
    """The limit is kept for any image, even if the size jumps or rises with a larger step."""

    def size(tables: tuple[QuantTable, ...]) -> int:
        return len(write_jpeg(quantize(gathered, tables)))

    statistics = gather(image)
    (gathered,) = statistics.images
    # with step 1 some of these coefficients are too large for baseline JPEG
    coarsest, finest = (size((QuantTable(np.full((8, 8), step)),) * 2) for step in (255, 8))
    limit = round(coarsest + share * (finest - coarsest))
    if limit >= coarsest:
        assert size(resolve(MaxBytes(limit), statistics, method="optd", files=Files(size)).tables) <= limit


def test_searches_are_bounded() -> None:
    calls = []

    def counted(tables: tuple[QuantTable, ...]) -> int:
        calls.append(tables)
        return size_of(tables)

    for limit in range(3000, 25000, 1000):
        calls.clear()
        resolve(MaxBytes(limit), STATISTICS, PROFILE, files=Files(counted))
        assert len(calls) <= 12
        assert len(set(calls)) == len(calls)


def test_steps_are_large_enough_to_be_coded() -> None:
    """Coefficients of a coarsely quantized file may be larger than those of 8-bit samples."""
    blocks = [np.zeros((4, 5, 8, 8), np.int16) for _ in range(3)]
    for part in blocks:
        part[0, 0, 3, 4], part[1, 2, 0, 0], part[2, 2, 0, 0], part[3, 4, 7, 7] = 900, -700, 800, 511
    components = tuple(Component(index + 1, 1, 1, 0, part) for index, part in enumerate(blocks))
    coded = CoefficientImage(40, 32, components, (QuantTable(np.full((8, 8), 2)),))
    for method, target in (("jpeg", Quality(100)), ("opts", MaxBytes(10**6)), ("deepn", MatchQuality(100))):
        luminance, chrominance = design_tables(coded, target, profile=PROFILE, method=method)
        expected = np.ones((8, 8))
        expected[3, 4] = expected[0, 0] = 2
        assert (luminance.steps >= expected).all()
        if target == Quality(100):
            np.testing.assert_array_equal(luminance.steps, expected)
        assert luminance == chrominance
        (dequantized,) = gather(coded).images
        write_jpeg(quantize(dequantized, (luminance, chrominance)))


def test_smooth_images_do_not_run_away() -> None:
    """A flat colour and a ramp have almost no error at any step; the search must still find finite tables."""
    flat = np.full((64, 64, 3), (90, 120, 30), np.uint8)
    ramp = np.tile(np.arange(64, dtype=np.uint8)[:, None, None] * np.ones(3, np.uint8), (1, 64, 1))
    for pixels in (flat, ramp):
        image = forward(pixels, "4:4:4")
        for quality in (30, 98):
            for distortion in DISTORTIONS:
                tables = design_tables(image, MatchQuality(quality), profile=PROFILE, distortion=distortion)
                swe, default_swe = errors(image, tables, PROFILE), errors(image, annex_k_tables(quality), PROFILE)
                assert swe[0] <= default_swe[0] * (1 + 1e-6)
                assert swe[1] <= default_swe[1] * (1 + 1e-6)


# ---- Sources ---------------------------------------------------------------------------------------------------------


class Again:
    """A data set that can be iterated over more than once."""

    def __init__(self, images: list[np.ndarray]) -> None:
        self.images = images

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter(self.images)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("distortion", DISTORTIONS)
def test_a_data_set_is_designed_as_one_image(method: str, distortion: str) -> None:
    """A set of images of whole MCUs has the tables of one image in which they are stacked."""
    parts = [picture(seed, height=16 * (seed + 1), width=96) for seed in range(3)]
    target = MatchQuality(80)
    options = {"method": method, "distortion": distortion, "subsampling": "4:2:0", "profile": ONES}
    whole = design_tables(np.concatenate(parts), target, **options)  # type: ignore[arg-type]
    for source in (parts, iter(parts), Again(parts), [forward(part, "4:2:0") for part in parts]):
        assert design_tables(source, target, **options) == whole  # type: ignore[arg-type]


def test_a_rate_for_a_data_set_is_that_of_all_files() -> None:
    parts = [picture(seed, height=40, width=56) for seed in range(3)]
    tables = design_tables(parts, Bpp(2.0), profile=PROFILE)
    nbytes = sum(len(write_jpeg(quantize(forward(part), tables))) for part in parts)
    assert 0.99 * 2.0 <= 8 * nbytes / (3 * 40 * 56) <= 2.0


def test_grey_images_of_a_set_count_for_luminance() -> None:
    colour = picture()
    grey = picture(1)[..., 0]
    luminance, chrominance = design_tables([grey, colour], WaterLevel(0.1), profile=PROFILE)
    assert chrominance == design_tables(colour, WaterLevel(0.1), profile=PROFILE)[1]
    assert (luminance,) != design_tables(grey, WaterLevel(0.1), profile=PROFILE)


@pytest.mark.parametrize("method", METHODS)
def test_grey_images_get_one_table(method: str) -> None:
    grey = picture()[..., 0]
    for target in (MatchQuality(70), MatchQuality(70, jointly=True), MatchSwe(1.0, chroma=9.0), MaxBytes(5000)):
        assert len(design_tables(grey, target, profile=PROFILE, method=method)) == 1


def test_a_file_is_designed_for_from_its_coefficients() -> None:
    coded = quantize(IMAGE, annex_k_tables(90))
    (dequantized,) = gather(coded).images
    for table, part, original in zip((0, 1, 1), dequantized.components, coded.components, strict=True):
        expected = original.blocks * coded.tables[table].steps.astype(np.float32)
        np.testing.assert_array_equal(part.coefficients, expected)
    tables = design_tables(coded, MatchSwe(1e-3), profile=PROFILE)
    assert sum(errors(dequantized, tables, PROFILE)) <= 1e-3  # quantizing with the file's steps again loses nothing


def test_pixels_in_every_form(tmp_path: pytest.TempPathFactory) -> None:
    pixels = picture(height=32, width=32)
    path = tmp_path / "picture.png"  # type: ignore[operator]
    Image.fromarray(pixels).save(path)
    expected = design_tables(pixels, WaterLevel(0.1), profile=PROFILE)
    for source in (Image.fromarray(pixels), path, str(path), [pixels], (path for path in [path])):
        assert design_tables(source, WaterLevel(0.1), profile=PROFILE) == expected


def test_tables_do_not_depend_on_threads() -> None:
    pixels = np.tile(picture(), (12, 10, 1))
    for distortion in DISTORTIONS:
        tables = [
            design_tables(pixels, MatchQuality(75), profile=PROFILE, distortion=distortion, threads=threads)
            for threads in (1, 3)
        ]
        assert tables[0] == tables[1]


# ---- What is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([], "at least one image"),
        (5, "int"),
        (None, "NoneType"),
        ([5], "int"),
        (np.zeros((8, 8, 3)), "float64"),
        (np.zeros((0, 8, 3), np.uint8), "0"),
        (np.full((8, 8), np.nan), "NaN"),
        ("no such file.png", "no such file"),
    ],
)
def test_sources_that_are_no_images(source: object, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        design_tables(source, WaterLevel(1.0), method="optd")  # type: ignore[arg-type]


def test_components_that_are_not_ycbcr() -> None:
    coded = quantize(IMAGE, annex_k_tables(90))
    rgb = CoefficientImage(coded.width, coded.height, coded.components, coded.tables, Metadata(adobe_transform=0))
    with pytest.raises(InvalidInputError, match="RGB"):
        gather(rgb)
    cmyk = CoefficientImage(coded.width, coded.height, (*coded.components, coded.components[0]), coded.tables)
    with pytest.raises(InvalidInputError, match="got 4 components"):
        gather(cmyk)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "best"}, "one of opts, optd, deepn, jpeg, rdopt; got 'best'"),
        ({"distortion": "uniform"}, "one of laplacian, midpoint, empirical; got 'uniform'"),
        ({"profile": None, "method": "opts"}, "'opts' needs a sensitivity profile, got none"),
        ({"method": "rdopt"}, r"'rdopt' takes a target to search for, got WaterLevel"),
        ({"method": "jpeg"}, r"'jpeg' takes a Quality or a target to search for, got WaterLevel"),
        ({"qmax": 0}, r"in 1\.\.255, got 0"),
        ({"qmax": 256}, r"in 1\.\.255, got 256"),
        ({"qmax": 100.0}, r"in 1\.\.255, got 100\.0"),
        ({"subsampling": "4:1:1"}, "4:1:1"),
        ({"target": 0.5}, "expected a target .* got 0.5"),
    ],
)
def test_wrong_arguments(options: dict[str, object], message: str) -> None:
    arguments = {"target": WaterLevel(0.1), "profile": PROFILE} | options
    with pytest.raises(InvalidInputError, match=message):
        design_tables(picture(height=16, width=16), **arguments)  # type: ignore[arg-type]


def test_a_profile_of_another_sampling_is_used_with_a_warning() -> None:
    pixels = picture(height=32, width=32)
    with pytest.warns(SamplingMismatchWarning, match="ones was estimated at 4:2:0, but is used at 4:4:4") as caught:
        design_tables(pixels, WaterLevel(0.1), profile=ONES, subsampling="4:4:4")
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        design_tables(pixels, WaterLevel(0.1), profile=ONES)
        design_tables(pixels[..., 0], WaterLevel(0.1), profile=ONES)


@pytest.mark.parametrize(("profile", "subsampling"), [(None, "4:2:0"), (ONES, "4:2:0"), (PROFILE, "4:4:4")])
def test_the_sampling_is_that_of_files_by_default(profile: SensitivityProfile | None, subsampling: str) -> None:
    """The tables that are designed for a size are those of files of that size."""
    pixels = picture(height=64, width=64)
    tables = design_tables(pixels, MaxBytes(2000), profile=profile)
    assert tables == design_tables(pixels, MaxBytes(2000), profile=profile, subsampling=subsampling)
    assert 0.97 * 2000 <= encode(pixels, tables=tables, subsampling=subsampling).nbytes <= 2000


def test_statistics_of_pixels_count_every_pixel() -> None:
    statistics = gather([picture(), picture(1)[:50, :30, 0]])
    assert isinstance(statistics, Statistics)
    assert statistics.pixels == 120 * 168 + 50 * 30
    assert statistics.samplings == {"4:4:4"}
