"""Forward transform: from pixels to DCT coefficients before quantization."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from optcodec.jpeg.image import DctComponent, DctImage
from optcodec.jpeg.layout import in_parallel, pixel_layout, segments, with_channels, worker_count
from optcodec.jpeg.scratch import scratch_blocks
from optcodec.kernels import load

__all__ = ["forward", "forward_planes"]


def forward(pixels: npt.NDArray[np.uint8], subsampling: str = "4:4:4", *, threads: int | None = None) -> DctImage:
    """Convert pixels to YCbCr, downsample chroma, and apply the floating-point DCT, as the encoder does.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3) or (height, width)
        RGB or grey.
    subsampling : {"4:4:4", "4:2:2", "4:2:0", "4:4:0"}
        Chroma samples are averages of pixels. Ignored for grey pixels.
    threads : int, optional
        Maximum number of threads; by default all processors. The result does not depend on it.

    Returns
    -------
    DctImage
        Orthonormal coefficients. YCbCr is rounded to 8-bit samples before the DCT, as in T.871.
    """
    pixels = with_channels(pixels)
    layout, h, v = pixel_layout(pixels.shape, subsampling)
    arrays = [scratch_blocks(rows, columns) for rows, columns in layout.components[:, :2].tolist()]
    workers = worker_count(layout, threads)
    addressed, rows = layout.with_addresses(arrays), segments(layout, workers)

    def work(index: int) -> None:
        space = layout.sample_space(), np.empty(128, np.float32)
        load("forward").pixel_coefficients(pixels, addressed, h, v, *rows[index], *space)

    in_parallel(work, len(rows), workers)
    for array in arrays:
        array.flags.writeable = False
    factors = layout.components[:, 2:4].tolist()
    components = (
        DctComponent(k + 1, h, v, array) for k, ((h, v), array) in enumerate(zip(factors, arrays, strict=True))
    )
    return DctImage(pixels.shape[1], pixels.shape[0], tuple(components))


def forward_planes(planes: Sequence[npt.NDArray[np.float32]], factors: Sequence[tuple[int, int]]) -> DctImage:
    """Apply the floating-point DCT to planes of samples that are not rounded.

    Parameters
    ----------
    planes : sequence of ndarray of float32, shape (rows, columns)
        Samples minus 128: one plane a component, the first one in full resolution.
    factors : sequence of (int, int)
        Sampling factors (h, v) of each component.

    Returns
    -------
    DctImage
        Orthonormal coefficients. Partial blocks are filled up by repeating the last row and column of samples.
    """
    components = []
    for k, (plane, (h, v)) in enumerate(zip(planes, factors, strict=True)):
        rows, columns = (-(-side // 8) for side in plane.shape)
        padded = np.pad(plane, ((0, 8 * rows - plane.shape[0]), (0, -plane.shape[1] % 16)), "edge")
        blocks = np.empty((rows, padded.shape[1] // 8, 8, 8), np.float32)
        load("forward").plane_coefficients(padded, blocks.reshape(-1, 64))
        blocks = np.ascontiguousarray(blocks[:, :columns])
        blocks.flags.writeable = False
        components.append(DctComponent(k + 1, h, v, blocks))
    return DctImage(planes[0].shape[1], planes[0].shape[0], tuple(components))
