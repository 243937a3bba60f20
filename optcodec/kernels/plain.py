"""Compile kernels with ``numba.njit`` in this process, each at its first call."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from optcodec.errors import OptcodecError
from optcodec.kernels.call import arguments_of, checking
from optcodec.kernels.mode import mode
from optcodec.kernels.signature import Signature

__all__ = ["plain_kernels"]


def plain_kernels(stem: str) -> SimpleNamespace:
    """Return the kernels of ``optcodec/kernels/<stem>.py`` as callables on numpy arrays.

    They accept and refuse the same arguments as those of `optcodec.kernels.native.link`, and have the same results.

    Raises
    ------
    OptcodecError
        If numba is missing or cannot import the kernels. If numba cannot compile a kernel, its callable raises it.
    """
    try:
        from optcodec.kernels.export import compiler_is_off, exports_of

        exports, is_off = exports_of(stem), compiler_is_off()
    except Exception as error:
        raise _not_compiled(f"the {stem} kernels", error) from error
    if is_off:
        raise OptcodecError(f"NUMBA_DISABLE_JIT is set, which leaves the {stem} kernels without a compiler")
    return SimpleNamespace(**{name: _callable(name, *kernel) for name, kernel in exports.items()})


def _callable(name: str, signature: Signature, compiled: Any) -> Callable[..., Any]:
    @functools.cache
    def kernel() -> Callable[..., Any]:
        from optcodec.kernels.export import callable_from_python

        try:
            function: Callable[..., Any] = callable_from_python(signature, compiled)
        except Exception as error:
            raise _not_compiled(f"the kernel {name}", error) from error
        if mode() != "checked":
            return function
        from optcodec.kernels.bounds import raising

        return raising(name, function)

    values = []
    for variable, argument in zip(arguments_of(signature), signature.arguments, strict=True):
        convert = "" if argument.ndim else "float" if argument.dtype.startswith("f") else "index"
        values.append(f"{convert}({variable})" if convert else variable)
    body = [f"return kernel()({', '.join(values)})"]
    return checking(name, signature, body, {"kernel": kernel, "index": operator.index})


def _not_compiled(what: str, error: Exception) -> OptcodecError:
    reason = next(iter(str(error).strip().splitlines()), "no reason given")
    advice = "the numba that pip installs with optcodec can"
    return OptcodecError(f"{what} cannot be compiled by numba here ({type(error).__name__}: {reason}); {advice}")
