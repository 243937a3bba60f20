"""Python functions that check their arrays and hand them to a compiled kernel."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from optcodec.kernels.signature import Signature

__all__ = ["C_TYPES", "arguments_of", "checking"]

C_TYPES: dict[str, tuple[Any, type[np.generic]]] = {
    "u8": (ctypes.c_uint8, np.uint8),
    "i16": (ctypes.c_int16, np.int16),
    "u16": (ctypes.c_uint16, np.uint16),
    "i32": (ctypes.c_int32, np.int32),
    "u32": (ctypes.c_uint32, np.uint32),
    "i64": (ctypes.c_int64, np.int64),
    "u64": (ctypes.c_uint64, np.uint64),
    "f32": (ctypes.c_float, np.float32),
    "f64": (ctypes.c_double, np.float64),
}


def arguments_of(signature: Signature) -> list[str]:
    """Names of the arguments in the text of `checking`: ``a0``, ``a1``; the address of an array ``a0`` is ``p0``."""
    return [f"a{index}" for index in range(len(signature.arguments))]


def checking(name: str, signature: Signature, body: list[str], scope: dict[str, Any]) -> Callable[..., Any]:
    """Python function that checks type and layout of its arrays, and then does what the lines of `body` say.

    Its text has no loops: one over the arguments would cost more than many a kernel takes.
    """

    def fail(index: int, value: npt.NDArray[Any]) -> None:
        expected = f"kernel {name} expects {signature.arguments[index]}, C-contiguous"
        raise TypeError(f"{expected}; got {value.dtype} of shape {value.shape}")

    names, lines = arguments_of(signature), []
    for index, (value, argument) in enumerate(zip(names, signature.arguments, strict=True)):
        if argument.ndim:
            kind = np.dtype(C_TYPES[argument.dtype][1]).char
            wrong = f"{value}.dtype.char != {kind!r} or {value}.ndim != {argument.ndim}"
            lines.append(f"if {wrong}: fail({index}, {value})")
            lines.append(f"p{index} = {'writable' if argument.writable else 'readable'}({value})")
    source = "\n    ".join([f"def {name}({', '.join(names)}):", *lines, *body])
    known = {"fail": fail, "readable": _address, "writable": _writable_address, **scope}
    exec(source, known)  # the text is made of generated names only
    function: Callable[..., Any] = known[name]
    return function


def _writable_address(array: Any) -> int:
    """Address of the first element; refuses arrays that are read-only or not C-contiguous.

    A third of the time of `numpy.ndarray.ctypes`.
    """
    return ctypes.addressof(ctypes.c_char.from_buffer(array)) if array.size else 0


def _address(array: Any) -> int:
    """Address of the first element of an array that need not be writable."""
    flags = array.flags
    if flags.writeable:
        return _writable_address(array)
    if not flags.c_contiguous:
        raise TypeError(f"a kernel expects C-contiguous arrays; got strides {array.strides} for shape {array.shape}")
    address: int = array.ctypes.data
    return address
