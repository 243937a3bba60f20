"""Turn the gradient of a loss with respect to pixels into its energy at each DCT frequency (OptS, eqs. (8) and (9)).

Every step from coefficients to pixels is linear (dequantized coefficients -> samples -> upsampling -> RGB), so the
gradient goes back through the transposed steps: the transposed colour matrix, the sum over each group of pixels that
share a chroma sample, and the forward DCT, which is the transpose of the inverse DCT since the DCT is orthonormal.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from optcodec.jpeg.image import sampling_factors

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["component_gradients", "dct_basis", "dct_energies", "dct_gradients"]

# T.871, section 7: R, G and B as a function of Y, Cb and Cr (each row one of R, G, B), from the luma weights of BT.601.
_KR, _KG, _KB = 0.299, 0.587, 0.114
_RGB_FROM_YCBCR = (
    (1.0, 0.0, 2 * (1 - _KR)),
    (1.0, -2 * (1 - _KB) * _KB / _KG, -2 * (1 - _KR) * _KR / _KG),
    (1.0, 2 * (1 - _KB), 0.0),
)


def component_gradients(rgb: Tensor, subsampling: str) -> tuple[Tensor, Tensor, Tensor]:
    """Gradient with respect to the samples of Y, Cb and Cr.

    Parameters
    ----------
    rgb : Tensor, shape (N, 3, H, W)
        Gradient with respect to R, G and B, in any unit; the result is in the same unit.
    subsampling : str
        Such as ``"4:2:0"``. Upsampling is taken to repeat each chroma sample over its group of pixels.

    Returns
    -------
    tuple of Tensor
        Shapes (N, H, W) and twice (N, ceil(H / v), ceil(W / h)) for sampling factors h and v.
    """
    import torch

    h, v = sampling_factors(subsampling)
    matrix = torch.tensor(_RGB_FROM_YCBCR, dtype=rgb.dtype, device=rgb.device)
    y, cb, cr = torch.einsum("nchw,ck->knhw", rgb, matrix)
    return y, _sum_groups(cb, h, v), _sum_groups(cr, h, v)


def dct_gradients(gradient: Tensor) -> Tensor:
    """Gradient with respect to each DCT coefficient.

    Parameters
    ----------
    gradient : Tensor, shape (N, H, W)
        Gradient with respect to the samples of one component. It is zero for samples that only fill up the last blocks,
        since they do not affect the loss.

    Returns
    -------
    Tensor, shape (N, ceil(H / 8), ceil(W / 8), 8, 8)
        Row-major frequencies: ``[n, row, column, v, u]`` has vertical frequency ``v``.
    """
    import torch

    height, width = gradient.shape[1:]
    padded = torch.nn.functional.pad(gradient, (0, -width % 8, 0, -height % 8))
    rows, columns = padded.shape[1] // 8, padded.shape[2] // 8
    blocks = padded.reshape(-1, rows, 8, columns, 8)
    basis = dct_basis(gradient)
    return torch.einsum("vy,nryqx,ux->nrqvu", basis, blocks, basis)


def dct_energies(gradient: Tensor) -> Tensor:
    """Squared gradient with respect to each DCT coefficient, summed over the blocks of an image: eq. (9).

    Parameters
    ----------
    gradient : Tensor, shape (N, H, W)
        As in `dct_gradients`.

    Returns
    -------
    Tensor, shape (N, 8, 8)
        Row-major frequencies.
    """
    return dct_gradients(gradient).square().sum((1, 2))


def _sum_groups(plane: Tensor, h: int, v: int) -> Tensor:
    """Transpose of upsampling by h and v: sums over groups of v rows and h columns, including partial groups."""
    from torch.nn.functional import avg_pool2d, pad

    if h == v == 1:
        return plane
    height, width = plane.shape[1:]
    padded = pad(plane, (0, -width % h, 0, -height % v))
    return avg_pool2d(padded, (v, h), divisor_override=1)


def dct_basis(like: Tensor) -> Tensor:
    """Matrix of the orthonormal 8-point DCT-II (T.81, A.3.3); row k has frequency k."""
    import torch

    k = torch.arange(8, dtype=like.dtype, device=like.device)
    basis = torch.cos((2 * k + 1) * k[:, None] * (math.pi / 16)) / 2
    basis[0] /= math.sqrt(2)
    return basis
