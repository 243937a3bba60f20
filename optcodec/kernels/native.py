"""Load the kernels as machine code: compiled once by numba, then kept in a cache without numba.

Importing numba and unpickling its own cache takes longer than encoding a small picture. So each file of kernels is
compiled once to an ordinary object file (`optcodec.kernels.export`), kept under the user's cache folder, and loaded
from there through llvmlite. The name of the object is a hash of everything that it depends on: the source of all
kernels it contains, the version of the compiler, the processor and its features. Where the cache cannot be written or
read, the kernels are compiled again in each process; the results are the same.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import json
import os
import re
import stat
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Argument", "Signature", "load", "pack", "prepare", "target_machine", "unpack"]

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
_objects: dict[str, tuple[bytes, dict[str, str]]] = {}
_lock = threading.RLock()


@dataclass(frozen=True)
class Argument:
    """One argument of a kernel: a scalar (``ndim`` 0) or a C-contiguous array."""

    dtype: str
    ndim: int
    writable: bool

    def __str__(self) -> str:
        shape = f"[{','.join(':' * self.ndim)}]" if self.ndim else ""
        return f"{'out ' if self.writable else ''}{self.dtype}{shape}"


@dataclass(frozen=True)
class Signature:
    """Types of a kernel, written like ``"u8[:,:], out u32[:], i64 -> i64"``.

    ``out`` marks an array that the kernel writes. All arrays are C-contiguous.
    """

    arguments: tuple[Argument, ...]
    result: str

    @classmethod
    def parse(cls, text: str) -> Signature:
        """Read the notation above."""
        left, _, result = text.partition("->")
        flat = left.replace(":,", ":;")  # commas inside brackets do not separate arguments
        arguments = []
        for part in flat.split(","):
            name = part.strip()
            writable = name.startswith("out ")
            dtype, _, shape = name.removeprefix("out ").partition("[")
            arguments.append(Argument(dtype, shape.count(":"), writable))
        return cls(tuple(arguments), result.strip())

    def __str__(self) -> str:
        result = f" -> {self.result}" if self.result else ""
        return ", ".join(str(argument) for argument in self.arguments) + result


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
    """Have the kernels of several files ready; what must be compiled is compiled side by side."""
    with _lock:
        missing = [stem for stem in stems if stem not in _objects and not _restore(stem)]
        if not missing:
            return
        print(
            f"optcodec: compiling {', '.join(missing)} kernels for this processor (once)", file=sys.stderr, flush=True
        )
        for stem, content in zip(missing, _compile(missing), strict=True):
            _write(_object_path(stem), content)
            _objects[stem] = unpack(content)


def _restore(stem: str) -> bool:
    cached = _read(_object_path(stem))
    if cached is not None:
        _objects[stem] = cached
    return cached is not None


def _compile(stems: Sequence[str]) -> list[bytes]:
    """Packed objects, each made in a process of its own.

    There numba neither optimizes nor assembles every function by itself (``NUMBA_OPT=0``): `export` optimizes all of
    them together, which takes a third of the time; and the settings of a numba in this process do not matter.
    """
    if getattr(sys, "frozen", False) or not sys.executable:  # no interpreter to start
        from optcodec.kernels.export import build

        return [pack(*build(stem)) for stem in stems]
    import subprocess

    environment = {**os.environ, "NUMBA_OPT": "0", "NUMBA_DISABLE_JIT": "0", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "optcodec.kernels"]
    children = [subprocess.Popen([*command, stem], stdout=subprocess.PIPE, env=environment) for stem in stems]
    contents = [child.communicate()[0] for child in children]
    for stem, child in zip(stems, children, strict=True):
        if child.returncode:
            raise RuntimeError(f"the {stem} kernels could not be compiled; the messages above say why")
    return contents


def target_machine() -> Any:
    """LLVM target of this processor; ``NUMBA_CPU_NAME`` and ``NUMBA_CPU_FEATURES`` replace it, as in numba."""
    llvm = _llvm()
    name, features = _processor()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(
        cpu=name, features=features, opt=3, reloc="pic", codemodel="small", jit=True
    )


@functools.cache
def _llvm() -> Any:
    import llvmlite.binding as llvm  # some 40 ms that commands without kernels need not wait for

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


def _processor() -> tuple[str, str]:
    llvm = _llvm()
    name = os.environ.get("NUMBA_CPU_NAME") or llvm.get_host_cpu_name()
    features = os.environ.get("NUMBA_CPU_FEATURES")
    if features is None:
        features = llvm.get_host_cpu_features().flatten()
    return name, features


@functools.cache
def _object_path(stem: str) -> Path:
    digest = hashlib.sha256(f"{sys.platform} {_processor()}".encode())
    for source in [*_versions(), *_sources("export", {"native"}), *_sources(stem, {"export"})]:
        digest.update(source)
    return _cache_folder() / f"{stem}-{digest.hexdigest()[:32]}.kernel"


def _versions() -> list[bytes]:
    """What changes with the versions of the compiler; importlib.metadata would take 10 ms to tell them."""
    places = (getattr(find_spec(package), "origin", None) for package in ("numba", "llvmlite"))
    return [(Path(str(place)).parent / "_version.py").read_bytes() for place in places]


def _sources(stem: str, seen: set[str]) -> list[bytes]:
    """Source of a kernel file and of all kernel files that it imports, whose functions become part of its code."""
    text = (Path(__file__).parent / f"{stem}.py").read_bytes()
    sources = [text]
    for name in re.findall(rb"^from optcodec\.kernels\.(\w+) import", text, re.MULTILINE):
        if name.decode() not in seen:
            seen.add(name.decode())
            sources += _sources(name.decode(), seen)
    return sources


def _cache_folder() -> Path:
    given = os.environ.get("OPTCODEC_CACHE")
    if given:
        return Path(given)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "optcodec"


def _read(path: Path) -> tuple[bytes, dict[str, str]] | None:
    """Object and signatures; None where there is no whole file that only this user can have written."""
    try:
        status = path.stat()
        content = path.read_bytes()
    except OSError:
        return None
    if hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
        return None
    digest, _, rest = content.partition(b"\n")
    return unpack(content) if hashlib.sha256(rest).hexdigest().encode() == digest else None


def pack(code: bytes, signatures: dict[str, str]) -> bytes:
    """One file: sha256 of the rest, newline, signatures as JSON, newline, object file."""
    body = json.dumps(signatures).encode() + b"\n" + code
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def unpack(content: bytes) -> tuple[bytes, dict[str, str]]:
    """Object and signatures of `pack`."""
    _, header, code = content.split(b"\n", 2)
    return code, json.loads(header)


def _write(path: Path, content: bytes) -> None:
    import tempfile

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except OSError:
        return  # a read-only home: this process keeps what it compiled, the next compiles again


def _link(code: bytes, signatures: dict[str, str]) -> SimpleNamespace:
    llvm, machine = _llvm(), target_machine()
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


def _address(array: npt.NDArray[Any]) -> int:
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
