"""Settings of a restoration besides the model: projection, strength, an earlier coding, and the size of tiles."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from optcodec import InvalidInputError, QuantTable, annex_k_tables, load_tables, whole_number
from restore.runtime.context import Context
from restore.runtime.decode import Received
from restore.runtime.earlier import EarlierCoding, find_earlier_coding

__all__ = ["GRID", "FindEarlier", "Settings", "Strength", "earlier_finder", "known_steps"]

Strength: TypeAlias = float | Literal["people", "dnn"]
FindEarlier: TypeAlias = Callable[[Received], EarlierCoding | None]
_ONE_OF_BOTH = "an earlier coding has a quality or tables; expected one of both"
_READERS = "people", "dnn"
# Shares of the change that suit networks for recognition, of coarse files and of others, and the step from which on a
# file is coarse. The receivers are trained for the least squared error; with less of their change, networks read fewer
# pictures worse than as decoded: benchmarks/receiver/classifiers.py. The shares were chosen on all three sets there,
# the step on two of them (imagenet_sample and nips2017_dev).
_COARSE_SHARE, _SHARE, _COARSE = 0.5, 0.25, 40.0
_LOWEST = [0, 0, 0, 1, 1, 1, 2, 2, 3], [1, 2, 3, 0, 1, 2, 0, 1, 0]  # AC frequencies that add up to 3 at most
GRID = 16  # pixels; tiles begin at whole blocks also of chrominance that is subsampled by two
_TILE = 256  # pixels; larger tiles are a little faster, but need more than the documented 200 MB


@dataclass(frozen=True)
class Settings:
    """How an image is restored, besides the model.

    Parameters
    ----------
    project : bool
        Clip restored luminance, and chrominance where it is not subsampled, to the quantization intervals of the file,
        unless it was coded before.
    strength : float, "people" or "dnn"
        Share of the change that is made, 0..1: 0 is the decoded image, 1 what the model gives; or who sees the image.
        For people it is 1; for networks a half, or a quarter of files that are hardly coarse.
    earlier : EarlierCoding, optional
        An earlier, coarser coding of the image, whose errors are to be restored besides those of the file.
    tile : int
        Side of the square tiles that are restored one by one, in pixels, a multiple of 16. The result is the same for
        every size.
    hint : bool
        Use the hint that the sender left in the file for this model. Hints are for restorations with a projection and
        without an earlier coding; in others they are not used.

    Raises
    ------
    InvalidInputError
        If a value is out of range.
    """

    project: bool = True
    strength: Strength = 1.0
    earlier: EarlierCoding | None = None
    tile: int = _TILE
    hint: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.tile, (int, np.integer)) or self.tile < GRID or self.tile % GRID:
            raise InvalidInputError(f"tile is a multiple of {GRID}, got {self.tile!r}")
        object.__setattr__(self, "tile", int(self.tile))  # a NumPy integer with few bits would overflow
        if isinstance(self.strength, str) and self.strength in _READERS:
            return
        if not isinstance(self.strength, (int, float, np.number)) or not 0 <= self.strength <= 1:
            raise InvalidInputError(f"strength is 0..1, people or dnn; got {self.strength!r}")

    def share(self, context: Context) -> float:
        """The share of the change that is made in a file.

        For networks it depends on the geometric mean of the luminance steps of the nine lowest AC frequencies: from 40
        on, which is quality 15 of libjpeg, the share is 0.5, else 0.25. Of noisy pictures, for which it was not
        measured, it is 0.5.
        """
        if not isinstance(self.strength, str):
            return float(self.strength)
        if self.strength == "people":
            return 1.0
        step = np.exp(np.log(context.tables[0][_LOWEST]).mean())
        return _COARSE_SHARE if step >= _COARSE or context.sigma else _SHARE

    @property
    def takes_hint(self) -> bool:
        """Whether a hint in the file is for a restoration of this kind."""
        return self.hint and self.project and self.earlier is None


def earlier_finder(
    quality: int | Literal["auto"] | None = None, tables: str | os.PathLike[str] | None = None
) -> FindEarlier:
    """A function that tells the earlier coding of a file.

    Parameters
    ----------
    quality : int or "auto", optional
        Quality of the earlier coding, 1..100, with the tables of Annex K and on the same grid of blocks; "auto"
        searches each file for signs of it.
    tables : path, optional
        A file with the quantization tables of the earlier coding, as `optcodec.load_tables` reads it.

    Raises
    ------
    InvalidInputError
        If both are given, the quality is out of range, or the tables cannot be read.
    """
    if quality == "auto":
        if tables is not None:
            raise InvalidInputError(_ONE_OF_BOTH)
        return find_earlier_coding
    steps = known_steps(quality, tables)
    if steps is None:
        return lambda received: None
    known = EarlierCoding(steps, None if quality is None else int(quality), (0, 0), float("inf"))
    return lambda received: known


def known_steps(quality: int | None, tables: str | os.PathLike[str] | None) -> npt.NDArray[np.uint16] | None:
    """Quantization steps of luminance and chrominance, shape (2, 8, 8), from a quality, a file, or neither.

    Raises
    ------
    InvalidInputError
        As from `earlier_finder`.
    """
    if quality is not None and tables is not None:
        raise InvalidInputError(_ONE_OF_BOTH)
    several: Sequence[QuantTable]
    if quality is not None:
        several = annex_k_tables(whole_number(quality, "quality of the earlier coding", 1, 100))
    elif tables is not None:
        several = load_tables(tables)
    else:
        return None
    luminance, chrominance = several[0], several[min(1, len(several) - 1)]
    return np.stack([luminance.steps, chrominance.steps]).astype(np.uint16)
