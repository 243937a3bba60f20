"""Decoded planes as an image: the conversion to RGB, and the whole image as an ordinary decoder gives it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt

from optcodec import MAX_PIXELS, upright
from optcodec.shared import check_orient
from restore.runtime.cells import Floats
from restore.runtime.decode import Received, receive

__all__ = ["TO_RGB", "decode_centroids", "decode_image", "to_rgb"]

# R, G and B of Y, Cb - 128 and Cr - 128 (T.871, clause 7).
TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136286, -0.714136286), (1.0, 1.772, 0.0))

_BAND_ROWS = 64  # rows of pixels that are decoded together


def decode_centroids(
    data: bytes,
    *,
    orient: Literal["keep", "apply"] = "keep",
    partial: bool = False,
    max_pixels: int | None = MAX_PIXELS,
    notify: Callable[[str], None] | None = None,
) -> npt.NDArray[np.uint8]:
    """Decode a JPEG file in memory to the centroids of its quantization cells, without a network.

    An ordinary decoder takes the middle of the interval that a coefficient was rounded from. Most coefficients lie
    nearer to zero than that: here each becomes the mean that a Laplacian density, fitted to the file, has within its
    interval. Samples are rounded once, at the end.

    Parameters
    ----------
    data : bytes
        The whole JPEG file, gray or YCbCr.
    orient : {"keep", "apply"}
        "keep" returns the pixels as the file stores them, "apply" turned upright by the orientation in its Exif.
    partial : bool
        Also decode a file that ends too early, as `optcodec.read_jpeg` does.
    max_pixels : int or None
        Images with more pixels are refused before memory is allocated for them; None allows every size.
    notify : callable, optional
        Called with one sentence for each breach of T.81 that was tolerated; by default each is a `JpegWarning`.

    Returns
    -------
    ndarray of uint8, shape (height, width) or (height, width, 3)
        Gray or RGB.

    Raises
    ------
    InvalidInputError
        If an argument is wrong.
    MalformedJpegError, UnsupportedJpegError
        If the file breaks T.81, or is neither gray nor YCbCr.

    See Also
    --------
    optcodec.decode : The pixels of libjpeg-turbo, or those of the middles of the intervals in floating point.
    restore_image : Restores with a network, which gains more.
    """
    check_orient(orient)
    received = receive(data, max_pixels=max_pixels, notify=notify, partial=partial)
    pixels = decode_image(received, centroid=True)
    return upright(pixels, received.metadata)[0] if orient == "apply" else pixels


def decode_image(received: Received, *, centroid: bool = False) -> npt.NDArray[np.uint8]:
    """Decode the image like an ordinary decoder, without restoration.

    Parameters
    ----------
    received : Received
        From `receive`.
    centroid : bool
        Reconstruct coefficients at the centroids of their quantization cells, and round only the final samples.

    Returns
    -------
    ndarray of uint8, shape (height, width) or (height, width, 3)
        Gray or RGB.
    """
    height, width = received.height, received.width
    image = np.empty((height, width) if received.is_gray else (height, width, 3), np.uint8)
    for top in range(0, height, _BAND_ROWS):
        rows, columns = (top, min(top + _BAND_ROWS, height)), (0, width)
        received.release(top)
        luminance = received.luminance(rows, columns, centroid=centroid)
        if received.is_gray:
            image[slice(*rows)] = _to_uint8(luminance)
        else:
            image[slice(*rows)] = to_rgb(luminance, received.chrominance(rows, columns, centroid=centroid))
    return image


def to_rgb(luminance: Floats, chrominance: Floats) -> npt.NDArray[np.uint8]:
    """Convert Y, shape (rows, columns), and Cb and Cr, shape (2, rows, columns), to RGB (T.871, clause 7)."""
    blue, red = chrominance - np.float32(128)
    green = luminance - np.float32(0.344136286) * blue - np.float32(0.714136286) * red
    rgb = (luminance + np.float32(1.402) * red, green, luminance + np.float32(1.772) * blue)
    return np.stack([_to_uint8(plane) for plane in rgb], axis=-1)


def _to_uint8(plane: Floats) -> npt.NDArray[np.uint8]:
    return np.clip(np.rint(plane), 0, 255).astype(np.uint8)
