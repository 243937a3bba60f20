"""Readers: whatever takes a decoded picture and says how bad it is, and what change of its pixels would be better.

A reader is a function of the picture that is to be coded. It returns a *reading*, a function of decoded pixels, which
returns a loss and its gradient. The loop knows nothing else of networks, receivers or measures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from optcodec.errors import InvalidInputError
from optcodec.scalars import real_number
from optcodec.values import Value

__all__ = ["Judge", "Reader", "Readers", "Reading", "Verdict", "judge_of", "readers_of"]

Pixels = npt.NDArray[np.uint8]
Gradient = npt.NDArray[np.floating[Any]]


class Reading(Protocol):
    """How bad decoded pixels of one picture are to its reader.

    A reading may also have a method ``loss(decoded)`` that returns the loss alone, where that takes less time, and a
    method ``agrees(decoded)`` that tells whether the reader's decision is that on the original. Where a reader knows
    how much errors of each pixel cost before there are any, a method ``sensitivity()`` returns that: shape (height,
    width), at least 0, in any unit, or None. By default it is the squared gradient at a first file. What has no
    gradient may have the method ``loss`` only: then the encoder chooses among whole files.
    """

    def __call__(self, decoded: Pixels, /) -> tuple[float, Gradient]:
        """Loss of decoded pixels, and its derivative by each of them.

        Parameters
        ----------
        decoded : ndarray of uint8
            Of the shape of the original: (height, width, 3), RGB, or (height, width), grey.

        Returns
        -------
        loss : float
            Finite; the smaller, the better.
        gradient : ndarray of float, of the shape of `decoded`
            Finite, for a unit of 0..255.
        """


class Reader(Protocol):
    """What a file is made for: a network, a receiver that restores, a measure, or any function of this kind.

    Examples
    --------
    Squared error that counts in the left half of a picture only:

    >>> import numpy as np
    >>> def left_half(original):
    ...     def reading(decoded):
    ...         difference = decoded.astype(np.float32) - original
    ...         difference[:, original.shape[1] // 2 :] = 0
    ...         return float((difference**2).mean()), 2 * difference / difference.size
    ...     return reading
    """

    def __call__(self, original: Pixels, /) -> Reading:
        """The reading of a picture.

        Parameters
        ----------
        original : ndarray of uint8, shape (height, width, 3) or (height, width)
            The pixels that are to be coded, RGB or grey.
        """


@dataclass(frozen=True)
class Readers(Value):
    """Several readers of one file, and what counts beside them.

    Parameters
    ----------
    readers : sequence of Reader
        At least one.
    weights : sequence of float, optional
        How much the loss of each counts, above 0; 1 by default.
    fidelity : float
        0 or more, below 1: share of plain squared error in what the loop lowers. At the file that the trellis makes
        without readers, the squared error counts this share of the whole, and the losses count the rest: with 0.5, to
        halve one is worth as much as to halve the other. Other readers, such as people, then see less error.

    Raises
    ------
    InvalidInputError
        If a reader is no function, or the numbers are not as described.
    """

    readers: Sequence[Reader]
    weights: Sequence[float] | None = None
    fidelity: float = 0.0

    def __post_init__(self) -> None:
        readers = tuple(self.readers) if isinstance(self.readers, Sequence) else (self.readers,)
        wrong = [type(one).__name__ for one in readers if not callable(one)]
        if wrong or not readers:
            got = wrong[0] if wrong else "no reader"
            raise InvalidInputError(f"a reader is a function of the original pixels, or several are a list; got {got}")
        weights = (1.0,) * len(readers) if self.weights is None else tuple(self.weights)
        if len(weights) != len(readers):
            raise InvalidInputError(f"expected a weight for each of {len(readers)} readers, got {len(weights)}")
        object.__setattr__(self, "readers", readers)
        object.__setattr__(self, "weights", tuple(real_number(weight, "the weight of a reader") for weight in weights))
        object.__setattr__(self, "fidelity", real_number(self.fidelity, "fidelity", or_zero=True))
        if self.fidelity >= 1:
            raise InvalidInputError(f"fidelity is a share below 1, got {self.fidelity!r}")


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

    def priced(self, decoded: Pixels) -> Judge:
        """The judge to whom plain squared error counts its share of the whole at these decoded pixels."""
        share = self.readers.fidelity
        square = self._mean_square(decoded) if share else 0.0
        return replace(self, price=share / (1 - share) * self.verdict(decoded).loss / square) if square else self

    def verdict(self, decoded: Pixels) -> Verdict:
        """Losses of decoded pixels."""
        return self._verdict(decoded, [_loss_of(reading, decoded) for reading in self.readings])

    def gradient(self, decoded: Pixels) -> tuple[Verdict, npt.NDArray[np.float32]]:
        """Losses of decoded pixels, and the gradient of what the loop lowers."""
        answers = [_gradient_of(reading, decoded) for reading in self.readings]
        total = np.zeros(decoded.shape, np.float32)
        for (_, gradient), weight in zip(answers, self._weights, strict=True):
            total += np.float32(weight) * gradient
        if self.price:
            total += np.float32(2 * self.price / decoded.size) * (decoded.astype(np.float32) - self.original)
        return self._verdict(decoded, [loss for loss, _ in answers]), total

    def sensitivity(self, height: int, width: int) -> npt.NDArray[np.float64] | None:
        """What a squared error of each pixel costs, shape (height, width); None where a reading does not know it.

        Each reading has the same say, whatever its unit, times its weight.
        """
        total = np.zeros((height, width))
        for reading, weight in zip(self.readings, self._weights, strict=True):
            known = getattr(reading, "sensitivity", None)
            values = None if known is None else known()
            if values is None:
                return None
            total += weight * _of_mean_1(_checked_sensitivity(values, (height, width)))
        return total

    def evened(self, sensitivity: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """A sensitivity of which plain squared error, which counts the same everywhere, has its share."""
        share = self.readers.fidelity
        return (1 - share) * _of_mean_1(sensitivity) + share if share else sensitivity

    def agrees(self, decoded: Pixels) -> bool:
        """Whether the decision of each reader is that on the original."""
        decisions = [getattr(reading, "agrees", None) for reading in self.readings]
        if None in decisions:
            raise InvalidInputError("the reader makes no decisions: its reading has no method agrees(decoded)")
        return all(bool(agrees(decoded)) for agrees in decisions if agrees is not None)

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
    readings = tuple(one(original) for one in readers.readers)
    for reading in readings:
        if not callable(reading) and not callable(getattr(reading, "loss", None)):
            raise InvalidInputError(f"a reader gives a function of decoded pixels, got {_kind(reading)}")
    return Judge(readings, readers, original)


def readers_of(reader: Reader | Readers | Sequence[Reader]) -> Readers:
    """One or several readers as `Readers`, checked."""
    if isinstance(reader, Readers):
        return reader
    return Readers(reader if isinstance(reader, Sequence) else [reader])


def _loss_of(reading: Reading, decoded: Pixels) -> float:
    alone = getattr(reading, "loss", None)
    return _gradient_of(reading, decoded)[0] if alone is None else _loss(alone(decoded))


def _gradient_of(reading: Reading, decoded: Pixels) -> tuple[float, npt.NDArray[np.float32]]:
    answer = reading(decoded)
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise InvalidInputError(f"a reader gives a loss and a gradient, got {_kind(answer)}")
    gradient = np.asarray(answer[1])
    if gradient.shape != decoded.shape or gradient.dtype.kind != "f":
        found = f"{gradient.dtype} of shape {gradient.shape}"
        raise InvalidInputError(f"a reader gives a gradient of floats of shape {decoded.shape}, got {found}")
    if not np.isfinite(gradient).all():
        raise InvalidInputError("a reader gives a finite gradient, got NaN or infinity")
    return _loss(answer[0]), gradient.astype(np.float32)


def _checked_sensitivity(values: object, shape: tuple[int, int]) -> npt.NDArray[np.float64]:
    array = np.asarray(values)
    if array.shape != shape or array.dtype.kind != "f":
        found = f"{array.dtype} of shape {array.shape}"
        raise InvalidInputError(f"a reader gives a sensitivity of floats of shape {shape}, got {found}")
    if not np.isfinite(array).all() or array.min() < 0:
        raise InvalidInputError("a reader gives a sensitivity of finite numbers from 0 on, got others")
    return array.astype(np.float64)


def _of_mean_1(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    mean = values.mean()
    return values / mean if mean > 0 else values


def _loss(value: object) -> float:
    if not isinstance(value, (Real, np.floating)) or not np.isfinite(float(value)):
        raise InvalidInputError(f"a reader gives a loss that is a finite number, got {value!r}")
    return float(value)


def _kind(value: object) -> str:
    return f"a {type(value).__name__}"
