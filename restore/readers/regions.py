"""Gradients region by region, so that memory does not grow with the size of a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from optcodec import Pace

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["PACE", "Region", "regions", "total_error"]

Span = tuple[int, int]

# Of squared errors of restored pictures. Twelve rounds gain 0.36 dB on three photographs of 256x256 grey samples at 0.4
# and 0.8 bits per pixel, with half the share 0.30 dB, with twice the share 0.35 dB; with the default pace 0.14 dB.
PACE = Pace(share=0.3, hold=0.05)


@dataclass(frozen=True)
class Region:
    """A part of a picture, and the larger part around it that a network sees.

    Parameters
    ----------
    inner : (span, span)
        First row and the one after the last, and the same of columns.
    seen : (span, span)
        With the border.
    """

    inner: tuple[Span, Span]
    seen: tuple[Span, Span]

    def within(self, scale: int = 1) -> tuple[slice, slice]:
        """The inner part within the seen one, in an image whose sides are `scale` times as long."""
        rows, columns = (
            slice(scale * (inside[0] - around[0]), scale * (inside[1] - around[0]))
            for inside, around in zip(self.inner, self.seen, strict=True)
        )
        return rows, columns


def regions(height: int, width: int, side: int, border: int) -> Iterator[Region]:
    """Divide a picture into regions.

    Parameters
    ----------
    height, width : int
        Of the picture.
    side : int
        Of a region at most, in pixels.
    border : int
        What a network sees around a region, where the picture does not end before.
    """
    for rows in _spans(height, side):
        for columns in _spans(width, side):
            seen = tuple(
                (max(0, span[0] - border), min(span[1] + border, limit))
                for span, limit in ((rows, height), (columns, width))
            )
            yield Region((rows, columns), (seen[0], seen[1]))


def total_error(
    parts: Iterable[Region],
    planes_of: Callable[[Region], Tensor],
    error_of: Callable[[Tensor, Region], Tensor],
    gradient: npt.NDArray[np.float32] | None,
    *,
    unit: float = 1,
) -> float:
    """The sum of the errors of regions.

    Parameters
    ----------
    parts : iterable of Region
        From `regions`.
    planes_of : callable
        The planes of the seen part of a region, (1, planes, rows, columns).
    error_of : callable
        The error of the inner part, from these planes and the region.
    gradient : ndarray of float32, shape (planes, height, width), optional
        The gradients by the samples of all regions are added to it. Without it, none are computed.
    unit : float
        The planes are samples divided by it.
    """
    import torch

    total = 0.0
    for region in parts:
        planes = planes_of(region).requires_grad_(gradient is not None)
        with torch.set_grad_enabled(gradient is not None):
            error = error_of(planes, region)
        if gradient is not None:
            (by_planes,) = torch.autograd.grad(error, planes)
            rows, columns = (slice(*span) for span in region.seen)
            gradient[:, rows, columns] += by_planes[0].numpy() / np.float32(unit)
        total += float(error.detach())
    return total


def _spans(extent: int, side: int) -> list[Span]:
    return [(start, min(start + side, extent)) for start in range(0, extent, side)]
