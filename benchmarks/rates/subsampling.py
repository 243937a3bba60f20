"""How good is the choice between 4:2:0 and 4:4:4 that ``subsampling="auto"`` makes, and what does it cost?

    OPTCODEC_DATA=DATA python -m benchmarks.rates.subsampling [--again]

Crops of pictures are coded at both samplings: with effort 1 at several qualities, tuned for PSNR and for people with as
many bytes as libjpeg-turbo takes at these. The thresholds of `optcodec.subsampling` come from BD-rates on development
pictures (Val20, BSDS500, pages): for a trellis, the least of the tuning for PSNR, which is near that of the one for
people; for effort 1, where the BD-rate hardly changes from 0.2 to 1.5, 0.8. The choice is judged on others: Kodak
photographs with odd numbers, and McMaster. There, the BD-rates of the choice, of 4:4:4, and of an oracle that takes the
better file each time, are against 4:2:0, with 95 % intervals (bootstrap over pictures). The oracle of effort 1, where
files differ in size, has 4:4:4 from the best quality on. With ``--again`` the choice is made anew for the files of the
committed result. Writes ``results/subsampling.json``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rates.pages import pages
from benchmarks.rates.peers import PACKAGES
from benchmarks.rates.rd import Pixels, averaged, bd_rate, load, measured, photographs
from benchmarks.record import load_result, write_result
from optcodec import MaxBytes, encode
from optcodec.console.progress import tracked
from optcodec.effort import Request
from optcodec.shared import encode_turbo
from optcodec.subsampling import COARSE, FINE, OPTIMIZED, ROUNDED, worth

QUALITIES = (20, 45, 70, 86, 94)
SIDE = 384
WAYS: dict[str, dict[str, Any]] = {
    "effort 1": {"effort": 1},
    "effort 3, psnr": {"effort": 3, "tune": "psnr"},
    "effort 3, people, progressive": {"effort": 3, "tune": "people", "progressive": True},
}
OWN = dict(zip(WAYS, ("psnr_rgb", "psnr_rgb", "ssimulacra2"), strict=True))  # the measure that a threshold is fitted to
MEASURES = ("psnr_rgb", "ssim_y", "ssimulacra2")
THRESHOLDS = tuple(round(0.2 + 0.1 * k, 1) for k in range(20))
Rows = list[dict[str, Any]]  # of a picture and a way: what 4:4:4 is worth, and the measures of both files, at each rate
Choice = Callable[[dict[str, Any]], str]


def crop(pixels: Pixels) -> Pixels:
    """The middle of a picture."""
    height, width = pixels.shape[:2]
    top, left = max(0, height - SIDE) // 2, max(0, width - SIDE) // 2
    return np.ascontiguousarray(pixels[top : top + SIDE, left : left + SIDE])


def pictures() -> dict[str, dict[str, Pixels]]:
    """Those for development, and those to judge by."""
    photos = photographs("Val20")[::3]
    train = Path(photos[0]).parents[1] / "BSDS500" / "train"
    some = list(pages().items())[::6]
    development = {path.stem: load(path) for path in (*photos, *sorted(train.glob("*.jpg"))[5::100])} | dict(some)
    judging = {path.stem: load(path) for path in (*photographs("Kodak"), *photographs("McMaster")[::2][:8])}
    groups = {"development": development, "judging": judging}
    return {group: {name: crop(pixels) for name, pixels in members.items()} for group, members in groups.items()}


def asked(way: str, pixels: Pixels, quality: int) -> dict[str, Any]:
    """Arguments of `encode` for a way and a rate."""
    if way == "effort 1":
        return {"quality": quality}
    return {"target": MaxBytes(len(encode_turbo(pixels, COARSE, quality)))}


def worth_of(way: str, pixels: Pixels, quality: int) -> float:
    """What 4:4:4 is worth there."""
    options = {name: WAYS[way].get(name) for name in ("effort", "tune")}
    return worth(pixels, Request(**asked(way, pixels, quality), **options), quality)


def files(pixels: Pixels) -> dict[str, Rows]:
    """The rows of a picture by way."""
    rows: dict[str, Rows] = {}
    for way, options in WAYS.items():
        rows[way] = []
        for quality in QUALITIES:
            aim = asked(way, pixels, quality)
            row: dict[str, Any] = {"worth": worth_of(way, pixels, quality)}
            for sampling in (COARSE, FINE):
                data = encode(pixels, subsampling=sampling, threads=1, **aim, **options).data
                row[sampling] = measured(pixels, data, people=True)
            rows[way].append(row)
    return rows


def rate(rows: Rows, measure: str, choices: Iterable[str]) -> float:
    """BD-rate in % against 4:2:0 of files with a sampling for each row."""
    files_of = [row[chosen] for row, chosen in zip(rows, choices, strict=True)]
    points = [(file["nbytes"], file[measure]) for file in files_of]
    return bd_rate([(row[COARSE]["nbytes"], row[COARSE][measure]) for row in rows], points)[0]


def by_threshold(threshold: float) -> Choice:
    """The choice of a threshold."""
    return lambda row: FINE if row["worth"] > threshold else COARSE


def oracle(measure: str) -> Choice:
    """The better file."""
    return lambda row: FINE if row[FINE][measure] > row[COARSE][measure] else COARSE


def best_switch(rows: Rows, measure: str) -> float:
    """The least BD-rate in % with 4:4:4 from one of the qualities on, or never."""
    count = len(rows)
    return min(rate(rows, measure, [COARSE] * k + [FINE] * (count - k)) for k in range(count + 1))


def fitted(group: list[dict[str, Rows]]) -> dict[str, dict[str, float]]:
    """Mean BD-rates in % by way and threshold, by the own measure of each way."""
    return {
        way: {
            str(threshold): round(
                float(np.mean([rate(rows[way], measure, map(by_threshold(threshold), rows[way])) for rows in group])), 2
            )
            for threshold in THRESHOLDS
        }
        for way, measure in OWN.items()
    }


def summary(rates: np.ndarray) -> dict[str, Any]:
    """Mean, interval and the worst picture."""
    return averaged(rates) | {"worst": round(float(rates.max()), 2)}


def judged(group: list[dict[str, Rows]], way: str) -> dict[str, Any]:
    """BD-rates of the choice, of 4:4:4 and of the oracle, and the share of right choices, by measure."""
    choose = by_threshold(ROUNDED if way == "effort 1" else OPTIMIZED)
    figures: dict[str, Any] = {}
    for measure in MEASURES:
        ways = {"auto": choose, "4:4:4": lambda row: FINE, "oracle": oracle(measure)}
        rates = {
            name: np.array([rate(rows[way], measure, map(choice, rows[way])) for rows in group])
            for name, choice in ways.items()
        }
        if way == "effort 1":
            rates["oracle"] = np.array([best_switch(rows[way], measure) for rows in group])
        rates["auto against 4:4:4"] = 100 * ((1 + rates["auto"] / 100) / (1 + rates["4:4:4"] / 100) - 1)
        figures[measure] = {name: summary(values) for name, values in rates.items()}
        if way != "effort 1":
            right = [choose(row) == oracle(measure)(row) for rows in group for row in rows[way]]
            figures[measure]["right"] = round(float(np.mean(right)), 3)
    share = np.mean([choose(row) == FINE for rows in group for row in rows[way]])
    return figures | {"share of 4:4:4": round(float(share), 3)}


def seconds(work: Callable[[], Any]) -> float:
    """The least time of some calls after the first."""
    times = []
    for _ in range(6):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times[1:])


def times() -> dict[str, Any]:
    """Milliseconds of the choice, and of encodes at 4:2:0, one thread, for pictures of some sizes."""
    photo = load(photographs("Kodak")[0])
    sizes = {"224x224": photo[:224, :224], "768x512": photo, "12 megapixels": np.tile(photo, (6, 5, 1))}
    result = {}
    for size, pixels in sizes.items():
        for effort in (1, 3):
            request, image = Request(quality=75, effort=effort), np.ascontiguousarray(pixels)
            choice = partial(worth, image, request, 75)
            whole = partial(encode, image, effort=effort, quality=75, subsampling=COARSE, threads=1)
            result[f"{size}, effort {effort}"] = {
                f"{name}_ms": round(1e3 * seconds(work), 2) for name, work in (("choice", choice), ("encode", whole))
            }
    return result


def measured_files() -> dict[str, dict[str, dict[str, Rows]]]:
    """The rows of all pictures, by group and name."""
    rows = {}
    for group, members in pictures().items():
        with ProcessPoolExecutor(2) as pool:
            done = tracked(pool.map(files, members.values()), group, len(members))
            rows[group] = dict(zip(members, done, strict=True))
    return rows


def main(arguments: list[str]) -> None:
    again = arguments == ["--again"]
    if again:
        before = load_result("subsampling")
        by_name, taken = before["files"], times()
        for group, members in pictures().items():
            for name, pixels in members.items():
                for way, rows in by_name[group][name].items():
                    for quality, row in zip(QUALITIES, rows, strict=True):
                        row["worth"] = worth_of(way, pixels, quality)
    else:
        by_name, taken = measured_files(), times()
    listed = {group: list(members.values()) for group, members in by_name.items()}
    document = {
        "pictures": {group: list(members) for group, members in by_name.items()},
        "qualities": QUALITIES,
        "thresholds": {"effort 1": ROUNDED, "effort 3": OPTIMIZED},
        "fitted": fitted(listed["development"]),
        "development": {way: judged(listed["development"], way) for way in WAYS},
        "judging": {way: judged(listed["judging"], way) for way in WAYS},
        "times": taken,
        "files": by_name,
    }
    print(write_result("subsampling", document, packages=(*PACKAGES, "matplotlib"), renewed=again))
    for name in ("fitted", "judging", "times"):
        print(name, document[name])


if __name__ == "__main__":
    main(sys.argv[1:])
