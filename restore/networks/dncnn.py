"""DnCNN (Zhang et al., TIP 2017): a stack of convolutions that predicts the error of its input."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

__all__ = ["DnCNN"]


class DnCNN(nn.Module):
    """Convolution and ReLU, then convolution, batch norm and ReLU, then one convolution; the output is what to add.

    Parameters
    ----------
    depth : int
        Convolutions; 17 in the paper.
    width : int or sequence of int
        Channels between them, for all or for each of the ``depth - 1`` places; pruning makes them differ.
    channels : int
        Planes of the image: 1 for gray, 3 for RGB.
    separable : bool
        The inner convolutions are a 3x3 one per channel and then a 1x1 one (the ablation of depthwise variants).
    normalized : bool
        Batch norm after the inner convolutions; without it they have a bias, which is what folding makes of them.
    """

    def __init__(
        self,
        depth: int = 17,
        width: int | Sequence[int] = 64,
        channels: int = 1,
        separable: bool = False,
        normalized: bool = True,
    ) -> None:
        super().__init__()
        widths = [width] * (depth - 1) if isinstance(width, int) else list(width)
        if len(widths) != depth - 1:
            raise TypeError(f"a depth of {depth} has {depth - 1} widths, got {len(widths)}")
        self.config: dict[str, Any] = {
            "network": "dncnn", "depth": depth, "width": width if isinstance(width, int) else widths,
            "channels": channels, "separable": separable, "normalized": normalized,
        }  # fmt: skip
        layers: list[nn.Module] = [nn.Conv2d(channels, widths[0], 3, padding=1), nn.ReLU(inplace=True)]
        for before, after in pairwise(widths):
            layers += _convolution(before, after, separable, bias=not normalized)
            if normalized:
                layers.append(nn.BatchNorm2d(after))
            layers.append(nn.ReLU(inplace=True))
        layers.append(nn.Conv2d(widths[-1], channels, 3, padding=1))
        self.layers = nn.Sequential(*layers)

    def forward(self, image: Tensor, table: Tensor | None = None) -> Tensor:
        """The restored image; DnCNN is blind, so it takes no notice of the table."""
        restored: Tensor = image + self.layers(image)
        return restored


def _convolution(before: int, after: int, separable: bool, bias: bool) -> list[nn.Module]:
    if not separable:
        return [nn.Conv2d(before, after, 3, padding=1, bias=bias)]
    return [
        nn.Conv2d(before, before, 3, padding=1, groups=before, bias=False),
        nn.Conv2d(before, after, 1, bias=bias),
    ]
