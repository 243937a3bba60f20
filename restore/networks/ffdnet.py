"""FFDNet (Zhang et al., "FFDNet: Toward a Fast and Flexible Solution for CNN based Image Denoising", TIP 2018)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from optcodec import InvalidInputError
from restore.networks.parts import with_zero_weights

__all__ = ["Ffdnet"]


class Ffdnet(nn.Module):
    """Convolutions on the image pixel-unshuffled by two, with a map of the noise level (section III).

    There are no batch norms: in the published weights, those of the paper are folded.

    Parameters
    ----------
    depth : int
        Convolutions; 12 for colour in the paper.
    width : int
        Channels between them; 96 for colour in the paper.
    level : float
        Noise level in the map, in units of 8-bit samples; 0 means no map, for problems other than denoising.
    channels : int
        Planes of the image.
    published : bool
        Whether the output is the restored image, as in the paper; else it is added to the image, so that an untrained
        network changes nothing.
    from_mean : bool
        Whether the output is added to the means of squares of 2x2 pixels instead of to the image. Half of the noise of
        a picture is gone in them already, and the convolutions at half the resolution need not carry all of it to the
        last one.

    Raises
    ------
    InvalidInputError
        If the network is both `published` and `from_mean`.
    """

    def __init__(
        self,
        depth: int = 12,
        width: int = 96,
        level: float = 25.0,
        channels: int = 3,
        published: bool = False,
        from_mean: bool = False,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "network": "ffdnet", "depth": depth, "width": width, "level": level, "channels": channels,
            "published": published, "from_mean": from_mean,
        }  # fmt: skip
        if published and from_mean:
            raise InvalidInputError("published weights give the image; expected published or from_mean, got both")
        self.level, self.published, self.from_mean = level, published, from_mean
        layers: list[nn.Module] = [nn.Conv2d(4 * channels + bool(level), width, 3, padding=1), nn.ReLU(inplace=True)]
        for _ in range(depth - 2):
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU(inplace=True)]
        for layer in layers[::2]:
            assert isinstance(layer, nn.Conv2d)
            nn.init.orthogonal_(layer.weight, 2**0.5)  # section III-C
        self.layers = nn.Sequential(*layers, with_zero_weights(nn.Conv2d(width, 4 * channels, 3, padding=1)))

    def forward(self, image: Tensor, condition: Tensor | None = None) -> Tensor:
        """The restored image, of any size; the condition is ignored."""
        height, width = image.shape[2:]
        even = functional.pad(image, (0, width % 2, 0, height % 2), mode="replicate")
        low = functional.pixel_unshuffle(even, 2)
        if self.level:
            low = torch.cat([low, torch.full_like(low[:, :1], self.level / 255)], 1)
        output: Tensor = functional.pixel_shuffle(self.layers(low), 2)
        if self.from_mean:
            output = output + functional.interpolate(functional.avg_pool2d(even, 2), scale_factor=2, mode="nearest")
        output = output[:, :, :height, :width]
        return output if self.published or self.from_mean else image + output
