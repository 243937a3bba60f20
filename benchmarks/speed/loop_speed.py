"""How long does the encoder take with people in the loop, and how much memory does it need?

    OPTCODEC_DATA=DATA python -m benchmarks.speed.loop_speed [--rounds N]

Progressive 4:2:0 files ``tune="people"`` of about a megapixel of photographs, at quality 75, and at the bytes that this
file of effort 3 has: with effort 3, with the loop (effort 4), and with four of its twelve rounds. Processor time of one
thread, measured as in `speed.py`: they take turns in a random order, the first call of each is left out, and medians
are reported. Memory is the peak of a process while it encodes less what it had before, in bytes per pixel (Linux).
Writes ``results/loop_speed.json``.
"""

from __future__ import annotations

import subprocess
import sys
import time
from functools import partial
from typing import Any

import click

from benchmarks.rates.rd import load, photographs
from benchmarks.record import write_result
from benchmarks.speed.rdo_speed import QUALITY, growth, resized
from benchmarks.speed.speed import Pixels, compare, mosaic
from optcodec import MaxBytes, encode

PARTS = {"1 MP": 1 / 12, "3 MP": 1 / 4}  # of the mosaic; times are of the first
FORM: dict[str, Any] = {"tune": "people", "progressive": True, "threads": 1}
WAYS: dict[str, dict[str, Any]] = {
    "effort 3": {"effort": 3},
    "effort 4": {"effort": 4},
    "effort 4, 4 rounds": {"effort": 4, "rounds": 4},
}


def picture(size: str) -> Pixels:
    """A picture of photographs of about this size."""
    return resized(mosaic([load(path) for path in photographs("Kodak")]), PARTS[size])


def bytes_a_pixel(size: str) -> float:
    """Peak memory of the loop in bytes a pixel, measured in a new process."""
    command = [sys.executable, "-m", "benchmarks.speed.loop_speed", "--memory-of", size]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


@click.command()
@click.option("--rounds", default=5, show_default=True, help="Timed calls of each way.")
@click.option("--memory-of", type=click.Choice(tuple(PARTS)), help="Only print the peak memory for this size.")
def main(rounds: int, memory_of: str | None) -> None:
    """Measure, and write the result."""
    pixels = picture(memory_of or next(iter(PARTS)))
    count = pixels.size // 3
    if memory_of is not None:
        print(round(growth(pixels, FORM | WAYS["effort 4"]) / count, 1))
        return
    nbytes = encode(pixels, quality=QUALITY, effort=3, **FORM).nbytes
    targets: dict[str, dict[str, Any]] = {"a quality": {"quality": QUALITY}, "a size": {"target": MaxBytes(nbytes)}}
    cases = {
        name: compare(
            {way: partial(encode, pixels, **FORM, **target, **options) for way, options in WAYS.items()},
            rounds,
            time.thread_time,
        )
        for name, target in targets.items()
    }
    figures = {
        "rounds": rounds,
        "pixels": count,
        "quality": QUALITY,
        "nbytes": nbytes,
        "cases": cases,
        "bytes_a_pixel": {size: bytes_a_pixel(size) for size in PARTS},
    }
    print(write_result("loop_speed", figures, packages=("numpy", "numba", "llvmlite")))


if __name__ == "__main__":
    main()
