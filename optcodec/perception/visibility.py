"""How far a picture is from its original where it is seen best: a distance that is like butteraugli's 3-norm.

Differences of X, Y and B (see `optcodec.kernels.opponent`) are parted into what a Gaussian of 1.5 samples leaves, and
the rest. Their weighted squares, smoothed, count for less where the original has fine detail itself. The root of that
is a map of distances, of which the norms of the powers 3, 6 and 12 are averaged, as butteraugli does: they are ruled by
the places that are worst. (Butteraugli: Alakuijala et al., "Guetzli: perceptually guided JPEG encoder", 2017, section
3; libjxl, lib/extras/metrics.cc.) Weights, and how much detail masks, were fitted to butteraugli's 3-norm of files of
several encoders; how well it follows that, also on other photographs, is measured by `benchmarks/rates/visibility.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optcodec.kernels import load
from optcodec.perception.planes import Picture, Plane, Planes, smoothed

__all__ = ["Visibility"]

# Of X, Y and B, of which X is scaled by 14: weights of the squared coarse part, and of the rest.
_WEIGHTS = ((13.36 / 14**2, 8.98 / 14**2), (4.96, 0.792), (1.018, 0.0))
_FLOOR, _EXPONENT = 0.002286, 0.824  # of the masks: (detail + floor) ** -exponent
_POWERS = np.array([3, 6, 12])
_TINY = 1e-30  # of a mean power


@dataclass(frozen=True, eq=False)
class Visibility:
    """The original of pictures that are compared with it.

    Parameters
    ----------
    original : Picture
    masks : ndarray of float32, shape (rows, pitch)
        Factors of squared distances; 0 where there are no samples.
    """

    original: Picture
    masks: Plane

    @classmethod
    def of(cls, original: Picture) -> Visibility:
        """The original, and where it hides differences."""
        width, luminance = original.widths[0], original.opponent[0][1]
        detail = np.abs(luminance - smoothed(luminance, width))
        for _ in range(3):
            detail = smoothed(detail, width)
        masks = (detail + np.float32(_FLOOR)) ** np.float32(-_EXPONENT)
        masks[:, width:] = 0
        return cls(original, masks)

    def distance(self, picture: Picture) -> float:
        """The distance; 0 for the original."""
        return self._norms(self._squares(self._parts(picture)))[0]

    def distance_map(self, picture: Picture) -> npt.NDArray[np.float32]:
        """Squared distance of each pixel, shape (rows, columns)."""
        squares: npt.NDArray[np.float32] = (self._squares(self._parts(picture)) * self.masks)[:, : picture.widths[0]]
        return squares

    def distance_with_slopes(self, picture: Picture, slopes: Planes, weight: float) -> float:
        """The distance; its derivative by X, Y and B, times a weight over the distance, is added to `slopes`."""
        parts, width = self._parts(picture), picture.widths[0]
        squares = self._squares(parts)
        distance, factors = self._norms(squares)
        if not distance:
            return 0.0
        load("visible").distance_slopes(factors * (weight / distance), self.masks.ravel(), squares.ravel())
        by_square = smoothed(squares, width)
        for planes, weights, (whole, coarse) in zip(slopes, _WEIGHTS, parts, strict=True):
            load("visible").visible_slopes(by_square.ravel(), *weights, whole.ravel(), coarse.ravel())
            planes += whole
            planes += smoothed(coarse, width)
        return distance

    def _squares(self, parts: list[tuple[Plane, Plane]]) -> Plane:
        """Weighted squares of all differences, smoothed."""
        total = np.zeros_like(self.masks)
        for (whole, coarse), weights in zip(parts, _WEIGHTS, strict=True):
            load("visible").visible(whole.ravel(), coarse.ravel(), *weights, total.ravel())
        return smoothed(total, self.original.widths[0])

    def _parts(self, picture: Picture) -> list[tuple[Plane, Plane]]:
        """Of each channel the difference from that of the original, and its coarse part."""
        differences = picture.opponent[0] - self.original.opponent[0]
        return [(whole, smoothed(whole, picture.widths[0])) for whole in differences]

    def _norms(self, squares: Plane) -> tuple[float, npt.NDArray[np.float64]]:
        """Mean of the norms, and its derivative by the sums of powers."""
        sums, samples = np.empty(3), len(squares) * self.original.widths[0]
        load("visible").distances(squares.ravel(), self.masks.ravel(), sums)
        means = np.maximum(sums / samples, _TINY)
        norms = np.where(sums > 0, means ** (1 / _POWERS), 0)
        return float(norms.mean()), norms / means / _POWERS / samples / len(_POWERS)
