"""Views of a picture: what a network may see of it besides the pixels as they are."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["VIEWS", "mirrored", "scaled", "seen", "shifted"]


def _as_it_is(picture: Tensor) -> Tensor:
    return picture


def shifted(picture: Tensor, down: int, right: int) -> Tensor:
    """The picture (N, C, H, W) moved by whole pixels, the first or last row and column repeated."""
    import torch

    rows, columns = (
        (torch.arange(side, device=picture.device) - by).clamp(0, side - 1)
        for side, by in zip(picture.shape[2:], (down, right), strict=True)
    )
    return picture.index_select(2, rows).index_select(3, columns)


def mirrored(picture: Tensor) -> Tensor:
    """The picture (N, C, H, W) with left and right exchanged."""
    return picture.flip(3)


def scaled(picture: Tensor, factor: float) -> Tensor:
    """The picture (N, C, H, W) resized by a factor, and back."""
    from torch.nn.functional import interpolate

    height, width = picture.shape[2:]
    small = max(round(factor * height), 1), max(round(factor * width), 1)
    wide = picture.float() if picture.element_size() < 4 else picture  # torch has no interpolation of fewer bits
    smaller = interpolate(wide, size=small, mode="bilinear", antialias=True)
    return interpolate(smaller, size=(height, width), mode="bilinear", antialias=True).to(picture.dtype)


VIEWS: tuple[Callable[[Tensor], Tensor], ...] = (
    _as_it_is,
    partial(shifted, down=3, right=5),
    mirrored,
    partial(shifted, down=-6, right=-2),
    partial(scaled, factor=0.9),
)


def seen(picture: Tensor, views: int) -> list[Tensor]:
    """The first `views` views of a picture."""
    return [view(picture) for view in VIEWS[:views]]
