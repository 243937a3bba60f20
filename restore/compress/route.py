"""The whole way from a trained DnCNN to a small INT8 file, in stages that are not run again once they are done."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import safetensors
import torch
from torch import nn

import optcodec
from optcodec import InvalidInputError
from optcodec.shared import write_whole
from restore.channel.degradation import load_photographs
from restore.compress.prune import layer_widths, prune
from restore.compress.quantize import calibration_patches, quantize
from restore.compress.separable import separate
from restore.compress.slim import slim
from restore.export.onnx import to_onnx
from restore.networks import DnCNN
from restore.networks.count import count
from restore.networks.fold import fold
from restore.networks.operations import configuration, face
from restore.networks.weights import load_network, save_network
from restore.training.log import read_log
from restore.training.recipe import Recipe
from restore.training.train import train
from restore.training.validation import Watch

__all__ = ["Plan", "Stage", "compress", "stages", "trained_recipe", "validated"]

Made = Callable[[nn.Module], nn.Module]


@dataclass(frozen=True)
class Plan:
    """How far to go.

    Parameters
    ----------
    steps : int
        Prunings, each followed by fine-tuning; four in the paper.
    share : float
        Share of the first network's filters that each takes from every inner layer, 0.1 in the paper.
    width : int
        Filters of each inner layer after slimming.
    sparsity : float
        Weight of the L1 penalty on batch-norm scales in the fine-tuning before slimming.
    rate, quantized_rate : float
        Learning rates of fine-tuning, and of that of the INT8 network.
    patches : int
        What INT8 is calibrated on; 1 024 in the paper.
    separable : bool
        Whether the first network's depthwise-separable variant is trained, too, as an ablation.
    """

    steps: int = 4
    share: float = 0.1
    width: int = 32
    sparsity: float = 1e-6
    rate: float = 5e-4
    quantized_rate: float = 1e-4
    patches: int = 1024
    separable: bool = False

    def __post_init__(self) -> None:
        if self.steps < 0 or not 0 < self.share < 1 or self.steps * self.share >= 1:
            raise InvalidInputError(f"steps times share is below 1; got {self.steps} times {self.share}")
        for name in ("width", "patches"):
            if getattr(self, name) < 1:
                raise InvalidInputError(f"{name} is at least 1; got {getattr(self, name)}")


@dataclass(frozen=True)
class Stage:
    """One step of the way.

    Parameters
    ----------
    name : str
        Of its folder.
    made : callable
        The new network from the last one.
    changes : dict, optional
        What its fine-tuning changes in the recipe; without it there is none.
    aside : bool
        An ablation: it begins at the first network, and the next stage does not begin with it.
    """

    name: str
    made: Made
    changes: dict[str, Any] | None = None
    aside: bool = False


def stages(plan: Plan, network: DnCNN, recipe: Recipe, data: Path) -> list[Stage]:
    """All stages of a plan, after the network that it begins with."""
    whole = width = min(layer_widths(network)[1:], default=0)
    tuned = {"rate": plan.rate, "schedule": "cosine"}
    found = [Stage("separable", _for_dncnn(separate), tuned, aside=True)] if plan.separable else []
    for step in range(1, plan.steps + 1):
        width = round(whole * (1 - plan.share * step))
        changes = tuned | ({"sparsity": plan.sparsity} if step == plan.steps and plan.sparsity else {})
        found.append(Stage(f"prune-{step}", _for_dncnn(partial(prune, width=width)), changes))
    if not 1 <= plan.width <= width:
        raise InvalidInputError(f"width is 1..{width}, the filters that pruning leaves; got {plan.width}")
    return [
        *found,
        Stage("slim", _for_dncnn(partial(slim, width=plan.width)), tuned),
        Stage("fold", _for_dncnn(fold)),
        Stage("int8", lambda last: quantize(last, calibration_patches(recipe, data, count=plan.patches))),
        # rounding to bfloat16 would be as coarse as that to 8 bits
        Stage("int8-tuned", lambda last: last, tuned | {"rate": plan.quantized_rate, "precision": "float32"}),
    ]


def _same_plan(path: Path, plan: Plan, network: Path, recipe: Recipe) -> None:
    """Stages that are there already have to be those of this plan, network and recipe."""
    digest = hashlib.sha256(network.read_bytes()).hexdigest()
    # through JSON, so that tuples compare as the lists that the file has
    known = json.loads(json.dumps({"network": digest, "recipe": recipe.to_json(), **dataclasses.asdict(plan)}))
    del known["separable"]  # nothing else depends on it
    try:
        is_same = not path.exists() or optcodec.parse_json(path.read_text()) == known
    except ValueError:  # no JSON, or no text
        is_same = False
    if not is_same:
        raise InvalidInputError(
            f"{path.parent} has stages of another network, plan or recipe; expected an empty folder"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(known, indent=2).encode())


def _for_dncnn(made: Callable[[DnCNN], nn.Module]) -> Made:
    return lambda last: made(cast(DnCNN, last))


def compress(
    path: Path,
    folder: Path,
    data: Path,
    *,
    plan: Plan | None = None,
    recipe: Recipe | None = None,
    budget: float | None = None,
    announced: Callable[[str], None] = lambda stage: None,
) -> list[dict[str, Any]]:
    """Compress a trained DnCNN.

    Parameters
    ----------
    path : path
        Its ``network.safetensors``.
    folder : path
        Gets a folder for each stage, with ``network.safetensors``, ``network.onnx`` and ``record.json``, and
        ``route.json`` with all records. Stages that are there already are not run again.
    data : path
        The folder that holds the recipe's folders of photographs.
    plan : Plan, optional
        How far to go.
    recipe : Recipe, optional
        What fine-tuning is like, but for rate and schedule; by default as the network was trained.
    budget : float, optional
        Minutes of each fine-tuning; by default it has the recipe's steps.
    announced : callable, optional
        Takes the name of each stage when it begins.

    Returns
    -------
    list of dict
        For each stage its name, parameters, MACs per pixel, bytes of the ONNX file, and PSNR in dB on the recipe's
        validation images at each quality.

    Raises
    ------
    InvalidInputError
        If the network is no dense DnCNN with batch norms, is too narrow for the plan, photographs are missing, or the
        folder has stages of another plan, network or recipe.
    """
    plan, recipe = plan or Plan(), recipe or trained_recipe(path)
    full = load_network(path)
    if not isinstance(full, DnCNN) or full.config["separable"] or not full.config["normalized"]:
        raise InvalidInputError(f"{path} has {configuration(full)}; expected a dense dncnn with batch norms")
    _same_plan(folder / "plan.json", plan, path, recipe)
    route = [Stage("full", lambda last: last), *stages(plan, full, recipe, data)]
    last: nn.Module = full
    records = []
    for stage in route:
        place = folder / stage.name
        begin = full if stage.aside else last
        announced(stage.name)
        network = _done(stage, begin, place, recipe, data, budget)
        records.append({"stage": stage.name, **_record(network, place, recipe, data)})
        write_whole(folder / "route.json", json.dumps({"stages": records}, indent=2).encode())
        last = begin if stage.aside else network
    return records


def _done(stage: Stage, last: nn.Module, place: Path, recipe: Recipe, data: Path, budget: float | None) -> nn.Module:
    """The network of a stage, from its folder or made now."""
    path = place / "network.safetensors"
    if path.exists():
        return load_network(path)
    network = stage.made(last)
    if stage.changes is None:
        place.mkdir(parents=True, exist_ok=True)
        save_network(path, network, recipe=recipe.to_json())
        return network
    tuned = dataclasses.replace(recipe, network=_plain(network), **stage.changes)
    # a copy is trained: the networks of the stages before stay as they were written
    return train(tuned, data, place, network=copy.deepcopy(network), budget=budget).cpu()


def _plain(network: nn.Module) -> dict[str, Any]:
    """Configuration without what quantization adds: what a recipe says of a network is its planes."""
    config = configuration(network)
    return cast(dict[str, Any], config["of"]) if config["network"] == "quantized" else config


def _record(network: nn.Module, place: Path, recipe: Recipe, data: Path) -> dict[str, Any]:
    """What a stage has reached; its PSNR is in the log where it was trained, and measured elsewhere."""
    path = place / "record.json"
    if path.exists():
        return cast(dict[str, Any], optcodec.parse_json(path.read_text()))
    model = to_onnx(network)
    write_whole(place / "network.onnx", model)
    rows = read_log(place)
    seen = {key: float(value) for key, value in rows[-1].items()} if rows else validated(network, recipe, data)
    psnr = {key: value for key, value in seen.items() if key.startswith("psnr_")}
    record = {**count(network).to_json(), "bytes": len(model), **psnr}
    write_whole(path, json.dumps(record, indent=2).encode())
    return record


def validated(network: nn.Module, recipe: Recipe, data: Path) -> dict[str, float]:
    """PSNR in dB of a network on the validation images of a recipe, by the names that the log of a training has."""
    watched = recipe.validation
    gray = face(recipe.network).planes == 1
    images = load_photographs(data / watched.folder, mode="L" if gray else "YCbCr")[: watched.images]
    return Watch(images, watched.qualities, torch.device("cpu")).look(network)


def trained_recipe(path: Path) -> Recipe:
    """The recipe that a network was trained with, which its file names.

    Raises
    ------
    InvalidInputError
        If the file has none.
    """
    try:
        with safetensors.safe_open(path, "pt") as file:
            provenance = optcodec.parse_json((file.metadata() or {})["provenance"])
        return Recipe.from_json(provenance["recipe"])
    except (OSError, KeyError, ValueError, safetensors.SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise InvalidInputError(f"{path} names no recipe ({reason}); expected a file of `restore train`") from None
