"""Is a job over a whole data set that is killed again and again, in the end the same as one that nothing happens to?

All pictures below the folder OPTCODEC_DATA are coded into the folder SCRATCH: once without a disturbance; once by a job
that is ended by SIGKILL at random moments and goes on each time; and on a Ray cluster of two nodes on this machine, by
a job that is killed like that, too, and loses its second node in the last run. A moment is a random number of rows in
the manifest, and then a random part of a second. In the end the hash of every file is compared with that of the
undisturbed job, every row with its file, and rows and pictures are counted; a difference ends this script. Once more
each job is asked to go on with nothing left, which only checks what is there.

Of what is there at a kill, ``files_without_row`` are whole files that no row speaks of yet, and ``unfinished`` those
that were being written. ``written_again`` counts whole files that a later run has written once more. Writes
benchmarks/results/whole_set.json.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.record import write_result
from benchmarks.speed.two_nodes import cluster_of_two, lose
from optcodec.batch.places import digest
from optcodec.files import PART_START

OPTIONS = ("-q", "80", "--suffix", "keep")
LONGEST = {"threads": 0.05, "ray": 1.0}  # seconds between the row that is waited for and the kill
PATIENCE = 300  # seconds for a row to appear
Hashes = dict[str, tuple[int, str] | None]
Moment = tuple[int, float]  # rows in the manifest, and seconds after that


def main() -> None:
    """Run all jobs and write what they did."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scratch", type=Path, help="folder for the coded files, which is made here and removed again")
    parser.add_argument("--kills", type=int, default=5, help="how often each job is killed")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    arguments.scratch.mkdir(parents=True)
    source, generator = Path(os.environ["OPTCODEC_DATA"]), random.Random(arguments.seed)
    try:
        first = Job(source, arguments.scratch / "undisturbed")
        whole = first.measured()
        whole |= {name: sum(row[name] for row in first.rows()) for name in ("source_nbytes", "nbytes")}
        whole |= {"kept": sum(row["state"] == "kept" for row in first.rows())}
        expected, count = hashes(first.output), whole["pictures"]
        checked(first, expected)
        threads = disturbed(
            Job(source, arguments.scratch / "killed"), expected, moments(generator, count, arguments.kills, "threads")
        )
        with cluster_of_two() as cluster:
            far = Job(source, arguments.scratch / "nodes", ("--engine", "ray", "--address", cluster.address))
            *kills, loss = moments(generator, count, arguments.kills + 1, "ray")
            ray = disturbed(far, expected, kills, partial(lose_at, loss, cluster))
    finally:
        shutil.rmtree(arguments.scratch)
    result = {"options": OPTIONS, "seed": arguments.seed, "undisturbed": whole, "threads": threads, "ray": ray}
    path = write_result("whole_set", result, packages=("numpy", "numba", "pillow", "ray"))
    print(f"all {count} files are the same; see {path}")


@dataclass(frozen=True)
class Job:
    """A command that codes a folder, and may be started again and again.

    Parameters
    ----------
    source, output : Path
        Folders of the pictures and of the coded files; the manifest is beside the latter.
    engine : sequence of str
        Further options of the command.
    """

    source: Path
    output: Path
    engine: tuple[str, ...] = ()

    @property
    def manifest(self) -> Path:
        """The manifest of the job."""
        return self.output.with_suffix(".jsonl")

    def started(self) -> subprocess.Popen[str]:
        """Start the command, which goes on where it was."""
        options = ["-o", str(self.output), "--manifest", str(self.manifest), "--resume", "--json", *OPTIONS]
        command = [sys.executable, "-m", "optcodec", "encode", str(self.source), *options, *self.engine]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def measured(self, meanwhile: Callable[[subprocess.Popen[str]], None] | None = None) -> dict[str, Any]:
        """Let the command run to its end; what it says of itself, and the time that it took."""
        begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        process = self.started()
        if meanwhile is not None:
            meanwhile(process)
        output, errors = process.communicate()
        if process.returncode:
            raise SystemExit(f"the job failed: {errors}")
        used, report = resource.getrusage(resource.RUSAGE_CHILDREN), json.loads(output)
        return {
            "pictures": len(report["files"]),
            "resumed": report["resumed"],
            "seconds": time.perf_counter() - begun,
            "cpu_seconds": used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime,
        }

    def rows(self) -> list[dict[str, Any]]:
        """The complete rows of the manifest."""
        lines = self.manifest.read_bytes().split(b"\n")[:-1] if self.manifest.exists() else []
        return [row for row in map(json.loads, lines) if "run" not in row]

    def files(self) -> list[Path]:
        """All files in the output folder, also those that are not finished."""
        return [path for path in self.output.rglob("*") if path.is_file()]


@dataclass
class Seen:
    """What was in the output folder at each kill, and how many of these files have been written again since then."""

    places: dict[Path, tuple[int, int]] = field(default_factory=dict)
    written_again: int = 0

    def look(self, job: Job) -> dict[str, int]:
        """Count what is there."""
        files, rows = job.files(), len(job.rows())
        coded = {path: _identity(path) for path in files if not path.name.startswith(PART_START)}
        self.written_again += sum(self.places.get(path, identity) != identity for path, identity in coded.items())
        self.places |= coded
        unfinished = sum(path.suffix == ".part" for path in files)
        return {"rows": rows, "files_without_row": len(coded) - rows, "unfinished": unfinished}


def moments(generator: random.Random, pictures: int, kills: int, engine: str) -> list[Moment]:
    """Moments in ascending order."""
    rows = sorted(generator.sample(range(1, pictures), kills))
    return [(number, generator.uniform(0, LONGEST[engine])) for number in rows]


def disturbed(
    job: Job, expected: Hashes, kills: list[Moment], lose_node: Callable[..., dict[str, int]] | None = None
) -> dict[str, Any]:
    """Kill a job at these moments, let it go on to its end, and check what it has made."""
    seen, seconds, lost = Seen(), 0.0, dict[str, int]()
    records = []
    for moment in kills:
        begun = time.perf_counter()
        process = job.started()
        wait_for(moment, job, process)
        process.kill()
        process.communicate()
        seconds += time.perf_counter() - begun
        records.append(seen.look(job))
        print(f"killed: {records[-1]}", flush=True)
    last = job.measured(None if lose_node is None else lambda process: lost.update(lose_node(job, process, seen)))
    checked(job, expected)
    again = job.measured()
    if again["resumed"] != again["pictures"]:
        raise SystemExit(f"{again['resumed']} of {again['pictures']} files were found to be done")
    checked(job, expected)
    figures = {"kills": records, "killed_runs_seconds": seconds, "last_run": last, "nothing_left": again}
    figures |= {"lost_node": lost} if lost else {}
    seen.look(job)
    done = {"written_again": seen.written_again, "manifest_nbytes": job.manifest.stat().st_size}
    print(f"went on to the end: {done}, {lost}", flush=True)
    return figures | done


def lose_at(moment: Moment, cluster: Any, job: Job, process: subprocess.Popen[str], seen: Seen) -> dict[str, int]:
    """Kill the second node of a cluster at a moment; what was there then."""
    wait_for(moment, job, process)
    workers = lose(cluster)
    return {"workers": workers, **seen.look(job)}


def wait_for(moment: Moment, job: Job, process: subprocess.Popen[str]) -> None:
    """Wait until a moment; the job must still run then."""
    rows, pause = moment
    limit = time.monotonic() + PATIENCE
    while not job.manifest.exists() or len(job.rows()) < rows:
        if process.poll() is not None or time.monotonic() > limit:
            raise SystemExit(f"the job ended or hung before row {rows}: {process.communicate(timeout=1)}")
        time.sleep(0.01)
    time.sleep(pause)
    if process.poll() is not None:
        raise SystemExit(f"the job ended before it could be killed, {pause:.3f} s after row {rows}; try another seed")


def hashes(folder: Path) -> Hashes:
    """Size and SHA-256 of all files in a folder, also of hidden ones, by their relative names."""
    return {str(path.relative_to(folder)): digest(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def checked(job: Job, expected: Hashes) -> None:
    """End this script unless all files are there as expected, no others, and one true row for each."""
    found, rows = hashes(job.output), job.rows()
    if found != expected:
        names = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
        raise SystemExit(f"{len(names)} files are missing, added or different, such as {names[0]}")
    outputs = {str(Path(row["output"]).relative_to(job.output)): (row["nbytes"], row["sha256"]) for row in rows}
    if not len(rows) == len({row["source"] for row in rows}) == len(outputs) == len(expected) or outputs != expected:
        raise SystemExit(f"{len(rows)} rows do not fit {len(expected)} files")


def _identity(path: Path) -> tuple[int, int]:
    about = path.stat()
    return about.st_ino, about.st_mtime_ns


if __name__ == "__main__":
    main()
