"""Chrominance for the way that decoders upsample it, and luminance that makes up for what chrominance loses.

Decoders interpolate chrominance linearly (libjpeg's "fancy upsampling", jdsample.c: 3/4 of the nearer sample and 1/4 of
the farther one, in each direction). Two things follow for the squared error of RGB:

- The samples c that come nearest to the chrominance C of all pixels solve ``U'U c = U'C``, where U is that
  interpolation; averages of pixels, which encoders mostly take, do not.
- An error (b, r) of Cb and Cr at a pixel shifts R, G and B by 1.402 r, -0.344 b - 0.714 r and 1.772 b; the least
  error is left if Y moves by minus the mean of the three. What chrominance lost, in downsampling and in quantization,
  is known before luminance is quantized.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from optcodec.jpeg.dct import forward_planes
from optcodec.jpeg.image import CoefficientImage, DctImage, sampling_factors
from optcodec.jpeg.writer import write_jpeg
from optcodec.kernels import load
from optcodec.pictures.pixels import decoded_pixels

__all__ = ["Planes", "interpolation_transposed"]

Plane = npt.NDArray[np.float32]

# T.871, section 7.
_TO_Y = np.array([0.299, 0.587, 0.114], np.float32)
_BLUE, _RED = 1.772, 1.402
# Mean shift of R, G and B by an error of 1 in Cb, and in Cr.
_SHIFT_BLUE = (_BLUE - 0.344136) / 3
_SHIFT_RED = (_RED - 0.714136) / 3


class Planes:
    """Y, Cb and Cr of an RGB image in full resolution, not rounded.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)
        RGB.
    subsampling : str
        Name of the sampling to code with.
    """

    def __init__(self, pixels: npt.NDArray[np.uint8], subsampling: str) -> None:
        self._factors = sampling_factors(subsampling)
        red, green, blue = (pixels[..., channel] * share for channel, share in enumerate(_TO_Y))
        self._luminance: Plane = red + green + blue  # not `@`, whose last bit depends on the processor
        self._blue: Plane = (pixels[..., 2] - self._luminance) / np.float32(_BLUE)
        self._red: Plane = (pixels[..., 0] - self._luminance) / np.float32(_RED)

    def image(self) -> DctImage:
        """Coefficients, chrominance downsampled."""
        blue, red = (_downsampled(plane, *self._factors) for plane in (self._blue, self._red))
        return self._coefficients(self._luminance, blue, red)

    def refined(self, image: DctImage, coded: CoefficientImage) -> DctImage:
        """The image with luminance that makes up for the errors of chrominance in what it was coded to."""
        blue, red = _decoded_chrominance(coded)
        luminance: Plane = self._luminance - np.float32(_SHIFT_BLUE) * (blue - self._blue)
        luminance -= np.float32(_SHIFT_RED) * (red - self._red)
        first = forward_planes([_centred(luminance)], [self._factors]).components[0]
        return DctImage(image.width, image.height, (first, *image.components[1:]))

    def _coefficients(self, luminance: Plane, blue: Plane, red: Plane) -> DctImage:
        return forward_planes([_centred(luminance), blue, red], [self._factors, (1, 1), (1, 1)])


def _centred(luminance: Plane) -> Plane:
    centred: Plane = luminance - np.float32(128)
    return centred


def _downsampled(plane: Plane, h: int, v: int) -> Plane:
    """The samples whose interpolation is nearest to a plane, within the range of samples."""
    for axis, factor in ((0, v), (1, h)):
        if factor == 2:
            plane = np.moveaxis(_halved(np.moveaxis(plane, axis, 0)), 0, axis)
    return np.ascontiguousarray(np.clip(plane, -128, 127), np.float32)


def interpolation_transposed(lines: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Transpose of the decoder's interpolation by two along the first axis.

    Parameters
    ----------
    lines : ndarray of float32, shape (n, ...)
        Numbers that belong to interpolated samples, such as the gradient of a loss.

    Returns
    -------
    ndarray of float32, shape (ceil(n / 2), ...)
        Sums over the interpolated samples that a sample contributes to, times its weight in each: 3/4 where it is the
        nearer of two samples, 1/4 where it is the farther one, and 1 at the ends, where it is both.
    """
    even, odd = lines[0::2], lines[1::2]
    count, whole = len(even), len(odd)
    right = np.float32(0.75) * even
    right[:whole] += np.float32(0.75) * odd
    right[1:] += np.float32(0.25) * odd[: count - 1]
    right[:-1] += np.float32(0.25) * even[1:]
    right[0] += np.float32(0.25) * even[0]
    if whole == count:
        right[-1] += np.float32(0.25) * odd[-1]
    return right


def _halved(lines: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Least squares along the first axis: half as many samples, repeated beyond the ends by the interpolation."""
    right = interpolation_transposed(lines)
    count, whole = len(right), len(lines) // 2
    # U'U: 2 (9/16 + 1/16) on the diagonal, 2 * 3/16 beside it. At an end where a line comes from one sample alone 6/16
    # more; where that line is missing, since their number is odd, 10/16 less.
    diagonal, beside = np.full(count, 1.25, np.float32), np.full(count - 1, 0.375, np.float32)
    diagonal[0] += 0.375
    if whole == count:
        diagonal[-1] += 0.375
    else:
        diagonal[-1] -= 0.625
    flat = np.ascontiguousarray(right.reshape(count, -1), np.float32)
    load("tridiagonal").solve_tridiagonal(diagonal, beside, flat)
    return flat.reshape(right.shape)


def _decoded_chrominance(coded: CoefficientImage) -> tuple[Plane, Plane]:
    """Cb and Cr, in full resolution, as libjpeg-turbo decodes them."""
    decoded = decoded_pixels(write_jpeg(coded), "YCbCr")
    blue, red = (decoded[..., k].astype(np.float32) - np.float32(128) for k in (1, 2))
    return blue, red
