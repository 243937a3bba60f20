"""From the gradient of a loss with respect to decoded pixels to that with respect to DCT coefficients.

Each step of a decoder is linear, apart from rounding, which a small change passes on average, and from clipping:
coefficients -> inverse DCT -> samples -> upsampling -> RGB. A gradient goes back through the transposed steps.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from optcodec.jpeg.dct import forward_planes
from optcodec.jpeg.image import DctImage, sampling_factors

__all__ = ["coefficient_gradients"]

Pixels = npt.NDArray[np.uint8]
Plane = npt.NDArray[np.float32]

# T.871, section 7: what R and B gain by a unit of Cr and Cb, and what G loses by each.
_RED_OF_CR, _GREEN_OF_CR = np.float32(1.402), np.float32(0.714136)
_BLUE_OF_CB, _GREEN_OF_CB = np.float32(1.772), np.float32(0.344136)
_NOT_INTERPOLATED = 2  # columns of samples up to which libjpeg repeats samples (jdsample.c: jinit_upsampler)


def coefficient_gradients(gradient: npt.NDArray[np.floating], decoded: Pixels, subsampling: str) -> DctImage:
    """Gradient with respect to the coefficients of each component.

    Chrominance is taken to be upsampled as libjpeg-turbo does it: interpolated with weights of 3/4 and 1/4, repeated
    where it has at most two columns.

    Parameters
    ----------
    gradient : ndarray of float, shape (height, width, 3) or (height, width)
        Gradient with respect to R, G and B in 0..255, or to grey samples.
    decoded : ndarray of uint8, of the same shape
        The pixels. At 0 and 255 a decoder clips: a gradient that asks for values beyond counts as 0.
    subsampling : str
        Such as ``"4:2:0"``; ``"grey"`` for one component.

    Returns
    -------
    DctImage
        Derivative of the loss by each coefficient, before quantization: times a step, by each index.
    """
    pushed = np.where((decoded == 0) & (gradient > 0), 0, gradient)
    inside = np.where((decoded == 255) & (gradient < 0), 0, pushed).astype(np.float32)
    if inside.ndim == 2:
        return forward_planes([_filled(inside)], [(1, 1)])
    h, v = sampling_factors(subsampling)
    red, green, blue = (inside[..., channel] for channel in range(3))
    planes = [
        red + green + blue,
        _downsampled(_BLUE_OF_CB * blue - _GREEN_OF_CB * green, h, v),
        _downsampled(_RED_OF_CR * red - _GREEN_OF_CR * green, h, v),
    ]
    image = forward_planes([_filled(plane) for plane in planes], [(h, v), (1, 1), (1, 1)])
    return DctImage(decoded.shape[1], decoded.shape[0], image.components)


def _downsampled(plane: Plane, h: int, v: int) -> Plane:
    """Transpose of upsampling by h and v."""
    interpolated = h == 1 or -(-plane.shape[1] // 2) > _NOT_INTERPOLATED
    for axis, factor in ((0, v), (1, h)):
        if factor == 2:
            lines = np.moveaxis(plane, axis, 0)
            summed = _interpolation_transposed(lines) if interpolated else _repetition_transposed(lines)
            plane = np.moveaxis(summed, 0, axis)
    return plane


def _interpolation_transposed(lines: Plane) -> Plane:
    """Transpose of the decoder's interpolation by two along the first axis.

    A line is the sum over the interpolated lines that it contributes to, times its weight in each: 3/4 where it is the
    nearer of two lines, 1/4 where it is the farther one, and 1 at the ends, where it is both.
    """
    even, odd = lines[0::2], lines[1::2]
    count, whole = len(even), len(odd)
    right: Plane = np.float32(0.75) * even
    right[:whole] += np.float32(0.75) * odd
    right[1:] += np.float32(0.25) * odd[: count - 1]
    right[:-1] += np.float32(0.25) * even[1:]
    right[0] += np.float32(0.25) * even[0]
    if whole == count:
        right[-1] += np.float32(0.25) * odd[-1]
    return right


def _repetition_transposed(lines: Plane) -> Plane:
    """Transpose of repeating each line."""
    total: Plane = lines[0::2].copy()
    total[: len(lines) // 2] += lines[1::2]
    return total


def _filled(plane: Plane) -> Plane:
    """The plane with zeros up to whole blocks: samples that only fill up a block do not affect the loss."""
    return np.ascontiguousarray(np.pad(plane, [(0, -side % 8) for side in plane.shape]))
