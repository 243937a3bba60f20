"""Butteraugli by a program: what it prints, what may be wrong with it, and files of a given distance."""

from __future__ import annotations

import shutil
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
from skimage.data import astronaut

from optcodec import InvalidInputError, MatchButteraugli, TargetNotMetError, encode, transcode
from optcodec.butteraugli import find_program, visibility
from optcodec.pictures.pixels import decoded_pixels
from optcodec.rates import load_measures
from tests.cli_helpers import messages, run

PICTURE = np.ascontiguousarray(astronaut()[64:192, 160:320])
# Stands for the program where libjxl is not installed: its distances are errors of pixels.
ROOT_MEAN_SQUARE = """
import sys
import numpy as np
from PIL import Image
one, two = (np.asarray(Image.open(path), float) for path in sys.argv[1:])
error = float(np.sqrt(np.mean((one - two) ** 2)))
print(f"{error:.10f}\\n3-norm: {error / 2:.6f}")
"""
needs_libjxl = pytest.mark.skipif(shutil.which("butteraugli_main") is None, reason="butteraugli_main is not installed")


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in place of ``butteraugli_main``."""
    path = tmp_path / "program"
    write_program(path, f"#!{sys.executable}\n{ROOT_MEAN_SQUARE}")
    monkeypatch.setenv("OPTCODEC_BUTTERAUGLI", str(path))
    return path


def write_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IEXEC)


def root_mean_square(coded: bytes, mode: str = "RGB") -> float:
    reference = PICTURE if mode == "RGB" else PICTURE[..., 0]
    return float(np.sqrt(np.mean((decoded_pixels(coded, mode).astype(float) - reference) ** 2)))


@pytest.mark.usefixtures("program")
def test_both_distances_are_those_that_the_program_prints() -> None:
    coded = encode(PICTURE, quality=50).data
    seen = visibility(PICTURE, decoded_pixels(coded))
    assert seen == pytest.approx((root_mean_square(coded), root_mean_square(coded) / 2), abs=1e-5)
    measures = load_measures(["butteraugli", "butteraugli_3"])
    assert tuple(measure(PICTURE, decoded_pixels(coded)) for measure in measures.values()) == seen


def test_both_distances_come_from_one_run(program: Path) -> None:
    runs = program.with_name("runs")
    write_program(program, f"#!{sys.executable}\nopen({str(runs)!r}, 'a').write('.')\n{ROOT_MEAN_SQUARE}")
    largest, norm_3 = load_measures(["butteraugli", "butteraugli_3"]).values()
    changed = PICTURE.copy()
    for value in (0, 100, 0):  # in the same array
        changed[:8] = value
        assert largest(PICTURE, changed) == pytest.approx(2 * norm_3(PICTURE, changed.copy()), abs=1e-5)
        assert largest(PICTURE, changed) == pytest.approx(np.sqrt(np.mean((changed.astype(float) - PICTURE) ** 2)))
    assert runs.read_text() == "..."


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize("effort", [2, 3])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_distance_is_reached_and_kept(effort: int, mode: str) -> None:
    picture = PICTURE if mode == "RGB" else np.ascontiguousarray(PICTURE[..., 0])
    near, far = (encode(picture, target=MatchButteraugli(distance), effort=effort) for distance in (6, 9))
    assert 5.8 <= root_mean_square(near.data, mode) <= 6
    assert 8.7 <= root_mean_square(far.data, mode) <= 9
    assert far.nbytes < near.nbytes


@pytest.mark.usefixtures("program")
def test_files_are_transcoded_and_samplings_chosen_for_a_distance() -> None:
    original = encode(PICTURE, quality=95).data
    coded = transcode(original, target=MatchButteraugli(6)).data
    assert len(coded) < len(original)
    difference = decoded_pixels(coded).astype(float) - decoded_pixels(original)
    assert 5.7 <= np.sqrt(np.mean(difference**2)) <= 6
    assert root_mean_square(encode(PICTURE, target=MatchButteraugli(6), subsampling="auto", effort=3).data) <= 6


@pytest.mark.usefixtures("program")
def test_a_distance_that_no_file_keeps_is_refused() -> None:
    expected = (
        r"MatchButteraugli\(distance=0.01\): butteraugli of at most 0.01, but the nearest that .* reached is [0-9.]+"
    )
    with pytest.raises(TargetNotMetError, match=f"{expected}; this is with subsampling 4:2:0, 4:4:4 may come nearer$"):
        encode(PICTURE, target=MatchButteraugli(0.01), effort=2)
    with pytest.raises(TargetNotMetError, match=f"{expected}$"):
        encode(PICTURE, target=MatchButteraugli(0.01), effort=2, subsampling="4:4:4")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("#!/bin/sh\necho nothing here", "got status 0 and: nothing here"),
        ("#!/bin/sh\necho 'cannot read it' >&2\nexit 3", "got status 3 and: cannot read it"),
        ("#!/bin/sh\necho 1.5", "got status 0 and: 1.5"),
        ("#!/no/such/shell\n", "cannot run .*program: No such file"),
    ],
)
def test_a_program_that_fails_is_one_line(program: Path, text: str, message: str) -> None:
    write_program(program, text)
    with pytest.raises(InvalidInputError, match=message):
        visibility(PICTURE, PICTURE)


def test_a_missing_program_is_named(program: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program.unlink()
    with pytest.raises(InvalidInputError, match=r"OPTCODEC_BUTTERAUGLI names .*program, which is no program: install"):
        find_program()
    monkeypatch.delenv("OPTCODEC_BUTTERAUGLI")
    monkeypatch.setenv("PATH", str(tmp_path))
    message = "there is no butteraugli_main on the PATH: install it .*libjxl-devtools"
    with pytest.raises(InvalidInputError, match=message):
        load_measures(["butteraugli_3"])
    np.save(tmp_path / "none.npy", PICTURE)
    refused = run("encode", tmp_path / "none.npy", "--match-butteraugli", 2)
    assert refused.exit_code == 1
    assert "there is no butteraugli_main on the PATH" in messages(refused)[0]


@pytest.mark.usefixtures("program")
def test_pictures_that_are_too_small_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="butteraugli needs at least 8 pixels on each side, got shape"):
        visibility(PICTURE[:7], PICTURE[:7])


@needs_libjxl
def test_the_program_of_libjxl() -> None:
    files = [encode(PICTURE, quality=quality, subsampling="4:4:4").data for quality in (95, 60, 20)]
    seen = [visibility(PICTURE, decoded_pixels(coded)) for coded in files]
    assert seen == sorted(seen)
    assert seen[0].norm_3 < seen[1].norm_3 < seen[2].norm_3
    assert visibility(PICTURE, PICTURE) == (0, 0)
    coded = encode(PICTURE, target=MatchButteraugli(2), effort=3, subsampling="4:4:4").data
    assert 1.9 <= visibility(PICTURE, decoded_pixels(coded)).largest <= 2
