"""Classical restoration without a neural network, as baselines that networks are compared with.

Both methods work on one plane at a time. `deblock_plane` filters the block borders as video decoders do. `smooth_plane`
searches the plane of least total variation whose coefficients lie in the quantization intervals of the file.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.fft import dctn, idctn

from restore.runtime.decode import Received
from restore.runtime.image import to_rgb

__all__ = ["deblock_plane", "smooth_image", "smooth_plane"]

Floats: TypeAlias = npt.NDArray[np.float32]
Samples: TypeAlias = npt.NDArray[np.uint8]

_ITERATIONS = 30
# Chosen on Val20 at qualities 10, 20 and 40 (benchmarks are on other images); see `smooth_plane`.
_PULL_WEIGHT = 600.0
_PRIMAL_STEP = 4.0


def deblock_plane(plane: Floats, steps: npt.NDArray[np.generic]) -> Floats:
    """Smooth the jumps at block borders where they are no larger than quantization can make them.

    Parameters
    ----------
    plane : ndarray of float32, shape (height, width)
        Decoded samples, 0..255; the first 8x8 block begins at the first sample.
    steps : ndarray, shape (8, 8)
        Quantization steps in natural order.

    Returns
    -------
    ndarray of float32
        The same shape; up to three samples on each side of a border are changed.

    Notes
    -----
    List, Joch, Lainema, Bjontegaard and Karczewicz, "Adaptive deblocking filter", IEEE Trans. CSVT 13(7), 2003: the
    filter for intra-coded borders (strength 4, Fig. 5 and section III-C) with the thresholds alpha(x) =
    0.8 (2^(x/6) - 1) and beta(x) = 0.5 x - 7 of section III-B. H.264 and JPEG both have an orthonormal transform, so a
    quantization step of 1 corresponds to QP 4, and doubling the step adds 6. The QP is that of the geometric mean of
    the steps of DC and the first two frequencies across the border: at the borders of smooth areas, these are the
    coefficients that make the two sides differ.
    """
    result = plane.astype(np.float32)
    for axis in (1, 0):  # vertical borders first, as in the paper
        low = steps[0, :3] if axis == 1 else steps[:3, 0]
        index = float(np.clip(4 + 6 * np.mean(np.log2(low.astype(np.float64))), 0, 51))
        lines = np.moveaxis(result, axis, 0)
        _filter_borders(lines, 0.8 * (2 ** (index / 6) - 1), 0.5 * index - 7)
    return result


def _filter_borders(lines: Floats, alpha: float, beta: float) -> None:
    """Filter in place across the borders between lines 7 and 8, 15 and 16, ...; a border needs 4 lines behind it."""
    starts = np.arange(8, lines.shape[0] - 3, 8)
    p0, p1, p2, p3 = (lines[starts - 1 - distance] for distance in range(4))
    q0, q1, q2, q3 = (lines[starts + distance] for distance in range(4))
    jump = np.abs(p0 - q0)
    filtered = (jump < alpha) & (np.abs(p1 - p0) < beta) & (np.abs(q1 - q0) < beta)
    small_jump = filtered & (jump < alpha / 4 + 2)
    sides = (((p0, p1, p2, p3), (q0, q1), starts - 1, -1), ((q0, q1, q2, q3), (p0, p1), starts, 1))
    for (a0, a1, a2, a3), (b0, b1), side, sign in sides:
        strong = small_jump & (np.abs(a2 - a0) < beta)
        new0 = np.where(strong, (a2 + 2 * a1 + 2 * a0 + 2 * b0 + b1) / 8, (2 * a1 + a0 + b1) / 4)
        lines[side] = np.where(filtered, new0, a0)
        lines[side + sign] = np.where(strong, (a2 + a1 + a0 + b0) / 4, a1)
        lines[side + 2 * sign] = np.where(strong, (2 * a3 + 3 * a2 + a1 + a0 + b0) / 8, a2)


def smooth_image(received: Received) -> Samples:
    """Decode a file with each component smoothed by `smooth_plane`, shape (height, width) or (height, width, 3)."""
    image = received.coefficients
    largest_v, largest_h = (max(getattr(component, side) for component in image.components) for side in "vh")
    planes = []
    for index, component in enumerate(image.components):
        plane = smooth_plane(component.blocks, received.steps(index))
        down, across = largest_v // component.v, largest_h // component.h
        plane = plane[: -(-received.height // down), : -(-received.width // across)]
        if down > 1 or across > 1:
            # linear interpolation between sample centres: the "fancy" upsampling of libjpeg, for any factor
            size = (plane.shape[1] * across, plane.shape[0] * down)
            plane = np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR))
        planes.append(plane[: received.height, : received.width])
    if received.is_gray:
        return np.rint(np.clip(planes[0], 0, 255)).astype(np.uint8)
    return to_rgb(planes[0], np.stack(planes[1:]))


def smooth_plane(blocks: npt.NDArray[np.int16], steps: npt.NDArray[np.generic]) -> Floats:
    """The plane of least total variation whose coefficients lie in the quantization intervals of a component.

    Parameters
    ----------
    blocks : ndarray of int16, shape (rows, columns, 8, 8)
        Quantized coefficients.
    steps : ndarray, shape (8, 8)
        Quantization steps.

    Returns
    -------
    ndarray of float32, shape (8 rows, 8 columns)
        Samples, 0..255 up to rounding.

    Notes
    -----
    Bredies and Holler, "A total variation-based JPEG decompression model", SIAM J. Imaging Sciences 5(1), 2012:
    minimizes TV(u) over all u in the quantization intervals by the primal-dual method of Chambolle and Pock (J. Math.
    Imaging and Vision 40, 2011, algorithm 1), 30 iterations. A quadratic term that pulls each coefficient to the middle
    of its interval is added here, as coefficients are more frequent there.
    """
    sizes = steps.astype(np.float64)
    middle = blocks * sizes
    low, high = middle - 0.5 * sizes, middle + 0.5 * sizes
    pull = _PRIMAL_STEP * _PULL_WEIGHT / sizes**2
    plane = _inverse_dct(middle)
    extrapolated, down, across = plane, np.zeros_like(plane), np.zeros_like(plane)
    dual_step = 1 / (8 * _PRIMAL_STEP)  # the norm of the gradient operator is at most sqrt(8)
    for _ in range(_ITERATIONS):
        down[:-1] += dual_step * np.diff(extrapolated, axis=0)
        across[:, :-1] += dual_step * np.diff(extrapolated, axis=1)
        length = np.maximum(1.0, np.hypot(down, across))
        down /= length
        across /= length
        previous = plane
        values = (_forward_dct(plane + _PRIMAL_STEP * _divergence(down, across)) + pull * middle) / (1 + pull)
        plane = _inverse_dct(np.clip(values, low, high))
        extrapolated = 2 * plane - previous
    return (plane + 128).astype(np.float32)


def _divergence(down: npt.NDArray[np.float64], across: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Divergence: the negated adjoint of the forward differences."""
    result = down + across
    result[1:] -= down[:-1]
    result[:, 1:] -= across[:, :-1]
    return result


def _forward_dct(plane: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    rows, columns = plane.shape[0] // 8, plane.shape[1] // 8
    tiles = plane.reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3)
    values: npt.NDArray[np.float64] = dctn(tiles, axes=(2, 3), norm="ortho")
    return values


def _inverse_dct(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    rows, columns = values.shape[:2]
    tiles: npt.NDArray[np.float64] = idctn(values, axes=(2, 3), norm="ortho")
    return tiles.transpose(0, 2, 1, 3).reshape(8 * rows, 8 * columns)
