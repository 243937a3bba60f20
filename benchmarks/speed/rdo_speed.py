"""How fast is encoding with a trellis, and how much memory does it need?

    OPTCODEC_DATA=DATA python -m benchmarks.speed.rdo_speed [--rounds N]

Files at quality 75 and 4:2:0, with tables and indices chosen by rate-distortion optimization: baseline for each
component by itself (``trellis``: ``tune="ycbcr"``) and for RGB (``psnr``), progressive for ``people``. Times are
measured as in `speed.py`: the encoders take turns in a random order, the first call of each is left out, and medians
are reported; one thread is measured in processor time, two threads in wall time. The large image is a mosaic of
photographs of about 12 megapixels; the other sizes are parts and repetitions of it; the small images are crops of
224x224 pixels. mozjpeg (through pyvips, with trellis and flat tables) and libjpeg-turbo (through Pillow, with
``optimize=True``) encode the same pixels. Memory is the peak of a process while it encodes less what it had before, in
bytes per pixel (Linux). Writes ``results/rdo_speed.json``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.rates.rd import load, photographs
from benchmarks.record import write_result
from benchmarks.speed.speed import Coder, Pixels, compare, mosaic
from optcodec.shared import encode_mozjpeg, encode_turbo

if TYPE_CHECKING:
    from optcodec import EncodedJpeg

QUALITY = 75
SIZES = {"3 MP": 1 / 4, "12 MP": 1, "47 MP": 4}  # area relative to the mosaic
TUNINGS: dict[str, dict[str, Any]] = {
    "trellis": {"tune": "ycbcr"},
    "psnr": {"tune": "psnr"},
    "people": {"tune": "people", "progressive": True},
}
# Most milliseconds for the large image, for a small one, and most bytes a pixel; least gain by a second thread.
GOALS = {
    "trellis": {"12 MP, ms": 100, "224x224, ms": 1.2, "two threads / one": 1.7, "bytes a pixel": 12},
    "psnr": {"12 MP, ms": 450, "224x224, ms": 4, "two threads / one": 1.7, "bytes a pixel": 15},
    "people": {"12 MP, ms": 293, "224x224, ms": 4, "two threads / one": 1.7},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="number of timed calls of each encoder")
    parser.add_argument("--memory-of", nargs=2, metavar=("TUNING", "AREA"), help="only print the peak memory of one")
    arguments = parser.parse_args()
    photos = [load(path) for path in photographs("Kodak")]
    large, crops = mosaic(photos), [np.ascontiguousarray(photo[100:324, 100:324]) for photo in photos]
    if arguments.memory_of is not None:
        tuning, part = arguments.memory_of
        print(growth(resized(large, float(part)), TUNINGS[tuning]))
        return
    cases = {
        name: compare(coders([resized(large, part)]), arguments.rounds, time.thread_time)
        for name, part in SIZES.items()
    }
    cases["224x224"] = compare(coders(crops), arguments.rounds, time.thread_time)
    cases["threads"] = compare(threads(large), arguments.rounds, time.perf_counter)
    pixels = {name: resized(large, part).size // 3 for name, part in SIZES.items()}
    memory = {
        tuning: {name: round(memory_of(tuning, part) / pixels[name], 2) for name, part in SIZES.items() if part >= 1}
        for tuning in TUNINGS
    }
    figures: dict[str, Any] = {
        "rounds": arguments.rounds,
        "pixels": pixels,
        "images": {"224x224": len(crops)},
        "cases": cases,
        "memory": memory,
        "megapixels_a_second": {
            name: count / 1e6 / cases[name]["seconds"]["trellis"] for name, count in pixels.items()
        },
        "goals": {tuning: goals_of(tuning, cases, memory[tuning], len(crops)) for tuning in TUNINGS},
    }
    print(figures["goals"], figures["megapixels_a_second"], memory)
    print(write_result("rdo_speed", figures, packages=("numpy", "numba", "llvmlite", "pillow", "pyvips")))


def goals_of(tuning: str, cases: dict[str, Any], memory: dict[str, float], crops: int) -> dict[str, dict[str, float]]:
    """Goal and what was reached, by name."""
    reached = {
        "12 MP, ms": 1000 * cases["12 MP"]["seconds"][tuning],
        "224x224, ms": 1000 * cases["224x224"]["seconds"][tuning] / crops,
        "two threads / one": cases["threads"]["times_faster"][f"{tuning}, two / {tuning}, one"],
        "bytes a pixel": max(memory.values()),
    }
    return {name: {"goal": goal, "reached": round(reached[name], 2)} for name, goal in GOALS[tuning].items()}


def resized(mosaic_of_photos: Pixels, part: float) -> Pixels:
    """A corner of the mosaic, or repetitions of it side by side; ``part`` is the area relative to the mosaic."""
    if part < 1:
        rows, columns = (round(side * part**0.5) for side in mosaic_of_photos.shape[:2])
        return np.ascontiguousarray(mosaic_of_photos[:rows, :columns])
    times = round(part**0.5)
    return np.tile(mosaic_of_photos, (times, times, 1))


def coders(images: list[Pixels]) -> dict[str, Coder]:
    """Functions that encode all images with one thread, by the name of the encoder."""
    from optcodec import encode

    by_name: dict[str, Coder] = {
        **{name: partial(encode_all, images, threads=1, **options) for name, options in TUNINGS.items()},
        "default tables": lambda: [encode(image, quality=QUALITY, threads=1) for image in images],
        "libjpeg-turbo": lambda: [encode_turbo(image, "4:2:0", QUALITY) for image in images],
    }
    if images[0].size < 1 << 26:  # mozjpeg takes seconds
        by_name["mozjpeg"] = lambda: [
            encode_mozjpeg(image, "4:2:0", QUALITY, table=1, progressive=False) for image in images
        ]
    return by_name


def encode_all(images: list[Pixels], **options: Any) -> list[EncodedJpeg]:
    from optcodec import encode

    return [encode(image, quality=QUALITY, **options) for image in images]


def threads(image: Pixels) -> dict[str, Coder]:
    """Functions that encode an image with one thread and with two."""
    return {
        f"{name}, {word}": partial(encode_all, [image], threads=count, **options)
        for name, options in TUNINGS.items()
        for word, count in (("two", 2), ("one", 1))
    }


def growth(image: Pixels, options: dict[str, Any]) -> int:
    """Peak memory of encoding an image in bytes, beyond what the process had before."""
    encode_all([image[:512, :512]], **options)
    Path("/proc/self/clear_refs").write_text("5")  # resets the recorded peak (VmHWM) of this process
    before = status("VmRSS")
    encode_all([image], **options)
    return status("VmHWM") - before


def status(name: str) -> int:
    """A memory figure of /proc/self/status in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(name)).split()[1])


def memory_of(tuning: str, part: float) -> int:
    """Peak memory in bytes of encoding an image of this relative area, measured in a new process."""
    command = [sys.executable, "-m", "benchmarks.speed.rdo_speed", "--memory-of", tuning, str(part)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


if __name__ == "__main__":
    main()
