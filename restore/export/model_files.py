"""Writes a model for `restore run`: the ONNX files of its networks, and an index (.json) with their hashes."""

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
from restore.networks import Conditioned
from restore.networks.chain import after_luminance
from restore.networks.operations import configuration, plane_spec
from restore.networks.quantized import Quantized

__all__ = ["receptive_radius", "write_model"]


def write_model(
    path: Path,
    luminance: nn.Module,
    chrominance: nn.Module | None = None,
    *,
    chrominance_name: str = "",
    card: Mapping[str, Any] | None = None,
    max_sigma: float = 0.0,
) -> int:
    """Write a model: its index, and the ONNX file of each network in the same folder.

    Parameters
    ----------
    path : path
        The index, ``NAME.json``; the ONNX files are ``NAME.onnx`` and ``NAME-chroma.onnx``.
    luminance, chrominance : Module
        The networks: for luminance from one plane to one plane, for chrominance from Y, Cb, Cr to Cb and Cr.
    chrominance_name : str, optional
        Name of the ONNX file for chrominance, if it is another one: several models can have the same network.
    card : dict, optional
        Model card (what the networks were trained on, for instance), stored in the index.
    max_sigma : float
        Largest standard deviation of noise that the networks were trained for, in units of 8-bit samples.

    Returns
    -------
    int
        Size of all ONNX files in bytes.

    Raises
    ------
    InvalidInputError
        If a network takes or restores other planes.
    """
    names = {"luminance": path.stem, "chrominance": chrominance_name or f"{path.stem}-chroma"}
    files, is_after = {}, False
    for role, network, planes in (("luminance", luminance, (1, 1)), ("chrominance", chrominance, (3, 2))):
        if network is None:
            continue
        spec = plane_spec(configuration(network))
        if (spec.planes, spec.restored) != planes:
            message = f"the network for {role} takes {spec.planes} and restores {spec.restored} planes"
            raise InvalidInputError(f"{message}; expected {planes[0]} and {planes[1]}")
        if role == "chrominance":
            is_after = after_luminance(network)
        files[role] = (f"{names[role]}.onnx", to_onnx(network))
    index = {
        "name": path.stem,
        "luminance": _entry(*files["luminance"]),
        "chrominance": _entry(*files["chrominance"]) if chrominance is not None else None,
        "after_luminance": is_after,
        "max_sigma": max_sigma,
        "border": max(receptive_radius(network) for network in (luminance, chrominance) if network is not None),
        "card": dict(card or {}),
    }
    for name, data in files.values():
        write_whole(path.with_name(name), data)
    write_whole(path, (json.dumps(index, indent=1) + "\n").encode())
    return sum(len(data) for _, data in files.values())


def receptive_radius(network: nn.Module) -> int:
    """Receptive radius: pixels in each direction that a restored sample depends on. Layers are all in one sequence."""
    float_network = network.inner if isinstance(network, Quantized) else network
    radius = sum(layer.kernel_size[0] // 2 for layer in float_network.modules() if isinstance(layer, nn.Conv2d))
    return 2 * radius + 1 if isinstance(float_network, Conditioned) else radius  # the former at half resolution


def _entry(name: str, data: bytes) -> dict[str, Any]:
    return {"file": name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
