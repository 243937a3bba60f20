"""Where pictures come from and go to: files, members of tar files, and the URLs that fsspec knows."""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, TypeAlias, cast

from optcodec.errors import InvalidInputError, OptcodecError
from optcodec.extras import require_packages
from optcodec.files import PART_START, not_written, whole_file
from optcodec.pictures.opening import first_line

__all__ = [
    "STREAM",
    "Member",
    "Place",
    "Store",
    "Url",
    "copied",
    "digest",
    "explained",
    "filesystem",
    "joined",
    "opened",
    "place_of",
    "read",
    "remove_unfinished_at",
    "whole",
]

STREAM = Path("-")  # stdin or stdout on a command line

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_LOCAL = "file://"
_PART_END = ".part"
_SHOW_WHOLE_OBJECTS = {"s3", "gs", "abfs"}  # Amazon S3 and the like, Google Cloud Storage, Azure Blob Storage
_PIECE_NBYTES = 1 << 20  # that are read at once to be hashed
_IN_MEMORY_NBYTES = 1 << 26  # of a file that is written to a URL; a larger one, such as a shard, goes through a file


@dataclass(frozen=True)
class Url:
    """A file or folder that fsspec reaches, such as ``s3://bucket/photos``."""

    text: str

    def __str__(self) -> str:
        return self.text

    @property
    def name(self) -> str:
        """The last part of the path."""
        return PurePosixPath(self.text).name


@dataclass(frozen=True)
class Member:
    """A file in a tar file: its name there, and where its bytes are.

    `unpacked` is a file with the content of a tar file that is compressed or far away.
    """

    shard: Store
    name: str
    start: int
    nbytes: int
    unpacked: Path | None = None

    def __str__(self) -> str:
        return f"{self.shard}/{self.name}"


Store: TypeAlias = Path | Url  # what can be written to
Place: TypeAlias = Path | Url | Member


def place_of(text: str) -> Store:
    """The path or URL that a text stands for; ``file://`` stands for a path. No text would mean the current folder."""
    if not text.removeprefix(_LOCAL):
        raise InvalidInputError(f"expected a file, a folder or a URL, got {text!r}")
    if text.startswith(_LOCAL):
        return Path(text.removeprefix(_LOCAL))
    return Url(text.rstrip("/")) if _SCHEME.match(text) else Path(text)


def filesystem(url: Url) -> tuple[Any, str]:
    """The file system of a URL, and the path in it.

    Raises
    ------
    InvalidInputError
        If fsspec, or the package that it needs for this kind of URL, is missing, or it does not know the kind.
    """
    require_packages("fsspec")
    import fsspec

    with explained("open", url):
        found: tuple[Any, str] = fsspec.core.url_to_fs(url.text)
    return found


def joined(folder: Store, name: PurePath) -> Store:
    """The place of this relative name in a folder."""
    return folder / name if isinstance(folder, Path) else Url(f"{folder.text.rstrip('/')}/{name.as_posix()}")


@contextmanager
def opened(place: Store) -> Iterator[BinaryIO]:
    """Open a file for reading; it can be read in any order.

    Raises
    ------
    InvalidInputError
        If it cannot be opened; also in place of an `OSError` within the block.
    """
    if isinstance(place, Path):
        try:
            with place.open("rb") as file:
                yield file
        except OSError as error:
            raise InvalidInputError(f"cannot read {place}: {error.strerror or first_line(error)}") from None
        return
    system, path = filesystem(place)
    with explained("read", place), system.open(path, "rb") as file:
        yield file


def read(place: Place) -> bytes:
    """The content of a file; raises `InvalidInputError` if it cannot be read."""
    if not isinstance(place, Member):
        with opened(place) as file:
            return file.read()
    content = _part(place.unpacked or place.shard, place.start, place.nbytes)
    if len(content) < place.nbytes:
        raise InvalidInputError(f"{place}: expected {place.nbytes:,} bytes, the tar file ends after {len(content):,}")
    return content


def _part(place: Store, start: int, nbytes: int) -> bytes:
    """So many bytes of a file, or less at its end."""
    if isinstance(place, Url):  # exactly these: an open file would read on for megabytes
        system, path = filesystem(place)
        with explained("read", place):
            content: bytes = system.cat_file(path, start=start, end=start + nbytes) if nbytes else b""
        return content
    with opened(place) as file:
        file.seek(start)
        return file.read(nbytes)


def digest(place: Place | bytes) -> tuple[int, str] | None:
    """Size in bytes and SHA-256 of a file or of its content; None if it cannot be read."""
    try:
        if isinstance(place, (Path, Url)):
            with opened(place) as file:
                counted = hashlib.sha256()
                while piece := file.read(_PIECE_NBYTES):
                    counted.update(piece)
                return file.tell(), counted.hexdigest()
        content = place if isinstance(place, bytes) else read(place)
    except InvalidInputError:
        return None
    return len(content), hashlib.sha256(content).hexdigest()


def copied(source: Store, target: Store) -> tuple[int, str]:
    """Copy a file of any size; returns its size in bytes and its SHA-256.

    Raises
    ------
    DiskFullError, InvalidInputError
        As of `opened` and `whole`.
    """
    nbytes, counted = 0, hashlib.sha256()
    with opened(source) as file, whole(target) as new:
        while piece := file.read(_PIECE_NBYTES):
            nbytes += new.write(piece)
            counted.update(piece)
    return nbytes, counted.hexdigest()


@contextmanager
def whole(place: Store, *, keep_times: bool = False) -> Iterator[BinaryIO]:
    """Open a file for writing; it appears when the block ends normally, complete, or not at all.

    Parameters
    ----------
    place : Path or Url
        Missing folders are created.
    keep_times : bool
        As of `optcodec.files.whole_file`; without effect on URLs.

    Raises
    ------
    DiskFullError
        If there is no space for it.
    InvalidInputError
        If it cannot be written for another reason.
    """
    if isinstance(place, Path):
        with whole_file(place, keep_times=keep_times) as file:
            yield file
        return
    system, path = filesystem(place)
    with SpooledTemporaryFile(max_size=_IN_MEMORY_NBYTES) as content:
        yield cast(BinaryIO, content)
        content.seek(0)
        with explained("write", place):
            system.makedirs(path.rpartition("/")[0], exist_ok=True)
            if _shows_whole_objects(system):
                _send(system, path, cast(BinaryIO, content))
            else:
                _send_and_rename(system, path, cast(BinaryIO, content))


def remove_unfinished_at(folder: Url) -> None:
    """Remove files in a folder that a process which was killed could not finish; no other may be writing there."""
    system, path = filesystem(folder)
    if not _shows_whole_objects(system):
        with explained("read", folder):
            for part in system.glob(f"{path}/{PART_START}*{_PART_END}"):
                system.rm_file(part)


def _send(system: Any, path: str, content: BinaryIO) -> None:
    """Write an object of a store, in one request, or in parts that appear when they are committed."""
    if content.seek(0, 2) <= _IN_MEMORY_NBYTES:
        content.seek(0)
        system.pipe_file(path, content.read())
        return
    content.seek(0)
    file = system.open(path, "wb", autocommit=False)
    try:
        shutil.copyfileobj(content, file)
        file.close()
    except BaseException:
        with suppress(Exception):  # what went wrong first is what the user has to know
            file.discard()
        raise
    file.commit()


def _send_and_rename(system: Any, path: str, content: BinaryIO) -> None:
    """Write a file of another name, and rename it when it is complete."""
    part = f"{path.rpartition('/')[0]}/{PART_START}{secrets.token_hex(8)}{_PART_END}"
    try:
        with system.open(part, "wb") as file:
            shutil.copyfileobj(content, file)
        system.mv(part, path)
    except BaseException:
        with suppress(Exception):
            system.rm_file(part)
        raise


def _shows_whole_objects(system: Any) -> bool:
    """Whether what is written to a file system of fsspec appears when it is complete."""
    protocols = {system.protocol} if isinstance(system.protocol, str) else set(system.protocol)  # such as s3 and s3a
    return bool(protocols & _SHOW_WHOLE_OBJECTS)


@contextmanager
def explained(verb: str, url: Url) -> Iterator[None]:
    """Turn whatever a file system of fsspec raises into an error of ours that names the URL.

    Parameters
    ----------
    verb : str
        What cannot be done then, such as "read".
    url : Url
        For the message.

    Raises
    ------
    DiskFullError
        If there is no space, and the verb is "write".
    InvalidInputError
        In place of all other errors, apart from our own and `MemoryError`.
    """
    try:
        yield
    except (OptcodecError, MemoryError):
        raise
    except Exception as error:  # each file system has errors of its own
        if verb == "write" and isinstance(error, OSError) and error.strerror:
            raise not_written(url, error) from None
        missing = isinstance(error, FileNotFoundError)
        raise InvalidInputError(f"cannot {verb} {url}: {'no such file' if missing else first_line(error)}") from None
