"""What is chosen for a network: on a sample, verified on other pictures, and against what is tried by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from optcodec import InvalidInputError, encode, load_profile
from optcodec.accuracy.change import change_of
from optcodec.accuracy.classifier import Classifier
from optcodec.accuracy.verification import Figure, Verification, verification_of
from optcodec.fit.bench import Bench, Point
from optcodec.fit.limits import FitLimits
from optcodec.fit.run import Choices, Fit, fit_plan, split
from optcodec.fit.verdict import described, verdict_of
from optcodec.fit.ways import DEFAULT_JPEG, Setting, Way, network_ways, profile_ways, psnr_way
from optcodec.pictures.pixels import load_picture
from optcodec.vision.datasets import LabelledImage
from tests.accuracy_helpers import photographs
from tests.peers import pillow_pixels

QUALITIES = (10, 30, 50, 70, 90)
LIMITS = FitLimits(max_kl=0.012)


PATTERNS = np.random.default_rng(11).normal(size=(64 * 64 * 3, 60))


def outputs(pixels: np.ndarray) -> np.ndarray:
    """Logits of sixty classes: products of the pixels with random patterns, at any size."""
    rows, columns = (np.arange(64) * side // 64 for side in pixels.shape[:2])
    return (pixels[rows][:, columns] / 255 - 0.5).ravel() @ PATTERNS / 20


NETWORK = Classifier("patterns", outputs)


@pytest.fixture
def pictures(tmp_path: Path) -> tuple[list[LabelledImage], list[LabelledImage]]:
    images = [LabelledImage(image.path, None) for image in photographs(tmp_path, 6)]
    return images[:3], images[3:]


def fitted(pictures: Any, ways: list[Way], limits: FitLimits = LIMITS, **options: Any) -> Fit:
    choices = Choices(ways, **{"samplings": ("4:2:0",), "short_sides": (None,), "qualities": QUALITIES, **options})
    return fit_plan(Bench(NETWORK), pictures, choices, limits)


def by_hand(images: list[LabelledImage], **arguments: Any) -> Verification:
    changes = []
    for image in images:
        data, original = encode(image.path, **arguments).data, np.asarray(Image.open(image.path))
        sizes = image.path.stat().st_size, len(data)
        changes.append(change_of(NETWORK, image.path.name, (original, pillow_pixels(data)), sizes))
    return verification_of(changes)


# ---- What is chosen --------------------------------------------------------------------------------------------------


def test_the_fewest_bytes_that_keep_the_limit_are_chosen(pictures: Any) -> None:
    fit = fitted(pictures, [psnr_way()])
    kept: list[tuple[int, str, int]] = []
    for name, arguments in {"default JPEG": {}, "psnr with trellis": {"tune": "psnr"}}.items():
        for quality in QUALITIES:
            found = by_hand(pictures[0], quality=quality, **arguments)
            if found.kl.value <= 0.012:
                kept.append((found.nbytes_after, name, quality))
    nbytes, name, quality = min(kept)
    assert fit.chosen is not None
    assert (fit.chosen.setting.way.name, fit.chosen.quality) == (name, quality)
    assert name == "psnr with trellis"
    assert min(point.nbytes for point in fit.points if point.verification.kl.value <= 0.012) == nbytes


def test_figures_are_those_of_other_pictures(pictures: Any) -> None:
    fit = fitted(pictures, [psnr_way()])
    assert fit.chosen is not None
    assert fit.default_jpeg is not None
    expected = by_hand(pictures[1], quality=fit.chosen.quality, tune="psnr")
    assert fit.chosen.verification == expected
    assert fit.default_jpeg.verification == by_hand(pictures[1], quality=fit.default_jpeg.quality)
    plain = {quality: by_hand(pictures[1], quality=quality) for quality in QUALITIES}
    assert fit.default_jpeg.quality == min(quality for quality in QUALITIES if plain[quality].kl.value <= 0.012)
    pixels = sum(np.asarray(Image.open(image.path)).shape[0] ** 2 for image in pictures[1])
    assert fit.chosen.bpp == 8 * expected.nbytes_after / pixels


def test_what_fails_on_other_pictures_is_not_chosen(pictures: Any) -> None:
    """What is best on the sample spoils the other pictures, so that the next one is taken."""
    way = psnr_way()

    class Spoiling(Bench):
        def point(self, setting: Setting, quality: int, originals: Any) -> Point:
            is_spoiled = setting.way is way and originals[0].path == pictures[1][0].path
            point = super().point(setting, 1 if is_spoiled else quality, originals)
            return replace(point, quality=quality)

    fit = fit_plan(Spoiling(NETWORK), pictures, Choices([way], ("4:2:0",), (None,), QUALITIES), LIMITS)
    assert [(point.setting.way, LIMITS.are_kept(point.verification)) for point in fit.verified] == [
        (way, False),
        (DEFAULT_JPEG, True),
    ]
    assert fit.chosen is fit.verified[1]
    text = verdict_of(fit, LIMITS)
    assert text.startswith("4:2:0, default JPEG, quality 50, ")
    assert text.endswith(
        "; 1 with fewer bytes kept it on the sample only, so that more pictures to choose by would help"
    )
    assert "against default JPEG" not in text


def test_all_that_keeps_the_limits_on_the_sample_is_tried(pictures: Any) -> None:
    """However many there are; where all fail on the other pictures, nothing is chosen."""
    limits = FitLimits(max_kl=0.5)
    qualities = (20, 25, 30, 35, 40, 90)

    class Spoiling(Bench):
        def point(self, setting: Setting, quality: int, originals: Any) -> Point:
            point = super().point(setting, quality, originals)
            if originals[0].path == pictures[1][0].path and quality < 90:
                return replace(point, verification=replace(point.verification, kl=Figure(1.0, 1.0, 1.0)))
            return point

    fits = [
        fit_plan(Spoiling(NETWORK), pictures, Choices([psnr_way()], ("4:2:0",), (None,), part), limits)
        for part in (qualities, qualities[-1:])
    ]
    assert fits[0].chosen is None  # 90 was not measured, since less was enough
    assert len(fits[0].verified) > 3
    assert {point.verification.kl.value for point in fits[0].verified} == {1.0}
    text = verdict_of(fits[0], limits)
    assert text.startswith("nothing that keeps a divergence of 0.5 nats on the sample keeps it on the other pictures; ")
    assert fits[1].chosen is not None
    assert len(fits[1].verified) == 1


def test_without_anything_within_the_limits_the_nearest_is_told(pictures: Any) -> None:
    limits = FitLimits(max_kl=1e-9)
    fit = fitted(pictures, [psnr_way()], limits)
    assert (fit.chosen, fit.default_jpeg, fit.verified) == (None, None, ())
    assert fit.nearest.verification.kl.value == min(point.verification.kl.value for point in fit.points)
    text = verdict_of(fit, limits)
    assert text.startswith("nothing keeps a divergence of 1e-09 nats; the nearest on the sample is 4:2:0, ")
    assert f", quality {fit.nearest.quality}, " in text
    assert " bpp: top-1 " in text


def test_smaller_pictures_are_tried_where_they_are_larger(pictures: Any) -> None:
    fit = fitted(pictures, [DEFAULT_JPEG], FitLimits(max_kl=10.0), short_sides=(None, 48, 64))
    assert {point.setting.short_side for point in fit.points} == {None, 48}  # all are 64 pixels high
    assert fit.chosen is not None
    assert (fit.chosen.setting.short_side, fit.chosen.quality) == (48, 10)
    small = [load_picture(image.path) for image in pictures[1]]
    assert fit.chosen.nbytes == sum(Setting(DEFAULT_JPEG, "4:2:0", 48).encoded(one, 10).nbytes for one in small)
    assert fit.default_jpeg.setting.short_side is None


def test_a_network_is_in_the_loop_with_what_is_best_without_it(pictures: Any) -> None:
    def reader(original: np.ndarray) -> Any:
        def reading(decoded: np.ndarray) -> tuple[float, np.ndarray]:
            difference = decoded.astype(np.float32) - original
            return float((difference**2).mean()), 2 * difference / difference.size

        return reading

    ways = [psnr_way(), *network_ways(reader, load_profile("generic"), {"network": ["mine"]}, [0, 2])]
    options = {"samplings": ("4:4:4", "4:2:0"), "short_sides": (None, 48)}
    fit = fitted(pictures, ways, FitLimits(max_kl=0.02), **options)
    quick = [point for point in fit.points if not point.setting.way.is_loop]
    kept = [point for point in quick if point.verification.kl.value <= 0.02]
    best = min((point for point in kept if point.setting.subsampling == "4:2:0"), key=lambda point: point.nbytes)
    loops = {point.setting for point in fit.points if point.setting.way.is_loop}
    assert {(loop.subsampling, loop.short_side) for loop in loops} == {("4:2:0", best.setting.short_side)}
    assert sorted(loop.options(30).get("rounds") for loop in loops) == [0, 2]
    anywhere = network_ways(reader, None, {}, [0])
    fit = fitted(pictures, [psnr_way(), *anywhere], FitLimits(max_kl=0.02), **options)
    best = min(
        (point for point in fit.points if point.verification.kl.value <= 0.02 and not point.setting.way.is_loop),
        key=lambda point: point.nbytes,
    )
    (loop,) = {point.setting for point in fit.points if point.setting.way.is_loop}
    assert (loop.subsampling, loop.short_side) == (best.setting.subsampling, best.setting.short_side)


def test_the_number_of_threads_changes_nothing(pictures: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def run(label: str, paths: Any, work: Any) -> Any:
        with ThreadPoolExecutor(3) as pool:
            return list(pool.map(work, range(len(paths)))), []

    choices = Choices([psnr_way()], ("4:2:0",), (None,), QUALITIES)
    fits = [fit_plan(bench, pictures, choices, LIMITS) for bench in (Bench(NETWORK), Bench(NETWORK, run=run))]
    figures = [[(point.quality, point.verification) for point in (*fit.points, *fit.verified)] for fit in fits]
    assert figures[0] == figures[1]
    assert verdict_of(fits[0], LIMITS) == verdict_of(fits[1], LIMITS)


def test_a_way_that_cannot_code_a_picture_is_left_out(pictures: Any) -> None:
    def reader(original: np.ndarray) -> Any:
        raise InvalidInputError("the network does not take pictures of 64x64 pixels")

    fit = fitted(pictures, network_ways(reader, load_profile("generic"), {}, [0]))
    (point,) = [point for point in fit.points if point.setting.way.is_loop]
    assert point.problem == f"{pictures[0][0].path}: the network does not take pictures of 64x64 pixels"
    assert fit.chosen is not None
    assert fit.chosen.setting.way is DEFAULT_JPEG


def test_profiles_are_tried_at_their_own_sampling(pictures: Any) -> None:
    ways = [way for name in ("generic", "mobilenet_v2") for way in profile_ways(name, load_profile(name))]
    assert [way.subsampling for way in ways] == ["4:2:0"] * 3 + ["4:4:4"] * 3
    fit = fitted(pictures, ways, FitLimits(max_kl=9), samplings=("4:4:4", "4:2:0"), qualities=(20,))
    tried = [(point.setting.subsampling, point.setting.way.name) for point in fit.points]
    assert tried == [
        ("4:2:0", "default JPEG"),
        ("4:2:0", "dnn:generic"),
        ("4:2:0", "dnn:generic with trellis"),
        ("4:2:0", "dnn:generic for a crop"),
        ("4:4:4", "dnn:mobilenet_v2"),
        ("4:4:4", "dnn:mobilenet_v2 with trellis"),
        ("4:4:4", "dnn:mobilenet_v2 for a crop"),
    ]


def test_the_verdict_is_a_line(pictures: Any) -> None:
    fit = fitted(pictures, [psnr_way()])
    text = verdict_of(fit, LIMITS)
    assert fit.default_jpeg is not None
    change = 100 * (fit.chosen.nbytes / fit.default_jpeg.nbytes - 1)
    assert text.startswith(f"{described(fit.chosen)}: {change:+.0f} % bytes against default JPEG (quality ")
    saved, points, kl = (
        getattr(fit.chosen.verification, name) for name in ("saved_percent", "agreement_percent", "kl")
    )
    assert f"{-saved.value:+.0f} % bytes against the pictures as they are, " in text
    interval = f"[{points.low - 100:+.1f}, {points.high - 100:+.1f}]"
    assert f"top-1 {points.value - 100:+.1f} {interval} points" in text
    assert f"divergence {kl.value:.3g} [{kl.low:.3g}, {kl.high:.3g}] nats" in text
    assert kl.value < 0.012 < kl.high
    assert text.endswith(" nats, whose interval exceeds the limit")
    assert verdict_of(fit, FitLimits(max_kl=kl.high)).endswith(f"{kl.high:.3g}] nats")
    assert "\n" not in text


# ---- Pictures --------------------------------------------------------------------------------------------------------


def test_the_sample_and_the_others_have_no_picture_in_common() -> None:
    images = [LabelledImage(Path(f"{number}.png"), None) for number in range(11)]
    sample, others = split(images, 4, 5, 0)
    assert (len(sample), len(others)) == (4, 5)
    assert not set(sample) & set(others)
    assert split(images, 4, 5, 0) == (sample, others)
    assert split(images, 4, 5, 1) != (sample, others)
    few, rest = split(images, 100, 400, 0)
    assert (len(few), len(rest)) == (5, 6)
    assert [len(part) for part in split(images[:2], 100, 400, 0)] == [1, 1]
    with pytest.raises(InvalidInputError, match="expected at least 2 pictures, one to choose by and one to verify, go"):
        split(images[:1], 1, 1, 0)


def test_pictures_that_cannot_be_used_are_listed(pictures: Any, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_text("no picture")
    wrong = LabelledImage(pictures[0][0].path, 60)
    parts = ([*pictures[0], LabelledImage(tmp_path / "broken.png", None)], [*pictures[1], wrong])
    fit = fitted(parts, [])
    assert [path.name for path, _ in fit.failures] == ["broken.png", wrong.path.name]
    assert "the label is one of the classes 0..59 of the network, got 60" in fit.failures[1][1]
    assert fit.points[0].verification.images == 3
    with pytest.raises(InvalidInputError, match=r"none of the pictures can be used: .*broken\.png: not an image file"):
        fitted((pictures[0], parts[0][3:]), [])
