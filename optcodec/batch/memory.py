"""Find the available memory, and let threads wait for their share of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Room", "available_nbytes"]

_MEMINFO = Path("/proc/meminfo")
_CGROUPS = (  # limit and use of a container, and the entry of its file cache: control groups version 2, version 1
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current"), "inactive_file"),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
        "total_inactive_file",
    ),
)
_SHARE = 0.8  # part of the available memory to use: estimates are not exact, and other processes need memory too


def available_nbytes() -> int | None:
    """Bytes that this process can still use, limited by machine and container; None if the system does not tell."""
    limits = (_of_machine(), *(_of_cgroup(*files) for files in _CGROUPS))
    return min((nbytes for nbytes in limits if nbytes is not None), default=None)


def _of_machine() -> int | None:
    kib = _entry(_MEMINFO, "MemAvailable:")
    return None if kib is None else 1024 * kib


def _of_cgroup(limit: Path, used: Path, cache: str) -> int | None:
    """Limit minus use, in bytes; file cache counts as available, since the system frees it on demand."""
    try:
        limit_nbytes, used_nbytes = int(limit.read_text()), int(used.read_text())
    except (OSError, ValueError):  # no such group, or "max" for no limit
        return None
    return max(0, limit_nbytes - used_nbytes + (_entry(limit.with_name("memory.stat"), cache) or 0))


def _entry(path: Path, name: str) -> int | None:
    """The number after a name in a file of lines such as ``MemAvailable: 123 kB``."""
    try:
        lines = (line.split() for line in path.read_text().splitlines())
        return next((int(words[1]) for words in lines if len(words) > 1 and words[0] == name), None)
    except (OSError, ValueError):
        return None


class Room:
    """Memory that several threads share. A thread waits until enough is free; a thread that runs alone never waits.

    Parameters
    ----------
    nbytes : int or None
        Memory for all threads; None if it is not known, and then no thread waits.
    """

    def __init__(self, nbytes: int | None) -> None:
        self._most = None if nbytes is None else _SHARE * nbytes
        self._taken = 0
        self._running = 0
        self._changed = threading.Condition()

    @contextmanager
    def taking(self, nbytes: int) -> Iterator[None]:
        """Wait until so many bytes are free, and reserve them inside the ``with`` block."""
        with self._changed:
            self._changed.wait_for(lambda: not self._running or self._fits(nbytes))
            self._running, self._taken = self._running + 1, self._taken + nbytes
        try:
            yield
        finally:
            with self._changed:
                self._running, self._taken = self._running - 1, self._taken - nbytes
                self._changed.notify_all()

    def _fits(self, nbytes: int) -> bool:
        return self._most is None or self._taken + nbytes <= self._most
