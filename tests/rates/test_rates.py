"""Rates: what senders and readers make of a picture is what one gets by hand, whatever a target asks for."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from pathlib import Path

import bjontegaard
import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

import optcodec
from optcodec.errors import InvalidInputError, TargetNotMetError
from optcodec.metrics import luminance_ssim, psnr_db
from optcodec.peers.encoders import PEERS, encode_turbo
from optcodec.rates import (
    DECODED,
    MEASURES,
    Curve,
    Experiment,
    Failed,
    Measure,
    OptcodecSender,
    Original,
    Part,
    PeerSender,
    Rate,
    Reader,
    Row,
    decoded,
    judge_by,
    load_measures,
    measure_rates,
    peer_sender,
    result_of,
)
from optcodec.rates.summary import bd_rates, points
from optcodec.targets import MatchPsnr, MatchSsim, MaxBytes, Quality, WaterLevel
from tests.cli_helpers import photograph, save
from tests.rates_helpers import folder_of

JPEG = PeerSender("jpeg", encode_turbo)
TRELLIS = OptcodecSender("trellis", {"effort": 3, "tune": "ycbcr"})
PICTURE = photograph(72, 88)


def originals(folder: Path) -> list[Original]:
    return [Original(folder.name, path.name, path) for path in sorted(folder.iterdir())]


def experiment(*rates: Rate, senders: tuple = (JPEG,), **changes: object) -> Experiment:
    judge = judge_by(load_measures(["psnr", "ssim"]))
    return Experiment(senders, rates, **({"judge": judge} | changes))


# ---- Senders and rates ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("pixels", [PICTURE, PICTURE[..., 0]], ids=["colour", "gray"])
def test_peers_meet_targets_by_whole_qualities(name: str, pixels: np.ndarray) -> None:
    """As a search over all qualities does it."""
    sender = peer_sender("x", name)
    files = {quality: PEERS[name](pixels, "4:2:0", quality) for quality in range(1, 101)}
    assert sender.encode(pixels, "4:2:0", Quality(37)) == files[37]
    limit = len(files[60])
    assert len(sender.encode(pixels, "4:2:0", MaxBytes(limit))) == max(
        len(data) for data in files.values() if len(data) <= limit
    )
    wanted = psnr_db(pixels, decoded(files[50])) - 1e-9
    chosen = sender.encode(pixels, "4:2:0", MatchPsnr(wanted))
    assert psnr_db(pixels, decoded(chosen)) >= wanted
    # not all that few bytes more, since the PSNR does not rise with each step of the quality
    assert len(chosen) <= min(len(data) for number, data in files.items() if number >= 54)
    with pytest.raises(TargetNotMetError, match="at most 20"):
        sender.encode(pixels, "4:2:0", MaxBytes(20))


def test_a_likeness_by_ssim() -> None:
    wanted = luminance_ssim(PICTURE, decoded(encode_turbo(PICTURE, "4:2:0", 40)))
    data = JPEG.encode(PICTURE, "4:2:0", MatchSsim(wanted - 1e-9))
    assert luminance_ssim(PICTURE, decoded(data)) >= wanted - 1e-6
    assert len(data) <= len(encode_turbo(PICTURE, "4:2:0", 40))
    with pytest.raises(InvalidInputError, match="expected Quality, MaxBytes, MatchPsnr or MatchSsim"):
        JPEG.encode(PICTURE, "4:2:0", WaterLevel(0.1))


@pytest.mark.parametrize(
    ("arguments", "target"),
    [
        ({"effort": 3, "tune": "ycbcr"}, MaxBytes(2500)),
        ({"effort": 3, "tune": "ycbcr"}, MatchPsnr(33)),
        ({"effort": 2}, MaxBytes(2500)),
    ],
)
def test_our_own_files_are_those_of_encode(arguments: dict, target: optcodec.Target) -> None:
    expected = optcodec.encode(PICTURE, target=target, subsampling="4:4:4", **arguments).data
    assert OptcodecSender("x", arguments).encode(PICTURE, "4:4:4", target) == expected


def test_our_own_files_of_a_quality() -> None:
    for arguments in ({"effort": 1}, {"effort": 2}, {"effort": 3}):
        expected = optcodec.encode(PICTURE, quality=60, subsampling="4:2:0", **arguments).data
        assert OptcodecSender("x", arguments).encode(PICTURE, "4:2:0", Quality(60)) == expected
    one = OptcodecSender("x", {"effort": 1})  # which has no targets of its own
    limit = len(one.encode(PICTURE, "4:2:0", Quality(60)))
    assert one.encode(PICTURE, "4:2:0", MaxBytes(limit)) == one.encode(PICTURE, "4:2:0", Quality(60))
    method = OptcodecSender("x", {"effort": 2, "method": "jpeg"})
    assert method.encode(PICTURE, "4:2:0", Quality(60)) == one.encode(PICTURE, "4:2:0", Quality(60))


def test_a_sampling_of_its_own() -> None:
    sender = OptcodecSender("x", {"effort": 1, "subsampling": "4:4:4"})
    assert (
        sender.encode(PICTURE, "4:2:0", Quality(60)) == optcodec.encode(PICTURE, quality=60, subsampling="4:4:4").data
    )


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("bytes", 0, "a value of bytes is a finite number above 0, got 0"),
        ("quality", 101, "quality .* 101"),
        ("quality", 30.5, "quality .* 30.5"),
        ("ssim", 1, "an SSIM to match lies below 1"),
        ("bpp", math.nan, "a value of bpp is a finite number"),
        ("vmaf", 1, "a kind of rate is one of bpp, bytes, psnr, ssim, quality; got 'vmaf'"),
    ],
)
def test_rates_that_are_none(kind: str, value: float, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        Rate(kind, value)


# ---- Rows -----------------------------------------------------------------------------------------------------------


def test_a_row_measured_by_hand(tmp_path: Path) -> None:
    """Encoded, decoded and measured with Pillow and scikit-image alone."""
    (original,) = originals(folder_of(tmp_path, 1))
    part = experiment(Rate("quality", 40), senders=(JPEG, TRELLIS))(original, gray=False)
    pixels, file = np.asarray(Image.open(original.path)), io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=40, optimize=True, subsampling="4:2:0")
    row = part.rows[0]
    assert (row.set, row.image, row.curve) == ("photos", "0.png", Curve("jpeg", "jpeg", 0.0))
    assert row.nbytes == len(file.getvalue())
    assert row.bpp == 8 * row.nbytes / (72 * 88)
    expected = peak_signal_noise_ratio(pixels, np.asarray(Image.open(file)))
    assert row.measures["psnr"] == pytest.approx(expected, abs=1e-5)
    assert [row.curve.sender for row in part.rows] == ["jpeg", "trellis"]
    assert part.failures == ()


@pytest.mark.parametrize(
    ("rate", "limit"),
    [(Rate("bpp", 2), 2 * 72 * 88 // 8), (Rate("bytes", 50), None)],
)
def test_no_file_is_larger_than_the_rate(tmp_path: Path, rate: Rate, limit: int | None) -> None:
    run = experiment(rate, senders=(JPEG, TRELLIS, OptcodecSender("tables", {"effort": 2})), reference=JPEG)
    for original in originals(folder_of(tmp_path, 2)):
        pixels = np.asarray(Image.open(original.path))
        most = limit or len(encode_turbo(pixels, "4:2:0", 50))
        sizes = [row.nbytes for row in run(original, gray=False).rows]
        assert len(sizes) == 3
        assert all(0.93 * most < size <= most for size in sizes), (sizes, most)


def test_rows_survive_json() -> None:
    row = Row("s", "a.png", Curve("jpeg", "default", 5.0), Rate("bpp", 0.25), 99, 0.3, {"psnr": math.inf, "ssim": 1.0})
    assert Row.from_json(row.to_json()) == row
    assert row.to_json()["measures"] == {"psnr": None, "ssim": 1.0}
    for failed in (Failed("why"), Failed("why", "s", "a", "jpeg", "default, sigma 5", Rate("psnr", 30))):
        assert Failed.from_json(failed.to_json()) == failed


def test_readers_get_every_file(tmp_path: Path) -> None:
    (original,) = originals(folder_of(tmp_path, 1))
    seen = []

    def read(data: bytes, name: str) -> np.ndarray:
        seen.append((data, name))
        return 255 - decoded(data)

    shown: list[tuple[Rate, float, list[str]]] = []

    def show(original: Original, pixels: np.ndarray, rate: Rate, sigma: float, pictures: Mapping) -> None:
        shown.append((rate, sigma, [str(curve) for curve in pictures]))

    rates = (Rate("quality", 20), Rate("quality", 60))
    readers = (DECODED, Reader("inverted", 3.0, read))
    part = experiment(*rates, readers=readers, show=show)(original, gray=False)
    pixels = np.asarray(Image.open(original.path))
    assert [data for data, _ in seen] == [encode_turbo(pixels, "4:2:0", quality) for quality in (20, 60)]
    assert {name for _, name in seen} == {"photos/0.png"}
    assert [str(row.curve) for row in part.rows] == ["jpeg -> jpeg", "jpeg -> inverted, sigma 3"] * 2
    assert part.rows[1].measures["psnr"] == psnr_db(pixels, 255 - decoded(seen[0][0]))
    assert shown == [
        (rate, sigma, [curve])
        for rate in rates
        for sigma, curve in ((0.0, "jpeg -> jpeg"), (3.0, "jpeg -> inverted, sigma 3"))
    ]


def test_bad_experiments_are_refused() -> None:
    rate = Rate("quality", 20)
    for arguments, message in (
        ({"senders": (JPEG, JPEG)}, "expected senders that are all different, at least one; got jpeg, jpeg"),
        ({"senders": ()}, "expected senders .* got $"),
        ({"readers": (DECODED, DECODED)}, "expected receivers that are all different"),
        ({"subsampling": "4:1:0"}, "4:1:0"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            experiment(rate, **arguments)
    with pytest.raises(InvalidInputError, match="expected rates"):
        experiment(rate, rate)
    with pytest.raises(InvalidInputError, match="got none"):
        experiment(Rate("bytes", 20))


# ---- Runs -----------------------------------------------------------------------------------------------------------


def test_a_run_that_was_interrupted_continues(tmp_path: Path) -> None:
    pictures = originals(folder_of(tmp_path, 4))
    run = experiment(Rate("quality", 20), Rate("bpp", 0.001), senders=(JPEG, TRELLIS))
    partial = tmp_path / "partial"
    whole = measure_rates(run, pictures, partial=tmp_path / "other", about={}, workers=2)
    assert len(whole.rows) == len(whole.failures) == 8

    def stop_after_two(done: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_rates(run, pictures, partial=partial, about={"a": 1}, workers=1, progress=stop_after_two)
    counts: list[int] = []
    with pytest.raises(InvalidInputError, match="another run, with a different a"):
        measure_rates(run, pictures, partial=partial, about={"a": 2})
    again = measure_rates(run, pictures, partial=partial, about={"a": 1}, workers=1, progress=counts.append)
    assert counts == [2, 3, 4]
    assert again == whole


def test_a_run_needs_pictures_with_names(tmp_path: Path) -> None:
    (picture,) = originals(folder_of(tmp_path, 1))
    for pictures, message in (([], "at least one; got none"), ([picture, picture], "got photos/0.png")):
        with pytest.raises(InvalidInputError, match=message):
            measure_rates(experiment(Rate("quality", 20)), pictures, partial=tmp_path / "p", about={})


def test_gray_pictures_are_a_set_of_their_own(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, 2)
    save(folder / "9.png", PICTURE[..., 0])
    save(tmp_path / "gray" / "a.png", PICTURE[..., 0])
    save(tmp_path / "gray" / "b.png", PICTURE)
    pictures = [*originals(folder), *originals(tmp_path / "gray")]
    part = measure_rates(experiment(Rate("quality", 50)), pictures, partial=tmp_path / "p", about={}, workers=1)
    assert [(row.set, row.image) for row in part.rows] == [("photos", "0.png"), ("photos", "1.png"), ("gray", "a.png")]
    reasons = {(failed.set, failed.image): failed.reason for failed in part.failures}
    expected = "expected one kind, whose measures can be averaged"
    assert reasons == {
        ("photos", "9.png"): f"it is gray, the first picture of photos is in colour; {expected}",
        ("gray", "b.png"): f"it is in colour, the first picture of gray is gray; {expected}",
    }


# ---- Summaries ------------------------------------------------------------------------------------------------------


def synthetic(gain: float, sender: str, images: int = 5) -> list[Row]:
    """Rows of curves like those of a sender that needs ``gain`` of the bytes of another."""
    rows = []
    for image in range(images):
        for step, nbytes in enumerate((1000, 1700, 2900, 5100)):
            psnr = 26 + 4 * step + image / 3 + 0.1 * step * step
            size = round(nbytes * gain * (1 + image / 100))
            decision = {"top1_percent": 100.0 if (image + step) % 4 else 0.0, "loss": 2 - 0.4 * step - image / 20}
            curve = Curve(sender, "jpeg", 0.0)
            rows.append(
                Row("s", str(image), curve, Rate("quality", 10 + step), size, size / 800, {"psnr": psnr} | decision)
            )
    return rows


def test_bd_rates_are_means_of_those_of_the_package() -> None:
    rows = synthetic(1, "jpeg") + synthetic(0.8, "better")
    (record,) = bd_rates(rows, lambda curve: [Curve("jpeg", "jpeg", 0.0)], {"psnr": MEASURES["psnr"]})
    values = []
    for image in range(5):
        sides = []
        for sender in ("jpeg", "better"):
            own = [row for row in rows if (row.image, row.curve.sender) == (str(image), sender)]
            sides += [[row.nbytes for row in own], [row.measures["psnr"] for row in own]]
        values.append(bjontegaard.bd_rate(*sides, method="pchip", require_matching_points=False, min_overlap=0))
    assert record["value"] == pytest.approx(np.mean(values), rel=1e-9)
    assert record["low"] <= record["value"] <= record["high"]
    assert (record["images"], record["not_comparable"], record["measure"]) == (5, 0, "psnr")
    assert record["against"] == {"sender": "jpeg", "receiver": "jpeg"}
    assert record["value"] == pytest.approx(-20, abs=0.1)


def test_a_measure_that_falls_is_compared_by_the_curves_of_means() -> None:
    rows = synthetic(1, "jpeg") + synthetic(0.5, "better")
    measures = {"loss": Measure("loss", 2, rises=False, per_image=False)}
    (record,) = bd_rates(rows, lambda curve: [Curve("jpeg", "jpeg", 0.0)], measures)
    assert record["value"] == pytest.approx(-50, abs=0.2)
    assert record["images"] == 5
    fewer = [row for row in rows if (row.image, row.curve.sender, row.rate.value) != ("2", "better", 11)]
    (record,) = bd_rates(fewer, lambda curve: [Curve("jpeg", "jpeg", 0.0)], measures)
    assert (record["images"], record["not_comparable"]) == (4, 1)


def test_curves_that_cannot_be_compared_say_why() -> None:
    rows = synthetic(1, "jpeg") + [row for row in synthetic(1, "short") if row.rate.value < 12]
    (record,) = bd_rates(rows, lambda curve: [Curve("jpeg", "jpeg", 0.0)], {"psnr": MEASURES["psnr"]})
    assert (record["value"], record["images"], record["not_comparable"]) == (None, 0, 5)
    assert record["reason"] == "2 different qualities on a curve; expected at least 3"


def test_points_are_means_and_equal_pictures_are_counted() -> None:
    rows = synthetic(1, "jpeg")
    exact = [
        Row(row.set, row.image, row.curve, row.rate, row.nbytes, row.bpp, dict(row.measures) | {"psnr": math.inf})
        if row.image == "0"
        else row
        for row in rows
    ]
    record = points(exact)[0]
    assert (record["images"], record["exact"], record["rate"]) == (5, 1, {"kind": "quality", "value": 10.0})
    mean = np.mean([row.measures["psnr"] for row in exact if row.rate.value == 10 and row.image != "0"])
    assert record["measures"]["psnr"]["value"] == pytest.approx(mean)
    assert record["bpp"]["value"] == pytest.approx(np.mean([row.bpp for row in rows if row.rate.value == 10]))
    lost = [Row(r.set, r.image, r.curve, r.rate, r.nbytes, r.bpp, {"psnr": math.inf}) for r in rows]
    figure = points(lost)[0]["measures"]["psnr"]
    assert (figure["value"], figure["reason"]) == (None, "it is infinite for all images")


def test_several_sets_are_also_one() -> None:
    rows = synthetic(1, "jpeg", 2)
    other = [Row("t", r.image, r.curve, r.rate, r.nbytes, r.bpp, r.measures) for r in rows]
    records = points(rows + other)
    assert list(dict.fromkeys(record["set"] for record in records)) == ["s", "t", "all"]
    assert records[-1]["images"] == 4
    union = [Row("all", r.image, r.curve, r.rate, r.nbytes, r.bpp, r.measures) for r in rows]
    with pytest.raises(InvalidInputError, match="'all' names the union of all sets"):
        points(rows + union)


def test_both_anchors() -> None:
    rows = [
        Row(r.set, r.image, Curve(sender, receiver, 0.0), r.rate, r.nbytes, r.bpp, {"psnr": r.measures["psnr"] + gain})
        for sender, receiver, gain in (("a", "plain", 0), ("a", "net", 1), ("b", "plain", 2), ("b", "net", 2.5))
        for r in synthetic(1, "x", 2)
    ]
    senders = (PeerSender("a", encode_turbo), PeerSender("b", encode_turbo))
    run = experiment(Rate("quality", 10), senders=senders)
    document = result_of(run, Part(tuple(rows), ()), {"psnr": MEASURES["psnr"]}, anchor="a", plain="plain")
    pairs = [(r["sender"], r["receiver"], r["against"]["receiver"]) for r in document["bd_rates"]]
    assert pairs == [("a", "net", "plain"), ("b", "plain", "plain"), ("b", "net", "plain"), ("b", "net", "net")]
    assert all(record["value"] < 0 for record in document["bd_rates"])
