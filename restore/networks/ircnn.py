"""IRCNN (Zhang et al., "Learning Deep CNN Denoiser Prior for Image Restoration", CVPR 2017)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from restore.networks.parts import with_zero_weights

__all__ = ["Ircnn"]

_DILATIONS = (1, 2, 3, 4, 3, 2, 1)


class Ircnn(nn.Module):
    """Seven dilated convolutions that predict the error of the image (section 3.2).

    There are no batch norms: in the published weights, those of the paper are folded. The weights of the last
    convolution start at zero, so that an untrained network changes nothing.

    Parameters
    ----------
    width : int
        Channels between the convolutions; 64 in the paper.
    channels : int
        Planes of the image.
    """

    def __init__(self, width: int = 64, channels: int = 3) -> None:
        super().__init__()
        self.config: dict[str, Any] = {"network": "ircnn", "width": width, "channels": channels}
        layers: list[nn.Module] = []
        input_channels = channels
        for dilation in _DILATIONS[:-1]:
            layers += [nn.Conv2d(input_channels, width, 3, padding=dilation, dilation=dilation), nn.ReLU(inplace=True)]
            input_channels = width
        self.layers = nn.Sequential(*layers, with_zero_weights(nn.Conv2d(width, channels, 3, padding=_DILATIONS[-1])))

    def forward(self, image: Tensor, condition: Tensor | None = None) -> Tensor:
        """The restored image; the condition is ignored."""
        restored: Tensor = image + self.layers(image)
        return restored
