"""Functions that the tests of data sets share: a folder of pictures, rows of a manifest, and hashes of a folder."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli_helpers import photograph, save


def folder_of(path: Path, count: int, *, suffix: str = ".png") -> Path:
    """A folder of small pictures of different sizes, half of them in a subfolder."""
    for number in range(count):
        save(path / ("" if number % 2 else "sub") / f"{number:03}{suffix}", photograph(16 + number % 5, 24))
    return path


def rows_of(manifest: Path) -> list[dict[str, Any]]:
    """All rows of a manifest, without the lines that say how the job was run."""
    return [row for row in map(json.loads, manifest.read_text().splitlines()) if "run" not in row]


def last_rows(manifest: Path) -> dict[str, dict[str, Any]]:
    """The row of each source that counts."""
    return {row["source"]: row for row in rows_of(manifest)}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of all files in a folder, also of hidden ones, by their relative names."""
    return {str(path.relative_to(folder)): sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def check_rows(manifest: Path) -> Mapping[str, dict[str, Any]]:
    """Check that each row that counts is true of the files, and that no two sources have one output."""
    rows = last_rows(manifest)
    done = [row for row in rows.values() if row["state"] != "failed"]
    outputs = [row["output"] for row in done]
    assert len(outputs) == len(set(outputs))
    for row in done:
        if Path(row["output"]).is_file():  # members of tar files are not
            assert (row["nbytes"], row["sha256"]) == (Path(row["output"]).stat().st_size, sha256(Path(row["output"])))
    return rows


def started(arguments: list[object], *, gate: Path, after: int) -> subprocess.Popen[str]:
    """Start the command in a process of its own, where pictures wait for a while.

    Parameters
    ----------
    arguments : list
        Of the command.
    gate : Path
        A file that is made here. Pictures wait while it exists.
    after : int
        Number of pictures that do not wait.
    """
    gate.touch()
    program = (
        "import itertools, pathlib, signal, sys, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # which a shell's background jobs ignore
        "from optcodec.batch.job import Job\n"
        "from optcodec.cli import main\n"
        f"whole, gate, number = Job.__call__, pathlib.Path({str(gate)!r}), itertools.count()\n"
        "def waiting(job, source):\n"
        f"    late = next(number) >= {after}\n"
        "    while late and gate.exists():\n"
        "        time.sleep(0.01)\n"
        "    return whole(job, source)\n"
        "Job.__call__ = waiting\n"
        "main(sys.argv[1:], prog_name='optcodec')\n"
    )
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def waited_for(manifest: Path, count: int, child: subprocess.Popen[str]) -> None:
    """Wait until a manifest has so many rows."""
    for _ in range(6000):
        if manifest.exists() and len(rows_of_complete_lines(manifest)) >= count and manifest.stat().st_size:
            return
        assert child.poll() is None, child.communicate()
        time.sleep(0.01)
    raise AssertionError("no rows in a minute")


@contextmanager
def small_disk(path: Path, size: str) -> Iterator[Callable[[str], object]]:
    """A disk of this size, such as 48k, at a folder that is made here; yields what changes its options, as of mount.

    Skips the test where that needs rights that this process does not have.
    """
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs rights that this process does not have")
    try:
        yield lambda options: subprocess.run(["mount", "-o", f"remount,{options}", str(path)], check=True)
    finally:
        subprocess.run(["umount", str(path)], check=True)


def rows_of_complete_lines(manifest: Path) -> list[bytes]:
    """Lines with a row that are complete."""
    lines = manifest.read_bytes().split(b"\n")[:-1]
    return [line for line in lines if not line.startswith(b'{"run"')]


def job(tmp_path: Path, *options: object) -> list[object]:
    """A command line for the pictures in ``in``, which goes on where an earlier one was ended."""
    manifest = tmp_path / "m.jsonl"
    return ["encode", tmp_path / "in", "-o", tmp_path / "out", "--manifest", manifest, "--resume", *options]
