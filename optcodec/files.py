"""Output files appear whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from optcodec.errors import DiskFullError, InvalidInputError

__all__ = ["check_writable", "whole_file", "write_whole"]

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def write_whole(path: str | os.PathLike[str], data: bytes, *, keep_times: bool = False) -> None:
    """Write a file beside its place and move it there when it is complete; folders above it are made.

    Parameters
    ----------
    path : str or path
        A file that is there is replaced, and its permissions are kept; of a symbolic link, the file that it leads to. A
        device or a pipe is written to.
    data : bytes
        The content.
    keep_times : bool
        A file that is replaced also hands on its times of access and of modification.

    Raises
    ------
    DiskFullError
        If there is no space for it; nothing is left behind.
    InvalidInputError
        If it is not possible for another reason; nothing is left behind.
    """
    with whole_file(path, keep_times=keep_times) as file:
        file.write(data)


@contextmanager
def whole_file(path: str | os.PathLike[str], *, keep_times: bool = False) -> Iterator[BinaryIO]:
    """A file to write to piece by piece, as `write_whole` does it: it takes its place when all went well.

    Parameters
    ----------
    path : str or path
        As for `write_whole`.
    keep_times : bool
        As for `write_whole`.

    Yields
    ------
    binary file
        To be written to. Where an error ends the writing, nothing is left behind.

    Raises
    ------
    DiskFullError, InvalidInputError
        As for `write_whole`.
    """
    path = Path(path)
    try:
        if _is_stream(path):
            with path.open("wb") as file:
                yield file
            return
        place = _behind_links(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        replaced = _status(place)
        part = _new_part(place.parent, 0o666 if replaced is None else 0o600)
        try:
            with part.open("wb") as file:
                yield file
                if replaced is not None:
                    _hand_on(replaced, file, keep_times)
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise _not_written(path, error) from None


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise `InvalidInputError` now if a file could not be written later, after much work; nothing is left behind."""
    path = Path(path)
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        if _is_stream(path):
            return
        folder = _behind_links(path).parent
        while _status(folder) is None:
            folder = folder.parent
        _new_part(folder, 0o600).unlink()
    except OSError as error:
        raise _not_written(path, error) from None


def _is_stream(path: Path) -> bool:
    """Whether something is written to and not replaced: a device, a pipe, and what /dev/stdout stands for."""
    folder = os.path.realpath(path.parent)
    return folder == "/dev" or f"{folder}/".startswith("/proc/") or (path.exists() and not path.is_file())


def _behind_links(path: Path) -> Path:
    """The file that a symbolic link leads to, whether it is there or not; another path as it is."""
    if not path.is_symlink():
        return path
    place = Path(os.path.realpath(path))
    if place.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return place


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _new_part(folder: Path, mode: int) -> Path:
    """A new empty file that is nobody else's: threads, processes and machines may write into one folder at a time.

    Its name is short whatever that of the output is. The umask applies to its mode.
    """
    while True:
        part = folder / f".optcodec-{secrets.token_hex(8)}.part"
        with suppress(FileExistsError):
            os.close(os.open(part, _NEW_FILE, mode))
            return part


def _hand_on(replaced: os.stat_result, file: BinaryIO, keep_times: bool) -> None:
    """Owner, permissions and perhaps times of a file to the one that takes its place."""
    if hasattr(os, "fchown"):
        with suppress(PermissionError):  # only root can give files away
            os.fchown(file.fileno(), replaced.st_uid, replaced.st_gid)
    file.flush()
    if hasattr(os, "fchmod"):
        os.fchmod(file.fileno(), stat.S_IMODE(replaced.st_mode))
    # The old content is gone once the new one takes its place, so that must have reached the disk by then. Where
    # nothing is replaced, its source is still there after a power cut, and waiting for the disk would only take time.
    os.fsync(file.fileno())
    if keep_times:
        os.utime(file.name, ns=(replaced.st_atime_ns, replaced.st_mtime_ns))


def _not_written(path: Path, error: OSError) -> InvalidInputError:
    kind = DiskFullError if error.errno in _FULL else InvalidInputError
    return kind(f"cannot write {path}: {error.strerror}")
