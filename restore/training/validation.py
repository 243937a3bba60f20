"""The validation images: how good the network is on them while it is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

import optcodec
from restore.channel.degradation import Degradation, Samples, arrived
from restore.channel.problem import Problem

__all__ = ["Distance", "Watch"]

Distance = Callable[[Tensor, Tensor], float]


@dataclass(frozen=True)
class _Sent:
    """An image, planes first, before and after JPEG, and the tables."""

    clean: Samples
    received: Samples
    tables: npt.NDArray[np.uint16]


class Watch:
    """Images at some qualities.

    Parameters
    ----------
    images : sequence of ndarray of uint8
        Gray or Y, Cb, Cr.
    qualities : sequence of int
        JPEG qualities.
    device : torch.device
        Where the network is.
    distance : callable, optional
        LPIPS, see `restore.training.features.load_lpips`.
    problem : Problem, optional
        What happens to the images before they are coded; they are RGB then.
    """

    def __init__(
        self,
        images: Sequence[Samples],
        qualities: Sequence[int],
        device: torch.device,
        distance: Distance | None = None,
        problem: Problem | None = None,
    ) -> None:
        self._sent = {quality: [_sent(image, quality, problem) for image in images] for quality in qualities}
        self._device, self._distance = device, distance

    def look(self, network: nn.Module) -> dict[str, float]:
        """Mean PSNR in dB, and LPIPS if it is watched, at each quality; leaves the network in evaluation mode."""
        network.eval()
        psnr: dict[str, float] = {}
        lpips: dict[str, float] = {}
        for quality, kept in self._sent.items():
            pairs = [(sent, self._restored(network, sent)) for sent in kept]
            psnr[f"psnr_q{quality}"] = _mean(optcodec.psnr_db(sent.clean[-len(out) :], out) for sent, out in pairs)
            if self._distance is not None:
                lpips[f"lpips_q{quality}"] = _mean(self._far(sent, out) for sent, out in pairs)
        return psnr | lpips

    @torch.no_grad()
    def _restored(self, network: nn.Module, sent: _Sent) -> Samples:
        restored: Tensor = network(self._tensor(sent.received) / 255, self._tensor(sent.tables))[0]
        samples: Samples = np.clip(np.rint(restored.cpu().numpy() * 255), 0, 255).astype(np.uint8)
        return samples

    def _far(self, sent: _Sent, restored: Samples) -> float:
        """LPIPS; chrominance that was restored alone is seen with the luminance that was received."""
        assert self._distance is not None
        kept = sent.received[: -len(restored)]
        clean, image = (np.concatenate([kept, planes]) for planes in (sent.clean[-len(restored) :], restored))
        return self._distance(self._tensor(clean) / 255, self._tensor(image) / 255)

    def _tensor(self, array: Samples | npt.NDArray[np.uint16]) -> Tensor:
        return torch.from_numpy(array[None].astype(np.float32)).to(self._device)


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _sent(image: Samples, quality: int, problem: Problem | None) -> _Sent:
    """Cut so that whole 16x16 pixels are sent."""
    grid = 16 * (problem.scale if problem else 1)
    height, width = (extent - extent % grid for extent in image.shape[:2])
    image = image[:height, :width]
    received, tables = arrived(image, Degradation((quality,)), problem, np.random.default_rng(0))
    clean, received = (part[None] if part.ndim == 2 else part.transpose(2, 0, 1) for part in (image, received))
    return _Sent(clean, received, tables)
