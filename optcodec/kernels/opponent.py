"""Colour as the eye has it, in XYB, of linear RGB, on half the scale, and all of that backwards.

Cones answer with the cube root of light, here of mixtures of linear red, green and blue. X is red against green,
Y both together, and B blue against both; all are scaled and shifted so that they are positive.
"""

from __future__ import annotations

import numpy as np

from optcodec.kernels.export import export, inlined

__all__ = ["halved", "halved_back", "linear_light", "opponent", "opponent_back", "pixel_slopes"]

_BIAS = np.float32(0.0037930732554754493)
_ROOT_OF_BIAS = np.float32(0.15595420054)
# Shares of red, green and blue in what each kind of cone takes in (libjxl, lib/jxl/opsin_params.h).
_LONG = tuple(np.float32(share) for share in (0.3, 0.622, 0.078))
_MIDDLE = tuple(np.float32(share) for share in (0.23, 0.692, 0.078))
_SHORT = tuple(np.float32(share) for share in (0.24342268924547819, 0.20476744424496821, 0.5518098665095536))
_SCALE_OF_X = np.float32(14)
_OFFSETS = tuple(np.float32(offset) for offset in (0.42, 0.01, 0.55))
_HALF, _TWO, _THREE = np.float32(0.5), np.float32(2), np.float32(3)


@inlined
def _mixed(shares, red, green, blue):
    return shares[0] * red + shares[1] * green + shares[2] * blue + _BIAS


@inlined
def _root(value):
    """Cube root of a number in 0.003..1.1, with an error of some 1e-7: three steps of Halley's method."""
    root = np.float32(0.17) + np.float32(1.55) * value / (value + np.float32(0.85))
    for _ in range(3):
        cube = root * root * root
        root *= (cube + _TWO * value) / (_TWO * cube + value)
    return root


@export("u8[:,:,:], f32[:], out f32[:,:,:]")
def linear_light(pixels, curve, result):
    """Convert pixels to planes of linear light; what fills up a row becomes 0.

    Parameters
    ----------
    pixels : (height, width, 1 or 3)
    curve : (256,) light of each value
    result : (3, height, pitch) receives red, green and blue, all alike for one channel
    """
    height, width, count = pixels.shape
    for plane in range(3):
        channel = min(plane, count - 1)
        for y in range(height):
            for x in range(width):
                result[plane, y, x] = curve[pixels[y, x, channel]]
            for x in range(width, result.shape[2]):
                result[plane, y, x] = 0


@export("u8[:,:,:], f32[:], f32[:,:,:], out f32[:,:,:]")
def pixel_slopes(pixels, slopes, by_light, result):
    """Convert a derivative by linear light to one by pixels.

    Parameters
    ----------
    pixels : (height, width, 1 or 3)
    slopes : (256,) derivative of the light of each value
    by_light : (3, height, pitch)
    result : (height, width, 1 or 3) receives the derivative, of one channel that by all three
    """
    height, width, count = pixels.shape
    for y in range(height):
        for x in range(width):
            if count == 1:
                total = by_light[0, y, x] + by_light[1, y, x] + by_light[2, y, x]
                result[y, x, 0] = slopes[pixels[y, x, 0]] * total
            else:
                for plane in range(3):
                    result[y, x, plane] = slopes[pixels[y, x, plane]] * by_light[plane, y, x]


@export("f32[:,:], out f32[:,:]")
def opponent(light, result):
    """Convert linear red, green and blue to positive X, Y and B, both (3, samples)."""
    for i in range(light.shape[1]):
        red, green, blue = light[0, i], light[1, i], light[2, i]
        long = _root(_mixed(_LONG, red, green, blue)) - _ROOT_OF_BIAS
        middle = _root(_mixed(_MIDDLE, red, green, blue)) - _ROOT_OF_BIAS
        short = _root(_mixed(_SHORT, red, green, blue)) - _ROOT_OF_BIAS
        both = _HALF * (long + middle)
        result[0, i] = _SCALE_OF_X * _HALF * (long - middle) + _OFFSETS[0]
        result[1, i] = both + _OFFSETS[1]
        result[2, i] = short - both + _OFFSETS[2]


@export("f32[:,:], out f32[:,:]")
def opponent_back(light, slopes):
    """Replace derivatives by X, Y and B by those by linear red, green and blue, both (3, samples)."""
    for i in range(light.shape[1]):
        red, green, blue = light[0, i], light[1, i], light[2, i]
        long = _root(_mixed(_LONG, red, green, blue))
        middle = _root(_mixed(_MIDDLE, red, green, blue))
        short = _root(_mixed(_SHORT, red, green, blue))
        apart, both = _SCALE_OF_X * _HALF * slopes[0, i], _HALF * (slopes[1, i] - slopes[2, i])
        by_long = (both + apart) / (_THREE * long * long)
        by_middle = (both - apart) / (_THREE * middle * middle)
        by_short = slopes[2, i] / (_THREE * short * short)
        slopes[0, i] = _LONG[0] * by_long + _MIDDLE[0] * by_middle + _SHORT[0] * by_short
        slopes[1, i] = _LONG[1] * by_long + _MIDDLE[1] * by_middle + _SHORT[1] * by_short
        slopes[2, i] = _LONG[2] * by_long + _MIDDLE[2] * by_middle + _SHORT[2] * by_short


@inlined
def _share(index, fine):
    """Share of a sample in the coarse one, along one direction: 1 where it is the last of an odd number."""
    return np.float32(1) if index == fine - 1 and fine % 2 == 1 else _HALF


@export("f32[:,:], i64, i64, out f32[:,:]")
def halved(fine, width, half, coarse):
    """Average 2 x 2 samples; at odd ends as many as there are.

    Parameters
    ----------
    fine : (height, pitch), of which `width` are samples
    coarse : (ceil(height / 2), pitch), of which `half` receive samples, and the others 0
    """
    height = fine.shape[0]
    for y in range(coarse.shape[0]):
        above, below = 2 * y, min(2 * y + 1, height - 1)
        for x in range(width // 2):
            total = (fine[above, 2 * x] + fine[above, 2 * x + 1]) + (fine[below, 2 * x] + fine[below, 2 * x + 1])
            coarse[y, x] = np.float32(0.25) * total
        if width % 2 == 1:
            coarse[y, half - 1] = _HALF * (fine[above, width - 1] + fine[below, width - 1])
        for x in range(half, coarse.shape[1]):
            coarse[y, x] = 0


@export("f32[:,:], i64, out f32[:,:]")
def halved_back(coarse, width, fine):
    """Add to a derivative by fine samples what comes through the coarse ones; see `halved`."""
    height = fine.shape[0]
    for y in range(height):
        share = _share(y, height)
        for x in range(width):
            fine[y, x] += share * _share(x, width) * coarse[y // 2, x // 2]
