"""Compile the numba kernels of one file into one object file of machine code.

This module imports numba, so it is imported only if there is no object file in the cache.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from types import FunctionType
from typing import Any

import llvmlite.binding as llvm
import numba
from numba import carray, types

from optcodec.kernels.mode import mode
from optcodec.kernels.signature import Argument, Signature
from optcodec.kernels.target import target_machine

__all__ = [
    "build",
    "callable_from_python",
    "compile_exports",
    "compiler_is_off",
    "export",
    "exports_of",
    "helper",
    "inlined",
]

_SCALARS = {
    "u8": types.uint8,
    "i16": types.int16,
    "u16": types.uint16,
    "i32": types.int32,
    "u32": types.uint32,
    "i64": types.int64,
    "u64": types.uint64,
    "f32": types.float32,
    "f64": types.float64,
}
_EXPORTS: dict[str, dict[str, tuple[Signature, Any]]] = {}
_REFERENCE_COUNTING = re.compile(r"^(define [^\n]*@NRT_(?:inc|dec)ref\([^\n]*) \{\n.*?^\}", re.MULTILINE | re.DOTALL)
# Prefixes of external functions that a kernel may call: those of LLVM, and those that every C library has. Any other
# function would mean that the kernel allocates, raises or calls the interpreter, and needs numba to be loaded.
_ALLOWED_SYMBOLS = ("llvm.", "memcpy", "memset", "memmove", "exp", "log", "log2", "pow", "sqrt", "expm1", "sinh")


_SEMANTICS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "boundscheck": mode() == "checked"}
# Functions that only kernels call need no wrappers for callers in Python; without them they compile much faster.
_OPTIONS: dict[str, Any] = {**_SEMANTICS, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
helper = numba.njit(**_OPTIONS)
inlined = numba.njit(**_OPTIONS, forceinline=True)


def export(signature: str) -> Callable[[Callable[..., Any]], Any]:
    """Decorate a kernel: compile it with numba, and register it for `optcodec.kernels.load`.

    Parameters
    ----------
    signature : str
        Types of the kernel, such as ``"u8[:,:], out u32[:], i64 -> i64"``; see `optcodec.kernels.signature.Signature`.
    """
    parsed = Signature.parse(signature)

    def register(function: Callable[..., Any]) -> Any:
        compiled = helper(function)
        stem = function.__module__.rpartition(".")[2]
        _EXPORTS.setdefault(stem, {})[function.__name__] = (parsed, compiled)
        return compiled

    return register


def exports_of(stem: str) -> dict[str, tuple[Signature, Any]]:
    """Return signature and numba function of each exported kernel of ``optcodec/kernels/<stem>.py``, by name."""
    importlib.import_module(f"optcodec.kernels.{stem}")
    return _EXPORTS[stem]


def compiler_is_off() -> bool:
    """Tell whether numba is disabled, so that its decorators do nothing in this process."""
    return bool(numba.config.DISABLE_JIT)


def callable_from_python(signature: Signature, compiled: Any) -> Any:
    """Compile an exported kernel for callers in Python, using only ``numba.njit``."""
    parameters = [
        types.Array(_SCALARS[argument.dtype], argument.ndim, "C", readonly=not argument.writable)
        if argument.ndim
        else _SCALARS[argument.dtype]
        for argument in signature.arguments
    ]
    return numba.njit(_result(signature)(*parameters), **_SEMANTICS)(compiled.py_func)


def build(stem: str) -> tuple[bytes, dict[str, str]]:
    """Compile all exported kernels of ``optcodec/kernels/<stem>.py``, see `compile_exports`."""
    exports_of(stem)
    return compile_exports(stem)


def compile_exports(stem: str) -> tuple[bytes, dict[str, str]]:
    """Compile all exported kernels of a module that is already imported; `stem` is the last component of its name.

    Returns
    -------
    tuple of (bytes, dict)
        The object file, and by name the signature of each kernel as text.

    Notes
    -----
    The C functions have numba's calling convention: they return a status (0 is success); the first argument points to
    the result, the second to an exception record, which these kernels never fill.
    """
    exports = _EXPORTS[stem]
    module = llvm.parse_assembly("")
    for name, (signature, compiled) in exports.items():
        module.link_in(_module_of(name, signature, compiled))
    machine = target_machine()
    _optimize(module, machine, set(exports))
    return machine.emit_object(module), {name: str(signature) for name, (signature, _) in exports.items()}


def _module_of(name: str, signature: Signature, compiled: Any) -> llvm.ModuleRef:
    """Make an LLVM module with one C function ``name`` that calls the compiled kernel."""
    jit = numba.njit(_c_signature(signature), **_OPTIONS)
    entry = jit(_entry(signature, compiled))
    symbol = entry.overloads[entry.signatures[0]].fndesc.llvm_func_name
    # Views of the caller's arrays have no reference count, so numba's counting functions have no effect: empty them.
    module = llvm.parse_assembly(_REFERENCE_COUNTING.sub(r"\1 { ret void }", entry.inspect_llvm(entry.signatures[0])))
    module.get_function(symbol).name = name
    return module


def _optimize(module: llvm.ModuleRef, machine: Any, keep: set[str]) -> None:
    """Optimize the kernels as one program, then refuse calls of external functions that are not allowed."""
    for function in module.functions:
        if not function.is_declaration and function.name not in keep:
            function.linkage = "internal"
    tuning = llvm.create_pipeline_tuning_options(speed_level=3)
    tuning.loop_vectorization = tuning.slp_vectorization = True
    builder = llvm.create_pass_builder(machine, tuning)
    passes = builder.getModulePassManager()
    passes.add_strip_dead_prototype_pass()
    passes.run(module, builder)
    for function in module.functions:
        if function.is_declaration and not function.name.startswith(_ALLOWED_SYMBOLS):
            raise AssertionError(f"kernels call {function.name}: a kernel may neither allocate nor raise")


def _c_signature(signature: Signature) -> Any:
    parameters: list[Any] = []
    for argument in signature.arguments:
        scalar = _SCALARS[argument.dtype]
        parameters.append(types.CPointer(scalar) if argument.ndim else scalar)
        parameters.extend([types.intp] * argument.ndim)
    return _result(signature)(*parameters)


def _result(signature: Signature) -> Any:
    return _SCALARS[signature.result] if signature.result else types.void


def _entry(signature: Signature, kernel: Any) -> FunctionType:
    """Make the function behind the C entry: it takes pointers and lengths, and passes arrays to the kernel."""
    parameters: list[str] = []
    values: list[str] = []
    for index, argument in enumerate(signature.arguments):
        names = _names(index, argument)
        parameters += names
        values.append(f"carray({names[0]}, ({', '.join(names[1:])},))" if argument.ndim else names[0])
    source = f"def entry({', '.join(parameters)}):\n    return kernel({', '.join(values)})\n"
    scope: dict[str, Any] = {"carray": carray, "kernel": kernel}
    exec(source, scope)  # safe: the source has generated names only
    entry: FunctionType = scope["entry"]
    return entry


def _names(index: int, argument: Argument) -> list[str]:
    return [f"a{index}"] + [f"a{index}_{axis}" for axis in range(argument.ndim)]
