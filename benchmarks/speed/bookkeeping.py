"""What does each further picture of a data set cost the machine on which the command runs, beside the coding itself?

Jobs over few and over many pictures of 8x8 pixels are run with threads, and on a Ray cluster of two nodes on this
machine, whose workers do the coding; from a folder and from tar files of 500 pictures. The differences of their peak
memory, processor time and manifest, for each further picture, are what the process of the command itself takes: its
lists, its rows, its messages to workers. With threads, coding is part of the processor time. Of two runs of each job
the smaller figures count, since other work on the machine only adds to them. The pictures are names of one file, in the
folder SCRATCH. Writes benchmarks/results/bookkeeping.json.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.record import write_result
from benchmarks.speed.two_nodes import cluster_of_two

FEW, MANY = 4000, 16000
IN_A_TAR, RUNS = 500, 2


def main() -> None:
    """Run all jobs and write the differences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scratch", type=Path, help="folder for the pictures, which is made here and removed again")
    scratch = parser.parse_args().scratch
    scratch.mkdir(parents=True)
    figures: dict[str, Any] = {}
    try:
        sources = {f"{kind} {count}": make(scratch, count) for kind, make in KINDS.items() for count in (FEW, MANY)}
        with cluster_of_two() as cluster:
            engines = {"threads": [], "ray": ["--engine", "ray", "--address", cluster.address]}
            for engine, options in engines.items():
                for kind in KINDS:
                    few, many = (least(sources[f"{kind} {count}"], scratch, options) for count in (FEW, MANY))
                    each = {name: (many[name] - few[name]) / (MANY - FEW) for name in few}
                    figures[f"{engine}, {kind}"] = {"few": few, "many": many, "each_further_picture": each}
                    print(f"{engine}, {kind}: {each}", flush=True)
    finally:
        shutil.rmtree(scratch)
    result = {"pictures": {"few": FEW, "many": MANY, "in_a_tar": IN_A_TAR}, "jobs": figures}
    write_result("bookkeeping", result, packages=("numpy", "numba", "pillow", "ray"))


def picture() -> bytes:
    """A PNG file of 8x8 pixels."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


def folder_of(scratch: Path, count: int) -> Path:
    """A folder with so many names of one picture, 1000 in each subfolder."""
    folder, first = scratch / f"folder{count}", scratch / "picture.png"
    first.write_bytes(picture())
    for number in range(count):
        path = folder / f"{number // 1000:03}" / f"{number:06}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.hardlink_to(first)
    return folder


def tars_of(scratch: Path, count: int, in_a_tar: int = IN_A_TAR) -> Path:
    """A folder of tar files with so many pictures in all."""
    folder, data = scratch / f"tars{count}", picture()
    folder.mkdir()
    for start in range(0, count, in_a_tar):
        with tarfile.open(folder / f"{start:06}.tar", "w") as tar:
            for number in range(start, start + in_a_tar):
                about = tarfile.TarInfo(f"{number:06}.png")
                about.size = len(data)
                tar.addfile(about, io.BytesIO(data))
    return folder


KINDS = {"folder": folder_of, "tar files": tars_of}


def least(source: Path, scratch: Path, engine: list[str]) -> dict[str, float]:
    """The smaller figures of some runs."""
    runs = [run(source, scratch, engine) for _ in range(RUNS)]
    return {name: min(each[name] for each in runs) for name in runs[0]}


def run(source: Path, scratch: Path, engine: list[str]) -> dict[str, float]:
    """Code a folder; peak memory and processor time of the command's process, and the size of its manifest."""
    output, manifest = scratch / "out", scratch / "manifest.jsonl"
    command = [sys.executable, "-m", "optcodec", "encode", str(source), "-o", str(output), "-q", "80"]
    process = subprocess.Popen(
        [*command, "--manifest", str(manifest), *engine], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the job failed: {errors}")
    nbytes = manifest.stat().st_size
    shutil.rmtree(output)
    manifest.unlink()
    return {
        "peak_nbytes": 1024 * used.ru_maxrss,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "manifest_nbytes": nbytes,
    }


if __name__ == "__main__":
    main()
