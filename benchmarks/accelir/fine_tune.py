"""Fine-tune networks that others trained on what JPEG makes of their input, as AccelIR does ("Training details").

NETS is a folder with weights and a module ``nets``, as for `benchmarks.accelir.loop`. Each network goes on from its
published weights, on the photographs of our own networks for its problem (BSDS500, nips2017_dev), which are coded at
qualities 10 to 100 and 4:2:0 or 4:4:4; a tenth of the patches is not coded.

    OPTCODEC_DATA=DATA python -m benchmarks.accelir.fine_tune NETS --work WORK --network NAME... [--steps N]

Writes the networks to WORK, which can then take the place of NETS, and to ``results/accelir_fine_tuned.json`` their
PSNR before and after, on photographs of Val20, which are not trained on here, at some qualities and as they are, with
the digest of each file. WORK also stores the state of each training: an interrupted run goes on. Rows of networks that
are not named stay as they are in the result.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from math import cos, pi
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import nn

from benchmarks.accelir.case import digest_of
from benchmarks.accelir.loop import PROBLEMS
from benchmarks.record import has_result, load_result, write_result
from optcodec import psnr_db
from optcodec.console.progress import tracked
from optcodec.shared import write_whole
from restore.channel.degradation import Degradation, Samples, load_photographs, transmit
from restore.channel.problem import find_problem
from restore.training.checkpoint import load_checkpoint, save_checkpoint
from restore.training.learner import Learner
from restore.training.losses import pixel_loss
from restore.training.material import DataFolders, training_patches
from restore.training.recipe import Recipe, load_recipe

RATE, EVERY, IMAGES = 1e-4, 100, 6  # learning rate at the start; steps between two checkpoints; photographs that judge
CODINGS = {f"q{quality}": Degradation((quality,)) for quality in (20, 50, 80, 95)}
CODINGS |= {"4:4:4, q100": Degradation((100,), subsamplings=("4:4:4",)), "not coded": Degradation(lossless=1.0)}
PACKAGES = ("numpy", "torch", "pillow")


def recipe_of(problem: str, steps: int) -> Recipe:
    """The recipe of our own network for a problem, for networks that are trained already."""
    return replace(load_recipe(problem), optimizer="adam", rate=RATE, steps=steps)


def tune(network: nn.Module, recipe: Recipe, folder: Path) -> None:
    """Train a network, from the state in the folder on if there is one."""
    learner, checkpoint = Learner(network, recipe.rate, optimizer=recipe.optimizer), folder / "checkpoint.safetensors"
    first = load_checkpoint(checkpoint, recipe, [learner])["step"] if checkpoint.exists() else 0
    patches = training_patches(recipe, DataFolders(Path(os.environ["OPTCODEC_DATA"])))
    loss_of = pixel_loss(recipe.loss)
    for step in tracked(range(first, recipe.steps), folder.name, recipe.steps - first):
        batch = patches.batch(step)
        received, clean = (torch.from_numpy(part.astype(np.float32)) / 255 for part in (batch.received, batch.clean))
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bfloat16"):
            restored = network(received)
        rate = recipe.rate * 0.5 * (1 + cos(pi * step / recipe.steps))
        learner.descend(loss_of(restored.float(), clean, torch.from_numpy(batch.reference)), rate, recipe.clip)
        if (step + 1) % EVERY == 0 or step + 1 == recipe.steps:
            save_checkpoint(checkpoint, recipe, [learner], step=step + 1)


def psnr_by_coding(network: nn.Module, problem: str, images: Sequence[Samples]) -> dict[str, float]:
    """Mean PSNR in dB of what a network makes of photographs that are coded in several ways."""
    solved, figures = find_problem(problem), {}
    for name, degradation in CODINGS.items():
        values = []
        for number, image in enumerate(images):
            clean = solved.reference(image)
            received = transmit(clean, degradation, solved, np.random.default_rng(number))[0]
            planes = torch.from_numpy(received.transpose(2, 0, 1).astype(np.float32))[None] / 255
            with torch.inference_mode():
                restored = network(planes)[0].numpy().transpose(1, 2, 0)
            values.append(psnr_db(clean, np.rint(np.clip(255 * restored, 0, 255)).astype(np.uint8)))
        figures[name] = round(float(np.mean(values)), 3)
    return figures


def write_like(published: Path, network: nn.Module, path: Path) -> None:
    """Write the weights of a network in the layout of its published file, in whose order it has them."""
    with safe_open(published, "pt") as file:
        about, names = file.metadata(), list(file.keys())
        shapes = [file.get_slice(name).get_shape() for name in names]
    weights = {
        name: parameter.detach().reshape(shape).contiguous()
        for name, shape, parameter in zip(names, shapes, network.parameters(), strict=True)
    }
    write_whole(path, save(weights, about))


def figures_of(name: str, nets: Path, work: Path, steps: int) -> dict[str, Any]:
    """Fine-tune a network unless WORK has it; its PSNR before and after."""
    published, folder, problem = import_module("nets"), work / name, PROBLEMS[name]
    stored, recipe = folder / "figures.json", recipe_of(problem, steps)
    if not stored.exists():
        folder.mkdir(parents=True, exist_ok=True)
        images = load_photographs(Path(os.environ["OPTCODEC_DATA"]) / "Val20", mode="RGB")[:IMAGES]
        measure = partial(psnr_by_coding, problem=problem, images=images)
        before = measure(published.load(name))
        network = published.load(name).requires_grad_(True)
        tune(network, recipe, folder)
        write_like(nets / f"{name}.safetensors", network, work / f"{name}.safetensors")
        figures = {"problem": problem, "steps": steps, "before": before, "after": measure(network.eval())}
        digests = {key: digest_of(file / f"{name}.safetensors") for key, file in (("from", nets), ("to", work))}
        write_whole(stored, json.dumps(figures | {"digests": digests}).encode())
    known: dict[str, Any] = json.loads(stored.read_text("utf-8"))
    if known["steps"] != steps:
        raise click.UsageError(f"{folder} has {known['steps']} steps, {steps} are asked for; remove it first")
    return known


@click.command()
@click.argument("nets", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--work", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--network", "names", multiple=True, default=tuple(PROBLEMS), help="Networks to tune.  [default: all]")
@click.option("--steps", default=1500, show_default=True, help="Batches of 16 patches for each network.")
def main(nets: Path, work: Path, names: tuple[str, ...], steps: int) -> None:
    """Fine-tune and measure the networks."""
    sys.path.insert(0, str(nets))
    torch.set_num_threads(1)
    work.mkdir(parents=True, exist_ok=True)
    shutil.copy(nets / "nets.py", work / "nets.py")
    result = "accelir_fine_tuned"
    renewed = has_result(result)
    earlier = load_result(result)["networks"] if renewed else {}
    networks = earlier | {name: figures_of(name, nets, work, steps) for name in names}
    print(write_result(result, {"images": IMAGES, "networks": networks}, packages=PACKAGES, renewed=renewed))


if __name__ == "__main__":
    main()
