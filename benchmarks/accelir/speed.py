"""Measure the encoding time of 12-megapixel images with and without QP-NET, in turn (see `gains.py speed`)."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks.accelir.case import SUBSAMPLING, Tools
from benchmarks.rates.rd import load, photographs
from optcodec import MaxBytes, encode

SIDES = 3000, 4000  # rows and columns


def large_image(number: int) -> np.ndarray:
    """A mosaic of Kodak photographs; the number is that of the photograph at its top left."""
    tiles = [load(path) for path in photographs("Kodak")]
    landscape = [np.rot90(tile) if tile.shape[0] > tile.shape[1] else tile for tile in tiles]
    height, width = (min(tile.shape[axis] for tile in landscape) for axis in (0, 1))
    rows, columns = -(-SIDES[0] // height), -(-SIDES[1] // width)
    grid = [
        [landscape[(number + row * columns + column) % len(landscape)][:height, :width] for column in range(columns)]
        for row in range(rows)
    ]
    whole = np.concatenate([np.concatenate(row, axis=1) for row in grid])
    return np.ascontiguousarray(whole[: SIDES[0], : SIDES[1]])


def timed(name: str, number: int, runs: int, bpp: float) -> dict[str, Any]:
    """Seconds of all runs on one image: encoding at a quality, encoding into a number of bytes, and QP-NET alone."""
    tools, pixels = Tools.load(name), large_image(number)
    budget = int(bpp * pixels.shape[0] * pixels.shape[1] / 8)
    settings: dict[str, dict[str, Any]] = {"quality": {"quality": 75}, "bytes": {"target": MaxBytes(budget)}}
    kinds = {"without": None, "with": tools.blocks("exchange")}
    seconds: dict[str, list[float]] = {"qpnet": []}
    for repeat in range(runs + 1):
        for setting, options in settings.items():
            for kind, blocks in kinds.items():
                start = time.perf_counter()
                encode(pixels, tune=tools.tuning, blocks=blocks, subsampling=SUBSAMPLING, threads=1, **options)
                seconds.setdefault(f"{setting} {kind}", []).append(time.perf_counter() - start)
        start = time.perf_counter()
        tools.net.distributions(pixels, threads=1)
        seconds["qpnet"].append(time.perf_counter() - start)
        print(name, number, repeat, {key: round(values[-1], 2) for key, values in seconds.items()}, flush=True)
    return {"tools": name, "image": number, "seconds": {key: values[1:] for key, values in seconds.items()}}
