"""Bad input at the command line: one clear line, no traceback, no partial file, and the rest of the batch is done."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli_helpers import messages, photograph, refusal, run, save

PIXELS = photograph(40, 48)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return save(tmp_path / "in/a.png", PIXELS)


def jpeg_bytes(path: Path, **options: object) -> bytes:
    return save(path, PIXELS, **options).read_bytes()


def corrupted(data: bytes) -> bytes:
    """The same file with its entropy-coded data replaced by 1 bits, which are no code."""
    start = data.index(b"\xff\xda") + 14
    return data[:start] + b"\xff\x00" * ((len(data) - start - 2) // 2) + data[-2:]


def broken_files(folder: Path) -> dict[str, str]:
    """Write one bad file of each kind, and return a part of the error message for each."""
    folder.mkdir()
    good = jpeg_bytes(folder / "x.jpg")
    (folder / "x.jpg").unlink()
    (folder / "truncated.jpg").write_bytes(good[:-100])
    (folder / "header.jpg").write_bytes(good[:30])
    (folder / "corrupted.jpg").write_bytes(corrupted(good))
    (folder / "text.png").write_text("no picture")
    (folder / "empty.png").write_bytes(b"")
    (folder / "cut.png").write_bytes(save(folder / "cut.png", PIXELS).read_bytes()[:-300])
    save(folder / "alpha.png", np.dstack([PIXELS, PIXELS[..., 0]]))
    Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257).save(folder / "deep.png")
    Image.fromarray(PIXELS).convert("CMYK").save(folder / "cmyk.tif")
    return {
        "alpha.png": "transparent pixels, which JPEG cannot hold; expected opaque ones, as optcodec encode",
        "cmyk.tif": "CMYK colours; expected RGB or grey",
        "corrupted.jpg": "(at byte ",
        "deep.png": "16 bits a sample; expected 8",
        "empty.png": "not an image file",
        "header.jpg": "(at byte ",
        "text.png": "not an image file",
        "truncated.jpg": "(at byte ",
        "cut.png": "cannot be decoded",
    }


def test_a_batch_is_done_around_its_broken_files(picture: Path) -> None:
    expected = broken_files(picture.parent / "bad")
    out = picture.parent.parent / "out"
    result = run("encode", picture.parent, "-o", out, "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert [record["input"] for record in report["files"]] == [str(picture)]
    errors = {Path(failure["path"]).name: failure["error"] for failure in report["failures"]}
    assert errors.keys() == expected.keys()
    for name, part in expected.items():
        assert part in errors[name]
        assert "\n" not in errors[name]
    assert [path for path in out.rglob("*") if path.is_file()] == [out / "a.jpg"]
    lines = messages(result)
    assert lines[0] == f"Error: {len(expected)} of {len(expected) + 1} files failed:"
    assert len(lines) == len(expected) + 1


@pytest.mark.parametrize("name", ["alpha.png", "truncated.jpg"])
def test_a_broken_file_alone_is_one_line(tmp_path: Path, name: str) -> None:
    expected = broken_files(tmp_path / "bad")
    line = refusal("encode", tmp_path / "bad" / name, "-o", tmp_path / "out.jpg")
    assert line.startswith(f"Error: {tmp_path / 'bad' / name}: ")
    assert expected[name] in line
    assert not (tmp_path / "out.jpg").exists()


def test_no_text_is_not_the_current_folder(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(picture.parent)
    for arguments in (["encode", ""], ["encode", picture, "-o", ""]):
        assert refusal(*arguments) == "Error: expected a file, a folder or a URL, got ''"
    for arguments in (["inspect", ""], ["compare", picture, ""], ["rates", "", "-o", "r.json"]):
        assert refusal(*arguments) == "Error: expected a file or a folder, got ''"
    assert list(picture.parent.iterdir()) == [picture]


def test_alpha_is_composited_on_request(tmp_path: Path) -> None:
    source = save(tmp_path / "a.png", np.dstack([PIXELS, PIXELS[..., 0]]))
    result = run("encode", source, "--background", "white")
    assert result.exit_code == 0
    assert messages(result) == [f"{source}: composited transparent pixels on #ffffff"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--bpp", 1, "--max-bytes", 2000], "--bpp and --max-bytes exclude one another"),
        (["--water-level", 1, "--match-swe", 1, "--bpp", 1], "--water-level and --match-swe and --bpp exclude"),
        (["-q", 50, "--bpp", 1], "-q/--quality and a target (--water-level and the like) exclude one another"),
        (["-q", 50, "--tables", "t.json"], "-q/--quality and --tables exclude one another"),
        (["--progressive", "--smaller"], "--progressive and --smaller exclude one another"),
        (["--profile", "mobilenet_v2"], "--profile needs a target: --water-level, "),
        (["--profile", "no_such_net", "--bpp", 1], "one of efficientnet_lite0_420, efficientnet_lite1_420, generic, "),
        (["--method", "deepn"], "--method needs a target such as "),
        (["--method", "opts", "--bpp", 1], "'opts' needs a sensitivity profile"),
        (["--bpp", -1], "a finite number above 0, got -1.0"),
        (["--water-level", "nan"], "a finite number above 0, got nan"),
        (["--max-bytes", 0], "a whole number from 1 on, got 0"),
        (["--max-bytes", 10], "at most 10, but the nearest that can be reached is "),
        (["--bpp", 1, "--match-psnr", 36], "--match-psnr and --bpp exclude one another"),
        (["--match-psnr", "nan"], "a PSNR in dB is a finite number above 0, got nan"),
        (["--match-psnr", 200], "MatchPsnr(psnr_db=200.0): a squared error of at most 6.5025e-16, but the nearest "),
        (["--match-psnr", 200, "--effort", 3], "MatchPsnr(psnr_db=200.0): a squared error of at most 6.5025e-16, "),
        (["--match-butteraugli", 0], "a finite number above 0, got 0.0"),
        (["--match-ssimulacra2", 100], "a score of SSIMULACRA2 to match lies below 100; got 100.0"),
        (["--match-ssim", 1], "an SSIM to match lies below 1, which equal images have; got 1.0"),
        (["--effort", 1, "--bpp", 1], "tables are fixed with --effort 1, so that no target can be met; expected "),
        (["--effort", 1, "-q", 9, "--method", "jpeg"], "tables are fixed with --effort 1, --method designs them; "),
        (
            ["--effort", 1, "--tune", "dnn:generic"],
            "fixed with --effort 1, so that --tune dnn:generic has no effect; expected --eff",
        ),
        (["--effort", 1, "--profile", "generic", "-q", 9], "so that --profile has no effect; expected --effort 2 or 3"),
        (["--effort", 2], "--effort 2 designs tables for -q/--quality or a target, got neither"),
        (["--effort", 2, "--tables", "t.json"], "so that --tables has no effect; expected --effort 1 or 3"),
        (
            ["--effort", 2, "-q", 9, "--tune", "ssim"],
            "--tune ssim has no effect unless coefficients are optimized; expected --effort 3, ",
        ),
        (
            ["--effort", 2, "-q", 9, "--roi", "m.png"],
            "--roi has no effect unless coefficients are optimized; expected --effort 3, got 2",
        ),
        (["--effort", 3, "--dct", "exact"], "--effort 3 cannot optimize them; expected --dct float"),
        (
            ["--tune", "generic"],
            "--tune is one of psnr, ycbcr, ssim, people, dnn:PROFILE and receiver:NET, got 'generic'",
        ),
        (["--tune", "dnn:"], "--tune is one of psnr, ycbcr, ssim, people, dnn:PROFILE and receiver:NET, got 'dnn:'"),
        (["--tune", "dnn:no_such_net"], "one of efficientnet_lite0_420, efficientnet_lite1_420, generic, "),
        (["--tune", "dnn:generic", "--profile", "generic"], "--profile and --tune dnn:PROFILE exclude one another"),
        (["--tune", "psnr", "--profile", "generic", "--bpp", 1], "--profile has no effect with --tune psnr; expected "),
        (["--roi-strength", 2, "--effort", 3], "--roi-strength needs --roi with a mask"),
        (["--roi", "none.png"], "none.png: no such file"),
        (["--tables", "none.json"], "none.json: No such file or directory"),
        (["--background", "no colour"], "a background is a colour such as 'white', '#ffffff'"),
    ],
)
def test_options_refused(picture: Path, options: list[object], expected: str) -> None:
    assert expected in refusal("encode", picture, "-o", picture.with_name("out.jpg"), *options)
    assert not picture.with_name("out.jpg").exists()


@pytest.mark.parametrize("step", [0, 300, -1, 2.5, "x"])
def test_tables_out_of_range(picture: Path, step: object) -> None:
    tables = [[16] * 64, [17] * 64]
    tables[1][10] = step  # type: ignore[call-overload]
    path = picture.with_name("t.json")
    path.write_text(json.dumps(tables))
    line = refusal("encode", picture, "--tables", path)
    assert f"{path}: table 2, row 2, column 3: expected a whole number in 1..255, got {step!r}" in line


def test_profile_of_wrong_shape(picture: Path) -> None:
    path = picture.with_name("p.json")
    weights = np.ones((3, 8, 7)).tolist()
    path.write_text(json.dumps({"format": "optcodec sensitivity profile 1", "name": "mine", "weights": weights}))
    line = refusal("encode", picture, "--profile", path, "--bpp", 1)
    assert f"{path}: sensitivity weights have shape (3, 8, 8) for Y, Cb and Cr, got (3, 8, 7)" in line


@pytest.mark.parametrize("verb", [["encode", "-q", 75], ["design", "--bpp", 1]])
def test_unwritable_outputs(picture: Path, verb: list[object]) -> None:
    (picture.parent / "file").touch()
    target = picture.parent / "file" / ("t.jpg" if verb[0] == "encode" else "t.json")
    line = refusal(verb[0], picture, *verb[1:], "-o", target)
    assert f"cannot write {target}: " in line


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_folders_without_permission(picture: Path) -> None:
    folder = picture.parent / "closed"
    folder.mkdir(mode=stat.S_IRUSR | stat.S_IXUSR)
    line = refusal("encode", picture, "-o", folder / "out.jpg")
    assert f"cannot write {folder / 'out.jpg'}: Permission denied" in line


def test_design_needs_a_target(picture: Path) -> None:
    assert "expected a target: --water-level, " in refusal("design", picture, "-o", picture.with_name("t.json"))


def test_strength_of_a_mask(picture: Path) -> None:
    mask = save(picture.with_name("mask.png"), PIXELS[..., 0])
    line = refusal("encode", picture, "-o", picture.with_name("out.jpg"), "--roi", mask, "--roi-strength", 0)
    assert line == "Error: the strength of a mask is a finite number above 0, got 0.0"
    assert not picture.with_name("out.jpg").exists()


def test_tables_are_not_designed_for_pixels(picture: Path) -> None:
    result = run("design", picture, "-o", picture.with_name("t.json"), "--match-psnr", 36)
    assert result.exit_code == 2
    assert "No such option" in result.stderr
    assert not picture.with_name("t.json").exists()


def test_design_of_broken_files_only(tmp_path: Path) -> None:
    broken_files(tmp_path / "bad")
    result = run("design", tmp_path / "bad", "-o", tmp_path / "t.json", "--bpp", 1)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert messages(result)[0] == "Error: 9 of 9 files failed:"
    assert not (tmp_path / "t.json").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["encode"],
        ["encode", "a.png", "-q", "101"],
        ["encode", "a.png", "--effort", "5"],
        ["encode", "a.png", "--no-such-option"],
        ["no-such-verb"],
    ],
)
def test_command_lines_that_cannot_be_read_are_status_2(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: ")
