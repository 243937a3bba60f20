"""How much memory there is, and taking turns where not all images fit side by side."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Room", "available_nbytes"]

_MEMINFO = Path("/proc/meminfo")
_CGROUPS = (  # limit and use of a container: version 2, version 1
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current"), "inactive_file"),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
        "total_inactive_file",
    ),
)
_SHARE = 0.8  # of what is available; estimates are not exact, and others need some, too


def available_nbytes() -> int | None:
    """Bytes that this process may still take, as far as the system tells: of the machine and of its container."""
    known = [each for each in (_of_machine(), *(_of_cgroup(*files) for files in _CGROUPS)) if each is not None]
    return min(known, default=None)


def _of_machine() -> int | None:
    kib = _entry(_MEMINFO, "MemAvailable:")
    return None if kib is None else 1024 * kib


def _of_cgroup(limit: Path, used: Path, cache: str) -> int | None:
    """Limit less use; the part of the use that caches files is given back when it is needed."""
    try:
        most, taken = int(limit.read_text()), int(used.read_text())
    except (OSError, ValueError):  # no such group, or "max" for no limit
        return None
    return max(0, most - taken + (_entry(limit.with_name("memory.stat"), cache) or 0))


def _entry(path: Path, name: str) -> int | None:
    """The number behind a name in a file of lines such as ``MemAvailable: 123 kB``."""
    try:
        lines = (line.split() for line in path.read_text().splitlines())
        return next((int(words[1]) for words in lines if len(words) > 1 and words[0] == name), None)
    except (OSError, ValueError):
        return None


class Room:
    """Memory that pieces of work share: one waits while what runs leaves too little for it; alone it may always run.

    Parameters
    ----------
    nbytes : int or None
        Memory for all; None if that is not known: then nothing waits.
    """

    def __init__(self, nbytes: int | None) -> None:
        self._most = None if nbytes is None else _SHARE * nbytes
        self._taken = 0
        self._running = 0
        self._changed = threading.Condition()

    @contextmanager
    def taking(self, nbytes: int) -> Iterator[None]:
        """Wait until there is room for so many bytes, and hold them while the block lasts."""
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
