"""Measure the encoding time of images of several sizes with and without QP-NET, in turn (see `gains.py speed`)."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.accelir.case import SUBSAMPLING, Tools
from benchmarks.accelir.methods import DEFAULT_STRENGTH
from benchmarks.rates.rd import load, photographs
from optcodec import MaxBytes, encode
from optcodec.blocks.choice import BlockChoice

# Rows and columns: the sizes of AccelIR, Figure 6, and a photograph of a camera
SIZES = {"360p": (360, 640), "540p": (540, 960), "1080p": (1080, 1920), "12 MP": (3000, 4000)}


def mosaic(number: int, sides: tuple[int, int]) -> np.ndarray:
    """A mosaic of Kodak photographs; the number is that of the photograph at its top left."""
    tiles = [load(path) for path in photographs("Kodak")]
    landscape = [np.rot90(tile) if tile.shape[0] > tile.shape[1] else tile for tile in tiles]
    height, width = (min(tile.shape[axis] for tile in landscape) for axis in (0, 1))
    rows, columns = -(-sides[0] // height), -(-sides[1] // width)
    grid = [
        [landscape[(number + row * columns + column) % len(landscape)][:height, :width] for column in range(columns)]
        for row in range(rows)
    ]
    whole = np.concatenate([np.concatenate(row, axis=1) for row in grid])
    return np.ascontiguousarray(whole[: sides[0], : sides[1]])


def timed(name: str, size: str, number: int, runs: int, bpp: float) -> dict[str, Any]:
    """Seconds of all runs on one image.

    They are those of our encoder at a quality and for a number of bytes, of QP-NET alone, and of plain JPEG files at
    that quality by libjpeg-turbo (Pillow) and by us.
    """
    tools, pixels = Tools.load(name), mosaic(number, SIZES[size])
    budget = int(bpp * pixels.shape[0] * pixels.shape[1] / 8)
    settings: dict[str, dict[str, Any]] = {"quality": {"quality": 75}, "bytes": {"target": MaxBytes(budget)}}
    counting = replace(tools.profile, strength=tools.profile.strength or DEFAULT_STRENGTH)  # at 0, QP-NET is not run
    kinds = {"without": None, "with": BlockChoice("exchange", counting, tools.net)}
    plain: dict[str, Callable[[], object]] = {
        "libjpeg-turbo": lambda: Image.fromarray(pixels).save(io.BytesIO(), "JPEG", quality=75, optimize=True),
        "plain": lambda: encode(pixels, quality=75, subsampling=SUBSAMPLING, threads=1),
        "qpnet": lambda: tools.net.distributions(pixels, threads=1),
    }
    seconds: dict[str, list[float]] = {}
    for repeat in range(runs + 1):
        for setting, options in settings.items():
            for kind, blocks in kinds.items():
                start = time.perf_counter()
                encode(pixels, tune=tools.tuning, blocks=blocks, subsampling=SUBSAMPLING, threads=1, **options)
                seconds.setdefault(f"{setting} {kind}", []).append(time.perf_counter() - start)
        for kind, work in plain.items():
            start = time.perf_counter()
            work()
            seconds.setdefault(kind, []).append(time.perf_counter() - start)
        print(name, size, number, repeat, {key: round(values[-1], 3) for key, values in seconds.items()}, flush=True)
    used = {key: values[1:] for key, values in seconds.items()}
    return {"tools": name, "size": size, "sides": SIZES[size], "image": number, "seconds": used}
