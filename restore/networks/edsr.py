"""EDSR (Lim et al., "Enhanced Deep Residual Networks for Single Image Super-Resolution", CVPRW 2017)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from restore.networks.conditioned import Residual
from restore.networks.parts import enlarge, with_zero_weights

__all__ = ["Edsr"]


class Edsr(nn.Module):
    """Residual blocks without normalization, and pixel shuffling to the larger size (section 3, figure 3).

    Unlike in the paper, the output is added to the bilinearly enlarged image; an untrained network returns just that.

    Parameters
    ----------
    width : int
        Channels of the features; 64 in EDSR-baseline.
    blocks : int
        Residual blocks; 16 in EDSR-baseline.
    scale : int
        Ratio of the sides of output and input: 2 or 4.
    channels : int
        Planes of the image.
    direct : bool
        Enlarge in one step, right before the output (Shi et al., "ESPCN", CVPR 2016), instead of by twos with
        convolutions at each size, which cost more than all residual blocks of a small network.
    """

    def __init__(
        self, width: int = 64, blocks: int = 16, scale: int = 4, channels: int = 3, direct: bool = False
    ) -> None:
        super().__init__()
        if scale not in (2, 4):
            raise ValueError(f"scale is 2 or 4, got {scale}")
        self.config: dict[str, Any] = {
            "network": "edsr", "width": width, "blocks": blocks, "scale": scale, "channels": channels,
            "direct": direct,
        }  # fmt: skip
        self.scale = scale
        self.head = nn.Conv2d(channels, width, 3, padding=1)
        self.body = nn.Sequential(*(Residual(width) for _ in range(blocks)), nn.Conv2d(width, width, 3, padding=1))
        larger: list[nn.Module] = []
        if not direct:
            for _ in range(scale // 2):
                larger += [nn.Conv2d(width, 4 * width, 3, padding=1), nn.PixelShuffle(2)]
        tail = with_zero_weights(nn.Conv2d(width, channels * (scale * scale if direct else 1), 3, padding=1))
        self.tail = nn.Sequential(*larger, tail, *([nn.PixelShuffle(scale)] if direct else []))

    def forward(self, image: Tensor, condition: Tensor | None = None) -> Tensor:
        """The enlarged image; the condition is ignored."""
        first = self.head(image)
        restored: Tensor = enlarge(image, self.scale) + self.tail(first + self.body(first))
        return restored
