"""How an image is restored, besides the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optcodec import InvalidInputError
from restore.runtime.earlier import EarlierCoding

__all__ = ["GRID", "Settings"]

GRID = 16  # pixels; tiles begin at whole blocks also of chrominance that is subsampled by two
_TILE = 256  # pixels; larger tiles are a little faster, but need more than the documented 200 MB


@dataclass(frozen=True)
class Settings:
    """How an image is restored, besides the model.

    Parameters
    ----------
    project : bool
        Clip the restored luminance to the quantization intervals of the file, unless it was coded before.
    strength : float
        Share of the change that is made, 0..1: 0 is the decoded image, 1 what the model gives.
    earlier : EarlierCoding, optional
        An earlier, coarser coding of the image, whose errors are to be restored besides those of the file.
    tile : int
        Side of the square tiles that are restored one by one, in pixels, a multiple of 16. The result is the same for
        every size.

    Raises
    ------
    InvalidInputError
        If a value is out of range.
    """

    project: bool = True
    strength: float = 1.0
    earlier: EarlierCoding | None = None
    tile: int = _TILE

    def __post_init__(self) -> None:
        if not isinstance(self.tile, (int, np.integer)) or self.tile < GRID or self.tile % GRID:
            raise InvalidInputError(f"tile is a multiple of {GRID}, got {self.tile!r}")
        object.__setattr__(self, "tile", int(self.tile))  # a NumPy integer with few bits would overflow
        if not isinstance(self.strength, (int, float, np.number)) or not 0 <= self.strength <= 1:
            raise InvalidInputError(f"strength is 0..1, got {self.strength!r}")
