"""Checks of the addresses that kernels read and write, for ``OPTCODEC_KERNELS=checked``.

In a checked process, numba checks the indices of arrays. But most kernels use addresses, which all come from
`address_of` an array or from `memory_at` a number. In a checked process, these two record the array, and each load and
store checks whether its bytes lie within a recorded array. If they do not, it uses spare memory instead, and an
IndexError is raised when the kernel returns. Only one kernel runs at a time.

An address that leaves its array but lies within another array of the same call is not detected.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import cfunc, types
from numba.extending import intrinsic

from optcodec.kernels.mode import mode

__all__ = ["checked_address", "known_address", "raising"]

_I64 = ir.IntType(64)
_MAX_ARRAYS = 100  # recorded in one call
# Number of recorded arrays; address and length of the first wrong access; begin and end of each array.
_STATE = np.zeros(3 + 2 * _MAX_ARRAYS, np.int64)
_SPARE = np.zeros(1024, np.uint8)  # longer than any vector
_STATE_ADDRESS, _SPARE_ADDRESS = _STATE.ctypes.data, _SPARE.ctypes.data
_lock = threading.Lock()


def checked_address(builder: ir.IRBuilder, address: ir.Value, ir_type: ir.Type) -> ir.Value:
    """Emit the check of an address at which a value of a type is loaded or stored, if this process is checked."""
    if mode() != "checked":
        return address
    count, element = (ir_type.count, ir_type.element) if isinstance(ir_type, ir.VectorType) else (1, ir_type)
    nbytes = count * (element.width // 8 if isinstance(element, ir.IntType) else 4)
    return _call(builder, _functions()[0], address, ir.Constant(_I64, nbytes))


def known_address(builder: ir.IRBuilder, address: ir.Value, nbytes: ir.Value) -> ir.Value:
    """Emit the recording of an array at an address, if this process is checked."""
    return _call(builder, _functions()[1], address, nbytes) if mode() == "checked" else address


def raising(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a compiled kernel so that it raises an IndexError if a checked address was wrong."""

    def checked(*arguments: Any) -> Any:
        with _lock:
            _STATE[:3] = 0
            result = function(*arguments)
            _, address, nbytes = _STATE[:3].tolist()
        if nbytes:
            raise IndexError(f"kernel {name} loads or stores {nbytes} bytes at {address:#x}, outside of its arrays")
        return result

    return checked


def _call(builder: ir.IRBuilder, function: Any, *arguments: ir.Value) -> ir.Value:
    pointer = ir.FunctionType(_I64, [_I64, _I64]).as_pointer()
    return builder.call(builder.inttoptr(ir.Constant(_I64, function.address), pointer), arguments)


@functools.cache
def _functions() -> tuple[Any, Any]:
    """Compile the functions that `checked_address` and `known_address` call."""

    @intrinsic
    def get(typing_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
            return builder.load(builder.inttoptr(values[0], _I64.as_pointer()))

        return types.int64(types.int64), generate

    @intrinsic
    def put(typing_context: Any, address: Any, number: Any) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
            builder.store(values[1], builder.inttoptr(values[0], _I64.as_pointer()))
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), generate

    @cfunc("int64(int64, int64)")
    def check(address, nbytes):
        for entry in range(_STATE_ADDRESS + 24, _STATE_ADDRESS + 24 + 16 * get(_STATE_ADDRESS), 16):
            if get(entry) <= address and address + nbytes <= get(entry + 8):
                return address
        if get(_STATE_ADDRESS + 16) == 0:  # the first wrong access
            put(_STATE_ADDRESS + 8, address)
            put(_STATE_ADDRESS + 16, nbytes)
        return _SPARE_ADDRESS

    @cfunc("int64(int64, int64)")
    def record(address, nbytes):
        count = get(_STATE_ADDRESS)
        end = _STATE_ADDRESS + 24 + 16 * count
        for entry in range(_STATE_ADDRESS + 24, end, 16):
            if get(entry) <= address and address + nbytes <= get(entry + 8):
                return address
        if count < _MAX_ARRAYS:
            put(end, address)
            put(end + 8, address + nbytes)
            put(_STATE_ADDRESS, count + 1)
        return address

    return check, record
