"""Images that are too large are refused before memory is allocated for them."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import optcodec
from optcodec import InvalidInputError, MalformedJpegError, UnsupportedJpegError, load_picture
from restore.cli import main as restore_main
from tests.cli_helpers import photograph, refusal, run, save
from tests.receiver_helpers import jpeg

PIXELS = photograph(24, 32)


# The beginning of a program that loads the kernels, reads a file from stdin, and may then allocate 30 MiB more.
LITTLE_MEMORY = (
    "import resource, sys, optcodec\n"
    "data = sys.stdin.buffer.read()\n"
    "optcodec.read_jpeg(optcodec.encode(__import__('numpy').zeros((8, 8), 'uint8')).data)\n"
    "size = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize() + (30 << 20)\n"
    "resource.setrlimit(resource.RLIMIT_AS, (size, size))\n"
)


def sof(width: int, height: int) -> bytes:
    """Make a grey baseline file with too little data for its size."""
    whole = bytearray(jpeg(8, 8, "L"))
    at = whole.index(b"\xff\xc0") + 5
    whole[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(whole)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc on this system")
def test_a_header_that_claims_too_much_is_refused_before_memory_is_taken() -> None:
    program = LITTLE_MEMORY + (
        "for read in (optcodec.read_jpeg, lambda data, **options: list(optcodec.read_jpeg_rows(data, **options))):\n"
        "    for limit in (optcodec.MAX_PIXELS, None):\n"
        "        try: read(data, max_pixels=limit)\n"
        "        except optcodec.MalformedJpegError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], input=sof(65535, 65535), capture_output=True, check=True)
    errors = done.stdout.decode().splitlines()
    assert len(errors) == 4
    assert all("a scan of 67108864 blocks takes 134217728 bits or more" in error for error in errors)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc on this system")
@pytest.mark.parametrize("read", ["read_jpeg", "read_jpeg_rows"])
def test_a_large_image_is_refused_before_memory_is_taken(read: str) -> None:
    wide = optcodec.encode(np.zeros((2733, 65500), np.uint8)).data
    program = LITTLE_MEMORY + (
        f"try: optcodec.{read}(data)\n"
        "except optcodec.UnsupportedJpegError as error: print(error)\n"
        "try: optcodec.read_jpeg(data, max_pixels=None)\n"
        "except MemoryError: print('no memory')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], input=wide, capture_output=True, check=True)
    refused, unlimited = done.stdout.decode().splitlines()
    assert "65500x2733 = 179,011,500 pixels" in refused
    assert unlimited == "no memory"


@pytest.fixture(scope="module")
def flat() -> bytes:
    """Make a complete file of 2000x1500 pixels."""
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
    wide = optcodec.encode(np.zeros((2733, 65500), np.uint8)).data
    assert 65500 * 2732 <= optcodec.MAX_PIXELS < 65500 * 2733
    with pytest.raises(UnsupportedJpegError, match="expected at most 178,956,970"):
        optcodec.read_jpeg(wide)
    with pytest.raises(InvalidInputError, match="expected at most 178,956,970"):
        load_picture(io.BytesIO(wide))
    with pytest.raises(MalformedJpegError):
        optcodec.read_jpeg(sof(65535, 2730))


def test_arrays_have_no_limit() -> None:
    """Arrays in memory and files that this package wrote have no limit."""
    coded = optcodec.encode(np.zeros((2733, 65500), np.uint8), progressive="smaller")
    assert coded.coefficients.width == 65500


def test_other_files_have_the_same_limit(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", PIXELS)
    with pytest.raises(InvalidInputError, match=r"a\.png: the image has 32x24 = 768 pixels; expected at most 767"):
        load_picture(path, max_pixels=767)
    assert load_picture(path, max_pixels=768).pixels.shape == load_picture(path, max_pixels=None).pixels.shape


def test_images_above_the_limit_of_pillow_are_read_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # Pillow refuses more than twice this limit
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
