"""Validation: measures how well a network restores a set of images while it is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

import optcodec
from restore.channel.degradation import Degradation, Samples, transmit
from restore.channel.patches import coded_planes
from restore.channel.problem import Problem
from restore.networks.chain import restored_luminance
from restore.runtime.context import Context

__all__ = ["Distance", "ValidationSet"]

Distance = Callable[[Tensor, Tensor], float]


@dataclass(frozen=True)
class _CodedImage:
    """The planes of an image, (planes, height, width), before and after coding, and what the network gets besides."""

    clean: Samples
    received: Samples
    condition: npt.NDArray[np.float32]


class ValidationSet:
    """Validation images, coded in several ways.

    Parameters
    ----------
    coded : dict of str to sequence
        The coded images by the name of the coding, as `of_images` and `of_files` make them.
    device : torch.device
        Device of the network.
    distance : callable, optional
        LPIPS, see `restore.training.features.load_lpips`.
    luminance : Module, optional
        The network that restores the luminance before.
    """

    def __init__(
        self,
        coded: dict[str, list[_CodedImage]],
        device: torch.device,
        distance: Distance | None = None,
        luminance: nn.Module | None = None,
    ) -> None:
        self._coded, self._device, self._distance = coded, device, distance
        self._luminance = luminance.to(device) if luminance is not None else None

    @classmethod
    def of_images(
        cls,
        images: Sequence[Samples],
        qualities: Sequence[int],
        device: torch.device,
        distance: Distance | None = None,
        problem: Problem | None = None,
    ) -> ValidationSet:
        """Images, gray or Y, Cb, Cr, or RGB with a problem, coded by Pillow at several qualities (1..100)."""
        coded = {f"q{quality}": [_code(image, quality, problem) for image in images] for quality in qualities}
        return cls(coded, device, distance)

    @classmethod
    def of_files(
        cls,
        images: Sequence[Samples],
        codings: Sequence[tuple[str, int]],
        planes: int,
        device: torch.device,
        distance: Distance | None = None,
        luminance: nn.Module | None = None,
    ) -> ValidationSet:
        """Images, RGB, as files of senders at qualities (1..100), of which a number of planes are used (1 or 3).

        Their luminance is restored by a network, if there is one.
        """
        coded = {
            f"{sender}_q{quality}": [_coded_whole(image, sender, quality, planes) for image in images]
            for sender, quality in codings
        }
        return cls(coded, device, distance, luminance)

    def measure(self, network: nn.Module) -> dict[str, float]:
        """Mean PSNR in dB, and LPIPS if there is a distance, of each coding. Puts the network into evaluation mode."""
        network.eval()
        psnr: dict[str, float] = {}
        lpips: dict[str, float] = {}
        for coding, images in self._coded.items():
            pairs = [(image, self._restored(network, image)) for image in images]
            values = (optcodec.psnr_db(image.clean[-len(restored) :], restored) for image, restored in pairs)
            psnr[f"psnr_{coding}"] = _mean(values)
            if self._distance is not None:
                lpips[f"lpips_{coding}"] = _mean(self._lpips(image, restored) for image, restored in pairs)
        return psnr | lpips

    @torch.no_grad()
    def _restored(self, network: nn.Module, image: _CodedImage) -> Samples:
        planes, condition = self._tensor(image.received) / 255, self._tensor(image.condition)
        if self._luminance is not None:
            planes = restored_luminance(self._luminance, planes, condition)
        output: Tensor = network(planes, condition)[0]
        samples: Samples = np.clip(np.rint(output.cpu().numpy() * 255), 0, 255).astype(np.uint8)
        return samples

    def _lpips(self, image: _CodedImage, restored: Samples) -> float:
        """LPIPS. If only chrominance was restored, it is combined with the received luminance."""
        assert self._distance is not None
        luminance, clean = image.received[: -len(restored)], image.clean[-len(restored) :]
        reference, test = (np.concatenate([luminance, planes]) for planes in (clean, restored))
        return self._distance(self._tensor(reference) / 255, self._tensor(test) / 255)

    def _tensor(self, array: npt.NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(array[None].astype(np.float32)).to(self._device)


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _code(image: Samples, quality: int, problem: Problem | None) -> _CodedImage:
    """Cut an image to a multiple of 16x16 coded pixels, and code it."""
    grid = 16 * (problem.scale if problem else 1)
    height, width = (extent - extent % grid for extent in image.shape[:2])
    image = image[:height, :width]
    received, tables = transmit(image, Degradation((quality,)), problem, np.random.default_rng(0))
    condition = Context.of_steps(tables).condition(len(tables))
    clean, received = (part[None] if part.ndim == 2 else part.transpose(2, 0, 1) for part in (image, received))
    return _CodedImage(clean, received, condition)


def _coded_whole(image: Samples, sender: str, quality: int, planes: int) -> _CodedImage:
    """Cut an image to a multiple of 16x16 pixels, and code it by a sender at 4:2:0."""
    height, width = (extent - extent % 16 for extent in image.shape[:2])
    return _CodedImage(*coded_planes(image[:height, :width], sender, quality, "4:2:0", planes))
