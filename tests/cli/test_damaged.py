"""Damaged JPEG files on the command line: notices, ``--strict``, ``--partial``."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from optcodec import JpegWarning, read_jpeg
from restore.cli import main as restore
from tests.cli_helpers import messages, photograph, refusal, run, run_json, save
from tests.jpeg.test_reader import decoded
from tests.receiver_helpers import box, box_chrominance, save_model
from tests.restore.test_run import run as run_restore

CUT = "truncated scan: a block needs more bits than there are"


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return save(tmp_path / "in" / "sound.jpg", photograph(50, 70), quality=85)


@pytest.fixture
def odd(sound: Path) -> Path:
    """A file with an extra byte behind APP0 and two before EOI."""
    data = sound.read_bytes()
    path = sound.with_name("odd.jpg")
    path.write_bytes(data[:20] + b"a" + data[20:-2] + bytes(2) + data[-2:])
    return path


@pytest.fixture
def cut(sound: Path) -> Path:
    path = sound.with_name("cut.jpg")
    path.write_bytes(sound.read_bytes()[:1100])
    return path


def notices_of(path: Path, *, partial: bool = False) -> list[str]:
    notices: list[str] = []
    read_jpeg(path.read_bytes(), partial=partial, notify=notices.append)
    assert len(notices) == 2
    return notices


def test_encode_tells_what_it_tolerates(odd: Path, sound: Path) -> None:
    out = odd.with_name("out.jpg")
    result = run("encode", odd, "-o", out)
    assert result.exit_code == 0, result.stderr
    assert messages(result) == [f"{odd}: {notice}" for notice in notices_of(odd)]
    np.testing.assert_array_equal(decoded(out.read_bytes()), decoded(sound.read_bytes()))
    (record,) = run_json("encode", odd, "-o", out)["files"]
    assert record["notices"][:2] == notices_of(odd)
    assert record["kept"] is None  # the damaged file itself is never kept as the output


def test_encode_refuses_what_is_damaged(odd: Path, cut: Path) -> None:
    out = odd.with_name("out.jpg")
    for pixels in ([], ["--pixels"]):
        assert "found 61 ff (at byte 20)" in refusal("encode", odd, "-o", out, "--strict", *pixels)
    advice = "optcodec encode --partial, restore run --partial or partial=True of decode takes what is there"
    assert f"{CUT}; {advice}" in refusal("encode", cut, "-o", out)
    assert "EOI (ff d9) is missing (at byte 1100)" in refusal("encode", cut, "-o", out, "--strict")
    assert refusal("encode", cut, "-o", out, "--strict", "--partial").endswith(
        "--partial and --strict exclude one another; expected one of them"
    )
    assert not out.exists()


@pytest.mark.parametrize("pixels", [[], ["--pixels"]])
def test_encode_takes_a_part(cut: Path, pixels: list[str]) -> None:
    out = cut.with_name("out.jpg")
    result = run("encode", cut, "-o", out, "--partial", "-q", 100, *pixels)
    assert result.exit_code == 0, result.stderr
    assert [line for line in messages(result) if CUT in line]
    expected = decoded(cut.read_bytes() + b"\xff\xd9").astype(int)
    assert np.abs(decoded(out.read_bytes()) - expected).max() <= 24
    assert (expected[-8:] == 128).all()


def test_a_sound_file_is_decoded_as_it_is(sound: Path) -> None:
    plain, partial, strict = (sound.with_name(f"{name}.jpg") for name in ("plain", "partial", "strict"))
    assert run("encode", sound, "-o", plain, "--pixels").exit_code == 0
    for option, path in (("--partial", partial), ("--strict", strict)):
        result = run("encode", sound, "-o", path, "--pixels", option)
        assert (result.exit_code, messages(result)) == (0, [])
        assert path.read_bytes() == plain.read_bytes()


@pytest.mark.parametrize("per_image", [[], ["--per-image"]])
def test_design_takes_damaged_files(odd: Path, cut: Path, per_image: list[str]) -> None:
    out = odd.with_name("tables" if per_image else "tables.json")
    result = run("design", odd, cut, "-o", out, "--bpp", 1, "--partial", *per_image)
    assert result.exit_code == 0, result.stderr
    assert {line for line in messages(result) if line.startswith(str(odd))} == {
        f"{odd}: {notice}" for notice in notices_of(odd)
    }
    assert len([line for line in messages(result) if line.startswith(str(cut))]) == 2
    result = run("design", odd, cut, "-o", out, "--bpp", 1, "--strict", *per_image)
    assert result.exit_code == 1
    assert "Error: 2 of 2 files failed:" in result.stderr


def test_inspect_counts_notices_and_skipped_bytes(odd: Path, cut: Path, sound: Path) -> None:
    report = run_json("inspect", odd, sound)
    assert [len(record["notices"]) for record in report["files"]] == [1, 0]  # `inspect` decodes no coefficients
    assert report["notices"] == 1
    sizes = {entry["name"]: entry["nbytes"] for entry in report["files"][0]["segments"]}
    assert sizes["between segments"] == 1
    assert sum(sizes.values()) == odd.stat().st_size
    assert messages(run("inspect", odd)) == [f"{odd}: {notices_of(odd)[0]}"]
    assert "found 61 ff" in refusal("inspect", odd, "--strict")
    (record,) = run_json("inspect", cut)["files"]
    assert "EOI" not in [entry["name"] for entry in record["segments"]]
    assert sum(entry["nbytes"] for entry in record["segments"]) == cut.stat().st_size


def test_inspect_takes_a_part_of_a_progressive_file(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", photograph(50, 70), progressive=True)
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"\xff\xc4") + 9])
    assert "truncated DHT" in refusal("inspect", path)
    (record,) = run_json("inspect", path, "--partial")["files"]
    assert len(record["notices"]) == 2
    (last,) = [entry for entry in record["segments"] if entry["name"] == "at the end"]
    assert last["nbytes"] == 9


def test_compare_tells_what_it_tolerates(odd: Path, sound: Path) -> None:
    result = run("compare", sound, odd)
    assert result.exit_code == 0, result.stderr
    assert messages(result) == [f"{odd}: {notice}" for notice in notices_of(odd)]


def test_tables_of_a_damaged_file(cut: Path, sound: Path) -> None:
    out = cut.with_name("out.jpg")
    result = run("encode", sound, "--tables", cut, "-o", out)
    assert (result.exit_code, [line for line in messages(result) if "cut.jpg" in line]) == (0, [])


def test_blocks_of_a_damaged_file(odd: Path) -> None:
    result = run("blocks", "show", odd, "-o", odd.with_name("out.png"))
    assert result.exit_code == 0, result.stderr
    assert messages(result) == [f"{odd}: {notice}" for notice in notices_of(odd)]


def test_restore_tells_what_it_tolerates(odd: Path, cut: Path, sound: Path, tmp_path: Path) -> None:
    model = save_model(tmp_path, box(), box_chrominance())
    out = tmp_path / "out.png"
    result = run_restore(odd, "-o", out, "--model", model, "--json")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["files"][0]["notices"] == notices_of(odd)
    assert report["notices"] == 2
    assert result.stderr.splitlines() == [f"{odd}: {notice}" for notice in notices_of(odd)]
    damaged = out.read_bytes()
    assert run_restore(sound, "-o", out, "--model", model).exit_code == 0
    assert out.read_bytes() == damaged
    assert run_restore(odd, "-o", out, "--model", model, "--strict").exit_code == 1
    assert run_restore(cut, "-o", out, "--model", model).exit_code == 1
    result = run_restore(cut, "-o", out, "--model", model, "--partial")
    assert result.exit_code == 0, result.stderr
    assert result.stderr.splitlines() == [f"{cut}: {notice}" for notice in notices_of(cut, partial=True)]
    with Image.open(io.BytesIO(out.read_bytes())) as image:
        assert np.abs(np.asarray(image)[-6:, 10:].astype(int) - 128).max() <= 5


def test_hint_tells_what_it_tolerates(odd: Path, sound: Path, tmp_path: Path) -> None:
    model, originals = save_model(tmp_path, box(), box_chrominance()), tmp_path / "originals"
    for path in (odd, sound):
        save(originals / f"{path.stem}.png", photograph(50, 70))
    arguments = ["hint", odd.parent, "--originals", originals, "-o", tmp_path / "out", "--model", model, "--json"]
    result = CliRunner().invoke(restore, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    assert result.stderr.splitlines() == [f"{odd}: {notice}" for notice in notices_of(odd)]
    report = json.loads(result.stdout)
    assert [record["notices"] for record in report["files"]] == [notices_of(odd), []]
    assert report["notices"] == 2


def test_nothing_is_warned_of_on_the_command_line(odd: Path, recwarn: pytest.WarningsRecorder) -> None:
    run("encode", odd, "-o", odd.with_name("out.jpg"))
    assert not [warning for warning in recwarn if issubclass(warning.category, JpegWarning)]
