"""RGB to 8-bit samples and back, as our encoder and libjpeg-turbo do it, for torch; gradients pass through rounding.

All sums are whole numbers below 2^24, or multiples of 2^-16 below 2^8, so that single precision is exact.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["downsampled", "floored", "rgb_of", "rounded", "upsampled", "ycbcr_of"]

# T.871, section 7, in 16-bit fixed point, with the offsets and the rounding of libjpeg (jccolor.c).
_YCBCR = ((19595, 38470, 7471), (-11059, -21709, 32768), (32768, -27439, -5329))
_YCBCR_OFFSETS = (32768, 128 * 65536 + 32767, 128 * 65536 + 32767)
_RED_OF_CR, _BLUE_OF_CB, _GREEN_OF_CB, _GREEN_OF_CR = 91881, 116130, 22554, 46802  # jdcolor.c
_NOT_INTERPOLATED = 2  # columns of samples up to which libjpeg repeats samples (jdsample.c: jinit_upsampler)


def rounded(values: Tensor) -> Tensor:
    """Round to nearest, halves to even; the gradient is that of the values (straight-through)."""
    return values + (values.round() - values).detach()


def floored(values: Tensor) -> Tensor:
    """Round down; the gradient is that of the values."""
    return values + (values.floor() - values).detach()


def ycbcr_of(rgb: Tensor) -> Tensor:
    """Samples (N, 3, H, W) of Y, Cb and Cr from R, G and B, whole numbers 0..255."""
    matrix = rgb.new_tensor(_YCBCR)
    offsets = rgb.new_tensor(_YCBCR_OFFSETS)[:, None, None]
    return floored((torch.einsum("ij,njhw->nihw", matrix, rgb) + offsets) / 65536)


def downsampled(plane: Tensor, h: int, v: int) -> Tensor:
    """Average h x v samples of planes (N, C, H, W), whose last row and column are repeated where they are odd.

    The rounding bias alternates between columns (jcsample.c).
    """
    if h == v == 1:
        return plane
    even = functional.pad(plane, (0, plane.shape[3] % h, 0, plane.shape[2] % v), mode="replicate")
    images, planes, rows, columns = even.shape
    sums = even.reshape(images, planes, rows // v, v, columns // h, h).sum((3, 5))
    parity = torch.arange(sums.shape[3], device=plane.device) % 2
    bias = parity + 1 if h == v else parity if h == 2 else torch.ones_like(parity)
    return floored((sums + bias) / (h * v))


def upsampled(plane: Tensor, h: int, v: int, height: int, width: int) -> Tensor:
    """Enlarge planes (N, C, rows, columns) by h x v to a height and width, as libjpeg-turbo does (jdsample.c).

    Samples are interpolated with weights of 3/4 and 1/4, but repeated where there are only two columns.
    """
    if h == 2 and plane.shape[3] <= _NOT_INTERPOLATED:
        repeated = plane.repeat_interleave(h, 3).repeat_interleave(v, 2)
        return repeated[:, :, :height, :width]
    if h == v == 2:
        upper, lower = _between(plane, 2)
        first, second = _between(torch.stack([upper, lower], 3).flatten(2, 3), 3)
        plane = torch.stack([floored((first + 8) / 16), floored((second + 7) / 16)], 4).flatten(3)
    elif h * v == 2:
        axis = 3 if h == 2 else 2
        first, second = _between(plane, axis)
        pair = [floored((first + 1) / 4), floored((second + 2) / 4)]
        plane = torch.stack(pair, axis + 1).flatten(axis, axis + 1)
    return plane[:, :, :height, :width]


def _between(plane: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Three times each sample plus the one before, and plus the one behind; those at the ends are repeated."""
    length = plane.shape[axis]
    before = torch.cat([plane.narrow(axis, 0, 1), plane.narrow(axis, 0, length - 1)], axis)
    behind = torch.cat([plane.narrow(axis, 1, length - 1), plane.narrow(axis, length - 1, 1)], axis)
    return 3 * plane + before, 3 * plane + behind


def rgb_of(samples: Tensor) -> Tensor:
    """R, G and B, 0..255, from samples (N, 3, H, W) of Y, Cb and Cr; clipped values have no gradient."""
    luminance, blue, red = samples[:, 0], samples[:, 1] - 128, samples[:, 2] - 128
    green = -_GREEN_OF_CB * blue - _GREEN_OF_CR * red
    changes = [_RED_OF_CR * red, green, _BLUE_OF_CB * blue]
    return torch.stack([luminance + floored((change + 32768) / 65536) for change in changes], 1).clamp(0, 255)
