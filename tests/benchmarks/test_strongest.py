"""The settings of mozjpeg's own program, without the program."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image

from optcodec import annex_k_tables
from tests.cli_helpers import photograph

pytest.importorskip("bjontegaard")
pytest.importorskip("jpeglib")

from benchmarks.rates.strongest import SETTINGS, encode_cjpeg, kept, version_of, with_step
from benchmarks.record import RESULTS


@pytest.mark.parametrize(
    ("quality", "factor", "expected"), [(75, 0.6, 85), (50, 1, 50), (20, 0.4, 50), (40, 0.6, 62.5)]
)
def test_qualities_of_other_steps(quality: float, factor: float, expected: float) -> None:
    assert with_step(quality, factor) == pytest.approx(expected)


def test_the_steps_are_those_of_the_tables() -> None:
    steps, finer = (annex_k_tables(quality)[1].steps[-1, -1] for quality in (30, round(with_step(30, 0.5))))
    assert finer / steps == pytest.approx(0.5, abs=0.02)


@pytest.fixture
def program(tmp_path: Path) -> str:
    """A program that writes its arguments into a comment of a JPEG file of the picture that it is sent."""
    script = tmp_path / "cjpeg"
    script.write_text(
        f"#!{sys.executable}\n"
        "import io, sys\n"
        "from PIL import Image\n"
        "if '-version' in sys.argv:\n"
        "    sys.exit('mozjpeg version 0 (build 0)')\n"
        "image = Image.open(io.BytesIO(sys.stdin.buffer.read()))\n"
        "image.save(sys.stdout.buffer, 'JPEG', comment=' '.join(sys.argv[1:]).encode())\n"
    )
    script.chmod(0o755)
    return str(script)


@pytest.mark.parametrize("measure", SETTINGS)
def test_the_program_gets_the_picture_and_the_settings(program: str, measure: str) -> None:
    pixels = photograph(24, 32)
    file = Image.open(io.BytesIO(encode_cjpeg(pixels, "4:2:0", 75, cjpeg=program, measure=measure)))
    assert file.size == (32, 24)
    assert np.abs(np.asarray(file).astype(int) - pixels).mean() < 12
    words = file.info["comment"].decode().split()
    assert words[: len(SETTINGS[measure])] == list(SETTINGS[measure])
    quality = words[words.index("-quality") + 1]
    assert quality == ("75,85.000" if measure == "psnr_rgb" else "75")
    assert words[words.index("-sample") + 1] == "2x2"
    assert version_of(program) == "mozjpeg version 0 (build 0)"


def test_another_program_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "cjpeg"
    script.write_text("#!/bin/sh\necho libjpeg-turbo version 3 >&2\n")
    script.chmod(0o755)
    with pytest.raises(SystemExit, match="expected the cjpeg of mozjpeg, got 'libjpeg-turbo version 3'"):
        version_of(str(script))


def test_rows_stay_in_the_result_only_with_the_pictures_of_now() -> None:
    stored = json.loads((RESULTS / "rd_strongest.json").read_text("utf-8"))["direct"]
    names = {
        name: next(iter(stored[f"{name}, 4:2:0"]["optcodec psnr, psnr_rgb"].values()))["pictures"]
        for name in ("photographs", "pages")
    }
    sets = {name: dict.fromkeys(pictures, np.zeros((8, 8, 3), np.uint8)) for name, pictures in names.items()}
    assert kept(sets) == stored
    sets["pages"].popitem()
    with pytest.raises(click.UsageError, match="the result has 18 pages, which are not the 17 of now"):
        kept(sets)
