"""People as readers: files are made for what the eye sees of a decoded picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from optcodec.errors import InvalidInputError
from optcodec.loop.reader import Pace
from optcodec.perception.measure import Perception
from optcodec.pictures.pixels import decoded_pixels
from optcodec.scalars import real_number
from optcodec.trellis.field import BLOCK, block_sums
from optcodec.trellis.tuning import TUNINGS
from optcodec.values import Value

__all__ = ["START", "PeopleReader"]

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

# What follows is fitted to crops of four photographs by bytes at equal SSIMULACRA2 and equal 3-norm of butteraugli.
# The trellis starts from "people" with finer steps, from which more can be left out.
START = replace(TUNINGS["people"], step_ratio=0.1)
_PACE = Pace(share=0.2, hold=1.2, rounds=12)
_POWER = 0.6  # of a block's weight
_LEAST_ERROR = 1.0  # sum of squares over a block that is added to its error, so that blocks without any have a weight


@dataclass(frozen=True)
class PeopleReader(Value):
    """People who look at the files: their loss is what SSIMULACRA2 lacks of 100, and how visible differences are.

    The loss is ``S ** (1 - visibility) * V ** visibility``. S is 100 less SSIMULACRA2, with mirrored borders. V is a
    distance that is like butteraugli's 3-norm: the places count most where differences are seen best.

    Parameters
    ----------
    visibility : float
        From 0 on, below 1: how much V counts.

    Raises
    ------
    InvalidInputError
        If `visibility` is not such a number.
    """

    visibility: float = 0.23

    def __post_init__(self) -> None:
        share = real_number(self.visibility, "visibility", or_zero=True)
        if share >= 1:
            raise InvalidInputError(f"visibility is a share below 1, got {self.visibility!r}")
        object.__setattr__(self, "visibility", share)

    def __call__(self, original: Pixels, /) -> _PeopleReading:
        """What people see of decoded versions of a picture."""
        return _PeopleReading(Perception.of(original, self.visibility), original)


@dataclass(frozen=True, eq=False)
class _PeopleReading:
    """The reading of one picture, of one of its files; see `optcodec.Reading`."""

    perception: Perception
    original: Pixels
    data: bytes | None = None
    pace: Pace = _PACE

    def of_file(self, data: bytes) -> _PeopleReading:
        """The reading of a file, whose errors tell where further ones count most."""
        return replace(self, data=data)

    def __call__(self, decoded: Pixels, /) -> tuple[float, Floats]:
        """Loss of decoded pixels, and its gradient."""
        return self.perception.loss_with_gradient(decoded)

    def loss(self, decoded: Pixels) -> float:
        """Loss of decoded pixels."""
        return self.perception.loss(decoded)

    def sensitivity(self) -> Floats:
        """What a squared error of each pixel costs beside the errors of the file, equal within a block.

        By how much the loss falls with the errors of a block, over their squares, times how well they are seen: so
        blocks get more alike.
        """
        assert self.data is not None, "the encoder tells which file is read"
        decoded = decoded_pixels(self.data, "L" if self.original.ndim == 2 else "RGB")
        _, gradient = self.perception.loss_with_gradient(decoded)
        error = decoded.astype(np.float32) - self.original
        height, width = decoded.shape[:2]
        per_pixel = (error.reshape(height, width, -1), gradient.reshape(height, width, -1))
        falls = _around(block_sums((per_pixel[0] * per_pixel[1]).sum(2)))
        squares = _around(block_sums(np.square(per_pixel[0]).sum(2)))
        seen = block_sums(self.perception.visibility_map(decoded))
        weights: Floats = (np.maximum(falls, 0) / (squares + np.float32(_LEAST_ERROR)) * seen) ** np.float32(_POWER)
        by_pixel: Floats = weights.repeat(BLOCK, 0).repeat(BLOCK, 1)
        return by_pixel[:height, :width]


def _around(values: Floats) -> Floats:
    """Means over 3 x 3 neighbours, those next to the middle counting half, and at the corners a quarter."""
    for axis in (0, 1):
        lines = np.moveaxis(values, axis, 0)
        padded = np.concatenate([lines[:1], lines, lines[-1:]])
        averaged: Floats = (padded[:-2] + padded[2:] + 2 * lines) / np.float32(4)
        values = np.moveaxis(averaged, 0, axis)
    return values
