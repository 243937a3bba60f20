"""How kernels are compiled in this process: the environment variable ``OPTCODEC_KERNELS``."""

from __future__ import annotations

import os

from optcodec.errors import InvalidInputError

__all__ = ["mode"]

_MODES = ("native", "plain", "checked")


def mode() -> str:
    """Read the environment variable ``OPTCODEC_KERNELS``.

    Returns
    -------
    str
        "native", the default: machine code from the cache. "plain": compiled by numba in this process, which takes
        some seconds. "checked", for tests: like "plain", but an index or an address outside of the arrays raises an
        IndexError, which is very slow.

    Raises
    ------
    InvalidInputError
        If the variable has another value.
    """
    name = os.environ.get("OPTCODEC_KERNELS") or _MODES[0]
    if name not in _MODES:
        raise InvalidInputError(f"OPTCODEC_KERNELS is {name!r}; expected {', '.join(_MODES[:-1])} or {_MODES[-1]}")
    return name
