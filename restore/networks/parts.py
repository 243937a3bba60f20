"""Helpers that the networks of several papers share."""

from __future__ import annotations

from typing import TypeVar

from torch import Tensor, nn
from torch.nn import functional

from optcodec import InvalidInputError

__all__ = ["enlarge", "mean_colour", "pad_to_multiples", "with_zero_weights"]

_MEAN_COLOUR = 0.4488, 0.4371, 0.4040  # of R, G, B in the photographs of DIV2K, as in the code of EDSR and CARN

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


def mean_colour(image: Tensor) -> Tensor:
    """The mean colour of DIV2K, which published networks for RGB subtract from an image, shape (1, 3, 1, 1)."""
    if image.shape[1] != len(_MEAN_COLOUR):
        raise InvalidInputError(f"the published network takes RGB; got {image.shape[1]} planes")
    return image.new_tensor(_MEAN_COLOUR)[None, :, None, None]


def pad_to_multiples(image: Tensor, factor: int) -> Tensor:
    """Pad an image to sides that are multiples of a factor, by repeating its last samples."""
    height, width = image.shape[2:]
    return functional.pad(image, (0, -width % factor, 0, -height % factor), mode="replicate")
