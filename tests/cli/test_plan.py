"""``optcodec encode`` with a plan, and with fewer pixels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from optcodec import Picture, encode, load_profile
from optcodec.fit.plan import Plan
from optcodec.pictures.resizing import shrunk
from tests.cli_helpers import messages, photograph, refusal, run, run_json, save


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return save(tmp_path / "a.png", photograph(60, 88))


def plan_of(folder: Path, **options: Any) -> Path:
    Plan(options, "a verdict").save(folder / "plan.json")
    return folder / "plan.json"


def file_of(picture: Path) -> bytes:
    return picture.with_suffix(".jpg").read_bytes()


def test_a_plan_is_as_its_options(picture: Path, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, quality=40, subsampling="4:2:0", tune="dnn:generic", short_side=40, progressive=True)
    report = run_json("encode", picture, "--plan", plan)
    assert (report["effort"], report["tune"]) == (3, "dnn:generic")
    small = shrunk(Picture(photograph(60, 88)), 40)
    options = {"tune": load_profile("generic"), "progressive": True}
    assert file_of(picture) == encode(small, quality=40, **options).data
    arguments = "-q", 40, "--subsampling", "4:2:0", "--tune", "dnn:generic", "--short-side", 40, "--progressive"
    planned = file_of(picture)
    run_json("encode", picture, *arguments, "--force")
    assert file_of(picture) == planned


def test_other_options_go_with_a_plan(picture: Path, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, quality=40)
    run_json("encode", picture, "--plan", plan, "--effort", 3, "-o", tmp_path / "b.jpg", "--threads", 1)
    assert (tmp_path / "b.jpg").read_bytes() == encode(photograph(60, 88), quality=40, effort=3).data


def test_lists_and_paths_are_taken(picture: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    run_json("design", picture, "-o", tmp_path / "tables.json", "--bpp", 1)
    run_json("encode", picture, "--plan", plan_of(tmp_path, tables=str(tmp_path / "tables.json")))
    line = refusal("encode", picture, "--plan", plan_of(tmp_path, network=["a", "b"], weights=["c"]), "--force")
    assert "expected one --weights for each --network, got 1 for 2" in line


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quality": 0}, "-q/--quality does not take 0: 0 is not in the range 1<=x<=100."),
        ({"quality": 40.5}, "-q/--quality does not take 40.5: '40.5' is not a valid integer range."),
        ({"quality": "40"}, "-q/--quality does not take '40'; expected the JSON type of 40"),
        ({"quality": True}, "-q/--quality does not take True: 'True' is not a valid integer range."),
        ({"quality": [40]}, "-q/--quality does not take [40]; expected one value"),
        ({"quality": {}}, "-q/--quality does not take {}; expected text, a number, true or false"),
        ({"bpp": "much"}, "--bpp does not take 'much': "),
        ({"network": "net"}, "--network does not take 'net'; expected a list"),
        ({"network": [3]}, "--network does not take [3]; expected the JSON type of ('3',)"),
        ({"subsampling": "4:1:1"}, "--subsampling does not take '4:1:1': "),
        ({"pixels": 1}, "--pixels does not take 1; expected the JSON type of True"),
        ({"speed": 1, "accuracy": 2}, "expected options of optcodec encode, found accuracy, speed"),
        ({"inputs": ["a"]}, "expected options of optcodec encode, found inputs"),
        ({"output": "a"}, "expected options of optcodec encode, found output"),
        ({"force": True}, "expected options of optcodec encode, found force"),
        ({"plan": "a"}, "expected options of optcodec encode, found plan"),
    ],
)
def test_wrong_plans_are_refused(picture: Path, tmp_path: Path, options: dict[str, Any], message: str) -> None:
    plan = plan_of(tmp_path, **options)
    assert f"Error: {plan}: {message}" in refusal("encode", picture, "--plan", plan)
    assert not picture.with_suffix(".jpg").exists()


def test_another_version_is_refused(picture: Path, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, quality=40)
    plan.write_text(json.dumps(json.loads(plan.read_text()) | {"format": "optcodec plan 2"}))
    expected = f"Error: {plan}: expected a JSON object with format 'optcodec plan 1', found 'optcodec plan 2'"
    assert refusal("encode", picture, "--plan", plan) == expected
    assert "cannot read the plan none.json: No such file" in refusal("encode", picture, "--plan", "none.json")


def test_options_that_clash_are_refused(picture: Path, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, quality=40, pixels=True)
    expected = f"Error: {plan} sets -q/--quality, which is on the command line, too; expected one of both"
    assert refusal("encode", picture, "--plan", plan, "-q", 40) == expected
    assert f"{plan} sets --pixels, " in refusal("encode", picture, "--plan", plan, "--pixels")
    assert "-q/--quality and a target (--w" in refusal("encode", picture, "--plan", plan, "--bpp", 1)


# ---- Fewer pixels ----------------------------------------------------------------------------------------------------


def test_pictures_are_reduced(picture: Path) -> None:
    report = run_json("encode", picture, "--short-side", 30, "-q", 50)
    assert (report["files"][0]["width"], report["files"][0]["height"]) == (44, 30)
    assert file_of(picture) == encode(shrunk(Picture(photograph(60, 88)), 30), quality=50).data
    run_json("encode", picture, "--short-side", 60, "-q", 50, "--force")
    assert file_of(picture) == encode(photograph(60, 88), quality=50).data


def test_they_are_reduced_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / "a.png", photograph(60, 88), exif=exif.tobytes())
    run_json("encode", tmp_path / "a.png", "--short-side", 30, "--orient", "apply")
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.size == (30, 44)


def test_jpeg_files_are_reduced_with_pixels(tmp_path: Path) -> None:
    photo = save(tmp_path / "a.jpg", photograph(60, 88), quality=90)
    expected = "--short-side reduces pixels, got the coefficients of a JPEG file; expected --pixels"
    assert expected in refusal("encode", photo, "-o", tmp_path / "b.jpg", "--short-side", 30)
    run_json("encode", photo, "-o", tmp_path / "b.jpg", "--short-side", 30, "--pixels", "-q", 50)
    decoded = Picture(np.asarray(Image.open(photo)))
    assert (tmp_path / "b.jpg").read_bytes() == encode(shrunk(decoded, 30), quality=50).data


def test_a_side_is_at_least_a_pixel(picture: Path) -> None:
    result = run("encode", picture, "--short-side", 0)
    assert result.exit_code == 2
    assert "0 is not in the range x>=1" in messages(result)[-1]
