"""Make Python functions that check the types of their arguments and pass them to a compiled kernel."""

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
    """Name the arguments in the source that `checking` generates: ``a0``, ``a1``; the address of ``a0`` is ``p0``."""
    return [f"a{index}" for index in range(len(signature.arguments))]


def checking(name: str, signature: Signature, body: list[str], scope: dict[str, Any]) -> Callable[..., Any]:
    """Make a Python function that checks type and layout of its arrays, then executes the lines of `body`.

    The function is generated as source text without loops: a loop over the arguments would take longer than many
    kernels do.
    """

    def fail(index: int, value: npt.NDArray[Any]) -> None:
        expected = f"kernel {name} expects {signature.arguments[index]}, C-contiguous"
        raise TypeError(f"{expected}; got {value.dtype} of shape {value.shape}")

    names, lines = arguments_of(signature), []
    for index, (variable, argument) in enumerate(zip(names, signature.arguments, strict=True)):
        if argument.ndim:
            char = np.dtype(C_TYPES[argument.dtype][1]).char
            wrong = f"{variable}.dtype.char != {char!r} or {variable}.ndim != {argument.ndim}"
            lines.append(f"if {wrong}: fail({index}, {variable})")
            # This takes a third of the time of `numpy.ndarray.ctypes`, and refuses read-only and strided arrays.
            address = f"addressof(from_buffer({variable})) if {variable}.size else 0"
            if not argument.writable:
                address = f"({address}) if {variable}.flags.writeable else read_only({variable})"
            lines.append(f"p{index} = {address}")
    source = "\n    ".join([f"def {name}({', '.join(names)}):", *lines, *body])
    buffers = {"addressof": ctypes.addressof, "from_buffer": ctypes.c_char.from_buffer}
    namespace = {"fail": fail, "read_only": _read_only_address, **buffers, **scope}
    exec(source, namespace)  # safe: the source has generated names only
    function: Callable[..., Any] = namespace[name]
    return function


def _read_only_address(array: Any) -> int:
    """Return the address of the first element of a read-only array, which must be C-contiguous."""
    if not array.flags.c_contiguous:
        raise TypeError(f"a kernel expects C-contiguous arrays; got strides {array.strides} for shape {array.shape}")
    address: int = array.ctypes.data
    return address
