"""LPIPS: perceptual distance of two images, a weighted distance of their features in a classification network.

Zhang, Isola, Efros, Shechtman and Wang, "The unreasonable effectiveness of deep features as a perceptual metric",
CVPR 2018, eq. (1). The weights of the features (version 0.1) are in the package; those of the classification network
are a file that the user provides.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load, load_file
from torch import Tensor, nn
from torch.nn import functional

from optcodec import InvalidInputError

__all__ = ["BACKBONES", "Lpips"]

# Name: (function of torchvision, layers whose outputs are compared); all are ReLUs, or blocks that end with one.
BACKBONES: dict[str, tuple[str, tuple[int, ...]]] = {
    "alex": ("alexnet", (1, 4, 7, 9, 11)),
    "vgg": ("vgg16", (3, 8, 15, 22, 29)),
    "squeeze": ("squeezenet1_1", (1, 4, 7, 9, 10, 11, 12)),
}
_SMALLEST_SIDE = 64  # in pixels; for smaller images, the deepest features of AlexNet are empty
# Mean and standard deviation of ImageNet for samples in -1..1, as rounded in the authors' code.
_MEAN, _DEVIATION = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


class Lpips(nn.Module):
    """LPIPS distance of images; 0 for equal images.

    Parameters
    ----------
    backbone : {"alex", "vgg", "squeeze"}
        Network whose features are compared; published figures use "alex".
    weights : path
        Safetensors file with the parameters of this network, with the tensor names of torchvision.

    Raises
    ------
    InvalidInputError
        If the file is missing or does not fit the network.
    """

    def __init__(self, backbone: str, weights: Path) -> None:
        import torchvision

        super().__init__()
        name, self.layers = BACKBONES[backbone]
        network: Any = getattr(torchvision.models, name)(weights=None)
        try:
            network.load_state_dict(load_file(weights))
        except (OSError, RuntimeError, safetensors.SafetensorError) as error:
            reason = str(error).splitlines()[0]
            raise InvalidInputError(f"{weights} does not fit ({reason}); expected {name} of torchvision") from None
        self.features = network.features[: self.layers[-1] + 1]
        for layer in self.features:
            if isinstance(layer, nn.ReLU):
                layer.inplace = False
        heads = load((resources.files("restore") / "data" / "lpips" / f"{backbone}.safetensors").read_bytes())
        self.heads = nn.ParameterList([heads[f"lin{i}"] for i in range(len(self.layers))])
        self.requires_grad_(False).eval()

    def forward(self, reference: Tensor, test: Tensor) -> Tensor:
        """The distance of each pair of images.

        Parameters
        ----------
        reference, test : Tensor of float32, shape (N, 3, H, W)
            RGB in 0..1, at least 64 pixels on each side.

        Returns
        -------
        Tensor of float32, shape (N,)
        """
        if min(reference.shape[2:]) < _SMALLEST_SIDE:
            raise InvalidInputError(
                f"LPIPS needs at least {_SMALLEST_SIDE} pixels on each side, got {tuple(reference.shape)}"
            )
        pairs = zip(self._unit_features(reference), self._unit_features(test), self.heads, strict=True)
        distances = [torch.einsum("nchw,c->nhw", (a - b) ** 2, head).mean((1, 2)) for a, b, head in pairs]
        return torch.stack(distances).sum(0)

    def _unit_features(self, image: Tensor) -> list[Tensor]:
        """Features of the compared layers, normalized to unit length at each position."""
        mean, deviation = (image.new_tensor(part).view(1, 3, 1, 1) for part in (_MEAN, _DEVIATION))
        value, features_by_layer = (2 * image - 1 - mean) / deviation, []
        for number, layer in enumerate(self.features):
            value = layer(value)
            if number in self.layers:
                features_by_layer.append(functional.normalize(value, dim=1, eps=1e-10))
        return features_by_layer
