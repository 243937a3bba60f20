"""Which kinds of inputs there are: how one is made of another, and what is to be true of it."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["BROKEN", "KINDS", "Kind", "find_kind", "input_of"]


@dataclass(frozen=True)
class Kind:
    """Inputs of one kind.

    Parameters
    ----------
    seeds : callable
        Inputs to begin with, most of them right.
    change : callable
        Another input, made of one (a seed, or anything else) and a source of random numbers.
    check : callable
        Tries an input. Gives what came of it in a few words, to be counted; raises where the answer is wrong.
    suffix : str
        Of the file that an input is kept in.
    """

    seeds: Callable[[], Sequence[bytes]]
    change: Callable[[bytes, random.Random], bytes]
    check: Callable[[bytes], str]
    suffix: str


# Module of each kind, which has it in its own KINDS. A format that is yet to come, such as the manifest of a batch,
# becomes a Document of documents.py and a line here.
KINDS = {
    "segments": "answers",
    "guard": "guard",
    "pixels": "guard",
    "tables": "documents",
    "profile": "documents",
    "utility": "documents",
    "qpnet": "documents",
    "recipe": "documents",
    "manifest": "documents",
    "index": "models",
    "onnx": "models",
    "picture": "pictures",
    "mask": "pictures",
}
# What fails on purpose, for the tests of the harness.
BROKEN = dict.fromkeys(("raises", "hangs", "takes_all", "unstuffs", "overwrites"), "broken")


def find_kind(name: str) -> Kind:
    """The kind of a name; its module is imported now, since some need much that others do not."""
    kinds: dict[str, Kind] = importlib.import_module(f"tests.fuzz.{(KINDS | BROKEN)[name]}").KINDS
    return kinds[name]


def input_of(name: str, seed: int, number: int) -> bytes:
    """The input of a number."""
    kind, source = find_kind(name), random.Random(f"{name} {seed} {number}")
    return kind.change(source.choice(kind.seeds()), source)
