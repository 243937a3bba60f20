"""LatticeNet (Luo et al., "LatticeNet: Towards Lightweight Image Super-Resolution with Lattice Block", ECCV 2020)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from restore.networks.parts import enlarge, with_zero_weights

__all__ = ["LatticeNet"]

_SLOPE = 0.05  # slope of the LeakyReLUs below zero
_REDUCTION = 16  # channels of the features divided by those inside the attention
_VARIANCE_OFFSET = 1e-6  # added to variances, as the square root has no gradient at zero


class LatticeNet(nn.Module):
    """Lattice blocks in a row, whose outputs are joined from the last to the first, and a pixel shuffle (section 3).

    Unlike in the paper, the output is added to the bilinearly enlarged image, which is what an untrained network
    returns, and no mean is subtracted from the image.

    Parameters
    ----------
    width : int
        Channels of the features, even.
    blocks : int
        Lattice blocks; 4 in the paper.
    scale : int
        Ratio of the sides of output and input.
    channels : int
        Planes of the image.
    """

    def __init__(self, width: int = 64, blocks: int = 4, scale: int = 4, channels: int = 3) -> None:
        super().__init__()
        if width < 2 or width % 2:
            raise ValueError(f"width is even and at least 2, got {width}")
        if blocks < 1:
            raise ValueError(f"blocks are at least 1, got {blocks}")
        self.config: dict[str, Any] = {
            "network": "latticenet", "width": width, "blocks": blocks, "scale": scale, "channels": channels,
        }  # fmt: skip
        self.scale = scale
        self.head = nn.Sequential(nn.Conv2d(channels, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1))
        self.body = nn.ModuleList(_Lattice(width) for _ in range(blocks))
        self.later = nn.ModuleList(nn.Conv2d(width, width // 2, 1) for _ in range(blocks - 1))
        self.earlier = nn.ModuleList(nn.Conv2d(width, width // 2, 1) for _ in range(blocks - 1))
        self.tail = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            with_zero_weights(nn.Conv2d(width, channels * scale**2, 3, padding=1)),
            nn.PixelShuffle(scale),
        )

    def forward(self, image: Tensor, condition: Tensor | None = None) -> Tensor:
        """The enlarged image; the condition is ignored."""
        features = first = self.head(image)
        outputs = []
        for block in self.body:
            features = block(features)
            outputs.append(features)
        # backward fusion: half of the channels from the fused features so far, half from the block before
        fused = outputs.pop()
        for later, earlier in zip(self.later, self.earlier, strict=True):
            fused = functional.relu(torch.cat([later(fused), earlier(outputs.pop())], 1))
        restored: Tensor = enlarge(image, self.scale) + self.tail(first + fused)
        return restored


class _Lattice(nn.Module):
    """A lattice block: two residual branches, joined by two butterflies."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = _branch(width), _branch(width)
        self.analysis, self.synthesis = _Butterfly(width), _Butterfly(width)
        self.join = nn.Conv2d(2 * width, width, 1)

    def forward(self, features: Tensor) -> Tensor:
        upper, lower = self.analysis(features, self.first(features))
        result: Tensor = self.join(torch.cat(self.synthesis(self.second(upper), lower), 1))
        return result


def _branch(width: int) -> nn.Sequential:
    """Three convolutions, with three quarters of the channels in between."""
    inner = width - width // 4
    layers: list[nn.Module] = []
    for before, after in ((width, inner), (inner, inner), (inner, width)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.LeakyReLU(_SLOPE, inplace=True)]
    return nn.Sequential(*layers)


class _Butterfly(nn.Module):
    """Adds to each of two values the other one, weighted by coefficients that are computed from that other one."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.one, self.other = _Coefficients(width), _Coefficients(width)

    def forward(self, one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        return one + self.other(other) * other, other + self.one(one) * one


class _Coefficients(nn.Module):
    """A combination coefficient for each channel, from the means and standard deviations of all channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.of_means, self.of_deviations = _attention(width), _attention(width)

    def forward(self, features: Tensor) -> Tensor:
        variances, means = torch.var_mean(features, (2, 3), correction=0, keepdim=True)
        result: Tensor = (self.of_means(means) + self.of_deviations((variances + _VARIANCE_OFFSET).sqrt())) / 2
        return result


def _attention(width: int) -> nn.Sequential:
    inner = max(1, width // _REDUCTION)
    return nn.Sequential(nn.Conv2d(width, inner, 1), nn.ReLU(inplace=True), nn.Conv2d(inner, width, 1), nn.Sigmoid())
