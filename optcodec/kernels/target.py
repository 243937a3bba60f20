"""The processor that kernels are compiled for."""

from __future__ import annotations

import functools
import os
from typing import Any

__all__ = ["fuses", "llvm_binding", "processor", "target_machine"]


def target_machine() -> Any:
    """LLVM target of this processor; ``NUMBA_CPU_NAME`` and ``NUMBA_CPU_FEATURES`` replace it, as in numba."""
    llvm = llvm_binding()
    name, features = processor()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(cpu=name, features=features, opt=3, reloc="pic", codemodel="small", jit=True)


@functools.cache
def llvm_binding() -> Any:
    """LLVM, ready to work."""
    import llvmlite.binding as llvm  # some 40 ms that commands without kernels need not wait for

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


def processor() -> tuple[str, str]:
    """Name and features of the processor, as LLVM calls them."""
    llvm = llvm_binding()
    name = os.environ.get("NUMBA_CPU_NAME") or llvm.get_host_cpu_name()
    features = os.environ.get("NUMBA_CPU_FEATURES")
    if features is None:
        features = llvm.get_host_cpu_features().flatten()
    return name, features


def fuses() -> bool:
    """Whether the processor multiplies and adds in one instruction, rounding once; of those for x86-64 not all do."""
    _, features = processor()
    return "+fma" in features.split(",") or not llvm_binding().get_default_triple().startswith("x86_64")
