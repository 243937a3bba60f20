"""Jobs that end early: they are killed, get a signal, fill the disk, or meet another job.

Nothing is lost, doubled or half-written, which the tests see from hashes.
"""

from __future__ import annotations

import errno
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from optcodec.batch.lock import locked
from tests.batch.helpers import check_rows, folder_of, hashes, job, rows_of, small_disk, started, waited_for
from tests.cli_helpers import messages, photograph, refusal, run, run_json, save


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
    assert child.returncode == 128 + number
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
        "import optcodec.cli.encode_work as verb\n"
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
    with small_disk(small, "48k") as remount:
        arguments = ["encode", tmp_path / "in", "-o", small / "out", "--manifest", tmp_path / "m.jsonl", "--resume"]
        result = run(*arguments)
        assert result.exit_code == 1
        first = messages(result)[0]
        assert first.startswith("Error: the disk is full: ")
        done = hashes(small / "out")
        assert 0 < len(done) < 24
        assert done.items() <= expected.items()
        assert f": {len(done)} of 24 files are done" in first
        remount("size=1m")
        assert run_json(*arguments)["resumed"] == len(done)
        assert hashes(small / "out") == expected
        assert len(check_rows(tmp_path / "m.jsonl")) == 24


def test_a_full_disk_under_the_manifest_ends_the_job(tmp_path: Path, expected: dict[str, str]) -> None:
    small = tmp_path / "small"
    with small_disk(small, "8k") as remount:
        arguments = ["encode", tmp_path / "in", "-o", tmp_path / "out", "--manifest", small / "m.jsonl", "--resume"]
        result = run(*arguments)
        assert result.exit_code == 1
        assert messages(result)[0].startswith("Error: the disk is full: ")
        assert "m.jsonl: No space left on device" in messages(result)[1]
        rows = check_rows(small / "m.jsonl")
        assert (small / "m.jsonl").read_bytes().endswith(b"}\n")
        remount("size=1m")
        assert run_json(*arguments)["resumed"] == len(rows)
        assert hashes(tmp_path / "out") == expected


def test_a_manifest_that_was_cut_anywhere(tmp_path: Path, expected: dict[str, str]) -> None:
    """Whatever is left of it, as after a power cut: all files are there in the end, and no row is doubled."""
    manifest, out = tmp_path / "m.jsonl", tmp_path / "out"
    run_json(*job(tmp_path))
    whole = manifest.read_bytes()
    for number in range(12):
        left = number * len(whole) // 11
        manifest.write_bytes(whole[:left])
        complete = max(0, whole[:left].count(b"\n") - 1)  # the first line is about the run
        (out / "003.jpg").write_bytes(b"not what the row says")
        assert complete - 1 <= run_json(*job(tmp_path))["resumed"] <= complete
        assert hashes(out) == expected
        assert len(check_rows(manifest)) == 24
        assert len(rows_of(manifest)) - len(check_rows(manifest)) <= 1  # that of the file that was damaged


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


@pytest.mark.filterwarnings("always:.*no locks")
def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(file: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("optcodec.batch.lock._hold", none)
    folder_of(tmp_path / "in", 2)
    result = run(*job(tmp_path))
    assert result.exit_code == 0
    advice = "the file system has no locks; make sure that no other job writes there"
    assert messages(result) == [f"Warning: {tmp_path / name}: {advice}" for name in ("m.jsonl", "out")]
    assert sorted(hashes(tmp_path / "out")) == ["001.jpg", "sub/000.jpg"]
