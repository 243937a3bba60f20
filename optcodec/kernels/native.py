"""Load kernels as machine code, without importing numba.

Importing numba and unpickling its own cache takes longer than encoding a small picture. So each file of kernels is
compiled once to an ordinary object file (`optcodec.kernels.export`), stored in a cache (`optcodec.kernels.cache`), and
loaded from there by llvmlite.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from optcodec.kernels.call import C_TYPES, arguments_of, checking
from optcodec.kernels.signature import Signature
from optcodec.kernels.target import llvm_binding, target_machine

__all__ = ["link"]

_engines: list[Any] = []  # LLVM frees machine code with its engine, so engines are kept for the life of the process


def link(code: bytes, signatures: dict[str, str]) -> SimpleNamespace:
    """Load an object file and return its kernels as callables on numpy arrays.

    They release the interpreter lock, allocate nothing, and check only the type and layout of their arguments.
    """
    llvm, machine = llvm_binding(), target_machine()
    # `use_lmm` places all sections next to each other: with the small code model, constants must lie within 2 GiB.
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine, use_lmm=True)
    engine.add_object_file(llvm.object_file.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _engines.append(engine)
    addresses = {name: engine.get_function_address(name) for name in signatures}
    missing = [name for name, address in addresses.items() if not address]
    if missing:
        raise RuntimeError(f"the object file lacks {', '.join(missing)}")
    kernels = {name: _callable(name, addresses[name], Signature.parse(text)) for name, text in signatures.items()}
    return SimpleNamespace(**kernels)


def _callable(name: str, address: int, signature: Signature) -> Callable[..., Any]:
    """Make a Python function that passes each array as pointer and lengths."""

    def stopped(status: int) -> None:
        raise RuntimeError(f"kernel {name} stopped with status {status}")

    c_types: list[Any] = [ctypes.c_void_p, ctypes.c_void_p]
    body, values = [], []
    for index, (variable, argument) in enumerate(zip(arguments_of(signature), signature.arguments, strict=True)):
        if not argument.ndim:
            c_types.append(C_TYPES[argument.dtype][0])
            values.append(variable)
            continue
        c_types += [ctypes.c_void_p] + [ctypes.c_ssize_t] * argument.ndim
        lengths = [f"{variable}_{axis}" for axis in range(argument.ndim)]
        body.append(f"({', '.join(lengths)},) = {variable}.shape")
        values += [f"p{index}", *lengths]
    body += [
        "result, error = result_type(), void()",
        f"status = function({', '.join(['byref(result)', 'byref(error)', *values])})",
        "if status: stopped(status)",
    ]
    scope = {
        "function": ctypes.CFUNCTYPE(ctypes.c_int32, *c_types)(address),
        "result_type": C_TYPES[signature.result or "i64"][0],
        "void": ctypes.c_void_p,
        "byref": ctypes.byref,
        "stopped": stopped,
    }
    return checking(name, signature, [*body, "return result.value"] if signature.result else body, scope)
