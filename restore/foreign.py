"""Receivers that run in torch: networks of ours that are not exported yet, and those of others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from optcodec import InvalidInputError

from .count import count, macs_per_pixel
from .decode import receive
from .networks.operations import configuration, face
from .receivers import Planes, Receiver, Restore, Samples, planes_of, shown
from .weights import load_network

__all__ = ["network_receiver", "spandrel_receiver"]

_COUNTED = 128  # side of the image that operations are counted on
_GRID = 16  # sides of planes that our networks take are multiples of it


def network_receiver(paths: Sequence[Path]) -> Receiver:
    """Networks of ours, each restoring its own planes from the decoded ones; planes of none stay as they are.

    Parameters
    ----------
    paths : sequence of Path
        Files of `restore.weights.save_network`.

    Raises
    ------
    InvalidInputError
        If a file is not that.
    """
    networks = [load_network(path) for path in paths]

    def restore(planes: Planes, tables: Planes) -> Samples:
        result = planes.copy()
        for path, network in zip(paths, networks, strict=True):
            sides = face(configuration(network))
            taken = sides.planes
            if taken > len(planes):
                raise InvalidInputError(f"{path} takes {taken} planes, the image has {len(planes)}; expected --colour")
            image = torch.from_numpy(_padded(planes[:taken]) / 255)[None]
            with torch.no_grad():
                out = network(image, torch.from_numpy(tables[: sides.tables])[None])[0].numpy() * 255
            result[taken - sides.restored : taken] = out[:, : planes.shape[1], : planes.shape[2]]
        return shown(result)

    nbytes = sum(path.stat().st_size for path in paths)
    return _receiver(
        "+".join(map(str, paths)), restore, nbytes, lambda: sum(count(network).macs for network in networks)
    )


def spandrel_receiver(path: Path) -> Receiver:
    """A network of others, from a .safetensors file or one of torch that holds nothing but tensors.

    Networks for gray restore the luminance of colour images; those for colour are shown gray images as RGB.

    Raises
    ------
    InvalidInputError
        If spandrel is missing or does not know the network, if the file holds more than tensors, or if the network
        changes the size of images.
    """
    try:
        import spandrel  # type: ignore[import-untyped]
    except ImportError:
        raise InvalidInputError("spandrel: receivers need the package: pip install spandrel") from None
    tensors = _state(path)
    try:
        network = spandrel.ModelLoader("cpu").load_from_state_dict(tensors).eval()
    except Exception as error:  # tensors of no network it knows fail in many ways
        raise InvalidInputError(f"{path}: no network that spandrel knows ({type(error).__name__})") from None
    if not isinstance(network, spandrel.ImageModelDescriptor) or network.scale != 1:
        raise InvalidInputError(f"{path} is for {network.purpose}; expected a network that keeps the size of images")
    channels = network.input_channels

    def restore(planes: Planes, tables: Planes) -> Samples:
        if channels == 1:
            return shown(np.concatenate([_run(path, network, planes[:1]), planes[1:]]))
        gray = len(planes) == 1
        rgb = np.repeat(planes, 3, axis=0) if gray else shown(planes).transpose(2, 0, 1).astype(np.float32)
        restored = _run(path, network, rgb)
        if gray:  # T.871, the luminance of what became of three equal planes
            return shown(np.tensordot(np.array([0.299, 0.587, 0.114], np.float32), restored, 1)[None])
        return np.rint(np.clip(restored, 0, 255)).astype(np.uint8).transpose(1, 2, 0)

    def macs() -> float:
        return macs_per_pixel(lambda: network(torch.zeros(1, channels, _COUNTED, _COUNTED)), _COUNTED**2)

    return _receiver(f"spandrel:{path}", restore, path.stat().st_size, macs)


def _receiver(name: str, restore: Restore, nbytes: int, macs: Callable[[], float]) -> Receiver:
    def from_file(data: bytes) -> Samples:
        received = receive(data)
        return restore(planes_of(received), received.tables)

    return Receiver(name, from_file, restore, nbytes, macs)


def _padded(planes: Planes) -> Planes:
    """Up to multiples of the grid, the last samples repeated."""
    below, beside = (-extent % _GRID for extent in planes.shape[1:])
    return np.pad(planes, ((0, 0), (0, below), (0, beside)), mode="edge")


def _run(path: Path, network: Callable[[Tensor], Tensor], planes: Planes) -> Planes:
    image = torch.from_numpy(planes / np.float32(255))[None]
    try:
        with torch.no_grad():
            restored: Planes = network(image)[0].float().numpy() * 255
    except RuntimeError as error:
        raise InvalidInputError(
            f"{path} does not run on {planes.shape} samples: {str(error).splitlines()[0]}"
        ) from None
    return restored


def _state(path: Path) -> dict[str, Any]:
    """Tensors of a file, by name; no code in it is run."""
    from pickle import UnpicklingError

    import safetensors
    from safetensors.torch import load_file

    try:
        if path.suffix.lower() == ".safetensors":
            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, UnpicklingError, safetensors.SafetensorError):
        # torch's own message advises to load the file without any protection
        raise InvalidInputError(f"{path} cannot be read as tensors by name; expected a safetensors file") from None
    if not isinstance(found, dict):
        raise InvalidInputError(f"{path} holds a {type(found).__name__}; expected a dictionary of tensors")
    for key in ("params_ema", "params", "state_dict"):  # where trainers put them
        if isinstance(found.get(key), dict):
            return dict(found[key])
    return found
