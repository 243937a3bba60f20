"""Rows of pictures: what senders and readers make of them is what one gets by hand; and runs of many pictures."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from optcodec.errors import InvalidInputError
from optcodec.metrics import psnr_db
from optcodec.peers.encoders import encode_turbo
from optcodec.rates import (
    DECODED,
    Curve,
    Experiment,
    Failed,
    OptcodecSender,
    Original,
    PeerSender,
    Rate,
    Reader,
    Row,
    decoded,
    judge_by,
    load_measures,
    measure_rates,
)
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
    with pytest.raises(InvalidInputError, match="another run, with other a"):
        measure_rates(run, pictures, partial=partial, about={"a": 2})
    again = measure_rates(run, pictures, partial=partial, about={"a": 1}, workers=1, progress=counts.append)
    assert counts == [1, 2, 3, 4]
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
