"""Arrays that end, or begin, at memory that may not be touched: one byte too far, and the process dies of it."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt

from optcodec.kernels import load

__all__ = ["Guard", "guarded_kernels"]

_PROT_NONE = 0  # mprotect(2); the module mmap has no name for it
_libc = ctypes.CDLL(None, use_errno=True)


class Guard:
    """Memory between two pages without access.

    Parameters
    ----------
    at_end : bool
        Whether arrays end right before the upper page, or begin right behind the lower one.
    """

    def __init__(self, at_end: bool) -> None:
        self._at_end = at_end
        self._memory, self._nbytes = _between_pages(1)

    def copy(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The array at the border, C-contiguous; a copy before it is overwritten."""
        if array.nbytes > self._nbytes:
            self._memory, self._nbytes = _between_pages(2 * array.nbytes)
        first = mmap.PAGESIZE + (self._nbytes - array.nbytes if self._at_end else 0)
        placed = np.frombuffer(self._memory, array.dtype, array.size, first).reshape(array.shape)
        placed[...] = array
        return placed


def _between_pages(nbytes: int) -> tuple[mmap.mmap, int]:
    """Memory with a page without access at each side, and how many bytes are between them."""
    inner = -(-nbytes // mmap.PAGESIZE) * mmap.PAGESIZE
    memory = mmap.mmap(-1, inner + 2 * mmap.PAGESIZE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for address in (start, start + mmap.PAGESIZE + inner):
        if _libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(mmap.PAGESIZE), _PROT_NONE):
            raise OSError(ctypes.get_errno(), "mprotect failed")
    return memory, inner


@contextmanager
def guarded_kernels(stems: tuple[str, ...], guards: list[Guard]) -> Iterator[None]:
    """Within, each array that a kernel of these files takes lies at a border of its own; results are copied back.

    Arrays whose addresses are within other arrays (coefficients that are written) are the caller's to place.

    Parameters
    ----------
    stems : tuple of str
        Files of kernels.
    guards : list of Guard
        One for each argument, more than any kernel has.
    """
    with ExitStack() as stack:
        for stem in stems:
            kernels = load(stem)
            for name, kernel in list(vars(kernels).items()):
                stack.enter_context(mock.patch.object(kernels, name, _guarded(kernel, guards)))
        yield


def _guarded(kernel: Callable[..., Any], guards: list[Guard]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        placed = [
            guard.copy(value) if isinstance(value, np.ndarray) else value
            for guard, value in zip(guards, arguments, strict=False)
        ]
        assert len(placed) == len(arguments)
        result = kernel(*placed)
        for copy, value in zip(placed, arguments, strict=True):
            if isinstance(value, np.ndarray) and value.flags.writeable:
                value[...] = copy
        return result

    return call
