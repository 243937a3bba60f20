"""The folder from which a killed run goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optcodec.accuracy.rows import Rows
from optcodec.errors import InvalidInputError
from optcodec.files import write_whole
from optcodec.jsontext import parse_json

__all__ = ["PartialFolder", "remove_partial"]

_ABOUT = "experiment.json"

Seconds = dict[str, float]


class PartialFolder:
    """Parts of a measurement in the order of its images, each written whole.

    Parameters
    ----------
    path : Path
        Made if it is not there.
    experiment : mapping
        All that the rows depend on, as JSON has it.

    Raises
    ------
    InvalidInputError
        If the folder is that of another experiment, or cannot be written.
    """

    def __init__(self, path: Path, experiment: Mapping[str, Any]) -> None:
        self._path = path
        wanted = json.loads(json.dumps(experiment))
        found = self._about()
        if found is None:
            write_whole(path / _ABOUT, (json.dumps(wanted) + "\n").encode())
        elif found != wanted:
            differing = sorted(key for key in found.keys() | wanted.keys() if found.get(key) != wanted.get(key))
            raise InvalidInputError(
                f"{path} holds part of another run, with a different {', '.join(differing)}; "
                "expected to go on with this one: give another output, or remove that folder"
            )

    def _about(self) -> dict[str, Any] | None:
        """The experiment that the folder is of; None for a folder that is empty or not there."""
        if not self._path.exists():
            return None
        try:
            about = parse_json((self._path / _ABOUT).read_text("utf-8"))
        except (OSError, ValueError):
            about = None
        if isinstance(about, dict):
            return about
        if self._path.is_dir() and not any(self._path.iterdir()):
            return None
        raise InvalidInputError(f"expected {self._path} to be missing or to hold part of a run; found something else")

    def parts(self) -> list[tuple[Rows, Seconds]]:
        """What is there already, up to the first gap."""
        parts: list[tuple[Rows, Seconds]] = []
        while (path := self._part(len(parts))).exists():
            seconds = parse_json(path.with_suffix(".json").read_text("utf-8"))
            parts.append((Rows.load(path), seconds))
        return parts

    def add(self, index: int, rows: Rows, seconds: Seconds) -> None:
        """Write the part with an index from 0 on."""
        path = self._part(index)
        write_whole(
            path.with_suffix(".json"), json.dumps(seconds).encode()
        )  # before the rows, which say that it is there
        rows.save(path)

    def _part(self, index: int) -> Path:
        return self._path / f"part_{index:05d}.npz"


def remove_partial(path: Path) -> None:
    """Remove the folder of a `PartialFolder`; files in it that are not of the run stay."""
    for made in [path / _ABOUT, *path.glob("part_*.npz"), *path.glob("part_*.json")]:
        made.unlink(missing_ok=True)
    if path.is_dir() and not any(path.iterdir()):
        path.rmdir()
