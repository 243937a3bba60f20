"""How images are restored: the settings, their errors, the strength, and where an earlier coding comes from."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import optcodec
from optcodec import InvalidInputError
from restore import restore_image
from restore.runtime.context import Context
from restore.runtime.decode import Received, receive
from restore.runtime.earlier import EarlierCoding
from restore.runtime.image import decode_image
from restore.runtime.infer import restored_image
from restore.runtime.models import Model
from restore.runtime.settings import Settings, earlier_finder
from tests.receiver_helpers import calling, jpeg

FOUND = EarlierCoding(np.full((2, 8, 8), 30, np.uint16), None, (0, 0), 1.0)


def inverting(border: int = 0) -> Model:
    """A model that gives the negative of an image: a large change of every plane."""
    return Model(
        "negative",
        calling(lambda image: 1 - image, "image"),
        calling(lambda image: 1 - image[:, 1:], "image"),
        border,
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tile": 0}, "tile is a multiple of 16, got 0"),
        ({"tile": 24}, "tile is a multiple of 16, got 24"),
        ({"tile": 32.0}, r"tile is a multiple of 16, got 32\.0"),
        ({"strength": -0.01}, r"strength is 0\.\.1, people or dnn; got -0\.01"),
        ({"strength": 2}, r"strength is 0\.\.1, people or dnn; got 2"),
        ({"strength": float("nan")}, r"strength is 0\.\.1, people or dnn; got nan"),
        ({"strength": "1"}, r"strength is 0\.\.1, people or dnn; got '1'"),
    ],
)
def test_settings_out_of_range_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=f"^{message}$"):
        Settings(**values)
    with pytest.raises(InvalidInputError, match=f"^{message}$"):
        restore_image(jpeg(16, 16), model=inverting(), **values)


def test_numbers_of_numpy_are_settings() -> None:
    settings = Settings(tile=np.uint8(240), strength=np.float32(0.5))
    assert type(settings.tile) is int
    assert settings.tile + 16 == 256
    assert restored_image(receive(jpeg(40, 24)), inverting(), settings).shape == (40, 24, 3)


@pytest.mark.parametrize("project", [False, True])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_strength_zero_gives_the_decoded_image(mode: str, project: bool) -> None:
    """Also with samples whose decoded values were cut off at black or white."""
    text = np.random.default_rng(1).random((24, 40)).repeat(3, 0).repeat(2, 1) > 0.5
    file = io.BytesIO()
    Image.fromarray(np.uint8(255 * text)).convert(mode).save(file, "JPEG", quality=20)
    data = file.getvalue()
    decoded = decode_image(receive(data))
    assert (decoded == 0).mean() > 0.1
    restored = restore_image(data, model=inverting(), strength=0, project=project)
    np.testing.assert_array_equal(restored, decoded)


@pytest.mark.parametrize("project", [False, True])
def test_half_the_strength_makes_half_the_change(project: bool) -> None:
    data = jpeg(72, 88, "L", quality=30)
    decoded = decode_image(receive(data)).astype(float)
    half, whole = (
        restore_image(data, model=inverting(), strength=strength, project=project).astype(float) - decoded
        for strength in (0.5, 1)
    )
    inside = (whole + decoded > 0) & (whole + decoded < 255)
    assert np.abs(whole).mean() > (2 if project else 20)
    assert np.abs(half - whole / 2)[inside].max() <= 0.75  # both are rounded


@pytest.mark.parametrize(("steps", "share"), [(41, 0.5), (40, 0.5), (39, 0.25), (1, 0.25)])
def test_networks_get_more_of_the_change_in_coarse_files(steps: int, share: float) -> None:
    low = np.add.outer(np.arange(8), np.arange(8))
    table = np.where((low >= 1) & (low <= 3), steps, 255 if share < 0.5 else 1)  # others do not count
    context = Context.of_steps(np.stack([table, np.full((8, 8), 200)]))
    assert Settings(strength="dnn").share(context) == share
    assert Settings(strength="people").share(context) == 1
    assert Settings(strength=0.75).share(context) == 0.75
    assert Settings(strength="dnn").share(replace(context, sigma=5.0)) == 0.5


def test_networks_get_what_suits_the_earlier_coding() -> None:
    """A file of quality 90 that is restored as one of quality 10 is coarse."""
    data = jpeg(72, 88, quality=90)
    fine, coarse = (
        restore_image(data, model=inverting(), strength="dnn", as_quality=quality) for quality in (None, 10)
    )
    for image, share, quality in ((fine, 0.25, None), (coarse, 0.5, 10)):
        expected = restore_image(data, model=inverting(), strength=share, as_quality=quality)
        np.testing.assert_array_equal(image, expected)
    assert not np.array_equal(fine, coarse)


def test_half_the_strength_makes_half_the_change_of_colour() -> None:
    """Cb and Cr of a gray picture with a tint are moved to the other side, and half way to the middle."""
    tinted = np.full((32, 32, 3), (150, 120, 130), np.uint8)
    tinted[8::16, 8::16, 2] += 20  # constant areas stay
    received = receive(optcodec.encode(tinted, quality=95, subsampling="4:4:4").data)
    chrominance = calling(lambda image: 1 - image[:, 1:], "image")
    model = Model("tints", calling(lambda image: image, "image"), chrominance, 0)
    whole, half, none = (
        restored_image(received, model, Settings(project=False, strength=strength)).mean(axis=(0, 1))
        for strength in (1, 0.5, 0)
    )
    assert np.abs(whole - none).max() > 20
    np.testing.assert_allclose(half, (whole + none) / 2, atol=1)


def found_by(finder: Any) -> EarlierCoding:
    earlier = finder(receive(jpeg(16, 16)))
    assert isinstance(earlier, EarlierCoding)
    return earlier


def test_without_an_option_no_earlier_coding_is_assumed() -> None:
    assert earlier_finder()(receive(jpeg(16, 16))) is None


def test_a_quality_means_the_tables_of_annex_k() -> None:
    earlier = found_by(earlier_finder(20))
    np.testing.assert_array_equal(earlier.steps, [table.steps for table in optcodec.annex_k_tables(20)])
    assert (earlier.quality, earlier.shift) == (20, (0, 0))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_tables_come_from_a_file(tmp_path: Path, count: int) -> None:
    """Chrominance has the second table, or the first where there is only one."""
    tables = [optcodec.QuantTable(np.full((8, 8), 10 * number)) for number in (1, 2, 3)]
    optcodec.save_tables(tables[:count], tmp_path / "mine.json")
    earlier = found_by(earlier_finder(tables=tmp_path / "mine.json"))
    assert earlier.steps[:, 0, 0].tolist() == ([10, 10] if count == 1 else [10, 20])
    assert (earlier.quality, earlier.shift) == (None, (0, 0))


def test_auto_searches_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Received] = []

    def find(received: Received) -> EarlierCoding:
        asked.append(received)
        return FOUND

    monkeypatch.setattr("restore.runtime.settings.find_earlier_coding", find)
    received = receive(jpeg(16, 16))
    assert earlier_finder("auto")(received) is FOUND
    assert asked == [received]


def test_bad_earlier_codings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="an earlier coding has a quality or tables; expected one of both"):
        earlier_finder(20, tmp_path / "tables.json")
    for quality in (0, 101, 2.5, "best"):
        with pytest.raises(InvalidInputError, match=r"^quality of the earlier coding is .*1.*100, got "):
            earlier_finder(quality)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match=r"tables\.json"):
        earlier_finder(tables=tmp_path / "tables.json")
