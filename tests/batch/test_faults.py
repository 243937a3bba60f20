"""What may happen to a job: it is killed, the disk is full, outputs cannot be written, files are damaged.

Nothing is lost, doubled or half-written, which the tests see from hashes.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import optcodec
from optcodec.batch.job import Job
from optcodec.batch.lock import locked
from tests.batch.helpers import check_rows, folder_of, hashes, last_rows, rows_of, started, waited_for
from tests.cli_helpers import messages, photograph, refusal, run, run_json, save
from tests.damaged import damage, sound_files


def job(tmp_path: Path, *options: object) -> list[object]:
    manifest = tmp_path / "m.jsonl"
    return ["encode", tmp_path / "in", "-o", tmp_path / "out", "--manifest", manifest, "--resume", *options]


@pytest.fixture
def expected(tmp_path: Path) -> dict[str, str]:
    """Hashes of the coded files of a folder ``in`` of 24 pictures, in a job that nothing happens to."""
    folder_of(tmp_path / "in", 24)
    run_json("encode", tmp_path / "in", "-o", tmp_path / "undisturbed")
    coded = hashes(tmp_path / "undisturbed")
    assert len(coded) == 24  # and nothing else, such as a lock
    return coded


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal on this system")
def test_a_killed_job_loses_the_files_in_flight_at_most(tmp_path: Path, expected: dict[str, str]) -> None:
    manifest, out = tmp_path / "m.jsonl", tmp_path / "out"
    for known in (8, 16):  # killed twice
        child = started(job(tmp_path, "--threads", 2), gate=tmp_path / "gate", after=8)
        waited_for(manifest, known, child)
        child.kill()
        child.communicate()
        done = {name: text for name, text in hashes(out).items() if name.endswith(".jpg")}
        assert done.items() <= expected.items()
        assert len(check_rows(manifest)) == len(done) == known
    (out / ".optcodec-0123456789abcdef.part").write_bytes(b"half of it")  # as of a file that was written to
    report = run_json(*job(tmp_path))
    assert report["resumed"] == known
    assert hashes(out) == expected  # neither locks nor unfinished files are left
    assert len(check_rows(manifest)) == len(rows_of(manifest)) == 24  # no row is doubled


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_job_with_what_is_done(tmp_path: Path, expected: dict[str, str], number: int) -> None:
    gate, out = tmp_path / "gate", tmp_path / "out"
    child = started(job(tmp_path, "--threads", 2, "--json"), gate=gate, after=5)
    waited_for(tmp_path / "m.jsonl", 5, child)
    child.send_signal(number)
    time.sleep(0.3)  # so that the signal comes before the next picture
    gate.unlink()
    output, errors = child.communicate(timeout=60)
    assert child.returncode == (143 if number == signal.SIGTERM else 1)
    assert "Traceback" not in errors
    report = json.loads(output)
    assert report["interrupted"] is True
    assert {Path(record["output"]) for record in report["files"]} == set(out.rglob("*.jpg"))
    assert 5 <= len(report["files"]) < 24
    assert hashes(out).items() <= expected.items()
    assert run_json(*job(tmp_path))["resumed"] == len(report["files"])
    assert hashes(out) == expected


def test_a_signal_prints_the_summary(tmp_path: Path, expected: dict[str, str]) -> None:
    child = started(job(tmp_path), gate=tmp_path / "gate", after=4)
    waited_for(tmp_path / "m.jsonl", 4, child)
    child.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    (tmp_path / "gate").unlink()
    output, errors = child.communicate(timeout=60)
    done = len(list((tmp_path / "out").rglob("*.jpg")))
    assert f"total of {done} files" in output
    assert f"stopped: {done} files done so far\n" in errors


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_job_killed_as_it_replaces_a_picture_does_not_code_it_twice(tmp_path: Path, moment: str) -> None:
    """The process ends right before, or right after the third JPEG file is replaced by its coded file."""
    folder, manifest = tmp_path / "in", tmp_path / "m.jsonl"
    for number in range(5):
        save(folder / f"{number}.jpg", photograph(40, 40 + number), quality=95)
    run_json("encode", folder, "-o", tmp_path / "once", "-q", 50)
    arguments = [
        "encode",
        folder,
        "-o",
        folder,
        "--force",
        "-q",
        50,
        "--manifest",
        manifest,
        "--resume",
        "--threads",
        1,
    ]
    program = (
        "import os, sys\n"
        "import optcodec.cli.encode as verb\n"
        "from optcodec.cli import main\n"
        "whole = verb._store\n"
        "def ends(place, data, **options):\n"
        f"    if place.name != '2.jpg' or {moment == 'after'}:\n"
        "        whole(place, data, **options)\n"
        "    if place.name == '2.jpg':\n"
        "        os._exit(9)\n"
        "verb._store = ends\n"
        "main(sys.argv[1:])\n"
    )
    done = subprocess.run([sys.executable, "-c", program, *map(str, arguments)], capture_output=True, check=False)
    assert done.returncode == 9, done.stderr
    assert run_json(*arguments)["resumed"] == (3 if moment == "after" else 2)
    assert hashes(folder) == hashes(tmp_path / "once")


def test_a_small_disk_ends_the_job_which_goes_on_with_more_space(tmp_path: Path, expected: dict[str, str]) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=48k", "none", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs rights that this process does not have")
    try:
        arguments = ["encode", tmp_path / "in", "-o", small / "out", "--manifest", tmp_path / "m.jsonl", "--resume"]
        result = run(*arguments)
        assert result.exit_code == 1
        first = messages(result)[0]
        assert first.startswith("Error: the disk is full: ")
        done = hashes(small / "out")
        assert 0 < len(done) < 24
        assert done.items() <= expected.items()
        assert f": {len(done)} of 24 files are done" in first
        subprocess.run(["mount", "-o", "remount,size=1m", str(small)], check=True)
        assert run_json(*arguments)["resumed"] == len(done)
        assert hashes(small / "out") == expected
        assert len(check_rows(tmp_path / "m.jsonl")) == 24
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_full_disk_under_the_manifest_ends_the_job(tmp_path: Path, expected: dict[str, str]) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8k", "none", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs rights that this process does not have")
    try:
        arguments = ["encode", tmp_path / "in", "-o", tmp_path / "out", "--manifest", small / "m.jsonl", "--resume"]
        result = run(*arguments)
        assert result.exit_code == 1
        assert messages(result)[0].startswith("Error: the disk is full: ")
        assert "m.jsonl: No space left on device" in messages(result)[1]
        rows = check_rows(small / "m.jsonl")
        assert (small / "m.jsonl").read_bytes().endswith(b"}\n")
        subprocess.run(["mount", "-o", "remount,size=1m", str(small)], check=True)
        assert run_json(*arguments)["resumed"] == len(rows)
        assert hashes(tmp_path / "out") == expected
    finally:
        subprocess.run(["umount", str(small)], check=True)


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


def test_two_jobs_do_not_share_an_output_folder(tmp_path: Path, expected: dict[str, str]) -> None:
    first = ["encode", tmp_path / "in", "-o", tmp_path / "out", "--manifest", tmp_path / "a.jsonl"]
    child = started(first, gate=tmp_path / "gate", after=2)
    try:
        waited_for(tmp_path / "a.jsonl", 2, child)
        line = refusal("encode", tmp_path / "in", "-o", tmp_path / "out", "--manifest", tmp_path / "b.jsonl")
        assert f"{tmp_path / 'out'} is in use by another job (process {child.pid} on " in line
        assert line.endswith("expected one job at a time")
        assert not (tmp_path / "b.jsonl").exists()
        (tmp_path / "gate").unlink()
        errors = child.communicate(timeout=60)[1]
        assert child.returncode == 0, errors
    finally:
        child.kill()
        child.communicate()
    assert hashes(tmp_path / "out") == expected
    assert len(check_rows(tmp_path / "a.jsonl")) == 24


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal on this system")
def test_the_lock_of_a_killed_job_does_not_count(tmp_path: Path, expected: dict[str, str]) -> None:
    child = started(job(tmp_path), gate=tmp_path / "gate", after=0)
    waited_for(tmp_path / "m.jsonl", 0, child)
    child.kill()
    child.communicate()
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".optcodec-lock"]
    run_json(*job(tmp_path))
    assert hashes(tmp_path / "out") == expected


def test_pictures_that_are_named_need_no_lock(tmp_path: Path) -> None:
    """Several processes may write pictures to one folder, as under xargs."""
    picture = save(tmp_path / "a.png", photograph(8, 8))
    with locked(tmp_path / "out"):
        assert len(run_json("encode", picture, "-o", tmp_path / "out")["files"]) == 1
        assert "in use by another job" in refusal("encode", tmp_path, "-o", tmp_path / "out")


def test_damaged_pictures_are_rows(tmp_path: Path) -> None:
    """Hundreds of files damaged at random: each has a row, and whatever was written can be read."""
    import random

    generator, folder = random.Random(7), tmp_path / "in"
    folder.mkdir()
    sound = sound_files()
    for number in range(240):
        data = sound[number % len(sound)]
        (folder / f"{number:03}.jpg").write_bytes(data if number < 12 else damage(data, generator, number % 6))
    for number in range(40):
        save(folder / f"p{number:02}.png", photograph(16, 16))
        data = bytearray((folder / f"p{number:02}.png").read_bytes())
        if number:
            data[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
        (folder / f"p{number:02}.png").write_bytes(data)
    result = run(*job(tmp_path, "--verify", "--psnr", "--to-rgb", "--json"))
    report = json.loads(result.stdout)
    rows = check_rows(tmp_path / "m.jsonl")
    assert len(rows) == 280
    failed = {source for source, row in rows.items() if row["state"] == "failed"}
    assert {failure["path"] for failure in report["failures"]} == failed
    assert len(report["files"]) == 280 - len(failed)
    assert all(rows[str(folder / f"{number:03}.jpg")]["error"] is None for number in range(12))
    assert len(failed) > 50
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
    from optcodec.batch import job as module

    folder_of(tmp_path / "in", 3)
    whole = module.encode

    def wrong(image: object, **settings: object) -> optcodec.EncodedJpeg:
        coded = whole(image, **settings)  # type: ignore[arg-type]
        if coded.height == 16:
            return optcodec.EncodedJpeg(coded.data[: coded.nbytes // 2], coded.width, coded.height)
        return optcodec.EncodedJpeg(coded.data, coded.width + (coded.height == 17), coded.height)

    monkeypatch.setattr(module, "encode", wrong)
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
