"""How natural an image looks without its original: NIQE and BRISQUE, written from the papers.

Both describe an image by statistics of its samples after local normalization (MSCN coefficients), and both need a
model of the authors, which users bring as a file.

- BRISQUE: Mittal, Moorthy and Bovik, "No-reference image quality assessment in the spatial domain", TIP 2012.
- NIQE: Mittal, Soundararajan and Bovik, "Making a completely blind image quality analyzer", SPL 2013.
"""

from __future__ import annotations

import itertools
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.ndimage import correlate, correlate1d
from scipy.special import gamma

from optcodec import InvalidInputError

__all__ = ["Brisque", "Niqe", "halved", "normalized"]

Floats = npt.NDArray[np.float64]

_SIDE = 96  # of the blocks of NIQE, SPL 2013 section II
_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (-1, 1))  # right, below and the two diagonals, TIP 2012 eq. (7)-(10)
_FEATURES = 36  # 18 at each of two scales, in both papers
_LEAST = 16  # side in pixels below which the second scale has next to nothing


def normalized(image: Floats, *, border: str) -> Floats:
    """MSCN coefficients, TIP 2012 eq. (1)-(3): a Gaussian window of 7x7 whose sigma is 7/6, constant 1.

    Beyond the border the authors' code has zeros for BRISQUE ("constant") and the last sample for NIQE ("nearest");
    their models depend on it.
    """
    offsets = np.arange(-3, 4)
    line = np.exp(-(offsets**2) / (2 * (7 / 6) ** 2))
    window = np.outer(line, line) / line.sum() ** 2
    mean = correlate(image, window, mode=border)
    deviation = np.sqrt(np.abs(correlate(image**2, window, mode=border) - mean**2))
    coefficients: Floats = (image - mean) / (deviation + 1)
    return coefficients


def halved(image: Floats) -> Floats:
    """Half the size by a cubic kernel (Keys, a = -1/2) that is stretched by two, borders mirrored.

    It is what the authors' code uses for the second scale (imresize of Matlab).
    """
    x = np.abs(np.arange(-3.5, 4.0)) / 2
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    taps = np.where(x <= 1, near, far)
    taps /= taps.sum()
    for axis in (0, 1):
        # an even number of taps is centred on the right one of the middle pair; its left one is where samples start
        smooth = correlate1d(image, taps, axis=axis, mode="reflect", origin=-1)
        image = np.take(smooth, np.arange(0, image.shape[axis], 2), axis=axis)
    return image


def _asymmetric_fit(samples: Floats) -> tuple[float, float, float]:
    """Shape and left and right standard deviation of an asymmetric generalized Gaussian.

    Moment matching of Lasmar, Stitou and Berthoumieu (ICIP 2009), shapes 0.2 to 10 in steps of 0.001.
    """
    left = float(np.sqrt(np.mean(samples[samples < 0] ** 2))) if (samples < 0).any() else 0.0
    right = float(np.sqrt(np.mean(samples[samples > 0] ** 2))) if (samples > 0).any() else 0.0
    if not left or not right:
        return float("nan"), left, right  # a flat block has no shape
    ratio = left / right
    moment = float(np.mean(np.abs(samples)) ** 2 / np.mean(samples**2))
    moment *= (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shapes, ratios = _shapes()
    return float(shapes[np.argmin((ratios - moment) ** 2)]), left, right


def _symmetric_fit(samples: Floats) -> tuple[float, float]:
    """Shape and variance of a generalized Gaussian, by the same moments."""
    variance = float(np.mean(samples**2))
    if not variance:
        return float("nan"), 0.0
    shapes, ratios = _shapes()
    return float(shapes[np.argmin((ratios - np.mean(np.abs(samples)) ** 2 / variance) ** 2)]), variance


@cache
def _shapes() -> tuple[Floats, Floats]:
    shapes = np.arange(200, 10_001) / 1000
    return shapes, gamma(2 / shapes) ** 2 / (gamma(1 / shapes) * gamma(3 / shapes))


def _statistics(coefficients: Floats, *, scales: bool) -> list[float]:
    """18 statistics of MSCN coefficients: the fit to them, and to the products of neighbours.

    NIQE describes the width of a side by the scale of the distribution, BRISQUE by its variance; NIQE alone lets the
    sides of the coefficients themselves differ.
    """
    if scales:
        shape, left, right = _asymmetric_fit(coefficients)
        found = [shape, np.sqrt(gamma(1 / shape) / gamma(3 / shape)) * (left + right) / 2]
    else:
        found = [*_symmetric_fit(coefficients)]
    for down, across in _NEIGHBOURS:
        shape, left, right = _asymmetric_fit(coefficients * np.roll(coefficients, (down, across), (0, 1)))
        to_scale = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
        mean = (right - left) * to_scale * gamma(2 / shape) / gamma(1 / shape)
        found += [shape, mean, *((to_scale * left, to_scale * right) if scales else (left**2, right**2))]
    return found


@dataclass(frozen=True, eq=False)
class Niqe:
    """Distance of an image's statistics from those of pristine photographs; lower is better.

    Parameters
    ----------
    mean : ndarray of float64, shape (36,)
        Of the pristine features.
    covariance : ndarray of float64, shape (36, 36)
        Of the same.
    """

    mean: Floats
    covariance: Floats

    @classmethod
    def load(cls, path: Path) -> Niqe:
        """The authors' model of pristine images, as basicsr 1.4.2 stores it.

        Raises
        ------
        InvalidInputError
            If the file is not that.
        """
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                mean, covariance = file["mu_pris_param"].ravel(), file["cov_pris_param"]
        except (OSError, EOFError, TypeError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise InvalidInputError(f"{path} is no model of NIQE ({error}); expected niqe_pris_params.npz") from None
        if mean.shape != (_FEATURES,) or covariance.shape != (_FEATURES, _FEATURES):
            raise InvalidInputError(f"{path}: expected a mean of 36 values and their covariance, got {mean.shape}")
        return cls(mean.astype(np.float64), covariance.astype(np.float64))

    def __call__(self, luminance: npt.NDArray[np.uint8]) -> float:
        """NIQE, SPL 2013 eq. (10), of an image of at least two blocks of 96x96."""
        features = self.features(luminance)
        if len(features) < 2:
            raise InvalidInputError(f"NIQE needs two blocks of 96x96 that are not flat, got shape {luminance.shape}")
        away = self.mean - features.mean(axis=0)
        pooled = np.linalg.pinv((self.covariance + np.cov(features, rowvar=False)) / 2)
        return float(np.sqrt(away @ pooled @ away))

    @staticmethod
    def features(luminance: npt.NDArray[np.uint8]) -> Floats:
        """Features of each block that is not flat, shape (blocks, 36)."""
        rows, columns = (extent // _SIDE for extent in luminance.shape)
        image = luminance[: rows * _SIDE, : columns * _SIDE].astype(np.float64)
        if not image.size:
            return np.empty((0, _FEATURES))
        parts = []
        for side, scale in ((_SIDE, image), (_SIDE // 2, halved(image))):
            coefficients = normalized(scale, border="nearest")
            starts = itertools.product(range(0, rows * side, side), range(0, columns * side, side))
            parts.append([_statistics(coefficients[y : y + side, x : x + side], scales=True) for y, x in starts])
        features = np.concatenate([np.array(part) for part in parts], axis=1)
        whole: Floats = features[np.isfinite(features).all(axis=1)]
        return whole


@dataclass(frozen=True, eq=False)
class Brisque:
    """Opinion score that a support vector regression predicts from the statistics; 0 (best) to 100.

    Parameters
    ----------
    low, high : ndarray of float64, shape (36,)
        Range of each feature that becomes -1..1.
    vectors : ndarray of float64, shape (V, 36)
        Support vectors.
    weights : ndarray of float64, shape (V,)
        Of the vectors.
    width, offset : float
        gamma and rho of libsvm.
    """

    low: Floats
    high: Floats
    vectors: Floats
    weights: Floats
    width: float
    offset: float

    @classmethod
    def load(cls, model: Path, ranges: Path) -> Brisque:
        """The authors' model: ``allmodel`` (libsvm) and ``allrange`` (svm-scale), both text.

        Raises
        ------
        InvalidInputError
            If the files are not those.
        """
        try:
            low, high = np.array([line.split()[1:] for line in ranges.read_text().splitlines()[2:]], np.float64).T
            head, _, body = model.read_text().partition("\nSV\n")
            settings = dict(line.split(maxsplit=1) for line in head.splitlines())
            if (settings["svm_type"], settings["kernel_type"]) != ("epsilon_svr", "rbf"):
                raise ValueError(f"{settings['svm_type']} with kernel {settings['kernel_type']}")
            weights, vectors = _support_vectors(body)
            width, offset = float(settings["gamma"]), float(settings["rho"])
        except (OSError, ValueError, KeyError, IndexError) as error:
            raise InvalidInputError(
                f"{model} and {ranges.name} are no model of BRISQUE ({error}); expected the text files of its authors"
            ) from None
        if low.shape != (_FEATURES,) or not len(vectors):
            raise InvalidInputError(f"{ranges}: expected the ranges of 36 features, got {len(low)}")
        return cls(low, high, vectors, weights, width, offset)

    def __call__(self, luminance: npt.NDArray[np.uint8]) -> float:
        """BRISQUE of an image of at least 16x16."""
        if min(luminance.shape) < _LEAST:
            raise InvalidInputError(f"BRISQUE needs at least {_LEAST} pixels on each side, got shape {luminance.shape}")
        scaled = 2 * (self.features(luminance) - self.low) / (self.high - self.low) - 1
        kernel = np.exp(-self.width * ((self.vectors - scaled) ** 2).sum(axis=1))
        return float(self.weights @ kernel - self.offset)

    @staticmethod
    def features(luminance: npt.NDArray[np.uint8]) -> Floats:
        """18 statistics at each of two scales, shape (36,)."""
        image = luminance.astype(np.float64)
        found = [_statistics(normalized(scale, border="constant"), scales=False) for scale in (image, halved(image))]
        features = np.concatenate([np.array(part) for part in found])
        if not np.isfinite(features).all():
            raise InvalidInputError("BRISQUE is not defined for a flat image")
        return features


def _support_vectors(body: str) -> tuple[Floats, Floats]:
    """Weights and vectors of the lines ``weight index:value ...``; indices count from 1, zeros are left out."""
    lines = [line.split() for line in body.splitlines() if line.strip()]
    vectors = np.zeros((len(lines), _FEATURES))
    for row, line in enumerate(lines):
        for entry in line[1:]:
            index, _, value = entry.partition(":")
            vectors[row, int(index) - 1] = float(value)
    return np.array([float(line[0]) for line in lines]), vectors
