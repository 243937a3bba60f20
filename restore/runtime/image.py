"""Decoded planes as an image: the conversion to RGB, and the whole image as an ordinary decoder gives it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from restore.runtime.cells import Floats
from restore.runtime.decode import Received

__all__ = ["decode_image", "to_rgb"]

_BAND_ROWS = 64  # rows of pixels that are decoded together


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
