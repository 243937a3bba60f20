"""Is `OptJpeg` faster than `JPEG` of torchvision's transforms, which encodes and decodes images of a loader, too?

Each round runs both once on the same images, in a random order, on one thread, in the processor time of that thread;
ratios are medians of those within a round, and the first call is left out. The images are the middle 224x224 pixels of
the photographs in the folder Kodak of OPTCODEC_DATA, uint8, at quality 75: one by one, as `PILToTensor` makes them, and
as one batch. Both show the pixels that libjpeg-turbo decodes; torchvision writes and reads a file for it, and ours
quantizes and decodes indices. Writes benchmarks/results/transform.json.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2

from benchmarks.record import write_result
from benchmarks.speed.speed import Coder, compare
from optcodec.torch import OptJpeg

QUALITY, SIDE = 75, 224
GOAL = 1.0  # how many times faster ours is


def main() -> None:
    """Time both, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=101, help="number of timed calls of each")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", DeprecationWarning)  # of torchvision 0.29, whose encoder and decoder are to go
    torch.set_num_threads(1)
    images = crops(Path(os.environ["OPTCODEC_DATA"]) / "Kodak")
    batch = torch.stack(images)
    transforms = {"ours": OptJpeg(QUALITY), "torchvision": v2.JPEG(QUALITY)}
    one_by_one: dict[str, Coder] = {name: partial(all_of, each, images) for name, each in transforms.items()}
    as_batch: dict[str, Coder] = {name: partial(each, batch) for name, each in transforms.items()}
    cases = {"one by one": one_by_one, "batch": as_batch}
    figures = {name: compare(case, arguments.rounds, time.thread_time) for name, case in cases.items()}
    for name, case in figures.items():
        each = {one: 1000 * seconds / len(images) for one, seconds in case["seconds"].items()}
        print(f"{name}: " + ", ".join(f"{one} {milliseconds:.2f} ms" for one, milliseconds in each.items()))
        print(f"    times faster: {case['times_faster']['ours / torchvision']:.2f} (goal {GOAL:g})")
    result = {"rounds": arguments.rounds, "images": len(images), "cases": figures, "goal": GOAL}
    write_result("transform", result, packages=("numpy", "numba", "pillow", "torch", "torchvision"))


def all_of(transform: Callable[[Tensor], Tensor], images: list[Tensor]) -> list[Tensor]:
    """Transform images one by one."""
    return [transform(image) for image in images]


def crops(folder: Path) -> list[Tensor]:
    """The middle of each photograph, channels first, as torchvision makes tensors of Pillow images."""
    tensors = []
    for path in sorted(folder.glob("*.png")):
        photo = np.asarray(Image.open(path).convert("RGB"))
        top, left = ((extent - SIDE) // 2 for extent in photo.shape[:2])
        tensors.append(torch.from_numpy(photo[top : top + SIDE, left : left + SIDE].copy()).permute(2, 0, 1))
    return tensors


if __name__ == "__main__":
    main()
