"""Large pictures, read in tiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from optcodec.errors import InvalidInputError
from optcodec.loop.answers import (
    agrees_on,
    checked_reading,
    gradient_of,
    increase_of,
    kind_of,
    loss_of,
    sensitivity_of,
)
from optcodec.loop.reader import Pace, Reader, Reading
from optcodec.scalars import whole_number
from optcodec.values import Value

__all__ = ["TiledReader", "tiles"]

Pixels = npt.NDArray[np.uint8]
Tile = tuple[slice, slice]

_SMALLEST_TILE, _LARGEST_TILE = 32, 65535  # pixels; the second is the longest side of a JPEG file
_OVERLAP = 8  # tiles overlap by at least this part of their side


@dataclass(frozen=True)
class TiledReader(Value):
    """A reader to which each tile of a large picture is a picture of its own, so that memory is that of one tile.

    The loss is the mean over the tiles. It is for networks that would not fit into memory with the whole picture, or
    that look at large pictures window by window anyway, such as for segmentation and detection.

    Parameters
    ----------
    reader : Reader
        Such as a `NetworkReader`. It must not need more of a file than its pixels; receivers, which do, divide large
        pictures themselves.
    side : int
        32..65535: rows and columns of a tile, in pixels. Tiles overlap by an eighth of it or more, so that what lies on
        the edge of one lies within another one. Smaller pictures are read at once.

    Raises
    ------
    InvalidInputError
        If the reader is no function, or the side is out of range; when a picture is read, if the reader needs the file.

    Notes
    -----
    What the reader knows of the original is found again whenever a tile is read, since it may be larger than the
    picture. For a network this is one more forward pass.
    """

    reader: Reader
    side: int

    def __post_init__(self) -> None:
        if not callable(self.reader):
            raise InvalidInputError(f"a reader is a function of the original pixels, got {kind_of(self.reader)}")
        whole_number(self.side, "the side of a tile", _SMALLEST_TILE, _LARGEST_TILE)

    def __call__(self, original: Pixels, /) -> Reading:
        """The reading of a picture in tiles."""
        height, width = original.shape[:2]
        parts = tiles(height, width, self.side)
        if len(parts) == 1:
            return self.reader(original)
        first = checked_reading(self.reader(original[parts[0]]))
        of_files = [name for name in ("of_file", "left_in") if hasattr(first, name)]
        if of_files:
            raise InvalidInputError(f"only what reads pixels can read tiles of them; got a reader with {of_files[0]}")
        kind: Any = _TiledReading if callable(first) else _TiledLosses
        reading: Reading = kind(self.reader, original, parts, getattr(first, "pace", Pace()))
        return reading


def tiles(height: int, width: int, side: int) -> list[Tile]:
    """Parts of a picture that cover it, each as large as all others.

    Parameters
    ----------
    height, width : int
        Of the picture, in pixels.
    side : int
        Rows and columns of a tile; where the picture has fewer, it has those.

    Returns
    -------
    list of (slice, slice)
        Rows and columns of each tile.
    """
    return [(rows, columns) for rows in _spans(height, side) for columns in _spans(width, side)]


def _spans(extent: int, side: int) -> list[slice]:
    """Spans of a side that cover an extent, spread evenly."""
    if extent <= side:
        return [slice(0, extent)]
    steps = -(-(extent - side) // (side - side // _OVERLAP))
    starts = (number * (extent - side) // steps for number in range(steps + 1))
    return [slice(start, start + side) for start in starts]


@dataclass(frozen=True, eq=False)
class _TiledLosses:
    """The reading of a picture in tiles without a gradient; see `Reading`."""

    reader: Reader
    original: Pixels
    parts: list[Tile]
    pace: Pace

    def loss(self, decoded: Pixels) -> float:
        """Mean loss of the tiles of decoded pixels."""
        return self._mean(loss_of, decoded)

    def loss_increase(self, decoded: Pixels) -> float:
        """Mean over the tiles of by how much the loss of the decision on each has grown."""
        return self._mean(increase_of, decoded)

    def sensitivity(self) -> npt.NDArray[np.float64] | None:
        """What a squared error of each pixel costs in all tiles; None if the reader does not know it."""
        total = np.zeros(self.original.shape[:2])
        for part, reading in self._readings():
            values = sensitivity_of(reading, total[part].shape)
            if values is None:
                return None
            total[part] += values
        return total

    def agrees(self, decoded: Pixels) -> bool:
        """Whether the decision on each tile is that on the original."""
        return all(agrees_on(reading, decoded[part]) for part, reading in self._readings())

    def _mean(self, answer: Callable[[Reading, Pixels], float], decoded: Pixels) -> float:
        answers = [answer(reading, decoded[part]) for part, reading in self._readings()]
        return sum(answers) / len(answers)

    def _readings(self) -> Iterator[tuple[Tile, Reading]]:
        """Each tile with its reading."""
        return ((part, self.reader(self.original[part])) for part in self.parts)


@dataclass(frozen=True, eq=False)
class _TiledReading(_TiledLosses):
    """The reading of a picture in tiles; see `Reading`."""

    def __call__(self, decoded: Pixels, /) -> tuple[float, npt.NDArray[np.float32]]:
        """Mean loss of the tiles of decoded pixels, and its gradient."""
        gradient, total = np.zeros(decoded.shape, np.float32), 0.0
        for part, reading in self._readings():
            loss, by_pixel = gradient_of(reading, decoded[part])
            gradient[part] += by_pixel
            total += loss
        return total / len(self.parts), gradient / np.float32(len(self.parts))
