"""Quantization cells (the interval of values behind each quantized coefficient): their centroids, and projection."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = [
    "DCT",
    "Floats",
    "centroid_offset",
    "fit_laplacian",
    "forward_dct",
    "interval_ends",
    "inverse_dct",
    "project",
]

Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]

_BLACK, _WHITE = 0.5, 254.5  # restored samples up to the one and from the other on become 0 and 255
_DRAWN = 3.0  # standard deviations of the error of quantization, beyond which no sample lies by chance


def _basis() -> npt.NDArray[np.float64]:
    """The matrix of the orthonormal DCT-II of 8 samples (T.81, A.3.3): row k is the cosine of frequency k."""
    k, n = np.mgrid[:8, :8]
    basis: npt.NDArray[np.float64] = np.cos((2 * n + 1) * k * np.pi / 16) / 2
    basis[0] /= np.sqrt(2)
    return basis


# In double precision: the samples of a block then do not depend on which blocks are transformed with it, and ties are
# rounded correctly.
DCT = _basis()


def project(
    plane: Floats,
    blocks: npt.NDArray[np.int16],
    steps: npt.NDArray[np.generic],
    growth: npt.NDArray[np.floating] | float = 0.0,
) -> Floats:
    """Clip the DCT coefficients of a restored plane to the quantization intervals of the file.

    The interval (cell) of index k and step q is [(k - 1/2) q, (k + 1/2) q]. If the encoder rounded to nearest, the
    original lies in these intervals, and as they are convex, clipping never increases the squared error (projection
    onto convex sets: Yang, Galatsanos and Katsaggelos, IEEE Trans. CSVT 3(6), 1993). An encoder that chooses indices
    takes smaller ones than rounding gives: with a growth g, the interval of 0 is [-(1/2 + g) q, (1/2 + g) q], and that
    of k > 0 ends at (k + 1/2 + min(g, 1/2)) q.

    Some encoders (mozjpeg's deringing) encode values beyond black and white, which every decoder clips. Where samples
    of a decoded block lie farther beyond than errors of quantization explain, those that are restored as black or white
    count as what was decoded.

    Parameters
    ----------
    plane : ndarray of float32, shape (8 rows, 8 columns)
        Restored samples, 0..255; height and width are multiples of 8.
    blocks : ndarray of int16, shape (rows, columns, 8, 8)
        Quantized coefficients (indices k) of the file.
    steps : ndarray, shape (8, 8)
        Quantization steps q.
    growth : ndarray or float, shape (8, 8)
        Growth of the intervals in steps, see `restore.runtime.statistics.interval_growth`.

    Returns
    -------
    ndarray of float32
        The same shape; not clipped to 0..255.
    """
    least, largest = interval_ends(blocks, steps, growth)
    values = DCT @ (_encoded(_tiles(plane), blocks, steps.astype(np.float64)) - 128) @ DCT.T
    np.clip(values, least, largest, out=values)
    return inverse_dct(values)


def interval_ends(
    blocks: npt.NDArray[np.int16], steps: npt.NDArray[np.generic], growth: npt.NDArray[np.floating] | float
) -> tuple[Doubles, Doubles]:
    """Both ends of the quantization intervals, of the shape of the indices; see `project` for the arguments."""
    size = steps.astype(np.float64)
    is_zero, beyond = blocks == 0, np.minimum(growth, 0.5)
    below = np.where(is_zero, growth, np.where(blocks < 0, beyond, 0))
    above = np.where(is_zero, growth, np.where(blocks > 0, beyond, 0))
    return (blocks - 0.5 - below) * size, (blocks + 0.5 + above) * size


def _encoded(tiles: Doubles, blocks: npt.NDArray[np.int16], steps: Doubles) -> Doubles:
    """Restored samples, those beyond black and white as the encoder had them if it drew them there: see `project`."""
    touched = np.any((tiles <= _BLACK) | (tiles >= _WHITE), axis=(2, 3))
    if np.any(touched):
        restored, decoded = tiles[touched], DCT.T @ (blocks[touched] * steps) @ DCT + 128
        beyond = np.where(restored <= _BLACK, -decoded, np.where(restored >= _WHITE, decoded - 255, 0))
        is_drawn = beyond.max(axis=(1, 2), keepdims=True) > _DRAWN * np.sqrt(np.square(steps).mean() / 12)
        tiles[touched] = np.where(is_drawn & (beyond > 0), decoded, restored)
    return tiles


def fit_laplacian(blocks: npt.NDArray[np.int16]) -> npt.NDArray[np.float64]:
    """Maximum-likelihood decay of a Laplacian distribution for the coefficients of each frequency.

    Parameters
    ----------
    blocks : ndarray of int16, shape (rows, columns, 8, 8)
        Quantized coefficients.

    Returns
    -------
    ndarray of float64, shape (8, 8)
        The product lambda q of the density (lambda / 2) exp(-lambda |x|) and the step q. Infinite where all indices are
        zero.

    Notes
    -----
    Price and Rabbani, "Biased reconstruction for JPEG decoding", IEEE Signal Processing Letters 6(12), 1999. With
    t = exp(-lambda q / 2), the cell of 0 has probability 1 - t and those of k and -k have t^(2|k| - 1) (1 - t^2). For n
    indices, z of them zero, and S the sum of |k|, the likelihood is greatest where
    (n + 2S) t^2 + z t - (2S - (n - z)) = 0.
    """
    count = blocks.shape[0] * blocks.shape[1]
    total, zeros = np.zeros((8, 8)), np.zeros((8, 8))
    for row in blocks:  # row by row, so that no second array as large as the image is needed
        total += np.abs(row.astype(np.int32)).sum(axis=0)
        zeros += (row == 0).sum(axis=0)
    square, constant = count + 2 * total, 2 * total - (count - zeros)
    root = (np.sqrt(zeros**2 + 4 * square * constant) - zeros) / (2 * square)
    with np.errstate(divide="ignore"):
        decay: npt.NDArray[np.float64] = -2 * np.log(root)
    return decay


def centroid_offset(decay: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Distance, in quantization steps, of a cell's centroid from its middle: coth(d / 2) / 2 - 1 / d, d = lambda q.

    The centroid is the mean of the exponential density within one cell; its distance is the same in all cells but that
    of index 0. It is set to 0 for DC, which is not Laplacian, and for frequencies whose decay is infinite or nearly 0.
    """
    offset = np.zeros((8, 8))
    is_laplacian = (decay > 1e-6) & np.isfinite(decay)
    offset[is_laplacian] = 0.5 / np.tanh(decay[is_laplacian] / 2) - 1 / decay[is_laplacian]
    offset[0, 0] = 0
    return offset


def forward_dct(plane: Floats) -> npt.NDArray[np.float64]:
    """DCT of the blocks of a plane of whole blocks, level shifted: shape (rows / 8, columns / 8, 8, 8)."""
    values: Doubles = DCT @ (_tiles(plane) - 128) @ DCT.T
    return values


def _tiles(plane: Floats) -> Doubles:
    """A copy of the samples, block by block: shape (rows / 8, columns / 8, 8, 8)."""
    rows, columns = plane.shape[0] // 8, plane.shape[1] // 8
    return plane.reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3).astype(np.float64)


def inverse_dct(values: npt.NDArray[np.float64]) -> Floats:
    """Inverse DCT of blocks of dequantized coefficients, shape (rows, columns, 8, 8), to one plane of samples."""
    rows, columns = values.shape[:2]
    samples = (DCT.T @ values @ DCT).astype(np.float32) + np.float32(128)
    return samples.transpose(0, 2, 1, 3).reshape(8 * rows, 8 * columns)
