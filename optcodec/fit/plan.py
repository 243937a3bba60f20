"""Plans: options of ``optcodec encode`` that were chosen for a network and some pictures, in a file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optcodec.errors import InvalidInputError
from optcodec.files import write_whole
from optcodec.jsontext import document_text, parse_document

__all__ = ["Plan", "load_plan"]

_FORMAT = "optcodec plan 1"
_ENTRIES = ("options", "verdict", "provenance")


@dataclass(frozen=True)
class Plan:
    """How files are to be coded, and what was measured of that.

    Parameters
    ----------
    options : mapping of str
        Options of ``optcodec encode`` by their long names, with ``_`` in place of ``-``: numbers, texts, True for
        flags, and lists for what may be repeated.
    verdict : str
        What they keep, and how many bytes they take, in a line.
    provenance : mapping of str
        The network, the pictures, and the figures that were measured, ready for JSON.
    """

    options: Mapping[str, Any]
    verdict: str
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the plan as JSON; raises `InvalidInputError` if that is not possible."""
        text = document_text(_FORMAT, {name: getattr(self, name) for name in _ENTRIES})
        write_whole(path, text.encode())


def load_plan(path: str | os.PathLike[str]) -> Plan:
    """Read a plan.

    Raises
    ------
    InvalidInputError
        If the file cannot be read, or holds no plan of this version.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InvalidInputError(f"cannot read the plan {path}: {error.strerror or error}") from None
    try:
        document = parse_document(data, "a plan", format_name=_FORMAT, required=_ENTRIES)
    except InvalidInputError as error:
        raise InvalidInputError(f"{path}: {error}") from None
    kinds = {"options": dict, "verdict": str, "provenance": dict}
    for name, kind in kinds.items():
        if not isinstance(document[name], kind):
            wrong = type(document[name]).__name__
            raise InvalidInputError(f"{path}: expected {name} of the kind {kind.__name__}, got {wrong}")
    return Plan(**document)
