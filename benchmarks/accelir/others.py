"""What do networks that others trained gain from files for a receiver, without having had a part in the weights?

    OPTCODEC_DATA=DATA python -m benchmarks.accelir.others NETS --work WORK [--images N] [--network NAME...] [--tuned]

The networks, NETS, WORK and the photographs are those of `loop.py`; the rates are the three of AccelIR's Table 2.
Default JPEG and WebP have exactly that size; the trellis for PSNR and the one with the weights of ``--tune
receiver:TASK``, which were fitted to our own networks, have at most that.

Writes ``results/accelir_others.json``, or with ``--tuned``, for networks of `fine_tune.py`,
``accelir_others_tuned.json``. WORK stores each measurement as a small file: an interrupted run goes on.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from benchmarks.accelir.gains import PACKAGES, chosen
from benchmarks.accelir.lighter import RATES
from benchmarks.accelir.lighter_report import others as report_of
from benchmarks.accelir.loop import PROBLEMS, about_of, case_of, digest_with, network_options, stored
from benchmarks.accelir.methods import METHODS, figures_of
from benchmarks.record import write_result
from optcodec.console.progress import tracked

MEASURED = "jpeg", "webp", "rdo", "receiver"
_SIDE = 64  # of the square on which the operations of a network are counted


def measure_missing(job: tuple[str, Path], nets: Path, work: Path) -> list[dict[str, Any]]:
    """All measurements of a network and a photograph; those that WORK has are not made again."""
    import torch

    torch.set_num_threads(1)
    sys.path.insert(0, str(nets))
    network, path = job
    digest, case = digest_with(network, nets), lru_cache(case_of)
    folder = work / network / f"{path.parent.name}-{path.stem}"

    def measure(method: str, bpp: float) -> dict[str, Any]:
        known = case(network, path)
        figures = figures_of(METHODS[method], known, known.budget(bpp))
        return about_of(network, path) | {"method": method, "bpp": bpp} | figures

    return [
        stored(folder / f"{method}@{bpp:g}.json", digest, partial(measure, method, bpp))
        for method in MEASURED
        for bpp in RATES[PROBLEMS[network]]
    ]


def macs_of(network: str, nets: Path) -> float:
    """MACs of a network for each pixel that is sent."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    sys.path.insert(0, str(nets))
    module = import_module("nets").load(network)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        module(torch.zeros(1, 3, _SIDE, _SIDE))
    return float(counter.get_total_flops()) / 2 / _SIDE**2


@click.command()
@network_options
def main(nets: Path, work: Path, images: int, workers: int, names: tuple[str, ...], tuned: bool) -> None:
    """Measure networks on all photographs."""
    jobs = [(name, path) for path in chosen(images) for name in names]
    with ProcessPoolExecutor(workers) as pool:
        parts = tracked(pool.map(partial(measure_missing, nets=nets, work=work), jobs), "networks", len(jobs))
        records = [record for part in parts for record in part]
    figures = report_of(records, {name: macs_of(name, nets) for name in PROBLEMS if name in names})
    print(write_result("accelir_others_tuned" if tuned else "accelir_others", figures, packages=PACKAGES))


if __name__ == "__main__":
    main()
