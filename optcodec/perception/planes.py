"""A picture as the eye has it: planes of X, Y and B on several scales, and the way back for derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optcodec.kernels import load

__all__ = ["KERNELS", "Picture", "Plane", "Planes", "picture_of", "pixel_gradient", "smoothed"]

Pixels = npt.NDArray[np.uint8]
Plane = npt.NDArray[np.float32]  # (rows, pitch): rows are filled up to whole vectors
Planes = npt.NDArray[np.float32]  # (3, rows, pitch)

KERNELS = "gauss", "opponent", "similarity", "visible"  # of which files this room has kernels
_LANES = 16  # numbers of a vector, to whose multiples rows are filled up
_SCALES = 5  # each of half the size of the one before; measures see no more
_LEAST_SIDE = 8  # samples that a scale has at least on each side, other than the first one

# Light of the values 0..255 of sRGB (IEC 61966-2-1, section 5.2), and its derivative.
_LEVELS = np.arange(256) / 255
_IS_DARK = _LEVELS <= 0.04045
_LIGHT = np.where(_IS_DARK, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4).astype(np.float32)
_SLOPES = np.where(_IS_DARK, 1 / 12.92, 2.4 / 1.055 * ((_LEVELS + 0.055) / 1.055) ** 1.4).astype(np.float32)
_SLOPES /= np.float32(255)


@dataclass(frozen=True, eq=False)
class Picture:
    """Planes of a picture on its scales, finest first.

    Parameters
    ----------
    widths : tuple of int
        Samples of a row; what fills the row up is 0 in `light`, and that of black in `opponent`.
    light : tuple of ndarray of float32, shape (3, rows, pitch)
        Linear red, green and blue, 0..1.
    opponent : tuple of ndarray of float32, shape (3, rows, pitch)
        X, Y and B, see `optcodec.kernels.opponent`.
    """

    widths: tuple[int, ...]
    light: tuple[Planes, ...]
    opponent: tuple[Planes, ...]


def picture_of(pixels: Pixels) -> Picture:
    """Planes of pixels, RGB of shape (height, width, 3) or grey of shape (height, width)."""
    kernels = load("opponent")
    height, width = pixels.shape[:2]
    first = np.empty((3, height, _pitch(width)), np.float32)
    kernels.linear_light(np.ascontiguousarray(pixels).reshape(height, width, -1), _LIGHT, first)
    light, widths = [first], [width]
    while len(light) < _SCALES and min(light[-1].shape[1], widths[-1]) >= 2 * _LEAST_SIDE - 1:
        fine, half = light[-1], -(-widths[-1] // 2)
        coarse = np.empty((3, -(-fine.shape[1] // 2), _pitch(half)), np.float32)
        for source, target in zip(fine, coarse, strict=True):
            kernels.halved(source, widths[-1], half, target)
        light.append(coarse)
        widths.append(half)
    opponent = []
    for planes in light:
        opponent.append(np.empty_like(planes))
        kernels.opponent(planes.reshape(3, -1), opponent[-1].reshape(3, -1))
    return Picture(tuple(widths), tuple(light), tuple(opponent))


def pixel_gradient(pixels: Pixels, picture: Picture, slopes: Sequence[Planes]) -> npt.NDArray[np.float32]:
    """Derivative of a loss by each pixel, from that by X, Y and B on each scale, which is overwritten.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3) or (height, width)
    picture : Picture
        Of these pixels.
    slopes : sequence of ndarray of float32
        As `Picture.opponent`.

    Returns
    -------
    ndarray of float32
        Of the shape of the pixels, for a unit of 0..255.
    """
    kernels = load("opponent")
    coarse: Planes | None = None
    for light, planes, width in zip(picture.light[::-1], slopes[::-1], picture.widths[::-1], strict=True):
        kernels.opponent_back(light.reshape(3, -1), planes.reshape(3, -1))
        if coarse is not None:
            for source, target in zip(coarse, planes, strict=True):
                kernels.halved_back(source, width, target)
        coarse = planes
    height, width = pixels.shape[:2]
    result = np.empty((height, width, 1 if pixels.ndim == 2 else 3), np.float32)
    kernels.pixel_slopes(np.ascontiguousarray(pixels).reshape(result.shape), _SLOPES, slopes[0], result)
    return result.reshape(pixels.shape)


def smoothed(plane: Plane, width: int) -> Plane:
    """The plane, smoothed with a Gaussian of sigma 1.5; see `optcodec.kernels.gauss`."""
    result = np.empty_like(plane)
    load("gauss").smoothed(plane, width, result, np.empty(plane.shape[1] + 2 * _LANES, np.float32))
    return result


def _pitch(width: int) -> int:
    return -(-width // _LANES) * _LANES
