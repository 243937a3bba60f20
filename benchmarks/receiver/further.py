"""What would the next turn of fitting give: a receiver that is trained further on the files made for it?

The encoder's tuning `receiver:deblock` was fitted to today's receiver `default`, whose networks have seen files of ten
encoders. Its network for luminance (as 32-bit floats) is trained for 2,000 steps more, on the photographs of its own
training, by its last recipe with a lower learning rate; once with the files of that tuning alone, and once with the
mix of all encoders. Both are compared with the network before, on the photographs of `pipeline`, behind the encoder
that they are for and behind others. If the gain is below 0.02 dB, the turns end.

    OPTCODEC_DATA=DATA python -m benchmarks.receiver.further --work WORK [--images N]

Writes ``results/receiver_further.json``, and prints a table of it. An interrupted run continues; trainings and the
files for them are kept in WORK.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import click
import torch

from benchmarks import record
from benchmarks.receiver.make_models import MODELS
from benchmarks.receiver.pair import turns
from benchmarks.receiver.pipeline import ANCHOR, BPP, SETS, SUBSAMPLING, measured, originals, rounded
from optcodec.experiments.partial import remove_partial
from optcodec.rates import Experiment, Rate, judge_by, result_of
from restore.cli.pipeline import sender_from
from restore.evaluation.measures import MEASURES, load_measures
from restore.evaluation.pipeline import readers_of
from restore.evaluation.receivers import make_receiver
from restore.networks.weights import shipped_network
from restore.training.material import DataFolders
from restore.training.recipe import Recipe, load_recipe
from restore.training.train import train

STEPS, RATE, VERSIONS = 2000, 2e-4, 2  # of the further training; the learning rate of the recipe is 5e-4
SENDERS = {
    ANCHOR: "pillow",
    "trellis psnr": "optcodec:tune=psnr",
    "trellis receiver deblock": "optcodec:tune=receiver:deblock",
}
NAMES = ("psnr",)
RESULT = "receiver_further"
PACKAGES = ("numpy", "onnxruntime", "pillow", "torch", "bjontegaard")


def recipes() -> dict[str, Recipe]:
    """The further trainings by name."""
    last = load_recipe("default-smooth")
    assert last.mix is not None
    mixed = replace(last, steps=STEPS, rate=RATE, mix=replace(last.mix, versions=VERSIONS))
    assert mixed.mix is not None
    alone = replace(mixed.mix, senders={"receiver": 1.0}, subsamplings=(SUBSAMPLING,), twice=0.0)
    return {"its files": replace(mixed, mix=alone), "the mix": mixed}


def trained(work: Path) -> dict[str, Path]:
    """The networks after the further trainings, by the names of these; a training that was interrupted continues."""
    data, paths = DataFolders(Path(os.environ["OPTCODEC_DATA"]), files=work / "files"), {}
    for name, recipe in recipes().items():
        paths[name] = work / name.replace(" ", "-") / "network.safetensors"
        if not paths[name].exists():
            train(recipe, data, paths[name].parent, network=shipped_network("default"), progress=_told)
    return paths


def _told(step: int, steps: int, seen: dict[str, float]) -> None:
    if step % 100 == 0 or step == steps:
        click.echo(f"{step}/{steps} {seen}", err=True)


@click.command()
@click.option("--work", type=click.Path(path_type=Path), required=True, help="Folder of the trainings.")
@click.option("--images", type=int, help="Number of pictures of each set.  [default: all]")
@click.option("--workers", default=2, show_default=True)
def main(work: Path, images: int | None, workers: int) -> None:
    """Train the receiver further, and measure what that gives."""
    torch.set_num_threads(1)
    networks = {"default": MODELS / "default.safetensors"}
    networks |= {f"default + {STEPS} steps on {name}": path for name, path in trained(work).items()}
    colour = MODELS / "default-chroma.safetensors"
    receivers = [f"{label}={path}+{colour}" for label, path in networks.items()]
    readers, _ = readers_of([make_receiver(text, colour=True, threads=1) for text in receivers], [0.0])
    coders = tuple(sender_from(f"{label}={text}", SUBSAMPLING) for label, text in SENDERS.items())
    rates = tuple(Rate("bpp", value) for value in BPP)
    run = Experiment(coders, rates, judge_by(load_measures(NAMES)), readers, subsampling=SUBSAMPLING)
    unfinished = record.RESULTS / f"{RESULT}.partial"
    part = measured(run, originals(SETS, images), unfinished, workers)
    measures = {name: MEASURES[name] for name in NAMES}
    document = result_of(run, part, measures, anchor=ANCHOR, plain=next(iter(networks)))
    print(record.write_result(RESULT, rounded(document), packages=PACKAGES))
    remove_partial(unfinished)
    print(turns(document))


if __name__ == "__main__":
    main()
