"""How kernels come to run in this process: ``OPTCODEC_KERNELS``."""

from __future__ import annotations

import os

from optcodec.errors import InvalidInputError

__all__ = ["mode"]

_MODES = ("native", "plain", "checked")


def mode() -> str:
    """What the environment variable ``OPTCODEC_KERNELS`` says.

    Returns
    -------
    str
        "native", the default: machine code from the cache. "plain": compiled by numba in this process, which takes
        some seconds. "checked": the same, but an index or an address outside of the arrays raises an IndexError, which
        is very slow, and for tests.
    """
    chosen = os.environ.get("OPTCODEC_KERNELS") or _MODES[0]
    if chosen not in _MODES:
        raise InvalidInputError(f"OPTCODEC_KERNELS is {chosen!r}; expected {', '.join(_MODES[:-1])} or {_MODES[-1]}")
    return chosen
