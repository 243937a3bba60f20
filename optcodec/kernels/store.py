"""The folder with compiled kernels. They are machine code, so files that somebody else may have written are not read.

A file holds the sha256 of its name and its content, a newline, and the content, so that a file that was truncated or
renamed is recognized. The file and the folder must belong to the user or to root, and nobody else may have permission
to write to them; otherwise they are neither read nor repaired.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from pathlib import Path

__all__ = ["FolderError", "cache_folder", "make_folder", "read_object", "write_object"]


class FolderError(Exception):
    """Compiled kernels cannot be stored for other processes; the message says why."""


def cache_folder() -> Path:
    """Return the folder, which need not exist: ``OPTCODEC_CACHE``, or ``optcodec`` in the user's cache folder.

    Raises
    ------
    FolderError
        If the cache folder of the user is unknown, or if somebody else can write to the folder.
    """
    folder = _configured_folder()
    try:
        status = folder.stat()
    except FileNotFoundError:
        return folder
    except OSError as error:
        raise FolderError(f"{folder}: {error.strerror}") from error
    if not stat.S_ISDIR(status.st_mode):
        raise FolderError(f"{folder} is not a folder")
    if _is_foreign(status):
        raise FolderError(f"{folder} belongs to the user {status.st_uid}, and not to {os.geteuid()}")
    if _is_open(status):
        mode = stat.S_IMODE(status.st_mode)
        raise FolderError(f"others than its owner can write to {folder} (mode {mode:04o}, expected 0755 or less)")
    return folder


def make_folder(folder: Path) -> None:
    """Create the folder of `cache_folder`, and check that files can be written to it.

    Raises
    ------
    FolderError
        If the folder cannot be created or written to.
    """
    try:
        for path in (*reversed(folder.parents), folder):
            if not path.exists():
                path.mkdir(mode=0o755, exist_ok=True)  # an umask may allow a group to write
    except OSError as error:
        raise FolderError(f"{error.filename}: {error.strerror}") from error
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise FolderError(f"{folder} cannot be written to")


def read_object(folder: Path, name: str) -> bytes | None:
    """Read the content of a file; None if there is no complete file that only this user or root can have written."""
    flags = [getattr(os, flag, 0) for flag in ("O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_BINARY")]
    try:
        with open(os.open(folder / name, os.O_RDONLY | sum(flags)), "rb") as file:  # noqa: PTH123
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or _is_foreign(status) or _is_open(status):
                return None
            digest, _, content = file.read().partition(b"\n")
    except OSError:
        return None
    return content if digest == _digest(name, content) else None


def write_object(folder: Path, name: str, content: bytes) -> None:
    """Write a file for `read_object`; it appears when it is complete, or not at all.

    Raises
    ------
    FolderError
        If the file cannot be written, for example because the disk is full.
    """
    temporary = folder / f".{os.urandom(8).hex()}.part"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        try:
            with open(os.open(temporary, flags, 0o644), "wb") as file:  # noqa: PTH123
                file.write(_digest(name, content) + b"\n" + content)
            temporary.replace(folder / name)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise FolderError(f"{folder / name}: {error.strerror}") from error


def _digest(name: str, content: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + content).hexdigest().encode()


def _is_foreign(status: os.stat_result) -> bool:
    """Tell whether another user owns a file; root is trusted, who could also change the interpreter."""
    return hasattr(os, "geteuid") and status.st_uid not in (0, os.geteuid())


def _is_open(status: os.stat_result) -> bool:
    """Tell whether other users than the owner may write to a file."""
    return hasattr(os, "geteuid") and bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def _configured_folder() -> Path:
    path = os.environ.get("OPTCODEC_CACHE")
    if path:
        return Path(path)
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else _home() / "AppData" / "Local") / "optcodec"
    if sys.platform == "darwin":
        return _home() / "Library" / "Caches" / "optcodec"
    base = os.environ.get("XDG_CACHE_HOME", "")
    # By the XDG Base Directory Specification, a path that is not absolute is invalid and should be ignored.
    return (Path(base) if os.path.isabs(base) else _home() / ".cache") / "optcodec"  # noqa: PTH117


def _home() -> Path:
    if os.environ.get("HOME") == "":  # then pathlib would return the root folder
        raise FolderError("no home folder is known (HOME is empty)")
    try:
        home = Path.home()
    except RuntimeError as error:  # no HOME and no entry in the list of users, as in many containers
        raise FolderError("no home folder is known") from error
    if not home.is_absolute() or not home.is_dir():
        raise FolderError(f"the home folder {home} does not exist")
    return home
