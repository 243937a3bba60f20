"""End a command early, by a signal or an output that cannot be written, without a traceback or unfinished files."""

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

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
_UNWRITABLE = {getattr(errno, name, errno.EPIPE) for name in ("EPIPE", "ENOSPC", "EDQUOT", "EFBIG", "EIO", "EBADF")}


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGINT (Ctrl-C), SIGTERM and SIGHUP raise `SystemExit`, so that cleanup code removes unfinished files.

    For the command line only: a library must not change signal handlers. The exit status is the same as in a shell, 130
    for SIGINT and 143 for SIGTERM. Signals that are ignored or already have a handler, other than the one of Python
    that raises `KeyboardInterrupt`, stay as they are.
    """
    handlers = {}
    if threading.current_thread() is threading.main_thread():  # no other thread can set handlers
        for number in [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]:
            if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                handlers[number] = signal.signal(number, _end)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def reason_of(error: Exception) -> str | None:
    """One line about an error of files, stdout or memory; None for all others, which are faults of the program."""
    if isinstance(error, MemoryError):
        return "there is not enough memory for this"
    if not isinstance(error, OSError) or error.strerror is None:
        return None
    if error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if error.errno not in _UNWRITABLE:
        return None
    with suppress(OSError, ValueError):
        sys.stdout.close()  # otherwise Python flushes the buffer on exit and reports the same error again
    return f"cannot write to stdout: {error.strerror}"
