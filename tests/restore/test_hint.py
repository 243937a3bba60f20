"""Hints: what a sender with the original leaves in a file, so that the receiver comes nearer to it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import optcodec
from optcodec import InvalidInputError, MaxBytes, Quality, encode, psnr_db
from optcodec.rates import OptcodecSender
from optcodec.shared import encode_turbo
from restore import Model, add_hint, load_model, restore_image
from restore.cli import main
from restore.cli.pipeline import sender_from
from restore.evaluation.pipeline import HintingSender
from restore.runtime.change import Change
from restore.runtime.decode import receive
from restore.runtime.hint import Hint, fingerprint, hint_of, terms
from restore.runtime.hinting import hinted
from restore.runtime.image import decode_image
from tests import receiver_helpers as tiny
from tests.cli_helpers import photograph
from tests.receiver_helpers import jpeg, save_model

Samples = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def default() -> Model:
    return load_model("default", threads=1)


@pytest.fixture(scope="module")
def picture() -> Samples:
    """A photograph of 150x203 pixels in colour, which ends within a block and within a tile."""
    pixels: Samples = np.ascontiguousarray(photograph(150, 203))
    return pixels


def error(pixels: Samples, original: Samples) -> float:
    return float(np.square(pixels.astype(float) - original).mean())


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
@pytest.mark.parametrize("quality", [10, 60])
def test_the_restored_picture_comes_nearer_to_the_original_by_what_is_said(
    default: Model, picture: Samples, subsampling: str, quality: int
) -> None:
    data = encode(picture, quality=quality, subsampling=subsampling).data
    result = hinted(data, picture, default)
    assert result.hint is not None
    assert len(result.data) == len(data) + 26
    before, after = (restore_image(each, model=default) for each in (data, result.data))
    assert error(before, picture) == pytest.approx(result.before, abs=1e-9)
    assert error(after, picture) == pytest.approx(result.after, abs=1e-9)
    assert psnr_db(picture, after) > psnr_db(picture, before) + 0.02
    assert add_hint(data, picture, model=default) == result.data


def test_a_gray_file_gains_too(default: Model, picture: Samples) -> None:
    gray = picture[..., 1].copy()
    data = encode(gray, quality=30).data
    result = hinted(data, gray, default)
    assert len(result.data) == len(data) + 16
    after = restore_image(result.data, model=default)
    assert error(after, gray) == pytest.approx(result.after, abs=1e-9)
    assert result.after < result.before


def test_a_gray_original_of_a_file_with_colour_and_the_reverse(default: Model, picture: Samples) -> None:
    gray = picture[..., 1].copy()
    in_colour = encode(np.repeat(gray[..., None], 3, axis=2), quality=30, subsampling="4:2:0").data
    result = hinted(in_colour, gray, default)
    restored = restore_image(result.data, model=default)
    assert restored.shape == picture.shape
    assert error(restored, np.repeat(gray[..., None], 3, axis=2)) == pytest.approx(result.after, abs=1e-9)
    luminance = np.asarray(Image.fromarray(picture).convert("L"))
    of_gray = encode(luminance, quality=30).data
    result, same = (hinted(of_gray, original, default) for original in (picture, luminance))
    assert result.after < result.before
    assert result.after == pytest.approx(same.after, rel=0.01)  # conversions to gray differ by rounding


def test_everything_else_in_the_file_stays(default: Model, picture: Samples) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a picture"
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=40, icc_profile=b"colours" * 99, exif=exif.tobytes())
    data = file.getvalue() + b"behind the picture"
    result = add_hint(data, picture, model=default)
    added = Hint.nbytes(is_gray=False)
    assert len(result) == len(data) + added
    start = result.index(b"hint\0") - 4
    assert result[:start] + result[start + added :] == data
    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(result)) as after:
        assert np.array_equal(np.asarray(before), np.asarray(after))
        assert after.info["icc_profile"] == b"colours" * 99
    assert "hint for the receiver" in optcodec.read_jpeg(result).metadata.contents


def test_a_second_hint_takes_the_place_of_the_first(default: Model, picture: Samples) -> None:
    data = encode(picture, quality=30).data
    once = add_hint(data, picture, model=default)
    assert add_hint(once, picture, model=default) == once
    other = add_hint(once, picture[::-1].copy()[::-1], model="tiny")
    assert len(other) == len(once)
    assert other != once


def test_nothing_is_left_where_it_does_not_help(tmp_path: Path, default: Model) -> None:
    flat = np.full((40, 56, 3), 130, np.uint8)
    data = encode(flat, quality=50).data
    result = hinted(data, flat, default)
    assert (result.hint, result.data, result.before, result.after) == (None, data, 0.0, 0.0)
    picture = photograph(40, 56)
    with_hint = add_hint(encode(picture, quality=20).data, picture, model=default)
    assert b"hint\0" in with_hint
    decoded = decode_image(receive(with_hint))
    unchanged = load_model(save_model(tmp_path, tiny.identity()), threads=1)
    again = hinted(with_hint, decoded, unchanged)  # the decoded picture is what this model gives already
    assert again.hint is None
    assert again.data == encode(picture, quality=20).data


def test_a_hint_never_leaves_more_error_than_the_decoded_picture_has(tmp_path: Path) -> None:
    """Networks that blur sharp noise, and one that makes everything brighter: no share of that is of any use."""
    noise = np.random.default_rng(3).integers(0, 256, (48, 64), dtype=np.uint8)
    for name, network in (("box", tiny.box()), ("brighter", tiny.brighter_by_table(1))):
        (tmp_path / name).mkdir()
        model = load_model(save_model(tmp_path / name, network, border=1), threads=1)
        data = encode(noise, quality=95).data
        result = hinted(data, noise, model)
        assert result.hint is not None
        assert result.after <= error(decode_image(receive(data)), noise) < result.before
        assert error(restore_image(result.data, model=model), noise) == pytest.approx(result.after, abs=1e-9)


def test_a_hint_is_for_one_model_and_for_the_coefficients_of_the_file(default: Model, picture: Samples) -> None:
    data = encode_turbo(picture, "4:2:0", 30)
    result = add_hint(data, picture, model=default)
    assert np.array_equal(restore_image(result, model="tiny"), restore_image(data, model="tiny"))
    progressive = optcodec.transcode(result, progressive=True).data  # the same coefficients in other scans
    assert b"\xff\xc2" in progressive
    assert b"\xff\xc2" not in result
    assert np.array_equal(restore_image(progressive, model=default), restore_image(result, model=default))
    coarser = optcodec.transcode(result, effort=3, quality=20).data
    received = receive(coarser)
    assert any(segment.payload.startswith(b"hint\0") for segment in received.metadata.segments or ())
    assert hint_of(received, default) is None


def test_other_ways_of_restoring_do_not_use_it(default: Model, picture: Samples) -> None:
    data = encode(picture, quality=30).data
    result = add_hint(data, picture, model=default)
    for options in ({"hint": False}, {"project": False}, {"as_quality": 10}, {"strength": 0.0}):
        plain, with_hint = (restore_image(each, model=default, **options) for each in (data, result))
        assert np.array_equal(plain, with_hint), options
    half = restore_image(result, model=default, strength=0.5).astype(int)
    middle = (restore_image(result, model=default).astype(int) + decode_image(receive(data))) / 2
    assert np.abs(half - middle).max() <= 1.5


def test_the_result_does_not_depend_on_the_tiles(default: Model, picture: Samples) -> None:
    result = add_hint(encode(picture, quality=20).data, picture, model=default)
    whole = restore_image(result, model=default, tile=512)
    for tile in (16, 48):
        assert np.array_equal(restore_image(result, model=default, tile=tile), whole)


def test_terms_are_those_of_the_formula() -> None:
    rng = np.random.default_rng(0)
    surroundings = rng.normal(size=(3, 24, 32)).astype(np.float32)
    change = rng.normal(size=(3, 8, 16)).astype(np.float32)
    tile = Change(((0, 8), (0, 16)), surroundings, change)
    weights = ((3, -70, 8), (32, 1, -2, 3, -4), (-128, 127, 5, 6, 7))
    weighed = Hint(weights).weigh(tile)
    for index, row in enumerate(weights):
        for y, x in np.ndindex(8, 16):
            expected = row[0] / 32 * change[index, y, x]
            for plane, (along, down) in zip((index, 0), (row[1:3], row[3:5]) if index else (row[1:3],), strict=False):
                p = surroundings[plane]
                expected += along / 256 * (p[y + 8, x + 7] + p[y + 8, x + 9] - 2 * p[y + 8, x + 8])
                expected += down / 256 * (p[y + 7, x + 8] + p[y + 9, x + 8] - 2 * p[y + 8, x + 8])
            assert weighed[index, y, x] == pytest.approx(expected, abs=1e-4)
    assert [len(terms(tile, index)) for index in range(3)] == [3, 5, 5]


def test_weights_are_those_of_least_squares(tmp_path: Path) -> None:
    """With a network whose change is known, the hint finds the weights that made the original."""
    data = jpeg(96, 128, "L", quality=95)
    model = load_model(save_model(tmp_path, tiny.box(), border=1), threads=1)
    wanted = Hint(((20, -9, 30),))
    received = receive(data)
    marked = optcodec.shared.with_metadata(
        data, optcodec.Metadata(segments=(wanted.segment(fingerprint(received, model)),)), [1]
    )
    assert hint_of(receive(marked), model) == Hint([[20, -9, 30]])
    original = restore_image(marked, model=model)
    result = hinted(data, original, model)
    assert result.hint is not None
    assert np.abs(np.subtract(result.hint.weights[0], wanted.weights[0])).max() <= 1
    assert result.after < 0.2 < result.before


def test_a_damaged_hint_is_no_hint(default: Model, picture: Samples) -> None:
    result = add_hint(encode(picture, quality=30).data, picture, model=default)
    start = result.index(b"hint\0")
    plain = restore_image(result, model=default, hint=False)
    for position in (start, start + 5):  # the name, and what the hint is for
        damaged = bytearray(result)
        damaged[position] ^= 1
        assert np.array_equal(restore_image(bytes(damaged), model=default), plain)
    shorter = result[: start - 2] + (23).to_bytes(2) + result[start : start + 21] + result[start + 22 :]
    assert np.array_equal(restore_image(shorter, model=default), plain)


def test_an_original_of_another_size_is_refused(default: Model, picture: Samples) -> None:
    data = encode(picture, quality=30).data
    with pytest.raises(InvalidInputError, match=r"has 203x149 pixels; expected those of the file, 203x150"):
        add_hint(data, picture[1:], model=default)
    with pytest.raises(InvalidInputError, match="a loaded model has its threads already"):
        add_hint(data, picture, model=default, threads=1)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)])


@pytest.fixture
def files(tmp_path: Path, picture: Samples) -> Path:
    """Two photographs, and their JPEG files in another folder."""
    for name, pixels in (("a", picture), ("deep/b", picture[:64, :80])):
        for folder, suffix in (("originals", ".png"), ("coded", ".jpg")):
            path = tmp_path / folder / f"{name}{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path, quality=30) if suffix == ".jpg" else Image.fromarray(pixels).save(path)
    return tmp_path


def test_a_folder_gets_hints(files: Path, picture: Samples) -> None:
    result = run("hint", files / "coded", "--originals", files / "originals", "-o", files / "out", "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert [Path(file["original"]).name for file in document["files"]] == ["a.png", "b.png"]
    for file in document["files"]:
        assert file["nbytes"] == file["nbytes_before"] + 26
        assert file["psnr_after"] > file["psnr_before"]
    written = (files / "out" / "a.jpg").read_bytes()
    assert written == add_hint((files / "coded" / "a.jpg").read_bytes(), picture)
    assert psnr_db(picture, restore_image(written)) == pytest.approx(document["files"][0]["psnr_after"], abs=1e-3)


def test_one_file_is_told_as_a_table(files: Path) -> None:
    result = run("hint", files / "coded" / "a.jpg", "--originals", files / "originals" / "a.png", "-o", files / "h.jpg")
    assert result.exit_code == 0, result.output
    assert "1 file of 1 with a hint" in result.stdout
    planned = run("hint", files / "coded", "--originals", files / "originals", "-o", files / "new", "--dry-run")
    assert planned.exit_code == 0
    assert not (files / "new").exists()


def test_run_says_nothing_of_hints_and_does_not_pass_them_on(files: Path, picture: Samples) -> None:
    hint = ("hint", files / "coded" / "a.jpg", "--originals", files / "originals" / "a.png", "-o", files / "h.jpg")
    assert run(*hint).exit_code == 0
    with_hint = run("run", files / "h.jpg", "-o", files / "with.png", "--json")
    without = run("run", files / "h.jpg", "-o", files / "without.png", "--no-hint")
    plain = run("run", files / "coded" / "a.jpg", "-o", files / "plain.png")
    assert [result.exit_code for result in (with_hint, without, plain)] == [0, 0, 0]
    assert json.loads(with_hint.stdout)["notices"] == 0
    pixels = {name: np.asarray(Image.open(files / f"{name}.png")) for name in ("with", "without", "plain")}
    assert np.array_equal(pixels["without"], pixels["plain"])
    assert error(pixels["with"], picture) < error(pixels["plain"], picture)
    assert run("run", files / "h.jpg", "-o", files / "again.jpg").exit_code == 0
    assert b"hint\0" not in (files / "again.jpg").read_bytes()


def test_bad_input_is_told_in_one_line(files: Path) -> None:
    coded, originals = files / "coded", files / "originals"
    refused = run("hint", coded, "--originals", originals / "a.png", "-o", files / "out")
    assert refused.exit_code == 1
    assert "is one picture; expected a folder for several files" in refused.stderr
    (originals / "a.png").rename(originals / "c.png")
    partly = run("hint", coded, "--originals", originals, "-o", files / "out")
    assert partly.exit_code == 1
    assert "expected one original named a with any suffix" in partly.stderr
    assert (files / "out" / "deep" / "b.jpg").exists()
    assert not (files / "out" / "a.jpg").exists()
    wrong = run("hint", coded / "a.jpg", "--originals", originals / "deep" / "b.png", "-o", files / "wrong.jpg")
    assert wrong.exit_code == 1
    assert "the original has 80x64 pixels; expected those of the file, 203x150" in wrong.stderr
    assert not (files / "wrong.jpg").exists()


def test_a_sender_may_leave_hints_within_the_bytes_that_are_asked_for(default: Model, picture: Samples) -> None:
    sender = sender_from("mine=hint@tiny:optcodec:effort=3,tune=psnr", "4:2:0")
    assert isinstance(sender, HintingSender)
    assert (sender.name, sender.model.name) == ("mine", "tiny")
    data = sender.encode(picture, "4:2:0", MaxBytes(3000))
    assert 2800 < len(data) <= 3000
    assert hint_of(receive(data), load_model("tiny", threads=1)) is not None
    inner = OptcodecSender("inner", {"effort": 2})
    of_quality = HintingSender("ours", inner, default).encode(picture, "4:2:0", Quality(50))
    assert len(of_quality) == len(inner.encode(picture, "4:2:0", Quality(50))) + 26
    assert not isinstance(sender_from("plain=pillow", "4:2:0"), HintingSender)
    with pytest.raises(InvalidInputError, match="no sender 'nobody'"):
        sender_from("hint:nobody", "4:2:0")
