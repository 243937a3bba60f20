"""Checkpoints: the whole state of a training in one safetensors file, with recipe and numbers in its header."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import safetensors
from safetensors.torch import load_file, save

import optcodec
from optcodec import InvalidInputError, parse_json
from restore.training.learner import Learner
from restore.training.recipe import Recipe

__all__ = ["load_checkpoint", "save_checkpoint"]


def save_checkpoint(path: Path, recipe: Recipe, learners: Sequence[Learner], **numbers: Any) -> None:
    """Write the state of a training to a file.

    Parameters
    ----------
    path : path
        The file; it appears complete or not at all.
    recipe : Recipe
        The recipe of the training.
    learners : sequence of Learner
        The networks, with the state of their optimizers.
    **numbers
        Further state, as values of JSON.
    """
    tensors = {name: tensor for learner in learners for name, tensor in learner.state().items()}
    optcodec.write_whole(path, save(tensors, {"run": json.dumps({"recipe": recipe.to_json(), **numbers})}))


def load_checkpoint(path: Path, recipe: Recipe, learners: Sequence[Learner]) -> dict[str, Any]:
    """Load the state of a training from a file into the learners.

    Returns
    -------
    dict
        The further state that was saved as `numbers`.

    Raises
    ------
    InvalidInputError
        If the file is damaged, or belongs to another recipe. Entries of recipes that did not exist when the file was
        written have their default values.
    """
    try:
        with safetensors.safe_open(path, "pt") as file:
            numbers: dict[str, Any] = parse_json((file.metadata() or {})["run"])
        saved_recipe = numbers.pop("recipe")
        tensors = load_file(path)
    except (OSError, KeyError, ValueError, safetensors.SafetensorError) as error:
        raise _damaged(path, error) from None
    if not _is_same_recipe(saved_recipe, recipe):
        raise InvalidInputError(f"{path} belongs to another recipe; expected that recipe, or a folder without it")
    try:
        for learner in learners:
            learner.restore(tensors)
    except (RuntimeError, KeyError, ValueError, IndexError) as error:
        raise _damaged(path, error) from None
    return numbers


def _is_same_recipe(document: dict[str, Any], recipe: Recipe) -> bool:
    try:
        saved, current = Recipe.from_json(document).to_json(), recipe.to_json()
    except InvalidInputError:
        return False
    return json.dumps(saved, sort_keys=True) == json.dumps(current, sort_keys=True)


def _damaged(path: Path, error: Exception) -> InvalidInputError:
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return InvalidInputError(f"{path} cannot be resumed ({reason}); expected a whole checkpoint, or none to begin anew")
