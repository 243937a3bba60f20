"""Pixels to DCT coefficients that are not quantized yet."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from optcodec.jpeg.image import DctComponent, DctImage
from optcodec.jpeg.layout import in_parallel, pixel_layout, segments, with_channels, worker_count
from optcodec.kernels import load

__all__ = ["forward"]


def forward(pixels: npt.NDArray[np.uint8], subsampling: str = "4:4:4", *, threads: int | None = None) -> DctImage:
    """Colour conversion, chroma downsampling and floating-point DCT, as the encoder does them.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3) or (height, width)
        RGB or grey.
    subsampling : {"4:4:4", "4:2:2", "4:2:0", "4:4:0"}
        Chroma is averaged; without effect on grey pixels.
    threads : int, optional
        At most so many; all processors by default. The result is the same.

    Returns
    -------
    DctImage
        Orthonormal coefficients of 8-bit samples, which YCbCr is rounded to as in T.871.
    """
    pixels = with_channels(pixels)
    layout, h, v = pixel_layout(pixels, subsampling)
    arrays = [np.empty((rows, columns, 8, 8), np.float32) for rows, columns in layout.parts[:, :2].tolist()]
    workers = worker_count(layout, threads)
    parts, rows = layout.with_addresses(arrays), segments(layout, workers)

    def work(index: int) -> None:
        space = layout.sample_space(), np.empty(128, np.float32)
        load("forward").pixel_coefficients(pixels, parts, h, v, *rows[index], *space)

    in_parallel(work, len(rows), workers)
    for array in arrays:
        array.flags.writeable = False
    factors = layout.parts[:, 2:4].tolist()
    components = (
        DctComponent(k + 1, h, v, array) for k, ((h, v), array) in enumerate(zip(factors, arrays, strict=True))
    )
    return DctImage(pixels.shape[1], pixels.shape[0], tuple(components))
