"""Receivers that run in torch: networks of ours that are not exported yet, and those of others."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from optcodec import InvalidInputError
from restore.evaluation.receiver import Planes, Receiver, Restore, Samples, planes_of, shown
from restore.networks import TAKING_RGB
from restore.networks.count import count, macs_per_pixel
from restore.networks.operations import configuration, face
from restore.networks.weights import load_network
from restore.runtime.decode import receive

__all__ = ["network_receiver", "spandrel_receiver", "spandrel_restorer"]

_COUNTED = 128  # side of the image that operations are counted on
_GRID = 16  # sides of planes that our networks take are multiples of it
_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # T.871


def network_receiver(paths: Sequence[Path]) -> Receiver:
    """Networks of ours, each restoring its own planes from the decoded ones; planes of none stay as they are.

    Parameters
    ----------
    paths : sequence of Path
        Files of `restore.networks.weights.save_network`.

    Raises
    ------
    InvalidInputError
        If a file is not that, or its network changes the size of images or takes RGB.
    """
    networks = [load_network(path) for path in paths]
    for path, network in zip(paths, networks, strict=True):
        config = configuration(network)
        if face(config).scale != 1:
            scale = face(config).scale
            raise InvalidInputError(f"{path} enlarges images by {scale}; expected a network that keeps their size")
        if config["network"] in TAKING_RGB and face(config).planes > 1:
            raise InvalidInputError(f"{path} takes RGB; expected a network for luminance, or for Y, Cb and Cr")

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
    others = _others(path)
    if others.scale != 1:
        raise InvalidInputError(f"{path} enlarges images by {others.scale}; expected one that keeps their size")

    def restore(planes: Planes, tables: Planes) -> Samples:
        if others.channels == 1:
            return shown(np.concatenate([255 * others.run(planes[:1] / np.float32(255)), planes[1:]]))
        gray = len(planes) == 1
        rgb = np.repeat(planes, 3, axis=0) if gray else shown(planes).transpose(2, 0, 1).astype(np.float32)
        restored = 255 * others.run(rgb / np.float32(255))
        if gray:  # the luminance of what became of three equal planes
            return shown(np.tensordot(_LUMINANCE, restored, 1)[None])
        return np.rint(np.clip(restored, 0, 255)).astype(np.uint8).transpose(1, 2, 0)

    return _receiver(f"spandrel:{path}", restore, path.stat().st_size, others.macs)


def spandrel_restorer(path: Path) -> tuple[Callable[[Planes], Planes], int]:
    """A network of others that takes RGB, from a file as `spandrel_receiver` takes it; it may enlarge images.

    Returns
    -------
    callable
        RGB, float32, shape (3, height, width), 0..1, to shape (3, scale * height, scale * width). Networks for gray
        restore the luminance of T.871 and leave Cb and Cr.
    int
        The scale.

    Raises
    ------
    InvalidInputError
        As `spandrel_receiver`, but for networks that enlarge gray images only.
    """
    others = _others(path)
    if others.channels == 3:
        return others.run, others.scale
    if others.scale != 1:
        raise InvalidInputError(f"{path} enlarges gray images; expected a network for RGB")

    def luminance_restored(rgb: Planes) -> Planes:
        luminance = np.tensordot(_LUMINANCE, rgb, 1)[None]
        return rgb + (others.run(luminance) - luminance)  # the same change of R, G and B changes Y alone

    return luminance_restored, 1


@dataclass(frozen=True, eq=False)
class _Others:
    """A network of others on the CPU."""

    path: Path
    network: Any  # spandrel's ImageModelDescriptor, which pads images to the sides that its network needs

    @property
    def channels(self) -> int:
        return int(self.network.input_channels)

    @property
    def scale(self) -> int:
        return int(self.network.scale)

    def run(self, planes: Planes) -> Planes:
        """Planes of 0..1, as the network gives them."""
        try:
            with torch.no_grad():
                restored: Planes = self.network(torch.from_numpy(planes)[None])[0].float().numpy()
        except RuntimeError as error:
            raise InvalidInputError(
                f"{self.path} does not run on {planes.shape} samples: {str(error).splitlines()[0]}"
            ) from None
        return restored

    def macs(self) -> float:
        """Multiplications and additions for each pixel of the input."""
        return macs_per_pixel(lambda: self.network(torch.zeros(1, self.channels, _COUNTED, _COUNTED)), _COUNTED**2)


def _others(path: Path) -> _Others:
    """The network of a file, for gray or RGB alone."""
    import spandrel  # type: ignore[import-untyped]

    tensors = _state(path)
    try:
        with warnings.catch_warnings(action="ignore"):  # some networks are written for an older torch
            network = spandrel.ModelLoader("cpu").load_from_state_dict(tensors).eval()
    except Exception as error:  # tensors of no network it knows fail in many ways
        raise InvalidInputError(f"{path}: no network that spandrel knows ({type(error).__name__})") from None
    if not isinstance(network, spandrel.ImageModelDescriptor):
        raise InvalidInputError(f"{path} is for {network.purpose}; expected a network that takes an image alone")
    channels = network.input_channels
    if channels not in (1, 3) or network.output_channels != channels:
        raise InvalidInputError(f"{path} makes {network.output_channels} planes of {channels}; expected 1 or 3 of both")
    return _Others(path, network)


def _receiver(name: str, restore: Restore, nbytes: int, macs: Callable[[], float]) -> Receiver:
    def from_file(data: bytes) -> Samples:
        received = receive(data)
        return restore(planes_of(received), received.tables)

    return Receiver(name, from_file, restore, nbytes, macs)


def _padded(planes: Planes) -> Planes:
    """Up to multiples of the grid, the last samples repeated."""
    below, beside = (-extent % _GRID for extent in planes.shape[1:])
    return np.pad(planes, ((0, 0), (0, below), (0, beside)), mode="edge")


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
