"""The judge of a picture: what one or several readers say of its files, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
from optcodec.loop.reader import Pace, Reader, Readers, Reading, readers_of
from optcodec.pictures.pixels import decoded_pixels
from optcodec.scalars import whole_number

__all__ = ["DecodedFile", "Judge", "Verdict", "judge_of"]

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class DecodedFile:
    """A file and its pixels.

    Parameters
    ----------
    data : bytes
        The JPEG file.
    pixels : ndarray of uint8, shape (height, width, 3) or (height, width)
        RGB or grey.
    """

    data: bytes
    pixels: Pixels

    @classmethod
    def of(cls, data: bytes, *, grey: bool) -> DecodedFile:
        """The file, decoded."""
        return cls(data, decoded_pixels(data, "L" if grey else "RGB"))


@dataclass(frozen=True)
class Verdict:
    """What is said of decoded pixels.

    Parameters
    ----------
    losses : tuple of float
        Of each reader.
    loss : float
        Their sum, by their weights.
    cost : float
        What the loop lowers: the same, plus what plain squared error counts.
    """

    losses: tuple[float, ...]
    loss: float
    cost: float


@dataclass(frozen=True, eq=False)
class Judge:
    """The readings of a picture by one or several readers, whose losses are added; all answers are checked.

    Parameters
    ----------
    readings : tuple of Reading
        What each reader returned for the picture.
    readers : Readers
        The readers, with their weights and the share of plain squared error.
    original : ndarray of uint8
        The picture.
    price : float
        What a mean squared error of the samples counts, in the unit of the losses; see `priced`.

    Raises
    ------
    InvalidInputError
        By each method, if an answer is of the wrong kind or not finite.
    """

    readings: tuple[Reading, ...]
    readers: Readers
    original: Pixels
    price: float = 0.0

    @property
    def has_gradient(self) -> bool:
        """Whether all readings have a gradient."""
        return all(callable(reading) for reading in self.readings)

    @property
    def pace(self) -> Pace:
        """That of the slowest reading."""
        paces = [getattr(reading, "pace", Pace()) for reading in self.readings]
        for pace in paces:
            if not isinstance(pace, Pace):
                raise InvalidInputError(f"the pace of a reading is a Pace, got {kind_of(pace)}")
        rounds = max(pace.rounds for pace in paces)
        return Pace(min(pace.share for pace in paces), max(pace.hold for pace in paces), rounds)

    @property
    def left_nbytes(self) -> int:
        """Bytes that the readings leave in a file at most, see `left_in`."""
        return sum(whole_number(getattr(one, "left_nbytes", 0), "left_nbytes of a reading", 0) for one in self.readings)

    def left_in(self, data: bytes) -> bytes:
        """A file with what its readings leave in it."""
        limit = len(data) + self.left_nbytes
        for reading in self.readings:
            leave = getattr(reading, "left_in", None)
            data = data if leave is None else leave(data)
            if not isinstance(data, bytes) or len(data) > limit:
                what = f"{len(data)} bytes" if isinstance(data, bytes) else kind_of(data)
                raise InvalidInputError(f"left_in of a reading gives a file of at most {limit} bytes, got {what}")
        return data

    def priced(self, file: DecodedFile) -> Judge:
        """The judge to whom plain squared error counts its share of the whole with this file."""
        share = self.readers.fidelity
        square = self._mean_square(file.pixels) if share else 0.0
        return replace(self, price=share / (1 - share) * self.verdict(file).loss / square) if square else self

    def verdict(self, file: DecodedFile) -> Verdict:
        """Losses of a file."""
        return self._verdict(file.pixels, [loss_of(reading, file.pixels) for reading in self._readings_of(file)])

    def gradient(self, file: DecodedFile) -> tuple[Verdict, npt.NDArray[np.float32]]:
        """Losses of a file, and the gradient of what the loop lowers by its pixels."""
        decoded = file.pixels
        answers = [gradient_of(reading, decoded) for reading in self._readings_of(file)]
        total = np.zeros(decoded.shape, np.float32)
        for (_, gradient), weight in zip(answers, self._weights, strict=True):
            total += np.float32(weight) * gradient
        if self.price:
            total += np.float32(2 * self.price / decoded.size) * (decoded.astype(np.float32) - self.original)
        return self._verdict(decoded, [loss for loss, _ in answers]), total

    def sensitivity(self, file: DecodedFile) -> npt.NDArray[np.float64] | None:
        """What a squared error of each pixel costs, shape (height, width); None where a reading does not know it.

        Each reading has the same say, whatever its unit, times its weight. Where it depends on the errors that there
        are already, it is that beside those of the file.
        """
        height, width = file.pixels.shape[:2]
        total = np.zeros((height, width))
        for reading, weight in zip(self._readings_of(file), self._weights, strict=True):
            values = sensitivity_of(reading, (height, width))
            if values is None:
                return None
            total += weight * _of_mean_1(values)
        return total

    def evened(self, sensitivity: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """A sensitivity of which plain squared error, which counts the same everywhere, has its share."""
        share = self.readers.fidelity
        return (1 - share) * _of_mean_1(sensitivity) + share if share else sensitivity

    def loss_increase(self, file: DecodedFile) -> float:
        """Largest increase of the loss of the decision that one of the readers makes on the original."""
        return max(increase_of(reading, file.pixels) for reading in self._readings_of(file))

    def agrees(self, file: DecodedFile) -> bool:
        """Whether the decision of each reader is that on the original."""
        decisions = [agrees_on(reading, file.pixels) for reading in self._readings_of(file)]
        return all(decisions)

    def _readings_of(self, file: DecodedFile) -> list[Reading]:
        """The readings of a file: some see more of it than its pixels."""
        special = [getattr(reading, "of_file", None) for reading in self.readings]
        pairs = zip(self.readings, special, strict=True)
        return [reading if of_file is None else checked_reading(of_file(file.data)) for reading, of_file in pairs]

    @property
    def _weights(self) -> Sequence[float]:
        assert self.readers.weights is not None
        return self.readers.weights

    def _verdict(self, decoded: Pixels, losses: Sequence[float]) -> Verdict:
        loss = sum(weight * one for weight, one in zip(self._weights, losses, strict=True))
        beside = self.price * self._mean_square(decoded) if self.price else 0.0
        return Verdict(tuple(losses), loss, loss + beside)

    def _mean_square(self, decoded: Pixels) -> float:
        return float(np.square(decoded.astype(np.float32) - self.original).mean(dtype=np.float64))


def judge_of(reader: Reader | Readers | Sequence[Reader], original: Pixels) -> Judge:
    """The checked readings of a picture.

    Raises
    ------
    InvalidInputError
        If a reader returns neither a function nor what has a method `loss`.
    """
    readers = readers_of(reader)
    return Judge(tuple(checked_reading(one(original)) for one in readers.readers), readers, original)


def _of_mean_1(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    mean = values.mean()
    return values / mean if mean > 0 else values
