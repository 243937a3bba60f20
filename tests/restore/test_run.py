"""``restore run`` and the files it writes."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from optcodec import InvalidInputError, Metadata
from restore import restore_image
from restore.cli import main
from restore.runtime.output import write_png
from tests import receiver_helpers as tiny
from tests.cli_helpers import photograph
from tests.receiver_helpers import jpeg, save_model

EXIF = Image.Exif()
EXIF[0x0112] = 6  # orientation


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    return save_model(tmp_path / "models", tiny.box(), tiny.box_chrominance())


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "a.jpg"
    path.parent.mkdir()
    path.write_bytes(jpeg(50, 70, quality=30, icc_profile=b"colours" * 99, exif=EXIF.tobytes(), dpi=(300, 150)))
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["run", *map(str, arguments)])


def refusal(*arguments: object) -> str:
    """The one line of a command that must fail."""
    result = run(*arguments)
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line


def test_png_keeps_pixels_colours_exif_and_density(tmp_path: Path, model: Path, photo: Path) -> None:
    result = run(photo, "-o", tmp_path / "out.png", "--model", model)
    assert result.exit_code == 0, result.stderr
    with Image.open(tmp_path / "out.png") as written:
        np.testing.assert_array_equal(np.asarray(written), restore_image(photo.read_bytes(), model=model))
        assert written.info["icc_profile"] == b"colours" * 99
        assert written.getexif()[0x0112] == 6
        assert written.info["dpi"] == pytest.approx((300, 150), abs=0.02)
    assert "70x50" in result.stdout


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg_keeps_colours_and_exif_at_the_quality_asked_for(tmp_path: Path, model: Path, mode: str) -> None:
    source = tmp_path / "a.jpg"
    source.write_bytes(jpeg(50, 70, mode, quality=30, icc_profile=b"colours", exif=EXIF.tobytes(), dpi=(300, 300)))
    sizes = []
    for options in ([], ["--quality", 40]):
        assert run(source, "-o", tmp_path / "out.jpg", "--model", model, *options).exit_code == 0
        with Image.open(tmp_path / "out.jpg") as written:
            assert written.format == "JPEG"
            assert written.mode == mode
            assert written.info["icc_profile"] == b"colours"
            assert written.getexif()[0x0112] == 6
            assert written.info["dpi"] == (300, 300)
            difference = np.asarray(written).astype(int) - restore_image(source.read_bytes(), model=model)
        sizes.append((tmp_path / "out.jpg").stat().st_size)
        if not options:
            assert np.abs(difference).mean() < 2
    assert sizes[1] < 0.8 * sizes[0]


def test_projection_can_be_switched_off(tmp_path: Path, model: Path, photo: Path) -> None:
    for option, projected in (("--project", True), ("--no-project", False)):
        assert run(photo, "-o", tmp_path / "out.png", "--model", model, option, "--threads", 1).exit_code == 0
        with Image.open(tmp_path / "out.png") as written:
            expected = restore_image(photo.read_bytes(), model=model, project=projected)
            np.testing.assert_array_equal(np.asarray(written), expected)


def test_a_folder_of_images_with_a_broken_one(tmp_path: Path, model: Path, photo: Path) -> None:
    (photo.parent / "deep").mkdir()
    (photo.parent / "deep" / "b.jpeg").write_bytes(jpeg(1, 1, "L"))
    (photo.parent / "c.jpg").write_bytes(jpeg(60, 60)[:-600])
    (photo.parent / "d.jpg").write_bytes(b"not a JPEG file")
    file = io.BytesIO()
    Image.new("CMYK", (8, 8)).save(file, "JPEG")
    (photo.parent / "e.jpg").write_bytes(file.getvalue())
    out = tmp_path / "out"
    result = run(photo.parent, "-o", out, "--model", model, "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["model"] == "mine"
    assert [(Path(record["output"]), record["width"], record["height"]) for record in report["files"]] == [
        (out / "a.png", 70, 50),
        (out / "deep/b.png", 1, 1),
    ]
    assert all(record["nbytes"] == Path(record["output"]).stat().st_size for record in report["files"])
    assert [Path(record["path"]).name for record in report["failures"]] == ["c.jpg", "d.jpg", "e.jpg"]
    assert report["failures"][2]["error"] == "the file has 4 components; expected gray, or Y, Cb and Cr"
    lines = result.stderr.splitlines()
    assert lines[0] == "Error: 3 of 5 files failed:"
    assert len(lines) == 4
    assert sorted(path.name for path in out.rglob("*")) == ["a.png", "b.png", "deep"]


def test_an_output_with_a_slash_is_a_folder(tmp_path: Path, model: Path, photo: Path) -> None:
    result = run(photo, "-o", f"{tmp_path}/new/", "--model", model)
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "new/a.png").is_file()


@pytest.mark.parametrize("name", ["b.jfif", "b.JFIF", "b.jpe", "b.JPEG"])
def test_jpeg_files_have_several_suffixes(tmp_path: Path, model: Path, photo: Path, name: str) -> None:
    """They are found in folders, and name the format of the output."""
    photo.rename(photo.parent / name)
    result = run(photo.parent, "-o", tmp_path / "out", "--model", model)
    assert result.exit_code == 0, result.output
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.png"]
    assert run(photo.parent / name, "-o", tmp_path / name, "--model", model).exit_code == 0
    with Image.open(tmp_path / name) as written:
        assert written.format == "JPEG"


def test_several_files_as_jpeg(tmp_path: Path, model: Path, photo: Path) -> None:
    second = tmp_path / "b.jpg"
    second.write_bytes(jpeg(20, 20))
    out = tmp_path / "out"
    result = run(photo, second, "-o", out, "--format", "jpeg", "--model", model)
    assert result.exit_code == 0, result.stderr
    assert sorted(path.name for path in out.iterdir()) == ["a.jpg", "b.jpg"]


def test_an_input_is_never_replaced(tmp_path: Path, model: Path, photo: Path) -> None:
    before = photo.read_bytes()
    (tmp_path / "link.jpg").symlink_to(photo)
    for output in (photo, tmp_path / "link.jpg"):
        assert "is an input" in refusal(photo, "-o", output, "--model", model)
    assert "is an input" in refusal(photo, "-o", photo.parent, "--format", "jpeg", "--model", model)
    assert photo.read_bytes() == before


def test_formats_that_exclude_one_another(tmp_path: Path, model: Path, photo: Path) -> None:
    wrong = refusal(photo, "-o", tmp_path / "a.png", "--format", "jpeg", "--model", model)
    assert "--format jpeg exclude one another" in wrong
    assert "has no suffix of an output format" in refusal(photo, "-o", tmp_path / "a.tif", "--model", model)
    assert "--quality 80 is for JPEG" in refusal(photo, "-o", tmp_path / "a.png", "--quality", 80, "--model", model)
    assert run(photo, "-o", tmp_path / "a.dat", "--format", "png", "--model", model).exit_code == 0
    with Image.open(tmp_path / "a.dat") as written:
        assert written.format == "PNG"


def test_a_bad_model_is_one_line(tmp_path: Path, model: Path, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out.png"
    assert "no model 'unknown'" in refusal(photo, "-o", out, "--model", "unknown")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "onnxruntime", None)
        assert "pip install 'optcodec[receiver]'" in refusal(photo, "-o", out, "--model", model)
    (model.parent / "mine-luminance.onnx").write_bytes(b"cut off")
    assert "the weights in mine-luminance.onnx are corrupted" in refusal(photo, "-o", out, "--model", model)
    assert not out.exists()


def test_a_missing_file_is_one_line(tmp_path: Path, model: Path) -> None:
    assert "No such file" in refusal(tmp_path / "none.jpg", "-o", tmp_path / "out.png", "--model", model)


def heavy_after(code: str) -> set[str]:
    """Heavy packages that a new process has imported after some code."""
    heavy = ("torch", "onnxruntime", "numpy", "numba", "PIL", "scipy", "rich", "skimage", "matplotlib")
    report = f"import sys; print('HEAVY', *[name for name in {heavy!r} if name in sys.modules])"
    program = f"import atexit\n@atexit.register\ndef report():\n    {report}\n{code}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("HEAVY")[2].split())


def test_help_and_import_cost_nothing() -> None:
    assert heavy_after("import restore") == set()
    assert heavy_after("from restore.cli import main\nmain(['run', '--help'])") == set()


def test_restoring_takes_no_torch(tmp_path: Path, model: Path, photo: Path) -> None:
    arguments = ["run", str(photo), "-o", str(tmp_path / "out.png"), "--model", str(model)]
    assert heavy_after(f"from restore.cli import main\nmain({arguments!r})") <= {"numpy", "onnxruntime"}


def strips_of(pixels: np.ndarray, rows: int) -> Iterator[np.ndarray]:
    for top in range(0, len(pixels), rows):
        yield pixels[top : top + rows]


NOISE = np.random.default_rng(1).integers(0, 256, (60, 50, 3), np.uint8)
STRIPES = np.tile(np.arange(40, dtype=np.uint8)[None, :, None] * 6, (30, 1, 3))


@pytest.mark.parametrize("chunk", [1, 700, 1 << 20])
@pytest.mark.parametrize(
    "pixels", [NOISE, STRIPES, photograph(90, 61), NOISE[:1, :1]], ids=["noise", "stripes", "photo", "one"]
)
def test_any_png_decoder_reads_the_file(
    tmp_path: Path, pixels: np.ndarray, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restore.runtime.output._CHUNK_NBYTES", chunk)
    for samples in (pixels, np.ascontiguousarray(pixels[..., 0])):
        height, width = samples.shape[:2]
        write_png(tmp_path / "a.png", strips_of(samples, 16), width, height, Metadata())
        with Image.open(tmp_path / "a.png") as written:
            assert written.mode == ("L" if samples.ndim == 2 else "RGB")
            np.testing.assert_array_equal(np.asarray(written), samples)


def filters_of(path: Path, row_nbytes: int) -> set[int]:
    """Numbers of the filters that rows of a PNG file have."""
    data, position, packed = path.read_bytes(), 8, b""
    while position < len(data):
        (size,) = struct.unpack(">I", data[position : position + 4])
        if data[position + 4 : position + 8] == b"IDAT":
            packed += data[position + 8 : position + 8 + size]
        position += size + 12
    return set(zlib.decompress(packed)[:: row_nbytes + 1])


def test_rows_are_filtered_and_the_file_no_larger_than_that_of_pillow(tmp_path: Path) -> None:
    pixels = photograph(128, 128)
    ours, theirs = tmp_path / "ours.png", tmp_path / "theirs.png"
    write_png(ours, strips_of(pixels, 16), 128, 128, Metadata())
    Image.fromarray(pixels).save(theirs)
    assert ours.stat().st_size < 1.03 * theirs.stat().st_size
    assert len(filters_of(ours, 3 * 128)) >= 2


def test_strips_that_fail_leave_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    def broken() -> Iterator[np.ndarray]:
        yield NOISE[:16]
        raise InvalidInputError("found this, expected that")

    (tmp_path / "a.png").write_bytes(b"old")
    with pytest.raises(InvalidInputError, match="found this"):
        write_png(tmp_path / "a.png", broken(), 50, 60, Metadata())
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.png", b"old")]


def test_a_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InvalidInputError, match=r"cannot write .*a\.png: (Not a directory|File exists)"):
        write_png(tmp_path / "file" / "a.png", strips_of(NOISE, 16), 50, 60, Metadata())
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InvalidInputError, match=r"cannot write .*folder\.png: Is a directory"):
        write_png(tmp_path / "folder.png", strips_of(NOISE, 16), 50, 60, Metadata())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.png"]
