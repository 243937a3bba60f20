"""How many pictures of a data set does a processor code in a second, beside other encoders?

Pictures of 224x224, of 2 and of 12 megapixels are encoded by 1 and by 2 workers, from memory to memory, and from a
folder of PNG files to JPEG files in another one, in the system's temporary folder: there each encoder opens the files
by itself, ours and simplejpeg by Pillow, and the folder command is measured, too. All encoders have the quality of
default JPEG at 75 (the same tables, or designed ones with no more error), or else, from memory, as many bytes as our
plain files at 75: the quality of the others is then the one whose files are nearest, and designed tables get that size
as their target. Each worker is a process of its own with one thread, as in a process pool;
``encode_many``, the folder command and ``simplejpeg_threads`` are one process with as many threads as workers, and have
at least as many pictures as threads: a large one is then given to them as often, and in a folder all encoders find it
twice. Its processor time counts all threads, its peak memory the whole process; of that, ``file_nbytes`` are pages of
files in the end, above all of libraries, which all workers share. In each round a worker encodes each
picture once; the first round is left out, and medians are written. The encoders take turns in a random order, a round
each, so that a machine that becomes slower slows all of them alike.

The large picture is the mosaic of `benchmarks.speed.speed`, that of 2 megapixels a part of it, the small ones are all
crops side by side of the photographs in the folder PHOTOS, or else in the folder Kodak of OPTCODEC_DATA: so many that a
turn takes far longer than a change of processes. Needs simplejpeg; pyvips and torchvision are measured if they are
there, and sharp if node finds it:

    npm install --prefix FOLDER sharp
    NODE_PATH=FOLDER/node_modules python -m benchmarks.speed.dataset

Writes benchmarks/results/dataset.json.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.record import write_result
from benchmarks.speed.encoders import (
    ENCODERS,
    IN_THREADS,
    QUALITY,
    WRITERS,
    Pixels,
    is_there,
    packages,
    saved,
    sharp_version,
    sharp_worker,
)
from benchmarks.speed.speed import mosaic

SIZES = {"224x224": (224, 224), "2 MP": (1200, 1728), "12 MP": (3072, 3840)}
ROUNDS = {"224x224": 20, "2 MP": 30, "12 MP": 15}
GOALS = {"12 MP": {"plain / simplejpeg": 1.0}, "224x224": {"many / simplejpeg": 0.8}}
GOALS_OF_ALL = {"designed / plain": 0.5}
LEAST_SCALING, MOST_NBYTES = 1.8, 200e6
WORKERS = (1, 2)
FROM_FILES = "from files"
FILES_SHARE = 1 / 3  # of the rounds, from files: to open them takes most of the time, and differs little


def main() -> None:
    """Measure all encoders, or, as a worker, one of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="?", type=Path, help="folder of PNG photographs")
    parser.add_argument("--share", type=float, default=1.0, help="share of the rounds, for a trial that writes nothing")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker is not None:
        _work(arguments.photos, **json.loads(arguments.worker))
        return
    folder = arguments.photos or Path(os.environ["OPTCODEC_DATA"]) / "Kodak"
    cases = {size: _case(pictures(folder, size), size, arguments.share) for size in SIZES}
    goals = _goals(cases)
    if arguments.share == 1:
        rounds = {"rounds": ROUNDS, "files_share": FILES_SHARE}
        figures = {"sharp": sharp_version(), **rounds, "cases": cases, "goals": goals}
        write_result("dataset", figures, packages=("numpy", "numba", "llvmlite", *packages()))


def pictures(folder: Path, size: str) -> list[Pixels]:
    """The pictures of a size."""
    photos = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(folder.glob("*.png"))]
    height, width = SIZES[size]
    if size == "224x224":
        return [np.ascontiguousarray(crop) for photo in photos for crop in _crops(photo, height, width)]
    return [np.ascontiguousarray(mosaic(photos)[:height, :width])]


def _crops(photo: Pixels, height: int, width: int) -> list[Pixels]:
    """All parts of a size that lie side by side."""
    rows, columns = range(0, photo.shape[0] - height + 1, height), range(0, photo.shape[1] - width + 1, width)
    return [photo[y : y + height, x : x + width] for y in rows for x in columns]


def _work(folder: Path, *, name: str, setting: Any, threads: int, target: str | None) -> None:
    """A worker: prepare, encode all pictures for each line on stdin, and at last print what the rounds took."""
    encode: Callable[[], object]
    if target is None:
        images = [np.load(path) for path in sorted(folder.glob("*.npy"))]
        images *= -(-threads // len(images))  # one picture on two threads would be another question
        encode, count = partial(ENCODERS[name], images, setting, threads), len(images)
    else:
        encode, count = partial(WRITERS[name], folder, Path(target), setting, threads), len(list(folder.glob("*.png")))
    before = _status_nbytes("VmHWM")
    encode()  # compiles, and fills caches
    print("ready", flush=True)
    cpu, wall = [], []
    for _ in sys.stdin:
        start = time.process_time(), time.perf_counter()
        encode()
        cpu.append(time.process_time() - start[0])
        wall.append(time.perf_counter() - start[1])
        print("done", flush=True)
    figures = {"cpu": statistics.median(cpu), "wall": statistics.median(wall), "pictures": count}
    memory = {"peak_nbytes": _status_nbytes("VmHWM"), "file_nbytes": _status_nbytes("RssFile"), "before_nbytes": before}
    print(json.dumps(figures | memory | {"threads": threads}))


def _status_nbytes(entry: str) -> int:
    """Memory of this process: VmHWM, its peak (in getrusage the process before it counts, too); RssFile, of files."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{entry}:")]
    return 1024 * int(line.split()[1])


def _case(images: list[Pixels], size: str, share: float) -> dict[str, Any]:
    """All encoders on the pictures of a size: at equal quality, at equal bytes, from files; by 1 and by 2 workers."""
    present, writers = (list(filter(is_there, each)) for each in (ENCODERS, WRITERS))
    reference = [len(data) for data in ENCODERS["plain"](images, QUALITY, 1)]
    settings = {
        "equal quality": {name: None if name == "designed" else QUALITY for name in present},
        "equal bytes": {name: _setting(name, images, reference) for name in present},
        FROM_FILES: {name: None if name == "designed" else QUALITY for name in writers},
    }
    case: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        saved(images, Path(folder), files=max(WORKERS))
        for goal, chosen in settings.items():
            made = {name: _made(name, images, folder, chosen[name], goal) for name in chosen}
            case[goal] = {name: _files(images, made[name], chosen[name]) for name in chosen}
        for goal, workers in itertools.product(settings, WORKERS):
            rounds = max(2, int(share * ROUNDS[size] * (FILES_SHARE if goal == FROM_FILES else 1)))
            for name, figures in _measured(folder, settings[goal], workers, rounds, goal).items():
                case[goal][name][f"{workers} workers"] = figures
    for goal, each in case.items():
        _print(f"{size}, {goal}", each)
    return case


def _setting(name: str, images: list[Pixels], reference: list[int]) -> Any:
    """The quality whose files are nearest to these sizes together, or the sizes themselves."""
    if name == "designed":
        return reference
    some, sizes = images[:8], sum(reference[:8])
    return min(range(60, 91), key=lambda quality: abs(sum(map(len, ENCODERS[name](some, quality, 1))) - sizes))


def _made(name: str, images: list[Pixels], folder: str, setting: Any, goal: str) -> list[bytes]:
    """The files of an encoder, from memory or from the folder; there, the first of each picture."""
    if goal != FROM_FILES:
        return ENCODERS[name](images, setting, 1)
    with tempfile.TemporaryDirectory() as target:
        WRITERS[name](Path(folder), Path(target), setting, 1)
        return [path.read_bytes() for path in sorted(Path(target).glob("*.jpg"))][: len(images)]


def _files(images: list[Pixels], files: list[bytes], setting: Any) -> dict[str, Any]:
    """What the files are like: mean size in bytes, and mean PSNR of RGB in dB."""
    from optcodec import psnr_db

    decoded = [np.asarray(Image.open(io.BytesIO(data)).convert("RGB")) for data in files]
    psnr = [psnr_db(image, pixels) for image, pixels in zip(images, decoded, strict=True)]
    quality = setting if isinstance(setting, int) else None
    return {"quality": quality, "nbytes": statistics.mean(map(len, files)), "psnr_db": statistics.mean(psnr)}


def _measured(
    folder: str, settings: dict[str, Any], workers: int, rounds: int, goal: str
) -> dict[str, dict[str, float]]:
    """Of each encoder: pictures a second of processor time and of the clock, and the memory of a worker."""
    with tempfile.TemporaryDirectory() as targets:
        target = targets if goal == FROM_FILES else None
        children = {name: _workers(folder, name, setting, workers, target) for name, setting in settings.items()}
        _take_turns(children, rounds)
        return {name: _figures([json.loads(each.communicate()[0]) for each in them]) for name, them in children.items()}


def _take_turns(children: dict[str, list[subprocess.Popen[str]]], rounds: int) -> None:
    """Let the workers of one encoder after another do a round, in a random order."""
    order, shuffle = list(children), random.Random(0).shuffle
    for _ in range(rounds):
        shuffle(order)
        for name in order:
            for child in children[name]:
                assert child.stdin is not None
                child.stdin.write("\n")
                child.stdin.flush()
            for child in children[name]:
                _expect(child, "done")


def _workers(folder: str, name: str, setting: Any, workers: int, targets: str | None) -> list[subprocess.Popen[str]]:
    """Start the workers of an encoder, and wait until they are ready."""
    processes, threads = (1, workers) if name in IN_THREADS else (workers, 1)
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    children = []
    for _ in range(processes):
        target = None if targets is None else tempfile.mkdtemp(dir=targets)  # workers do not share the files
        text = json.dumps({"name": name, "setting": setting, "threads": threads, "target": target})
        command = [sys.executable, "-m", "benchmarks.speed.dataset", folder, "--worker", text]
        if name == "sharp":
            command = sharp_worker(folder, setting, target)
        children.append(subprocess.Popen(command, env=os.environ | {"VIPS_CONCURRENCY": "1"}, **pipes))
    for child in children:
        _expect(child, "ready")
    return children


def _expect(child: subprocess.Popen[str], word: str) -> None:
    assert child.stdout is not None
    assert child.stdout.readline() == f"{word}\n"


def _figures(results: list[dict[str, Any]]) -> dict[str, float]:
    """What the workers of an encoder do together."""
    count = sum(result["pictures"] for result in results)
    return {
        "pictures_a_cpu_second": count / sum(result["cpu"] for result in results),
        "pictures_a_second": sum(result["pictures"] / result["wall"] for result in results),
        "peak_nbytes_a_worker": max(result["peak_nbytes"] // result["threads"] for result in results),
        "file_nbytes": max(result["file_nbytes"] for result in results),
        "peak_nbytes_before": max(result["before_nbytes"] for result in results),
        "cpu_hours_a_million": 1e6 / 3600 * sum(result["cpu"] for result in results) / count,
    }


def _goals(cases: dict[str, Any]) -> dict[str, Any]:
    """What was to be reached, and what was."""
    goals: dict[str, Any] = {}
    for size, case in cases.items():
        rates = {name: each["1 workers"]["pictures_a_cpu_second"] for name, each in case["equal quality"].items()}
        for ratio, least in (GOALS.get(size, {}) | GOALS_OF_ALL).items():
            faster, _, other = ratio.partition(" / ")
            goals[f"{size}, {ratio}"] = {"goal": least, "reached": rates[faster] / rates[other]}
        one, two = (case["equal quality"]["many"][f"{workers} workers"]["pictures_a_second"] for workers in (1, 2))
        goals[f"{size}, 2 workers / 1"] = {"goal": LEAST_SCALING, "reached": two / one}
    memory = cases["12 MP"]["equal quality"]["plain"]["1 workers"]["peak_nbytes_a_worker"]
    goals["12 MP, bytes of memory a worker"] = {"goal": MOST_NBYTES, "reached": memory}
    for name, goal in goals.items():
        print(f"{name}: {goal['reached']:.4g} (goal {goal['goal']:g})")
    return goals


def _print(title: str, case: dict[str, Any]) -> None:
    print(title)
    for name, each in case.items():
        one, two = each["1 workers"], each["2 workers"]
        print(
            f"    {name}: {one['pictures_a_cpu_second']:.1f} pictures a CPU second, {each['nbytes']:,.0f} bytes, "
            f"{each['psnr_db']:.2f} dB, {one['peak_nbytes_a_worker'] / 1e6:.0f} MB, "
            f"2 workers {two['pictures_a_second'] / one['pictures_a_second']:.2f} times as fast"
        )


if __name__ == "__main__":
    main()
