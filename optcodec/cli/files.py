"""Which files go in, and where they come out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from optcodec.errors import InvalidInputError

__all__ = ["IMAGE_SUFFIXES", "Source", "find_images", "is_jpeg", "place", "read_bytes"]

IMAGE_SUFFIXES = (".bmp", ".gif", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class Source:
    """An input file, and its name below the output folder (where a folder was given, its tree is kept)."""

    path: Path
    name: Path


def find_images(inputs: Iterable[Path], suffixes: Sequence[str] = IMAGE_SUFFIXES) -> list[Source]:
    """Files as given, and all with one of the suffixes below the folders, sorted; each file once.

    Raises
    ------
    InvalidInputError
        If a folder holds no image. A file that does not exist is found out when it is read.
    """
    found: dict[Path, Source] = {}
    for given in inputs:
        if not given.is_dir():
            found.setdefault(given.absolute(), Source(given, Path(given.name)))
            continue
        images = sorted(path for path in given.rglob("*") if path.suffix.lower() in suffixes and path.is_file())
        if not images:
            raise InvalidInputError(f"{given}: no images in this folder; expected {', '.join(suffixes)}")
        for path in images:
            found.setdefault(path.absolute(), Source(path, path.relative_to(given)))
    return list(found.values())


def place(sources: Sequence[Source], output: Path | None, *, suffix: str, folder: bool, force: bool) -> list[Path]:
    """Where each result goes.

    Parameters
    ----------
    sources : sequence of Source
        From `find_images`.
    output : Path or None
        File or folder as given by the user; None for a place beside each source.
    suffix : str
        Suffix of the results, such as ``".jpg"``.
    folder : bool
        Whether several results are expected, so that ``output`` is a folder.
    force : bool
        Replace an input, and, without ``output``, whatever else is there.

    Raises
    ------
    InvalidInputError
        If a result would replace an input or two results would have the same name.
    """
    if output is None:
        targets = [_beside(source.path, suffix) for source in sources]
    elif folder or output.is_dir():
        targets = [output / source.name.with_suffix(suffix) for source in sources]
    else:
        targets = [output]
    taken: dict[Path, Path] = {}
    inputs = {_identity(source.path) for source in sources}
    for source, target in zip(sources, targets, strict=True):
        same = taken.setdefault(_identity(target), source.path)
        if same != source.path:
            raise InvalidInputError(f"{same} and {source.path} would both be written to {target}; expected two names")
        if _identity(target) in inputs and not force:
            raise InvalidInputError(f"{target} is an input; expected another output, or --force to replace it")
        if output is None and target.exists() and not force:
            raise InvalidInputError(f"{target} exists; expected an output named with -o, or --force to replace it")
    return targets


def _beside(path: Path, suffix: str) -> Path:
    beside = path.with_suffix(suffix)
    return path.with_suffix(f".opt{suffix}") if beside == path else beside


def _identity(path: Path) -> Path:
    return Path(os.path.realpath(path))


def read_bytes(path: Path) -> bytes:
    """Content of a file; raises `InvalidInputError` if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"cannot read {path}: {error.strerror}") from None


def is_jpeg(path: Path) -> bool:
    """Whether a file starts like a JPEG file (SOI and the first byte of a marker); False if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(3) == b"\xff\xd8\xff"
    except OSError:
        return False
