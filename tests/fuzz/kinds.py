"""Which kinds of inputs there are: how one is made, and what is to be true of it."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["KINDS", "Kind", "find_kind", "input_of"]


@dataclass(frozen=True)
class Kind:
    """Inputs of one kind.

    Parameters
    ----------
    make : callable
        Bytes of an input, from a source of random numbers.
    check : callable
        Tries an input. Gives what came of it in a few words, to be counted; raises where the answer is wrong.
    suffix : str
        Of the file that an input is kept in.
    """

    make: Callable[[random.Random], bytes]
    check: Callable[[bytes], str]
    suffix: str


# Module of each kind, which has it in its own KINDS. A format that is yet to come, such as the manifest of a batch,
# becomes a Document of documents.py and a line here.
KINDS = {
    "segments": "answers",
    "guard": "guard",
    "tables": "documents",
    "profile": "documents",
    "utility": "documents",
    "qpnet": "documents",
    "recipe": "documents",
    "index": "models",
    "onnx": "models",
    "picture": "pictures",
    "mask": "pictures",
}


def find_kind(name: str) -> Kind:
    """The kind of a name; its module is imported now, since some need much that others do not."""
    kinds: dict[str, Kind] = importlib.import_module(f"tests.fuzz.{KINDS[name]}").KINDS
    return kinds[name]


def input_of(name: str, seed: int, number: int) -> bytes:
    """The input of a number."""
    return find_kind(name).make(random.Random(f"{name} {seed} {number}"))
