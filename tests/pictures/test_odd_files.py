"""A single bad file never ends a batch, whatever error its decoder raises."""

from __future__ import annotations

import io
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image, PngImagePlugin

from optcodec import InvalidInputError, load_picture, opened_image
from restore.channel.degradation import load_photographs
from restore.cli import main as restore_main
from restore.evaluation.testsets import load_image
from tests.cli_helpers import messages, photograph, run, save
from tests.receiver_helpers import jpeg

PIXELS = photograph(24, 32)


def png_with_long_text() -> bytes:
    """Pillow refuses more than a mebibyte of text with a ValueError, when it opens the file."""
    text, file = PngImagePlugin.PngInfo(), io.BytesIO()
    text.add_text("comment", "x" * 1_200_000, zip=True)
    Image.fromarray(PIXELS).save(file, "PNG", pnginfo=text)
    return file.getvalue()


def damaged_avif() -> bytes:
    """Make the file type box of an AVIF file, followed by bytes that are not AVIF."""
    return struct.pack(">I", 24) + b"ftypavif" + bytes(4) + b"avifmif1" + b"\xff" * 200


def chunk(chunk_type: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + chunk_type + content + struct.pack(">I", zlib.crc32(chunk_type + content))


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
    """A folder of bad files, with two good files that come first and last in alphabetical order."""
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
    failed = {Path(record["path"]).name.removesuffix(".avif.png"): record["error"] for record in report["failures"]}
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
    assert [Path(record["path"]).name for record in json.loads(result.stdout)["files"]] == ["0.png", "z.png"]


def test_inspect_and_restore_go_on(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name, content in {"a": odd_files()["large.jpg"], "b": jpeg(16, 16), "c": b"", "d": jpeg(16, 16)[:-40]}.items():
        (tmp_path / f"in/{name}.jpg").write_bytes(content)
    notice, summary, *_ = messages(run("inspect", tmp_path / "in"))  # `inspect` decodes no coefficients
    assert notice.startswith(f"{tmp_path / 'in/d.jpg'}: the file ends where a marker is expected")
    assert summary == "Error: 2 of 4 files failed:"
    assert messages(run("inspect", tmp_path / "in", "--strict"))[0] == "Error: 3 of 4 files failed:"
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
        with pytest.raises(InvalidInputError, match=r"^.*a\.png: cannot be decoded: \w+") as error:
            load_picture(path)
        assert "\n" not in str(error.value)
