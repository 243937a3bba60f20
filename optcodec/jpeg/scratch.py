"""Work memory that is used again.

Fresh memory of the size of an image costs a page fault for every 4 KiB, which is an eighth of the time it takes to
encode the image. So the larger buffers are kept, and lent again once nobody refers to them any more.
"""

from __future__ import annotations

import os
import sys
import threading

import numpy as np
import numpy.typing as npt

__all__ = ["scratch"]

_SMALL = 1 << 18  # the C library reuses smaller ones by itself
_LARGE = 1 << 27  # larger ones are rare, and too much to keep; most of a buffer is never touched
_KEPT = 16
# Only here does a count of references tell for sure that nobody holds a buffer.
_COUNTED = sys.implementation.name == "cpython" and getattr(sys, "_is_gil_enabled", lambda: True)()
_pool: list[npt.NDArray[np.uint8]] = []
_lock = threading.Lock()
if hasattr(os, "register_at_fork"):  # a child has no thread that could release a lock which is held at the fork
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


def scratch(nbytes: int) -> npt.NDArray[np.uint8]:
    """Memory of undefined content, shape (nbytes,); it is the caller's for as long as any array refers to it."""
    if not (_COUNTED and _SMALL <= nbytes <= _LARGE):
        return np.empty(nbytes, np.uint8)
    with _lock:
        free = sorted(
            (place for place in range(len(_pool)) if _references(place) == _IDLE), key=lambda place: _pool[place].size
        )
        for place in free:
            if _pool[place].size >= nbytes:
                return _pool[place][:nbytes]
        if free and len(_pool) == _KEPT:
            del _pool[free[0]]
        buffer = np.empty(nbytes, np.uint8)
        if len(_pool) < _KEPT:
            _pool.append(buffer)
        return buffer[:]


def _references(place: int) -> int:
    return sys.getrefcount(_pool[place])


_pool.append(np.empty(0, np.uint8))
_IDLE = _references(0)  # what the count is when only the pool refers to a buffer
_pool.clear()
