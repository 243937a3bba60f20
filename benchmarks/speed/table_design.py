"""How many milliseconds does table design take for a 12-megapixel photograph?

The image is a mosaic of Kodak photographs at 4:2:0, and its DCT coefficients are computed beforehand. The time is that
of table design: histograms of all coefficients, exact error and entropy of all 255 steps at all 64 frequencies of Y, Cb
and Cr, and OptS tables from these. The same is measured with the Laplacian model, and so is the search for tables whose
real file has 1 bit per pixel.

    OPTCODEC_DATA=... python -m benchmarks.speed.table_design
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.record import write_result
from optcodec.design import Files, design_tables, gather, resolve
from optcodec.pictures.pixels import load_picture
from optcodec.shared import forward
from optcodec.targets import Bpp, WaterLevel
from optcodec.vision.profile import Provenance, SensitivityProfile, load_profile

REPEATS = 15
TILES = (6, 5)
LEVEL = WaterLevel(0.1)


def mosaic(folder: Path) -> npt.NDArray[np.uint8]:
    """12 photographs, 30 times in all, as one picture of 3840x3072 pixels."""
    pictures = [load_picture(path).pixels for path in sorted(folder.glob("*.png"))]
    upright = [picture if picture.shape[0] < picture.shape[1] else picture.swapaxes(0, 1) for picture in pictures]
    rows = [np.hstack([upright[(5 * row + column) % 12] for column in range(TILES[1])]) for row in range(TILES[0])]
    return np.ascontiguousarray(np.vstack(rows))


def main() -> None:
    pixels = mosaic(Path(os.environ["OPTCODEC_DATA"]) / "Kodak")
    image = forward(pixels, "4:2:0")
    # These weights were estimated at 4:4:4, which does not matter here: only the time is measured.
    weights = load_profile("mobilenet_v2").weights
    profile = SensitivityProfile("mobilenet_v2", weights, Provenance(subsampling="4:2:0"))

    def design(distortion: str, threads: int) -> None:
        statistics_of_image = gather(image, threads=threads)
        _ = statistics_of_image.bits
        _ = resolve(LEVEL, statistics_of_image, profile, distortion=distortion, files=Files(len)).tables

    figures: dict[str, Any] = {"pixels": f"{pixels.shape[1]}x{pixels.shape[0]}", "subsampling": "4:2:0"}
    for threads in (1, 2):
        for distortion in ("empirical", "laplacian"):
            figures[f"{distortion}, {threads} threads"] = timed(partial(design, distortion, threads))
    figures["1.0 bpp with real files, 2 threads"] = timed(
        lambda: design_tables(image, Bpp(1.0), profile=profile, threads=2), repeats=5
    )
    for name, line in figures.items():
        print(f"{name:36s}", line)
    print(write_result("table_design", figures))


def timed(work: Callable[[], object], repeats: int = REPEATS) -> dict[str, float]:
    """Wall time (median, least, largest) and processor time (median) in milliseconds, without the first call."""
    work()
    wall, processor = [], []
    for _ in range(repeats):
        start = time.perf_counter(), time.process_time()
        work()
        wall.append(1000 * (time.perf_counter() - start[0]))
        processor.append(1000 * (time.process_time() - start[1]))
    figures = {"median_ms": statistics.median(wall), "min_ms": min(wall), "max_ms": max(wall)}
    figures["processor_median_ms"] = statistics.median(processor)
    return {name: round(value, 1) for name, value in figures.items()}


if __name__ == "__main__":
    main()
