"""Export of a network to a TFLite file (LiteRT) with 32-bit floats, for images of one size, as phones run them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from torch import nn

from optcodec import InvalidInputError
from restore.networks import Conditioned, DnCNN
from restore.networks.fold import fold
from restore.networks.operations import configuration
from restore.runtime.context import condition_size

__all__ = ["to_tflite"]


def to_tflite(network: nn.Module, size: tuple[int, int]) -> bytes:
    """Export a network to a TFLite file by litert-torch.

    The inputs are ``args_0``, an image (1, planes, height, width), and ``args_1``, a condition (1, numbers), for
    networks that use one; the output is ``output_0``: as of `restore.export.onnx.to_onnx`, but for one size.

    Parameters
    ----------
    network : Module
        A `Conditioned` or a `DnCNN`, whose batch norms are folded, with 32-bit floats.
    size : (int, int)
        Height and width, multiples of 8, or of 16 for colour.

    Returns
    -------
    bytes
        The contents of the file.

    Raises
    ------
    InvalidInputError
        If it is another kind of network.
    """
    import litert_torch

    if not isinstance(network, (Conditioned, DnCNN)):
        raise InvalidInputError(f"a TFLite file is made of a network in 32-bit floats, got {type(network).__name__}")
    plain = fold(network) if isinstance(network, DnCNN) else network
    config = configuration(plain)
    planes = config["planes"] if isinstance(plain, Conditioned) else config["channels"]
    inputs = [torch.zeros(1, planes, *size)]
    if isinstance(plain, Conditioned):
        inputs.append(torch.zeros(1, condition_size(config["tables"])))
    converted = litert_torch.convert(plain.eval(), tuple(inputs))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.tflite"
        converted.export(str(path))
        return path.read_bytes()
