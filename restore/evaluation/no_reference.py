"""No-reference quality measures, which need no original image: NIQE and BRISQUE, implemented from the papers.

Both describe an image by statistics of its samples after local normalization (MSCN coefficients: mean subtracted,
contrast normalized). Both need a model of their authors, which the user provides as a file.

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

_BLOCK_SIDE = 96  # side of the blocks of NIQE in pixels, SPL 2013 section II
_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (-1, 1))  # right, below and both diagonals, TIP 2012 eq. (7)-(10)
_FEATURES = 36  # 18 features at each of two scales, in both papers
_SMALLEST_SIDE = 16  # in pixels; below it, too few samples are left at the second scale


def normalized(image: Floats, *, border: str) -> Floats:
    """MSCN coefficients, TIP 2012 eq. (1)-(3), with a Gaussian window of 7x7 samples, sigma 7/6 and the constant 1.

    The parameter `border` says how the image is continued beyond its border. The authors' code uses zeros for BRISQUE
    ("constant") and the last sample for NIQE ("nearest"), and their models depend on it.
    """
    offsets = np.arange(-3, 4)
    line = np.exp(-(offsets**2) / (2 * (7 / 6) ** 2))
    window = np.outer(line, line) / line.sum() ** 2
    mean = correlate(image, window, mode=border)
    deviation = np.sqrt(np.abs(correlate(image**2, window, mode=border) - mean**2))
    coefficients: Floats = (image - mean) / (deviation + 1)
    return coefficients


def halved(image: Floats) -> Floats:
    """Downscale by two with a cubic kernel (Keys, a = -1/2) stretched by two, and mirrored borders.

    The authors' code computes the second scale this way (imresize of Matlab).
    """
    x = np.abs(np.arange(-3.5, 4.0)) / 2
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    taps = np.where(x <= 1, near, far)
    taps /= taps.sum()
    for axis in (0, 1):
        # correlate1d centres an even number of taps on the right tap of the middle pair; here the left one is needed
        smooth = correlate1d(image, taps, axis=axis, mode="reflect", origin=-1)
        image = np.take(smooth, np.arange(0, image.shape[axis], 2), axis=axis)
    return image


def _asymmetric_fit(samples: Floats) -> tuple[float, float, float]:
    """Fit an asymmetric generalized Gaussian: its shape, and its left and right standard deviation.

    By moment matching (Lasmar, Stitou and Berthoumieu, ICIP 2009), with shapes from 0.2 to 10 in steps of 0.001.
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
    """Fit a symmetric generalized Gaussian by the same moments: its shape and its variance."""
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
    """The 18 statistics of MSCN coefficients: fits to them, and to the products of four kinds of neighbours.

    With `scales` as for NIQE: widths are scale parameters, and the fit to the coefficients is asymmetric. Without it as
    for BRISQUE: widths are variances, and the fit to the coefficients is symmetric.
    """
    if scales:
        shape, left, right = _asymmetric_fit(coefficients)
        statistics = [shape, np.sqrt(gamma(1 / shape) / gamma(3 / shape)) * (left + right) / 2]
    else:
        statistics = [*_symmetric_fit(coefficients)]
    for down, across in _NEIGHBOURS:
        shape, left, right = _asymmetric_fit(coefficients * np.roll(coefficients, (down, across), (0, 1)))
        to_scale = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
        mean = (right - left) * to_scale * gamma(2 / shape) / gamma(1 / shape)
        statistics += [shape, mean, *((to_scale * left, to_scale * right) if scales else (left**2, right**2))]
    return statistics


@dataclass(frozen=True, eq=False)
class Niqe:
    """NIQE: distance between the statistics of an image and those of pristine photographs; lower is better.

    Parameters
    ----------
    mean : ndarray of float64, shape (36,)
        Mean of the features of pristine photographs.
    covariance : ndarray of float64, shape (36, 36)
        Their covariance.
    """

    mean: Floats
    covariance: Floats

    @classmethod
    def load(cls, path: Path) -> Niqe:
        """Load the authors' model of pristine images, as basicsr 1.4.2 stores it.

        Raises
        ------
        InvalidInputError
            If the file cannot be read or has other contents.
        """
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                mean, covariance = file["mu_pris_param"].ravel(), file["cov_pris_param"]
        except (OSError, EOFError, TypeError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise InvalidInputError(f"{path} is no model of NIQE ({error}); expected niqe_pris_params.npz") from None
        if mean.shape != (_FEATURES,) or covariance.shape != (_FEATURES, _FEATURES):
            raise InvalidInputError(f"{path}: expected a mean of 36 values and their covariance, got {mean.shape}")
        return cls(mean.astype(np.float64), covariance.astype(np.float64))

    def __call__(self, luminance: npt.NDArray[np.uint8]) -> float:
        """NIQE, SPL 2013 eq. (10), of 8-bit luminance with at least two blocks of 96x96 pixels that are not flat."""
        features = self.features(luminance)
        if len(features) < 2:
            raise InvalidInputError(f"NIQE needs two blocks of 96x96 that are not flat, got shape {luminance.shape}")
        difference = self.mean - features.mean(axis=0)
        inverse_covariance = np.linalg.pinv((self.covariance + np.cov(features, rowvar=False)) / 2)
        return float(np.sqrt(difference @ inverse_covariance @ difference))

    @staticmethod
    def features(luminance: npt.NDArray[np.uint8]) -> Floats:
        """Features of each block that is not flat, shape (blocks, 36)."""
        rows, columns = (extent // _BLOCK_SIDE for extent in luminance.shape)
        image = luminance[: rows * _BLOCK_SIDE, : columns * _BLOCK_SIDE].astype(np.float64)
        if not image.size:
            return np.empty((0, _FEATURES))
        features_by_scale = []
        for side, scale in ((_BLOCK_SIDE, image), (_BLOCK_SIDE // 2, halved(image))):
            coefficients = normalized(scale, border="nearest")
            starts = itertools.product(range(0, rows * side, side), range(0, columns * side, side))
            features_by_scale.append(
                [_statistics(coefficients[y : y + side, x : x + side], scales=True) for y, x in starts]
            )
        features = np.concatenate([np.array(values) for values in features_by_scale], axis=1)
        complete: Floats = features[np.isfinite(features).all(axis=1)]
        return complete


@dataclass(frozen=True, eq=False)
class Brisque:
    """BRISQUE: opinion score that a support vector regression predicts from the statistics; 0 (best) to 100.

    Parameters
    ----------
    low, high : ndarray of float64, shape (36,)
        Range of each feature that is scaled to -1..1.
    vectors : ndarray of float64, shape (V, 36)
        Support vectors.
    weights : ndarray of float64, shape (V,)
        Weights of the support vectors.
    width, offset : float
        Parameters gamma and rho of libsvm.
    """

    low: Floats
    high: Floats
    vectors: Floats
    weights: Floats
    width: float
    offset: float

    @classmethod
    def load(cls, model: Path, ranges: Path) -> Brisque:
        """Load the authors' model: the text files ``allmodel`` (libsvm) and ``allrange`` (svm-scale).

        Raises
        ------
        InvalidInputError
            If the files cannot be read or have other contents.
        """
        try:
            low, high = np.array([line.split()[1:] for line in ranges.read_text().splitlines()[2:]], np.float64).T
            header, _, vector_lines = model.read_text().partition("\nSV\n")
            settings = dict(line.split(maxsplit=1) for line in header.splitlines())
            if (settings["svm_type"], settings["kernel_type"]) != ("epsilon_svr", "rbf"):
                raise ValueError(f"{settings['svm_type']} with kernel {settings['kernel_type']}")
            weights, vectors = _support_vectors(vector_lines)
            width, offset = float(settings["gamma"]), float(settings["rho"])
        except (OSError, ValueError, KeyError, IndexError) as error:
            raise InvalidInputError(
                f"{model} and {ranges.name} are no model of BRISQUE ({error}); expected the text files of its authors"
            ) from None
        if low.shape != (_FEATURES,) or not len(vectors):
            raise InvalidInputError(f"{ranges}: expected the ranges of 36 features, got {len(low)}")
        return cls(low, high, vectors, weights, width, offset)

    def __call__(self, luminance: npt.NDArray[np.uint8]) -> float:
        """BRISQUE of 8-bit luminance of at least 16x16 pixels."""
        if min(luminance.shape) < _SMALLEST_SIDE:
            raise InvalidInputError(
                f"BRISQUE needs at least {_SMALLEST_SIDE} pixels on each side, got shape {luminance.shape}"
            )
        scaled = 2 * (self.features(luminance) - self.low) / (self.high - self.low) - 1
        kernel = np.exp(-self.width * ((self.vectors - scaled) ** 2).sum(axis=1))
        return float(self.weights @ kernel - self.offset)

    @staticmethod
    def features(luminance: npt.NDArray[np.uint8]) -> Floats:
        """The 18 statistics at each of two scales, shape (36,)."""
        image = luminance.astype(np.float64)
        features_by_scale = [
            _statistics(normalized(scale, border="constant"), scales=False) for scale in (image, halved(image))
        ]
        features = np.concatenate([np.array(values) for values in features_by_scale])
        if not np.isfinite(features).all():
            raise InvalidInputError("BRISQUE is not defined for a flat image")
        return features


def _support_vectors(text: str) -> tuple[Floats, Floats]:
    """Parse lines ``weight index:value ...`` to weights and vectors; indices start at 1, zeros are omitted."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    vectors = np.zeros((len(lines), _FEATURES))
    for row, line in enumerate(lines):
        for entry in line[1:]:
            index, _, value = entry.partition(":")
            vectors[row, int(index) - 1] = float(value)
    return np.array([float(line[0]) for line in lines]), vectors
