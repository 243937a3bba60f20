"""The processor for which kernels are compiled."""

from __future__ import annotations

import functools
import os
from typing import Any

__all__ = ["fuses", "llvm_binding", "processor", "target_machine"]


def target_machine() -> Any:
    """Make the LLVM target of this processor; as in numba, ``NUMBA_CPU_NAME`` and ``NUMBA_CPU_FEATURES`` replace it."""
    llvm = llvm_binding()
    name, features = processor()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(cpu=name, features=features, opt=3, reloc="pic", codemodel="small", jit=True)


@functools.cache
def llvm_binding() -> Any:
    """Import and initialize LLVM."""
    import llvmlite.binding as llvm  # takes 40 ms, which commands without kernels save

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


def processor() -> tuple[str, str]:
    """Return name and features of the processor in LLVM's notation."""
    llvm = llvm_binding()
    name = os.environ.get("NUMBA_CPU_NAME") or llvm.get_host_cpu_name()
    features = os.environ.get("NUMBA_CPU_FEATURES")
    if features is None:
        features = llvm.get_host_cpu_features().flatten()
    return name, features


def fuses() -> bool:
    """Tell whether the processor has an instruction that multiplies and adds, rounding once; not all x86-64 ones do."""
    _, features = processor()
    return "+fma" in features.split(",") or not llvm_binding().get_default_triple().startswith("x86_64")
