"""Smooth planes with a Gaussian of sigma 1.5 samples, cut off after five samples, mirrored at the borders.

A plane has rows of `pitch` floats, a multiple of 16, of which the first `width` are samples; the others, which fill the
row up, become 0. The border samples are repeated in the mirror: ``c b a | a b c``. So the weight with which a sample
goes into another one is that of the other one in it, and smoothing is its own transpose.
"""

from __future__ import annotations

import math

import numpy as np

from optcodec.kernels.export import export, inlined
from optcodec.kernels.vector import F32, address_of, emit

__all__ = ["smoothed"]

_RADIUS, _SIGMA = 5, 1.5  # in samples
_BELL = [math.exp(-(offset**2) / (2 * _SIGMA**2)) for offset in range(_RADIUS + 1)]
_WEIGHTS = [float(np.float32(value / (2 * sum(_BELL) - _BELL[0]))) for value in _BELL]
_LEAD = 16  # floats before the first sample of the line in the work space: as many as a vector has


def _weighted(lines):
    """Sum of eleven vectors, the first and the last weighed least."""
    total = lines[_RADIUS] * _WEIGHTS[0]
    for offset in range(1, _RADIUS + 1):
        total = total + (lines[_RADIUS - offset] + lines[_RADIUS + offset]) * _WEIGHTS[offset]
    return total


@emit(12)
def _down_16(b, r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, target):
    """Smooth 16 samples of a row from those of eleven rows."""
    rows = (r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10)
    _weighted([b.load(row, F32, 16) for row in rows]).store(target)


@emit(2)
def _along_16(b, first, target):
    """Smooth 16 samples of a line; `first` is the address of the sample five before them."""
    _weighted([b.load(first + 4 * offset, F32, 16) for offset in range(2 * _RADIUS + 1)]).store(target)


@inlined
def _mirrored(index, count):
    """Position within 0..count - 1 whose sample stands at `index`, which may lie several times beyond the ends."""
    inside = index % (2 * count)
    return inside if inside < count else 2 * count - 1 - inside


@export("f32[:,:], i64, out f32[:,:], out f32[:]")
def smoothed(plane, width, result, line):
    """Smooth a plane.

    Parameters
    ----------
    plane : (height, pitch)
    width : number of samples of a row
    result : (height, pitch) receives the smoothed samples; not the plane itself
    line : (pitch + 32,) work space
    """
    height, pitch = plane.shape
    source, target, begin = address_of(plane), address_of(result), address_of(line) + 4 * _LEAD
    nbytes = 4 * pitch
    for y in range(height):
        r0, r1 = source + nbytes * _mirrored(y - 5, height), source + nbytes * _mirrored(y - 4, height)
        r2, r3 = source + nbytes * _mirrored(y - 3, height), source + nbytes * _mirrored(y - 2, height)
        r4, r5 = source + nbytes * _mirrored(y - 1, height), source + nbytes * y
        r6, r7 = source + nbytes * _mirrored(y + 1, height), source + nbytes * _mirrored(y + 2, height)
        r8, r9 = source + nbytes * _mirrored(y + 3, height), source + nbytes * _mirrored(y + 4, height)
        r10 = source + nbytes * _mirrored(y + 5, height)
        for x in range(0, nbytes, 64):
            _down_16(
                r0 + x, r1 + x, r2 + x, r3 + x, r4 + x, r5 + x, r6 + x, r7 + x, r8 + x, r9 + x, r10 + x, begin + x
            )  # fmt: skip
        for offset in range(1, _RADIUS + 1):
            line[_LEAD - offset] = line[_LEAD + _mirrored(-offset, width)]
            line[_LEAD + width - 1 + offset] = line[_LEAD + _mirrored(width - 1 + offset, width)]
        for x in range(0, nbytes, 64):
            _along_16(begin + x - 4 * _RADIUS, target + nbytes * y + x)
        for x in range(width, pitch):
            result[y, x] = 0
