"""Quality measures for restored images: PSNR, PSNR-B, SSIM, LPIPS, NIQE and BRISQUE of 8-bit images."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

import optcodec
from optcodec import InvalidInputError, require_packages

__all__ = ["MEASURES", "Measure", "blocking_effect", "load_measures", "psnr_b_db", "ssim"]

Samples: TypeAlias = npt.NDArray[np.uint8]
MeasureFunction: TypeAlias = Callable[[Samples, Samples], float]

_BLOCK = 8
_WINDOW = 11  # side of the window of SSIM, in pixels


@dataclass(frozen=True)
class Measure:
    """Description of a measure.

    Parameters
    ----------
    title : str
        Heading in tables.
    digits : int
        Decimal places in tables.
    files : tuple of str
        Files that the measure needs and that are not in the package.
    source : str
        Where those files come from.
    """

    title: str
    digits: int
    files: tuple[str, ...] = ()
    source: str = ""


_TORCHVISION = "the ImageNet weights of torchvision, saved as safetensors"
MEASURES = {
    "psnr": Measure("PSNR dB", 2),
    "psnr_b": Measure("PSNR-B dB", 2),
    "ssim": Measure("SSIM", 4),
    "lpips": Measure("LPIPS", 4, ("alexnet.safetensors",), _TORCHVISION),
    "lpips_vgg": Measure("LPIPS (VGG)", 4, ("vgg16.safetensors",), _TORCHVISION),
    "lpips_squeeze": Measure("LPIPS (Squeeze)", 4, ("squeezenet1_1.safetensors",), _TORCHVISION),
    "niqe": Measure("NIQE", 3, ("niqe_pris_params.npz",), "basicsr 1.4.2, basicsr/metrics"),
    "brisque": Measure("BRISQUE", 2, ("allmodel", "allrange"), "the authors' BRISQUE_release"),
}


def load_measures(names: Iterable[str], weights: Path | None = None) -> dict[str, MeasureFunction]:
    """Functions that measure a restored image against its original, by name.

    Parameters
    ----------
    names : iterable of str
        Names in `MEASURES`.
    weights : path, optional
        Folder of the files that some measures need; by default ``weights`` in the folder that OPTCODEC_DATA names.

    Returns
    -------
    dict of str to callable
        In the order of `names`. Each function takes two arrays of uint8 of equal shape, (H, W) or (H, W, 3), original
        first, and returns a float.

    Raises
    ------
    InvalidInputError
        If there is no such measure, or a file or a package that it needs is missing; the message says where the file
        is expected, or how to install the package.
    """
    return {name: _load_measure(name, weights) for name in names}


def psnr_b_db(reference: Samples, test: Samples) -> float:
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
    _check_images(reference, test)
    if min(reference.shape[:2]) < 2:
        raise InvalidInputError(f"PSNR-B needs at least 2 pixels on each side, got shape {reference.shape}")
    error = float(np.mean(np.square(reference.astype(np.float64) - test)))
    planes = np.atleast_3d(test)
    error += float(np.mean([blocking_effect(planes[..., plane]) for plane in range(planes.shape[2])]))
    return 10 * math.log10(255**2 / error) if error else math.inf


def blocking_effect(plane: Samples) -> float:
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


def ssim(reference: Samples, test: Samples) -> float:
    """Mean structural similarity, averaged over colour channels; at most 1.

    Notes
    -----
    scikit-image with the settings of Wang, Bovik, Sheikh and Simoncelli (2004), as published figures have them:
    Gaussian window of 11x11 pixels and sigma 1.5, population covariance, dynamic range 255.
    """
    require_packages("skimage.metrics")
    from skimage.metrics import structural_similarity

    _check_images(reference, test)
    if min(reference.shape[:2]) < _WINDOW:
        raise InvalidInputError(f"SSIM needs at least {_WINDOW} pixels on each side, got shape {reference.shape}")
    axis = -1 if reference.ndim == 3 else None
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    return float(structural_similarity(reference, test, channel_axis=axis, **settings))  # type: ignore[no-untyped-call]


def _load_measure(name: str, weights: Path | None) -> MeasureFunction:
    simple: dict[str, MeasureFunction] = {"psnr": optcodec.psnr_db, "psnr_b": psnr_b_db, "ssim": ssim}
    if name in simple:
        if name == "ssim":
            require_packages("skimage.metrics")
        return simple[name]
    if name not in MEASURES:
        raise InvalidInputError(f"measure is one of {', '.join(MEASURES)}; got {name!r}")
    files = _weight_files(name, weights)
    if name.startswith("lpips"):
        return _lpips(name, files[0])
    require_packages("scipy.ndimage", "scipy.special", extra="evaluate")
    from restore.evaluation.no_reference import Brisque, Niqe

    quality = Niqe.load(files[0]) if name == "niqe" else Brisque.load(files[0], files[1])
    return lambda reference, test: quality(_luminance(test))


def _weight_files(name: str, weights: Path | None) -> list[Path]:
    """Paths of the files that a measure needs."""
    if weights is None and "OPTCODEC_DATA" in os.environ:
        weights = Path(os.environ["OPTCODEC_DATA"]) / "weights"
    measure = MEASURES[name]
    for file in measure.files:
        if weights is None or not (weights / file).is_file():
            where = "a folder that --weights names" if weights is None else str(weights)
            raise InvalidInputError(f"{name} needs the file {file} in {where}; it is in {measure.source}")
    assert weights is not None
    return [weights / file for file in measure.files]


def _lpips(name: str, weights: Path) -> MeasureFunction:
    require_packages("torch", "torchvision", "safetensors.torch")
    import torch

    from restore.networks.lpips import Lpips

    distance = Lpips({"lpips": "alex", "lpips_vgg": "vgg", "lpips_squeeze": "squeeze"}[name], weights)

    def lpips(reference: Samples, test: Samples) -> float:
        _check_images(reference, test)
        pair = [torch.from_numpy(_rgb(image).transpose(2, 0, 1)[None] / np.float32(255)) for image in (reference, test)]
        with torch.no_grad():
            return float(distance(*pair))

    return lpips


def _rgb(image: Samples) -> Samples:
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)


def _luminance(image: Samples) -> Samples:
    return image if image.ndim == 2 else np.asarray(Image.fromarray(image).convert("L"))


def _check_images(reference: Samples, test: Samples) -> None:
    for image in (reference, test):
        if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.size == 0:
            raise InvalidInputError(f"expected uint8 of shape (H, W) or (H, W, 3), got {image.dtype} {image.shape}")
    if reference.shape != test.shape:
        raise InvalidInputError(f"images to compare have one shape, got {reference.shape} and {test.shape}")
