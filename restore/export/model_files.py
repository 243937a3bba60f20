"""Networks as a model that `restore run` takes: ONNX files, and an index with their hashes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from optcodec import InvalidInputError
from optcodec.shared import write_whole
from restore.export.onnx import to_onnx
from restore.networks.operations import configuration, face
from restore.networks.quantized import Quantized

__all__ = ["reach", "write_model"]


def write_model(
    path: Path, luminance: nn.Module, chrominance: nn.Module | None = None, *, card: Mapping[str, Any] | None = None
) -> int:
    """Write a model: its index, and beside it the ONNX file of each network.

    Parameters
    ----------
    path : path
        The index, ``NAME.json``; the others are ``NAME.onnx`` and ``NAME-chroma.onnx``.
    luminance, chrominance : Module
        Restore one plane of one, and two of three.
    card : dict, optional
        What the networks were trained on; goes into the index.

    Returns
    -------
    int
        Bytes of the ONNX files.

    Raises
    ------
    InvalidInputError
        If a network has other planes.
    """
    files = {}
    for role, network, planes in (("luminance", luminance, (1, 1)), ("chrominance", chrominance, (3, 2))):
        if network is None:
            continue
        found = face(configuration(network))
        if (found.planes, found.restored) != planes:
            message = f"the network for {role} takes {found.planes} and restores {found.restored} planes"
            raise InvalidInputError(f"{message}; expected {planes[0]} and {planes[1]}")
        files[role] = (f"{path.stem}{'' if role == 'luminance' else '-chroma'}.onnx", to_onnx(network))
    index = {
        "name": path.stem,
        "luminance": _entry(*files["luminance"]),
        "chrominance": _entry(*files["chrominance"]) if chrominance is not None else None,
        "border": max(reach(network) for network in (luminance, chrominance) if network is not None),
        "card": dict(card or {}),
    }
    for name, data in files.values():
        write_whole(path.with_name(name), data)
    write_whole(path, (json.dumps(index, indent=1) + "\n").encode())
    return sum(len(data) for _, data in files.values())


def reach(network: nn.Module) -> int:
    """Pixels in each direction that a restored sample depends on: all our convolutions follow one another."""
    plain = network.inner if isinstance(network, Quantized) else network
    steps = sum(layer.kernel_size[0] // 2 for layer in plain.modules() if isinstance(layer, nn.Conv2d))
    return 2 * steps + 1 if configuration(plain)["network"] == "compact" else steps


def _entry(name: str, data: bytes) -> dict[str, Any]:
    return {"file": name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
