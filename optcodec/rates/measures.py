"""Measures of a decoded picture against its original, by name: PSNR, SSIM, FSIM, SSIMULACRA2, butteraugli and more."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from threading import local

import numpy as np
import numpy.typing as npt

from optcodec.butteraugli import Visibility, find_program, visibility
from optcodec.errors import InvalidInputError
from optcodec.extras import require_packages
from optcodec.metrics import (
    check_pixels,
    check_sides,
    luminance,
    luminance_ssim,
    mean_square,
    psnr_db,
    ssim,
    ssimulacra2,
)

__all__ = [
    "FITTED_MEASURES",
    "MEASURES",
    "Measure",
    "MeasureFunction",
    "blocking_effect",
    "fsim",
    "load_measures",
    "ms_ssim",
    "psnr_b_db",
]

Pixels = npt.NDArray[np.uint8]
MeasureFunction = Callable[[Pixels, Pixels], float]

_BLOCK = 8
_LEAST_SIDE_FOR_MS_SSIM = 176  # pixels: four halvings leave the 11 of the window
_LEAST_SIDE_FOR_FSIM = 16  # pixels


@dataclass(frozen=True)
class Measure:
    """Description of a measure.

    Parameters
    ----------
    title : str
        Heading in tables and figures.
    digits : int
        Decimal places in tables.
    rises : bool
        Whether more is better.
    per_image : bool
        Whether it says something of a single picture, so that curves can be compared picture by picture; an accuracy
        is known of many pictures only.
    """

    title: str
    digits: int
    rises: bool = True
    per_image: bool = True


MEASURES: dict[str, Measure] = {
    "psnr": Measure("PSNR dB", 2),
    "psnr_y": Measure("PSNR-Y dB", 2),
    "psnr_b": Measure("PSNR-B dB", 2),
    "ssim": Measure("SSIM", 4),
    "ssim_y": Measure("SSIM-Y", 4),
    "ms_ssim": Measure("MS-SSIM", 4),
    "fsim": Measure("FSIM", 4),
    "ssimulacra2": Measure("SSIMULACRA2", 2),
    "butteraugli": Measure("butteraugli", 3, rises=False),
    "butteraugli_3": Measure("butteraugli, 3-norm", 3, rises=False),
}
# Measures whose parameters were fitted to pictures; ``restore evaluate`` computes them.
FITTED_MEASURES: dict[str, Measure] = {
    "lpips": Measure("LPIPS", 4, rises=False),
    "lpips_vgg": Measure("LPIPS (VGG)", 4, rises=False),
    "lpips_squeeze": Measure("LPIPS (Squeeze)", 4, rises=False),
    "niqe": Measure("NIQE", 3, rises=False),
    "brisque": Measure("BRISQUE", 2, rises=False),
}


def load_measures(names: Iterable[str]) -> dict[str, MeasureFunction]:
    """Functions that measure a picture against its original, by name.

    Parameters
    ----------
    names : iterable of str
        Names in `MEASURES`: ``psnr`` of RGB; ``psnr_y`` and ``ssim_y`` of luminance (T.871, 8 bits); ``psnr_b`` of
        RGB; ``ssim``, the mean of the colour channels; ``ms_ssim`` of luminance; ``fsim``, in colour FSIM_C;
        ``ssimulacra2``; ``butteraugli``, the largest distance, and ``butteraugli_3``, its 3-norm, by a program. For
        gray pictures all are those of their one channel.

    Returns
    -------
    dict of str to callable
        In the order of `names`. Each function takes two arrays of uint8 of equal shape, (H, W) or (H, W, 3), original
        first.

    Raises
    ------
    InvalidInputError
        If there is no such measure, or a package or the program that it needs is missing.
    """
    seen = _LastSeen()
    functions: Mapping[str, MeasureFunction] = {
        "psnr": psnr_db,
        "psnr_y": lambda reference, test: psnr_db(luminance(reference), luminance(test)),
        "psnr_b": psnr_b_db,
        "ssim": ssim,
        "ssim_y": luminance_ssim,
        "ms_ssim": ms_ssim,
        "fsim": fsim,
        "ssimulacra2": ssimulacra2,
        "butteraugli": lambda reference, test: seen(reference, test).largest,
        "butteraugli_3": lambda reference, test: seen(reference, test).norm_3,
    }
    requirements: Mapping[str, Callable[[], object]] = {
        "ssim": partial(require_packages, "skimage.metrics"),
        "ssim_y": partial(require_packages, "skimage.metrics"),
        "ms_ssim": partial(require_packages, "torch", "torchmetrics"),
        "fsim": partial(require_packages, "torch", "piq"),
        "ssimulacra2": partial(require_packages, "ssimulacra2"),
        "butteraugli": find_program,
        "butteraugli_3": find_program,
    }
    chosen = {}
    for name in names:
        if name not in functions:
            raise InvalidInputError(f"measure is one of {', '.join(functions)}; got {name!r}")
        if name in requirements:
            requirements[name]()
        chosen[name] = functions[name]
    return chosen


class _LastSeen(local):
    """Butteraugli's distances, of which a thread remembers the last ones: two measures ask for the same run."""

    def __init__(self) -> None:
        self._known: tuple[object, Visibility] | None = None

    def __call__(self, reference: Pixels, test: Pixels) -> Visibility:
        """The distances of two pictures."""
        pictures = [(one.shape, sha256(np.ascontiguousarray(one).data).digest()) for one in (reference, test)]
        if self._known is None or self._known[0] != pictures:
            self._known = pictures, visibility(reference, test)
        return self._known[1]


def psnr_b_db(reference: Pixels, test: Pixels) -> float:
    """PSNR-B in dB: PSNR with the blocking effect factor (BEF) added to the mean squared error.

    Parameters
    ----------
    reference, test : ndarray of uint8, shape (H, W) or (H, W, 3)
        Original and restored image, of equal shape.

    Returns
    -------
    float
        10 log10(255^2 / (MSE + BEF)), where BEF is that of the test image. For colour, MSE and BEF are means over the
        channels.

    Raises
    ------
    InvalidInputError
        If the images are one pixel wide or high: BEF is divided by the logarithm of the shorter side, which is 0 then.

    Notes
    -----
    Yim and Bovik, "Quality assessment of deblocked images", IEEE Trans. Image Processing 20(1), 2011, eq. (9)-(15).
    """
    check_pixels(reference, test)
    check_sides(reference, 2, "PSNR-B")
    error = mean_square(reference, test)
    planes = np.atleast_3d(test)
    error += float(np.mean([blocking_effect(planes[..., plane]) for plane in range(planes.shape[2])]))
    return 10 * math.log10(255**2 / error) if error else math.inf


def blocking_effect(plane: Pixels) -> float:
    """Blocking effect factor of 8x8 blocks: how much larger the differences across block borders are than others.

    Parameters
    ----------
    plane : ndarray of uint8, shape (H, W)

    Returns
    -------
    float
        eta (D_B - D_B^C), where D_B and D_B^C are the mean squared differences of neighbours across borders and
        elsewhere; 0 where D_B is not the larger one, or where there are no borders.
    """
    samples = plane.astype(np.float64)
    across_borders, within_blocks = [], []
    for axis in (0, 1):
        steps = np.square(np.diff(samples, axis=axis))
        border = np.arange(steps.shape[axis]) % _BLOCK == _BLOCK - 1
        across_borders.append(np.compress(border, steps, axis).ravel())
        within_blocks.append(np.compress(~border, steps, axis).ravel())
    at_borders, elsewhere = np.concatenate(across_borders), np.concatenate(within_blocks)
    if not at_borders.size:
        return 0.0
    excess = float(at_borders.mean() - elsewhere.mean())
    return math.log2(_BLOCK) / math.log2(min(plane.shape)) * excess if excess > 0 else 0.0


def ms_ssim(reference: Pixels, test: Pixels) -> float:
    """Multi-scale SSIM of the luminance of two 8-bit images: five scales, by torchmetrics.

    Raises
    ------
    InvalidInputError
        If the images have fewer than 176 pixels on a side, which the fifth scale needs, or a package is missing.

    Notes
    -----
    Wang, Simoncelli and Bovik, "Multi-scale structural similarity for image quality assessment" (2003): a Gaussian
    window of 11x11 pixels and sigma 1.5 on each scale.
    """
    require_packages("torch", "torchmetrics")
    check_pixels(reference, test)
    check_sides(reference, _LEAST_SIDE_FOR_MS_SSIM, "MS-SSIM")
    import torch
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    first, second = (torch.from_numpy(luminance(image).astype(np.float32))[None, None] for image in (test, reference))
    return float(multiscale_structural_similarity_index_measure(first, second, data_range=255.0))


def fsim(reference: Pixels, test: Pixels) -> float:
    """Feature similarity of two 8-bit images by phase congruency and gradients: FSIM_C for RGB, FSIM for gray; by piq.

    Raises
    ------
    InvalidInputError
        If the images have fewer than 16 pixels on a side, or a package is missing.

    Notes
    -----
    Zhang, Zhang, Mou and Zhang, "FSIM: a feature similarity index for image quality assessment", IEEE Trans. Image
    Processing 20(8), 2011. Images whose shorter side is 384 pixels or more are averaged down first, as in the code of
    the paper.
    """
    require_packages("torch", "piq")
    check_pixels(reference, test)
    check_sides(reference, _LEAST_SIDE_FOR_FSIM, "FSIM")
    import piq
    import torch

    first, second = (torch.from_numpy(np.atleast_3d(image).astype(np.float32)) for image in (test, reference))
    planes = (image.permute(2, 0, 1)[None] for image in (first, second))
    return float(piq.fsim(*planes, data_range=255.0, chromatic=reference.ndim == 3))
