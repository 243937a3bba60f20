"""Scratch memory: large buffers that are reused from one call to the next.

Fresh memory of the size of an image costs a page fault for every 4 KiB, which takes an eighth of the time of encoding
the image. So large buffers are kept in a pool, and used again when no array refers to them any more, for arrays of more
than half their size: what is larger would have to be made anew where it is needed.
"""

from __future__ import annotations

import os
import sys
import threading

import numpy as np
import numpy.typing as npt

__all__ = ["scratch", "scratch_blocks"]

# Sizes in bytes that are pooled. The C library reuses smaller buffers by itself; larger ones are rare, and too large to
# keep. Most of the memory of a buffer is never touched.
_MIN_NBYTES, _MAX_NBYTES = 1 << 18, 1 << 27
_MAX_BUFFERS = 16
# Only with CPython's global interpreter lock does the number of references prove that a buffer is free.
_HAS_EXACT_COUNTS = sys.implementation.name == "cpython" and getattr(sys, "_is_gil_enabled", lambda: True)()
_pool: list[npt.NDArray[np.uint8]] = []
_lock = threading.Lock()
if hasattr(os, "register_at_fork"):  # a child has no thread that could release a lock which is held at the fork
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


def scratch(nbytes: int) -> npt.NDArray[np.uint8]:
    """Return uninitialized memory of shape (nbytes,); it is not reused as long as any array refers to it."""
    if not (_HAS_EXACT_COUNTS and _MIN_NBYTES <= nbytes <= _MAX_NBYTES):
        return np.empty(nbytes, np.uint8)
    with _lock:
        free = sorted(
            (index for index in range(len(_pool)) if _references(index) == _FREE), key=lambda index: _pool[index].size
        )
        for index in free:
            if nbytes <= _pool[index].size < 2 * nbytes:
                return _pool[index][:nbytes]
        if free and len(_pool) == _MAX_BUFFERS:
            del _pool[free[0]]
        buffer = np.empty(nbytes, np.uint8)
        if len(_pool) < _MAX_BUFFERS:
            _pool.append(buffer)
        return buffer[:]


def scratch_blocks(rows: int, columns: int) -> npt.NDArray[np.float32]:
    """Return uninitialized memory for the coefficients of blocks, shape (rows, columns, 8, 8); see `scratch`."""
    return scratch(256 * rows * columns).view(np.float32).reshape(rows, columns, 8, 8)


def _references(index: int) -> int:
    return sys.getrefcount(_pool[index])


_pool.append(np.empty(0, np.uint8))
_FREE = _references(0)  # the number of references when only the pool refers to a buffer
_pool.clear()
