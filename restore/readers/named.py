"""The receivers of JPEG files as readers, by the names of their models or networks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optcodec import InvalidInputError, require_packages
from restore.readers.receiver import ReceiverReader
from restore.runtime.models import find_model, load_model

if TYPE_CHECKING:
    from torch import nn

__all__ = ["deblock", "deblock_hint"]


def deblock(names: str = "default") -> ReceiverReader:
    """The receiver of a shipped model, or of networks of one's own.

    Parameters
    ----------
    names : str
        Name of a shipped model, or one or two files of `restore train`, with a comma between them: the network for
        luminance, and the one for chrominance.

    Raises
    ------
    InvalidInputError
        If there is no such model or network, or a package that it needs is not installed.
    """
    require_packages("torch", "safetensors.torch", extra="torch")
    from restore.networks.weights import load_network

    if names.partition(",")[0].endswith(".safetensors"):
        paths = [Path(name) for name in names.split(",")]
    else:
        folder, file = find_model(names)
        index: dict[str, Any] = json.loads((folder / file).read_text())
        roles = (index[role] for role in ("luminance", "chrominance"))
        paths = [Path(str(folder / role["file"])).with_suffix(".safetensors") for role in roles if role is not None]
    networks = [load_network(path) for path in paths]
    _check_planes(paths, networks)
    return ReceiverReader(networks[0], networks[1] if len(networks) > 1 else None)


def deblock_hint(model: str = "default") -> ReceiverReader:
    """The receiver of a model, which the file tells by a hint how to restore it, see `restore.add_hint`.

    Parameters
    ----------
    model : str
        Name of a shipped model.

    Raises
    ------
    InvalidInputError
        If there is no such model, or a package that it needs is not installed.
    """
    return replace(deblock(model), hints=load_model(model))


def _check_planes(paths: list[Path], networks: list[nn.Module]) -> None:
    from restore.networks.operations import configuration, plane_spec

    expected = ((1, 1), (3, 2))
    found = [plane_spec(configuration(network)) for network in networks]
    if len(found) > len(expected):
        raise InvalidInputError(f"a receiver has at most a network for luminance and one for chrominance, got {paths}")
    for path, spec, planes in zip(paths, found, expected, strict=False):
        if (spec.planes, spec.restored) != planes:
            message = f"{path} takes {spec.planes} planes and restores {spec.restored}"
            raise InvalidInputError(f"{message}; expected {planes[0]} and {planes[1]}")
