"""Explicit SIMD for kernels: a small arithmetic type for LLVM vectors.

LLVM's own vectorization of loops is fragile: the same loop may run ten times slower in a called function, or on a
slice. Therefore the stages that process every sample (colour, DCT, quantization, zig-zag) use vectors explicitly.

`emit` turns a Python function into a numba intrinsic. The function runs once, when the kernel is compiled; its
operations on `Vector` arguments become machine instructions:

>>> @emit(2)
... def add_sixteen(b, source, target):
...     (b.load(source, U8, 16) + b.load(target, U8, 16)).store(target)

Arguments are 64-bit integers, addresses or numbers; `address_of` gives the address of an array. Vectors may be wider
than the processor's registers: LLVM splits them. `Vector.fma` rounds ``a * b + c`` once on all processors, so that the
bytes of files are the same everywhere: with one instruction if the processor has it, otherwise with a few instructions
in double precision (``llvm.fma`` would become a call to a C library).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from optcodec.kernels.bounds import checked_address, known_address
from optcodec.kernels.rounding import rounded_once
from optcodec.kernels.target import fuses

__all__ = ["F32", "I16", "I32", "U8", "U64", "Builder", "Vector", "address_of", "emit", "memory_at"]

U8 = ir.IntType(8)
I16 = ir.IntType(16)
I32 = ir.IntType(32)
U64 = ir.IntType(64)
F32 = ir.FloatType()


class Vector:
    """A number or a vector of numbers of one machine type, in the code that is being emitted."""

    def __init__(self, builder: ir.IRBuilder, value: ir.Value) -> None:
        self.builder = builder
        self.value = value

    @property
    def lanes(self) -> int:
        lanes: int = self.value.type.count
        return lanes

    def _with(self, value: ir.Value) -> Vector:
        return Vector(self.builder, value)

    def _other(self, other: Vector | float) -> ir.Value:
        """Return the second operand of an operation; a Python number becomes a vector with that number in all lanes."""
        if isinstance(other, Vector):
            return other.value
        ir_type = self.value.type
        return ir.Constant(ir_type, [other] * ir_type.count if isinstance(ir_type, ir.VectorType) else other)

    def _is_float(self) -> bool:
        ir_type = self.value.type
        return bool((ir_type.element if isinstance(ir_type, ir.VectorType) else ir_type) == F32)

    def __add__(self, other: Vector | float) -> Vector:
        make = self.builder.fadd if self._is_float() else self.builder.add
        return self._with(make(self.value, self._other(other)))

    def __sub__(self, other: Vector | float) -> Vector:
        make = self.builder.fsub if self._is_float() else self.builder.sub
        return self._with(make(self.value, self._other(other)))

    def __mul__(self, other: Vector | float) -> Vector:
        make = self.builder.fmul if self._is_float() else self.builder.mul
        return self._with(make(self.value, self._other(other)))

    def divided_by(self, other: Vector | float) -> Vector:
        """The quotient of floats."""
        return self._with(self.builder.fdiv(self.value, self._other(other)))

    def __and__(self, other: Vector | int) -> Vector:
        return self._with(self.builder.and_(self.value, self._other(other)))

    def __xor__(self, other: Vector | int) -> Vector:
        return self._with(self.builder.xor(self.value, self._other(other)))

    def __lshift__(self, bits: int) -> Vector:
        return self._with(self.builder.shl(self.value, self._other(bits)))

    def shift_left(self, bits: Vector) -> Vector:
        """Each lane shifted by its own number of bits."""
        return self._with(self.builder.shl(self.value, bits.value))

    def __rshift__(self, bits: int) -> Vector:
        """Arithmetic shift, which keeps the sign."""
        return self._with(self.builder.ashr(self.value, self._other(bits)))

    def fma(self, factor: Vector | float, addend: Vector | float) -> Vector:
        """``self * factor + addend``, rounded once."""
        operands = [self.value, self._other(factor), self._other(addend)]
        if not fuses():
            return self._with(self.builder.call(rounded_once(self.builder, self.value.type), operands))
        return self._with(self.builder.call(_intrinsic(self.builder, "llvm.fmuladd", self.value.type, 3), operands))

    def at_least(self, other: Vector) -> Vector:
        """The larger of two floats, lane by lane."""
        return self._pairwise("llvm.maxnum", other)

    def at_most(self, other: Vector) -> Vector:
        """The smaller of two floats, lane by lane."""
        return self._pairwise("llvm.minnum", other)

    def within(self, least: int, most: int) -> Vector:
        """Signed integers, clipped to a range."""
        low, high = self._other(least), self._other(most)
        raised = self.builder.select(self.builder.icmp_signed("<", self.value, low), low, self.value)
        return self._with(self.builder.select(self.builder.icmp_signed(">", raised, high), high, raised))

    def _pairwise(self, name: str, other: Vector) -> Vector:
        operands = [self.value, other.value]
        return self._with(self.builder.call(_intrinsic(self.builder, name, self.value.type, 2), operands))

    def shuffle(self, other: Vector, order: Sequence[int]) -> Vector:
        """Lanes ``order`` of self followed by other."""
        mask = ir.Constant(ir.VectorType(I32, len(order)), list(order))
        return self._with(self.builder.shuffle_vector(self.value, other.value, mask))

    def join(self, other: Vector) -> Vector:
        """All lanes of self, then all lanes of other."""
        return self.shuffle(other, range(2 * self.lanes))

    def in_all_lanes(self, lanes: int) -> Vector:
        """A vector of so many lanes that all have this number."""
        ir_type = ir.VectorType(self.value.type, lanes)
        one = self._with(self.builder.insert_element(ir.Constant(ir_type, ir.Undefined), self.value, I32(0)))
        return one.shuffle(one, [0] * lanes)

    def bits_as(self, element: ir.Type, lanes: int) -> Vector:
        """The same bits read as ``lanes`` values of another type."""
        return self._with(self.builder.bitcast(self.value, ir.VectorType(element, lanes)))

    def widen(self, element: ir.Type) -> Vector:
        """Unsigned integers as wider integers."""
        return self._with(self.builder.zext(self.value, ir.VectorType(element, self.lanes)))

    def widen_signed(self, element: ir.Type) -> Vector:
        """Signed integers as wider integers."""
        return self._with(self.builder.sext(self.value, ir.VectorType(element, self.lanes)))

    def narrow(self, element: ir.Type) -> Vector:
        """Integers as narrower integers; the upper bits are dropped."""
        return self._with(self.builder.trunc(self.value, ir.VectorType(element, self.lanes)))

    def to_float(self) -> Vector:
        """Signed 32-bit integers as floats."""
        return self._with(self.builder.sitofp(self.value, ir.VectorType(F32, self.lanes)))

    def to_int(self) -> Vector:
        """Floats as signed 32-bit integers, towards zero."""
        return self._with(self.builder.fptosi(self.value, ir.VectorType(I32, self.lanes)))

    def nonzero_mask(self) -> Vector:
        """An integer with one bit a lane, lane 0 lowest: whether the lane is not zero."""
        return self._mask("!=", 0)

    def equal_mask(self, number: int) -> Vector:
        """An integer with one bit a lane, lane 0 lowest: whether the lane equals a number."""
        return self._mask("==", number)

    def _mask(self, relation: str, number: int) -> Vector:
        matches = self.builder.icmp_unsigned(relation, self.value, self._other(number))
        return self._with(self.builder.bitcast(matches, ir.IntType(self.lanes)))

    def count_trailing_zeros(self) -> Vector:
        """Position of the lowest bit that is set in an integer that is not 0."""
        return self._with(self.builder.cttz(self.value, ir.Constant(ir.IntType(1), 1)))

    def count_leading_zeros(self) -> Vector:
        """Zero bits above the highest bit that is set; the width of the integer if it is 0."""
        return self._with(self.builder.ctlz(self.value, ir.Constant(ir.IntType(1), 0)))

    def count_ones(self) -> Vector:
        """Number of bits of an integer that are set."""
        return self._with(self.builder.ctpop(self.value))

    def swap_bytes(self) -> Vector:
        """An integer with its bytes in the opposite order."""
        return self._with(self.builder.bswap(self.value))

    def resize(self, element: ir.Type, signed: bool = False) -> Vector:
        """One integer as a narrower or wider one."""
        if element.width <= self.value.type.width:
            return self._with(self.builder.trunc(self.value, element))
        return self._with((self.builder.sext if signed else self.builder.zext)(self.value, element))

    def store(self, address: Vector) -> None:
        """Write to an address of any alignment."""
        ir_type = self.value.type
        pointer = self.builder.inttoptr(checked_address(self.builder, address.value, ir_type), ir_type.as_pointer())
        self.builder.store(self.value, pointer, align=1)


class Builder:
    """Source of new values while a function is emitted: loads and constants."""

    def __init__(self, builder: ir.IRBuilder) -> None:
        self.builder = builder

    def load(self, address: Vector, element: ir.Type, lanes: int = 0) -> Vector:
        """Load a vector (or, if `lanes` is 0, one number) from an address of any alignment."""
        ir_type = ir.VectorType(element, lanes) if lanes else element
        pointer = self.builder.inttoptr(checked_address(self.builder, address.value, ir_type), ir_type.as_pointer())
        return Vector(self.builder, self.builder.load(pointer, align=1))

    def constant(self, element: ir.Type, values: Sequence[float]) -> Vector:
        """Make a vector of constants."""
        return Vector(self.builder, ir.Constant(ir.VectorType(element, len(values)), list(values)))


def _intrinsic(builder: ir.IRBuilder, name: str, ir_type: ir.Type, arguments: int) -> Any:
    element = f"v{ir_type.count}f32" if isinstance(ir_type, ir.VectorType) else f"i{ir_type.width}"
    signature = ir.FunctionType(ir_type, [ir_type] * arguments)
    return cgutils.get_or_insert_function(builder.module, signature, f"{name}.{element}")


def emit(arguments: int, result: Any = types.void) -> Callable[[Callable[..., Any]], Any]:
    """Decorate a function that emits vector code: turn it into a numba intrinsic.

    Parameters
    ----------
    arguments : int
        Number of arguments of the function besides the builder; each is a 64-bit integer.
    result : numba type
        Type of the value that the function returns, if it returns one.
    """

    def decorate(body: Callable[..., Any]) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
            packed = builder.extract_value if arguments else None
            vectors = [Vector(builder, packed(values[0], index)) for index in range(arguments)] if packed else []
            returned = body(Builder(builder), *vectors)
            return context.get_dummy_value() if returned is None else returned.value

        def typed(typing_context: Any, *values: Any) -> Any:
            return result(types.StarArgTuple((types.int64,) * arguments)), generate

        typed.__name__ = body.__name__
        return intrinsic(typed)

    return decorate


@intrinsic
def address_of(typing_context: Any, array: Any) -> Any:
    """Address of the first element of a C-contiguous array."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        struct = context.make_array(signature.args[0])(context, builder, values[0])
        nbytes = builder.mul(struct.nitems, struct.itemsize)
        return known_address(builder, builder.ptrtoint(struct.data, U64), nbytes)

    return types.int64(array), generate


@intrinsic
def memory_at(typing_context: Any, address: Any, nbytes: Any) -> Any:
    """Turn a number into an address at which the kernel may use `nbytes` bytes."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        return known_address(builder, *values)

    return types.int64(types.int64, types.int64), generate
