"""Find the pictures of a data set: in folders, by patterns, in lists, in tar files, and at the URLs of fsspec."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from optcodec.batch.lists import LIST_SUFFIXES, listed
from optcodec.batch.places import STREAM, Store, Url, explained, filesystem
from optcodec.errors import InvalidInputError
from optcodec.files import PART_START
from optcodec.pictures.opening import IMAGE_SUFFIXES

__all__ = ["Found", "Item", "files_in", "find", "has_suffix", "is_compressed", "is_pattern", "is_shard", "shard_name"]

_SHARD = ".tar"
_COMPRESSED = (".tar.gz", ".tgz")
_MAGIC = "*?["


@dataclass(frozen=True)
class Item:
    """An input file, and its path relative to the output folder; files of an input folder keep their subfolders."""

    source: Store
    name: PurePath


@dataclass(frozen=True)
class Found:
    """The pictures of a data set, its other files, and its tar files; every file is listed once."""

    pictures: list[Item] = field(default_factory=list)
    others: list[Item] = field(default_factory=list)
    shards: list[Item] = field(default_factory=list)

    def without(self, places: Collection[str]) -> Found:
        """What is left without these files."""
        kinds = self.pictures, self.others, self.shards
        return Found(*([item for item in items if str(item.source) not in places] for items in kinds))


def find(inputs: Iterable[Store], left_out: Callable[[Path], bool]) -> Found:
    """Find the files of a command line.

    Parameters
    ----------
    inputs : iterable of Path or Url
        Files; ``-`` for stdin; folders, which stand for all files in them and their subfolders in sorted order;
        patterns such as ``photos/**/*.png``, where no file has that name; tar files; and lists of them
        (`optcodec.batch.lists`). In a folder, and of what fits a pattern, the suffix tells whether a file is a picture.
        The tar files there belong to the data set if there is no picture beside them.
    left_out : callable
        Whether a file is no part of the data set, such as one that the job writes itself.

    Raises
    ------
    InvalidInputError
        If a folder or pattern has no pictures. Whether the other files exist is not checked here.
    """
    found, known = Found(), set[str]()
    for place in inputs:
        for kind, item in _items(place, left_out):
            key = str(item.source.absolute() if isinstance(item.source, Path) else item.source)
            if key not in known:
                known.add(key)
                {"picture": found.pictures, "other": found.others, "shard": found.shards}[kind].append(item)
    return found


def has_suffix(name: PurePath, suffixes: Sequence[str]) -> bool:
    """Whether a name ends in one of these suffixes, which are in lower case; capital letters in the name match, too."""
    return name.suffix.lower() in suffixes


def is_shard(name: PurePath) -> bool:
    """Whether a name is that of a tar file, which may be compressed."""
    return name.name.lower().endswith((_SHARD, *_COMPRESSED))


def is_compressed(name: PurePath) -> bool:
    """Whether a name is that of a compressed tar file."""
    return shard_name(name) != name


def shard_name(name: PurePath) -> PurePath:
    """The name of the new tar file, which is not compressed, since JPEG files are."""
    ends = (suffix for suffix in _COMPRESSED if name.name.lower().endswith(suffix))
    return next((name.with_name(name.name[: -len(suffix)] + _SHARD) for suffix in ends), name)


def files_in(folder: Path) -> list[Path]:
    """All files in a folder and its subfolders, in sorted order."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def is_pattern(place: Store) -> bool:
    """Whether a place is a pattern such as ``photos/*.png``, and no file of that name."""
    return any(sign in str(place) for sign in _MAGIC) and not _exists(place)


def _exists(place: Store) -> bool:
    """Whether there is a file or folder of this name; that of a URL may have a query (``?size=large``)."""
    if isinstance(place, Path):
        return os.path.lexists(place)
    system, path = filesystem(place)
    with explained("read", place):
        return bool(system.exists(path))


def _items(place: Store, left_out: Callable[[Path], bool]) -> Iterator[tuple[str, Item]]:
    """What one argument stands for: pictures, other files and tar files."""
    if place == STREAM:
        yield "picture", Item(place, Path("stdin"))
        return
    files = _files_at(place) if isinstance(place, Url) else _files_below(place)
    if files is None:
        yield from _single(place)
        return
    kept = [item for item in files if not (isinstance(item.source, Path) and left_out(item.source))]
    pictures = [item for item in kept if has_suffix(item.name, IMAGE_SUFFIXES)]
    shards = [item for item in kept if is_shard(item.name)]
    if not pictures and not shards:
        where = "that fit this pattern" if is_pattern(place) else "in this folder"
        raise InvalidInputError(f"{place}: no images {where}; expected {', '.join(IMAGE_SUFFIXES)}")
    kinds = {id(item): "picture" for item in pictures} | ({} if pictures else {id(item): "shard" for item in shards})
    for item in kept:
        if not item.name.name.startswith(PART_START):  # neither a lock nor a file that is not finished
            yield kinds.get(id(item), "other"), item


def _single(place: Store) -> Iterator[tuple[str, Item]]:
    """A file that was named: a list, a tar file, or a picture whatever its suffix."""
    name = PurePosixPath(place.name) if isinstance(place, Url) else Path(place.name)
    if has_suffix(name, LIST_SUFFIXES):
        for source, relative in listed(place):
            yield _kind(relative), Item(source, relative)
    else:
        yield _kind(name), Item(place, name)


def _kind(name: PurePath) -> str:
    return "shard" if is_shard(name) else "picture"


def _files_below(place: Path) -> list[Item] | None:
    """The files in a folder or of a pattern, in sorted order; None for a file."""
    if place.is_dir():
        return [Item(path, path.relative_to(place)) for path in files_in(place)]
    if not is_pattern(place):
        return None
    start = Path(*_before_magic(place.parts[:-1]))
    try:
        paths = sorted(path for path in start.glob(str(place.relative_to(start))) if path.is_file())
    except ValueError as error:
        raise InvalidInputError(f"{place}: expected a pattern such as photos/**/*.png: {error}") from None
    return [Item(path, path.relative_to(start)) for path in paths]


def _files_at(url: Url) -> list[Item] | None:
    """The files in a folder or of a pattern at a URL, in sorted order; None for a file."""
    system, path = filesystem(url)
    with explained("read", url):
        if is_pattern(url):
            names = sorted(name for name in system.glob(path) if not system.isdir(name))
            start = "/".join(_before_magic(path.split("/")[:-1]))
        elif system.isdir(path):
            names, start = sorted(system.find(path)), path
        else:
            return None
    return [_item_at(system, name, start) for name in names]


def _item_at(system: Any, name: str, start: str) -> Item:
    relative = PurePosixPath(name.lstrip("/")).relative_to(start.strip("/"))
    return Item(Url(system.unstrip_protocol(name)), relative)


def _before_magic(parts: Sequence[str]) -> list[str]:
    """The parts of a pattern before the first one with a wildcard."""
    plain: list[str] = []
    for part in parts:
        if any(sign in part for sign in _MAGIC):
            break
        plain.append(part)
    return plain
