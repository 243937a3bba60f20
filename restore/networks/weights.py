"""Saves and loads networks: safetensors files (never pickles) with the configuration of the network in the header."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file, save
from torch import nn

from optcodec import InvalidInputError, parse_json
from optcodec.shared import write_whole
from restore.networks import build

__all__ = ["header_entry", "load_network", "save_network", "shipped_network"]


def save_network(path: Path, network: nn.Module, **provenance: Any) -> None:
    """Write the weights of a network, its configuration, and where the weights come from, to one file."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    header = {"config": json.dumps(network.config), "provenance": json.dumps(provenance, sort_keys=True)}
    write_whole(path, _in_order(save(tensors, header)))


def _in_order(data: bytes) -> bytes:
    """A safetensors file with its metadata in alphabetical order, so that the same network is the same file.

    The format: the length of the header in 8 bytes, little-endian; the header, a JSON document that is padded with
    spaces to a multiple of 8 bytes; the tensors.
    """
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[end:]


def load_network(path: Path) -> nn.Module:
    """Load the network of a file, in evaluation mode.

    Raises
    ------
    InvalidInputError
        If the file is missing, is not one of `save_network`, or its weights do not fit its configuration.
    """
    try:
        with safetensors.safe_open(path, "pt") as file:
            config = header_entry(file, "config")
            shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118 (no mapping)
        _check_shapes(config, shapes)
        network = build(config)
        network.load_state_dict(load_file(path))
    except (OSError, KeyError, RuntimeError, ValueError, safetensors.SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise InvalidInputError(
            f"{path} holds no network of ours ({reason}); expected a file of `restore train`"
        ) from None
    return network.eval()


def header_entry(file: Any, name: str) -> Any:
    """An entry in the header of an open file of `save_network`: its ``config``, or its ``provenance``.

    Raises
    ------
    InvalidInputError
        If there is no such entry, or it is not JSON.
    """
    header = file.metadata() or {}
    if name not in header:
        raise InvalidInputError(f"its header has no {name}")
    return parse_json(header[name])


def _check_shapes(config: dict[str, Any], shapes: dict[str, list[int]]) -> None:
    """Check that a configuration fits the shapes of the tensors, before memory is allocated for the network."""
    with torch.device("meta"):
        expected = {name: list(tensor.shape) for name, tensor in build(config).state_dict().items()}
    if shapes != expected:
        wrong = sorted(name for name in shapes.keys() | expected.keys() if shapes.get(name) != expected.get(name))
        raise ValueError(f"{wrong[0]} has shape {shapes.get(wrong[0])}, its network {expected.get(wrong[0])}")


def shipped_network(name: str) -> nn.Module:
    """Load the network with 32-bit floats that a shipped INT8 file was made from, for fine-tuning and comparison.

    Raises
    ------
    InvalidInputError
        If there is no such network in the package.
    """
    folder = Path(__file__).parents[1] / "data" / "models"
    names = sorted(path.stem for path in folder.glob("*.safetensors"))
    if name not in names:
        raise InvalidInputError(f"no network {name!r} comes with the package; expected {', '.join(names)}")
    return load_network(folder / f"{name}.safetensors")
