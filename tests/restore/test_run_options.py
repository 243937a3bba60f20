"""The options of ``restore run`` that change how an image is restored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from skimage import data as photographs

import optcodec
from restore import restore_image
from restore.cli import main
from restore.runtime.decode import receive
from restore.runtime.earlier import EarlierCoding
from restore.runtime.image import decode_image
from tests.receiver_helpers import brighter_by_table, jpeg, save_model

FIND = "restore.runtime.settings.find_earlier_coding"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model that adds the DC steps that it is told."""
    return save_model(tmp_path, brighter_by_table(1), brighter_by_table(3))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(50, 70, quality=80))
    return path


def run(photo: Path, model: Path, *options: object) -> Result:
    arguments = [photo, "-o", photo.with_suffix(".png"), "--model", model, *options]
    return CliRunner().invoke(main, ["run", *map(str, arguments)])


def pixels(photo: Path) -> np.ndarray:
    with Image.open(photo.with_suffix(".png")) as written:
        return np.asarray(written)


def found(quality: int | None, shift: tuple[int, int]) -> EarlierCoding:
    return EarlierCoding(np.full((2, 8, 8), 35, np.uint16), quality, shift, 0.5)


@pytest.mark.parametrize("strength", [0, 0.25, 1])
def test_a_share_of_the_change_is_made(photo: Path, model: Path, strength: float) -> None:
    result = run(photo, model, "--strength", strength)
    assert result.exit_code == 0, result.output
    expected = restore_image(photo.read_bytes(), model=model, strength=strength)
    np.testing.assert_array_equal(pixels(photo), expected)
    whole = restore_image(photo.read_bytes(), model=model)
    assert np.array_equal(expected, whole) == (strength == 1)


@pytest.mark.parametrize(
    ("options", "strength"), [((), 1), (("--for", "dnn"), "dnn"), (("--for", "dnn", "--strength", 0.75), 0.75)]
)
def test_the_reader_says_how_strongly(photo: Path, model: Path, options: tuple[object, ...], strength: Any) -> None:
    result = run(photo, model, *options)
    assert result.exit_code == 0, result.output
    np.testing.assert_array_equal(pixels(photo), restore_image(photo.read_bytes(), model=model, strength=strength))


@pytest.mark.parametrize("project", ["--project", "--no-project"])
def test_an_earlier_coding_has_a_quality(photo: Path, model: Path, project: str) -> None:
    result = run(photo, model, "--as-quality", 30, project, "--json")
    assert result.exit_code == 0, result.output
    np.testing.assert_array_equal(pixels(photo), restore_image(photo.read_bytes(), model=model, as_quality=30))
    (record,) = json.loads(result.stdout)["files"]
    assert record["earlier"] == {"quality": 30, "shift": [0, 0]}
    assert record["notices"] == []
    assert not np.array_equal(pixels(photo), restore_image(photo.read_bytes(), model=model))


def test_an_earlier_coding_has_tables(photo: Path, model: Path, tmp_path: Path) -> None:
    optcodec.save_tables(optcodec.annex_k_tables(30), tmp_path / "first.json")
    result = run(photo, model, "--as-tables", tmp_path / "first.json", "--json")
    assert result.exit_code == 0, result.output
    np.testing.assert_array_equal(pixels(photo), restore_image(photo.read_bytes(), model=model, as_quality=30))
    (record,) = json.loads(result.stdout)["files"]
    assert record["earlier"] == {"quality": None, "shift": [0, 0]}


@pytest.mark.parametrize(
    ("earlier", "said"),
    [
        (found(25, (0, 0)), "the picture was coded before, at quality 25"),
        (found(25, (3, 0)), "the picture was coded before, at quality 25, on a grid of blocks shifted by 3, 0"),
        (found(None, (0, 0)), "the picture was coded before, with tables of its own"),
        (None, "no sign of an earlier, coarser coding; the quantization steps of the file are used"),
    ],
)
def test_what_the_search_found_is_said(
    photo: Path, model: Path, monkeypatch: pytest.MonkeyPatch, earlier: EarlierCoding | None, said: str
) -> None:
    monkeypatch.setattr(FIND, lambda received: earlier)
    result = run(photo, model, "--as-quality", "auto", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    (record,) = report["files"]
    assert record["notices"] == [said]
    assert report["notices"] == 1
    assert record.get("earlier") == (
        None if earlier is None else {"quality": earlier.quality, "shift": list(earlier.shift)}
    )
    expected = restore_image(photo.read_bytes(), model=model, as_quality="auto")
    np.testing.assert_array_equal(pixels(photo), expected)
    assert np.array_equal(expected, restore_image(photo.read_bytes(), model=model)) == (earlier is None)
    assert said in run(photo, model, "--as-quality", "auto").stderr


def test_a_picture_that_was_saved_twice_is_restored_as_its_first_file(tmp_path: Path, model: Path) -> None:
    """By the search itself, and also where it was cropped in between."""
    photograph = photographs.astronaut()[:240, 100:356]
    once = decode_image(receive(optcodec.encode(photograph, quality=15).data))
    for crop, shift in ((0, [0, 0]), (3, [5, 5])):
        path = tmp_path / f"{crop}.jpg"
        path.write_bytes(optcodec.encode(np.ascontiguousarray(once[crop:, crop:]), quality=92).data)
        result = run(path, model, "--as-quality", "auto", "--json")
        assert result.exit_code == 0, result.output
        (record,) = json.loads(result.stdout)["files"]
        assert record["earlier"] == {"quality": 15, "shift": shift}


def test_each_file_is_searched_for_itself(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, width in enumerate((40, 72)):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg(40, width))
    monkeypatch.setattr(FIND, lambda received: found(20, (0, 0)) if received.width == 72 else None)
    inputs = [str(tmp_path / f"{number}.jpg") for number in range(2)]
    arguments = ["run", *inputs, "-o", str(tmp_path / "out"), "--model", str(model), "--as-quality", "auto", "--json"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert ["earlier" in record for record in json.loads(result.stdout)["files"]] == [False, True]


def test_without_the_options_nothing_is_searched(photo: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FIND, lambda received: pytest.fail("searched"))
    result = run(photo, model, "--json")
    assert result.exit_code == 0, result.output
    (record,) = json.loads(result.stdout)["files"]
    assert "earlier" not in record


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--strength", "2"], 2, "2.0 is not in the range 0<=x<=1"),
        (["--strength", "nan"], 1, "Error: strength is 0..1, people or dnn; got nan"),
        (["--for", "birds"], 2, "'birds' is not one of 'people', 'dnn'"),
        (["--strength", "much"], 2, "'much' is not a valid float"),
        (["--as-quality", "0"], 2, "expected a quality of 1..100, or auto, got '0'"),
        (["--as-quality", "101"], 2, "expected a quality of 1..100, or auto, got '101'"),
        (["--as-quality", "²"], 2, "expected a quality of 1..100, or auto, got '²'"),
        (["--as-quality", "best"], 2, "expected a quality of 1..100, or auto, got 'best'"),
        (["--as-tables", "none.json"], 1, "none.json: No such file or directory"),
        (["--as-quality", "30", "--as-tables", "none.json"], 1, "a quality or tables; expected one of both"),
    ],
)
def test_bad_options_are_one_line(photo: Path, model: Path, options: list[str], status: int, message: str) -> None:
    result = run(photo, model, *options)
    assert result.exit_code == status, result.output
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    assert message in result.stderr.splitlines()[-1]
    assert len([line for line in result.stderr.splitlines() if line.startswith("Error")]) == 1
    assert not photo.with_suffix(".png").exists()
