"""Block weights from the activity of an image: the adaptive quantization of x264 and libwebp.

Both encoders divide the image into macroblocks of 16x16 pixels and choose a quantizer step for each. A trellis uses
weights instead: it minimizes weight * error + bits, and squared errors grow with step^2, so the weight is 1 / step^2.
Both encoders work on limited-range YCbCr at 4:2:0 (ITU-R BT.601), with edges repeated to whole macroblocks; here, each
chroma sample is the mean of four pixels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from optcodec.errors import InvalidInputError
from optcodec.trellis.field import QualityField

__all__ = ["VAQ", "libwebp_field", "x264_field"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_SIDE = 16  # of a macroblock
# ITU-R BT.601, section 3: rows of the matrix from RGB in 0..255, and offsets.
_MATRIX = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]) / 255
_OFFSETS = 16, 128, 128

# x264, encoder/ratecontrol.c, x264_adaptive_quant_frame: "constants chosen to result in approximately the same overall
# bitrate as without AQ".
_X264_STRENGTH, _X264_MIDDLE = 1.0397, 14.427
_QP_OCTAVE = 6  # ITU-T H.264: the step doubles every 6 QP

# libwebp: src/enc/analysis_enc.c (MAX_ALPHA, ALPHA_SCALE, MAX_ITERS_K_MEANS), src/dsp/dsp.h (MAX_COEFF_THRESH), and
# src/enc/quant_enc.c (SNS_TO_DQ).
_ALPHAS, _ALPHA_SCALE, _ITERATIONS, _BINS, _SNS_TO_DQ = 256, 510, 6, 32, 0.9
_SETTLED = 5  # k-means ends when the centers move by less than this in total
# RFC 6386, section 14.1, ac_qlookup, stored as differences of successive steps.
_VP8_STEPS = np.cumsum([4, *[1] * 54, *[2] * 29, *[3] * 19, *[4] * 14, 5, 5, 6, 4, *[5] * 7])


def x264_field(pixels: npt.NDArray[np.uint8], *, strength: float = 1.0) -> QualityField:
    """Block weights of x264 with ``--aq-mode 1``.

    The offset of a macroblock's QP is ``strength * 1.0397 * (log2(max(energy, 1)) - 14.427)``, where energy is the sum
    of squared differences to the mean, over Y, Cb and Cr. Six QP double the step: the weight is ``2^(-offset / 3)``.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3) or (height, width)
        RGB or grey.
    strength : float
        ``--aq-strength``, at least 0.

    Raises
    ------
    InvalidInputError
        If the pixels or the strength are not as described.
    """
    if not (np.isfinite(strength) and strength >= 0):
        raise InvalidInputError(f"the strength is a number from 0 on, got {strength!r}")
    energy = sum(_ac_energy(blocks) for blocks in _macroblocks(pixels))
    offset = strength * _X264_STRENGTH * (np.log2(np.maximum(energy, 1)) - _X264_MIDDLE)
    return _field(pixels, 2.0 ** (-2 * offset / _QP_OCTAVE))


def libwebp_field(
    pixels: npt.NDArray[np.uint8], *, quality: int = 75, strength: int = 50, segments: int = 4
) -> QualityField:
    """Block weights of the segments of libwebp (``-q``, ``-sns`` and ``-segments`` of cwebp).

    Macroblocks are divided into segments, with k-means, by how easy they are to predict (their alpha in VP8EncAnalyze).
    Each segment raises the compression factor of the quality to a power of its own, which gives its quantizer
    (VP8SetSegmentParams). Not modelled: gamma in the downsampling of chrominance, and separate chroma quantizers.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3) or (height, width)
        RGB or grey.
    quality : int
        0..100.
    strength : int
        Strength of spatial noise shaping, 0..100.
    segments : int
        Number of segments, 1..4.

    Raises
    ------
    InvalidInputError
        If the pixels or an option are not as described.
    """
    limits = {"quality": (quality, 0, 100), "strength": (strength, 0, 100), "segments": (segments, 1, 4)}
    for name, (value, least, most) in limits.items():
        if not least <= value <= most:
            raise InvalidInputError(f"{name} lies in {least}..{most}, got {value!r}")
    alphas = _alphas(*_macroblocks(pixels))
    centers, segment_of, middle = _segments(np.bincount(alphas.ravel(), minlength=_ALPHAS), segments)
    spread = max(int(centers.max() - centers.min()), 1)
    relative = np.clip(np.trunc(255 * (centers - middle) / spread), -127, 127)
    part = quality / 100
    base = np.cbrt(part * 2 / 3 if part < 0.75 else 2 * part - 1)
    powers = base ** (1 - _SNS_TO_DQ * strength / 100 / 128 * relative)
    steps = _VP8_STEPS[np.clip((127 * (1 - powers)).astype(int), 0, 127)]
    return _field(pixels, 1.0 / steps[segment_of[alphas]] ** 2)


VAQ: dict[str, Callable[[npt.NDArray[np.uint8]], QualityField]] = {"x264": x264_field, "libwebp": libwebp_field}


def _macroblocks(pixels: npt.NDArray[np.uint8]) -> list[Integers]:
    """Samples of Y, Cb and Cr by macroblock, shape (rows, columns, side, side) with sides 16, 8 and 8."""
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,)) or not pixels.size:
        expected = "uint8 of shape (height, width, 3) or (height, width)"
        raise InvalidInputError(f"pixels are {expected}, got {pixels.dtype} of shape {pixels.shape}")
    height, width = pixels.shape[:2]
    rgb = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
    padded = np.pad(rgb, ((0, -height % _SIDE), (0, -width % _SIDE), (0, 0)), "edge")
    rows, columns = padded.shape[0] // _SIDE, padded.shape[1] // _SIDE
    planes = []
    for index, (row, offset) in enumerate(zip(_MATRIX, _OFFSETS, strict=True)):
        side = _SIDE if index == 0 else _SIDE // 2
        plane = padded @ row + offset
        means = plane.reshape(rows * side, _SIDE // side, columns * side, _SIDE // side).mean(axis=(1, 3))
        samples = np.rint(means).astype(np.int64)
        planes.append(samples.reshape(rows, side, columns, side).swapaxes(1, 2))
    return planes


def _field(pixels: npt.NDArray[np.uint8], weights: Floats) -> QualityField:
    """The field with these weights (rows, columns) of the macroblocks."""
    height, width = pixels.shape[:2]
    return QualityField.from_squares(width, height, weights, _SIDE)


def _ac_energy(blocks: Integers) -> Integers:
    """Sum of squared differences to the mean, in integer arithmetic (x264, ac_energy_var)."""
    sums = blocks.sum(axis=(2, 3))
    energy: Integers = (blocks * blocks).sum(axis=(2, 3)) - sums * sums // (blocks.shape[2] * blocks.shape[3])
    return energy


def _alphas(luminance: Integers, blue: Integers, red: Integers) -> Integers:
    """How hard each macroblock is to predict, 0..255 (libwebp, MBAnalyze)."""
    alphas = []
    for planes in ([luminance], [blue, red]):
        by_mode = zip(*(_predictions(plane) for plane in planes), strict=True)
        values = [_ease([plane - guess for plane, guess in zip(planes, guesses, strict=True)]) for guesses in by_mode]
        alphas.append(np.maximum(*values))
    mixed: Integers = np.clip(_ALPHAS - 1 - ((3 * alphas[0] + alphas[1] + 2) >> 2), 0, _ALPHAS - 1)
    return mixed


def _predictions(blocks: Integers) -> tuple[Integers, Integers]:
    """Predict each block from its neighbours, by their mean and by gradients (RFC 6386, section 12.2: DC_PRED and
    TM_PRED)."""
    side = blocks.shape[-1]
    above, left, corner = (
        np.zeros(shape, np.int64) for shape in (blocks.shape[:3], blocks.shape[:3], blocks.shape[:2])
    )
    above[1:], left[:, 1:], corner[1:, 1:] = blocks[:-1, :, -1], blocks[:, :-1, :, -1], blocks[:-1, :-1, -1, -1]
    top, first = np.arange(len(blocks)) == 0, np.arange(blocks.shape[1]) == 0
    both = ~top[:, None] & ~first
    total = (above.sum(axis=2) + left.sum(axis=2)) * np.where(both, 1, 2)  # one side alone counts twice
    mean = (total + side) // (2 * side)
    mean[0, 0] = 128
    gradient = np.clip(left[..., :, None] + above[..., None, :] - corner[..., None, None], 0, 255)
    gradient[0, 0] = 129
    return np.broadcast_to(mean[..., None, None], blocks.shape), gradient


def _ease(residuals: list[Integers]) -> Integers:
    """Alpha of each macroblock: last filled bin of the histogram of its 4x4 coefficients, divided by the count of the
    fullest bin, and scaled (libwebp, GetAlpha)."""
    rows, columns = residuals[0].shape[:2]
    bins = [
        np.minimum(np.abs(_transformed(residual)) >> 3, _BINS - 1).reshape(rows * columns, -1) for residual in residuals
    ]
    joined = np.concatenate(bins, axis=1)
    flat_bins = joined + _BINS * np.arange(len(joined))[:, None]
    histogram = np.bincount(flat_bins.ravel(), minlength=_BINS * len(joined)).reshape(-1, _BINS)
    last = np.maximum(joined.max(axis=1), 1)
    alpha: Integers = (_ALPHA_SCALE * last // histogram.max(axis=1)).reshape(rows, columns)
    return alpha


def _transformed(residual: Integers) -> Integers:
    """The 4x4 transform of VP8 encoders, rounded as in libwebp's FTransform (src/dsp/enc.c)."""
    rows, columns, side = residual.shape[:3]
    parts = residual.reshape(rows, columns, side // 4, 4, side // 4, 4)
    a, b, c, d = (parts[..., k] for k in range(4))
    sums, differences = (a + d, b + c), (b - c, a - d)
    first = (
        (sums[0] + sums[1]) * 8,
        (differences[0] * 2217 + differences[1] * 5352 + 1812) >> 9,
        (sums[0] - sums[1]) * 8,
        (differences[1] * 2217 - differences[0] * 5352 + 937) >> 9,
    )
    across = np.stack(first, axis=-1)
    a, b, c, d = (across[:, :, :, k] for k in range(4))
    sums, differences = (a + d, b + c), (b - c, a - d)
    second = (
        (sums[0] + sums[1] + 7) >> 4,
        ((differences[0] * 2217 + differences[1] * 5352 + 12000) >> 16) + (differences[1] != 0),
        (sums[0] - sums[1] + 7) >> 4,
        (differences[1] * 2217 - differences[0] * 5352 + 51000) >> 16,
    )
    return np.stack(second, axis=3)


def _segments(histogram: Integers, count: int) -> tuple[Integers, Integers, int]:
    """k-means on a histogram of alphas (libwebp, AssignSegments): centers, nearest center of each alpha, and mean."""
    present = np.flatnonzero(histogram)
    least, spread = int(present[0]), int(present[-1] - present[0])
    centers = np.array([least + (2 * k + 1) * spread // (2 * count) for k in range(count)])
    for _ in range(_ITERATIONS):
        nearest = np.zeros(_ALPHAS, np.int64)
        nearest[present] = _nearest(present.tolist(), centers.tolist())
        members = np.bincount(nearest[present], histogram[present], count).astype(np.int64)
        sums = np.bincount(nearest[present], present * histogram[present], count).astype(np.int64)
        moved = np.where(members > 0, (sums + members // 2) // np.maximum(members, 1), centers)
        settled = np.abs(moved - centers).sum() < _SETTLED
        centers = moved
        if settled:
            break
    total = int(members.sum())
    return centers, nearest, (int((centers * members).sum()) + total // 2) // total


def _nearest(alphas: list[int], centers: list[int]) -> list[int]:
    """Index of the center nearest to each alpha (rising), never falling; the smaller index if two are equally near."""
    nearest, n = [], 0
    for alpha in alphas:
        while n + 1 < len(centers) and abs(alpha - centers[n + 1]) < abs(alpha - centers[n]):
            n += 1
        nearest.append(n)
    return nearest
