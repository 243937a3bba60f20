"""One odd file never ends a batch, whatever its decoder raises; too large ones are refused before memory is taken."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, PngImagePlugin

import optcodec
from optcodec import InvalidInputError, MalformedJpegError, UnsupportedJpegError, load_picture, opened_image
from optcodec.jsontext import parse_json
from restore.cli import main as restore_main
from restore.degrade import load_photographs
from restore.testsets import load_image
from tests.cli_helpers import messages, photograph, refusal, run, save
from tests.receiver_helpers import jpeg

PIXELS = photograph(24, 32)
DEEP = "[" * 100_000


def png_with_long_text() -> bytes:
    """Pillow refuses more than a mebibyte of text with a ValueError, when it opens the file."""
    text, file = PngImagePlugin.PngInfo(), io.BytesIO()
    text.add_text("comment", "x" * 1_200_000, zip=True)
    Image.fromarray(PIXELS).save(file, "PNG", pnginfo=text)
    return file.getvalue()


def damaged_avif() -> bytes:
    """The file type box of an AVIF file, and then nothing that is one."""
    return struct.pack(">I", 24) + b"ftypavif" + bytes(4) + b"avifmif1" + b"\xff" * 200


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def odd_files() -> dict[str, bytes]:
    png = b"\x89PNG\r\n\x1a\n"
    return {
        "text.png": png_with_long_text(),
        "short_header.png": png + chunk(b"IHDR", b"\0\0\0\1"),
        "no_size.png": png + chunk(b"IHDR", struct.pack(">IIBBBBB", 0, 0, 8, 2, 0, 0, 0)),
        "letters.pgm": b"P5 ab cd 255\n" + bytes(100),
        "long_number.pgm": b"P5 " + b"9" * 200 + b" 3 255\n",
        "huge.pgm": b"P5 999999999 999999999 255\n",
        "no_depth.pgm": b"P5 3 3 0\n" + bytes(9),
        "cut.ppm": b"P6",
        "ftyp.avif": damaged_avif(),
        "vp8.webp": b"RIFF\x24\0\0\0WEBPVP8 " + b"\xff" * 40,
        "ifd.tif": b"II*\0\x08\0\0\0\xff\xff" + b"\xff" * 60,
        "lzw.gif": b"GIF89a\xff\xff\xff\xff\xf7\0\0" + b"\xff" * 30,
        "dib.bmp": b"BM" + b"\xff" * 100,
        "large.jpg": b"\xff\xd8\xff\xc0\x00\x0b\x08\xff\xff\xff\xff\x01\x01\x11\x00\xff\xd9",
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Odd files, and two good ones at both ends of the alphabet."""
    (tmp_path / "in").mkdir()
    for name, content in odd_files().items():
        suffix = ".png" if name.endswith(".avif") else ""  # folders are searched by suffix
        (tmp_path / "in" / f"{name}{suffix}").write_bytes(content)
    save(tmp_path / "in/0.png", PIXELS)
    save(tmp_path / "in/z.png", PIXELS)
    return tmp_path / "in"


def check_batch(result: Any, folder: Path) -> None:
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    report = json.loads(result.stdout)
    failed = {Path(each["path"]).name.removesuffix(".avif.png"): each["error"] for each in report["failures"]}
    assert failed.keys() == {name.removesuffix(".avif") for name in odd_files()}
    assert all(error and "\n" not in error for error in failed.values())
    count = len(odd_files())
    assert f"Error: {count} of {count + 2} files failed:" in messages(result)
    assert len(messages(result)) == count + 1


def test_encode_goes_on(folder: Path) -> None:
    result = run("encode", folder, "-o", folder.parent / "out", "--json")
    check_batch(result, folder)
    assert sorted(path.name for path in (folder.parent / "out").iterdir()) == ["0.jpg", "z.jpg"]


@pytest.mark.parametrize("options", [[], ["--per-image"]], ids=["one set", "per image"])
def test_design_goes_on(folder: Path, options: list[str]) -> None:
    output = folder.parent / ("out" if options else "tables.json")
    check_batch(run("design", folder, "-o", output, "--match-quality", 50, *options, "--json"), folder)
    assert output.exists()


def test_compare_goes_on(folder: Path) -> None:
    reference = save(folder.parent / "reference.png", PIXELS)
    result = run("compare", reference, folder, "--json")
    check_batch(result, folder)
    assert [Path(each["path"]).name for each in json.loads(result.stdout)["files"]] == ["0.png", "z.png"]


def test_inspect_and_restore_go_on(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name, content in {"a": odd_files()["large.jpg"], "b": jpeg(16, 16), "c": b"", "d": jpeg(16, 16)[:-40]}.items():
        (tmp_path / f"in/{name}.jpg").write_bytes(content)
    assert messages(run("inspect", tmp_path / "in"))[0] == "Error: 3 of 4 files failed:"
    arguments = ["run", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--model", "tiny"]
    result = CliRunner().invoke(restore_main, arguments)
    assert messages(result)[0] == "Error: 3 of 4 files failed:"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.png"]


@pytest.mark.parametrize("name", [name for name in odd_files() if not name.endswith(".jpg")])
def test_every_way_to_open_an_image_says_what_is_wrong(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(odd_files()[name])

    def opened(path: Path) -> None:
        with opened_image(path) as image:
            image.load()

    for way in (load_picture, opened, lambda path: load_image(path, colour=True)):
        with pytest.raises(InvalidInputError) as error:
            way(path)
        assert str(error.value).startswith(f"{path}: ")
        assert "\n" not in str(error.value)
    if path.suffix in (".png", ".bmp", ".tif"):
        with pytest.raises(InvalidInputError, match=name):
            load_photographs(tmp_path, mode="RGB")


def test_whatever_a_plugin_raises_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.png", PIXELS)
    for error in (ValueError("two\nlines"), ZeroDivisionError(), OverflowError("x"), AssertionError(), EOFError()):

        def broken(*arguments: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setitem(Image.OPEN, "PNG", (broken, Image.OPEN["PNG"][1]))
        with pytest.raises(InvalidInputError, match=r"^.*a\.png: cannot be decoded: \w+") as found:
            load_picture(path)
        assert "\n" not in str(found.value)


# Sizes


def sof(width: int, height: int) -> bytes:
    """A grey baseline file with so little data that no such image can be in it."""
    whole = bytearray(jpeg(8, 8, "L"))
    at = whole.index(b"\xff\xc0") + 5
    whole[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(whole)


def test_a_header_that_claims_too_much_is_refused_before_memory_is_taken() -> None:
    program = (
        "import resource, sys, optcodec\n"
        "data = sys.stdin.buffer.read()\n"
        "optcodec.read_jpeg(optcodec.encode(__import__('numpy').zeros((8, 8), 'uint8')).data)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for read in (optcodec.read_jpeg, lambda data: list(optcodec.read_jpeg_rows(data))):\n"
        "    for limit in (optcodec.MAX_PIXELS, None):\n"
        "        try: read(data, **({} if read is not optcodec.read_jpeg else {'max_pixels': limit}))\n"
        "        except optcodec.MalformedJpegError as error: print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", program], input=sof(65535, 65535), capture_output=True, check=True)
    *errors, grown = done.stdout.decode().splitlines()
    assert len(errors) == 4
    assert all("a scan of 67108864 blocks takes 134217728 bits or more" in error for error in errors)
    assert int(grown) < 20_000  # KiB


@pytest.fixture(scope="module")
def flat() -> bytes:
    """A whole file of 2000x1500 pixels."""
    return optcodec.encode(np.full((1500, 2000), 90, np.uint8)).data


def test_jpeg_files_have_a_limit_of_pixels(flat: bytes) -> None:
    expected = r"2000x1500 = 3,000,000 pixels; expected at most 2,999,999, .*max_pixels=N, --max-pixels N"
    for read in (optcodec.read_jpeg, optcodec.read_jpeg_rows):
        with pytest.raises(UnsupportedJpegError, match=expected):
            read(flat, max_pixels=2_999_999)
        assert read(flat, max_pixels=3_000_000).width == read(flat, max_pixels=None).width == read(flat).width == 2000


def test_the_usual_limit_is_that_of_pillow() -> None:
    assert Image.MAX_IMAGE_PIXELS is not None
    assert 0 <= 2 * Image.MAX_IMAGE_PIXELS - optcodec.MAX_PIXELS < 2
    wide = optcodec.encode(np.zeros((2731, 65535), np.uint8)).data
    assert 65535 * 2730 <= optcodec.MAX_PIXELS < 65535 * 2731
    with pytest.raises(UnsupportedJpegError, match="expected at most 178,956,970"):
        optcodec.read_jpeg(wide)
    with pytest.raises(InvalidInputError, match="expected at most 178,956,970"):
        load_picture(io.BytesIO(wide))
    with pytest.raises(MalformedJpegError):
        optcodec.read_jpeg(sof(65535, 2730))


def test_arrays_have_no_limit() -> None:
    """What is in memory fits, and files of ours are read whatever their size."""
    coded = optcodec.encode(np.zeros((2731, 65535), np.uint8), progressive="smaller")
    assert coded.coefficients.width == 65535


def test_other_files_have_the_same_limit(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", PIXELS)
    with pytest.raises(InvalidInputError, match=r"a\.png: the image has 32x24 = 768 pixels; expected at most 767"):
        load_picture(path, max_pixels=767)
    assert load_picture(path, max_pixels=768).pixels.shape == load_picture(path, max_pixels=None).pixels.shape


def test_images_above_the_limit_of_pillow_are_read_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # 24x32 is more than twice as much, which Pillow refuses
    path = save(tmp_path / "a.png", PIXELS)
    np.testing.assert_array_equal(load_picture(path).pixels, PIXELS)


@pytest.mark.parametrize(
    "arguments",
    [
        ["encode", "FILE", "-o", "out.jpg"],
        ["encode", "FILE", "-o", "out.jpg", "--pixels"],
        ["compare", "FILE", "FILE"],
        ["design", "FILE", "-o", "t.json", "--match-quality", "50"],
        ["blocks", "show", "FILE", "-o", "blocks.png"],
    ],
)
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_the_limit_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], suffix: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = str(save(tmp_path / f"a.{suffix}", PIXELS))
    named = [path if argument == "FILE" else argument for argument in arguments]
    if "show" in named and suffix == "png":
        named += ["--blocks", "x264"]
    assert "32x24 = 768 pixels; expected at most 700" in refusal(*named, "--max-pixels", 700)
    assert run(*named, "--max-pixels", 768).exit_code == 0


def test_the_limit_of_restore(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(24, 32))
    arguments = ["run", str(tmp_path / "a.jpg"), "-o", str(tmp_path / "a.png"), "--model", "tiny", "--max-pixels"]
    result = CliRunner().invoke(restore_main, [*arguments, "767"])
    assert "32x24 = 768 pixels; expected at most 767" in result.stderr
    assert result.exit_code == 1
    assert CliRunner().invoke(restore_main, [*arguments, "768"]).exit_code == 0


# JSON


def test_nested_json_is_refused_at_any_depth() -> None:
    for depth in (101, 500, 900, 5000, 100_000):
        for text in ("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth, "[" * depth):
            with pytest.raises(InvalidInputError, match=r"found (more than 100 levels|Expecting value)"):
                parse_json(text)
    assert parse_json("[" * 100 + "]" * 100) is not None


@pytest.mark.parametrize(
    "text",
    ["", "{", "9" * 5000, b"\xff\xfe\xfd", b"\xef\xbb\xbf\xff", "nul", '"\ud800'],
    ids=["empty", "open", "long number", "no text", "mark", "word", "surrogate"],
)
def test_whatever_is_no_json_is_one_error(text: str | bytes) -> None:
    with pytest.raises(InvalidInputError, match=r"^expected the JSON of x, found "):
        parse_json(text, "the JSON of x")


@pytest.mark.parametrize(
    "arguments",
    [
        ["encode", "IMAGE", "--tables", "FILE"],
        ["encode", "IMAGE", "--profile", "FILE", "--bpp", "1"],
        ["encode", "IMAGE", "--tune", "receiver:FILE"],
        ["plot", "FILE", "-o", "a.png"],
    ],
)
@pytest.mark.parametrize("content", [DEEP, '{"a":' * 100_000, "[" + "9" * 5000])
def test_odd_json_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], content: str
) -> None:
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "image.png", PIXELS)
    (tmp_path / "file.json").write_text(content)
    named = {"IMAGE": "image.png", "FILE": "file.json"}
    line = refusal(*(named.get(argument, argument.replace("FILE", "file")) for argument in arguments))
    assert "file" in line
    assert "found" in line


@pytest.mark.parametrize("content", [DEEP, "9" * 5000, "{", "[]", '{"name": []}'])
@pytest.mark.parametrize("verb", [["run", "a.jpg", "-o", "a.png", "--model"], ["train", "-o", "run", "--data", "."]])
def test_odd_indexes_and_recipes_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: list[str], content: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jpg").write_bytes(jpeg(16, 16))
    (tmp_path / "file.json").write_text(content)
    result = CliRunner().invoke(restore_main, [*verb, "file.json"])
    assert result.exit_code == 1, result.exception
    assert isinstance(result.exception, SystemExit)
    (line,) = messages(result)
    assert "file.json" in line or "recipe" in line
