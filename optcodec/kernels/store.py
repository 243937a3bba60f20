"""The folder that keeps compiled kernels, which are machine code: nothing is read that somebody else can have written.

A file holds the sha256 of its name and its content, a newline, and the content. So one that was cut, or put in the
place of another, is told. It must belong to the user or to root, as must the folder, and nobody else may write to
either; what is not so is neither read nor repaired.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from pathlib import Path

__all__ = ["FolderError", "cache_folder", "keep", "kept", "make_folder"]


class FolderError(Exception):
    """Kernels cannot be kept between two processes; the message says why."""


def cache_folder() -> Path:
    """The folder, which need not exist: ``OPTCODEC_CACHE``, or ``optcodec`` among the caches of the user.

    Raises
    ------
    FolderError
        If no such folder is known, or if somebody else can write to it.
    """
    folder = _place()
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
    """Have the folder of `cache_folder` there, ready for new files.

    Raises
    ------
    FolderError
        If it cannot be made or written to.
    """
    try:
        for part in (*reversed(folder.parents), folder):
            if not part.exists():
                part.mkdir(mode=0o755, exist_ok=True)  # not by the umask, which may let a group write
    except OSError as error:
        raise FolderError(f"{error.filename}: {error.strerror}") from error
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise FolderError(f"{folder} cannot be written to")


def kept(folder: Path, name: str) -> bytes | None:
    """Content of a file; None where there is no whole file that only this user, or root, can have written."""
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


def keep(folder: Path, name: str, content: bytes) -> None:
    """Write a file that `kept` reads, whole or not at all.

    Raises
    ------
    FolderError
        If it cannot be written, as on a full disk.
    """
    part = folder / f".{os.urandom(8).hex()}.part"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        try:
            with open(os.open(part, flags, 0o644), "wb") as file:  # noqa: PTH123
                file.write(_digest(name, content) + b"\n" + content)
            part.replace(folder / name)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise FolderError(f"{folder / name}: {error.strerror}") from error


def _digest(name: str, content: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + content).hexdigest().encode()


def _is_foreign(status: os.stat_result) -> bool:
    """Whether somebody else owns it. Root does not count, who can change the interpreter itself."""
    return hasattr(os, "geteuid") and status.st_uid not in (0, os.geteuid())


def _is_open(status: os.stat_result) -> bool:
    """Whether others than the owner may write to it."""
    return hasattr(os, "geteuid") and bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def _place() -> Path:
    chosen = os.environ.get("OPTCODEC_CACHE")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else _home() / "AppData" / "Local") / "optcodec"
    if sys.platform == "darwin":
        return _home() / "Library" / "Caches" / "optcodec"
    base = os.environ.get("XDG_CACHE_HOME", "")
    # the XDG Base Directory Specification: "All paths set in these environment variables must be absolute", or ignored
    return (Path(base) if os.path.isabs(base) else _home() / ".cache") / "optcodec"  # noqa: PTH117


def _home() -> Path:
    if os.environ.get("HOME") == "":  # for which pathlib gives the root folder
        raise FolderError("no home folder is known (HOME is empty)")
    try:
        home = Path.home()
    except RuntimeError as error:  # neither HOME nor an entry among the users, as in many a container
        raise FolderError("no home folder is known") from error
    if not home.is_absolute() or not home.is_dir():
        raise FolderError(f"the home folder {home} does not exist")
    return home
