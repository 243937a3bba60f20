"""What networks from several papers share."""

from __future__ import annotations

from typing import TypeVar

from torch import Tensor, nn
from torch.nn import functional

__all__ = ["enlarged", "multiples", "zeroed"]

Layer = TypeVar("Layer", nn.Conv2d, nn.ConvTranspose2d)


def zeroed(layer: Layer) -> Layer:
    """The layer, its weights and its bias zero: the tail of a network that begins as its shortcut."""
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def enlarged(image: Tensor, scale: int) -> Tensor:
    """The image, so many times larger, bilinear: the shortcut of a network for super-resolution."""
    return functional.interpolate(image, scale_factor=scale, mode="bilinear", align_corners=False)


def multiples(image: Tensor, of: int) -> Tensor:
    """The image, its last samples repeated until both sides are multiples of a number."""
    height, width = image.shape[2:]
    return functional.pad(image, (0, -width % of, 0, -height % of), mode="replicate")
