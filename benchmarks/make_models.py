"""Make the models that come with the package: train by the shipped recipes, calibrate 8 bits, write.

Every stage has a folder below WORK and is not run again when it is there; a stopped training goes on. Writes
``restore/data/models/<name>.json`` and ``.onnx`` (INT8), ``.safetensors`` (32-bit floats), and the logs of the
trainings as ``results/training/*.csv``.

    python benchmarks/make_models.py --work WORK default tiny
    python benchmarks/make_models.py --work WORK --route WORK/route dncnn
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import click
from record import RESULTS
from torch import nn

import restore
from restore.compress.quantize import calibration_patches, quantize
from restore.compress.route import trained_recipe
from restore.journal import read_log
from restore.pack import write_model
from restore.recipe import load_recipe
from restore.train import train
from restore.weights import load_network, save_network

MODELS = Path(restore.__file__).parent / "data" / "models"
LICENCE = "BSD-3-Clause, as the package; trained on photographs named in restore/data/models/README.md"


@click.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--work", required=True, type=click.Path(path_type=Path), help="Folder of the trainings.")
@click.option("--data", required=True, envvar="OPTCODEC_DATA", type=click.Path(path_type=Path))
@click.option("--route", type=click.Path(path_type=Path), help="Folder of `restore compress`, for the name dncnn.")
def main(names: tuple[str, ...], work: Path, data: Path, route: Path | None) -> None:
    """Make models by name."""
    for name in names:
        if route is not None:
            _of_route(name, work, route)
            continue
        folders = {role: _trained_network(role, work, data) for role in (name, f"{name}-chroma")}
        networks = [_int8(folder, data) for folder in folders.values()]
        card = {role: {"recipe": load_recipe(role).to_json(), **_last(folder)} for role, folder in folders.items()}
        write_model(MODELS / f"{name}.json", *networks, card={"licence": LICENCE, **card})
        for role, folder in folders.items():
            save_network(
                MODELS / f"{role}.safetensors", load_network(folder / "network.safetensors"), recipe=folder.name
            )
            _keep_log(role, folder)


def _trained_network(name: str, work: Path, data: Path) -> Path:
    """Folder of a recipe's network, trained now if it is not there."""
    if not (work / name / "network.safetensors").exists():
        train(load_recipe(name), data, work / name, progress=_shown(name))
    return work / name


def _int8(folder: Path, data: Path) -> nn.Module:
    """A network with 8-bit weights and values; these lose so little that no training follows."""
    path = folder / "network.safetensors"
    return quantize(load_network(path), calibration_patches(trained_recipe(path), data))


def _of_route(name: str, work: Path, route: Path) -> None:
    """The last stage of the way from the full DnCNN, and that one in 16-bit floats, which are half of the bytes."""
    stages = json.loads((route / "route.json").read_text())["stages"]
    write_model(
        MODELS / f"{name}.json",
        load_network(route / "int8-tuned" / "network.safetensors"),
        card={"licence": LICENCE, name: _last(work / name), "stages": stages},
    )
    slim = load_network(route / "slim" / "network.safetensors")
    save_network(MODELS / f"{name}.safetensors", slim, stage="slim")
    full = load_network(work / name / "network.safetensors").half()
    save_network(MODELS / f"{name}-full.safetensors", full, stage="full, 16-bit floats")
    _keep_log(name, work / name)
    for stage in stages:
        _keep_log(f"{name}-{stage['stage']}", route / stage["stage"])
    shutil.copy(route / "route.json", RESULTS / "receiver_route.json")


def _last(folder: Path) -> dict[str, Any]:
    """What the log says of the end of a training."""
    return {name: float(value) for name, value in read_log(folder)[-1].items() if value}


def _keep_log(name: str, folder: Path) -> None:
    if (folder / "log.csv").exists():
        (RESULTS / "training").mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "log.csv", RESULTS / "training" / f"{name}.csv")


def _shown(name: str) -> Any:
    def progress(step: int, steps: int, seen: dict[str, float]) -> None:
        if step % 100 == 0 or step == steps:
            click.echo(f"{name} {step}/{steps} {seen}", err=True)

    return progress


if __name__ == "__main__":
    main()
