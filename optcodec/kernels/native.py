"""Load the kernels as machine code, without numba.

Importing numba and unpickling its own cache takes longer than encoding a small picture. So each file of kernels is
compiled once to an ordinary object file (`optcodec.kernels.export`), kept in a cache (`optcodec.kernels.cache`), and
loaded from there through llvmlite.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from optcodec.kernels.cache import Object, objects
from optcodec.kernels.signature import Argument, Signature
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


@functools.cache
def load(stem: str) -> SimpleNamespace:
    """Give the kernels of ``optcodec/kernels/<stem>.py`` as callables on numpy arrays.

    They release the interpreter lock, allocate nothing and check nothing but the type and layout of their arguments.
    """
    with _lock:
        prepare(stem)
        return _link(*_objects[stem])


@functools.cache
def prepare(*stems: str) -> None:
    """Have the objects of several files ready, so that `load` need not wait for them one by one."""
    with _lock:
        missing = [stem for stem in stems if stem not in _objects]
        _objects.update(zip(missing, objects(missing), strict=True))


def _link(code: bytes, signatures: dict[str, str]) -> SimpleNamespace:
    llvm, machine = llvm_binding(), target_machine()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
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
    c_arguments: list[Any] = []
    for argument in signature.arguments:
        c_arguments += (
            [ctypes.c_void_p] + [ctypes.c_ssize_t] * argument.ndim if argument.ndim else [_TYPES[argument.dtype][0]]
        )
    function = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, *c_arguments)(address)
    result_type = _TYPES[signature.result or "i64"][0]
    plan = [(np.dtype(_TYPES[argument.dtype][1]), argument) for argument in signature.arguments]

    def call(*values: Any) -> Any:
        if len(values) != len(plan):
            raise TypeError(f"kernel {name} takes {len(plan)} arguments, {len(values)} given")
        flat: list[Any] = []
        for value, (dtype, argument) in zip(values, plan, strict=True):
            if argument.ndim:
                _check(name, value, dtype, argument)
                flat.append(_address(value))
                flat.extend(value.shape)
            else:
                flat.append(value)
        result, exception = result_type(), ctypes.c_void_p()
        status = function(ctypes.byref(result), ctypes.byref(exception), *flat)
        if status:
            raise RuntimeError(f"kernel {name} stopped with status {status}")
        return result.value

    call.__name__ = name
    return call


def _address(array: Any) -> int:
    """Address of the first element; `numpy.ndarray.ctypes` would take three times as long."""
    if array.flags.writeable and array.size:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))
    address: int = array.ctypes.data
    return address


def _check(name: str, value: Any, dtype: np.dtype[Any], argument: Argument) -> None:
    flags = value.flags
    if (
        value.dtype != dtype
        or value.ndim != argument.ndim
        or not flags.c_contiguous
        or (argument.writable and not flags.writeable)
    ):
        raise TypeError(f"kernel {name} expects {argument}, C-contiguous; got {value.dtype} of shape {value.shape}")
