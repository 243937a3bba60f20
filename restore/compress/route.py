"""The compression of a trained DnCNN to a small INT8 file, in stages; finished stages are not run again."""

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
from restore.compress.prune import layer_widths, prune
from restore.compress.quantize import calibration_patches, quantize
from restore.compress.separable import separate
from restore.compress.slim import slim
from restore.export.onnx import to_onnx
from restore.networks import DnCNN
from restore.networks.count import count
from restore.networks.fold import fold
from restore.networks.operations import configuration
from restore.networks.weights import header_entry, load_network, save_network
from restore.training.log import read_log
from restore.training.material import DataFolders, validation_set
from restore.training.recipe import Recipe
from restore.training.train import train

__all__ = ["Plan", "Stage", "compress", "stages", "trained_recipe", "validated"]

Transform = Callable[[nn.Module], nn.Module]


@dataclass(frozen=True)
class Plan:
    """Settings of the compression.

    Parameters
    ----------
    steps : int
        Number of prunings, each followed by a fine-tuning; four in the paper.
    share : float
        Share of the original number of filters that each pruning removes from every inner layer, 0.1 in the paper.
    width : int
        Number of filters of each inner layer after slimming.
    sparsity : float
        Weight of the L1 penalty on batch-norm scales in the fine-tuning before slimming.
    rate, quantized_rate : float, optional
        Learning rates of the fine-tunings, and of the last one, of the INT8 network, with the schedule "cosine"; None
        means rate and schedule of the recipe.
    patches : int
        Number of patches for the INT8 calibration; 1 024 in the paper.
    separable : bool
        Whether a depthwise-separable variant of the original network is trained, too, as an ablation.
    """

    steps: int = 4
    share: float = 0.1
    width: int = 32
    sparsity: float = 1e-6
    rate: float | None = 5e-4
    quantized_rate: float | None = 1e-4
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
    """One stage of the compression.

    Parameters
    ----------
    name : str
        Name of the stage and of its folder.
    transform : callable
        Takes the network of the last stage, returns the new one.
    changes : dict, optional
        Entries of the recipe that the fine-tuning of the stage changes; None for a stage without fine-tuning.
    ablation : bool
        Whether the stage is an ablation: it starts from the original network, and the next stage ignores its result.
    """

    name: str
    transform: Transform
    changes: dict[str, Any] | None = None
    ablation: bool = False


def stages(plan: Plan, network: DnCNN, recipe: Recipe, data: Path) -> list[Stage]:
    """All stages of a plan, without the original network."""
    full_width = width = min(layer_widths(network)[1:], default=0)
    fine_tuning = {} if plan.rate is None else {"rate": plan.rate, "schedule": "cosine"}
    last_tuning = {} if plan.quantized_rate is None else {"rate": plan.quantized_rate, "schedule": "cosine"}
    early_stages = [Stage("separable", _on_dncnn(separate), fine_tuning, ablation=True)] if plan.separable else []
    for step in range(1, plan.steps + 1):
        width = round(full_width * (1 - plan.share * step))
        changes = fine_tuning | ({"sparsity": plan.sparsity} if step == plan.steps and plan.sparsity else {})
        early_stages.append(Stage(f"prune-{step}", _on_dncnn(partial(prune, width=width)), changes))
    if not 1 <= plan.width <= width:
        raise InvalidInputError(f"width is 1..{width}, the filters that pruning leaves; got {plan.width}")
    return [
        *early_stages,
        Stage("slim", _on_dncnn(partial(slim, width=plan.width)), fine_tuning),
        Stage("fold", _on_dncnn(fold)),
        Stage("int8", lambda last: quantize(last, calibration_patches(recipe, DataFolders(data), count=plan.patches))),
        # in float32, as the rounding of bfloat16 would be as coarse as that to 8 bits
        Stage("int8-tuned", lambda last: last, last_tuning | {"precision": "float32"}),
    ]


def _same_plan(path: Path, plan: Plan, network: Path, recipe: Recipe) -> None:
    """Check that existing stages belong to this plan, network and recipe, and write the plan file."""
    digest = hashlib.sha256(network.read_bytes()).hexdigest()
    # through JSON, so that tuples become lists, as in the file
    current = json.loads(json.dumps({"network": digest, "recipe": recipe.to_json(), **dataclasses.asdict(plan)}))
    del current["separable"]  # no other stage depends on it
    try:
        is_same = not path.exists() or optcodec.parse_json(path.read_text()) == current
    except ValueError:  # not JSON, or not text
        is_same = False
    if not is_same:
        raise InvalidInputError(
            f"{path.parent} has stages of another network, plan or recipe; expected an empty folder"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(current, indent=2).encode())


def _on_dncnn(transform: Callable[[DnCNN], nn.Module]) -> Transform:
    """A function of any network, from one of DnCNN."""
    return lambda last: transform(cast(DnCNN, last))


def compress(
    path: Path,
    folder: Path,
    data: Path,
    *,
    plan: Plan | None = None,
    recipe: Recipe | None = None,
    budget: float | None = None,
    announce: Callable[[str], None] = lambda stage: None,
) -> list[dict[str, Any]]:
    """Compress a trained DnCNN.

    Parameters
    ----------
    path : path
        Its file, ``network.safetensors``.
    folder : path
        Output folder: a folder for each stage, with ``network.safetensors``, ``network.onnx`` and ``record.json``, and
        ``route.json`` with all records. Stages that exist already are not run again.
    data : path
        Folder that contains the recipe's folders of photographs.
    plan : Plan, optional
        Settings of the compression.
    recipe : Recipe, optional
        Recipe of the fine-tunings; by default the one in the network file. Learning rates and schedule are those of the
        plan, if it has any.
    budget : float, optional
        Time for each fine-tuning in minutes; by default the number of steps of the recipe.
    announce : callable, optional
        Called with the name of each stage when it begins.

    Returns
    -------
    list of dict
        For each stage its name, parameters, MACs per pixel, bytes of the ONNX file, and PSNR in dB on the recipe's
        validation images at each quality.

    Raises
    ------
    InvalidInputError
        If the network is not a dense DnCNN with batch norms or is too narrow for the plan, photographs are missing, or
        the folder has stages of another plan, network or recipe.
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
        stage_folder = folder / stage.name
        start = full if stage.ablation else last
        announce(stage.name)
        network = _stage_network(stage, start, stage_folder, recipe, data, budget)
        records.append({"stage": stage.name, **_record(network, stage_folder, recipe, data)})
        write_whole(folder / "route.json", json.dumps({"stages": records}, indent=2).encode())
        last = start if stage.ablation else network
    return records


def _stage_network(
    stage: Stage, last: nn.Module, stage_folder: Path, recipe: Recipe, data: Path, budget: float | None
) -> nn.Module:
    """The network of a stage: from its folder if it exists, or else by running the stage."""
    path = stage_folder / "network.safetensors"
    if path.exists():
        return load_network(path)
    network = stage.transform(last)
    if stage.changes is None:
        stage_folder.mkdir(parents=True, exist_ok=True)
        save_network(path, network, recipe=recipe.to_json())
        return network
    stage_recipe = dataclasses.replace(recipe, network=_float_configuration(network), **stage.changes)
    # train a copy: the networks of the stages before must stay as they were saved
    folders = DataFolders(data)
    return train(stage_recipe, folders, stage_folder, network=copy.deepcopy(network), budget=budget).cpu()


def _float_configuration(network: nn.Module) -> dict[str, Any]:
    """The configuration of the float network, which recipes have also for quantized networks."""
    config = configuration(network)
    return cast(dict[str, Any], config["of"]) if config["network"] == "quantized" else config


def _record(network: nn.Module, stage_folder: Path, recipe: Recipe, data: Path) -> dict[str, Any]:
    """Size and PSNR of the network of a stage. The PSNR is that of the log, or measured if there was no training."""
    path = stage_folder / "record.json"
    if path.exists():
        return cast(dict[str, Any], optcodec.parse_json(path.read_text()))
    model = to_onnx(network)
    write_whole(stage_folder / "network.onnx", model)
    rows = read_log(stage_folder)
    measured = (
        {key: float(value) for key, value in rows[-1].items()}
        if rows
        else validated(network, recipe, DataFolders(data))
    )
    psnr = {key: value for key, value in measured.items() if key.startswith("psnr_")}
    record = {**count(network).to_json(), "bytes": len(model), **psnr}
    write_whole(path, json.dumps(record, indent=2).encode())
    return record


def validated(network: nn.Module, recipe: Recipe, data: DataFolders) -> dict[str, float]:
    """PSNR in dB of a network on the validation images of a recipe, with the names of the columns of the log."""
    return validation_set(recipe, data, torch.device("cpu")).measure(network)


def trained_recipe(path: Path) -> Recipe:
    """The recipe that a network was trained with, from its file.

    Raises
    ------
    InvalidInputError
        If the file has no recipe.
    """
    try:
        with safetensors.safe_open(path, "pt") as file:
            recipe = header_entry(file, "provenance").get("recipe")
        if not isinstance(recipe, dict):  # networks in the package tell the name only
            raise InvalidInputError(
                "its header has none" if recipe is None else f"its header has a name only, {recipe}"
            )
        return Recipe.from_json(recipe)
    except (OSError, AttributeError, ValueError, safetensors.SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise InvalidInputError(f"{path} holds no recipe ({reason}); expected a file of `restore train`") from None
