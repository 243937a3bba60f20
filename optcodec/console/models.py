"""Open the network that the verbs ``sensitivity``, ``accuracy`` and ``verify`` measure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optcodec.console.modules import find_modules_here
from optcodec.errors import InvalidInputError

if TYPE_CHECKING:
    from optcodec.accuracy.classifier import Classifier
    from optcodec.vision.models import TargetModel

__all__ = ["is_onnx", "open_classifier", "open_model"]


def open_model(model: str, *, weights: str | None, device: str) -> TargetModel:
    """As `optcodec.vision.models.load_model`; the module may also lie in the working folder, as for ``python -m``."""
    from optcodec.vision.models import load_model

    find_modules_here(model)
    return load_model(model, weights=weights, device=device)


def is_onnx(network: str) -> bool:
    """Whether a network is named by an ONNX file."""
    return network.lower().endswith(".onnx")


def open_classifier(
    network: str, *, weights: str | None, device: str | None, input_range: str | None, probabilities: bool
) -> Classifier:
    """A network by name, as in `open_model`, or from an ONNX file.

    Raises
    ------
    InvalidInputError
        If it cannot be opened, or an option is for the other kind.
    """
    if is_onnx(network):
        for name, value in {"--weights": weights, "--device": device}.items():
            if value is not None:
                raise InvalidInputError(f"{name} is for networks of torch; got it with the ONNX file {network}")
        from optcodec.accuracy.onnx_classifier import onnx_classifier

        return onnx_classifier(network, input_range=input_range, probabilities=probabilities)
    if input_range is not None:
        raise InvalidInputError(
            f"--input-range is for ONNX files, since others take RGB in 0..1; got it with {network}"
        )
    from optcodec.accuracy.classifier import torch_classifier

    target = open_model(network, weights=weights, device=device or "cpu")
    return torch_classifier(target, probabilities=probabilities)
