"""Coding for the accuracy run: every condition has the error or the bytes that it asks for, or is reported."""

from __future__ import annotations

import io
import math
from itertools import product

import numpy as np
import pytest
from PIL import Image

from optcodec.accuracy.coder import Coded, ImageCoder, check_conditions
from optcodec.accuracy.conditions import SETTINGS, Condition
from optcodec.design import DISTORTIONS, METHODS, design_tables
from optcodec.errors import InvalidInputError
from optcodec.jpeg.dct import forward
from optcodec.jpeg.reading.reader import read_jpeg
from optcodec.jpeg.tables import annex_k_tables
from optcodec.metrics import swe, swe_by_component
from optcodec.targets import MatchQuality, Quality, WaterLevel
from tests.accuracy_helpers import PROFILE, crop
from tests.peers import pillow_jpeg, pillow_pixels

PIXELS = crop()
IMAGE = forward(PIXELS, "4:4:4")
CODER = ImageCoder(PIXELS, "4:4:4", PROFILE)


def errors(coded: Coded) -> np.ndarray:
    """SWE of luminance and of chrominance, measured on the file."""
    y, cb, cr = swe_by_component(IMAGE, read_jpeg(coded.data), PROFILE.normalized())
    return np.array([y, cb + cr])


def pillow(pixels: np.ndarray, subsampling: str, quality: int) -> bytes:
    return pillow_jpeg(Image.fromarray(pixels), quality=quality, subsampling=subsampling, optimize=True)


# ---- Conditions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("", "1", 75), "a method has a name"),
        (("opts", "3", 75), "a setting is one of fixed, 1, .*; got '3'"),
        (("opts", "fixed", 0), "above 0, got 0"),
        (("opts", "fixed", math.nan), "above 0, got nan"),
        (("opts", "2", "75"), "above 0, got '75'"),
        (("opts", "2", True), "above 0, got True"),
        (("opts", "1", 75.5), r"1 are quality factors in 1\.\.100, got 75\.5"),
        (("opts", "1-joint", 101), r"1-joint are quality factors in 1\.\.100, got 101"),
        (("opts", "bytes", 0.1), r"bytes are quality factors in 1\.\.100, got 0\.1"),
    ],
)
def test_conditions_that_are_none(values: tuple, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        Condition(*values)


def test_conditions_are_values() -> None:
    assert Condition("opts", "1", 75) == Condition("opts", "1", 75.0)
    assert len({Condition("opts", "1", 75), Condition("opts", "1", 75.0), Condition("opts", "2", 75)}) == 2
    assert str(Condition("opts:laplacian", "2", 0.051)) == "opts:laplacian, setting 2, level 0.051"


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (Condition("best", "1", 75), "one of opts, .*, pillow; got 'best'"),
        (Condition("opts:best", "1", 75), "one of laplacian, midpoint, empirical; got 'opts:best'"),
        (Condition("opts:", "1", 75), "one of laplacian, midpoint, empirical; got 'opts:'"),
        (Condition("jpeg", "fixed", 0.5), r"in 1\.\.100, got 0\.5"),
        (Condition("rdopt", "fixed", 75), "rdopt has no levels of its own; expected another setting than fixed"),
        (Condition("pillow", "1", 75), "pillow knows the settings fixed, bytes; got 1"),
        (Condition("pillow", "fixed", 101), r"in 1\.\.100, got 101"),
    ],
)
def test_conditions_that_cannot_be_coded_are_refused(condition: Condition, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        check_conditions([condition], ["pillow"])
    with pytest.raises(InvalidInputError, match=message):
        ImageCoder(PIXELS, "4:4:4", PROFILE, {"pillow": pillow}).encode(condition)


# ---- What the settings say -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "setting"), [pair for pair in product(METHODS, SETTINGS) if pair != ("rdopt", "fixed")]
)
def test_files_are_whole_and_their_error_is_the_one_reported(method: str, setting: str) -> None:
    coded = CODER.encode(Condition(method, setting, 80))
    assert pillow_pixels(coded.data).shape == PIXELS.shape
    assert coded.swe == pytest.approx(swe(IMAGE, read_jpeg(coded.data), PROFILE.normalized()), rel=1e-4)
    assert coded.met


def test_fixed_levels_go_to_the_method() -> None:
    for method, target in (("opts", WaterLevel(0.3)), ("optd", WaterLevel(0.3))):
        tables = design_tables(IMAGE, target, profile=PROFILE, method=method)
        assert read_jpeg(CODER.encode(Condition(method, "fixed", 0.3)).data).tables == tables
    for method in ("jpeg", "deepn"):
        tables = design_tables(IMAGE, Quality(64), profile=PROFILE, method=method)
        assert read_jpeg(CODER.encode(Condition(method, "fixed", 64)).data).tables == tables


@pytest.mark.parametrize("method", [*METHODS, "opts:laplacian", "optd:midpoint"])
@pytest.mark.parametrize("quality", [70, 98])
def test_setting_1_has_the_error_of_default_jpeg(method: str, quality: int) -> None:
    jpeg = errors(CODER.encode(Condition("jpeg", "fixed", quality)))
    apart = errors(CODER.encode(Condition(method, "1", quality)))
    assert (0.995 * jpeg <= apart).all()
    assert (apart <= jpeg * (1 + 1e-5)).all()
    jointly = errors(CODER.encode(Condition(method, "1-joint", quality))).sum()
    assert 0.999 * jpeg.sum() <= jointly <= jpeg.sum() * (1 + 1e-5)


@pytest.mark.parametrize("method", [*METHODS, "opts:laplacian"])
@pytest.mark.parametrize("level", [0.02, 1.0])
def test_setting_2_has_the_error_of_opts(method: str, level: float) -> None:
    opts = errors(CODER.encode(Condition("opts", "fixed", level)))
    apart = errors(CODER.encode(Condition(method, "2", level)))
    assert (0.995 * opts <= apart).all()
    assert (apart <= opts * (1 + 1e-5)).all()
    jointly = errors(CODER.encode(Condition(method, "2-joint", level))).sum()
    assert 0.999 * opts.sum() <= jointly <= opts.sum() * (1 + 1e-5)


@pytest.mark.parametrize("method", [*METHODS, "opts:laplacian"])
@pytest.mark.parametrize("quality", [50, 75, 95])
def test_equal_bytes_are_never_exceeded(method: str, quality: int) -> None:
    jpeg = CODER.encode(Condition("jpeg", "fixed", quality))
    coded = CODER.encode(Condition(method, "bytes", quality))
    assert 0.99 * len(jpeg.data) <= len(coded.data) <= len(jpeg.data)


def test_the_method_that_sets_the_target_keeps_its_tables() -> None:
    jpeg = CODER.encode(Condition("jpeg", "fixed", 85))
    assert read_jpeg(jpeg.data).tables == annex_k_tables(85)
    assert all(CODER.encode(Condition("jpeg", setting, 85)) == jpeg for setting in ("1", "1-joint", "bytes"))
    opts = CODER.encode(Condition("opts", "fixed", 0.2))
    assert all(CODER.encode(Condition("opts", setting, 0.2)) == opts for setting in ("2", "2-joint"))


@pytest.mark.parametrize("jointly", [False, True])
def test_setting_1_is_the_target_of_that_name(jointly: bool) -> None:
    coded = CODER.encode(Condition("opts", "1-joint" if jointly else "1", 90))
    target = MatchQuality(90, jointly=jointly)
    assert read_jpeg(coded.data).tables == design_tables(IMAGE, target, profile=PROFILE, method="opts")


def test_distortion_models_are_told_apart() -> None:
    files = {CODER.encode(Condition(f"opts:{model}", "fixed", 0.3)).data for model in DISTORTIONS}
    assert len(files) == len(DISTORTIONS)
    assert CODER.encode(Condition("opts", "fixed", 0.3)).data in files


def test_subsampling() -> None:
    # The profile was estimated at 4:4:4: `ImageCoder` gives no warning of that, its caller does.
    coder = ImageCoder(PIXELS, "4:2:0", PROFILE)
    coded = coder.encode(Condition("opts", "1", 80))
    assert read_jpeg(coded.data).subsampling == "4:2:0"
    image = forward(PIXELS, "4:2:0")
    assert coded.swe == pytest.approx(swe(image, read_jpeg(coded.data), PROFILE.normalized()), rel=1e-4)


# ---- What cannot be met ----------------------------------------------------------------------------------------------


def test_grey_photographs_have_no_error_of_chrominance_to_match() -> None:
    grey = np.repeat(PIXELS[..., :1], 3, axis=2)
    coder = ImageCoder(grey, "4:4:4", PROFILE)
    for setting, level in (("1", 80), ("1-joint", 80), ("2", 0.2), ("2-joint", 0.2)):
        for method in METHODS:
            assert coder.encode(Condition(method, setting, level)).met


def test_black_images_have_no_error_at_all() -> None:
    coder = ImageCoder(np.zeros((16, 16, 3), np.uint8), "4:4:4", PROFILE)
    for method in METHODS:
        for setting in ("1", "2", "2-joint"):
            assert coder.encode(Condition(method, setting, 1)).data


def test_errors_that_no_table_has_are_reported() -> None:
    """A flat colour has one nonzero coefficient in each component, which can have only a few different errors."""
    flat = ImageCoder(np.full((16, 16, 3), (90, 121, 30), np.uint8), "4:4:4", PROFILE)
    missed = [
        condition
        for method in ("jpeg", "deepn")
        for condition in (Condition(method, "2", level) for level in (0.03, 0.3, 3.0))
        if not flat.encode(condition).met
    ]
    assert missed
    for condition in missed:
        opts = flat.encode(Condition("opts", "2", condition.level))
        assert abs(flat.encode(condition).swe - opts.swe) > 0.01 * opts.swe


def test_sizes_that_no_table_has_are_reported() -> None:
    tiny = ImageCoder(PIXELS[:8, :8], "4:4:4", PROFILE)
    jpeg = tiny.encode(Condition("jpeg", "bytes", 90))
    assert jpeg.met
    for method in ("optd", "deepn"):
        coded = tiny.encode(Condition(method, "bytes", 90))
        assert coded.met == (0.99 * len(jpeg.data) <= len(coded.data) <= len(jpeg.data))


# ---- Other encoders --------------------------------------------------------------------------------------------------


def test_peers_are_asked_for_a_quality() -> None:
    coder = ImageCoder(PIXELS, "4:4:4", PROFILE, {"pillow": pillow})
    coded = coder.encode(Condition("pillow", "fixed", 83))
    assert coded.data == pillow(PIXELS, "4:4:4", 83)
    assert coded.swe == swe(IMAGE, read_jpeg(coded.data), PROFILE.normalized())
    assert Image.open(io.BytesIO(coded.data)).size == (64, 64)


@pytest.mark.parametrize("quality", [30, 75, 100])
def test_peers_take_the_highest_quality_that_is_no_larger(quality: int) -> None:
    coder = ImageCoder(PIXELS, "4:4:4", PROFILE, {"pillow": pillow})
    limit = len(coder.encode(Condition("jpeg", "fixed", quality)).data)
    data = coder.encode(Condition("pillow", "bytes", quality)).data
    assert len(data) <= limit
    best = max(q for q in range(1, 101) if pillow(PIXELS, "4:4:4", q) == data)
    assert best == 100 or len(pillow(PIXELS, "4:4:4", best + 1)) > limit


def test_peers_that_are_too_large_are_reported() -> None:
    def padded(pixels: np.ndarray, subsampling: str, quality: int) -> bytes:
        return pillow(pixels, subsampling, quality) + bytes(100_000)

    coded = ImageCoder(PIXELS, "4:4:4", PROFILE, {"padded": padded}).encode(Condition("padded", "bytes", 75))
    assert coded.data == padded(PIXELS, "4:4:4", 1)
    assert not coded.met
