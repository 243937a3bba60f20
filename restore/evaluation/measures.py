"""Quality measures for restored images: those of `optcodec.rates`, and LPIPS, NIQE and BRISQUE of 8-bit images."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

import optcodec.rates
from optcodec import InvalidInputError, require_packages
from optcodec.rates import FITTED_MEASURES, MeasureFunction
from optcodec.shared import check_pixels, luminance

__all__ = ["FILES", "MEASURES", "load_measures"]

Samples: TypeAlias = npt.NDArray[np.uint8]

_TORCHVISION = "the ImageNet weights of torchvision, saved as safetensors"
MEASURES = {**optcodec.rates.MEASURES, **FITTED_MEASURES}
# The files that a measure needs and that are not in the package, and where they come from.
FILES = {
    "lpips": (("alexnet.safetensors",), _TORCHVISION),
    "lpips_vgg": (("vgg16.safetensors",), _TORCHVISION),
    "lpips_squeeze": (("squeezenet1_1.safetensors",), _TORCHVISION),
    "niqe": (("niqe_pris_params.npz",), "basicsr 1.4.2, basicsr/metrics"),
    "brisque": (("allmodel", "allrange"), "the authors' BRISQUE_release"),
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


def _load_measure(name: str, weights: Path | None) -> MeasureFunction:
    if name in optcodec.rates.MEASURES:
        return optcodec.rates.load_measures([name])[name]
    if name not in MEASURES:
        raise InvalidInputError(f"measure is one of {', '.join(MEASURES)}; got {name!r}")
    files = _weight_files(name, weights)
    if name.startswith("lpips"):
        return _lpips(name, files[0])
    require_packages("scipy.ndimage", "scipy.special", extra="evaluate")
    from restore.evaluation.no_reference import Brisque, Niqe

    quality = Niqe.load(files[0]) if name == "niqe" else Brisque.load(files[0], files[1])
    return lambda reference, test: quality(luminance(test))


def _weight_files(name: str, weights: Path | None) -> list[Path]:
    """Paths of the files that a measure needs."""
    if weights is None and "OPTCODEC_DATA" in os.environ:
        weights = Path(os.environ["OPTCODEC_DATA"]) / "weights"
    names, source = FILES[name]
    for file in names:
        if weights is None or not (weights / file).is_file():
            where = "a folder that --weights names" if weights is None else str(weights)
            raise InvalidInputError(f"{name} needs the file {file} in {where}; it is in {source}")
    assert weights is not None
    return [weights / file for file in names]


def _lpips(name: str, weights: Path) -> MeasureFunction:
    require_packages("torch", "torchvision", "safetensors.torch")
    import torch

    from restore.networks.lpips import Lpips

    distance = Lpips({"lpips": "alex", "lpips_vgg": "vgg", "lpips_squeeze": "squeeze"}[name], weights)

    def lpips(reference: Samples, test: Samples) -> float:
        check_pixels(reference, test)
        pair = [torch.from_numpy(_rgb(image).transpose(2, 0, 1)[None] / np.float32(255)) for image in (reference, test)]
        with torch.no_grad():
            return float(distance(*pair))

    return lpips


def _rgb(image: Samples) -> Samples:
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
