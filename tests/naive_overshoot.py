"""Slow and obvious implementations of what `optcodec.kernels.clipped` and `optcodec.kernels.overshoot` compute.

Blocks are arrays (8, 8) of samples in double precision, 128 less than what is shown.
"""

from __future__ import annotations

import numpy as np

COSINES = np.array(
    [[np.sqrt((1 if k == 0 else 2) / 8) * np.cos((2 * j + 1) * k * np.pi / 16) for j in range(8)] for k in range(8)]
)


def naive_dct(samples: np.ndarray) -> np.ndarray:
    return COSINES @ samples @ COSINES.T


def naive_inverse(coefficients: np.ndarray) -> np.ndarray:
    return COSINES.T @ coefficients @ COSINES


def naive_clipped(pixels: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Which samples of each block of luminance, in raster order, are white, and which are black."""
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    height, width = pixels.shape[:2]
    padded = np.pad(pixels, ((0, -height % 8), (0, -width % 8), (0, 0)), "edge")
    blocks = []
    for y in range(0, padded.shape[0], 8):
        for x in range(0, padded.shape[1], 8):
            block = padded[y : y + 8, x : x + 8]
            blocks.append(((block == 255).all(2), (block == 0).all(2)))
    return blocks


def naive_ranges(samples: np.ndarray, white: np.ndarray, black: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least and the largest value of each sample that are shown alike."""
    low = np.where(black, np.minimum(samples, -256), samples)
    return low, np.where(white, np.maximum(samples, 255), samples)


def naive_near(mask: np.ndarray) -> np.ndarray:
    """The samples of a mask and their neighbours."""
    places = np.argwhere(mask)
    return np.array([[(abs(places - (y, x)).max(1) <= 1).any() for x in range(8)] for y in range(8)])


def naive_raised(
    samples: np.ndarray, white: np.ndarray, black: np.ndarray, steps: np.ndarray, height: float
) -> np.ndarray:
    """White raised by a constant, by half of it beside other samples; black lowered."""
    raised = samples.copy()
    for mask, end, sign in ((white, 127, 1), (black, -128, -1)):
        border = naive_near(mask) & ~mask
        if mask.any() and border.any():
            least = min(height * (steps[0, 1] + steps[1, 0]) / 2, 0.3 * abs(samples[border] - end).mean())
            raised += sign * least * np.where(mask, np.where(naive_near(~mask), 0.5, 1.0), 0.0)
    return raised


def naive_overshot(
    samples: np.ndarray, white: np.ndarray, black: np.ndarray, steps: np.ndarray, overshoot: tuple[float, float, int]
) -> np.ndarray:
    """Coefficients of a block that is shown alike and takes less; `overshoot`: height, threshold and turns."""
    height, threshold, turns = overshoot
    if not (white | black).any():
        return naive_dct(samples)
    if white.all() or black.all():
        most = abs(samples).max()
        value = np.ceil(8 * most / steps[0, 0] - 0.001) * steps[0, 0] / 8
        return naive_dct(np.full((8, 8), value if white.all() else -value))
    low, high = naive_ranges(samples, white, black)
    current = np.clip(naive_raised(samples, white, black, steps, height), low, high)
    for _ in range(turns):
        coefficients = naive_dct(current)
        small = abs(coefficients) < threshold * steps
        small[0, 0] = False
        current = np.clip(naive_inverse(np.where(small, 0, coefficients)), low, high)
    found = naive_dct(current)
    return naive_dct(samples) if (abs(found) > 1023 * steps).any() else found


def naive_seen_error(decoded: np.ndarray, samples: np.ndarray, white: np.ndarray, black: np.ndarray) -> float:
    """Squared error of decoded samples, as far as it is seen."""
    return float(((decoded - np.clip(decoded, *naive_ranges(samples, white, black))) ** 2).sum())
