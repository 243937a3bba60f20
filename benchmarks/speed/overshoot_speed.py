"""How much longer does an encode take for what decoders clip (``overshoot=True``, the default)?

    OPTCODEC_DATA=DATA python -m benchmarks.speed.overshoot_speed [--rounds N]

Each of the pages of `benchmarks.rates.pages`, and each of some photographs, is coded at quality 75 with and without it:
plainly (effort 1), and with a trellis for PSNR and for people (effort 3). Processor time of one thread, measured as in
`speed.py`: they take turns in a random order, the first call of each is left out, and ratios are of medians. Writes
``results/overshoot_speed.json``.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import click

from benchmarks.rates.pages import Pixels, pages
from benchmarks.rates.rd import load, photographs
from benchmarks.record import write_result
from benchmarks.speed.speed import QUALITY, Coder, compare
from optcodec import encode
from optcodec.console.progress import tracked

WAYS: dict[str, dict[str, Any]] = {
    "effort 1": {"effort": 1},
    "effort 3, psnr": {"effort": 3, "tune": "psnr"},
    "effort 3, people": {"effort": 3, "tune": "people"},
}


def times_as_long(pixels: Pixels, rounds: int) -> dict[str, float]:
    """Time with overshoot divided by that without, by the way to encode."""
    coders: dict[str, Coder] = {
        f"{way}, {overshoot}": partial(encode, pixels, quality=QUALITY, threads=1, overshoot=overshoot, **options)
        for way, options in WAYS.items()
        for overshoot in (True, False)
    }
    seconds = compare(coders, rounds, time.thread_time)["seconds"]
    return {way: round(seconds[f"{way}, True"] / seconds[f"{way}, False"], 3) for way in WAYS}


@click.command()
@click.option("--rounds", default=15, show_default=True, help="Timed calls of each way.")
def main(rounds: int) -> None:
    """Measure, and write the result."""
    sets = {"pages": pages(), "photographs": {path.stem: load(path) for path in photographs("Kodak")}}
    pictures = [(name, title, pixels) for name, titled in sets.items() for title, pixels in titled.items()]
    ratios: dict[str, dict[str, dict[str, float]]] = {name: {} for name in sets}
    for name, title, pixels in tracked(pictures, "overshoot", len(pictures)):
        ratios[name][title] = times_as_long(pixels, rounds)
    figures = {"rounds": rounds, "quality": QUALITY, "times_as_long": ratios}
    print(write_result("overshoot_speed", figures, packages=("numpy", "numba", "llvmlite")))


if __name__ == "__main__":
    main()
