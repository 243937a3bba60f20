"""Targets met by a trellis, measured on the files; and what is refused."""

from __future__ import annotations

import itertools
import os
import re
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from optcodec import (
    BlockChoice,
    Bpp,
    CoefficientImage,
    InvalidInputError,
    MatchPsnr,
    MatchQuality,
    MatchSsim,
    MatchSsimulacra2,
    MatchSwe,
    MaxBytes,
    Metadata,
    QuantTable,
    TargetNotMetError,
    WaterLevel,
    annex_k_tables,
    blocks_by,
    design_tables,
    encode,
    forward,
    load_profile,
    psnr_db,
    read_jpeg,
)
from optcodec.jpeg.overshoot import clipped_luminance
from optcodec.jpeg.quantize import quantize
from optcodec.matching import meet
from optcodec.metrics import EQUAL_WEIGHTS, luminance_ssim, ssimulacra2, swe_by_component
from optcodec.targets import Quality
from optcodec.trellis.line import TrellisLine
from optcodec.trellis.tuning import tuning_for
from tests.goldens import scene
from tests.peers import libjpeg_coefficients, picture, pillow_jpeg, pillow_pixels

DATA = os.environ.get("OPTCODEC_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="OPTCODEC_DATA does not name the folder of test images")
PHOTO = np.ascontiguousarray(astronaut()[40:232, 150:406])
GREY = np.ascontiguousarray(PHOTO[..., 1])
PROFILE = load_profile("mobilenet_v2_420")
METHODS = [None, "jpeg", "deepn", "optd", "rdopt"]
CROPS = [("01", 256, 192), ("05", 200, 300), ("23", 240, 160)]


@lru_cache
def kodak(number: str, width: int, height: int) -> np.ndarray:
    with Image.open(Path(DATA or "", "Kodak", f"kodim{number}.png")) as photo:
        return np.ascontiguousarray(np.asarray(photo)[100 : 100 + height, 60 : 60 + width])


def options_of(source: str) -> tuple[np.ndarray, dict[str, object]]:
    return (GREY, {}) if source == "grey" else (PHOTO, {"subsampling": source})


# ---- Sizes -----------------------------------------------------------------------------------------------------------


@needs_data
@pytest.mark.parametrize(("progressive", "grey"), [(False, False), (True, False), (False, True), ("smaller", False)])
@pytest.mark.parametrize("crop", CROPS, ids=str)
def test_files_of_at_most_so_many_bytes(crop, progressive, grey):
    photo = kodak(*crop)
    pixels = np.ascontiguousarray(photo[..., 1]) if grey else photo
    for bpp in (0.3, 0.8, 2.0):
        nbytes = int(bpp * photo.shape[0] * photo.shape[1] / 8)
        coded = encode(pixels, tune="ycbcr", target=MaxBytes(nbytes), progressive=progressive)
        assert 0.995 * nbytes <= coded.nbytes <= nbytes
    same = encode(pixels, tune="ycbcr", target=Bpp(bpp), progressive=progressive)
    assert 0.995 * bpp <= same.bpp <= bpp


@pytest.mark.parametrize("size", [(1, 1), (7, 9), (17, 33), (40, 40)])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"tune": "psnr"}, {"restart_interval": 2}])
def test_small_files_keep_the_limit(size, options):
    pixels = np.ascontiguousarray(PHOTO[: size[1], : size[0]])
    options = {"tune": "ycbcr"} | options
    small, large = (encode(pixels, tables=_steps(step), **options).nbytes for step in (255, 2))
    for nbytes in (small + 100, small + 160, large + 200):  # a second table, which few tables do without, takes 65
        file = encode(pixels, target=MaxBytes(nbytes), **options)
        assert file.nbytes <= nbytes
        assert pillow_pixels(file.data).shape == pixels.shape


def test_a_jump_of_all_bits_is_no_gap_between_sizes():
    """The bits of symbols change by whole ones; in a small file that changes many indices at once."""
    data = encode(scene(96, 128, 0), effort=3, subsampling="4:2:0", target=MaxBytes(500)).data
    assert 0.99 * 500 <= len(data) <= 500  # 493 without the last refinement


def test_more_bytes_do_not_have_more_error():
    """Of the files within a size the one with the least error is kept, not the one that is nearest to the size."""
    pixels = np.ascontiguousarray(astronaut()[300:460, :208])
    original = forward(pixels, "4:2:0")
    criterion = tuning_for("psnr").criterion(original)
    files = [encode(pixels, tune="ycbcr", target=MaxBytes(nbytes)) for nbytes in (1370, 1385, 1400, 1415)]
    errors = [sum(criterion.errors(original, file.coefficients)) for file in files]
    for less, more in itertools.pairwise(errors):
        assert more < 1.01 * less


@pytest.mark.parametrize("method", ["optd", "rdopt", "jpeg"])
def test_tables_fit_the_level_of_a_file_of_a_size(monkeypatch, method):
    """What tables and level leave of a size is little, so that the level alone goes hardly away from what fits them."""
    files = []

    def met(line, target):
        result = meet(line, target)
        fitting = line.coder.level_of(result.tables)
        files.append(result.candidate.levels[0] / fitting)
        return result

    monkeypatch.setattr("optcodec.optimized.meet", met)
    for nbytes in (3250, 3750, 4250, 5500, 6750):
        encode(PHOTO, effort=3, tune="ycbcr", target=MaxBytes(nbytes), method=method)
    assert len(files) == 5
    assert max(abs(np.log(files))) < 0.12


def test_a_size_is_that_of_the_whole_image_not_of_the_rows_that_are_searched_first():
    """Headers are a larger part of a file of some rows: it exceeds its share where the whole file keeps the limit."""
    y, x = np.mgrid[:1200, :1200]
    smooth = np.clip(120 + 40 * np.sin(x / 300) + 30 * np.cos(y / 250), 0, 255).astype(np.uint8)
    assert encode(smooth, tune="ycbcr", target=MaxBytes(6100)).nbytes <= 6100
    with pytest.raises(TargetNotMetError, match=r"a file size in bytes of at most 4200, but the nearest .* is 5\d\d\d"):
        encode(smooth, tune="ycbcr", target=MaxBytes(4200))


def test_rows_of_a_large_image_say_where_to_begin(monkeypatch):
    """A few trials on some rows, which need not come close, save trials on the whole image."""
    levels = {True: {}, False: {}}  # files of some rows, and of the whole image

    def at(self, level):
        file = real(self, level)
        return levels[self.coder.image.height < 512].setdefault(level, file)

    real = TrellisLine.at
    monkeypatch.setattr(TrellisLine, "at", at)
    for nbytes in (20_000, 30_000, 40_000):
        for tried in levels.values():
            tried.clear()
        encode(astronaut(), effort=3, tune="ycbcr", target=MaxBytes(nbytes), subsampling="4:4:4")
        assert 1 < len(levels[True]) <= 3
        assert len(levels[False]) <= 6
        shares = [512 * file.nbytes / file.coder.image.height / nbytes for file in levels[True].values()]
        assert any(0.97 <= share <= 1 for share in shares)


@pytest.mark.parametrize("source", ["4:2:0", "4:4:4"])
@pytest.mark.parametrize("tune", ["ycbcr", "psnr"])
def test_the_smaller_file_needs_one_transform(monkeypatch, tune, source):
    """Baseline and progressive files are made of the same coefficients, and none of them is read back."""
    calls = []

    def counted(*arguments, **options):
        calls.append(1)
        return forward(*arguments, **options)

    def refused(*arguments, **options):
        raise AssertionError("a file was read back")

    monkeypatch.setattr("optcodec.jpeg.sources.forward", counted)
    monkeypatch.setattr("optcodec.jpeg.sources.read_jpeg", refused)
    for target in (MaxBytes(5000), MatchPsnr(33.0)):
        files = [
            encode(PHOTO, tune=tune, target=target, progressive=kind, subsampling=source) for kind in (False, True)
        ]
        calls.clear()
        smaller = encode(PHOTO, tune=tune, target=target, progressive="smaller", subsampling=source)
        assert len(calls) <= 1
        assert smaller.data in [file.data for file in files]


def test_the_smaller_file_needs_one_choice_of_blocks(monkeypatch):
    calls = []

    def counted(self, *arguments):
        calls.append(1)
        return field_of(self, *arguments)

    field_of = BlockChoice.field
    monkeypatch.setattr(BlockChoice, "field", counted)
    encode(PHOTO, tune="ycbcr", blocks=blocks_by("x264"), target=MaxBytes(5000), progressive="smaller")
    assert len(calls) == 1


def _steps(step: int) -> tuple[QuantTable, ...]:
    return (QuantTable(np.full((8, 8), step)),)


@pytest.mark.parametrize("method", METHODS)
def test_sizes_with_tables_of_a_method(method):
    plain, chosen = (encode(PHOTO, tune=tune, target=MaxBytes(5000), method=method) for tune in (None, "ycbcr"))
    assert 4975 <= chosen.nbytes <= 5000
    assert psnr_db(PHOTO, pillow_pixels(chosen.data)) > psnr_db(PHOTO, pillow_pixels(plain.data)) + 0.1


def test_a_trellis_makes_better_files_of_a_size():
    for target in (MaxBytes(4000), MaxBytes(9000)):
        plain, by_components, of_rgb = (
            psnr_db(PHOTO, pillow_pixels(encode(PHOTO, target=target, tune=tune).data))
            for tune in (None, "ycbcr", "psnr")
        )
        assert by_components > plain + 0.4
        assert of_rgb > by_components + 0.05


@needs_data
@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
def test_the_error_of_rgb_is_less_where_it_is_what_counts(subsampling):
    """At equal bytes on each photograph."""
    gains = []
    for crop in CROPS:
        photo, target = kodak(*crop), Bpp(1.5)
        files = [encode(photo, tune=tune, target=target, subsampling=subsampling) for tune in ("ycbcr", "psnr")]
        by_components, of_rgb = (psnr_db(photo, pillow_pixels(file.data)) for file in files)
        gains.append(of_rgb - by_components)
    assert min(gains) > 0
    assert np.mean(gains) > (0.15 if subsampling == "4:2:0" else 0.1)


# ---- Decoded pixels --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tune", ["ycbcr", "people", "psnr"])
@pytest.mark.parametrize(("source", "progressive"), [("4:2:0", False), ("4:4:4", True), ("grey", False)])
def test_psnr_is_reached(source, progressive, tune):
    pixels, options = options_of(source)
    for psnr in (30.0, 36.0):
        file = encode(pixels, tune=tune, target=MatchPsnr(psnr), progressive=progressive, **options)
        assert psnr <= psnr_db(pixels, pillow_pixels(file.data)) <= psnr + 0.02


@pytest.mark.parametrize("tune", ["ssim", "ycbcr"])
@pytest.mark.parametrize("source", ["4:2:0", "grey"])
def test_ssim_is_reached(source, tune):
    pixels, options = options_of(source)
    for ssim in (0.85, 0.95):
        file = encode(pixels, tune=tune, target=MatchSsim(ssim), **options)
        assert ssim <= luminance_ssim(pixels, pillow_pixels(file.data)) <= ssim + 0.005 * (1 - ssim)


@pytest.mark.parametrize("source", ["4:2:0", "grey"])
def test_ssimulacra2_is_reached(source):
    pixels, options = options_of(source)
    file = encode(pixels, tune="people", target=MatchSsimulacra2(70), **options)
    assert 70 <= ssimulacra2(pixels, pillow_pixels(file.data)) <= 70.3
    assert file.nbytes < encode(pixels, tune="people", target=MatchSsimulacra2(80), **options).nbytes


@pytest.mark.parametrize("method", METHODS)
def test_distances_with_tables_of_a_method(method):
    psnr = encode(PHOTO, tune="ycbcr", target=MatchPsnr(33.0), method=method)
    assert 33 <= psnr_db(PHOTO, pillow_pixels(psnr.data)) <= 33.02
    ssim = encode(PHOTO, tune="ycbcr", target=MatchSsim(0.9), method=method)
    assert 0.9 <= luminance_ssim(PHOTO, pillow_pixels(ssim.data)) <= 0.9005


@pytest.mark.parametrize("source", ["4:2:0", "grey"])
@pytest.mark.parametrize("method", ["rdopt", "jpeg", "deepn", "optd"])
def test_distances_without_a_trellis(source, method):
    """Whole steps do not come as near; the tables of Annex K come in a hundred sizes."""
    pixels, options = options_of(source)
    for psnr in (31.0, 36.0):
        file = encode(pixels, target=MatchPsnr(psnr), method=method, **options)
        assert psnr <= psnr_db(pixels, pillow_pixels(file.data)) <= psnr + 0.3
    file = encode(pixels, target=MatchSsim(0.9), method=method, **options)
    assert 0.9 <= luminance_ssim(pixels, pillow_pixels(file.data)) <= 0.91
    with_trellis = encode(pixels, target=MatchPsnr(31.0), tune="ycbcr", **options)
    assert with_trellis.nbytes < encode(pixels, target=MatchPsnr(31.0), method=method, **options).nbytes


def test_opts_takes_a_profile():
    for effort in (2, 3):
        for target in (MatchPsnr(33.0), MatchSsim(0.9), MaxBytes(5000)):
            with pytest.raises(InvalidInputError, match="'opts' needs a sensitivity profile, got none"):
                encode(PHOTO, target=target, method="opts", effort=effort)
            encode(PHOTO, target=target, method="opts", effort=effort, profile=PROFILE)


# ---- Errors of coefficients ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", [None, PROFILE], ids=["equal", "profile"])
@pytest.mark.parametrize("source", ["4:2:0", "grey"])
def test_an_swe_is_approached_from_below(source, profile):
    pixels, options = options_of(source)
    original, weights = forward(pixels, "4:2:0"), EQUAL_WEIGHTS if profile is None else profile.normalized()
    default = swe_by_component(original, quantize(original, annex_k_tables(60)), weights)
    tune = profile or "ycbcr"
    for limit in (sum(default), 3 * sum(default)):
        file = encode(pixels, tune=tune, target=MatchSwe(limit), profile=profile, **options)
        assert 0.99 * limit <= sum(swe_by_component(original, file.coefficients, weights)) <= limit
    limits = 2 * default[0], 1.5 * sum(default[1:])
    file = encode(pixels, tune=tune, target=MatchSwe(limits[0], chroma=limits[1]), profile=profile, **options)
    luminance, *chrominance = swe_by_component(original, file.coefficients, weights)
    assert 0.995 * limits[0] <= luminance <= limits[0]
    assert source == "grey" or 0.995 * limits[1] <= sum(chrominance) <= limits[1]


@pytest.mark.parametrize("source", ["4:2:0", "4:4:4", "grey"])
@pytest.mark.parametrize("tune", ["ycbcr", "people"])
@pytest.mark.parametrize("quality", [30, 85])
def test_the_error_of_a_quality_is_matched(source, tune, quality):
    """The error that the tuning weighs, as far as decoders do not clip it, with fewer bytes."""
    pixels, options = options_of(source)
    original, clipped = forward(pixels, options.get("subsampling", "4:4:4")), clipped_luminance(pixels)
    criterion = tuning_for(tune).criterion(original)

    def seen(coded):
        return criterion.errors(original, coded, clipped.nearest(original, coded))

    default = encode(pixels, quality=quality, **options)
    limits = seen(quantize(original, annex_k_tables(quality)))
    for jointly in (False, True):
        file = encode(pixels, tune=tune, target=MatchQuality(quality, jointly=jointly), **options)
        errors = seen(file.coefficients)
        assert 0.99 * sum(limits) <= sum(errors) <= sum(limits)
        if not jointly:
            assert 0.99 * limits[0] <= errors[0] <= limits[0]
            assert sum(errors[1:]) <= sum(limits[1:])
        assert file.nbytes < 0.93 * default.nbytes


@pytest.mark.parametrize("method", METHODS[1:])
def test_errors_with_tables_of_a_method(method):
    original = forward(PHOTO, "4:2:0")
    file = encode(PHOTO, tune="ycbcr", target=MatchSwe(600.0), method=method)
    assert 597 <= sum(swe_by_component(original, file.coefficients, EQUAL_WEIGHTS)) <= 600
    encode(PHOTO, tune="ycbcr", target=MatchQuality(60, jointly=True), method=method)
    for target in (MatchQuality(60), MatchSwe(300.0, chroma=100.0)):
        with pytest.raises(InvalidInputError, match=f"matched apart without a method, got '{method}'"):
            encode(PHOTO, tune="ycbcr", target=target, method=method)


def test_targets_without_a_search_keep_their_tables():
    """The trellis saves bytes at the tables that the target stands for."""
    for target, method in ((WaterLevel(40.0), None), (Quality(70), None), (Quality(50), "deepn")):
        plain, chosen = (encode(PHOTO, target=target, method=method, tune=tune) for tune in (None, "ycbcr"))
        assert chosen.coefficients.tables == plain.coefficients.tables
        assert chosen.nbytes < 0.97 * plain.nbytes
    level = WaterLevel(0.05)
    plain, chosen = (encode(PHOTO, target=level, profile=PROFILE, effort=effort) for effort in (2, 3))
    assert chosen.coefficients.tables == plain.coefficients.tables
    assert chosen.nbytes < plain.nbytes


# ---- Impossible or wrong ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "what"),
    [
        (MaxBytes(100), r"MaxBytes\(nbytes=100\): a file size in bytes of at most 100, but the nearest .* is \d+"),
        (Bpp(0.001), r"Bpp\(bpp=0\.001\): a file size in bytes of at most 6, but"),
        (MatchPsnr(90.0), r"MatchPsnr\(psnr_db=90\.0\): a squared error of at most"),
        (MatchSsim(0.9999999), r"MatchSsim\(ssim=0\.9999999\): 1 - SSIM of at most"),
        (MatchSsimulacra2(99.99), r"MatchSsimulacra2\(score=99\.99\): 100 - SSIMULACRA2 of at most"),
        (MatchSwe(1e-6), r"MatchSwe\(swe=1e-06, chroma=None\): a weighted error of at most 1e-06, but"),
        (MatchSwe(500.0, chroma=1e-6), r"a weighted error of at most 1e-06, but"),
    ],
)
@pytest.mark.parametrize("progressive", [False, True])
def test_targets_that_cannot_be_met(target, what, progressive):
    with pytest.raises(TargetNotMetError, match=what):
        encode(PHOTO, tune="ycbcr", target=target, progressive=progressive)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
def test_an_error_tells_what_comes_nearest(subsampling):
    with pytest.raises(TargetNotMetError) as missed:
        encode(PHOTO, target=MatchPsnr(90.0), subsampling=subsampling, effort=2)
    nearest = re.search(r"reached is ([\d.]+)", str(missed.value))[1]
    assert float(nearest) == pytest.approx(missed.value.nearest)


@pytest.mark.parametrize("target", [MaxBytes(10_000_000), Bpp(60.0)])
def test_a_limit_beyond_all_files_gives_the_finest(target):
    file = encode(PHOTO, tune="ycbcr", target=target, subsampling="4:4:4")
    assert psnr_db(PHOTO, pillow_pixels(file.data)) > 49


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"dct": "exact"}, "dct exact rounds coefficients, so that effort 3 cannot optimize them; expected dct float"),
        ({"quality": 50, "target": Bpp(1.0)}, "quality and target exclude one another"),
        (
            {"tables": annex_k_tables(50), "target": Bpp(1.0)},
            "tables stay as they are with effort 3; expected",
        ),
        ({"quality": 101}, r"1\.\.100, got 101"),
        ({"profile": PROFILE}, "profile has no effect with tune; expected one of the two, or a target of weighted"),
        ({"method": "jpeg"}, r"method designs tables for a target such as target=Bpp\(1\.0\); got none"),
        ({"target": WaterLevel(1.0), "method": "jpeg"}, "method 'jpeg' takes a Quality or a target to search for"),
        ({"target": Quality(50), "method": "optd"}, "method 'optd' takes a WaterLevel or a target to search for"),
        ({"target": 5}, "a target such as .*, got 5"),
        ({"target": "1bpp"}, "a target such as .*, got '1bpp'"),
        ({"subsampling": "4:1:1"}, "subsampling is one of 4:4:4, .*; got '4:1:1'"),
        ({"threads": 0}, "threads is a whole number from 1 on, got 0"),
        ({"progressive": "yes"}, 'progressive is False, True or "smaller"'),
        ({"target": Bpp(1.0), "method": "best"}, "method is one of .*; got 'best'"),
    ],
)
def test_what_does_not_go_together(options, what):
    with pytest.raises(InvalidInputError, match=what):
        encode(PHOTO, **({"tune": "ycbcr"} | options))


@pytest.mark.parametrize("method", METHODS)
def test_what_the_coarsest_file_keeps_gives_that_file(method: str | None) -> None:
    """The search does not leave the tables that a method has."""
    photo = PHOTO[:48, :64]
    options = {"method": method, "tune": PROFILE}
    coarsest = encode(photo, target=MatchPsnr(3.0), **options)
    assert coarsest.nbytes < 300
    assert encode(photo, target=MatchPsnr(6.0), **options).data == coarsest.data
    with pytest.raises(TargetNotMetError, match="nearest that can be reached is"):
        encode(photo, target=MaxBytes(coarsest.nbytes // 2), **options)


@pytest.mark.parametrize("target", [MatchPsnr(35.0), MatchSsim(0.9)])
def test_distances_in_pixels_go_with_one_image(target):
    for source in (PHOTO, [PHOTO, PHOTO]):
        with pytest.raises(InvalidInputError, match=r"expected a target such as .*, got Match"):
            design_tables(source, target)


def test_ssim_of_an_image_that_is_too_small():
    with pytest.raises(InvalidInputError, match="at least 11 pixels on each side"):
        encode(PHOTO[:10], tune="ycbcr", target=MatchSsim(0.9))


# ---- Files in, files out ---------------------------------------------------------------------------------------------


def source_file(quality: int, **options: object) -> CoefficientImage:
    image = read_jpeg(pillow_jpeg(picture(200, 150), quality=quality, **options))
    metadata = Metadata(icc_profile=b"profile" * 20, exif=b"II*\0" + bytes(20), density=(1, 72, 72))
    return CoefficientImage(200, 150, image.components, image.tables, metadata, 4)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
@pytest.mark.parametrize("quality", [5, 50, 95])
def test_a_file_keeps_its_own_tables(quality, subsampling, tmp_path):
    image = source_file(quality, subsampling=subsampling)
    file = encode(image, tune="ycbcr")
    written = file.coefficients
    assert written.tables == image.tables
    assert (written.metadata, written.restart_interval) == (image.metadata, 4)
    assert file.nbytes < 0.99 * encode(image).nbytes
    for ours, theirs in zip(written.components, libjpeg_coefficients(file.data, tmp_path), strict=True):
        np.testing.assert_array_equal(ours.blocks, theirs)
    for before, after in zip(image.components, written.components, strict=True):
        assert (np.abs(after.blocks.reshape(-1, 64)[:, 1:]) <= np.abs(before.blocks.reshape(-1, 64)[:, 1:])).all()
    bare = encode(image, tune="ycbcr", metadata=False, restart_interval=0).coefficients
    assert (bare.metadata, bare.restart_interval) == (Metadata(), 0)


@pytest.mark.parametrize(("quality", "progressive"), [(5, False), (5, True), (50, True), (95, False)])
def test_files_are_transcoded_to_a_target(quality, progressive):
    image = source_file(quality)
    decoded = pillow_pixels(encode(image).data)
    size = encode(image, progressive=progressive).nbytes
    limit = int(0.8 * size)
    file = encode(image, tune="ycbcr", target=MaxBytes(limit), progressive=progressive)
    # coefficients of a coarse file are multiples of large steps, which other tables take all at once or not
    assert (0.995 if quality > 5 else 0.7) * limit <= file.nbytes <= limit
    assert file.coefficients.metadata == image.metadata
    assert file.coefficients.restart_interval == 4
    file = encode(image, tune="ycbcr", target=MatchPsnr(31.0), progressive=progressive)
    reached = psnr_db(decoded, pillow_pixels(file.data))
    assert reached >= 31
    assert reached <= 31.2 or quality == 5
    file = encode(image, tune="ycbcr", target=MatchSsim(0.9), progressive=progressive)
    similarity = luminance_ssim(decoded, pillow_pixels(file.data))
    assert similarity >= 0.9
    assert similarity <= 0.902 or quality == 5


def test_a_quality_for_a_file():
    image = source_file(95)
    sizes = [encode(image, tune="ycbcr", quality=quality).nbytes for quality in (20, 50, 80)]
    assert sizes == sorted(sizes)
    assert sizes[-1] < encode(image, quality=80).nbytes


@pytest.mark.parametrize("quality", [20, 95])
def test_a_grey_file(quality):
    image = read_jpeg(pillow_jpeg(picture(150, 100, "L"), quality=quality))
    assert encode(image, tune="ycbcr").nbytes < encode(image).nbytes
    limit = int(0.7 * encode(image).nbytes)
    assert 0.99 * limit <= encode(image, tune="people", target=MaxBytes(limit)).nbytes <= limit


def test_files_have_no_pixels_to_fit_chrominance_to():
    image = source_file(80)
    by_components, of_rgb = (encode(image, tune=tune).data for tune in ("ycbcr", "psnr"))
    assert of_rgb == by_components
