"""DnCNN (Zhang et al., TIP 2017): a sequence of convolutions that predicts the error of its input."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

__all__ = ["DnCNN"]


class DnCNN(nn.Module):
    """DnCNN: convolution and ReLU; then convolution, batch norm and ReLU, repeated; then a convolution.

    The output of the last convolution is added to the image.

    Parameters
    ----------
    depth : int
        Number of convolutions; 17 in the paper.
    width : int or sequence of int
        Channels between the convolutions: one number for all, or one for each of the first ``depth - 1`` convolutions
        (pruning makes them differ).
    channels : int
        Planes of the image: 1 for gray, 3 for RGB.
    separable : bool
        Whether the inner convolutions are depthwise-separable: 3x3 for each channel, then 1x1 (an ablation).
    normalized : bool
        Whether batch norms follow the inner convolutions; without them (after folding) these have a bias.
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
        for input_channels, output_channels in pairwise(widths):
            layers += _convolution(input_channels, output_channels, separable, bias=not normalized)
            if normalized:
                layers.append(nn.BatchNorm2d(output_channels))
            layers.append(nn.ReLU(inplace=True))
        layers.append(nn.Conv2d(widths[-1], channels, 3, padding=1))
        self.layers = nn.Sequential(*layers)

    def forward(self, image: Tensor, condition: Tensor | None = None) -> Tensor:
        """The restored image; DnCNN is blind and ignores the condition."""
        restored: Tensor = image + self.layers(image)
        return restored


def _convolution(input_channels: int, output_channels: int, separable: bool, bias: bool) -> list[nn.Module]:
    if not separable:
        return [nn.Conv2d(input_channels, output_channels, 3, padding=1, bias=bias)]
    return [
        nn.Conv2d(input_channels, input_channels, 3, padding=1, groups=input_channels, bias=False),
        nn.Conv2d(input_channels, output_channels, 1, bias=bias),
    ]
