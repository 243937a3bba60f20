"""Feature loss for stage 2 of the training (VGG-16 or SqueezeNet 1.1), and LPIPS for its validation.

The weights of these classification networks are not in the package; users provide them as files.
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

# Mean and standard deviation by which the networks of torchvision normalize RGB in 0..1.
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class _FeatureLayers:
    """The usual name of a network, and the number of its first layers whose output is compared."""

    title: str
    layers: int


# VGG-16 up to relu2_2, which Johnson et al. (ECCV 2016, section 4.2) compare; SqueezeNet up to its fourth layer, which
# has the same number of channels, 128.
_FEATURE_LAYERS = {"vgg16": _FeatureLayers("VGG-16", 9), "squeezenet1_1": _FeatureLayers("SqueezeNet 1.1", 5)}


class Features(nn.Module):
    """Feature reconstruction loss (Johnson et al., ECCV 2016, eq. 2), divided by the mean square of the clean features.

    The division makes the loss comparable between networks: 0 means no difference, 1 one as large as the features.

    Parameters
    ----------
    layers : Module
        The first layers of a network; they are frozen (not trained).
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers.requires_grad_(False).eval()
        self.register_buffer("mean", torch.tensor(_MEAN)[:, None, None])
        self.register_buffer("deviation", torch.tensor(_DEVIATION)[:, None, None])

    def forward(self, restored: Tensor, clean: Tensor) -> Tensor:
        """The loss of gray or Y, Cb, Cr planes, shape (N, 1 or 3, H, W), 0..1."""
        restored_features = self._features(restored)
        with torch.no_grad():
            clean_features = self._features(clean)
        return (restored_features - clean_features).square().mean() / clean_features.square().mean()

    def _features(self, planes: Tensor) -> Tensor:
        features: Tensor = self.layers((to_rgb(planes) - self.mean) / self.deviation)
        return features.float()


def to_rgb(planes: Tensor) -> Tensor:
    """Convert gray or Y, Cb, Cr planes in 0..1 to RGB (N, 3, H, W) by ITU-T T.871, section 7; gray is repeated."""
    if planes.shape[1] == 1:
        return planes.expand(-1, 3, -1, -1)
    luminance, blue, red = planes[:, :1], planes[:, 1:2] - 128 / 255, planes[:, 2:] - 128 / 255
    green = luminance - 0.344136 * blue - 0.714136 * red
    return torch.cat([luminance + 1.402 * red, green, luminance + 1.772 * blue], 1)


def load_features(name: str, folder: Path) -> Features:
    """Load the feature loss of a network.

    Parameters
    ----------
    name : {"vgg16", "squeezenet1_1"}
        The network; its weights are in ``<name>.safetensors``, with the tensor names of torchvision.
    folder : path
        Folder of the weights.

    Raises
    ------
    InvalidInputError
        If there is no such network or file, the file holds other weights, or torchvision is not installed.
    """
    if name not in _FEATURE_LAYERS:
        raise InvalidInputError(f"features is one of {', '.join(_FEATURE_LAYERS)}; got {name!r}")
    spec, path = _FEATURE_LAYERS[name], _weights_path(name, folder, "stage 2")
    from torchvision import models

    layers: nn.Sequential = models.get_model(name, weights=None).features[: spec.layers]
    try:
        tensors = load_file(path)
        layers.load_state_dict({key: tensors[f"features.{key}"] for key in layers.state_dict()})
    except (OSError, KeyError, RuntimeError, safetensors.SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise InvalidInputError(f"{path} does not fit ({reason}); expected {spec.title} of torchvision") from None
    return Features(layers)


def load_lpips(backbone: str, folder: Path, device: torch.device) -> Callable[[Tensor, Tensor], float]:
    """Load LPIPS, as a function of two images: gray or Y, Cb, Cr planes, shape (1, 1 or 3, H, W), 0..1.

    Parameters
    ----------
    backbone : {"alex", "vgg", "squeeze"}
        The network; its weights are in ``alexnet.safetensors``, ``vgg16.safetensors`` or ``squeezenet1_1.safetensors``.
    folder : path
        Folder of the weights.
    device : torch.device
        Device on which it is computed.

    Raises
    ------
    InvalidInputError
        As from `load_features`.
    """
    from restore.networks.lpips import BACKBONES, Lpips  # here, as only stage 2 needs torchvision

    if backbone not in BACKBONES:
        raise InvalidInputError(f"lpips is one of {', '.join(BACKBONES)}, or empty; got {backbone!r}")
    measure = Lpips(backbone, _weights_path(BACKBONES[backbone][0], folder, f"LPIPS ({backbone})")).to(device)

    def distance(reference: Tensor, test: Tensor) -> float:
        with torch.no_grad():
            return float(measure(to_rgb(reference), to_rgb(test))[0])

    return distance


def _weights_path(name: str, folder: Path, purpose: str) -> Path:
    """Path of the weights of a network of torchvision."""
    require_packages("torchvision")
    path = folder / f"{name}.safetensors"
    if not path.is_file():
        raise InvalidInputError(f"{purpose} needs the weights of torchvision's {name}; expected them at {path}")
    return path
