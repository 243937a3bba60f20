"""The restoration tasks, and photographs for training and fitting on which no benchmark measures.

The photographs are those of ``imagenet_sample`` with at least 320 pixels on each side. They are reduced to half their
size, which removes the artifacts of their own JPEG files, except for super-resolution, which reduces them itself.
"""

from __future__ import annotations

import io
import os
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.record import ROOT
from optcodec.shared import write_whole
from restore.channel.problem import PROBLEMS
from restore.tasks import RestorationTask, make_task

Samples = npt.NDArray[np.uint8]

TASKS = tuple(PROBLEMS)
NO_NETWORK = "no network"
# Networks of two kinds for one task: the widest one that the package has, and one of another kind
RECEIVERS = {task: (f"{task}-64", f"{task}-{other}")
             for task, other in (("sr4", "fsrcnn"), ("denoise25", "ircnn"), ("deblur1.5", "ircnn"))}  # fmt: skip
FOLDER = ROOT / "optcodec" / "data"
_LEAST_SIDE = 320


def photographs(task: str) -> Iterator[tuple[str, Samples]]:
    """Names and RGB pixels of the photographs, in a fixed random order."""
    paths = sorted((Path(os.environ["OPTCODEC_DATA"]) / "imagenet_sample").glob("*.JPEG"))
    random.Random(1).shuffle(paths)
    for path in paths:
        with Image.open(path) as file:
            if file.mode == "RGB" and min(file.size) >= _LEAST_SIDE:
                yield path.stem, np.asarray(file if PROBLEMS[task].scale > 1 else file.reduce(2))


def as_files(task: str, first: int, last: int, folder: Path) -> list[Path]:
    """Write the photographs with numbers first..last-1 as PNG files, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, (name, pixels) in enumerate(photographs(task)):
        if number == last:
            break
        if number >= first:
            paths.append(folder / f"{name}.png")
            if not paths[-1].exists():
                file = io.BytesIO()
                Image.fromarray(pixels).save(file, "PNG")
                write_whole(paths[-1], file.getvalue())
    return paths


def receiver_task(task: str, network: str) -> RestorationTask:
    """A task with the network of that name; ``default`` is the shipped one for JPEG artifacts.

    With `NO_NETWORK`, the receiver enlarges the decoded image bicubically where the problem made it smaller, and does
    nothing else.
    """
    if network != NO_NETWORK:
        return make_task(task, None if network == "default" else network)
    problem = PROBLEMS[task]

    def receive(data: bytes) -> Samples:
        with Image.open(io.BytesIO(data)) as file:
            size = file.width * problem.scale, file.height * problem.scale
            return np.asarray(file.convert("RGB").resize(size, Image.Resampling.BICUBIC))

    return RestorationTask(problem, receive, network)


def macs_of(task: str, name: str) -> float:
    """MACs per pixel of a network that restores the images of a task; none without a network."""
    from restore.networks.count import count

    if name == NO_NETWORK:
        return 0.0

    network = make_task(task, name).network
    assert network is not None
    return count(network).macs


__all__ = [
    "FOLDER", "NO_NETWORK", "RECEIVERS", "TASKS", "RestorationTask", "Samples", "as_files", "macs_of", "make_task",
    "photographs", "receiver_task",
]  # fmt: skip
