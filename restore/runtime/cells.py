"""Quantization cells: where in them a coefficient is most likely, and what samples they allow."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Floats", "centroid_offset", "fit_laplacian", "inverse", "project"]

Floats: TypeAlias = npt.NDArray[np.float32]


def _basis() -> npt.NDArray[np.float64]:
    """Rows are the cosines of the orthonormal DCT-II of 8 samples (T.81, A.3.3)."""
    k, n = np.mgrid[:8, :8]
    basis: npt.NDArray[np.float64] = np.cos((2 * n + 1) * k * np.pi / 16) / 2
    basis[0] /= np.sqrt(2)
    return basis


# In double precision, the samples of a block do not depend on what is decoded with it, and ties round as they should.
_DCT = _basis()


def project(plane: Floats, blocks: npt.NDArray[np.int16], steps: npt.NDArray[np.generic]) -> Floats:
    """The plane nearest to a restored one that the file could have been made from.

    Each DCT coefficient is moved into its quantization cell, [(k - 1/2) q, (k + 1/2) q]. The cells are convex, so where
    the encoder rounded to nearest this never adds to the squared error (projection onto convex sets: Yang, Galatsanos
    and Katsaggelos, IEEE Trans. CSVT 3(6), 1993).

    Parameters
    ----------
    plane : ndarray of float32, shape (8 rows, 8 columns)
        Restored samples, 0..255, in whole blocks.
    blocks : ndarray of int16, shape (rows, columns, 8, 8)
        Indices k of the file.
    steps : ndarray, shape (8, 8)
        Steps q.

    Returns
    -------
    ndarray of float32
        The same shape; not clipped to 0..255.
    """
    rows, columns = blocks.shape[:2]
    samples = plane.reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3).astype(np.float64) - 128
    values = _DCT @ samples @ _DCT.T
    size = steps.astype(np.float64)
    np.clip(values, (blocks - 0.5) * size, (blocks + 0.5) * size, out=values)
    return inverse(values)


def fit_laplacian(blocks: npt.NDArray[np.int16]) -> npt.NDArray[np.float64]:
    """Decay of the Laplacian that makes the indices of each frequency most likely.

    Parameters
    ----------
    blocks : ndarray of int16, shape (rows, columns, 8, 8)
        Indices of the quantizer.

    Returns
    -------
    ndarray of float64, shape (8, 8)
        lambda q: the density is (lambda / 2) exp(-lambda |x|), q the step. Infinite where all indices are zero.

    Notes
    -----
    Price and Rabbani, "Biased reconstruction for JPEG decoding", IEEE Signal Processing Letters 6(12), 1999. With
    t = exp(-lambda q / 2), the cell of 0 has probability 1 - t and those of k and -k have t^(2|k| - 1) (1 - t^2). For n
    indices, z of them zero, and S the sum of |k|, the likelihood is greatest where
    (n + 2S) t^2 + z t - (2S - (n - z)) = 0.
    """
    count = blocks.shape[0] * blocks.shape[1]
    total, zeros = np.zeros((8, 8)), np.zeros((8, 8))
    for row in blocks:  # by rows, so that no second array of the size of the image is made
        total += np.abs(row.astype(np.int32)).sum(axis=0)
        zeros += (row == 0).sum(axis=0)
    square, constant = count + 2 * total, 2 * total - (count - zeros)
    root = (np.sqrt(zeros**2 + 4 * square * constant) - zeros) / (2 * square)
    with np.errstate(divide="ignore"):
        decay: npt.NDArray[np.float64] = -2 * np.log(root)
    return decay


def centroid_offset(decay: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Distance, in steps, of a cell's centroid from its middle: coth(d / 2) / 2 - 1 / d, d = lambda q.

    It is the mean of the exponential density within one cell, the same for each but that of 0. DC is not Laplacian and
    stays in the middle; so does a frequency without a decay.
    """
    offset = np.zeros((8, 8))
    some = (decay > 1e-6) & np.isfinite(decay)
    offset[some] = 0.5 / np.tanh(decay[some] / 2) - 1 / decay[some]
    offset[0, 0] = 0
    return offset


def inverse(values: npt.NDArray[np.float64]) -> Floats:
    """Samples of blocks of dequantized coefficients, as one plane."""
    rows, columns = values.shape[:2]
    samples = (_DCT.T @ values @ _DCT).astype(np.float32) + np.float32(128)
    return samples.transpose(0, 2, 1, 3).reshape(8 * rows, 8 * columns)
