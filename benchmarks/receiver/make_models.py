"""Make the restoring models that come with the package: train by the shipped recipes, quantize to 8 bits, write.

If WORK has a folder NAME-fine, a network is trained a second time by the recipe of that name, from where the first
training ended; so it is with NAME-smooth, and with NAME-level and NAME-free, which have the recipe NAME-smooth once
more, each. Then a network with 8 bits learns to imitate it, and last it learns caution (`restore.training.caution`),
which the one with 8 bits takes over. What was observed for that is kept, so that caution can be learned again within
minutes. Every stage has a folder below WORK and is skipped if that folder is complete; an interrupted training
continues. Some networks start from those of other models.

Writes ``restore/data/models/NAME.json`` and ``.onnx`` (INT8), ``.safetensors`` (32-bit floats), and the logs of the
trainings as ``results/training/*.csv``.

    python -m benchmarks.receiver.make_models --work WORK default tiny
    python -m benchmarks.receiver.make_models --work WORK --route WORK/route dncnn

With ``--shipped`` nothing is trained: the weights in 32-bit floats that the package has are quantized again.

    python -m benchmarks.receiver.make_models --work WORK --shipped default tiny dncnn
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from torch import nn

import restore
from benchmarks.record import RESULTS
from restore.compress.imitate import imitate
from restore.compress.quantize import calibration_patches, quantize
from restore.compress.route import validated
from restore.export.model_files import write_model
from restore.export.onnx import to_onnx
from restore.networks import Conditioned, DnCNN
from restore.networks.count import count
from restore.networks.fold import fold
from restore.networks.grow import grown
from restore.networks.quantized import Quantized
from restore.networks.weights import load_network, save_network, shipped_network
from restore.training.caution import BATCHES, Observations, observe, observed_recipe, taught, with_caution
from restore.training.log import read_log
from restore.training.material import DataFolders
from restore.training.recipe import Recipe, load_recipe, shipped_recipes
from restore.training.train import train

MODELS = Path(restore.__file__).parent / "data" / "models"
IMITATION_STEPS = 1500
FURTHER = ("fine", "smooth", "level", "free")  # trainings after the first, in this order
# Trainings by a recipe of another name. In those before "free" (of `default`: up to step 12,000 of "level") networks
# had a last stage that kept the four positions in squares of 2x2 pixels from differing on average, and so kept block
# edges.
AGAIN = {"level": "smooth", "free": "smooth"}
# Networks that start from what another has learned, and grow from it where they are larger ("start" in their cards).
START = {"large": "default", "noise": "tiny", "noise-chroma": "tiny-chroma"}
CHROMINANCE = {"large": "default-chroma"}  # models that have no network of their own for chrominance
LICENCE = "BSD-3-Clause, as the package; trained on photographs named in restore/data/models/README.md"


@click.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--work", required=True, type=click.Path(path_type=Path), help="Folder of the trainings.")
@click.option("--data", required=True, envvar="OPTCODEC_DATA", type=click.Path(path_type=Path))
@click.option("--route", type=click.Path(path_type=Path), help="Folder that `restore compress` wrote, for NAME dncnn.")
@click.option("--shipped", is_flag=True, help="Quantize the 32-bit floats that the package has.")
def main(names: tuple[str, ...], work: Path, data: Path, route: Path | None, shipped: bool) -> None:
    """Make the models with these names."""
    for name in names:
        if route is not None:
            _model_of_route(name, work, route)
        elif shipped:
            _quantize_shipped(name, work, data)
        else:
            _train_model(name, work, data)


def _train_model(name: str, work: Path, data: Path) -> None:
    """Train the luminance and the chrominance network of a model by their recipes, and write the INT8 model.

    The network for luminance is written first, because the training of the one for chrominance uses it.
    """
    chrominance = _chrominance(name)
    networks, card = [], {}
    for role in (name, chrominance):
        trained = _trained_network(role, work, data)
        quantized, record = _int8(role, trained, work, data)
        network, caution = _careful_network(role, trained, work, data)
        save_network(MODELS / f"{role}.safetensors", network, recipe=_recipe_name(_trainings(role, work)[-1]))
        assert isinstance(quantized, Quantized)
        assert isinstance(network, Conditioned)
        networks.append(with_caution(quantized, network))
        trainings = _trainings(role, work)
        records = [_training(training, work / training) for training in trainings]
        start = {"start": START[role]} if role in START else {}
        card[role] = {**start, "trainings": records, "caution": caution, "int8": record}
        for training in trainings:
            _keep_log(training, work / training)
    write_model(
        MODELS / f"{name}.json",
        *networks,
        chrominance_name=chrominance,
        card={"licence": LICENCE, **card},
        max_sigma=load_recipe(name).max_sigma,
    )


def _quantize_shipped(name: str, work: Path, data: Path) -> None:
    """Quantize the shipped 32-bit networks of a model again, and write the INT8 model."""
    path = MODELS / f"{name}.json"
    index = json.loads(path.read_text())
    card, networks, chrominance = index["card"], [], _chrominance(name)
    for role in (name, chrominance):
        if (MODELS / f"{role}.safetensors").exists():
            network, record = _int8(role, shipped_network(role), work, data)
            networks.append(network)
            card[role]["int8"] = record
    if "stages" in card:
        kept = [stage for stage in card["stages"] if stage["stage"] != "int8-imitated"]
        psnr = validated(networks[0], load_recipe(name), DataFolders(data))
        sizes = {**count(networks[0]).to_json(), "bytes": len(to_onnx(networks[0]))}
        card["stages"] = [*kept, {"stage": "int8-imitated", **sizes, **psnr}]
        text = json.dumps({"stages": card["stages"]}, indent=2)
        (RESULTS / "receiver_route.json").write_text(text)
    write_model(path, *networks, chrominance_name=chrominance, card=card, max_sigma=load_recipe(name).max_sigma)


def _chrominance(name: str) -> str:
    """Name of a model's network for chrominance."""
    return CHROMINANCE.get(name, f"{name}-chroma")


def _trainings(role: str, work: Path) -> list[str]:
    """Names of the trainings of a network, one after the other; after the first, those with a recipe and a folder."""
    further = (f"{role}-{name}" for name in FURTHER)
    return [role, *(name for name in further if _recipe_name(name) in shipped_recipes() and (work / name).exists())]


def _recipe_name(training: str) -> str:
    """Name of the recipe of a training."""
    role, _, name = training.rpartition("-")
    return f"{role}-{AGAIN[name]}" if name in AGAIN else training


def _last_recipe(role: str, work: Path) -> Recipe:
    """The recipe of the last training of a network."""
    return load_recipe(_recipe_name(_trainings(role, work)[-1]))


def _trained_network(role: str, work: Path, data: Path) -> nn.Module:
    """The network after all its trainings; those that their folders do not have complete are done now."""
    network = None
    for name in _trainings(role, work):
        if not (work / name / "network.safetensors").exists():
            recipe, folders = load_recipe(_recipe_name(name)), DataFolders(data, files=work / "files")
            if network is None and role in START:
                network = grown(_trained_network(START[role], work, data), recipe.network)
            train(recipe, folders, work / name, network=network, progress=_progress_printer(name))
        network = load_network(work / name / "network.safetensors")
    assert network is not None
    return network


def _careful_network(role: str, network: nn.Module, work: Path, data: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The network with caution, and what that does to patches that took no part."""

    def progress(batch: int) -> None:
        if batch % 50 == 0:
            click.echo(f"{role} caution {batch}/{BATCHES}", err=True)

    def make() -> tuple[nn.Module, dict[str, Any]]:
        path = work / f"{_trainings(role, work)[-1]}-careful" / "observations.npz"
        if not path.exists():
            recipe, folders = observed_recipe(_last_recipe(role, work)), DataFolders(data, files=work / "files")
            observe(network, recipe, folders, batches=BATCHES, progress=progress).save(path)
        return taught(network, Observations.load(path))

    return _stage("careful", role, work, make)


def _stage(
    name: str, role: str, work: Path, make: Callable[[], tuple[nn.Module, dict[str, Any]]]
) -> tuple[nn.Module, dict[str, Any]]:
    """The network and the record of a stage after the trainings, made now if its folder is not complete."""
    last = _trainings(role, work)[-1]
    path = work / f"{last}-{name}" / "network.safetensors"
    record = path.with_name("record.json")
    if not path.exists():
        network, figures = make()
        path.parent.mkdir(exist_ok=True)
        record.write_text(json.dumps(figures))
        save_network(path, network, recipe=_last_recipe(role, work).to_json())
    return load_network(path), json.loads(record.read_text())


def _training(name: str, folder: Path) -> dict[str, Any]:
    """A training, for the card of a model: its recipe, and the last row of its log."""
    return {"name": name, "recipe": load_recipe(_recipe_name(name)).to_json(), **_last_log_row(folder)}


def _int8(role: str, network: nn.Module, work: Path, data: Path) -> tuple[nn.Module, dict[str, Any]]:
    """Train a network with 8-bit weights and activations to imitate ``network``; return it with a record."""
    recipe, folders = _last_recipe(role, work), DataFolders(data, files=work / "files")
    differences: list[float] = []

    def progress(step: int, difference: float) -> None:
        differences.append(difference)
        if step % 20 == 0:
            click.echo(f"{role} int8 {step}/{IMITATION_STEPS} {np.mean(differences[-20:]):.4f} samples", err=True)

    def make() -> tuple[nn.Module, dict[str, Any]]:
        plain = fold(network) if isinstance(network, DnCNN) else network
        rough = quantize(plain, calibration_patches(recipe, folders))
        start = time.perf_counter()
        at_once = recipe.count  # in each step, as in the training
        patches = calibration_patches(recipe, folders, count=at_once * IMITATION_STEPS, at_once=at_once)
        fine = imitate(rough, plain, patches, steps=IMITATION_STEPS, progress=progress)
        figures = {"steps": len(differences), "seconds": round(time.perf_counter() - start, 1)}
        ends = {"first": differences[:20], "last": differences[-20:]}
        return fine, figures | {f"rms_difference_{k}": round(float(np.mean(part)), 4) for k, part in ends.items()}

    return _stage("int8", role, work, make)


def _model_of_route(name: str, work: Path, route: Path) -> None:
    """Write the last stage of the compression of DnCNN as a model, and the full DnCNN in 16-bit floats."""
    stages = json.loads((route / "route.json").read_text())["stages"]
    write_model(
        MODELS / f"{name}.json",
        load_network(route / "int8-tuned" / "network.safetensors"),
        card={"licence": LICENCE, name: {"trainings": [_training(name, work / name)]}, "stages": stages},
        max_sigma=load_recipe(name).max_sigma,
    )
    slim = load_network(route / "slim" / "network.safetensors")
    save_network(MODELS / f"{name}.safetensors", slim, stage="slim")
    full = load_network(work / name / "network.safetensors").half()
    save_network(MODELS / f"{name}-full.safetensors", full, stage="full, 16-bit floats")
    _keep_log(name, work / name)
    for stage in stages:
        _keep_log(f"{name}-{stage['stage']}", route / stage["stage"])
    shutil.copy(route / "route.json", RESULTS / "receiver_route.json")


def _last_log_row(folder: Path) -> dict[str, Any]:
    """The last row of the log of a training, without empty columns."""
    return {name: float(value) for name, value in read_log(folder)[-1].items() if value}


def _keep_log(name: str, folder: Path) -> None:
    if (folder / "log.csv").exists():
        (RESULTS / "training").mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "log.csv", RESULTS / "training" / f"{name}.csv")


def _progress_printer(name: str) -> Any:
    def progress(step: int, steps: int, seen: dict[str, float]) -> None:
        if step % 100 == 0 or step == steps:
            click.echo(f"{name} {step}/{steps} {seen}", err=True)

    return progress


if __name__ == "__main__":
    main()
