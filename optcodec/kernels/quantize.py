"""Quantization of whole arrays of coefficients."""

from __future__ import annotations

import numpy as np

from optcodec.kernels.export import export

__all__ = ["quantize_blocks"]


@export("f32[:,:], f32[:], out i16[:,:]")
def quantize_blocks(coefficients, reciprocals, indices):
    """Coefficients times 1 / step, rounded to nearest, halves to even, limited to 16 bits.

    The product of two floats is exact in double precision, so that the result is that of the encoder's fused
    multiplication and rounding.
    """
    for block in range(coefficients.shape[0]):
        for k in range(64):
            index = np.rint(np.float64(coefficients[block, k]) * np.float64(reciprocals[k]))
            indices[block, k] = np.int16(min(max(index, -32768.0), 32767.0))
