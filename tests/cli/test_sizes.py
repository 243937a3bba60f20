"""``--max-bytes`` as people write sizes, in every verb that has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from optcodec import read_jpeg
from tests.cli_helpers import photograph, refusal, run, save


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return save(tmp_path / "a.png", photograph(96, 128))


@pytest.mark.parametrize(
    ("text", "nbytes"),
    [
        ("4000", 4000),
        ("4k", 4000),
        ("4K", 4000),
        ("4.5k", 4500),
        ("0.004M", 4000),
        (".004m", 4000),
        ("0.000004G", 4000),
        ("4Ki", 4096),
        ("3.5ki", 3584),
        ("0.00390625Mi", 4096),
        ("4kB", 4000),
        ("4KiB", 4096),
        ("4000B", 4000),
    ],
)
def test_a_size_has_a_prefix(photo: Path, text: str, nbytes: int) -> None:
    files = []
    for size in (text, str(nbytes)):
        result = run("encode", photo, "-o", photo.parent / "out.jpg", "--max-bytes", size)
        assert result.exit_code == 0, result.stderr
        files.append((photo.parent / "out.jpg").read_bytes())
    assert files[0] == files[1]
    assert 0.98 * nbytes <= len(files[0]) <= nbytes


def test_every_verb_takes_it(photo: Path) -> None:
    out = photo.parent / "tables.json"
    assert run("design", photo, "-o", out, "--max-bytes", "4k").exit_code == 0
    with_prefix = out.read_text()
    assert run("design", photo, "-o", out, "--max-bytes", 4000).exit_code == 0
    assert out.read_text() == with_prefix
    options = ["--effort", 3, "--max-bytes", "3.5k"]
    assert run("encode", photo, "-o", photo.parent / "out.jpg", *options).exit_code == 0
    assert (photo.parent / "out.jpg").stat().st_size <= 3500
    assert read_jpeg((photo.parent / "out.jpg").read_bytes()).width == 128


@pytest.mark.parametrize("text", ["", "k", "60x", "60kk", "6 0k", "-60k", "1.2.3k", "1e3", "nan", "inf", "٣k", "6i"])
@pytest.mark.parametrize("verb", ["encode", "design"])
def test_texts_that_are_not_sizes_are_refused_in_one_line(photo: Path, verb: str, text: str) -> None:
    line = refusal(verb, photo, "-o", photo.parent / "out.json", f"--max-bytes={text}")
    assert "--max-bytes is a number of bytes from 1 on, such as 60000, 60k (60,000) or 1.5M (1,500,000)" in line
    assert repr(text) in line
    assert not (photo.parent / "out.json").exists()


@pytest.mark.parametrize("text", ["1.5", "0.0005k", "1.2345k", "0.3Ki"])
def test_a_part_of_a_byte_is_refused(photo: Path, text: str) -> None:
    assert f"got {text!r}" in refusal("encode", photo, "-o", photo.parent / "out.jpg", "--max-bytes", text)


@pytest.mark.parametrize("text", ["0", "0k", "0.0Mi"])
def test_no_bytes_are_refused(photo: Path, text: str) -> None:
    line = refusal("encode", photo, "-o", photo.parent / "out.jpg", "--max-bytes", text)
    assert line == "Error: a number of bytes is a whole number from 1 on, got 0"
