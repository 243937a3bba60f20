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
from importlib import import_module
from pathlib import Path

import click

from benchmarks.accelir.gains import PACKAGES, chosen
from benchmarks.accelir.lighter import RATES
from benchmarks.accelir.lighter_report import others as report_of
from benchmarks.accelir.loop import PROBLEMS, measure_all, network_options
from benchmarks.record import write_result

MEASURED = "jpeg", "webp", "rdo", "receiver"
_SIDE = 64  # of the square on which the operations of a network are counted


def macs_of(network: str, nets: Path) -> float:
    """MACs of a network for each pixel that is sent."""
    import torch

    from restore.networks.count import macs_per_pixel

    sys.path.insert(0, str(nets))
    module = import_module("nets").load(network)
    return macs_per_pixel(lambda: module(torch.zeros(1, 3, _SIDE, _SIDE)), _SIDE**2)


@click.command()
@network_options
def main(nets: Path, work: Path, images: int, workers: int, names: tuple[str, ...], tuned: bool) -> None:
    """Measure networks on all photographs."""
    jobs = [
        (name, path, [(method, bpp) for method in MEASURED for bpp in RATES[PROBLEMS[name]]])
        for path in chosen(images)
        for name in names
    ]
    records = measure_all(jobs, nets, work, workers)
    figures = report_of(records, {name: macs_of(name, nets) for name in PROBLEMS if name in names})
    print(write_result("accelir_others_tuned" if tuned else "accelir_others", figures, packages=PACKAGES))


if __name__ == "__main__":
    main()
