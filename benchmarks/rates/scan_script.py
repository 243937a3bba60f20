"""Which progressive scan script makes the smallest files, and how long does writing them take?

    OPTCODEC_DATA=DATA python -m benchmarks.rates.scan_script        (about 3 minutes)

Pillow encodes DATA/Kodak and every seventh picture of DATA/nips2017_dev at qualities 50, 75 and 90, in 4:2:0 and 4:4:4.
Its coefficients are written again with other scan scripts. All sizes are those of whole files, divided by the size of
Pillow's progressive file (libjpeg's script). Writes ``results/scan_script.json``:

* our default script against libjpeg's: the mean for each setting, and the sizes of each image;
* the search for the default script: the size of a scan does not depend on the other scans, so the sizes of all bands
  between a few edges with all bits are added up, and for each component the best split into at most three bands is
  kept;
* seconds on a mosaic of 12 megapixels with one thread, medians of interleaved runs: writing coefficients, encoding
  pixels, and Pillow's progressive encoder.
"""

from __future__ import annotations

import io
import itertools
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
from PIL import Image

import optcodec
from benchmarks.record import write_result
from optcodec.jpeg.entropy import optimal_tables, scan_bytes
from optcodec.jpeg.image import CoefficientImage
from optcodec.jpeg.reading.reader import read_jpeg
from optcodec.jpeg.scans import ScanSpec, progressive_scan, scan_script
from optcodec.jpeg.writer import write_jpeg

QUALITIES, SUBSAMPLINGS = (50, 75, 90), ("4:2:0", "4:4:4")
EDGES = (1, 2, 3, 4, 6, 8, 10, 13, 16, 20, 25, 31, 41, 64)
HIGHEST = 3  # largest Al of a first scan: no scan begins at a higher bit
Costs = dict[ScanSpec, float]


def pillow(picture: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", **options)
    return file.getvalue()


def scan_nbytes(image: CoefficientImage, spec: ScanSpec) -> int:
    """Bytes of DHT, SOS and entropy-coded data of one scan."""
    tokens = progressive_scan(image, spec).tokens
    tables = optimal_tables(tokens.histogram)
    definition = 4 + len(tables.definition) if tables.definition else 0
    return definition + 8 + 2 * len(spec.components) + sum(len(piece) for piece in scan_bytes(tokens, tables))


def candidates() -> Iterator[ScanSpec]:
    """All scans of which the search composes scripts."""
    everything = (0, 1, 2)
    bits = [(0, 0), *itertools.chain.from_iterable([(0, low), (low, low - 1)] for low in range(1, HIGHEST + 1))]
    for components in (everything, *((index,) for index in everything)):
        for Ah, Al in bits:
            yield ScanSpec(components, 0, 0, Ah, Al)
    for index, (first, end), (Ah, Al) in itertools.product(everything, itertools.combinations(EDGES, 2), bits):
        yield ScanSpec((index,), first, end - 1, Ah, Al)


def best_bands(costs: Costs, index: int) -> list[tuple[float, list[ScanSpec]]]:
    """Scripts of one component with up to three bands that begin at different bits, the smallest first."""

    def split(first: int, last: int, Ah: int, Al: int) -> tuple[float, list[ScanSpec]]:
        """Cheapest way to send the coefficients between two edges with the same bits in one scan or several."""
        best: dict[int, tuple[float, list[ScanSpec]]] = {first: (0.0, [])}
        for end in range(first + 1, last + 1):
            tried = []
            for begin in range(first, end):
                spec = ScanSpec((index,), EDGES[begin], EDGES[end] - 1, Ah, Al)
                tried.append((best[begin][0] + costs[spec], [*best[begin][1], spec]))
            best[end] = min(tried, key=lambda pair: pair[0])
        return best[last]

    splits = {key: split(*key) for key in _bands()}
    scripts = []
    for bands in range(1, 4):
        for inner in itertools.combinations(range(1, len(EDGES) - 1), bands - 1):
            ends = [0, *inner, len(EDGES) - 1]
            for tops in itertools.product(range(HIGHEST + 1), repeat=bands):
                if any(top == following for top, following in itertools.pairwise(tops)):
                    continue  # two neighbouring bands with the same bits are one band
                parts = [splits[ends[k], ends[k + 1], 0, tops[k]] for k in range(bands)]
                for low in reversed(range(HIGHEST)):
                    for deeper, group in itertools.groupby(range(bands), key=lambda k: tops[k] > low):
                        members = list(group)
                        if deeper:
                            parts.append(splits[ends[members[0]], ends[members[-1] + 1], low + 1, low])
                scripts.append((sum(cost for cost, _ in parts), [spec for _, specs in parts for spec in specs]))
    return sorted(scripts, key=lambda pair: pair[0])


def _bands() -> Iterator[tuple[int, int, int, int]]:
    bits = [(0, low) for low in range(HIGHEST + 1)] + [(low + 1, low) for low in range(HIGHEST)]
    for (first, last), (Ah, Al) in itertools.product(itertools.combinations(range(len(EDGES)), 2), bits):
        yield first, last, Ah, Al


def survey(paths: list[Path]) -> dict[str, Any]:
    """Sizes of all files, and the costs of all scans relative to Pillow's file."""
    rows: list[dict[str, Any]] = []
    costs = dict.fromkeys(candidates(), 0.0)
    for path, quality, subsampling in itertools.product(paths, QUALITIES, SUBSAMPLINGS):
        picture = Image.open(path).convert("RGB")
        options = {"quality": quality, "subsampling": subsampling}
        theirs = pillow(picture, progressive=True, **options)
        image = read_jpeg(theirs)
        ours = len(write_jpeg(image, progressive=True))
        row = {"image": path.name, **options, "libjpeg": len(theirs), "ours": ours, "baseline": len(write_jpeg(image))}
        rows.append(row)
        for spec in costs:
            costs[spec] += scan_nbytes(image, spec) / len(theirs)
    costs = {spec: cost / len(rows) for spec, cost in costs.items()}
    return {
        "mean_ratio": round(mean(row["ours"] / row["libjpeg"] for row in rows), 4),
        "mean_ratio_by_setting": {
            f"quality {q}, {s}": round(
                mean(r["ours"] / r["libjpeg"] for r in rows if (r["quality"], r["subsampling"]) == (q, s)), 4
            )
            for q, s in itertools.product(QUALITIES, SUBSAMPLINGS)
        },
        "largest_ratio": round(max(row["ours"] / row["libjpeg"] for row in rows), 4),
        "mean_ratio_baseline": round(mean(row["baseline"] / row["libjpeg"] for row in rows), 4),
        "search_percent_of_libjpeg": search_result(costs, scan_script(image)),
        "images": rows,
    }


def search_result(costs: dict[ScanSpec, float], default: list[ScanSpec]) -> dict[str, Any]:
    """Sizes of the scans of the default script and of the best scripts, in percent of Pillow's file."""
    dc: dict[str, list[tuple[int, ...]]] = {"interleaved": [(0, 1, 2)], "separate": [(0,), (1,), (2,)]}
    return {
        "luminance AC, default": percent(sum(costs[s] for s in default if s.Ss and s.components == (0,))),
        "luminance AC, best": [describe(*script) for script in best_bands(costs, 0)[:5]],
        "Cb AC, best": [describe(*script) for script in best_bands(costs, 1)[:2]],
        "Cr AC, best": [describe(*script) for script in best_bands(costs, 2)[:2]],
        **{
            f"DC {name}, {refinements} refinements": percent(
                sum(costs[ScanSpec(group, 0, 0, 0, refinements)] for group in groups)
                + sum(costs[ScanSpec(g, 0, 0, low + 1, low)] for g in groups for low in range(refinements))
            )
            for (name, groups), refinements in itertools.product(dc.items(), (0, 1, 2))
        },
    }


def percent(cost: float) -> float:
    return round(100 * cost, 2)


def describe(cost: float, script: list[ScanSpec]) -> str:
    """A script with its size as text."""
    return f"{percent(cost)}: " + ", ".join(f"{s.Ss}-{s.Se} {s.Ah}>{s.Al}" for s in script)


def mosaic(paths: list[Path]) -> np.ndarray:
    """Landscape photographs of 768x512 side by side, six rows of five."""
    photos = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    photos = [photo for photo in photos if photo.shape == (512, 768, 3)]
    rows = [np.concatenate([photos[(5 * row + column) % len(photos)] for column in range(5)], 1) for row in range(6)]
    return np.ascontiguousarray(np.concatenate(rows))


def seconds(actions: dict[str, Callable[[], object]], repeats: int = 9) -> dict[str, dict[str, float]]:
    """Median, least and largest thread time of each action in seconds; they take turns, the first turn is left out."""
    taken: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(repeats + 1):
        for name, action in actions.items():
            start = time.thread_time()
            action()
            taken[name].append(time.thread_time() - start)
    return {
        name: {
            "median": round(median(times[1:]), 4),
            "least": round(min(times[1:]), 4),
            "most": round(max(times[1:]), 4),
        }
        for name, times in taken.items()
    }


def timings(pixels: np.ndarray) -> dict[str, Any]:
    """Seconds of writing and encoding progressive files, and nanoseconds per nonzero coefficient."""
    picture = Image.fromarray(pixels)
    image = read_jpeg(pillow(picture, quality=75, subsampling="4:2:0"))
    actions: dict[str, Callable[[], object]] = {
        "coefficients to progressive file": lambda: write_jpeg(image, progressive=True, threads=1),
        "coefficients to baseline file": lambda: write_jpeg(image, threads=1),
        "pixels to progressive file": lambda: optcodec.encode(pixels, quality=75, progressive=True, threads=1),
        "Pillow, pixels to progressive file": lambda: pillow(
            picture, quality=75, subsampling="4:2:0", progressive=True
        ),
    }
    taken = seconds(actions)
    nonzero = sum(int(np.count_nonzero(part.blocks)) for part in image.components)
    return {
        "megapixels": round(pixels.shape[0] * pixels.shape[1] / 1e6, 2),
        "nonzero_coefficients": nonzero,
        "nanoseconds_per_nonzero": round(taken["coefficients to progressive file"]["median"] / nonzero * 1e9, 1),
        "seconds": taken,
    }


def main() -> None:
    data = Path(os.environ["OPTCODEC_DATA"])
    kodak = sorted((data / "Kodak").glob("*.png"))
    small = sorted((data / "nips2017_dev").glob("*.png"))[::7]
    figures = {"speed": timings(mosaic(kodak)), "Kodak": survey(kodak), "nips2017_dev": survey(small)}
    print(write_result("scan_script", figures, packages=("numpy", "numba", "pillow")))


if __name__ == "__main__":
    main()
