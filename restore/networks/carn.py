"""CARN (Ahn et al., "Fast, Accurate, and Lightweight Super-Resolution with Cascading Residual Network", ECCV 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from restore.networks.parts import enlarge, mean_colour, with_zero_weights

__all__ = ["Carn"]

_STEPS = 3  # in each cascade: residual blocks of a block, and blocks of the network


class Carn(nn.Module):
    """Cascades of residual blocks within a cascade, and pixel shuffling to the larger size (section 3.1).

    ``Carn(groups=4, recursive=True)`` is CARN-M, the mobile variant (section 3.2). The number of parameters in the
    paper is that of a network with tails for x2, x3 and x4; this one has one tail.

    Parameters
    ----------
    width : int
        Channels of the features, a multiple of `groups`.
    groups : int
        Groups of the 3x3 convolutions between head and tail. With more than one, a residual block ends with a 1x1
        convolution over all channels (the residual-E block).
    recursive : bool
        Whether the residual blocks of a cascade share their weights.
    scale : {2, 3, 4}
        Ratio of the sides of output and input.
    channels : int
        Planes of the image.
    published : bool
        Whether the output is the enlarged image, and the mean colour of DIV2K is subtracted inside, as in the published
        code; else the output is added to the bilinearly enlarged image, which an untrained network returns.
    """

    def __init__(
        self,
        width: int = 64,
        groups: int = 1,
        recursive: bool = False,
        scale: int = 4,
        channels: int = 3,
        published: bool = False,
    ) -> None:
        super().__init__()
        if scale not in (2, 3, 4):
            raise ValueError(f"scale is 2, 3 or 4, got {scale}")
        self.config: dict[str, Any] = {
            "network": "carn", "width": width, "groups": groups, "recursive": recursive, "scale": scale,
            "channels": channels, "published": published,
        }  # fmt: skip
        self.scale, self.published = scale, published
        self.head = nn.Conv2d(channels, width, 3, padding=1)
        kinds = 1 if recursive else _STEPS
        self.body = _Cascade(
            [_Cascade([_Step(width, groups) for _ in range(kinds)], width) for _ in range(_STEPS)], width
        )
        larger: list[nn.Module] = []
        for factor in (2, 2) if scale == 4 else (scale,):
            larger += [nn.Conv2d(width, factor**2 * width, 3, padding=1, groups=groups), nn.ReLU(inplace=True)]
            larger.append(nn.PixelShuffle(factor))
        self.tail = nn.Sequential(*larger, with_zero_weights(nn.Conv2d(width, channels, 3, padding=1)))

    def forward(self, image: Tensor, condition: Tensor | None = None) -> Tensor:
        """The enlarged image; the condition is ignored."""
        if not self.published:
            return enlarge(image, self.scale) + self.enlarged(image)
        mean = mean_colour(image)
        return mean + self.enlarged(image - mean)

    def enlarged(self, image: Tensor) -> Tensor:
        """The output of the last convolution."""
        output: Tensor = self.tail(self.body(self.head(image)))
        return output


class _Cascade(nn.Module):
    """A sequence of blocks, each followed by a 1x1 convolution over the outputs of all blocks so far."""

    def __init__(self, steps: Sequence[nn.Module], width: int) -> None:
        super().__init__()
        self.steps = nn.ModuleList(steps)  # one that is used three times, or three
        self.joins = nn.ModuleList(nn.Conv2d((number + 2) * width, width, 1) for number in range(_STEPS))

    def forward(self, features: Tensor) -> Tensor:
        outputs = features
        for number, join in enumerate(self.joins):
            step = self.steps[number % len(self.steps)]
            outputs = torch.cat([outputs, step(features)], 1)
            features = functional.relu(join(outputs))
        return features


class _Step(nn.Module):
    """A residual block, or a residual-E block, with a ReLU after the sum."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(width, width, 3, padding=1, groups=groups),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1, groups=groups),
        ]
        if groups > 1:
            layers += [nn.ReLU(inplace=True), nn.Conv2d(width, width, 1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        return functional.relu(features + self.layers(features))
