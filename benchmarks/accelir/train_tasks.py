"""Train the networks for restoration tasks that come with the package.

    OPTCODEC_DATA=DATA python -m benchmarks.accelir.train_tasks --work WORK [--network NAME...]

Each network is trained by the recipe of its problem in ``restore/data/recipes``, with the changes of `NETWORKS`. WORK
stores the state of each training, so that an interrupted run goes on, and several networks can be trained at once.

Writes the networks with 16-bit floats to ``restore/data/tasks``, and to ``results/accelir_tasks.json`` the digest of
each file and its PSNR on photographs of Val20, on which nothing is trained, at some qualities and as they are. Rows of
other networks stay if their files are those that the package has.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click
import torch
from torch import nn

from benchmarks.accelir.case import digest_of
from benchmarks.accelir.fine_tune import IMAGES, PACKAGES, psnr_by_coding
from benchmarks.record import ROOT, has_result, load_result, write_result
from optcodec.console.progress import tracked
from restore.channel.degradation import load_photographs
from restore.networks.weights import load_network, save_network
from restore.training.material import DataFolders
from restore.training.recipe import Recipe, load_recipe
from restore.training.train import train

FOLDER = ROOT / "restore" / "data" / "tasks"
_WIDE: dict[str, dict[str, Any]] = {
    f"{problem}-{width}": {"width": width} for problem in ("denoise25", "sr4", "deblur1.5") for width in (64, 32, 16)
}
# What the network of a file has in place of the network of the recipe; if it names one, it is another network.
NETWORKS = _WIDE | {
    "denoise25-ircnn": {"network": "ircnn", "width": 32},
    "deblur1.5-ircnn": {"network": "ircnn", "width": 32},
    "sr4-fsrcnn": {"network": "fsrcnn", "width": 56, "depth": 4},
}


def recipe_of(name: str) -> Recipe:
    """The recipe of a network that comes with the package."""
    recipe, changes = load_recipe(name.rsplit("-", 1)[0]), NETWORKS[name]
    return replace(recipe, network=changes if "network" in changes else recipe.network | changes)


def trained(name: str, data: Path, work: Path) -> dict[str, Any]:
    """Train a network unless WORK has it, put it into the package, and measure it there."""
    recipe, folder = recipe_of(name), work / name
    stored = folder / "network.safetensors"
    if not stored.exists():
        steps = iter(tracked(range(recipe.steps), name, recipe.steps))

        def progress(*_: Any) -> None:
            next(steps, None)

        train(recipe, DataFolders(data), folder, progress=progress)
    shipped, network = FOLDER / f"{name}.safetensors", load_network(stored).half()
    if not (shipped.exists() and is_same(load_network(shipped).half(), network)):
        save_network(shipped, network, recipe=recipe.to_json(), steps=recipe.steps)
    images = load_photographs(data / "Val20", mode="RGB")[:IMAGES]
    figures = psnr_by_coding(load_network(shipped), recipe.problem, images)
    return {"problem": recipe.problem, "steps": recipe.steps, "psnr_db": figures, "digest": digest_of(shipped)}


def is_same(one: nn.Module, other: nn.Module) -> bool:
    """Whether two networks have the same configuration and weights."""
    weights, others = one.state_dict(), other.state_dict()
    return one.config == other.config and all(torch.equal(weights[name], others[name]) for name in weights)


def known_rows() -> dict[str, Any]:
    """Rows of the result that is there whose networks are still those of the package."""
    rows = load_result("accelir_tasks")["networks"] if has_result("accelir_tasks") else {}
    return {name: row for name, row in rows.items() if row["digest"] == digest_of(FOLDER / f"{name}.safetensors")}


@click.command()
@click.option("--work", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--network", "names", multiple=True, type=click.Choice(list(NETWORKS)), help="Networks.  [default: all]")
def main(work: Path, names: tuple[str, ...]) -> None:
    """Train and measure the networks."""
    torch.set_num_threads(1)
    train_one = partial(trained, data=Path(os.environ["OPTCODEC_DATA"]), work=work)
    new = {name: train_one(name) for name in names or NETWORKS}
    rows = known_rows() | new  # others may have been written meanwhile
    ordered = {name: rows[name] for name in NETWORKS if name in rows}
    figures = {"images": IMAGES, "networks": ordered}
    print(write_result("accelir_tasks", figures, packages=PACKAGES, renewed=has_result("accelir_tasks")))


if __name__ == "__main__":
    main()
