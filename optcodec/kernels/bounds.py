"""Checks of the addresses that kernels read and write, for ``OPTCODEC_KERNELS=checked``.

There numba checks the indices of arrays. Most kernels go by addresses instead, which all come from `address_of` an
array or from `memory_at` a number. In a checked process these two note the array, and each load and store looks whether
its bytes lie within an array that was noted. If they do not, it goes to a spare place, and an IndexError is raised when
the kernel returns. Kernels run one at a time.

What is not told: an address that leaves its array and ends up within another one of the same call.
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
_MOST = 100  # arrays of one call whose addresses are taken
# how many arrays are known; address and length of the first wrong access; begin and end of each array
_STATE = np.zeros(3 + 2 * _MOST, np.int64)
_SPARE = np.zeros(1024, np.uint8)  # longer than any vector
_STATE_ADDRESS, _SPARE_ADDRESS = _STATE.ctypes.data, _SPARE.ctypes.data
_lock = threading.Lock()


def checked_address(builder: ir.IRBuilder, address: ir.Value, kind: ir.Type) -> ir.Value:
    """The address at which a value of this kind may be loaded or stored; itself, unless this process is checked."""
    if mode() != "checked":
        return address
    count, element = (kind.count, kind.element) if isinstance(kind, ir.VectorType) else (1, kind)
    nbytes = count * (element.width // 8 if isinstance(element, ir.IntType) else 4)
    return _call(builder, _functions()[0], address, ir.Constant(_I64, nbytes))


def known_address(builder: ir.IRBuilder, address: ir.Value, nbytes: ir.Value) -> ir.Value:
    """The address of an array, whose bytes may be loaded and stored from here on."""
    return _call(builder, _functions()[1], address, nbytes) if mode() == "checked" else address


def raising(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A compiled kernel that raises an IndexError if a checked address was wrong."""

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


def _reading_and_writing() -> tuple[Any, Any]:
    """Functions for kernels: the number at an address, and putting one there."""

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

    return get, put


@functools.cache
def _functions() -> tuple[Any, Any]:
    """Machine code of `checked_address` and of `known_address`."""
    get, put = _reading_and_writing()

    @cfunc("int64(int64, int64)")
    def check(address, nbytes):
        for place in range(_STATE_ADDRESS + 24, _STATE_ADDRESS + 24 + 16 * get(_STATE_ADDRESS), 16):
            if get(place) <= address and address + nbytes <= get(place + 8):
                return address
        if get(_STATE_ADDRESS + 16) == 0:  # the first wrong one
            put(_STATE_ADDRESS + 8, address)
            put(_STATE_ADDRESS + 16, nbytes)
        return _SPARE_ADDRESS

    @cfunc("int64(int64, int64)")
    def know(address, nbytes):
        count = get(_STATE_ADDRESS)
        end = _STATE_ADDRESS + 24 + 16 * count
        for place in range(_STATE_ADDRESS + 24, end, 16):
            if get(place) <= address and address + nbytes <= get(place + 8):
                return address
        if count < _MOST:
            put(end, address)
            put(end + 8, address + nbytes)
            put(_STATE_ADDRESS, count + 1)
        return address

    return check, know
