"""How fast does our encoder write JPEG files, compared with libjpeg-turbo in simplejpeg and Pillow?

Each round runs every encoder once, in a random order, and ratios are taken within the round, so that a machine that
becomes slower slows all encoders alike; medians over the rounds are printed. The first call of each encoder is left
out. One thread is measured in processor time of that thread, two threads in wall time. All encoders get the same pixels
and the quantization tables of quality 75. simplejpeg writes fixed Huffman tables; Pillow with ``optimize=True`` and our
encoder write optimal ones.

The large image is a mosaic of photographs of about 12 megapixels; the small images are crops of 224x224 pixels. The
photographs come from the folder PHOTOS, or else from the folder Kodak in OPTCODEC_DATA. With ``--avx2`` the kernels are
compiled for a processor without AVX-512. Writes benchmarks/results/speed.json (speed_avx2.json).
"""

from __future__ import annotations

import argparse
import io
import os
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image

from benchmarks.record import write_result

Pixels = npt.NDArray[np.uint8]
Coder = Callable[[], object]

QUALITY = 75
# Goals of the project: how many times faster the first encoder is than the second.
GOALS = {
    "12 MP": {"float / simplejpeg": 1.3, "float / pillow": 3.0, "exact / simplejpeg": 1.1, "exact / pillow": 2.5},
    "224x224": {"float / simplejpeg": 1 / 1.2, "float / pillow": 2.0},
    "threads": {"two / one": 1.7},
}
GOALS_AVX2 = {"12 MP": {"float / simplejpeg": 1.2}}
AVX2 = {
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma,+bmi,+bmi2,+lzcnt,+popcnt,+movbe,+f16c,+sse4.2",
}


def main() -> None:
    """Time the encoders, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="?", type=Path, help="folder of PNG photographs")
    parser.add_argument("--rounds", type=int, default=21, help="number of timed calls of each encoder")
    parser.add_argument("--avx2", action="store_true", help="compile the kernels without AVX-512")
    arguments = parser.parse_args()
    if arguments.avx2:
        os.environ.update(AVX2)
    folder = arguments.photos or Path(os.environ["OPTCODEC_DATA"]) / "Kodak"
    photos = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(folder.glob("*.png"))]
    large, crops = mosaic(photos), [np.ascontiguousarray(photo[100:324, 100:324]) for photo in photos]
    goals = GOALS_AVX2 if arguments.avx2 else GOALS
    cases = {
        "12 MP": compare(_coders([large]), arguments.rounds, time.thread_time),
        "224x224": compare(_coders(crops), arguments.rounds, time.thread_time),
        "threads": compare(_threads(large), arguments.rounds, time.perf_counter),
    }
    sizes = {"12 MP": large.size // 3, "224x224": len(crops) * 224 * 224, "threads": large.size // 3}
    for name, case in cases.items():
        _print(name, case, sizes[name], goals.get(name, {}))
    write_result(
        "speed_avx2" if arguments.avx2 else "speed",
        {
            "rounds": arguments.rounds,
            "pixels": sizes,
            "images": {"224x224": len(crops)},
            "cases": cases,
            "goals": goals,
        },
        packages=("numpy", "numba", "llvmlite", "simplejpeg", "pillow"),
    )


def mosaic(photos: list[Pixels]) -> Pixels:
    """A mosaic of 5 by 6 photographs of 768x512 pixels; those in portrait format are transposed."""
    landscape = [photo if photo.shape[0] < photo.shape[1] else photo.transpose(1, 0, 2) for photo in photos]
    rows = [
        np.concatenate([landscape[(5 * row + column) % len(landscape)] for column in range(5)], 1) for row in range(6)
    ]
    return np.ascontiguousarray(np.concatenate(rows, 0))


def _coders(images: list[Pixels]) -> dict[str, Coder]:
    """Functions that encode all images with one thread, by the name of the encoder."""
    from optcodec import encode  # not before the environment says which processor the kernels are compiled for

    pictures = [Image.fromarray(image) for image in images]
    return {
        "float": lambda: [encode(image, quality=QUALITY, threads=1) for image in images],
        "exact": lambda: [encode(image, quality=QUALITY, threads=1, dct="exact") for image in images],
        "simplejpeg": lambda: [simplejpeg.encode_jpeg(image, QUALITY, colorsubsampling="420") for image in images],
        "pillow": lambda: [_save(picture, optimize=True) for picture in pictures],
        "pillow, fixed Huffman": lambda: [_save(picture, optimize=False) for picture in pictures],
    }


def _save(picture: Image.Image, *, optimize: bool) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=QUALITY, optimize=optimize, subsampling="4:2:0")
    return file.getvalue()


def _threads(image: Pixels) -> dict[str, Coder]:
    """Functions that encode an image with one thread and with two."""
    from optcodec import encode

    return {
        "two": lambda: encode(image, quality=QUALITY, threads=2),
        "one": lambda: encode(image, quality=QUALITY, threads=1),
    }


def compare(coders: dict[str, Coder], rounds: int, clock: Callable[[], float]) -> dict[str, Any]:
    """Median and least seconds of each encoder, and for each pair the median ratio of their times within a round."""
    times: dict[str, list[float]] = {name: [] for name in coders}
    for coder in coders.values():
        coder()
    order, shuffle = list(coders), random.Random(0).shuffle
    for _ in range(rounds):
        shuffle(order)  # the encoder that ran before decides what is in the processor's caches
        for name in order:
            start = clock()
            coders[name]()
            times[name].append(clock() - start)
    return {
        "seconds": {name: statistics.median(taken) for name, taken in times.items()},
        "least_seconds": {name: min(taken) for name, taken in times.items()},
        "times_faster": {
            f"{faster} / {other}": statistics.median(b / a for a, b in zip(times[faster], times[other], strict=True))
            for faster in coders
            for other in coders
            if faster != other
        },
    }


def _print(name: str, case: dict[str, Any], pixels: int, goals: dict[str, float]) -> None:
    print(
        f"{name}: " + ", ".join(f"{coder} {pixels / taken / 1e6:.0f} MP/s" for coder, taken in case["seconds"].items())
    )
    for ratio, goal in goals.items():
        print(f"    {ratio}: {case['times_faster'][ratio]:.2f} (goal {goal:.2f})")


if __name__ == "__main__":
    main()
