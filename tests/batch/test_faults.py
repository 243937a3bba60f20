"""Pictures, outputs and decoders that fail: each is a row, and the others are done.

Nothing is lost or half-written, which the tests see from hashes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import optcodec
from optcodec.batch.job import Job
from optcodec.encoding import Encoding
from optcodec.pictures.pixels import Picture
from tests.batch.helpers import check_rows, folder_of, hashes, job, last_rows, rows_of
from tests.cli_helpers import messages, photograph, refusal, run, run_json, save
from tests.damaged import damage, sound_files


def test_outputs_that_cannot_be_written_are_rows(tmp_path: Path, expected: dict[str, str]) -> None:
    blocked = tmp_path / "out/003.jpg"
    blocked.mkdir(parents=True)
    result = run(*job(tmp_path))
    assert result.exit_code == 1
    assert messages(result)[0] == "Error: 1 of 24 files failed:"
    assert last_rows(tmp_path / "m.jsonl")[str(tmp_path / "in/003.png")]["state"] == "failed"
    assert hashes(tmp_path / "out") == {name: text for name, text in expected.items() if name != "003.jpg"}
    blocked.rmdir()
    assert run_json(*job(tmp_path))["resumed"] == 23
    assert hashes(tmp_path / "out") == expected


def test_an_output_folder_that_cannot_be_made_is_refused_before_the_work(tmp_path: Path) -> None:
    folder_of(tmp_path / "in", 3)
    (tmp_path / "out").touch()
    line = refusal(*job(tmp_path))
    assert f"cannot write {tmp_path / 'out'}" in line
    assert not (tmp_path / "m.jsonl").exists()


def test_damaged_pictures_are_rows(tmp_path: Path) -> None:
    """Ten thousand files damaged at random: each has a row, and whatever was written can be read."""
    import random

    generator, folder = random.Random(7), tmp_path / "in"
    folder.mkdir()
    sound = sound_files()
    for number in range(9960):
        data = sound[number % len(sound)]
        (folder / f"{number:04}.jpg").write_bytes(data if number < 12 else damage(data, generator, number % 6))
    for number in range(40):
        save(folder / f"p{number:02}.png", photograph(16, 16))
        data = bytearray((folder / f"p{number:02}.png").read_bytes())
        if number:
            data[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
        (folder / f"p{number:02}.png").write_bytes(data)
    result = run(*job(tmp_path, "--verify", "--psnr", "--to-rgb", "--json"))
    report = json.loads(result.stdout)
    rows = check_rows(tmp_path / "m.jsonl")
    assert len(rows) == len(rows_of(tmp_path / "m.jsonl")) == 10_000
    failed = {source for source, row in rows.items() if row["state"] == "failed"}
    assert {failure["path"] for failure in report["failures"]} == failed
    assert len(report["files"]) == 10_000 - len(failed)
    assert all(rows[str(folder / f"{number:04}.jpg")]["error"] is None for number in range(12))
    assert 2000 < len(failed) < 9000
    assert all(row["error"] for row in rows.values() if row["state"] == "failed")
    written = sorted((tmp_path / "out").iterdir())
    assert {str(path) for path in written} == {row["output"] for row in rows.values() if row["state"] != "failed"}
    for path in written:
        optcodec.read_jpeg(path.read_bytes(), notify=lambda message: None)


@pytest.mark.parametrize("error", [MemoryError(), ZeroDivisionError("division by zero"), IndexError("index 7")])
def test_whatever_a_decoder_raises_is_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: dict[str, str], error: Exception
) -> None:
    whole = Job.__call__

    def breaks(self: Job, source: object) -> object:
        coded = whole(self, source)  # type: ignore[arg-type]
        if coded.encoded.height == 18 and coded.source_nbytes == (tmp_path / "in/007.png").stat().st_size:
            raise error
        return coded

    monkeypatch.setattr(Job, "__call__", breaks)
    result = run(*job(tmp_path))
    assert result.exit_code == 1
    row = last_rows(tmp_path / "m.jsonl")[str(tmp_path / "in/007.png")]
    reason = (
        "there is not enough memory for it" if isinstance(error, MemoryError) else f"{type(error).__name__}: {error}"
    )
    assert (row["state"], row["error"]) == ("failed", reason)
    assert f"  {tmp_path / 'in/007.png'}: {reason}" in messages(result)
    monkeypatch.undo()
    run_json(*job(tmp_path))
    assert hashes(tmp_path / "out") == expected


def test_a_bug_shows_where_it_is_when_there_is_one_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(self: Job, source: object) -> object:
        raise ZeroDivisionError

    monkeypatch.setattr(Job, "__call__", breaks)
    assert isinstance(run("encode", save(tmp_path / "a.png", photograph(8, 8))).exception, ZeroDivisionError)


def test_what_does_not_decode_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of(tmp_path / "in", 3)
    whole = Encoding.__call__

    def wrong(how: Encoding, image: Picture) -> optcodec.EncodedJpeg:
        coded = whole(how, image)
        if coded.height == 16:
            return optcodec.EncodedJpeg(coded.data[: coded.nbytes // 2], coded.width, coded.height)
        return optcodec.EncodedJpeg(coded.data, coded.width + (coded.height == 17), coded.height)

    monkeypatch.setattr(Encoding, "__call__", wrong)
    assert run("encode", tmp_path / "in", "-o", tmp_path / "unchecked").exit_code == 0
    result = run(*job(tmp_path, "--verify"))
    assert result.exit_code == 1
    assert [path.name for path in (tmp_path / "out").rglob("*.*")] == ["002.jpg"]
    errors = {Path(source).name: row["error"] for source, row in last_rows(tmp_path / "m.jsonl").items()}
    assert errors["000.png"].startswith("the coded file is not written, since it does not decode: ")
    assert errors["001.png"].endswith("our own reader finds 24x17 pixels in it, expected 25x17")


def test_all_threads_give_the_same_bytes(tmp_path: Path, expected: dict[str, str]) -> None:
    for threads in (1, 3):
        run_json("encode", tmp_path / "in", "-o", tmp_path / f"with{threads}", "--threads", threads)
        assert hashes(tmp_path / f"with{threads}") == expected


def test_pictures_wait_for_memory_wherever_they_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Estimates of the memory are those of the header, also for members of tar files, and change no byte."""
    import tarfile

    save(tmp_path / "in/a.png", np.zeros((300, 200), np.uint8))
    save(tmp_path / "in/b.png", photograph(16, 16))
    with tarfile.open(tmp_path / "s.tar", "w") as tar:
        tar.add(tmp_path / "in", "in")
    taken: list[int] = []
    from optcodec.batch import run as module

    whole = module.Room.taking
    monkeypatch.setattr(module.Room, "taking", lambda room, nbytes: (taken.append(nbytes), whole(room, nbytes))[1])
    for source in ("in", "s.tar"):
        taken.clear()
        run_json("encode", tmp_path / source, "-o", tmp_path / "out", "--threads", 2)
        assert sorted(taken) == [30 * 256, 30 * 60000]


def test_a_job_with_a_member_of_no_other_process(tmp_path: Path) -> None:
    """The command leaves no child, no lock and no file of its own behind."""
    folder_of(tmp_path / "in", 2)
    done = subprocess.run(
        [sys.executable, "-m", "optcodec", *map(str, job(tmp_path))], capture_output=True, text=True, check=True
    )
    assert "Error" not in done.stderr
    assert sorted(hashes(tmp_path / "out")) == ["001.jpg", "sub/000.jpg"]
