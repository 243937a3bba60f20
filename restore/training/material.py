"""What a training needs besides the network: the patches, and the validation images, as its recipe says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from restore.channel.degradation import Batch, Patches, Samples, load_photographs
from restore.channel.patches import CodedBatch, CodedPatches
from restore.channel.problem import find_problem
from restore.channel.senders import check_packages
from restore.networks.chain import restored_luminance
from restore.networks.operations import plane_spec
from restore.networks.weights import load_network, shipped_network
from restore.training.recipe import Recipe
from restore.training.validation import Distance, ValidationSet

__all__ = [
    "AnyBatch",
    "AnyPatches",
    "DataFolders",
    "luminance_network",
    "network_input",
    "training_patches",
    "validation_set",
]

AnyBatch: TypeAlias = Batch | CodedBatch
AnyPatches: TypeAlias = Patches | CodedPatches


@dataclass(frozen=True)
class DataFolders:
    """Where a training reads from.

    Parameters
    ----------
    photographs : path
        Folder that contains the recipe's folders of photographs.
    weights : path, optional
        Folder with the weights that the feature loss and LPIPS need; by default ``weights`` in `photographs`.
    files : path, optional
        Folder where coded files of a recipe with a `mix` are kept, which trainings can share; by default, they are not
        kept.
    """

    photographs: Path
    weights: Path | None = None
    files: Path | None = None

    @property
    def feature_weights(self) -> Path:
        """Folder with the weights that the feature loss and LPIPS need."""
        return self.weights or self.photographs / "weights"


def training_patches(recipe: Recipe, data: DataFolders, *, count: int | None = None) -> AnyPatches:
    """The patches of a training.

    Parameters
    ----------
    recipe : Recipe
        Settings of the training.
    data : DataFolders
        Photographs, and where coded files are kept.
    count : int, optional
        Patches in a batch, if their number is to differ from that of the recipe.

    Raises
    ------
    InvalidInputError
        If photographs are missing.
    """
    photographs: list[Samples] = []
    for name, shrink in recipe.photographs.items():
        photographs += load_photographs(data.photographs / name, mode=_mode(recipe), shrink=shrink)
    side, count, seed = recipe.side, count or recipe.count, recipe.seed
    if recipe.mix is not None:
        planes = plane_spec(recipe.network).planes
        return CodedPatches(photographs, recipe.mix, data.files, side=side, count=count, planes=planes, seed=seed)
    problem = find_problem(recipe.problem) if recipe.problem else None
    options = {"side": side, "count": count, "seed": seed, "stride": recipe.stride}
    return Patches(photographs, recipe.degradation, **options, problem=problem)


def validation_set(
    recipe: Recipe, data: DataFolders, device: torch.device, distance: Distance | None = None
) -> ValidationSet:
    """The validation images of a training, coded as its recipe says.

    Raises
    ------
    InvalidInputError
        If the images, or the packages of senders, are missing.
    """
    settings = recipe.validation
    check_packages(settings.senders)
    images = load_photographs(data.photographs / settings.folder, mode=_mode(recipe))[: settings.images]
    if recipe.mix is not None:
        codings = [(sender, quality) for sender in settings.senders for quality in settings.qualities]
        luminance = luminance_network(recipe)
        return ValidationSet.of_files(images, codings, plane_spec(recipe.network).planes, device, distance, luminance)
    problem = find_problem(recipe.problem) if recipe.problem else None
    return ValidationSet.of_images(images, settings.qualities, device, distance, problem)


def luminance_network(recipe: Recipe) -> nn.Module | None:
    """The network that restores the luminance which the network of a recipe takes, if it takes that.

    Raises
    ------
    InvalidInputError
        If there is no such network.
    """
    if not recipe.luminance:
        return None
    if recipe.luminance.endswith(".safetensors"):
        return load_network(Path(recipe.luminance))
    return shipped_network(recipe.luminance)


def network_input(
    batch: AnyBatch, luminance: nn.Module | None, device: torch.device | None = None
) -> tuple[Tensor, Tensor]:
    """What a network gets of a batch: planes, 0..1, of which luminance may be restored, and conditions."""
    received, conditions = (
        torch.from_numpy(array.astype(np.float32)).to(device) for array in (batch.received, batch.conditions)
    )
    planes = received / 255
    return planes if luminance is None else restored_luminance(luminance, planes, conditions), conditions


def _mode(recipe: Recipe) -> str:
    """Colour space of the photographs: whole files are coded from RGB, and so are images of a problem."""
    if recipe.mix is not None or recipe.problem:
        return "RGB"
    return "L" if plane_spec(recipe.network).planes == 1 else "YCbCr"
