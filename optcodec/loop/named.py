"""Readers by name: those that installed packages register, and functions of the user's own."""

from __future__ import annotations

from importlib.metadata import entry_points

from optcodec.errors import InvalidInputError
from optcodec.extras import load_factory
from optcodec.loop.reader import Reader

__all__ = ["load_reader", "registered_readers"]

_GROUP = "optcodec.readers"  # of entry points: a package registers functions that make readers


def registered_readers() -> dict[str, str]:
    """Names of readers that installed packages register, with the functions that make them."""
    return {entry.name: entry.value for entry in sorted(entry_points(group=_GROUP), key=lambda entry: entry.name)}


def load_reader(name: str) -> Reader:
    """Load a reader by its name.

    Parameters
    ----------
    name : str
        One of `registered_readers`, such as ``"deblock"`` of the package `restore`; or ``"package.module:factory"``, a
        function that returns a reader. With ``@TEXT`` at the end, the function is called with the text, such as the
        name of a network: ``"denoise25@ffdnet:FILE"``.

    Raises
    ------
    InvalidInputError
        If there is no such reader, or the function returns something else.
    """
    known = registered_readers()
    first, at, text = name.partition("@")
    if ":" not in first and first not in known:
        raise InvalidInputError(f"no reader {first!r}; expected {', '.join([*known, 'package.module:factory'])}")
    reader = load_factory(f"{known.get(first, first)}{at}{text}", "a reader")()
    if not callable(reader):
        raise InvalidInputError(f"expected {first} to return a reader, a function; got {type(reader).__name__}")
    typed_reader: Reader = reader
    return typed_reader
