"""A training that was stopped, as a file: safetensors, with the numbers that are no tensors in its header."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import safetensors
from safetensors.torch import load_file, save

from optcodec import InvalidInputError, parse_json
from optcodec.shared import write_whole
from restore.training.learner import Learner
from restore.training.recipe import Recipe

__all__ = ["load_checkpoint", "save_checkpoint"]


def save_checkpoint(path: Path, recipe: Recipe, learners: Sequence[Learner], **numbers: Any) -> None:
    """Write a training into one file.

    Parameters
    ----------
    path : path
        Appears whole or not at all.
    recipe : Recipe
        How it is trained.
    learners : sequence of Learner
        Networks, with the state of their optimizers.
    **numbers
        What else it needs, as JSON has it.
    """
    tensors = {name: tensor for learner in learners for name, tensor in learner.state().items()}
    write_whole(path, save(tensors, {"run": json.dumps({"recipe": recipe.to_json(), **numbers})}))


def load_checkpoint(path: Path, recipe: Recipe, learners: Sequence[Learner]) -> dict[str, Any]:
    """Put the learners into the state that a file holds.

    Returns
    -------
    dict
        The numbers that were saved beside it.

    Raises
    ------
    InvalidInputError
        If the file is damaged, or is that of another recipe. Entries that a recipe has got since it was written count
        as what they are by default.
    """
    try:
        with safetensors.safe_open(path, "pt") as file:
            numbers: dict[str, Any] = parse_json((file.metadata() or {})["run"])
        written = numbers.pop("recipe")
        tensors = load_file(path)
    except (OSError, KeyError, ValueError, safetensors.SafetensorError) as error:
        raise _damaged(path, error) from None
    if not _same(written, recipe):
        raise InvalidInputError(f"{path} belongs to another recipe; expected that recipe, or a folder without it")
    try:
        for learner in learners:
            learner.restore(tensors)
    except (RuntimeError, KeyError, ValueError, IndexError) as error:
        raise _damaged(path, error) from None
    return numbers


def _same(written: dict[str, Any], recipe: Recipe) -> bool:
    try:
        theirs, ours = Recipe.from_json(written).to_json(), recipe.to_json()
    except InvalidInputError:
        return False
    return json.dumps(theirs, sort_keys=True) == json.dumps(ours, sort_keys=True)


def _damaged(path: Path, error: Exception) -> InvalidInputError:
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return InvalidInputError(f"{path} cannot be resumed ({reason}); expected a whole checkpoint, or none to begin anew")
