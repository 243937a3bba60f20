"""MIMO-UNet (Cho et al., "Rethinking Coarse-to-Fine Approach in Single Image Deblurring", ICCV 2021)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from restore.networks.conditioned import Residual
from restore.networks.parts import pad_to_multiples, with_zero_weights

__all__ = ["MimoUnet"]


class MimoUnet(nn.Module):
    """A U-net that takes the image at three sizes (section 3).

    It returns the image at full size only. That of the paper also returns it at the two smaller sizes, each through one
    more convolution (0.1 % of the parameters), for a loss at each size. The weights of the last convolution start at
    zero, so that an untrained network changes nothing.

    Parameters
    ----------
    width : int
        Channels of the features at full size, at least 2; there are twice and four times as many at the smaller ones.
    blocks : int
        Residual blocks in the encoder and in the decoder of each size: 8 in the paper, 20 in MIMO-UNet+.
    channels : int
        Planes of the image, fewer than twice the width.
    """

    def __init__(self, width: int = 32, blocks: int = 8, channels: int = 3) -> None:
        super().__init__()
        if width < 2 or channels >= 2 * width:
            raise ValueError(f"width is at least 2 and more than half of {channels} channels, got {width}")
        self.config: dict[str, Any] = {"network": "mimounet", "width": width, "blocks": blocks, "channels": channels}
        full, half, quarter = width, 2 * width, 4 * width
        self.head = _rectified(nn.Conv2d(channels, full, 3, padding=1))
        self.to_half = _rectified(nn.Conv2d(full, half, 3, stride=2, padding=1))
        self.to_quarter = _rectified(nn.Conv2d(half, quarter, 3, stride=2, padding=1))
        self.half_image, self.quarter_image = _Shallow(channels, half), _Shallow(channels, quarter)
        self.half_merged, self.quarter_merged = _Attention(half), _Attention(quarter)
        self.encoders = nn.ModuleList(_residuals(size, blocks) for size in (full, half, quarter))
        self.decoders = nn.ModuleList(_residuals(size, blocks) for size in (full, half, quarter))
        self.full_fused, self.half_fused = (_fusion(full + half + quarter, size) for size in (full, half))
        self.from_quarter = _rectified(nn.ConvTranspose2d(quarter, half, 4, stride=2, padding=1))
        self.from_half = _rectified(nn.ConvTranspose2d(half, full, 4, stride=2, padding=1))
        self.half_joined, self.full_joined = (_rectified(nn.Conv2d(2 * size, size, 1)) for size in (half, full))
        self.tail = with_zero_weights(nn.Conv2d(full, channels, 3, padding=1))

    def forward(self, image: Tensor, condition: Tensor | None = None) -> Tensor:
        """The restored image, of any size; the condition is ignored."""
        height, width = image.shape[2:]
        full, half, quarter = self._encoded(pad_to_multiples(image, 4))
        halved, doubled = full[:, :, ::2, ::2], _upsample_by_two(quarter)
        half_skip = self.half_fused(torch.cat([halved, half, doubled], 1))
        full_skip = self.full_fused(torch.cat([full, _upsample_by_two(half), _upsample_by_two(doubled)], 1))
        features = self.from_quarter(self.decoders[2](quarter))
        features = self.decoders[1](self.half_joined(torch.cat([features, half_skip], 1)))
        features = self.from_half(features)
        features = self.decoders[0](self.full_joined(torch.cat([features, full_skip], 1)))
        restored: Tensor = image + self.tail(features)[:, :, :height, :width]
        return restored

    def _encoded(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features at full, half and quarter size (section 3.1)."""
        full = self.encoders[0](self.head(image))
        half = self.half_merged(self.to_half(full), self.half_image(image[:, :, ::2, ::2]))
        half = self.encoders[1](half)
        quarter = self.quarter_merged(self.to_quarter(half), self.quarter_image(image[:, :, ::4, ::4]))
        return full, half, self.encoders[2](quarter)


class _Shallow(nn.Module):
    """Features of a smaller image, joined with the image itself (the shallow convolutional module, SCM)."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _rectified(nn.Conv2d(channels, width // 4, 3, padding=1)),
            _rectified(nn.Conv2d(width // 4, width // 2, 1)),
            _rectified(nn.Conv2d(width // 2, width // 2, 3, padding=1)),
            _rectified(nn.Conv2d(width // 2, width - channels, 1)),
        )
        self.join = nn.Conv2d(width, width, 1)

    def forward(self, image: Tensor) -> Tensor:
        result: Tensor = self.join(torch.cat([image, self.layers(image)], 1))
        return result


class _Attention(nn.Module):
    """Adds a convolution of the product of features and those of a smaller image (feature attention module, FAM)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.merge = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, features: Tensor, image_features: Tensor) -> Tensor:
        result: Tensor = features + self.merge(features * image_features)
        return result


def _fusion(channels: int, width: int) -> nn.Sequential:
    """Fuses features of all sizes to those of one size (asymmetric feature fusion, section 3.3)."""
    return nn.Sequential(_rectified(nn.Conv2d(channels, width, 1)), nn.Conv2d(width, width, 3, padding=1))


def _residuals(width: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(*(Residual(width) for _ in range(blocks)))


def _rectified(layer: nn.Module) -> nn.Sequential:
    return nn.Sequential(layer, nn.ReLU(inplace=True))


def _upsample_by_two(features: Tensor) -> Tensor:
    return functional.interpolate(features, scale_factor=2, mode="nearest")
