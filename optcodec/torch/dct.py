"""The accurate integer DCT of libjpeg, both ways, for torch: exact in double precision, with the gradient of the DCT.

The transform is that of Loeffler, Ligtenberg and Moschytz (ICASSP 1989) with constants of 13 bits (jfdctint.c,
jidctint.c). Between its roundings it only adds and multiplies whole numbers: each pass is a product with a matrix of
whole numbers, and the inverse has the transposed one.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from optcodec.vision.gradients import dct_basis

__all__ = ["coefficients_of", "indices_of", "samples_of"]

_BITS = 13
_EXTRA = 2  # fraction bits that the first pass leaves to the second


def coefficients_of(blocks: Tensor) -> Tensor:
    """Coefficients of level-shifted samples, shape (..., 8, 8), in floating point."""
    basis = dct_basis(blocks)
    return basis @ blocks @ basis.mT


def indices_of(blocks: Tensor, coefficients: Tensor, steps: Tensor) -> Tensor:
    """Indices of libjpeg for level-shifted samples that are whole numbers; the gradient is that of the coefficients.

    Parameters
    ----------
    blocks, coefficients : Tensor, shape (..., 8, 8)
        Samples, and what `coefficients_of` makes of them.
    steps : Tensor, shape (8, 8)
        Whole numbers in 1..255.
    """
    ratio = coefficients / steps
    with torch.no_grad():
        matrix, wide = _integer(blocks), steps.double()
        rows = _shifted(blocks.double() @ matrix.mT, _BITS - _EXTRA)
        eightfold = _shifted(matrix @ rows, _BITS + _EXTRA)
        exact = eightfold.sign() * ((eightfold.abs() + 4 * wide) / (8 * wide)).floor()
    return ratio + (exact.to(ratio) - ratio).detach()


def samples_of(indices: Tensor, steps: Tensor, *, exact: bool) -> Tensor:
    """Samples 0..255 of indices, shape (..., 8, 8), rounded; the gradient is that of the inverse DCT.

    With `exact`, indices are whole numbers, and samples those of libjpeg.
    """
    values = indices * steps
    basis = dct_basis(values)
    samples = basis.mT @ values @ basis + 128
    with torch.no_grad():
        whole = samples.round()
        if exact:
            matrix = _integer(values)
            columns = _shifted(matrix.mT @ values.double(), _BITS - _EXTRA)
            whole = _shifted(columns @ matrix, _BITS + _EXTRA + 3).to(samples) + 128
    clipped: Tensor = (samples + (whole - samples).detach()).clamp(0, 255)
    return clipped


def _shifted(values: Tensor, bits: int) -> Tensor:
    """Divide by a power of two, rounded to nearest, halves up."""
    shifted: Tensor = ((values + (1 << bits - 1)) / (1 << bits)).floor()
    return shifted


def _integer(like: Tensor) -> Tensor:
    """The matrix of a pass, in double precision: about the orthonormal one times the root of 8 and 2^13."""
    return torch.tensor(_columns(), dtype=torch.float64, device=like.device).T


@cache
def _columns() -> list[list[int]]:
    return [_pass([1 if x == place else 0 for x in range(8)]) for place in range(8)]


def _pass(d: list[int]) -> list[int]:
    """The sums of a pass for eight whole numbers, before they are shifted."""
    s, t = [d[k] + d[7 - k] for k in range(4)], [d[k] - d[7 - k] for k in range(4)]
    even, odd = s[1] - s[2], s[0] - s[3]
    both = (even + odd) * _fixed(0.541196100)
    total = (t[0] + t[1] + t[2] + t[3]) * _fixed(1.175875602)
    first, second = (t[3] + t[0]) * _fixed(0.899976223), (t[2] + t[1]) * _fixed(2.562915447)
    third, fourth = total - (t[3] + t[1]) * _fixed(1.961570560), total - (t[2] + t[0]) * _fixed(0.390180644)
    return [
        (s[0] + s[1] + s[2] + s[3]) << _BITS,
        t[0] * _fixed(1.501321110) - first + fourth,
        both + odd * _fixed(0.765366865),
        t[1] * _fixed(3.072711026) - second + third,
        (s[0] - s[1] - s[2] + s[3]) << _BITS,
        t[2] * _fixed(2.053119869) - second + fourth,
        both - even * _fixed(1.847759065),
        t[3] * _fixed(0.298631336) - first + third,
    ]


def _fixed(value: float) -> int:
    """A constant in 13-bit fixed point."""
    return round(value * (1 << _BITS))
