"""FSRCNN (Dong et al., "Accelerating the Super-Resolution Convolutional Neural Network", ECCV 2016)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from restore.networks.parts import enlarge, with_zero_weights

__all__ = ["Fsrcnn"]


class Fsrcnn(nn.Module):
    """Feature extraction, shrinking, mapping, expanding, and a transposed convolution that enlarges (section 3).

    Unlike in the paper, the output is added to the bilinearly enlarged image; an untrained network returns just that.

    Parameters
    ----------
    width : int
        Channels of the features, d of the paper.
    shrunk : int
        Channels while mapping, s.
    depth : int
        Convolutions of the mapping, m.
    scale : int
        Ratio of the sides of output and input.
    channels : int
        Planes of the image.
    """

    def __init__(self, width: int = 56, shrunk: int = 12, depth: int = 4, scale: int = 4, channels: int = 3) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "network": "fsrcnn", "width": width, "shrunk": shrunk, "depth": depth, "scale": scale, "channels": channels,
        }  # fmt: skip
        self.scale = scale
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 5, padding=2), nn.PReLU(width)]
        layers += [nn.Conv2d(width, shrunk, 1), nn.PReLU(shrunk)]
        for _ in range(depth):
            layers += [nn.Conv2d(shrunk, shrunk, 3, padding=1), nn.PReLU(shrunk)]
        layers += [nn.Conv2d(shrunk, width, 1), nn.PReLU(width)]
        self.features = nn.Sequential(*layers)
        self.tail = with_zero_weights(
            nn.ConvTranspose2d(width, channels, 9, stride=scale, padding=4, output_padding=scale - 1)
        )

    def forward(self, image: Tensor, condition: Tensor | None = None) -> Tensor:
        """The enlarged image; the condition is ignored."""
        restored: Tensor = enlarge(image, self.scale) + self.tail(self.features(image))
        return restored
