"""Quantize arrays of coefficients."""

from __future__ import annotations

from optcodec.kernels.dct import MAGIC
from optcodec.kernels.export import export
from optcodec.kernels.vector import F32, I16, address_of, emit

__all__ = ["quantize_blocks"]


@emit(4)
def _quantize_16(b, coefficients, reciprocals, limits, indices):
    """Quantize 16 coefficients by the operations of `optcodec.kernels.dct.float_zigzag`, with the same results."""
    limit = b.load(limits, F32, 16)
    value = b.load(coefficients, F32, 16).at_least(limit * -1.0).at_most(limit)
    words = value.fma(b.load(reciprocals, F32, 16), MAGIC).bits_as(I16, 32)
    words.shuffle(words, range(0, 32, 2)).store(indices)


@export("f32[:,:], f32[:], f32[:], out i16[:,:]")
def quantize_blocks(coefficients, reciprocals, limits, indices):
    """Multiply coefficients by 1 / step and round to nearest, halves to even.

    Parameters
    ----------
    coefficients, indices : (blocks, 64)
    reciprocals, limits : (64,) 1 / step, and the magnitude to which coefficients are clipped before
    """
    source, target = address_of(coefficients), address_of(indices)
    for first in range(0, 64 * coefficients.shape[0], 16):
        row = 4 * (first & 63)
        _quantize_16(source + 4 * first, address_of(reciprocals) + row, address_of(limits) + row, target + 2 * first)
