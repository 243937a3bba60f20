"""How a command ends before it is done: by a signal, or because nobody takes its output. No traceback, nothing left."""

from __future__ import annotations

import errno
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

__all__ = ["ended_by_signals", "reason_of"]

_SIGNALS = ("SIGTERM", "SIGHUP")
_UNWRITABLE = {getattr(errno, name, errno.EPIPE) for name in ("EPIPE", "ENOSPC", "EDQUOT", "EFBIG", "EIO", "EBADF")}


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let signals that end a process raise `SystemExit`, so that unfinished files are removed on the way out.

    For the command line only: signals are the affair of the program, not of a library. The exit status is that which a
    shell gives, 143 for SIGTERM. A signal that is ignored or handled already stays so.
    """
    taken = {}
    if threading.current_thread() is threading.main_thread():  # no other thread can set handlers
        for number in [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]:
            if signal.getsignal(number) is signal.SIG_DFL:
                taken[number] = signal.signal(number, _end)
    try:
        yield
    finally:
        for number, before in taken.items():
            signal.signal(number, before)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def reason_of(error: Exception) -> str | None:
    """One line about an error that is no fault of the program: of files, of stdout, of memory; None for all others."""
    if isinstance(error, MemoryError):
        return "there is not enough memory for this"
    if not isinstance(error, OSError) or error.strerror is None:
        return None
    if error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if error.errno not in _UNWRITABLE:
        return None
    with suppress(OSError, ValueError):
        sys.stdout.close()  # otherwise Python writes what is left when it ends, and complains again
    return f"cannot write to stdout: {error.strerror}"
