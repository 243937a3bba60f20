"""SSIMULACRA2 with its gradient: how the structure of a picture differs from that of its original.

The measure compares Y, X and B on several scales: means, variances and covariances of a Gaussian window, and edges that
are new or lost, see `optcodec.kernels.similarity`. The mean of each map, and the fourth root of the mean of its fourth
powers, are added up with weights that were fitted to the votes of people (Sneyers, "SSIMULACRA 2", 2022:
github.com/cloudinary/ssimulacra2, ssimulacra2.cc, from which weights and constants are).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optcodec.kernels import load
from optcodec.perception.planes import Picture, Plane, Planes, smoothed

__all__ = ["Structure"]

_X, _Y, _B = range(3)
# By scale and channel: weights of the means of structure, ringing and blurring, then of their norms of fourth powers.
# Those below 0.01 are left out: they move no score by 0.01.
_WEIGHTS: dict[tuple[int, int], tuple[float, float, float, float, float, float]] = {
    (0, _Y): (0, 0, 0, 7.466890328078848, 0, 17.445833984131262),
    (1, _X): (0, 0, 0, 1.1041726426657346, 0, 0),
    (1, _Y): (0, 0, 0, 6.683678146179332, 0, 1.027889937768264),
    (2, _X): (0, 0, 0, 1.8422455520539298, 11.441172603757666, 0),
    (2, _Y): (225.20515300849274, 0, 0, 19.213238186143016, 0, 0),
    (3, _X): (0, 0, 0, 1.8787594979546387, 10.94906990605142, 0),
    (3, _Y): (176.39317598450694, 0, 0, 24.43300999870476, 0.28520802612117757, 0),
    (3, _B): (0, 0, 0, 8.826982764996862, 23.19243343998926, 0),
    (4, _X): (0, 0.9677937080626833, 0, 0, 0.9981766977854967, 0),
    (4, _Y): (0, 0, 0, 34.77906344483772, 44.835625328877896, 0),
    (4, _B): (95.1080498811086, 0.9863978034400682, 0.9834382792465353, 0, 171.2667255897307, 0.9807858872435379),
}
# The score is 100 less a power of a polynomial of the weighted sum.
_LINEAR, _SQUARE, _CUBE = 2.326765642916932, -0.020884521182843837, 6.248496625763138e-05
_SCALE, _FACTOR, _POWER = 0.9562382616834844, 10.0, 0.6276336467831387
_TINY = 1e-18  # below which a mean fourth power, or a sum, is taken for 0


@dataclass(frozen=True, eq=False)
class _Window:
    """A channel of the original on a scale, with mean and variance of the window around each sample."""

    weights: npt.NDArray[np.float64]
    plane: Plane
    mean: Plane
    variance: Plane


@dataclass(frozen=True, eq=False)
class Structure:
    """The original of pictures that are compared with it.

    Parameters
    ----------
    windows : dict
        By scale and channel.
    samples : tuple of int
        Of each scale.
    """

    windows: dict[tuple[int, int], _Window]
    samples: tuple[int, ...]

    @classmethod
    def of(cls, original: Picture) -> Structure:
        """The planes of an original with their statistics."""
        windows = {}
        for (scale, channel), weights in _WEIGHTS.items():
            if scale < len(original.widths):
                width, plane = original.widths[scale], original.opponent[scale][channel]
                mean, square = smoothed(plane, width), smoothed(_product(plane, plane), width)
                windows[scale, channel] = _Window(np.array(weights), plane, mean, square - np.square(mean))
        counts = (planes.shape[1] * width for planes, width in zip(original.light, original.widths, strict=True))
        return cls(windows, tuple(counts))

    def distance(self, picture: Picture) -> float:
        """What the score lacks of 100; 0 for the original."""
        return _distance(sum(self._compared(key, picture).value for key in self.windows))[0]

    def distance_with_slopes(self, picture: Picture) -> tuple[float, list[Planes]]:
        """The distance, and its derivative by X, Y and B on each scale, shaped as `Picture.opponent`."""
        slopes, total = [np.zeros_like(planes) for planes in picture.opponent], 0.0
        for scale, channel in self.windows:
            compared = self._compared((scale, channel), picture)
            total += compared.value
            slopes[scale][channel] = self._slopes(compared, picture.widths[scale])
        distance, factor = _distance(total)
        for planes in slopes:
            planes *= np.float32(factor)
        return distance, slopes

    def _compared(self, key: tuple[int, int], picture: Picture) -> _Compared:
        """A channel of a picture on a scale beside that of the original."""
        scale, channel = key
        window, width, plane = self.windows[key], picture.widths[scale], picture.opponent[scale][channel]
        products = (_product(plane, plane), _product(window.plane, plane))
        smooth = [smoothed(values, width) for values in (plane, *products)]
        sums = np.empty(6)
        flat = (values.ravel() for values in (window.plane, window.mean, window.variance, plane, *smooth))
        load("similarity").similarity(*flat, sums)
        return _Compared(window, plane, smooth, sums, self.samples[scale])

    def _slopes(self, compared: _Compared, width: int) -> Plane:
        """Derivative of the weighted sum by the samples of a channel."""
        window, result = compared.window, np.empty_like(compared.plane)
        original = (window.plane.ravel(), window.mean.ravel(), window.variance.ravel(), compared.plane.ravel())
        smooth = [values.ravel() for values in compared.smooth]
        load("similarity").similarity_slopes(compared.factors, *original, *smooth, result.ravel())
        through = [smoothed(values, width).ravel() for values in compared.smooth]
        load("similarity").spread(window.plane.ravel(), compared.plane.ravel(), *through, result.ravel())
        return result


@dataclass(frozen=True, eq=False)
class _Compared:
    """A channel beside its original: smoothed planes of it, and sums of its maps, see `optcodec.kernels.similarity`."""

    window: _Window
    plane: Plane
    smooth: list[Plane]
    sums: npt.NDArray[np.float64]
    samples: int

    @property
    def value(self) -> float:
        """The weighted sum of means and norms."""
        means = self.sums / self.samples
        norms = np.concatenate([means[::2], means[1::2] ** 0.25])
        return float(self.window.weights @ norms)

    @property
    def factors(self) -> npt.NDArray[np.float32]:
        """Derivative of the value by each of the sums."""
        means, factors = self.sums[1::2] / self.samples, np.empty(6)
        factors[::2] = self.window.weights[:3]
        powers = np.maximum(means, _TINY) ** -0.75
        factors[1::2] = self.window.weights[3:] / 4 * np.where(means > _TINY, powers, 0)
        return (factors / self.samples).astype(np.float32)


def _product(first: Plane, second: Plane) -> Plane:
    result = np.empty_like(first)
    load("similarity").product(first.ravel(), second.ravel(), result.ravel())
    return result


def _distance(total: float) -> tuple[float, float]:
    """What the score lacks of 100, and its derivative, by the weighted sum."""
    x = _SCALE * total
    polynomial = max(_LINEAR * x + _SQUARE * x**2 + _CUBE * x**3, 0.0)
    if polynomial < _TINY:
        return 0.0, 0.0
    slope = _SCALE * (_LINEAR + 2 * _SQUARE * x + 3 * _CUBE * x**2)
    return _FACTOR * polynomial**_POWER, _FACTOR * _POWER * polynomial ** (_POWER - 1) * slope
