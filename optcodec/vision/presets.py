"""What a preset of torchvision does to a picture before a network sees it, but for its normalization."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

__all__ = ["preprocessed", "resampled"]


def preprocessed(image: Image.Image, *, preset: Any) -> Tensor:
    """An image as samples of uint8 (C, H, W), resized and cropped."""
    from torchvision.transforms.v2 import functional as transform

    resized = transform.resize(image, preset.resize_size, interpolation=preset.interpolation)
    pixels: Tensor = transform.pil_to_tensor(transform.center_crop(resized, preset.crop_size))
    return pixels


def resampled(batch: Tensor, *, preset: Any) -> Tensor:
    """The same for a batch of floats (N, C, H, W)."""
    from torchvision.transforms.v2 import functional as transform

    resized = transform.resize(batch, preset.resize_size, interpolation=preset.interpolation, antialias=True)
    cropped: Tensor = transform.center_crop(resized, preset.crop_size)
    return cropped
