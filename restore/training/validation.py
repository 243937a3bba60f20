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
from restore.channel.problem import Problem

__all__ = ["Distance", "ValidationSet"]

Distance = Callable[[Tensor, Tensor], float]


@dataclass(frozen=True)
class _CodedImage:
    """The planes of an image, (planes, height, width), before and after coding, and its quantization tables."""

    clean: Samples
    received: Samples
    tables: npt.NDArray[np.uint16]


class ValidationSet:
    """Validation images, coded at several qualities.

    Parameters
    ----------
    images : sequence of ndarray of uint8
        Images, gray or Y, Cb, Cr; or RGB with a problem.
    qualities : sequence of int
        JPEG qualities, 1..100.
    device : torch.device
        Device of the network.
    distance : callable, optional
        LPIPS, see `restore.training.features.load_lpips`.
    problem : Problem, optional
        Degradation of the images before they are coded.
    """

    def __init__(
        self,
        images: Sequence[Samples],
        qualities: Sequence[int],
        device: torch.device,
        distance: Distance | None = None,
        problem: Problem | None = None,
    ) -> None:
        self._coded = {quality: [_code(image, quality, problem) for image in images] for quality in qualities}
        self._device, self._distance = device, distance

    def measure(self, network: nn.Module) -> dict[str, float]:
        """Mean PSNR in dB, and LPIPS if there is a distance, at each quality. Puts the network into evaluation mode."""
        network.eval()
        psnr: dict[str, float] = {}
        lpips: dict[str, float] = {}
        for quality, images in self._coded.items():
            pairs = [(image, self._restored(network, image)) for image in images]
            values = (optcodec.psnr_db(image.clean[-len(restored) :], restored) for image, restored in pairs)
            psnr[f"psnr_q{quality}"] = _mean(values)
            if self._distance is not None:
                lpips[f"lpips_q{quality}"] = _mean(self._lpips(image, restored) for image, restored in pairs)
        return psnr | lpips

    @torch.no_grad()
    def _restored(self, network: nn.Module, image: _CodedImage) -> Samples:
        output: Tensor = network(self._tensor(image.received) / 255, self._tensor(image.tables))[0]
        samples: Samples = np.clip(np.rint(output.cpu().numpy() * 255), 0, 255).astype(np.uint8)
        return samples

    def _lpips(self, image: _CodedImage, restored: Samples) -> float:
        """LPIPS. If only chrominance was restored, it is combined with the received luminance."""
        assert self._distance is not None
        luminance, clean = image.received[: -len(restored)], image.clean[-len(restored) :]
        reference, test = (np.concatenate([luminance, planes]) for planes in (clean, restored))
        return self._distance(self._tensor(reference) / 255, self._tensor(test) / 255)

    def _tensor(self, array: Samples | npt.NDArray[np.uint16]) -> Tensor:
        return torch.from_numpy(array[None].astype(np.float32)).to(self._device)


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _code(image: Samples, quality: int, problem: Problem | None) -> _CodedImage:
    """Cut an image to a multiple of 16x16 coded pixels, and code it."""
    grid = 16 * (problem.scale if problem else 1)
    height, width = (extent - extent % grid for extent in image.shape[:2])
    image = image[:height, :width]
    received, tables = transmit(image, Degradation((quality,)), problem, np.random.default_rng(0))
    clean, received = (part[None] if part.ndim == 2 else part.transpose(2, 0, 1) for part in (image, received))
    return _CodedImage(clean, received, tables)
