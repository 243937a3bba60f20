"""How much lighter may a receiver's network be that restores files encoded for it?

    OPTCODEC_DATA=DATA python -m benchmarks.accelir.lighter quality --work WORK [--images N] [--tasks TASK,...]
    OPTCODEC_DATA=DATA python -m benchmarks.accelir.lighter latency

``quality`` measures the PSNR of networks of three widths, and of a receiver without a network, at the three rates of
the paper (AccelIR, Table 2): with default JPEG, with our trellis for PSNR, and with files for the receiver. Its
photographs, bytes and WORK are those of `gains.py`. ``latency`` measures how long the networks take for a photograph of
Kodak on one thread (Figure 4), in turn; nothing else should run then.

Writes ``results/accelir_lighter.json`` and ``results/accelir_latency.json``; `lighter_report.py` computes the figures
and formats the tables.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
import numpy as np
from PIL import Image

from benchmarks.accelir import lighter_report
from benchmarks.accelir.case import Pixels
from benchmarks.accelir.gains import PACKAGES, Job, chosen, run, shared_options
from benchmarks.accelir.report import OURS, REFERENCE
from benchmarks.rates.rd import load, photographs
from benchmarks.receiver.tasks import NO_NETWORK, RestorationTask, macs_of, receiver_task
from benchmarks.record import write_result

RATES = {"sr4": (0.9, 1.2, 1.8), "denoise25": (0.9, 1.2, 1.8), "deblur1.5": (0.6, 0.8, 1.1)}  # of the paper, Table 2
WIDTHS = 16, 32, 64


def receivers(task: str) -> list[str]:
    """The receivers of a task, the lightest first."""
    return [NO_NETWORK, *(f"{task}-{width}" for width in WIDTHS)]


@click.group()
def main() -> None:
    """Measure what lighter networks make of files that are encoded for them."""


@main.command()
@shared_options
def quality(work: Path, workers: int, images: int | None, tasks: str) -> None:
    """Measure PSNR after restoration by networks of several widths, and by none."""
    names = [name for name in tasks.split(",") if name in RATES]
    jobs = []
    for task in names:
        planned = tuple((method, bpp) for method in (REFERENCE, "rdo", OURS) for bpp in RATES[task])
        jobs += [Job(task, network, task, path, planned) for path in chosen(images) for network in receivers(task)]
    records = run(jobs, work, workers)
    macs = {task: {network: macs_of(task, network) for network in receivers(task)} for task in names}
    print(write_result("accelir_lighter", lighter_report.lighter(records, macs), packages=PACKAGES))


@main.command()
@click.option("--runs", default=9, show_default=True, help="Number of timed runs of each network.")
def latency(runs: int) -> None:
    """Measure the milliseconds that decoding and restoring a photograph take."""
    import torch

    torch.set_num_threads(1)
    clean = load(photographs("Kodak")[0])
    receiving = {
        (task, network): _receiving(receiver_task(task, network), clean)
        for task in RATES
        for network in receivers(task)
    }
    milliseconds: dict[str, dict[str, list[float]]] = {}
    for repeat in range(runs + 1):  # the first run is left out
        for (task, network), receive in receiving.items():
            start = time.perf_counter()
            receive()
            if repeat:
                spent = 1000 * (time.perf_counter() - start)
                milliseconds.setdefault(task, {}).setdefault(network, []).append(spent)
    figures = {
        task: {network: np.percentile(values, [50, 25, 75]).round(2).tolist() for network, values in by_network.items()}
        for task, by_network in milliseconds.items()
    }
    size = {"pixels of the clean photograph": [*clean.shape[:2]], "runs": runs}
    print(write_result("accelir_latency", size | {"milliseconds_median_and_quartiles": figures}, packages=PACKAGES))


def _receiving(receiver: RestorationTask, clean: Pixels) -> Callable[[], object]:
    """A function that restores the file of a photograph as it is sent to a receiver."""
    file = io.BytesIO()
    Image.fromarray(receiver.sent(receiver.reference(clean), 0)).save(file, "JPEG", quality=75)
    return partial(receiver.restored, file.getvalue())


if __name__ == "__main__":
    main()
