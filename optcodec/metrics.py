"""Measures of a coded image: its rate, and errors of pixels (PSNR, SSIM, SSIMULACRA2) or of coefficients (SWE)."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from optcodec.errors import InvalidInputError
from optcodec.extras import require_packages
from optcodec.jpeg.image import CoefficientImage, DctComponent, DctImage
from optcodec.jpeg.quantize import dequantize

__all__ = [
    "EQUAL_WEIGHTS",
    "Weighted",
    "bpp",
    "check_pixels",
    "check_sides",
    "luminance",
    "luminance_ssim",
    "mean_square",
    "png_files",
    "psnr_db",
    "ssim",
    "ssimulacra2",
    "swe",
    "swe_by_component",
]

Pixels = npt.NDArray[np.uint8]

# Blocks in one step of a sum: the differences and squares of a step (256 KiB each) stay in the second-level cache.
_BLOCKS_PER_STEP = 1024
_LEAST_SIDE_FOR_SSIMULACRA2 = 8  # pixels


class Weighted(Protocol):
    """An object with a weight for each coefficient, such as `optcodec.vision.profile.SensitivityProfile`."""

    @property
    def weights(self) -> npt.NDArray[np.float64]:
        """Weights of the coefficients of Y, Cb and Cr: shape (3, 8, 8), row-major frequencies."""


class _Equal:
    weights = np.ones((3, 8, 8))


EQUAL_WEIGHTS: Weighted = _Equal()


def swe(reference: DctImage | CoefficientImage, test: DctImage | CoefficientImage, profile: Weighted) -> float:
    """Sensitivity weighted error (SWE of OptS) of a coded image: the sum of `swe_by_component`.

    Parameters
    ----------
    reference, test : DctImage or CoefficientImage
        Two images of the same size and sampling. Quantized coefficients are dequantized first. Nothing is rounded to
        pixels.
    profile : SensitivityProfile
        The weights. Normalize them first if the errors under several profiles are to be compared.

    Returns
    -------
    float
        The error, in the unit of the weights times a squared coefficient; 0 for equal coefficients.

    Raises
    ------
    InvalidInputError
        If the images differ in their size, their components or their sampling.
    """
    return math.fsum(swe_by_component(reference, test, profile))


def swe_by_component(
    reference: DctImage | CoefficientImage, test: DctImage | CoefficientImage, profile: Weighted
) -> tuple[float, ...]:
    """Sensitivity weighted error of each component: (1 / B) sum over blocks and frequencies of s (C - qK)^2.

    s are the weights, C the reference coefficients, qK the reconstructed ones, and B is the number of blocks of the
    component. A grey image uses the weights of Y. Parameters and errors are those of `swe`.

    Returns
    -------
    tuple of float
        The error of each component: Y, or Y, Cb and Cr.
    """
    pairs = _paired(_as_dct(reference), _as_dct(test))
    weights = np.asarray(profile.weights, np.float64).reshape(-1, 64)
    return tuple(float(weights[i] @ _mean_squares(a, b)) for i, (a, b) in enumerate(pairs))


def bpp(nbytes: int, width: int, height: int) -> float:
    """Compute the bits per pixel of a whole file of `nbytes` bytes, headers included."""
    if nbytes < 0 or width < 1 or height < 1:
        raise InvalidInputError(
            f"expected a size in bytes and a width and height of at least 1, got {nbytes}, {width}x{height}"
        )
    return 8 * nbytes / (width * height)


def psnr_db(reference: Pixels, test: Pixels) -> float:
    """Peak signal-to-noise ratio over all samples of two 8-bit images, in dB.

    Parameters
    ----------
    reference, test : ndarray of uint8, shape (H, W, 3) or (H, W)
        The same shape for both.

    Returns
    -------
    float
        10 log10(255^2 / MSE); infinite for equal images.
    """
    error = mean_square(reference, test)
    return 10 * math.log10(255**2 / error) if error else math.inf


def mean_square(reference: Pixels, test: Pixels) -> float:
    """Mean squared difference over all samples of two 8-bit images; see `psnr_db`."""
    check_pixels(reference, test)
    difference = reference.astype(np.float32) - test
    return float(np.mean(np.square(difference, out=difference), dtype=np.float64))


def ssim(reference: Pixels, test: Pixels) -> float:
    """Mean structural similarity of two 8-bit images, averaged over colour channels.

    Parameters
    ----------
    reference, test : ndarray of uint8, shape (H, W, 3) or (H, W)
        The same shape for both, at least 11 pixels on each side.

    Returns
    -------
    float
        At most 1; equal images have 1.

    Notes
    -----
    Computed by scikit-image with the settings of Wang, Bovik, Sheikh and Simoncelli (2004): Gaussian window of sigma
    1.5 and 11x11 pixels, population covariance, dynamic range 255.
    """
    require_packages("skimage.metrics")
    from skimage.metrics import structural_similarity

    check_pixels(reference, test)
    check_sides(reference, 11, "SSIM")
    axis = -1 if reference.ndim == 3 else None
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    return float(structural_similarity(reference, test, channel_axis=axis, **settings))


def luminance_ssim(reference: Pixels, test: Pixels) -> float:
    """Compute `ssim` of the 8-bit luminance (T.871) of two images."""
    return ssim(luminance(reference), luminance(test))


def luminance(pixels: Pixels) -> Pixels:
    """Luminance (T.871, rounded to 8 bits) of RGB pixels (H, W, 3); that of grey pixels (H, W) is they themselves."""
    if pixels.ndim == 2:
        return pixels
    from PIL import Image

    return np.asarray(Image.fromarray(pixels).convert("L"))


def _as_dct(image: DctImage | CoefficientImage) -> DctImage:
    return dequantize(image) if isinstance(image, CoefficientImage) else image


def _paired(reference: DctImage, test: DctImage) -> list[tuple[DctComponent, DctComponent]]:
    """Pair the components of two images; raise `InvalidInputError` if size, sampling or components differ."""
    expected, actual = _geometry(reference), _geometry(test)
    if actual != expected:
        raise InvalidInputError(f"images to compare have one size and sampling: {expected} against {actual}")
    if len(test.components) not in (1, 3):
        raise InvalidInputError(f"expected the components Y, or Y, Cb and Cr; got {len(test.components)} components")
    return list(zip(reference.components, test.components, strict=True))


def _geometry(image: DctImage) -> str:
    return f"{image.width}x{image.height} {image.subsampling}"


def _mean_squares(reference: DctComponent, test: DctComponent) -> npt.NDArray[np.float64]:
    """Mean over blocks of the squared difference at each of the 64 frequencies."""
    a, b = reference.coefficients.reshape(-1, 64), test.coefficients.reshape(-1, 64)
    total = np.zeros(64)
    for start in range(0, len(a), _BLOCKS_PER_STEP):
        difference = a[start : start + _BLOCKS_PER_STEP] - b[start : start + _BLOCKS_PER_STEP]
        np.square(difference, out=difference)
        # A matrix product would be faster, but its last bits depend on the processor.
        total += difference.sum(axis=0, dtype=np.float64)
    return total / len(a)


def check_pixels(reference: Pixels, test: Pixels) -> None:
    """Raise `InvalidInputError` unless both are uint8 pixels of one shape, (H, W, 3) or (H, W)."""
    for image in (reference, test):
        if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.size == 0:
            raise InvalidInputError(
                f"expected uint8 pixels of shape (H, W, 3) or (H, W), got {image.dtype} {image.shape}"
            )
    if reference.shape != test.shape:
        raise InvalidInputError(f"images to compare have one shape, got {reference.shape} and {test.shape}")


def ssimulacra2(reference: Pixels, test: Pixels) -> float:
    """SSIMULACRA2 of two images, 100 if they are equal. Its package reads files, so they are written first.

    Raises
    ------
    InvalidInputError
        If the images have fewer than 8 pixels on a side, or the package is missing.
    """
    require_packages("ssimulacra2")
    check_pixels(reference, test)
    check_sides(reference, _LEAST_SIDE_FOR_SSIMULACRA2, "SSIMULACRA2")
    from ssimulacra2 import compute_ssimulacra2

    with png_files(reference, test) as paths:
        return float(compute_ssimulacra2(*paths))


@contextmanager
def png_files(reference: Pixels, test: Pixels) -> Iterator[tuple[str, str]]:
    """Paths of two pictures as RGB in PNG files, for programs that read files; they are removed in the end."""
    from PIL import Image

    with tempfile.TemporaryDirectory() as folder:
        paths = str(Path(folder) / "reference.png"), str(Path(folder) / "test.png")
        for pixels, path in zip((reference, test), paths, strict=True):
            Image.fromarray(pixels).convert("RGB").save(path, compress_level=0)
        yield paths


class TooSmallError(InvalidInputError):
    """An image is too small for a measure."""


def check_sides(image: Pixels, least: int, measure: str) -> None:
    """Refuse images that are too small for a measure."""
    if min(image.shape[:2]) < least:
        raise TooSmallError(f"{measure} needs at least {least} pixels on each side, got shape {image.shape}")
