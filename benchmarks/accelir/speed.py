"""Times of the encoder on images of 12 megapixels, with and without QP-NET, in turn (see ``accelir.py``)."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks.accelir.case import SUBSAMPLING, Tools
from benchmarks.rates.rd import load, photographs
from optcodec import MaxBytes, encode

SIDES = 3000, 4000  # rows and columns


def large_image(number: int) -> np.ndarray:
    """Photographs of Kodak side by side, each beginning with another one."""
    tiles = [load(path) for path in photographs("Kodak")]
    lying = [np.rot90(tile) if tile.shape[0] > tile.shape[1] else tile for tile in tiles]
    height, width = (min(tile.shape[axis] for tile in lying) for axis in (0, 1))
    rows, columns = -(-SIDES[0] // height), -(-SIDES[1] // width)
    grid = [
        [lying[(number + row * columns + column) % len(lying)][:height, :width] for column in range(columns)]
        for row in range(rows)
    ]
    whole = np.concatenate([np.concatenate(row, axis=1) for row in grid])
    return np.ascontiguousarray(whole[: SIDES[0], : SIDES[1]])


def timed(name: str, number: int, runs: int, bpp: float) -> dict[str, Any]:
    """Seconds of all runs of one image: at a quality, for a number of bytes, and of QP-NET alone."""
    tools, pixels = Tools.load(name), large_image(number)
    budget = int(bpp * pixels.shape[0] * pixels.shape[1] / 8)
    wanted: dict[str, dict[str, Any]] = {"quality": {"quality": 75}, "bytes": {"target": MaxBytes(budget)}}
    kinds = {"without": None, "with": tools.blocks("exchange")}
    seconds: dict[str, list[float]] = {"qpnet": []}
    for repeat in range(runs + 1):
        for what, options in wanted.items():
            for kind, blocks in kinds.items():
                start = time.perf_counter()
                encode(pixels, tune=tools.tuning, blocks=blocks, subsampling=SUBSAMPLING, threads=1, **options)
                seconds.setdefault(f"{what} {kind}", []).append(time.perf_counter() - start)
        start = time.perf_counter()
        tools.net.distributions(pixels, threads=1)
        seconds["qpnet"].append(time.perf_counter() - start)
        print(name, number, repeat, {key: round(each[-1], 2) for key, each in seconds.items()}, flush=True)
    return {"tools": name, "image": number, "seconds": {key: each[1:] for key, each in seconds.items()}}
