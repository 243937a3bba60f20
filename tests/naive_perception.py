"""A slow and obvious implementation of what people see of a decoded picture, in double precision.

Of SSIMULACRA2 it has all weights, as the package of this name; borders are mirrored, or as the package has them: what
lies left and right of the picture is 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

Plane = np.ndarray

BELL = np.exp(-np.square(np.arange(-5, 6)) / (2 * 1.5**2))
MIX = np.array([[0.3, 0.622, 0.078], [0.23, 0.692, 0.078], [0.243422689245, 0.204767444245, 0.551809866510]])
BIAS = 0.0037930732552754493
# Of X, Y and B: 14 times larger X as SSIMULACRA2 has it, coarse and fine part.
VISIBLE = np.array([[13.36, 8.98], [4.96, 0.792], [1.018, 0.0]])


def smooth(plane: Plane, sides: str = "symmetric") -> Plane:
    """The plane, smoothed; `sides` is how `numpy.pad` continues it left and right."""
    padded = np.pad(np.pad(plane, ((5, 5), (0, 0)), "symmetric"), ((0, 0), (5, 5)), sides)  # type: ignore[call-overload]
    height, width = plane.shape
    down = sum(weight * padded[k : k + height] for k, weight in enumerate(BELL / BELL.sum()))
    return np.asarray(sum(weight * down[:, k : k + width] for k, weight in enumerate(BELL / BELL.sum())))


def light(pixels: ArrayLike) -> Plane:
    """Linear red, green and blue, (3, height, width)."""
    values = np.asarray(pixels, np.float64) / 255
    values = np.repeat(values[..., None], 3, 2) if values.ndim == 2 else values
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return linear.transpose(2, 0, 1)


def opponent(linear: Plane) -> Plane:
    """X, Y and B, each positive."""
    long, middle, short = np.cbrt(np.tensordot(MIX, linear, 1) + BIAS) - np.cbrt(BIAS)
    both = (long + middle) / 2
    return np.stack([7 * (long - middle) + 0.42, both + 0.01, short - both + 0.55])


def half(planes: Plane) -> Plane:
    """Means of 2 x 2 samples, of fewer at odd ends."""
    for axis in (1, 2):
        starts = np.arange(0, planes.shape[axis], 2)
        counts = np.minimum(planes.shape[axis] - starts, 2)
        planes = np.add.reduceat(planes, starts, axis) / np.expand_dims(
            counts, [other for other in range(3) if other != axis]
        )
    return planes


def structure(original: ArrayLike, decoded: ArrayLike, weights: Plane, sides: str = "symmetric") -> float:
    """100 less SSIMULACRA2; weights by channel, scale, norm (1 and 4) and map."""
    one, other, total = light(original), light(decoded), 0.0
    for scale in range(6):
        if scale:
            one, other = half(one), half(other)
        if scale and min(one.shape[1:]) < 8:
            break
        for channel, (a, b) in enumerate(zip(opponent(one), opponent(other), strict=True)):
            mean_a, mean_b = smooth(a, sides), smooth(b, sides)
            common = 2 * (smooth(a * b, sides) - mean_a * mean_b) + 0.0009
            spread = smooth(a * a, sides) - mean_a**2 + smooth(b * b, sides) - mean_b**2 + 0.0009
            lost = np.maximum(1 - (1 - (mean_a - mean_b) ** 2) * common / spread, 0)
            edge = (1 + abs(b - mean_b)) / (1 + abs(a - mean_a)) - 1
            for k, values in enumerate((lost, np.maximum(edge, 0), np.maximum(-edge, 0))):
                total += weights[channel, scale, 0, k] * values.mean()
                total += weights[channel, scale, 1, k] * (values**4).mean() ** 0.25
    x = 0.9562382616834844 * total
    power = 2.326765642916932 * x - 0.020884521182843837 * x**2 + 6.248496625763138e-05 * x**3
    return float(10 * max(power, 0) ** 0.6276336467831387)


def visibility(original: ArrayLike, decoded: ArrayLike) -> float:
    """Mean of the norms 3, 6 and 12 of the map of distances."""
    one, other = opponent(light(original)), opponent(light(decoded))
    detail = abs(one[1] - smooth(one[1]))
    mask = (smooth(smooth(smooth(detail))) + 0.002286) ** -0.824
    squares = np.zeros(mask.shape)
    for a, b, (of_coarse, of_fine), scale in zip(one, other, VISIBLE, (14, 1, 1), strict=True):
        whole = (b - a) / scale
        coarse = smooth(whole)
        squares += of_coarse * coarse**2 + of_fine * (whole - coarse) ** 2
    distance = np.sqrt(smooth(squares) * mask)
    return float(np.mean([(distance**p).mean() ** (1 / p) for p in (3, 6, 12)]))
