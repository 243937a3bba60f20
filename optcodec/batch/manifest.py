"""The manifest of a job: a line of JSON for each file, written when the file is in its place.

The first line, and one more for each time that the job goes on, has the entry ``run``: the version of optcodec, the
options, and the quantization tables if all pictures share them. All other lines are rows (`optcodec.batch.rows`). The
last row of a source counts.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from optcodec.batch.lock import hold
from optcodec.batch.rows import Row, check_row
from optcodec.errors import InvalidInputError
from optcodec.files import not_written
from optcodec.jsontext import parse_json

__all__ = ["Earlier", "Manifest", "Rows", "begun", "read_earlier"]

_ADDED = {"subsampling": None, "kl": None}  # entries that rows of earlier versions do not have


@dataclass(frozen=True)
class Earlier:
    """What a manifest says.

    Parameters
    ----------
    rows : mapping of str to row
        The last row of each source.
    run : mapping
        What its last line about a run says; empty if there is none yet.
    nbytes : int
        Size of its complete lines.
    cut : int
        Bytes after them, of a line that was not completed.
    """

    rows: Mapping[str, Row] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)
    nbytes: int = 0
    cut: int = 0

    @property
    def outputs(self) -> set[str]:
        """The files that were written, apart from those that replaced their sources."""
        return {row["output"] for row in self.rows.values()} - self.rows.keys()


class Rows(Protocol):
    """Where the rows of a job go, and those of an earlier run."""

    @property
    def earlier(self) -> Earlier:
        """What an earlier run has done."""

    def add(self, *rows: Mapping[str, Any]) -> None:
        """Take rows."""


class Manifest:
    """A manifest that rows are added to, by any number of threads.

    Parameters
    ----------
    path : Path
        Its name, for messages.
    file : binary file
        Opened without a buffer, for reading and writing, its position behind the last complete line.
    earlier : Earlier
        What was in it before.
    """

    def __init__(self, path: Path, file: BinaryIO, earlier: Earlier) -> None:
        self.path, self.earlier = path, earlier
        self._file, self._nbytes, self._lock = file, earlier.nbytes, threading.Lock()

    def add(self, *rows: Mapping[str, Any]) -> None:
        """Write rows: all of them, or none.

        Raises
        ------
        DiskFullError, InvalidInputError
            If they cannot be written.
        """
        lines = "".join(json.dumps(row, ensure_ascii=True, allow_nan=False) + "\n" for row in rows).encode()
        with self._lock:
            try:
                rest = memoryview(lines)
                while rest:
                    rest = rest[self._file.write(rest) :]
            except OSError as error:
                with suppress(OSError):
                    self._file.truncate(self._nbytes)
                    self._file.seek(self._nbytes)
                raise not_written(self.path, error) from None
            self._nbytes += len(lines)

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Compare options, by how they are spelled, with those of an earlier run.

        Raises
        ------
        InvalidInputError
            If there is a difference; the message names the first one.
        """
        before = self.earlier.run.get("options", options)
        for name in dict.fromkeys((*before, *options)):
            was, now = before.get(name), options.get(name)
            if was != now:
                found = f"{self.path} was written with {_spelled(name, was)}, now there is {_spelled(name, now)}"
                raise InvalidInputError(f"{found}; expected the same options, or another manifest")


@contextmanager
def begun(path: Path, *, resume: bool, force: bool) -> Iterator[Manifest]:
    """Open a manifest for the duration of a job, and keep other jobs from it.

    Parameters
    ----------
    path : Path
        Its folder is made if it is missing.
    resume : bool
        Go on with a manifest that exists; a line that was not completed is removed.
    force : bool
        Replace a manifest that exists.

    Raises
    ------
    InvalidInputError
        If it exists and shall neither be resumed nor replaced, is in use, is damaged, or cannot be written.
    """
    if not resume and not force and path.exists():
        raise InvalidInputError(
            f"{path} exists; expected --resume to go on with it, --force to replace it, or another name"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        file: BinaryIO = os.fdopen(descriptor, "r+b", buffering=0)
    except OSError as error:
        raise not_written(path, error) from None
    with file:
        hold(file, path)
        earlier = read_earlier(path) if resume else Earlier()
        try:
            file.truncate(earlier.nbytes)
            file.seek(earlier.nbytes)
        except OSError as error:  # a pipe, or a device
            raise not_written(path, error) from None
        try:
            yield Manifest(path, file, earlier)
        finally:
            with suppress(OSError):
                if path.stat().st_size == 0:  # the job was refused before it began
                    path.unlink()


def read_earlier(path: Path) -> Earlier:
    """Read a manifest that `begun` may go on with.

    Raises
    ------
    InvalidInputError
        If a complete line of it is no row, or the first line does not say how the job was run.
    """
    rows: dict[str, Row] = {}
    run: Mapping[str, Any] = {}
    nbytes = cut = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                cut = len(line)
                break
            entries = _entries(path, number, line)
            if "run" in entries:
                run = entries["run"]
            else:
                rows[entries["source"]] = entries
            nbytes += len(line)
    return Earlier(rows, run, nbytes, cut)


def _spelled(option: str, value: Any) -> str:
    """An option as the user would say it."""
    if value is None:
        return f"no {option}"
    if isinstance(value, dict):
        return f"{option} {value.get('file')} (SHA-256 {str(value.get('sha256'))[:12]})"
    return option if value is True else f"{option} {value}"


def _entries(path: Path, number: int, line: bytes) -> dict[str, Any]:
    """The entries of a line, which is a run or a row; the first one is a run."""
    what = "a line of a manifest of optcodec encode"
    try:
        entries = parse_json(line, what, surrogates=True)
        if not isinstance(entries, dict):
            raise InvalidInputError(f"expected {what}, found {type(entries).__name__}")
        if "run" in entries or number == 1:
            _check_run(entries)
        else:
            entries = {**_ADDED, **entries}
            check_row(entries)
    except InvalidInputError as error:
        raise InvalidInputError(f"{path}, line {number}: {error}") from None
    parsed: dict[str, Any] = entries
    return parsed


def _check_run(entries: Mapping[str, Any]) -> None:
    """Raise `InvalidInputError` if a line does not say how a job was run."""
    from optcodec.jpeg.table_files import from_pillow

    run: dict[str, Any] = entries["run"] if isinstance(entries.get("run"), dict) else {}
    right = run.keys() == {"optcodec", "options", "tables"} and len(entries) == 1
    if not right or not isinstance(run["optcodec"], str) or not isinstance(run["options"], dict):
        raise InvalidInputError("expected the entry run, with a version (optcodec), options and tables")
    tables = run["tables"]
    if tables is None:
        return
    if not isinstance(tables, list) or not tables or not all(isinstance(steps, list) for steps in tables):
        raise InvalidInputError(f"expected as tables a list of lists of 64 steps, found {str(tables)[:40]}")
    from_pillow(tables)
