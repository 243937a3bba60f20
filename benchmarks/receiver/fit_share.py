"""From which steps on should the change of a receiver be made in full, and how much of it where steps are finer?

Fine files of all encoders of the training, of photographs and drawings that took no part in any training, nor do in
`benchmarks.receiver.harm`: for each, the means over luminance of the squared error e^2 as decoded, of e d for the
change d of the network, and of d^2, which give the gain for every share of the change. The share grows in proportion to
the mean of q^2 / 12 over the steps q, up to a number ``full``, which is chosen by what caution is learned with
(`restore.training.caution.regret`: losses count many times more than gains), on average over the models.

    OPTCODEC_DATA=DATA python -m benchmarks.receiver.fit_share [--model NAME ...] [--pictures N]

Writes ``results/receiver_share.json``: for each of these numbers the files that are harmed, the mean gains of
photographs and drawings, and the regret.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from benchmarks.receiver.harm import Coding, Pixels, codings, middle, opened, was_coded
from benchmarks.record import write_result
from optcodec.console.progress import tracked
from restore import Model, load_model
from restore.channel.drawings import drawing
from restore.runtime.decode import receive
from restore.runtime.infer import decoded_planes, is_constant
from restore.training.caution import Observations, regret

QUALITIES = (75, 85, 90, 92, 95, 98)
FULL = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 16.0)  # squared samples; with 0, all is changed
FIRST_DRAWING = 300_000
LUMA = np.array([0.299, 0.587, 0.114])
PACKAGES = ("numpy", "onnxruntime", "pillow", "ajpegli", "pyvips", "torch")


@dataclass(frozen=True)
class Seen:
    """What a network does to a file: the mean error of its steps, and the three means; in 8-bit samples squared."""

    drawing: bool
    model: str
    of_steps: float
    error: float
    product: float
    change: float


def pictures(count: int) -> Iterator[tuple[bool, Pixels]]:
    """Photographs of Val20 that were not JPEG files before, and drawings, each with whether it is one."""
    for number, path in enumerate(sorted((Path(os.environ["OPTCODEC_DATA"]) / "Val20").glob("*.png"))[:count]):
        if not was_coded(pixels := opened(path)):
            yield False, pixels
        yield True, middle(drawing(FIRST_DRAWING + number))


@cache
def _model(name: str) -> Model:
    return load_model(name, threads=1)


def measure(task: tuple[bool, Pixels, tuple[str, ...]]) -> list[Seen]:
    """What the models do to the fine files of a picture."""
    is_drawing, pixels, models = task
    once = dict.fromkeys((each.sender, each.subsampling) for each in codings() if each.earlier is None)
    return [
        seen
        for sender, subsampling in once
        for quality in QUALITIES
        for seen in _of_file(Coding(sender, quality, subsampling).file(pixels), pixels, is_drawing, models)
    ]


def _of_file(data: bytes, pixels: Pixels, is_drawing: bool, models: tuple[str, ...]) -> Iterator[Seen]:
    received = receive(data)
    rows, columns = (side // 8 * 8 for side in pixels.shape[:2])
    around = decoded_planes(received, (-8, rows + 8), (-8, columns + 8))[:1]
    changing, decoded = ~is_constant(around), around[:, 8:-8, 8:-8]
    error = pixels[:rows, :columns] @ LUMA - decoded[0]
    context = received.context
    of_steps = float(np.square(context.steps[0], dtype=np.float64).mean() / 12)
    for name in models:
        change = changing * (255 * _model(name).luminance(decoded / np.float32(255), context) - decoded)[0]
        means = ((one * other).mean() for one, other in ((error, error), (error, change), (change, change)))
        yield Seen(is_drawing, name, of_steps, *(float(mean) for mean in means))


def judged(seen: list[Seen], full: float) -> dict[str, Any]:
    """What shares do to the files of a model."""
    columns = (torch.tensor([getattr(one, name) for one in seen]) for name in ("error", "product", "change"))
    shares = torch.tensor([min(1.0, one.of_steps / full) if full else 1.0 for one in seen])
    gains = Observations(torch.empty(0), *(column.double() for column in columns)).gains(shares.double())
    drawn = torch.tensor([one.drawing for one in seen])
    means = {"photographs": float(gains[~drawn].mean()), "drawings": float(gains[drawn].mean())}
    harmed = {"harmed": int((gains < -0.02).sum()), "least": float(gains.min()), "regret": float(regret(gains))}
    return {name: round(value, 4) for name, value in {**means, **harmed}.items()}


@click.command()
@click.option("--model", "models", multiple=True, default=("default", "tiny"), show_default=True)
@click.option("--pictures", "count", default=20, show_default=True, help="Photographs, and as many drawings.")
@click.option("--workers", default=2, show_default=True)
def main(models: tuple[str, ...], count: int, workers: int) -> None:
    """Judge all shares."""
    tasks = [(is_drawing, pixels, models) for is_drawing, pixels in pictures(count)]
    with ProcessPoolExecutor(workers) as pool:
        seen = [one for part in tracked(pool.map(measure, tasks), "share", len(tasks)) for one in part]
    rows: list[dict[str, Any]] = []
    for full in FULL:
        by_model = {name: judged([one for one in seen if one.model == name], full) for name in models}
        mean = float(np.mean([figures["regret"] for figures in by_model.values()]))
        rows.append({"full": full, "regret": round(mean, 4), "models": by_model})
    best = min(rows, key=lambda row: row["regret"])
    write_result("receiver_share", {"files": len(seen) // len(models), "best": best, "shares": rows}, packages=PACKAGES)
    print(best)


if __name__ == "__main__":
    main()
