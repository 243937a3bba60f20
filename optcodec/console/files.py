"""Which files go in, and where they come out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from optcodec.console.streams import STREAM, is_stdout
from optcodec.errors import InvalidInputError
from optcodec.files import check_writable
from optcodec.pictures.opening import IMAGE_SUFFIXES, JPEG_SUFFIXES

__all__ = ["IMAGE_SUFFIXES", "JPEG_SUFFIXES", "Source", "check_jpeg_name", "find_images", "is_jpeg", "place"]


@dataclass(frozen=True)
class Source:
    """An input file, and its name below the output folder (where a folder was given, its tree is kept)."""

    path: Path
    name: Path


def find_images(inputs: Iterable[Path], suffixes: Sequence[str] = IMAGE_SUFFIXES) -> list[Source]:
    """Files as given (``-`` for stdin), and all with one of the suffixes below the folders, sorted; each file once.

    Raises
    ------
    InvalidInputError
        If a folder holds no image. A file that does not exist is found out when it is read.
    """
    found: dict[Path, Source] = {}
    for given in inputs:
        if given == STREAM:
            found[given] = Source(given, Path("stdin"))
            continue
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
        File or folder as given by the user, ``-`` for stdout; None for a place beside each source.
    suffix : str
        Suffix of the results, such as ``".jpg"``.
    folder : bool
        Whether several results are expected, so that ``output`` is a folder.
    force : bool
        Replace an input, and, without ``output``, whatever else is there.

    Raises
    ------
    InvalidInputError
        If a result would replace an input, two results would have the same name, or they cannot be written there.
    """
    if output is None:
        targets = [_beside(source.path, suffix) for source in sources]
    elif is_stdout(output):
        if folder:
            raise InvalidInputError(f"stdout takes one image, got {len(sources)}; expected -o FOLDER")
        return [STREAM]
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
    _check_folders(targets)
    return targets


def _check_folders(targets: Sequence[Path]) -> None:
    """Find out before all the work, once for a folder and not for each file in it, where nothing can be written."""
    checked = targets if len(targets) == 1 else [target for target in targets if not target.is_dir()]
    for target in {target.parent: target for target in reversed(checked)}.values():
        check_writable(target)


def check_jpeg_name(output: Path | None) -> None:
    """Refuse a name for a JPEG file that says that it is another kind of file; one without a suffix is taken.

    Raises
    ------
    InvalidInputError
        If the suffix is another one, unless it is a device or a pipe.
    """
    if output is None or output.suffix.lower() in ("", *JPEG_SUFFIXES) or (output.exists() and not output.is_file()):
        return
    raise InvalidInputError(f"{output}: a JPEG file is written; expected a name with {', '.join(JPEG_SUFFIXES)}")


def _beside(path: Path, suffix: str) -> Path:
    if path == STREAM:
        raise InvalidInputError("stdin has no place beside it for the output; expected -o FILE, or -o - for stdout")
    beside = path.with_suffix(suffix)
    return path.with_suffix(f".opt{suffix}") if beside == path else beside


def _identity(path: Path) -> Path:
    return Path(os.path.realpath(path))


def is_jpeg(source: Path | BinaryIO) -> bool:
    """Whether a file starts like a JPEG file (SOI and the first byte of a marker); False if it cannot be read."""
    try:
        with source.open("rb") if isinstance(source, Path) else nullcontext(source) as file:
            start = file.read(3)
            file.seek(0)  # for who goes on reading
    except OSError:
        return False
    return start == b"\xff\xd8\xff"
