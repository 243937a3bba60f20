"""`Compact`, the network of the shipped models: residual blocks at half resolution, conditioned on quantization tables.

A pixel-unshuffle by two turns each 2x2 pixels into channels, so that the same filters cost a quarter. The quantization
table is turned into a few feature maps that repeat with the 8x8 blocks: they tell the network how coarse the
quantization is and where the block borders lie.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Compact", "Residual"]

_HIDDEN = 16  # width of the hidden layer between a table and its maps


class Residual(nn.Module):
    """A residual block: two convolutions and a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = features + self.second(functional.relu(self.first(features)))
        return out


class Compact(nn.Module):
    """Restores luminance, or chrominance, of an image.

    Parameters
    ----------
    planes : int
        Planes of the input: 1 for luminance, 3 for Y, Cb, Cr.
    restored : int
        How many of them, counted from the last, are restored: 1 of 1 for luminance, 2 of 3 for chrominance.
    width : int
        Channels of the features.
    blocks : int
        Residual blocks, two convolutions each.
    tables : int
        Number of quantization tables.
    maps : int
        Number of maps that are computed from the tables.
    period : int
        Period of the maps in pixels at half resolution: 4 for the 8x8 block grid of a plane that was not subsampled, 1
        for constant maps.
    """

    def __init__(
        self,
        planes: int = 1,
        restored: int = 1,
        width: int = 64,
        blocks: int = 4,
        tables: int = 1,
        maps: int = 4,
        period: int = 4,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "network": "compact", "planes": planes, "restored": restored, "width": width, "blocks": blocks,
            "tables": tables, "maps": maps, "period": period,
        }  # fmt: skip
        self.restored, self.maps, self.period = restored, maps, period
        self.condition = nn.Sequential(
            nn.Linear(64 * tables, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, maps * period * period)
        )
        self.head = nn.Conv2d(4 * planes + maps, width, 3, padding=1)
        self.body = nn.Sequential(*(Residual(width) for _ in range(blocks)))
        self.tail = nn.Conv2d(width, 4 * restored, 3, padding=1)
        nn.init.zeros_(self.tail.weight)  # an untrained network changes nothing
        assert self.tail.bias is not None
        nn.init.zeros_(self.tail.bias)

    def forward(self, image: Tensor, table: Tensor) -> Tensor:
        low = functional.pixel_unshuffle(image, 2)
        maps = self.condition(torch.log2(table.flatten(1)) / 8)
        maps = maps.view(-1, self.maps, self.period, self.period)
        maps = maps.repeat(1, 1, low.shape[2] // self.period, low.shape[3] // self.period)
        features = self.body(self.head(torch.cat([low, maps.to(low.dtype)], 1)))
        return image[:, -self.restored :] + functional.pixel_shuffle(self.tail(features), 2)
