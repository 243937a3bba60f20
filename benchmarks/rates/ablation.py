"""How many bytes does each part of rate-distortion optimization save?

    OPTCODEC_DATA=DATA python -m benchmarks.rates.ablation

The parts are added one after the other, and the BD-rate against libjpeg-turbo with optimized Huffman tables is measured
after each as in `peers.py`: on the Kodak photographs with odd numbers, at 4:2:0 and 4:4:4, tuned for PSNR of RGB. Then
the constant STEP_RATIO and the number of passes of the trellis are varied. At last, quantization steps are chosen
freely for each image: a search changes the 128 steps one after the other by 20 % up or down if error plus level times
bits falls. Writes ``results/rd_ablation.json``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.rates.rd import QUALITIES, bd_rate, load, photographs
from benchmarks.record import write_result
from optcodec import psnr_db
from optcodec.jpeg.image import CoefficientImage
from optcodec.jpeg.quantize import quantize
from optcodec.jpeg.tables import QuantTable
from optcodec.jpeg.writer import write_jpeg
from optcodec.pictures.pixels import decoded_pixels
from optcodec.shared import encode_turbo, forward
from optcodec.trellis import indices as rdo
from optcodec.trellis import steps as table_steps
from optcodec.trellis.chroma import Planes
from optcodec.trellis.coder import Coder, level_like
from optcodec.trellis.rates import Rates, sequential_rates
from optcodec.trellis.tuning import STEP_RATIO, TUNINGS

TUNING = TUNINGS["psnr"]
Variant = dict[str, Any]
PLAIN: Variant = {"indices": "nearest", "dc_step": False, "chroma": False, "refine": False, "apart": False}
# Each variant has the options of all those before it.
PARTS: dict[str, Variant] = {
    "steps that fit the weights, nearest indices": {},
    "+ trellis of AC": {"indices": "AC"},
    "+ trellis of DC": {"indices": "all"},
    "+ step of DC by its own bits": {"dc_step": True},
    "+ chrominance for the decoder's upsampling, not rounded": {"chroma": True},
    "+ luminance makes up for chrominance": {"refine": True},
    "+ luminance in a scan of its own": {"apart": True},
    "+ progressive, scans by trial": {"progressive": True},
}
RATIOS = (0.06, 0.08, 0.1, 0.115, 0.13, 0.16)
TURNS = (0, 1, 2, 4)
FREE_LEVELS = (15.0, 60.0)  # steps of luminance at which freely chosen steps are searched


@contextmanager
def without(variant: Variant) -> Iterator[None]:
    """Switch off those parts of the optimization that a variant does not have."""
    with ExitStack() as stack:
        if not variant["dc_step"]:
            stack.enter_context(patch.object(table_steps, "_DC_FACTORS", np.ones(1)))
        if variant["indices"] == "AC":

            def free_dc(coded: CoefficientImage, **options: Any) -> list[Rates]:
                return [replace(rates, dc=rates.dc * 0) for rates in sequential_rates(coded, **options)]

            stack.enter_context(patch.object(rdo, "sequential_rates", free_dc))
        if "turns" in variant:
            stack.enter_context(patch.object(rdo, "_TURNS", variant["turns"]))
        yield


def coder_of(path: Path, subsampling: str, variant: Variant) -> Coder:
    """The coder of a photograph with the parts of a variant."""
    pixels, refine = load(path), None
    image = forward(pixels, subsampling)
    if variant["chroma"]:
        planes = Planes(pixels, subsampling)
        image, refine = planes.image(), planes.refined if variant["refine"] else None
    progressive = variant.get("progressive", False)
    write = partial(write_jpeg, progressive=progressive, smallest=progressive, apart=variant["apart"])
    ratio = variant.get("ratio", STEP_RATIO)
    return Coder(image, TUNING.criterion(image), ratio, write, progressive, variant["apart"], refine=refine)


def rate(task: tuple[Path, str, Variant]) -> float:
    """BD-rate of a variant in % on one photograph."""
    path, subsampling, variant = task
    pixels = load(path)
    coder = coder_of(path, subsampling, variant)
    files = []
    with without(variant):
        for quality in QUALITIES:
            level = level_like(coder, quality)
            tables = coder.tables((level, level))
            nearest = variant["indices"] == "nearest"
            coded = quantize(coder.image, tables) if nearest else coder.coded(tables, (level, level))
            files.append(coder.write(coded))
    curves = [[encode_turbo(pixels, subsampling, quality) for quality in QUALITIES], files]
    return bd_rate(
        *([(len(f), psnr_db(pixels, decoded_pixels(f))) for f in files_of_curve] for files_of_curve in curves)
    )[0]


def free_steps(task: tuple[Path, str, float]) -> float:
    """Bytes in % that freely chosen steps save, measured by how much error plus level times bits falls."""
    path, subsampling, step = task
    coder = coder_of(path, subsampling, PLAIN | {"indices": "all"})
    level = STEP_RATIO * step**2
    tables = [table.steps.astype(np.float64) for table in coder.tables((level, level))]

    def cost() -> tuple[float, int]:
        rounded = [QuantTable(np.rint(steps).astype(np.int64)) for steps in tables]
        coded = coder.coded(rounded, (level, level))
        nbytes = len(coder.write(coded))
        return sum(coder.errors(coded)) / level + 8 * nbytes, nbytes

    first, nbytes = cost()
    least = first
    for steps in tables:
        for place in np.ndindex(8, 8):
            for factor in (1.2, 1 / 1.2):
                previous, steps[place] = steps[place], np.clip(steps[place] * factor, 1, 255)
                changed = cost()[0]
                if changed < least:
                    least = changed
                    break
                steps[place] = previous
    return 100 * (least - first) / 8 / nbytes


def mean(pool: ProcessPoolExecutor, work: Callable[[Any], float], tasks: list[Any]) -> float:
    """Mean of a function over all tasks, computed in parallel."""
    return round(float(np.mean(list(pool.map(work, tasks)))), 2)


def main() -> None:
    paths, by_sampling = photographs("Kodak"), {}
    with ProcessPoolExecutor(2) as pool:
        for subsampling in ("4:2:0", "4:4:4"):
            variant, parts = PLAIN, {}
            for name, part in PARTS.items():
                variant = variant | part
                parts[name] = mean(pool, rate, [(path, subsampling, variant) for path in paths])
                print(subsampling, name, parts[name], flush=True)
            trellis = PLAIN | {"indices": "all", "dc_step": True}
            by_sampling[subsampling] = {
                "parts": parts,
                "step_ratio": {
                    str(ratio): mean(pool, rate, [(path, subsampling, trellis | {"ratio": ratio}) for path in paths])
                    for ratio in RATIOS
                },
                "turns": {
                    str(turns): mean(pool, rate, [(path, subsampling, trellis | {"turns": turns}) for path in paths])
                    for turns in TURNS
                },
                "free_steps": {
                    str(step): mean(pool, free_steps, [(path, subsampling, step) for path in paths[:4]])
                    for step in FREE_LEVELS
                },
            }
            print(subsampling, by_sampling[subsampling], flush=True)
    print(
        write_result(
            "rd_ablation", {"qualities": QUALITIES, "samplings": by_sampling}, packages=("numpy", "bjontegaard")
        )
    )


if __name__ == "__main__":
    main()
