"""Features of networks that learned to see (VGG-16, SqueezeNet 1.1): what stage 2 of the training compares.

And LPIPS, which it watches. The weights of those networks are files that users bring.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from optcodec import InvalidInputError, require_packages

__all__ = ["Features", "load_features", "load_lpips", "to_rgb"]

# What torchvision's networks take off RGB in 0..1, and divide it by.
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class _Source:
    """Where features come from: what people call the network, and the layers up to the one that is compared."""

    title: str
    layers: int


# relu2_2 is what Johnson et al. (ECCV 2016, section 4.2) compare for images to be restored; the fourth layer of
# SqueezeNet has as many channels, 128
_SOURCES = {"vgg16": _Source("VGG-16", 9), "squeezenet1_1": _Source("SqueezeNet 1.1", 5)}


class Features(nn.Module):
    """Feature reconstruction loss (Johnson et al., ECCV 2016, eq. 2), as a share of the features' own mean square.

    Divided in that way it means the same with any network: 0 is no difference, and 1 one as large as the features are.

    Parameters
    ----------
    layers : Module
        The first layers of a network; they are frozen.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers.requires_grad_(False).eval()
        self.register_buffer("mean", torch.tensor(_MEAN)[:, None, None])
        self.register_buffer("deviation", torch.tensor(_DEVIATION)[:, None, None])

    def forward(self, restored: Tensor, clean: Tensor) -> Tensor:
        """Loss of gray or Y, Cb, Cr planes (N, 1 or 3, H, W) in 0..1."""
        seen = self._of(restored)
        with torch.no_grad():
            wanted = self._of(clean)
        return (seen - wanted).square().mean() / wanted.square().mean()

    def _of(self, planes: Tensor) -> Tensor:
        features: Tensor = self.layers((to_rgb(planes) - self.mean) / self.deviation)
        return features.float()


def to_rgb(planes: Tensor) -> Tensor:
    """RGB (N, 3, H, W) of gray or Y, Cb, Cr planes in 0..1 (ITU-T T.871, section 7); gray is repeated."""
    if planes.shape[1] == 1:
        return planes.expand(-1, 3, -1, -1)
    luminance, blue, red = planes[:, :1], planes[:, 1:2] - 128 / 255, planes[:, 2:] - 128 / 255
    green = luminance - 0.344136 * blue - 0.714136 * red
    return torch.cat([luminance + 1.402 * red, green, luminance + 1.772 * blue], 1)


def load_features(name: str, folder: Path) -> Features:
    """The features of a network.

    Parameters
    ----------
    name : {"vgg16", "squeezenet1_1"}
        Its weights are ``<name>.safetensors``, named as torchvision names them.
    folder : path
        Of weights.

    Raises
    ------
    InvalidInputError
        No such network, no such file, or other weights in it; torchvision is missing.
    """
    if name not in _SOURCES:
        raise InvalidInputError(f"features is one of {', '.join(_SOURCES)}; got {name!r}")
    source, path = _SOURCES[name], _at_hand(name, folder, "stage 2")
    from torchvision import models

    layers: nn.Sequential = models.get_model(name, weights=None).features[: source.layers]
    try:
        tensors = load_file(path)
        layers.load_state_dict({key: tensors[f"features.{key}"] for key in layers.state_dict()})
    except (OSError, KeyError, RuntimeError, safetensors.SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise InvalidInputError(f"{path} does not fit ({reason}); expected {source.title} of torchvision") from None
    return Features(layers)


def load_lpips(backbone: str, folder: Path, device: torch.device) -> Callable[[Tensor, Tensor], float]:
    """LPIPS of two images, gray or Y, Cb, Cr planes (1, 1 or 3, H, W) in 0..1.

    Parameters
    ----------
    backbone : {"alex", "vgg", "squeeze"}
        Its weights are ``alexnet.safetensors``, ``vgg16.safetensors`` or ``squeezenet1_1.safetensors``.
    folder : path
        Of weights.
    device : torch.device
        Where it is computed.

    Raises
    ------
    InvalidInputError
        As `load_features`.
    """
    from restore.networks.lpips import BACKBONES, Lpips  # only stage 2 needs torchvision

    if backbone not in BACKBONES:
        raise InvalidInputError(f"lpips is one of {', '.join(BACKBONES)}, or empty; got {backbone!r}")
    measure = Lpips(backbone, _at_hand(BACKBONES[backbone][0], folder, f"LPIPS ({backbone})")).to(device)

    def distance(reference: Tensor, test: Tensor) -> float:
        with torch.no_grad():
            return float(measure(to_rgb(reference), to_rgb(test))[0])

    return distance


def _at_hand(name: str, folder: Path, purpose: str) -> Path:
    """The file of a network's weights."""
    require_packages("torchvision")
    path = folder / f"{name}.safetensors"
    if not path.is_file():
        raise InvalidInputError(f"{purpose} needs the weights of torchvision's {name}; expected them at {path}")
    return path
