"""Output files appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from optcodec.errors import InvalidInputError

__all__ = ["check_writable", "whole_file", "write_whole"]


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file beside its place and move it there when it is complete; folders above it are made.

    Parameters
    ----------
    path : str or path
        A file that is there is replaced; a device or a pipe is written to.
    data : bytes
        The content.

    Raises
    ------
    InvalidInputError
        If that is not possible; nothing is left behind.
    """
    with whole_file(path) as file:
        file.write(data)


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file to write to piece by piece, as `write_whole` does it: it takes its place when all went well.

    Parameters
    ----------
    path : str or path
        As for `write_whole`.

    Yields
    ------
    binary file
        To be written to. Where an error ends the writing, nothing is left behind.

    Raises
    ------
    InvalidInputError
        If it cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            with path.open("wb") as file:  # a folder says so itself
                yield file
            return
        part = _part(path)
        try:
            with part.open("wb") as file:
                yield file
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise _not_written(path, error) from None


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise `InvalidInputError` now if a file could not be written later, after much work."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _part(path).touch()
        _part(path).unlink()
    except OSError as error:
        raise _not_written(path, error) from None
    if path.is_dir():
        raise InvalidInputError(f"cannot write {path}: it is a folder")


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def _not_written(path: Path, error: OSError) -> InvalidInputError:
    return InvalidInputError(f"cannot write {path}: {error.strerror}")
