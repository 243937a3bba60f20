"""Make a failing input smaller: take out what is not needed for it to fail in the same way."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["shrunk"]

_TRIES = 400


def shrunk(data: bytes, fails: Callable[[bytes], bool], *, tries: int = _TRIES) -> bytes:
    """The input without parts that it fails without: halves first, then ever smaller ones.

    Parameters
    ----------
    data : bytes
        An input that fails.
    fails : callable
        Whether another input fails in the same way.
    tries : int
        Inputs that are tried at most.
    """
    size = len(data) // 2
    while size and tries > 0:
        place = 0
        while place < len(data) and tries > 0:
            shorter = data[:place] + data[place + size :]
            tries -= 1
            if fails(shorter):
                data = shorter
            else:
                place += size
        size //= 2
    return data
