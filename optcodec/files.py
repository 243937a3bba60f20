"""Write output files so that they appear complete, or not at all."""

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

__all__ = ["PART_START", "check_writable", "not_written", "remove_unfinished", "whole_file", "write_whole"]

PART_START = ".optcodec-"  # of the names of files that are not finished yet

_DISK_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_PART_END = ".part"
_NEW_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def write_whole(path: str | os.PathLike[str], data: bytes, *, keep_times: bool = False) -> None:
    """Write a file: first to a temporary file in the same folder, which is moved to `path` when it is complete.

    Missing folders are created. If writing fails, no temporary file is left behind.

    Parameters
    ----------
    path : str or path
        An existing file is replaced, and its permissions are kept. If it is a symbolic link, its target is replaced. A
        device or a pipe is written to directly.
    data : bytes
        Content of the file.
    keep_times : bool
        Also keep the access and modification time of a file that is replaced.

    Raises
    ------
    DiskFullError
        If the disk is full.
    InvalidInputError
        If the file cannot be written for another reason.
    """
    with whole_file(path, keep_times=keep_times) as file:
        file.write(data)


@contextmanager
def whole_file(path: str | os.PathLike[str], *, keep_times: bool = False) -> Iterator[BinaryIO]:
    """Open a file for writing piece by piece; like `write_whole`, it appears at `path` when the block ends normally.

    Parameters
    ----------
    path : str or path
        As for `write_whole`.
    keep_times : bool
        As for `write_whole`.

    Yields
    ------
    binary file
        The file to write to. If the block ends with an error, nothing is left behind.

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
        target = _link_target(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        replaced = _status(target)
        temporary = _temporary_file(target.parent, 0o666 if replaced is None else 0o600)
        try:
            with temporary.open("wb") as file:
                yield file
                if replaced is not None:
                    _copy_attributes(replaced, file, keep_times)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise not_written(path, error) from None


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise `InvalidInputError` if a file cannot be written, before the work that makes its content begins.

    Nothing is left behind.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        if _is_stream(path):
            return
        folder = _link_target(path).parent
        while _status(folder) is None:
            folder = folder.parent
        _temporary_file(folder, 0o600).unlink()
    except OSError as error:
        raise not_written(path, error) from None


def remove_unfinished(folder: Path, *, before: float) -> None:
    """Remove files that a process that was killed could not finish.

    Parameters
    ----------
    folder : Path
        Where they are; its subfolders are not searched.
    before : float
        Time in seconds since the epoch. Files that were written to later, perhaps by a process that runs, stay.
    """
    for path in folder.glob(f"{PART_START}*{_PART_END}"):
        with suppress(OSError):
            if path.stat().st_mtime < before:
                path.unlink()


def _is_stream(path: Path) -> bool:
    """Tell whether a path is written to directly instead of being replaced: a device, a pipe, or ``/dev/stdout``."""
    folder = os.path.realpath(path.parent)
    return folder == "/dev" or f"{folder}/".startswith("/proc/") or (path.exists() and not path.is_file())


def _link_target(path: Path) -> Path:
    """Follow symbolic links to the file that they lead to, which need not exist; return any other path as it is."""
    if not path.is_symlink():
        return path
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return target


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _temporary_file(folder: Path, mode: int) -> Path:
    """Create an empty file with a random name, since threads, processes and machines may write to the same folder.

    The name does not depend on that of the output file, which may be too long to be extended. The umask applies to
    `mode`.
    """
    while True:
        path = folder / f"{PART_START}{secrets.token_hex(8)}{_PART_END}"
        with suppress(FileExistsError):
            os.close(os.open(path, _NEW_FILE_FLAGS, mode))
            return path


def _copy_attributes(replaced: os.stat_result, file: BinaryIO, keep_times: bool) -> None:
    """Copy owner, permissions and perhaps times from the file that will be replaced to the new one."""
    if hasattr(os, "fchown"):
        with suppress(PermissionError):  # only root may change the owner
            os.fchown(file.fileno(), replaced.st_uid, replaced.st_gid)
    file.flush()
    if hasattr(os, "fchmod"):
        os.fchmod(file.fileno(), stat.S_IMODE(replaced.st_mode))
    # The old content is lost when the new file replaces it, so the new content must have reached the disk before. If no
    # file is replaced, there is no need to wait for the disk: after a power cut, the source of the output still exists.
    os.fsync(file.fileno())
    if keep_times:
        os.utime(file.name, ns=(replaced.st_atime_ns, replaced.st_mtime_ns))


def not_written(path: object, error: OSError) -> InvalidInputError:
    """The error of a file that cannot be written, with the reason: a `DiskFullError` if there is no space for it."""
    error_class = DiskFullError if error.errno in _DISK_FULL else InvalidInputError
    return error_class(f"cannot write {path}: {error.strerror}")
