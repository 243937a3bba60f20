"""Load the kernels as machine code, without numba.

Importing numba and unpickling its own cache takes longer than encoding a small picture. So each file of kernels is
compiled once to an ordinary object file (`optcodec.kernels.export`), kept in a cache (`optcodec.kernels.cache`), and
loaded from there through llvmlite.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from optcodec.kernels.cache import Object, objects
from optcodec.kernels.signature import Signature
from optcodec.kernels.target import llvm_binding, target_machine

__all__ = ["load", "prepare"]

_TYPES: dict[str, tuple[Any, type[np.generic]]] = {
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
_engines: list[Any] = []  # machine code lives as long as the process
_objects: dict[str, Object] = {}
_lock = threading.RLock()
if hasattr(os, "register_at_fork"):  # a child has no thread that could release a lock which is held at the fork
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


def load(stem: str) -> SimpleNamespace:
    """Give the kernels of ``optcodec/kernels/<stem>.py`` as callables on numpy arrays.

    They release the interpreter lock, allocate nothing and check nothing but the type and layout of their arguments.
    """
    with _lock:
        prepare(stem)
        return _link(*_objects[stem])


def prepare(*stems: str) -> None:
    """Have the objects of several files ready, so that `load` need not wait for them one by one."""
    with _lock:
        missing = [stem for stem in dict.fromkeys(stems) if stem not in _objects]
        _objects.update(zip(missing, objects(missing), strict=True))


def _link(code: bytes, signatures: dict[str, str]) -> SimpleNamespace:
    llvm, machine = llvm_binding(), target_machine()
    # all sections side by side: code of the small model reaches its constants only within 2 GiB
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine, use_lmm=True)
    engine.add_object_file(llvm.object_file.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _engines.append(engine)
    kernels = {
        name: _callable(name, engine.get_function_address(name), Signature.parse(text))
        for name, text in signatures.items()
    }
    return SimpleNamespace(**kernels)


def _callable(name: str, address: int, signature: Signature) -> Callable[..., Any]:
    """Python function that passes arrays as pointer and lengths."""

    def fail(index: int, value: npt.NDArray[Any]) -> None:
        expected = f"kernel {name} expects {signature.arguments[index]}, C-contiguous"
        raise TypeError(f"{expected}; got {value.dtype} of shape {value.shape}")

    def stopped(status: int) -> None:
        raise RuntimeError(f"kernel {name} stopped with status {status}")

    c_arguments: list[Any] = [ctypes.c_void_p, ctypes.c_void_p]
    for argument in signature.arguments:
        pointer = [ctypes.c_void_p] + [ctypes.c_ssize_t] * argument.ndim
        c_arguments += pointer if argument.ndim else [_TYPES[argument.dtype][0]]
    scope: dict[str, Any] = {
        "function": ctypes.CFUNCTYPE(ctypes.c_int32, *c_arguments)(address),
        "result_type": _TYPES[signature.result or "i64"][0],
        "void": ctypes.c_void_p,
        "byref": ctypes.byref,
        "address": _address,
        "writable": _writable_address,
        "fail": fail,
        "stopped": stopped,
    }
    exec(_source(name, signature), scope)  # the text is made of generated names only
    function: Callable[..., Any] = scope[name]
    return function


def _source(name: str, signature: Signature) -> str:
    """Text of the function, without loops: one over the arguments would cost more than many a kernel takes."""
    names, checks, flat = [], [], []
    for index, argument in enumerate(signature.arguments):
        value = f"a{index}"
        names.append(value)
        if not argument.ndim:
            flat.append(value)
            continue
        lengths = [f"{value}_{axis}" for axis in range(argument.ndim)]
        kind = np.dtype(_TYPES[argument.dtype][1]).char
        checks.append(
            f"    if {value}.dtype.char != {kind!r} or {value}.ndim != {argument.ndim}: fail({index}, {value})"
        )
        checks.append(f"    ({', '.join(lengths)},) = {value}.shape")
        flat += [f"{'writable' if argument.writable else 'address'}({value})", *lengths]
    lines = [f"def {name}({', '.join(names)}):", *checks, "    result, error = result_type(), void()"]
    lines.append(f"    status = function(byref(result), byref(error), {', '.join(flat)})")
    return "\n".join([*lines, "    if status: stopped(status)", "    return result.value"])


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
