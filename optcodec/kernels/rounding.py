"""Products and sums that are rounded once, for processors without an instruction for it."""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils

__all__ = ["rounded_once"]


def rounded_once(builder: ir.IRBuilder, ir_type: ir.Type) -> ir.Function:
    """Return a function of three floats (or vectors of floats): ``left * right + addend``, rounded once.

    In double precision, the product is exact and the sum is rounded to odd. Rounding that to a float has the same
    result as rounding once: Boldo and Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using
    rounding to odd", IEEE Trans. Computers 57(4), 2008. The error of the sum is computed by Knuth's TwoSum.
    """
    name = f"rounded_once_{getattr(ir_type, 'count', 1)}"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(ir_type, [ir_type] * 3), name)
    if function.is_declaration:
        function.linkage = "linkonce_odr"
        function.attributes.add("noinline")  # a kernel calls it a hundred times
        _emit_rounded_once(ir.IRBuilder(function.append_basic_block()), *function.args)
    return function


def _emit_rounded_once(builder: ir.IRBuilder, left: ir.Value, right: ir.Value, addend: ir.Value) -> None:
    """Emit the body of `rounded_once`."""
    lanes = getattr(left.type, "count", 0)
    double, bits = (
        ir.VectorType(ir_type, lanes) if lanes else ir_type for ir_type in (ir.DoubleType(), ir.IntType(64))
    )

    def constant(ir_type: ir.Type, value: float) -> ir.Constant:
        return ir.Constant(ir_type, [value] * lanes if lanes else value)

    product = builder.fmul(builder.fpext(left, double), builder.fpext(right, double))
    wide = builder.fpext(addend, double)
    total = builder.fadd(product, wide)
    rounded = builder.fsub(total, product)  # the addend as far as it is in the total
    error = builder.fadd(builder.fsub(product, builder.fsub(total, rounded)), builder.fsub(wide, rounded))
    # If the last bit of `total` is even, its neighbour on the other side of the exact sum has the odd last bit.
    zero, one = constant(double, 0.0), constant(bits, 1)
    signs = (builder.fcmp_ordered(">", value, zero) for value in (error, total))
    step = builder.select(builder.icmp_unsigned("==", *signs), one, constant(bits, -1))
    total_bits = builder.bitcast(total, bits)
    is_even = builder.icmp_unsigned("==", builder.and_(total_bits, one), constant(bits, 0))
    moves = builder.and_(is_even, builder.fcmp_ordered("!=", error, zero))
    odd = builder.select(moves, builder.add(total_bits, step), total_bits)
    builder.ret(builder.fptrunc(builder.bitcast(odd, double), left.type))
