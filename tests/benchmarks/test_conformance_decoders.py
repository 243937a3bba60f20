"""The conformance benchmark: results of all decoders are counted, and other encoders' files compared with libjpeg."""

from __future__ import annotations

import importlib
import io
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from optcodec import InvalidInputError, encode, read_jpeg
from tests.benchmarks.test_conformance import FILES, benchmark
from tests.cli_helpers import photograph

jpeglib = pytest.importorskip("jpeglib")
MATRIX, DECODERS, PYTHON, BROWSER, READING = map(
    benchmark,
    (
        *("matrix", "decoders", "python", "browser"),
        "reading",
    ),
)
PHOTO = photograph(40, 50)


def jpeg(pixels: np.ndarray = PHOTO, **options: Any) -> bytes:
    return encode(pixels, **options).data


def ppm(pixels: np.ndarray) -> bytes:
    height, width, _ = pixels.shape
    return f"P6 {width} {height} 255\n".encode() + pixels.tobytes()


def decoder(name: str, decode: Any, version: str | None = "1") -> Any:
    return DECODERS.Decoder(name, version, f"pip install {name}", decode)


def test_matrix_of_decoders_that_do_all_that_decoders_do(capsys: pytest.CaptureFixture[str]):
    ours = [FILES.OurFile("grey", "small", jpeg(PHOTO[..., 0].copy())), FILES.OurFile("colour", "large", jpeg())]

    def good(source: Path, target: Path) -> None:
        for path in source.glob("*.jpg"):
            Image.open(path).convert("RGB").save(target / f"{path.stem}.ppm")
        (target / "0001.warning").write_text(f"{source}/0001.jpg is odd\n")

    def mixed(source: Path, target: Path) -> None:
        (target / "0000.ppm").write_bytes(ppm(255 - np.asarray(Image.open(source / "0000.jpg").convert("RGB"))))
        (target / "0001.error").write_text(f"{source}/0001.jpg: no")

    def crash(source: Path, target: Path) -> None:
        raise subprocess.CalledProcessError(1, ["gcc"])

    decoders = [decoder("good", good), decoder("mixed", mixed), decoder("silent", lambda *_: None)]
    rows = MATRIX.matrix(ours, [*decoders, decoder("crash", crash), decoder("gone", None, None)])

    assert rows["good"]["right"] == 2
    assert rows["good"]["warnings"] == {"large": {"colour": "IN/0001.jpg is odd"}}
    assert rows["mixed"]["wrong"].keys() == {"small"}
    assert rows["mixed"]["refused"] == {"large": {"colour": "IN/0001.jpg: no"}}
    assert rows["silent"]["refused"]["small"] == {"grey": "no picture came out"}
    assert rows["crash"]["refused"]["large"]["colour"].startswith("CalledProcessError: Command '['gcc']'")
    assert rows["gone"] == {"version": None, "install": "pip install gone"}
    assert "gone: skipped, it is not installed (pip install gone)" in capsys.readouterr().out


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A folder IN with a grey, a colour, a CMYK and a damaged file, and an empty folder OUT."""
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    target.mkdir()
    (source / "a.jpg").write_bytes(jpeg(PHOTO[..., 0].copy()))
    (source / "b.jpg").write_bytes(jpeg())
    Image.fromarray(PHOTO).convert("CMYK").save(source / "c.jpg")
    (source / "d.jpg").write_bytes(b"\xff\xd8\xff\xd9")
    return source, target


def assert_decoded(source: Path, target: Path) -> None:
    for name in "abc":
        expected = np.asarray(Image.open(source / f"{name}.jpg").convert("RGB"))
        np.testing.assert_array_equal(np.asarray(Image.open(target / f"{name}.ppm").convert("RGB")), expected)
    assert (target / "d.error").read_text()
    assert sorted(path.name for path in target.iterdir()) == ["a.ppm", "b.ppm", "c.ppm", "d.error"]


def test_packages_decode_in_a_separate_process(folders: tuple[Path, Path]):
    known = {decoder.name: decoder for decoder in DECODERS.decoders()}
    known["Pillow"].decode(*folders)
    assert_decoded(*folders)
    assert known["Pillow"].version.startswith(f"{importlib.import_module('PIL').__version__}, libjpeg-turbo ")


def test_what_c_libraries_say_is_kept_and_nothing_leaves_no_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    with PYTHON.stderr_to(tmp_path / "said"):
        os.write(2, b"from C\n")
        print("from Python", file=sys.stderr)
    with PYTHON.stderr_to(tmp_path / "silent"):
        pass
    with pytest.raises(ZeroDivisionError), PYTHON.stderr_to(tmp_path / "raised"):
        _ = 1 / 0
    os.write(2, b"as before\n")
    assert (tmp_path / "said").read_bytes().startswith(b"from C\n")
    assert [path.name for path in tmp_path.iterdir()] == ["said"]
    assert "as before\n" in capfd.readouterr().err


PROGRAM = """
import sys
from PIL import Image
source, target = sys.argv[1:]
if source.endswith("d.jpg"):
    sys.exit("[mjpeg @ 0x55aa] cannot")
Image.open(source).convert("RGB").save(target)
print("deprecated pixel format used, be sure" if source.endswith("a.jpg") else "", file=sys.stderr)
sys.exit("[mjpeg @ 0x55aa] doubtful" if source.endswith("b.jpg") else 0)
"""


def test_programs_decode_a_file_a_call(folders: tuple[Path, Path]):
    DECODERS._one_by_one([sys.executable, "-c", PROGRAM, "IN", "OUT"], *folders)
    assert (folders[1] / "d.error").read_text() == "exit status 1: [mjpeg] cannot"
    warning = folders[1] / "b.warning"
    assert warning.read_text() == "[mjpeg] doubtful"
    warning.unlink()
    assert_decoded(*folders)


def test_a_program_that_ends_early_refuses_what_it_left_out(folders: tuple[Path, Path]):
    program = "import sys; open(sys.argv[2] + '/a.ppm', 'w').close(); sys.exit('enough')"
    DECODERS._run([sys.executable, "-c", program], *folders)
    assert sorted(path.name for path in folders[1].iterdir()) == ["a.ppm", "b.error", "c.error", "d.error"]
    assert (folders[1] / "b.error").read_text() == "exit status 1: enough"


def test_versions_are_what_programs_say():
    assert DECODERS.output_of([sys.executable, "-c", "print('x version 1.2 (old)')"], r"(x) version (\S+)") == "x 1.2"
    assert DECODERS.output_of([sys.executable, "-c", ""], r"version (\S+)") is None
    assert DECODERS.output_of(["no-such-program-as-this"], r"(.*)") is None


BROWSER_SCRIPT = """#!{python}
import io, json, sys, urllib.request
from PIL import Image
address = sys.argv[-1]
assert b"<script>" in urllib.request.urlopen(address).read()
for name in json.load(urllib.request.urlopen(address + "names")):
    try:
        image = Image.open(io.BytesIO(urllib.request.urlopen(address + name + ".jpg").read())).convert("RGB")
        what, body = "ppm?%dx%d" % image.size, image.convert("RGBA").tobytes()
    except OSError as error:
        what, body = "error", str(error).encode()
    urllib.request.urlopen(urllib.request.Request(address + name + "." + what, body, method="POST"))
urllib.request.urlopen(urllib.request.Request(address + "done", b"", method="POST"))
"""


def test_a_browser_gets_files_and_sends_samples(folders: tuple[Path, Path], tmp_path: Path):
    browser = tmp_path / "browser"
    browser.write_text(BROWSER_SCRIPT.format(python=sys.executable))
    browser.chmod(0o755)
    BROWSER.decode_in_chromium(str(browser), DECODERS.SOURCES / "page.html", *folders)
    assert_decoded(*folders)


def peer(kind: str = "Pillow", **options: Any) -> Any:
    file = io.BytesIO()
    Image.fromarray(PHOTO).save(file, "JPEG", **options)
    return READING.PeerFile(f"{kind} {options}", kind, file.getvalue())


def arithmetic(tmp_path: Path) -> bytes:
    with jpeglib.version("9f"):
        jpeglib.from_spatial(PHOTO).write_spatial(str(tmp_path / "x.jpg"), flags=["+ARITH_CODE"])
    return (tmp_path / "x.jpg").read_bytes()


def test_files_that_are_read_as_libjpeg_reads_them(tmp_path: Path):
    coded = READING.PeerFile("coded", READING.ARITHMETIC, arithmetic(tmp_path))
    assert READING.agreement([peer(), peer(progressive=True), coded]) == {
        "Pillow": {"files": 2, "coefficients": 2, "pixels": 2, "refused": 0, "disagreements": {}},
        READING.ARITHMETIC: {"files": 1, "coefficients": 0, "pixels": 0, "refused": 1, "disagreements": {}},
    }


def test_a_coefficient_that_is_read_differently_is_reported(monkeypatch: pytest.MonkeyPatch):
    def misread(data: bytes) -> Any:
        image = read_jpeg(data)
        first, *others = image.components
        blocks = first.blocks.copy()
        blocks[0, 0, 0, 0] += 4
        return replace(image, components=(replace(first, blocks=blocks), *others))

    monkeypatch.setattr(READING, "read_jpeg", misread)
    (row,) = READING.agreement([peer()]).values()
    assert (row["files"], row["coefficients"], row["pixels"]) == (1, 0, 0)
    ((name, wrong),) = row["disagreements"].items()
    assert name == "Pillow {}"
    assert wrong["coefficients"] == "not those that libjpeg reads"
    assert re.fullmatch(r"written again, progressive: largest difference \d+", wrong["pixels"])


def test_files_that_are_refused_or_read_against_expectation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    unexpected = READING.PeerFile("coded", "libjpeg", arithmetic(tmp_path))
    (reason,) = set(READING.disagreements(unexpected).values())
    assert reason.startswith("refused: UnsupportedJpegError: ")
    read = "read, although optcodec does not decode arithmetic coding"
    assert READING.disagreements(peer(READING.ARITHMETIC)) == {"refused": read}

    def refuse(data: bytes) -> Any:
        raise InvalidInputError("no")

    monkeypatch.setattr(READING, "read_jpeg", refuse)
    assert READING.disagreements(peer(READING.ARITHMETIC)) == {"refused": "InvalidInputError: no"}
