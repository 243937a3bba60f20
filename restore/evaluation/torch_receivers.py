"""Receivers that run in torch: networks of `restore train` before their export, and networks published by others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from optcodec import InvalidInputError
from optcodec.shared import as_used
from restore.channel.problem import find_problem
from restore.evaluation.foreign import ForeignNetwork, load_foreign
from restore.evaluation.plausible import check_restoration
from restore.evaluation.receiver import Planes, Receiver, Restore, Samples, decoded_planes, to_image
from restore.networks import TAKING_RGB
from restore.networks.chain import after_luminance
from restore.networks.count import count
from restore.networks.operations import configuration, plane_spec
from restore.networks.weights import load_network
from restore.runtime.context import Context
from restore.runtime.decode import receive

__all__ = ["foreign_receiver", "foreign_restorer", "network_receiver"]

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
    networks = [as_used(load_network(path)) for path in paths]
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


def foreign_receiver(name: str, threads: int | None = None) -> Receiver:
    """A receiver with a network of somebody else's. `load_foreign` says what ``name`` and ``threads`` are.

    A network for gray images restores the luminance of colour images. A network for RGB gets gray images as RGB.

    Raises
    ------
    InvalidInputError
        As `load_foreign`; and if the network changes the size of images, or makes a JPEG file much worse, which the
        wrong formula does.
    """
    network = load_foreign(name, threads)
    if network.scale != 1:
        raise InvalidInputError(f"{name} enlarges images by {network.scale}; expected one that keeps their size")

    def restore(planes: Planes, context: Context) -> Samples:
        if network.channels == 1:
            return to_image(np.concatenate([255 * network.run(planes[:1] / np.float32(255)), planes[1:]]))
        gray = len(planes) == 1
        rgb = np.repeat(planes, 3, axis=0) if gray else to_image(planes).transpose(2, 0, 1).astype(np.float32)
        restored = 255 * network.run(rgb / np.float32(255))
        if gray:  # three equal planes went in: take the luminance of the result
            return to_image(np.tensordot(_LUMINANCE, restored, 1)[None])
        return np.rint(np.clip(restored, 0, 255)).astype(np.uint8).transpose(1, 2, 0)

    receiver = _receiver(name, restore, network.nbytes, network.count_macs)
    check_restoration(name, find_problem("deblock"), receiver.receive)
    return receiver


def foreign_restorer(network: ForeignNetwork) -> Callable[[Planes], Planes]:
    """A function that restores RGB planes with a network of somebody else's, which may enlarge images.

    Returns
    -------
    callable
        Takes RGB, float32, shape (3, height, width), 0..1, and returns shape (3, scale * height, scale * width). A
        network for gray images restores the luminance of T.871 and leaves Cb and Cr as they are.

    Raises
    ------
    InvalidInputError
        If the network enlarges gray images.
    """
    if network.channels == 3:
        return network.run
    if network.scale != 1:
        raise InvalidInputError(f"{network.name} enlarges gray images; expected a network for RGB")

    def luminance_restored(rgb: Planes) -> Planes:
        luminance = np.tensordot(_LUMINANCE, rgb, 1)[None]
        return rgb + (network.run(luminance) - luminance)  # an equal change of R, G and B changes Y only

    return luminance_restored


def _receiver(name: str, restore: Restore, nbytes: int | None, macs: Callable[[], float] | None) -> Receiver:
    def from_file(data: bytes) -> Samples:
        received = receive(data)
        return restore(decoded_planes(received), received.context)

    return Receiver(name, from_file, restore, nbytes, macs)


def _pad_to_grid(planes: Planes) -> Planes:
    """Pad planes to multiples of the grid by repeating the last samples."""
    below, beside = (-extent % _GRID for extent in planes.shape[1:])
    return np.pad(planes, ((0, 0), (0, below), (0, beside)), mode="edge")
