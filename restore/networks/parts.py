"""Helpers that the networks of several papers share."""

from __future__ import annotations

from typing import TypeVar

from torch import Tensor, nn
from torch.nn import functional

__all__ = ["enlarge", "pad_to_multiples", "with_zero_weights"]

Layer = TypeVar("Layer", nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


def with_zero_weights(layer: Layer) -> Layer:
    """Set the weights and the bias of a layer to zero, so that an untrained network returns its shortcut."""
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def enlarge(image: Tensor, scale: int) -> Tensor:
    """Enlarge an image bilinearly by a factor: the shortcut of networks for super-resolution."""
    return functional.interpolate(image, scale_factor=scale, mode="bilinear", align_corners=False)


def pad_to_multiples(image: Tensor, factor: int) -> Tensor:
    """Pad an image to sides that are multiples of a factor, by repeating its last samples."""
    height, width = image.shape[2:]
    return functional.pad(image, (0, -width % factor, 0, -height % factor), mode="replicate")
