"""Load target DNNs, by torchvision name or ``package.module:factory``, with their weights and preprocessing."""

from __future__ import annotations

import difflib
import hashlib
import os
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optcodec.errors import InvalidInputError
from optcodec.extras import load_factory, require_packages
from optcodec.vision.packaged import PACKAGED, packaged
from optcodec.vision.presets import preprocessed, resampled

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor, nn

__all__ = ["TargetModel", "in_full_size", "load_model", "model_of"]

# Arguments that torchvision sets when it loads its own weights; without them these two networks do not fit the weights.
_BUILD = {
    "googlenet": {"transform_input": True, "init_weights": False},
    "inception_v3": {"transform_input": True, "init_weights": False},
}


@dataclass(frozen=True, eq=False)
class TargetModel:
    """A network whose loss the encoder protects, with the preprocessing of its images.

    Parameters
    ----------
    name : str
        The name that was passed to `load_model`.
    module : torch.nn.Module
        Takes RGB of shape (N, 3, H, W) in 0..1; normalization is inside.
    preprocess : callable
        From an RGB Pillow image to a uint8 tensor of shape (3, H, W).
    weights_sha256 : str
        SHA-256 of the file of weights in hexadecimal digits; empty if there is no file.
    resample : callable, optional
        What `preprocess` does, for a float tensor (N, 3, H, W), and so that torch can differentiate it. Only a network
        in the loop of an encoder needs it, and only where `preprocess` changes the pictures.
    """

    name: str
    module: nn.Module
    preprocess: Callable[[Image.Image], Tensor]
    weights_sha256: str = ""
    resample: Callable[[Tensor], Tensor] | None = None


def load_model(name: str, *, weights: str | os.PathLike[str] | None = None, device: str = "cpu") -> TargetModel:
    """Load a target model.

    Parameters
    ----------
    name : str
        A classifier of torchvision, such as ``"mobilenet_v2"``; ``"efficientnet-lite0"`` to ``"efficientnet-lite4"``,
        whose packages have weights; or ``"package.module:factory"``, a function without arguments that returns a
        `TargetModel`, or a module that takes RGB in 0..1 (its images are then resized to 256 and cropped to 224
        pixels).
    weights : str or path, optional
        A ``.safetensors`` file, or a ``.pth`` or ``.pt`` file of tensors only. ``"default"`` downloads the newest
        weights of torchvision; the name of an entry of torchvision's enumeration (``"IMAGENET1K_V1"``) downloads that
        one. Not required for a factory and for EfficientNet-Lite.
    device : str
        Torch device, such as ``"cpu"`` or ``"cuda"``.

    Raises
    ------
    InvalidInputError
        If the name, the weights or the device do not exist or do not fit, or torch, torchvision or safetensors is
        missing.

    Notes
    -----
    A local file of weights does not include preprocessing. The preprocessing of the first weights that torchvision
    lists for the name is used (for most, resize the short side to 256 and crop the central 224x224 pixels).
    """
    if ":" not in name:
        found = _from_package if name in PACKAGED else _from_torchvision
        return _placed(found(name, weights), device)
    require_packages("torch", "torchvision")
    return model_of(load_factory(name, "a model")(), name, weights=weights, device=device)


def model_of(
    made: object, name: str, *, weights: str | os.PathLike[str] | None = None, device: str = "cpu"
) -> TargetModel:
    """The target model that a factory has made.

    Parameters
    ----------
    made : TargetModel or torch.nn.Module
        What the factory has returned.
    name : str
        The name of the factory.
    weights, device
        As of `load_model`.

    Raises
    ------
    InvalidInputError
        If the factory has made something else, or as `load_model`.
    """
    return _placed(_from_factory(made, name, weights), device)


def in_full_size(target: TargetModel) -> TargetModel:
    """The same model for pictures in the size that they have: its resizing and cropping are part of the network.

    What an error costs the network is then known for the pictures that are coded, before they are resized.

    Raises
    ------
    InvalidInputError
        If torch cannot differentiate how the model resizes pictures.
    """
    from torch import nn
    from torchvision.transforms.v2 import functional as transform

    if target.resample is None:
        raise InvalidInputError(
            f"{target.name} has no resample, in which torch can differentiate how it resizes and crops pictures; "
            "expected a TargetModel with one"
        )

    class Resampled(nn.Module):
        """The network behind its resizing."""

        def __init__(self) -> None:
            super().__init__()
            self.network = target.module

        def forward(self, pictures: Tensor) -> Any:
            assert target.resample is not None
            return self.network(target.resample(pictures))

    return replace(target, module=Resampled(), preprocess=transform.pil_to_tensor, resample=None)


def _placed(target: TargetModel, device: str) -> TargetModel:
    """The model on a device of torch."""
    try:
        target.module.to(device)
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was built with CUDA
        raise InvalidInputError(f"cannot use device {device!r}: {_first_line(error)}") from None
    return target


def _from_torchvision(name: str, weights: str | os.PathLike[str] | None) -> TargetModel:
    require_packages("torch", "torchvision", "safetensors.torch")
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        near = difflib.get_close_matches(name, known)
        hint = f"; the nearest are {', '.join(near)}" if near else ""
        raise InvalidInputError(f"expected a classifier of torchvision or package.module:factory, got {name!r}{hint}")
    entries = models.get_model_weights(name)
    if weights is None:
        raise InvalidInputError(
            f"{name} needs weights: a .safetensors, .pth or .pt file, "
            f"or one of default, {', '.join(entry.name for entry in entries)} to download"
        )
    network = models.get_model(name, weights=None, **_BUILD.get(name, {}))
    entry = entries.DEFAULT if weights == "default" else entries.__members__.get(os.fspath(weights))
    path = Path(weights) if entry is None else _download(entry)
    _load_weights(network, path)
    preset = (entry or next(iter(entries))).transforms()
    return _with_preset(name, _normalized(network, preset), preset, _sha256(path))


def _from_package(name: str, weights: str | os.PathLike[str] | None) -> TargetModel:
    require_packages("torch", "torchvision", "safetensors.torch")
    network, shipped, preset = packaged(name)
    path = shipped if weights is None else Path(weights)
    _load_weights(network, path)
    return _with_preset(name, _normalized(network, preset), preset, _sha256(path))


def _from_factory(model: object, name: str, weights: str | os.PathLike[str] | None) -> TargetModel:
    require_packages("torch", "torchvision")
    import torch
    from torchvision.transforms._presets import ImageClassification

    if isinstance(model, TargetModel):
        target = model
    elif isinstance(model, torch.nn.Module):
        preset = ImageClassification(crop_size=224)
        target = _with_preset(name, model, preset)
    else:
        raise InvalidInputError(
            f"expected {name} to return a torch module or a TargetModel, got {type(model).__name__}"
        )
    if weights is None:
        return target
    _load_weights(target.module, Path(weights))
    return replace(target, weights_sha256=_sha256(Path(weights)))


def _with_preset(name: str, module: nn.Module, preset: Any, weights_sha256: str = "") -> TargetModel:
    """A model of pictures that are resized and cropped as a torchvision preset does it."""
    preprocess, resample = (partial(function, preset=preset) for function in (preprocessed, resampled))
    return TargetModel(name, module, preprocess, weights_sha256, resample)


def _normalized(network: nn.Module, preset: Any) -> nn.Module:
    from torch import nn
    from torchvision.transforms import Normalize

    return nn.Sequential(Normalize(preset.mean, preset.std), network)


def _download(entry: Any) -> Path:
    """Download the weights with torchvision, and return the path where torchvision stores them."""
    import torch

    entry.get_state_dict(progress=False, check_hash=True)  # torch.hub names the file after the end of its address
    folder: str = torch.hub.get_dir()
    address: str = entry.url
    return Path(folder) / "checkpoints" / address.rpartition("/")[2]


def _load_weights(network: nn.Module, path: Path) -> None:
    weights = _read_tensors(path)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:  # its text lists all weights that do not fit
        reason = _misfits(network.state_dict(), weights) or _first_line(error)
        raise InvalidInputError(f"the weights in {path} do not fit {type(network).__name__}: {reason}") from None


def _misfits(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str:
    """How many weights are missing, unexpected, or of another shape, and the first of each."""
    both = [name for name in expected if name in found]
    kinds = {
        "missing": [name for name in expected if name not in found],
        "unexpected": [name for name in found if name not in expected],
        "of another shape": [name for name in both if expected[name].shape != found[name].shape],
    }
    return ", ".join(f"{len(names)} {kind} (first {names[0]})" for kind, names in kinds.items() if names)


def _read_tensors(path: Path) -> dict[str, Tensor]:
    import safetensors.torch
    import torch

    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        if path.suffix not in (".pth", ".pt"):
            raise InvalidInputError(f"weights are a .safetensors, .pth or .pt file, got {str(path)!r}")
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InvalidInputError(f"cannot read the weights {path}: {error.strerror or error}") from None
    except (safetensors.SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        if isinstance(error, InvalidInputError):
            raise
        raise InvalidInputError(f"{path} holds no weights that are safe to load: {_first_line(error)}") from None
    if isinstance(content, dict):
        for key in ("state_dict", "model"):  # training scripts store weights under these, beside the optimizer's state
            content = content.get(key, content)
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise InvalidInputError(f"expected named tensors in {path}, got {type(content).__name__}")
    return content


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
