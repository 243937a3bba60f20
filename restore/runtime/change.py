"""What the networks of a model change in a tile of an image, and the pixels that come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from restore.runtime.band import Span
from restore.runtime.cells import Floats
from restore.runtime.image import to_rgb

__all__ = ["Change", "Region", "is_constant", "pixels_of"]

Region: TypeAlias = tuple[Span, Span]


@dataclass(frozen=True, eq=False)
class Change:
    """What the networks of a model change in a tile.

    Attributes
    ----------
    region : ((int, int), (int, int))
        Rows and columns, in pixels; the tile is smaller where the blocks of the image end within it.
    surroundings : ndarray of float32, shape (1 or 3, rows + 16, columns + 16)
        The decoded planes of the tile, with one block more on each side.
    planes : ndarray of float32, shape (1 or 3, rows, columns)
        The change of each, in units of 8-bit samples, after the projection.
    """

    region: Region
    surroundings: Floats
    planes: Floats

    @property
    def decoded(self) -> Floats:
        """The decoded planes of the tile."""
        return self.surroundings[:, 8:-8, 8:-8]


def pixels_of(change: Change, planes: Floats, strength: float = 1.0) -> npt.NDArray[np.uint8]:
    """The pixels of a tile, shape (rows, columns, 1 or 3), from the change of its planes.

    Where the decoded luminance, or the decoded chrominance, is constant in a block and the eight around it, it stays:
    there is nothing to restore. So gray pictures in files with colour stay gray.
    """
    weight = np.where(is_constant(change.surroundings), np.float32(0), np.float32(strength))
    final: Floats = np.clip(change.decoded + weight * planes, 0, 255)
    if len(final) == 1:
        gray: npt.NDArray[np.uint8] = np.rint(final[0]).astype(np.uint8)[..., None]
        return gray
    return to_rgb(final[0], final[1:])


def is_constant(planes: Floats) -> npt.NDArray[np.bool_]:
    """Where luminance, and where chrominance, is constant in a block and the eight around it.

    Parameters
    ----------
    planes : ndarray of float32, shape (1 or 3, rows + 16, columns + 16)
        Decoded samples of whole blocks, with one block more on each side: Y, or Y, Cb, Cr.

    Returns
    -------
    ndarray of bool, shape (1 or 3, rows, columns)
        The two planes of chrominance are constant together, or not.
    """
    count, rows, columns = planes.shape
    blocks = planes.reshape(count, rows // 8, 8, columns // 8, 8)

    def end(extreme: Callable[..., Floats]) -> Floats:
        by_block = extreme(extreme(blocks, axis=2), axis=3)  # rows first: much faster than both at once
        return extreme(np.lib.stride_tricks.sliding_window_view(by_block, (3, 3), (1, 2)), axis=(3, 4))

    constant = end(np.min) == end(np.max)
    constant[1:] = constant[1:].all(axis=0)
    return np.repeat(np.repeat(constant, 8, axis=1), 8, axis=2)
