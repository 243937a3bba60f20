"""Load the kernels as machine code, without numba.

Importing numba and unpickling its own cache takes longer than encoding a small picture. So each file of kernels is
compiled once to an ordinary object file (`optcodec.kernels.export`), kept in a cache (`optcodec.kernels.cache`), and
loaded from there through llvmlite.
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

_engines: list[Any] = []  # machine code lives as long as the process


def link(code: bytes, signatures: dict[str, str]) -> SimpleNamespace:
    """Give the kernels of an object file as callables on numpy arrays.

    They release the interpreter lock, allocate nothing and check nothing but the type and layout of their arguments.
    """
    llvm, machine = llvm_binding(), target_machine()
    # all sections side by side: code of the small model reaches its constants only within 2 GiB
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
    """Python function that passes arrays as pointer and lengths."""

    def stopped(status: int) -> None:
        raise RuntimeError(f"kernel {name} stopped with status {status}")

    kinds: list[Any] = [ctypes.c_void_p, ctypes.c_void_p]
    body, flat = [], []
    for index, (value, argument) in enumerate(zip(arguments_of(signature), signature.arguments, strict=True)):
        if not argument.ndim:
            kinds.append(C_TYPES[argument.dtype][0])
            flat.append(value)
            continue
        kinds += [ctypes.c_void_p] + [ctypes.c_ssize_t] * argument.ndim
        lengths = [f"{value}_{axis}" for axis in range(argument.ndim)]
        body.append(f"({', '.join(lengths)},) = {value}.shape")
        flat += [f"p{index}", *lengths]
    body += [
        "result, error = result_type(), void()",
        f"status = function({', '.join(['byref(result)', 'byref(error)', *flat])})",
        "if status: stopped(status)",
    ]
    scope = {
        "function": ctypes.CFUNCTYPE(ctypes.c_int32, *kinds)(address),
        "result_type": C_TYPES[signature.result or "i64"][0],
        "void": ctypes.c_void_p,
        "byref": ctypes.byref,
        "stopped": stopped,
    }
    return checking(name, signature, [*body, "return result.value"] if signature.result else body, scope)
