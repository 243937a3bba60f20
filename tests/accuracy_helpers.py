"""A small classifier and a few labelled pictures, for the tests of rate and accuracy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from optcodec.vision.datasets import LabelledImage
from optcodec.vision.models import TargetModel
from optcodec.vision.profile import SensitivityProfile

SIDE = 64
CLASSES = 6
FALLING = np.exp(-np.add.outer(np.arange(8), np.arange(8)) / 5)
PROFILE = SensitivityProfile("falling", np.array([FALLING, FALLING / 4, FALLING / 3]))


def crop(name: str = "astronaut", top: int = 100, left: int = 120) -> np.ndarray:
    """A crop (64, 64, 3) of a photograph of scikit-image."""
    return np.ascontiguousarray(getattr(data, name)()[top : top + SIDE, left : left + SIDE, :3])


def classifier() -> TargetModel:
    """A network of six classes with random weights and batch normalization, for pictures that are cropped to 64x64."""
    import torch
    from torch import nn
    from torchvision.transforms.v2 import functional as transform

    torch.manual_seed(21)  # with this seed the pictures have different classes, by a clear margin
    first = nn.Sequential(nn.Conv2d(3, 8, 5, stride=2, bias=False), nn.BatchNorm2d(8), nn.ReLU())
    nn.init.normal_(first[1].running_mean, 0, 0.3)
    nn.init.uniform_(first[1].running_var, 0.02, 0.1)
    last = nn.Sequential(nn.Conv2d(8, CLASSES, 7), nn.AdaptiveMaxPool2d(1), nn.Flatten())
    return TargetModel(
        "small", nn.Sequential(first, last), lambda image: transform.pil_to_tensor(transform.center_crop(image, SIDE))
    )


def photographs(folder: Path, count: int) -> list[LabelledImage]:
    """Write PNG files of different parts of photographs; return them with their labels."""
    images = []
    for index in range(count):
        path = folder / f"{index:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        name = ("astronaut", "chelsea", "coffee")[index % 3]
        Image.fromarray(crop(name, 20 * index, 15 * index)).save(path)
        images.append(LabelledImage(path, index % CLASSES))
    return images
