"""What can be done without a network: the classical ways to take JPEG's blocks away, to measure networks against.

Both work on the planes of a file. `deblocked` filters block borders as video decoders do, `smoothed` looks for the
smoothest plane that the file could have been made from.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.fft import dctn, idctn

from restore.runtime.decode import Received, to_rgb

__all__ = ["deblocked", "smooth", "smoothed"]

Floats: TypeAlias = npt.NDArray[np.float32]
Samples: TypeAlias = npt.NDArray[np.uint8]

_ITERATIONS = 30
# Chosen on Val20 at qualities 10, 20 and 40 (benchmarks are on other images); see `smoothed`.
_PULL = 600.0
_PRIMAL = 4.0


def deblocked(plane: Floats, steps: npt.NDArray[np.generic]) -> Floats:
    """The plane with steps at block borders smoothed where they are no larger than quantization makes them.

    Parameters
    ----------
    plane : ndarray of float32, shape (height, width)
        Decoded samples, 0..255; blocks of 8x8 begin at the first.
    steps : ndarray, shape (8, 8)
        Quantization steps in natural order.

    Returns
    -------
    ndarray of float32
        The same shape; up to three samples on each side of a border are changed.

    Notes
    -----
    List, Joch, Lainema, Bjontegaard and Karczewicz, "Adaptive deblocking filter", IEEE Trans. CSVT 13(7), 2003: the
    filter of intra-coded borders (strength 4, Fig. 5 and section III-C), thresholds alpha(x) = 0.8 (2^(x/6) - 1) and
    beta(x) = 0.5 x - 7 of section III-B. Both codecs have an orthonormal transform, so that a step of 1 is QP 4 and
    twice the step is 6 more. QP is that of the geometric mean of the steps of DC and the first two frequencies across
    the border, which are what differs between the sides of a smooth border.
    """
    result = plane.astype(np.float32)
    for axis in (1, 0):  # vertical borders first, as there
        low = steps[0, :3] if axis == 1 else steps[:3, 0]
        index = float(np.clip(4 + 6 * np.mean(np.log2(low.astype(np.float64))), 0, 51))
        lines = np.moveaxis(result, axis, 0)
        _filter_borders(lines, 0.8 * (2 ** (index / 6) - 1), 0.5 * index - 7)
    return result


def _filter_borders(lines: Floats, alpha: float, beta: float) -> None:
    """Filter in place across the borders between lines 7 and 8, 15 and 16, ...; the last needs 4 lines behind it."""
    starts = np.arange(8, lines.shape[0] - 3, 8)
    p0, p1, p2, p3 = (lines[starts - 1 - distance] for distance in range(4))
    q0, q1, q2, q3 = (lines[starts + distance] for distance in range(4))
    jump = np.abs(p0 - q0)
    filtered = (jump < alpha) & (np.abs(p1 - p0) < beta) & (np.abs(q1 - q0) < beta)
    small = filtered & (jump < alpha / 4 + 2)
    sides = (((p0, p1, p2, p3), (q0, q1), starts - 1, -1), ((q0, q1, q2, q3), (p0, p1), starts, 1))
    for (a0, a1, a2, a3), (b0, b1), side, sign in sides:
        strong = small & (np.abs(a2 - a0) < beta)
        new0 = np.where(strong, (a2 + 2 * a1 + 2 * a0 + 2 * b0 + b1) / 8, (2 * a1 + a0 + b1) / 4)
        lines[side] = np.where(filtered, new0, a0)
        lines[side + sign] = np.where(strong, (a2 + a1 + a0 + b0) / 4, a1)
        lines[side + 2 * sign] = np.where(strong, (2 * a3 + 3 * a2 + a1 + a0 + b0) / 8, a2)


def smooth(received: Received) -> Samples:
    """A file with each component smoothed, shape (height, width) or (height, width, 3)."""
    image = received.coefficients
    largest_v, largest_h = (max(getattr(part, side) for part in image.components) for side in "vh")
    planes = []
    for number, part in enumerate(image.components):
        plane = smoothed(part.blocks, received.steps(number))
        down, across = largest_v // part.v, largest_h // part.h
        plane = plane[: -(-received.height // down), : -(-received.width // across)]
        if down > 1 or across > 1:
            # linear interpolation between centres: libjpeg's "fancy" upsampling, for any factor
            size = (plane.shape[1] * across, plane.shape[0] * down)
            plane = np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR))
        planes.append(plane[: received.height, : received.width])
    if received.is_gray:
        return np.rint(np.clip(planes[0], 0, 255)).astype(np.uint8)
    return to_rgb(planes[0], np.stack(planes[1:]))


def smoothed(blocks: npt.NDArray[np.int16], steps: npt.NDArray[np.generic]) -> Floats:
    """The plane of least total variation whose coefficients lie in the quantization cells of a component.

    Parameters
    ----------
    blocks : ndarray of int16, shape (rows, columns, 8, 8)
        Quantized coefficients.
    steps : ndarray, shape (8, 8)
        Quantization steps.

    Returns
    -------
    ndarray of float32, shape (8 rows, 8 columns)
        Samples, 0..255 but for rounding.

    Notes
    -----
    Bredies and Holler, "A total variation-based JPEG decompression model", SIAM J. Imaging Sciences 5(1), 2012: least
    TV(u) for u in the cells, by the primal-dual method of Chambolle and Pock (J. Math. Imaging and Vision 40, 2011,
    algorithm 1), here with a quadratic pull of each coefficient to the middle of its cell, as quantized coefficients
    are more often there; 30 iterations.
    """
    sizes = steps.astype(np.float64)
    middle = blocks * sizes
    low, high = middle - 0.5 * sizes, middle + 0.5 * sizes
    pull = _PRIMAL * _PULL / sizes**2
    plane = _samples(middle)
    ahead, down, across = plane, np.zeros_like(plane), np.zeros_like(plane)
    dual = 1 / (8 * _PRIMAL)  # the gradient has a norm of at most sqrt(8)
    for _ in range(_ITERATIONS):
        down[:-1] += dual * np.diff(ahead, axis=0)
        across[:, :-1] += dual * np.diff(ahead, axis=1)
        length = np.maximum(1.0, np.hypot(down, across))
        down /= length
        across /= length
        before = plane
        values = (_coefficients(plane + _PRIMAL * _divergence(down, across)) + pull * middle) / (1 + pull)
        plane = _samples(np.clip(values, low, high))
        ahead = 2 * plane - before
    return (plane + 128).astype(np.float32)


def _divergence(down: npt.NDArray[np.float64], across: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Adjoint of the forward differences, negated."""
    result = down + across
    result[1:] -= down[:-1]
    result[:, 1:] -= across[:, :-1]
    return result


def _coefficients(plane: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    rows, columns = plane.shape[0] // 8, plane.shape[1] // 8
    tiles = plane.reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3)
    values: npt.NDArray[np.float64] = dctn(tiles, axes=(2, 3), norm="ortho")
    return values


def _samples(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    rows, columns = values.shape[:2]
    tiles: npt.NDArray[np.float64] = idctn(values, axes=(2, 3), norm="ortho")
    return tiles.transpose(0, 2, 1, 3).reshape(8 * rows, 8 * columns)
