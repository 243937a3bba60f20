"""Restoration tasks as readers: networks from RGB to RGB, which may enlarge pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from optcodec import InvalidInputError, Pace
from restore.readers.regions import PACE, Region, regions, total_error
from restore.tasks import RestorationTask, make_task

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["TaskReader", "deblur", "denoise25", "sr4"]

Samples = npt.NDArray[np.uint8]

_SIDE = 512  # of a region, in pixels; a multiple of the factors that sides of networks have to have
_WHITE = 255  # what 1 is for the networks
_BORDER = 64  # what a network sees around it: more than the reach of the convolutions of usual networks


@dataclass(frozen=True, eq=False)
class TaskReader:
    """The receiver of a restoration task: its loss is the squared error of the restored picture.

    Parameters
    ----------
    task : RestorationTask
        From `restore.tasks.make_task`; its network runs in torch.
    clean : ndarray of uint8, optional
        What should be restored: RGB, each side `task.scale` times as long as that of the picture that is coded. By
        default, what the network makes of that picture without any coding.

    Raises
    ------
    InvalidInputError
        If the task has no network that torch can differentiate; when a picture is read, if the clean picture has
        another size.
    """

    task: RestorationTask
    clean: Samples | None = None

    def __post_init__(self) -> None:
        if self.task.network is None:
            raise InvalidInputError(f"{self.task.name} has no gradients; expected a network of torch that takes RGB")

    def against(self, clean: Samples) -> TaskReader:
        """The reader of files from which this picture should be restored."""
        return replace(self, clean=clean)

    def __call__(self, original: Samples, /) -> _TaskReading:
        """What the network makes of decoded versions of a picture."""
        sides = tuple(self.task.scale * side for side in original.shape[:2])
        if self.clean is None:
            return _TaskReading(self.task, self._restored(original))
        if self.clean.shape != (*sides, 3):
            expected = f"{sides[1]}x{sides[0]} pixels in RGB, {self.task.scale} times the sides of the coded one"
            raise InvalidInputError(f"a clean picture has {expected}; got {self.clean.shape}")
        return _TaskReading(self.task, self.clean.astype(np.float32))

    def _restored(self, original: Samples) -> npt.NDArray[np.float32]:
        """What the network restores from the picture without coding, (H, W, 3), 0..255."""
        import torch

        scale, (height, width) = self.task.scale, original.shape[:2]
        result = np.empty((scale * height, scale * width, 3), np.float32)
        for region in regions(height, width, _SIDE, _BORDER):
            with torch.no_grad():
                restored = _run(self.task, _planes(original, region), region)
            rows, columns = (slice(scale * start, scale * stop) for start, stop in region.inner)
            result[rows, columns] = restored.permute(1, 2, 0).numpy()
        return result


@dataclass(frozen=True, eq=False)
class _TaskReading:
    """The reading of one picture; see `optcodec.Reading`. The target has values of 0..255."""

    task: RestorationTask
    target: npt.NDArray[np.float32]
    pace: Pace = PACE

    def __call__(self, decoded: Samples, /) -> tuple[float, npt.NDArray[np.float32]]:
        """Mean squared error of the restored picture, and its gradient."""
        gradient = np.zeros((3, *decoded.shape[:2]), np.float32)
        loss = self._added(decoded, gradient)
        gradient /= self.target.size
        return loss, gradient.sum(0) if decoded.ndim == 2 else np.ascontiguousarray(gradient.transpose(1, 2, 0))

    def loss(self, decoded: Samples) -> float:
        """Mean squared error of the restored picture."""
        return self._added(decoded, None)

    def sensitivity(self) -> npt.NDArray[np.float32]:
        """Errors count alike everywhere: what blocks weigh is the affair of the tuning."""
        scale, (height, width) = self.task.scale, self.target.shape[:2]
        return np.ones((height // scale, width // scale), np.float32)

    def _added(self, decoded: Samples, gradient: npt.NDArray[np.float32] | None) -> float:
        """Mean squared error; the gradient is that of the sum of squares."""
        height, width = decoded.shape[:2]
        parts, planes_of = regions(height, width, _SIDE, _BORDER), partial(_planes, decoded)
        return total_error(parts, planes_of, self._squared_error, gradient, unit=_WHITE) / self.target.size

    def _squared_error(self, planes: Tensor, region: Region) -> Tensor:
        import torch

        rows, columns = (slice(self.task.scale * start, self.task.scale * stop) for start, stop in region.inner)
        target = torch.from_numpy(self.target[rows, columns].transpose(2, 0, 1).copy())
        return (_run(self.task, planes, region) - target).square().sum()


def _planes(pixels: Samples, region: Region) -> Tensor:
    """The seen part of a picture, (1, 3, rows, columns), 0..1; three equal planes if it is grey."""
    import torch

    rows, columns = (slice(*span) for span in region.seen)
    part = pixels[rows, columns]
    planes = np.repeat(part[None], 3, 0) if part.ndim == 2 else part.transpose(2, 0, 1)
    return torch.from_numpy(planes[None].astype(np.float32) / np.float32(_WHITE))


def _run(task: RestorationTask, planes: Tensor, region: Region) -> Tensor:
    """The inner part of the restored picture, (3, rows, columns), 0..255."""
    network = task.network
    assert network is not None
    restored = network(planes)[0]
    rows, columns = region.within(task.scale)
    inner: Tensor = _WHITE * restored[:, rows, columns].clamp(0, 1)
    return inner


def sr4(network: str | None = None) -> TaskReader:
    """Super-resolution by four, by the shipped network or the one of a name that `make_task` knows."""
    return TaskReader(make_task("sr4", network))


def denoise25(network: str | None = None) -> TaskReader:
    """Gaussian noise of standard deviation 25; see `sr4`."""
    return TaskReader(make_task("denoise25", network))


def deblur(network: str | None = None) -> TaskReader:
    """Gaussian blur of standard deviation 1.5; see `sr4`."""
    return TaskReader(make_task("deblur1.5", network))
