"""EDSR (Lim et al., "Enhanced Deep Residual Networks for Single Image Super-Resolution", CVPRW 2017)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from restore.networks.conditioned import Residual
from restore.networks.parts import enlarge, mean_colour, with_zero_weights

__all__ = ["Edsr"]


class Edsr(nn.Module):
    """Residual blocks without normalization, and pixel shuffling to the larger size (section 3, figure 3).

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
    published : bool
        Whether the output is the enlarged image, in units of 8-bit samples, and the mean colour of DIV2K is subtracted
        inside, as in the published code; else the output is added to the bilinearly enlarged image, which an untrained
        network returns.
    """

    def __init__(
        self,
        width: int = 64,
        blocks: int = 16,
        scale: int = 4,
        channels: int = 3,
        direct: bool = False,
        published: bool = False,
    ) -> None:
        super().__init__()
        if scale not in (2, 4):
            raise ValueError(f"scale is 2 or 4, got {scale}")
        self.config: dict[str, Any] = {
            "network": "edsr", "width": width, "blocks": blocks, "scale": scale, "channels": channels,
            "direct": direct, "published": published,
        }  # fmt: skip
        self.scale, self.published = scale, published
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
        if not self.published:
            return enlarge(image, self.scale) + self.enlarged(image)
        mean = mean_colour(image)
        return mean + self.enlarged(255 * (image - mean)) / 255

    def enlarged(self, image: Tensor) -> Tensor:
        """The output of the last convolution."""
        first = self.head(image)
        output: Tensor = self.tail(first + self.body(first))
        return output
