"""Effort, tuning and regions of interest on the command line: arguments for the encoder, and gains on photographs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from optcodec import QualityField, encode, load_profile, psnr_db, read_jpeg, save_tables
from optcodec.jpeg.tables import annex_k_tables
from optcodec.targets import Bpp, MatchPsnr, MatchQuality, MatchSsim, MatchSsimulacra2, MatchSwe, MaxBytes
from tests.cli_helpers import messages, photograph, refusal, run, run_json, save

PIXELS = photograph(70, 90)
PROFILE = load_profile("mobilenet_v2")
MASK = np.zeros((192, 256), np.uint8)
MASK[64:128, 64:160] = 255
CROPS = {"kodim01": (200, 100), "kodim05": (64, 64), "kodim23": (300, 100)}


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return save(tmp_path / "a.png", PIXELS)


@pytest.fixture(params=CROPS)
def crop(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A crop of 256x192 pixels of a photograph."""
    if "OPTCODEC_DATA" not in os.environ:
        pytest.skip("OPTCODEC_DATA does not name the folder of the data, with Kodak")
    left, top = CROPS[request.param]
    path = tmp_path / "crop.png"
    with Image.open(Path(os.environ["OPTCODEC_DATA"]) / f"Kodak/{request.param}.png") as image:
        image.crop((left, top, left + 256, top + 192)).save(path)
    return path


def pixels_of(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def encoded(source: Path, *options: object) -> tuple[int, np.ndarray]:
    """Size in bytes, and decoded pixels, of the file encoded with these options."""
    output = source.with_name("out.jpg")
    (record,) = run_json("encode", source, "-o", output, *options)["files"]
    return record["nbytes"], pixels_of(output)


@pytest.mark.parametrize(
    ("options", "settings", "record"),
    [
        (["--effort", 1, "-q", 40], {"quality": 40}, (1, None)),
        (["--effort", 2, "-q", 60], {"target": MatchQuality(60, jointly=True)}, (2, None)),
        (
            ["--effort", 2, "-q", 60, "--tune", "dnn:mobilenet_v2"],
            {"target": MatchQuality(60, jointly=True), "profile": PROFILE},
            (2, "dnn:mobilenet_v2"),
        ),
        (["--match-psnr", 30], {"target": MatchPsnr(30.0)}, (2, None)),
        (["--match-ssim", 0.9], {"target": MatchSsim(0.9)}, (2, None)),
        (["--match-ssimulacra2", 2], {"target": MatchSsimulacra2(2)}, (2, None)),
        (["--effort", 3], {"effort": 3}, (3, "psnr")),
        (["--max-bytes", 3000], {"target": MaxBytes(3000)}, (3, "people")),
        (["--max-bytes", 3000, "--effort", 2], {"target": MaxBytes(3000), "effort": 2}, (2, None)),
        (["--max-bytes", 3000, "--baseline"], {"target": MaxBytes(3000), "progressive": False}, (3, "people")),
        (
            ["--effort", 3, "--match-psnr", 30, "--smaller"],
            {"effort": 3, "target": MatchPsnr(30.0), "progressive": "smaller"},
            (3, "psnr"),
        ),
        (["--tune", "ssim", "--bpp", 1.5], {"effort": 3, "tune": "ssim", "target": Bpp(1.5)}, (3, "ssim")),
        (
            ["--tune", "people", "-q", 30, "--progressive"],
            {"effort": 3, "tune": "people", "quality": 30, "progressive": True},
            (3, "people"),
        ),
        (
            ["--tune", "dnn:mobilenet_v2", "--max-bytes", 2000],
            {"effort": 3, "profile": PROFILE, "target": MaxBytes(2000)},
            (3, "dnn:mobilenet_v2"),
        ),
        (
            ["--profile", "mobilenet_v2", "-q", 60, "--effort", 3],
            {"effort": 3, "profile": PROFILE, "quality": 60},
            (3, "dnn:mobilenet_v2"),
        ),
        (
            ["--profile", "mobilenet_v2", "--tune", "psnr", "--match-swe", 40],
            {"tune": "psnr", "profile": PROFILE, "target": MatchSwe(40.0)},
            (3, "psnr"),
        ),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_options_are_those_of_the_library(
    picture: Path, options: list[object], settings: dict[str, object], record: tuple[int, str | None]
) -> None:
    report = run_json("encode", picture, *options)
    assert picture.with_suffix(".jpg").read_bytes() == encode(PIXELS, **settings).data  # type: ignore[arg-type]
    assert (report["effort"], report["tune"]) == record


def test_profile_of_a_file(picture: Path) -> None:
    PROFILE.save(picture.with_name("mine.json"))
    report = run_json("encode", picture, "--tune", f"dnn:{picture.with_name('mine.json')}", "-q", 60)
    expected = encode(PIXELS, quality=60, tune=PROFILE)
    assert picture.with_suffix(".jpg").read_bytes() == expected.data
    assert report["tune"] == "dnn:mobilenet_v2"


def test_tables_of_the_user_stay(picture: Path) -> None:
    tables = annex_k_tables(33)
    save_tables(tables, picture.with_name("t.json"))
    sizes = [encoded(picture, "--tables", picture.with_name("t.json"), "--effort", effort)[0] for effort in (1, 3)]
    assert read_jpeg(picture.with_name("out.jpg").read_bytes()).tables == tables
    assert sizes[1] < 0.97 * sizes[0]


def test_sizes_fall_with_effort_at_the_same_psnr(crop: Path) -> None:
    original = pixels_of(crop)
    fixed, decoded = encoded(crop, "-q", 75, "--effort", 1)
    psnr = psnr_db(original, decoded)
    designed, decoded = encoded(crop, "--match-psnr", psnr, "--effort", 2)
    assert psnr_db(original, decoded) >= psnr
    chosen, decoded = encoded(crop, "--match-psnr", psnr, "--effort", 3)
    assert psnr <= psnr_db(original, decoded) < psnr + 0.02
    assert designed < 0.85 * fixed
    assert chosen < 0.93 * designed


def test_sizes_fall_with_effort_at_the_same_quality(crop: Path) -> None:
    fixed, designed, chosen = (encoded(crop, "-q", 75, "--effort", effort)[0] for effort in (1, 2, 3))
    assert chosen < 0.96 * designed < designed < 0.85 * fixed


@pytest.mark.parametrize("tune", ["psnr", "ssim", "people", "dnn:generic"])
def test_files_of_a_size(crop: Path, tune: str) -> None:
    nbytes, _ = encoded(crop, "--max-bytes", 6000, "--tune", tune)
    assert 5970 <= nbytes <= 6000


def test_regions_have_more_quality_in_a_file_of_the_same_size(crop: Path) -> None:
    original, mask = pixels_of(crop), save(crop.with_name("mask.png"), MASK)

    def inside(*options: object) -> float:
        nbytes, decoded = encoded(crop, "--max-bytes", 6000, "--effort", 3, *options)
        assert 5970 <= nbytes <= 6000
        return psnr_db(original[MASK > 0][None], decoded[MASK > 0][None])

    even = inside()
    assert inside("--roi", mask) > even + 1
    assert inside("--roi", mask, "--roi-strength", 1 / 16) < even - 4


@pytest.mark.parametrize("kind", ["grey", "equal channels", "black and white"])
def test_masks(tmp_path: Path, kind: str) -> None:
    source = save(tmp_path / "a.png", photograph(192, 256))
    pixels = np.repeat(MASK[..., None], 3, axis=2) if kind == "equal channels" else MASK
    image = Image.fromarray(pixels)
    (image.convert("1") if kind == "black and white" else image).save(tmp_path / "mask.png")
    result = run("encode", source, "--roi", tmp_path / "mask.png", "--roi-strength", 9)
    assert result.exit_code == 0
    expected = encode(photograph(192, 256), effort=3, field=QualityField.from_mask(MASK, strength=9.0))
    assert source.with_suffix(".jpg").read_bytes() == expected.data
    notice = [f"{tmp_path / 'mask.png'}: expanded black and white to grey"]
    assert messages(result) == notice * (kind == "black and white")


def test_images_that_a_mask_does_not_fit_are_left_out(tmp_path: Path) -> None:
    mask = save(tmp_path / "mask.png", MASK)
    for name, height in (("one", 192), ("two", 191)):
        save(tmp_path / f"in/{name}.png", photograph(height, 256))
    result = run("encode", tmp_path / "in", "-o", tmp_path / "out", "--roi", mask)
    assert result.exit_code == 1
    size = "the mask or field has 256x192 pixels, the image 256x191; expected equal"
    assert messages(result) == ["Error: 1 of 2 files failed:", f"  {tmp_path / 'in/two.png'}: {size}"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["one.jpg"]


def test_jpeg_files_keep_their_tables(crop: Path) -> None:
    old = crop.with_name("old.jpg")
    Image.fromarray(pixels_of(crop)).save(old, quality=90, restart_marker_blocks=4)
    sizes = [encoded(old, "--effort", effort)[0] for effort in (1, 3)]
    before, after = (read_jpeg(path.read_bytes()) for path in (old, crop.with_name("out.jpg")))
    assert after.tables == before.tables
    assert (after.subsampling, after.restart_interval) == (before.subsampling, 4)
    assert sizes[1] < sizes[0] < old.stat().st_size


def test_a_trellis_is_expected_to_need_more_memory(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected: list[int] = []
    monkeypatch.setattr("optcodec.batch.coder.needed_nbytes", lambda path, nbytes: expected.append(nbytes) or 0)
    for options in ([], ["--effort", 3], ["--tune", "people"]):
        save(picture.with_name("b.png"), PIXELS)
        run_json("encode", picture, picture.with_name("b.png"), "-o", picture.parent / "out", *options)
    assert expected[0] < expected[-1]
    assert expected == [*2 * expected[:1], *4 * expected[-1:]]


@pytest.mark.parametrize("options", [["-q", 60], ["--bpp", 1], ["--tune", "people", "--match-quality", 60]])
def test_jpeg_files_get_other_tables(crop: Path, options: list[object]) -> None:
    old = crop.with_name("old.jpg")
    Image.fromarray(pixels_of(crop)).save(old, quality=90, subsampling="4:4:4")
    nbytes, _ = encoded(old, "--effort", 3, *options)
    after = read_jpeg(crop.with_name("out.jpg").read_bytes())
    assert after.subsampling == "4:4:4"
    assert after.tables != read_jpeg(old.read_bytes()).tables
    assert nbytes < 0.6 * old.stat().st_size


def test_jpeg_files_are_transcoded_by_a_process_that_did_nothing_before(picture: Path) -> None:
    old = save(picture.with_name("old.jpg"), PIXELS, quality=90)
    command = [sys.executable, "-c", "from optcodec.cli import main; main()", "encode", str(old), "--effort", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert picture.with_name("old.opt.jpg").read_bytes() == encode(read_jpeg(old.read_bytes()), effort=3).data


def test_pixels_of_jpeg_files_on_request(picture: Path) -> None:
    old = save(picture.with_name("old.jpg"), PIXELS, quality=90)
    run_json("encode", old, "--pixels", "--tune", "psnr")
    assert picture.with_name("old.opt.jpg").read_bytes() == encode(old, effort=3).data


def masks_refused(folder: Path) -> dict[str, str]:
    """Write one bad mask of each kind, and return a part of the error message for each."""
    save(folder / "size.png", MASK)
    save(folder / "colour.png", PIXELS)
    save(folder / "alpha.png", np.dstack([PIXELS, PIXELS[..., 0]]))
    Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257).save(folder / "deep.png")
    (folder / "text.png").write_text("no picture")
    return {
        "size.png": "the mask or field has 256x192 pixels, the image 90x70; expected equal",
        "colour.png": "colour.png: a mask is a grey image, got one with colours",
        "alpha.png": "alpha.png: the image has transparent pixels",
        "deep.png": "deep.png: the image has 16 bits a sample; expected 8",
        "text.png": "text.png: not an image file",
        "none.png": "none.png: no such file",
    }


@pytest.mark.parametrize("name", ["size.png", "colour.png", "alpha.png", "deep.png", "text.png", "none.png"])
def test_masks_refused(picture: Path, name: str) -> None:
    expected = masks_refused(picture.parent / "masks")
    output = picture.with_name("out.jpg")
    assert expected[name] in refusal("encode", picture, "-o", output, "--roi", picture.parent / "masks" / name)
    assert not output.exists()
