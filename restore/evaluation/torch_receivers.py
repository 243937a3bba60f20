"""Receivers that run in torch: networks of `restore train` before their export, and networks published by others."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from optcodec import InvalidInputError
from restore.evaluation.receiver import Planes, Receiver, Restore, Samples, decoded_planes, to_image
from restore.networks import TAKING_RGB
from restore.networks.chain import after_luminance
from restore.networks.count import count, macs_per_pixel
from restore.networks.operations import configuration, plane_spec
from restore.networks.weights import load_network
from restore.runtime.context import Context
from restore.runtime.decode import receive

__all__ = ["network_receiver", "spandrel_receiver", "spandrel_restorer"]

_COUNT_SIDE = 128  # side of the image for which operations are counted, in pixels
_GRID = 16  # the networks of this package take planes whose sides are multiples of it
_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # T.871


def network_receiver(paths: Sequence[Path]) -> Receiver:
    """A receiver of networks of this package. Each restores its own planes; all other planes stay as decoded.

    Parameters
    ----------
    paths : sequence of Path
        Files written by `restore.networks.weights.save_network`.

    Raises
    ------
    InvalidInputError
        If a file holds no such network, or its network changes the size of images or takes RGB.
    """
    networks = [load_network(path) for path in paths]
    for path, network in zip(paths, networks, strict=True):
        config = configuration(network)
        if plane_spec(config).scale != 1:
            scale = plane_spec(config).scale
            raise InvalidInputError(f"{path} enlarges images by {scale}; expected a network that keeps their size")
        if config["network"] in TAKING_RGB and plane_spec(config).planes > 1:
            raise InvalidInputError(f"{path} takes RGB; expected a network for luminance, or for Y, Cb and Cr")

    def restore(planes: Planes, context: Context) -> Samples:
        result = planes.copy()
        for path, network in zip(paths, networks, strict=True):
            spec = plane_spec(configuration(network))
            planes_taken = spec.planes
            if planes_taken > len(planes):
                raise InvalidInputError(
                    f"{path} takes {planes_taken} planes, the image has {len(planes)}; expected --colour"
                )
            taken = np.rint(np.clip(result, 0, 255)) if after_luminance(network) else planes
            image = torch.from_numpy(_pad_to_grid(taken[:planes_taken]) / 255)[None]
            with torch.no_grad():
                condition = torch.from_numpy(context.condition(spec.tables))[None]
                out = network(image, condition)[0].numpy() * 255
            result[planes_taken - spec.restored : planes_taken] = out[:, : planes.shape[1], : planes.shape[2]]
        return to_image(result)

    nbytes = sum(path.stat().st_size for path in paths)
    return _receiver(
        "+".join(map(str, paths)), restore, nbytes, lambda: sum(count(network).macs for network in networks)
    )


def spandrel_receiver(path: Path) -> Receiver:
    """A receiver with a published network, from a .safetensors file or a torch file that holds only tensors.

    A network for gray images restores the luminance of colour images. A network for RGB gets gray images as RGB.

    Raises
    ------
    InvalidInputError
        If spandrel is missing or does not know the network, if the file holds more than tensors, or if the network
        changes the size of images.
    """
    network = _load_spandrel(path)
    if network.scale != 1:
        raise InvalidInputError(f"{path} enlarges images by {network.scale}; expected one that keeps their size")

    def restore(planes: Planes, context: Context) -> Samples:
        if network.channels == 1:
            return to_image(np.concatenate([255 * network.run(planes[:1] / np.float32(255)), planes[1:]]))
        gray = len(planes) == 1
        rgb = np.repeat(planes, 3, axis=0) if gray else to_image(planes).transpose(2, 0, 1).astype(np.float32)
        restored = 255 * network.run(rgb / np.float32(255))
        if gray:  # three equal planes went in: take the luminance of the result
            return to_image(np.tensordot(_LUMINANCE, restored, 1)[None])
        return np.rint(np.clip(restored, 0, 255)).astype(np.uint8).transpose(1, 2, 0)

    return _receiver(f"spandrel:{path}", restore, path.stat().st_size, network.macs)


def spandrel_restorer(path: Path) -> tuple[Callable[[Planes], Planes], int]:
    """A function that restores RGB planes with a published network, which may enlarge images.

    The file is one that `spandrel_receiver` takes.

    Returns
    -------
    callable
        Takes RGB, float32, shape (3, height, width), 0..1, and returns shape (3, scale * height, scale * width). A
        network for gray images restores the luminance of T.871 and leaves Cb and Cr as they are.
    int
        The scale.

    Raises
    ------
    InvalidInputError
        As for `spandrel_receiver`, but of the networks that enlarge images only those for gray are refused.
    """
    network = _load_spandrel(path)
    if network.channels == 3:
        return network.run, network.scale
    if network.scale != 1:
        raise InvalidInputError(f"{path} enlarges gray images; expected a network for RGB")

    def luminance_restored(rgb: Planes) -> Planes:
        luminance = np.tensordot(_LUMINANCE, rgb, 1)[None]
        return rgb + (network.run(luminance) - luminance)  # an equal change of R, G and B changes Y only

    return luminance_restored, 1


@dataclass(frozen=True, eq=False)
class _SpandrelNetwork:
    """A published network, loaded by spandrel, on the CPU."""

    path: Path
    descriptor: Any  # spandrel's ImageModelDescriptor, which pads images to the sides that its network needs

    @property
    def channels(self) -> int:
        return int(self.descriptor.input_channels)

    @property
    def scale(self) -> int:
        return int(self.descriptor.scale)

    def run(self, planes: Planes) -> Planes:
        """Restore planes of 0..1; the result is not clipped."""
        try:
            with torch.no_grad():
                restored: Planes = self.descriptor(torch.from_numpy(planes)[None])[0].float().numpy()
        except RuntimeError as error:
            raise InvalidInputError(
                f"{self.path} does not run on {planes.shape} samples: {str(error).splitlines()[0]}"
            ) from None
        return restored

    def macs(self) -> float:
        """Multiply-accumulate operations per pixel of the input."""
        return macs_per_pixel(
            lambda: self.descriptor(torch.zeros(1, self.channels, _COUNT_SIDE, _COUNT_SIDE)), _COUNT_SIDE**2
        )


def _load_spandrel(path: Path) -> _SpandrelNetwork:
    """Load the network of a file; one that takes and returns gray, or RGB."""
    import spandrel  # type: ignore[import-untyped]

    tensors = _load_tensors(path)
    try:
        with warnings.catch_warnings(action="ignore"):  # some networks were written for older versions of torch
            descriptor = spandrel.ModelLoader("cpu").load_from_state_dict(tensors).eval()
    except Exception as error:  # for tensors of an unknown network, spandrel raises many kinds of errors
        raise InvalidInputError(f"{path}: no network that spandrel knows ({type(error).__name__})") from None
    if not isinstance(descriptor, spandrel.ImageModelDescriptor):
        raise InvalidInputError(f"{path} is for {descriptor.purpose}; expected a network that takes an image alone")
    channels = descriptor.input_channels
    if channels not in (1, 3) or descriptor.output_channels != channels:
        planes = f"{channels} input and {descriptor.output_channels} output planes"
        raise InvalidInputError(f"{path} has {planes}; expected 1 or 3 of both")
    return _SpandrelNetwork(path, descriptor)


def _receiver(name: str, restore: Restore, nbytes: int, macs: Callable[[], float]) -> Receiver:
    def from_file(data: bytes) -> Samples:
        received = receive(data)
        return restore(decoded_planes(received), received.context)

    return Receiver(name, from_file, restore, nbytes, macs)


def _pad_to_grid(planes: Planes) -> Planes:
    """Pad planes to multiples of the grid by repeating the last samples."""
    below, beside = (-extent % _GRID for extent in planes.shape[1:])
    return np.pad(planes, ((0, 0), (0, below), (0, beside)), mode="edge")


def _load_tensors(path: Path) -> dict[str, Any]:
    """Load the tensors of a file, by name, without running any code in it."""
    from pickle import UnpicklingError

    import safetensors
    from safetensors.torch import load_file

    try:
        if path.suffix.lower() == ".safetensors":
            return load_file(path)
        contents = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, UnpicklingError, safetensors.SafetensorError):
        # not torch's message, which suggests to load the file without protection
        raise InvalidInputError(f"{path} cannot be read as tensors by name; expected a safetensors file") from None
    if not isinstance(contents, dict):
        raise InvalidInputError(f"{path} holds a {type(contents).__name__}; expected a dictionary of tensors")
    for key in ("params_ema", "params", "state_dict"):  # usual names of the weights in a training checkpoint
        if isinstance(contents.get(key), dict):
            return dict(contents[key])
    return contents
