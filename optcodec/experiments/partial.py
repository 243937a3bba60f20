"""A folder with the finished parts of a measurement, from which an interrupted run continues."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from optcodec.errors import InvalidInputError
from optcodec.files import write_whole
from optcodec.jsontext import parse_json

__all__ = ["PartFormat", "PartialFolder", "remove_partial"]

_ABOUT = "experiment.json"

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True)
class PartFormat(Generic[T]):
    """How a part of a measurement is written.

    Parameters
    ----------
    suffix : str
        Of its file; the file is taken as a sign that the part is complete.
    save, load : callable
        Write a part to a path, and read it from there. A part may have more files beside that path, with the same name
        and another suffix; `save` writes them before that of the path itself.
    """

    suffix: str
    save: Callable[[Path, T], None]
    load: Callable[[Path], T]


class PartialFolder(Generic[T]):
    """Folder with parts of a measurement, in the order of its images; a part is written completely or not at all.

    Parameters
    ----------
    path : Path
        Created if it does not exist.
    experiment : mapping
        Everything that the rows depend on, as JSON values.
    form : PartFormat
        How a part is written.

    Raises
    ------
    InvalidInputError
        If the folder belongs to another experiment, or cannot be written.
    """

    def __init__(self, path: Path, experiment: Mapping[str, Any], form: PartFormat[T]) -> None:
        self._path, self._form = path, form
        new = json.loads(json.dumps(experiment))
        old = self._about()
        if old is None:
            write_whole(path / _ABOUT, (json.dumps(new) + "\n").encode())
        elif old != new:
            differing = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
            raise InvalidInputError(
                f"{path} holds part of another run, with other {', '.join(differing)}; "
                "expected part of this run: choose another output, or remove that folder"
            )

    def _about(self) -> dict[str, Any] | None:
        """Experiment of the folder; None if the folder is empty or does not exist."""
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

    def parts(self) -> list[T]:
        """Read the parts that exist, up to the first one that is missing."""
        parts: list[T] = []
        while (path := self._part(len(parts))).exists():
            parts.append(self._form.load(path))
        return parts

    def add(self, index: int, part: T) -> None:
        """Write the part with this index, which counts from 0."""
        self._form.save(self._part(index), part)

    def completed(self, items: Sequence[S], measure: Callable[[Sequence[S]], Iterable[T]]) -> Iterator[T]:
        """Yield the part of each item: first those that exist, then the others, each written before it is yielded.

        Parameters
        ----------
        items : sequence
            What is measured, in the order of the parts.
        measure : callable
            Given the items that have no part yet, yields their parts in order.
        """
        parts = self.parts()
        yield from parts
        for index, part in enumerate(measure(items[len(parts) :]), len(parts)):
            self.add(index, part)
            yield part

    def _part(self, index: int) -> Path:
        return self._path / f"part_{index:05d}{self._form.suffix}"


def remove_partial(path: Path) -> None:
    """Remove the folder of a `PartialFolder`; other files in it stay, and then the folder too."""
    for file in [path / _ABOUT, *path.glob("part_*.npz"), *path.glob("part_*.json")]:
        file.unlink(missing_ok=True)
    if path.is_dir() and not any(path.iterdir()):
        path.rmdir()
