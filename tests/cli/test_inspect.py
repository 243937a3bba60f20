"""``optcodec inspect`` and ``optcodec compare``: their text, JSON and errors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from optcodec.jpeg.tables import annex_k_tables
from optcodec.metrics import psnr_db
from optcodec.rates import load_measures
from tests.cli_helpers import photograph, refusal, run, run_json, save


@pytest.fixture
def jpeg(tmp_path: Path) -> Path:
    Image.fromarray(photograph(50, 70)).save(tmp_path / "a.jpg", quality=75, subsampling="4:2:0", optimize=True)
    return tmp_path / "a.jpg"


def test_inspect_says_what_pillow_wrote(jpeg: Path) -> None:
    (record,) = run_json("inspect", jpeg)["files"]
    assert (record["width"], record["height"], record["nbytes"]) == (70, 50, jpeg.stat().st_size)
    assert (record["process"], record["subsampling"], record["restart_interval"]) == ("baseline", "4:2:0", 0)
    assert (record["quality"], record["quality_exact"]) == (75, True)
    assert record["tables"] == [table.steps.tolist() for table in annex_k_tables(75)]
    assert [component["table"] for component in record["components"]] == [0, 1, 1]
    assert record["bpp"] == pytest.approx(8 * record["nbytes"] / 3500)


@pytest.mark.parametrize("trailing", [0, 5])
def test_inspect_accounts_for_every_byte(jpeg: Path, trailing: int) -> None:
    jpeg.write_bytes(jpeg.read_bytes() + bytes(trailing))
    (record,) = run_json("inspect", jpeg)["files"]
    sizes = {entry["name"]: entry["nbytes"] for entry in record["segments"]}
    assert sum(sizes.values()) == jpeg.stat().st_size
    assert sizes.get("after EOI", 0) == trailing
    assert sizes["DQT"] == 2 * 69
    assert sizes["entropy-coded data"] == record["scans"][0]["nbytes"]


def test_inspect_lists_progressive_scans(jpeg: Path) -> None:
    Image.fromarray(photograph(50, 70)).save(jpeg, progressive=True, qtables=[[3] * 64, [7] * 64])
    (record,) = run_json("inspect", jpeg)["files"]
    assert record["process"] == "progressive"
    assert len(record["scans"]) == 10  # libjpeg's script for YCbCr
    assert record["scans"][0] == {"components": [1, 2, 3], "Ss": 0, "Se": 0, "Ah": 0, "Al": 1} | {
        "nbytes": record["scans"][0]["nbytes"]
    }
    assert record["quality_exact"] is False


def test_inspect_prints_for_people(jpeg: Path) -> None:
    Image.fromarray(photograph(50, 70)).save(jpeg, quality=75, icc_profile=b"p" * 600, restart_marker_blocks=4)
    result = run("inspect", jpeg)
    assert result.exit_code == 0
    assert f"{jpeg}: 70x50, {jpeg.stat().st_size:,} bytes, " in result.stdout
    assert "baseline, 4:2:0, quality 75, restart interval 4, ICC profile 600 bytes" in result.stdout
    assert "table of component 1       table of component 2 3" in result.stdout
    assert " 8  6  5  8 12 20 26 31     9  9 12 24 50 50 50 50" in result.stdout
    assert "DQT" in result.stdout


def test_inspect_does_the_others(jpeg: Path) -> None:
    cut = jpeg.with_name("cut.jpg")
    cut.write_bytes(jpeg.read_bytes()[:300])
    result = run("inspect", cut, jpeg, jpeg.with_name("none.jpg"), "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert [record["path"] for record in report["files"]] == [str(jpeg)]
    assert [failure["path"] for failure in report["failures"]] == [str(cut), str(jpeg.with_name("none.jpg"))]
    assert "(at byte" in report["failures"][0]["error"]
    assert "2 of 3 files failed" in result.stderr


def test_compare_agrees_with_the_library(jpeg: Path) -> None:
    reference = jpeg.with_name("reference.png")
    Image.fromarray(photograph(50, 70)).save(reference)
    report = run_json("compare", reference, jpeg, reference)
    coded, same = report["files"]
    assert coded["psnr_db"] == pytest.approx(psnr_db(photograph(50, 70), np.array(Image.open(jpeg))))
    assert coded["nbytes"] == jpeg.stat().st_size
    assert coded["swe"] > 0
    assert 0 < coded["ssim"] < 1
    assert (same["psnr_db"], same["ssim"], same["swe"]) == (None, 1.0, 0.0)


def test_compare_takes_further_measures(jpeg: Path) -> None:
    reference = jpeg.with_name("reference.png")
    Image.fromarray(photograph(50, 70)).save(reference)
    coded, same = run_json("compare", reference, jpeg, reference, "--measure", "psnr_y,ssimulacra2")["files"]
    of = load_measures(["psnr_y", "ssimulacra2"])
    pair = photograph(50, 70), np.array(Image.open(jpeg))
    assert {name: coded[name] for name in of} == {name: measure(*pair) for name, measure in of.items()}
    assert (same["psnr_y"], same["ssimulacra2"]) == (None, pytest.approx(100))
    header, _, *rows = run("compare", reference, jpeg, "--measure", "psnr_y,ssimulacra2").stdout.splitlines()
    assert header.endswith("SWE  PSNR-Y dB  SSIMULACRA2")
    assert rows[0].split()[-2:] == [f"{coded['psnr_y']:.2f}", f"{coded['ssimulacra2']:.2f}"]
    assert refusal("compare", reference, jpeg, "--measure", "vmaf").startswith("Error: measure is one of psnr, ")


def test_compare_orders_qualities(jpeg: Path) -> None:
    reference = jpeg.with_name("reference.png")
    Image.fromarray(photograph(50, 70)).save(reference)
    paths = []
    for quality in (30, 60, 90):
        paths.append(jpeg.with_name(f"q{quality}.jpg"))
        Image.fromarray(photograph(50, 70)).save(paths[-1], quality=quality)
    swes = [record["swe"] for record in run_json("compare", reference, *paths)["files"]]
    assert swes == sorted(swes, reverse=True)


def test_compare_of_odd_cases(tmp_path: Path) -> None:
    tiny = photograph(5, 40)
    Image.fromarray(tiny).save(tmp_path / "reference.png")
    Image.fromarray(tiny).convert("L").save(tmp_path / "grey.jpg")
    Image.fromarray(tiny).save(tmp_path / "a.jpg")
    result = run("compare", tmp_path / "reference.png", tmp_path / "a.jpg", tmp_path / "grey.jpg")
    assert result.exit_code == 1
    assert "1 of 2 files failed" in result.stderr
    assert "images to compare have one shape" in result.stderr
    assert len(result.stdout.splitlines()) == 3


def test_compare_needs_a_profile_that_exists(jpeg: Path) -> None:
    line = refusal("compare", jpeg, jpeg, "--profile", "no_such_net")
    assert line.startswith(
        "Error: a profile is a JSON file or one of efficientnet_lite0_420, efficientnet_lite1_420, generic, "
    )


def test_measures_that_a_small_picture_does_not_have_are_empty(tmp_path: Path) -> None:
    original = save(tmp_path / "a.png", photograph(9, 7))
    coded = save(tmp_path / "a.jpg", photograph(9, 7))
    result = run("compare", original, coded, "--measure", "ssim_y,psnr_y", "--json")
    assert result.exit_code == 0
    (record,) = json.loads(result.stdout)["files"]
    assert record["ssim_y"] is None
    assert 20 < record["psnr_y"] < 60
    assert "a.jpg: SSIM needs at least 11 pixels on each side, got shape (9, 7)" in result.stderr


def test_a_measure_that_fails_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho boom >&2; exit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("OPTCODEC_BUTTERAUGLI", str(program))
    original = save(tmp_path / "a.png", photograph(30, 30))
    result = run("compare", original, save(tmp_path / "a.jpg", photograph(30, 30)), "--measure", "butteraugli")
    assert result.exit_code == 1
    assert "status 3 and: boom" in result.stderr
