"""One job at a time for an output folder or a manifest; the lock of a process that is dead does not count."""

from __future__ import annotations

import errno
import json
import os
import secrets
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from optcodec.batch.places import Store, Url, explained, filesystem, joined
from optcodec.errors import InvalidInputError
from optcodec.files import PART_START, not_written

__all__ = ["hold", "lock_of", "locked"]

_NAME = f"{PART_START}lock"
_WITHOUT_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}


@contextmanager
def locked(output: Store, *, folder: bool = True) -> Iterator[None]:
    """Keep other jobs from an output while the block runs.

    Locally the system releases the lock of a process that ends, in whatever way. At a URL the lock is a file with the
    process and the machine; that of a process of this machine that no longer runs is taken over. Where the store
    creates a file only if it is not there yet (Amazon S3 and Google Cloud Storage do), two jobs that begin in the same
    moment cannot both have the lock; elsewhere that is not certain.

    Parameters
    ----------
    output : Path or Url
        A folder, which is made if it is missing; or, with ``folder=False``, a file.

    Raises
    ------
    InvalidInputError
        If another job holds the lock, or it cannot be written.
    """
    path = lock_of(output, folder=folder)
    if isinstance(path, Url):
        with _locked_at(path, output):
            yield
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = _newest(path, output)
    except OSError as error:
        raise not_written(path, error) from None
    try:
        yield
    finally:
        with suppress(OSError):  # while it is still held, so that nobody takes a lock whose file is gone
            path.unlink()
        file.close()


def lock_of(output: Store, *, folder: bool = True) -> Store:
    """The file that `locked` writes while it keeps other jobs from an output."""
    name = _NAME if folder else f"{_NAME}-{output.name}"
    if isinstance(output, Url):
        return joined(Url(output.text if folder else output.text.rpartition("/")[0]), Path(name))
    return output / name if folder else output.with_name(name)


def hold(file: BinaryIO, output: object) -> None:
    """Lock an open file until it is closed.

    Warns
    -----
    UserWarning
        If its file system has no locks.

    Raises
    ------
    InvalidInputError
        If another process holds it; `output` says what cannot be used then.
    """
    try:
        _hold(file)
    except OSError as error:
        if error.errno in _WITHOUT_LOCKS:
            reason = "the file system has no locks; make sure that no other job writes there"
            warnings.warn(f"{output}: {reason}", UserWarning, stacklevel=2)
            return
        with suppress(OSError):
            file.seek(0)
        raise _in_use(output, _holder(file.read(1000))) from None


def _newest(path: Path, output: object) -> BinaryIO:
    """Open and lock a file, which is still there when it is locked: the holder before removes it when it ends."""
    while True:
        file = path.open("a+b")
        try:
            hold(file, output)
            with suppress(FileNotFoundError):
                if os.path.samestat(path.stat(), os.fstat(file.fileno())):
                    file.truncate(0)
                    file.write(_about_this_process())
                    file.flush()
                    return file
        except BaseException:
            file.close()
            raise
        file.close()


def _hold(file: BinaryIO) -> None:
    """Lock a file without waiting; raises `OSError` if it is locked."""
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def _locked_at(lock: Url, output: object) -> Iterator[None]:
    """A lock at a URL: a file that says who holds it."""
    system, path = filesystem(lock)
    content, remedy = _about_this_process(job=secrets.token_hex(8)), f"; delete {lock} if that job no longer runs"
    with explained("write", lock):
        system.makedirs(path.rpartition("/")[0], exist_ok=True)
        system.invalidate_cache(path)  # a listing that was made before another job began
        if system.exists(path):
            holder = _holder(_content(system, path))
            if holder.get("machine") != socket.gethostname() or _runs(holder.get("process")):
                raise _in_use(output, holder, remedy)
            system.rm_file(path)
        found = _created(system, path, content)
        if found != content:
            raise _in_use(output, _holder(found), remedy)
    try:
        yield
    finally:
        with suppress(Exception):  # what ended the job matters more
            system.rm_file(path)


def _created(system: Any, path: str, content: bytes) -> bytes:
    """Create a file with some content, unless there is one; what is in the file then.

    That may be our content after an error, too: a request whose answer is lost is sent again, and meets its own file.
    """
    try:
        system.pipe_file(path, content, mode="create")
        return content
    except (NotImplementedError, TypeError, ValueError):  # of file systems that do not know this mode
        system.pipe_file(path, content)
    except OSError as error:  # FileExistsError, or what a client makes of the answer of its store
        if error.errno in _WITHOUT_LOCKS:
            system.pipe_file(path, content)
        elif not system.exists(path):
            raise
    return _content(system, path)


def _content(system: Any, path: str) -> bytes:
    """What is in a file; nothing if it is gone."""
    with suppress(FileNotFoundError):
        content: bytes = system.cat_file(path)
        return content
    return b""


def _about_this_process(**more: str) -> bytes:
    return json.dumps({"process": os.getpid(), "machine": socket.gethostname(), **more}).encode()


def _holder(content: bytes) -> dict[str, Any]:
    """Who holds a lock, from its file; nothing if the file does not say."""
    with suppress(ValueError):
        holder = json.loads(content)
        if isinstance(holder, dict):
            return holder
    return {}


def _runs(process: object) -> bool:
    """Whether a process of this machine runs; True where that cannot be found out."""
    if os.name != "posix" or not isinstance(process, int) or process <= 0:
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _in_use(output: object, holder: dict[str, Any], remedy: str = "") -> InvalidInputError:
    who = f" (process {holder['process']} on {holder.get('machine')})" if "process" in holder else ""
    return InvalidInputError(f"{output} is in use by another job{who}; expected one job at a time{remedy}")
