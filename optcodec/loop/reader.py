"""Readers: whatever takes a decoded picture and says how bad it is, and what change of its pixels would be better.

A reader is a function of the picture that is to be coded. It returns a *reading*, a function of decoded pixels, which
returns a loss and its gradient. The loop knows nothing else of networks, receivers or measures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from optcodec.errors import InvalidInputError
from optcodec.scalars import real_number, whole_number
from optcodec.values import Value

__all__ = ["MAX_ROUNDS", "Pace", "Reader", "Readers", "Reading", "readers_of"]

Pixels = npt.NDArray[np.uint8]
Gradient = npt.NDArray[np.floating[Any]]

MAX_ROUNDS = 1000


@dataclass(frozen=True)
class Pace(Value):
    """How fast the loop follows a gradient.

    Parameters
    ----------
    share : float
        How many indices follow the gradient at first, as a part of those that are not 0. What suits a reader depends on
        how far its gradient holds. The default is for the decisions of networks; a squared error, whose gradient
        changes slowly, allows 0.3.
    hold : float
        What the error against the original counts in each step, over what keeps changes small: it brings indices back
        that no longer pay.
    rounds : int
        How many gradients the loop asks for where the user does not say it. With SqueezeNet 1.1 on 24 photographs, at
        7 % fewer bytes than default JPEG of quality 20, the divergence falls to a part of 0.24 with 4, of 0.16 with 8
        and of 0.11 with 16. Twice the share does as well.

    Raises
    ------
    InvalidInputError
        If the share is not above 0, `hold` below 0, or `rounds` is no number from 0 to 1000.
    """

    share: float = 0.06
    hold: float = 0.3
    rounds: int = 16

    def __post_init__(self) -> None:
        object.__setattr__(self, "share", real_number(self.share, "the share of indices that follow a gradient"))
        object.__setattr__(self, "hold", real_number(self.hold, "hold", or_zero=True))
        whole_number(self.rounds, "rounds", 0, MAX_ROUNDS)


class Reading(Protocol):
    """How bad decoded pixels of one picture are to its reader.

    A reading may also have a method ``loss(decoded)`` that returns the loss alone, where that takes less time. A reader
    that makes a decision may have a method ``agrees(decoded)`` that tells whether it is that on the original, and a
    method ``loss_increase(decoded)`` that tells by how much the loss of that decision has grown. Where a reader knows
    how much errors of each pixel cost before there are any, a method ``sensitivity()`` returns that: shape (height,
    width), at least 0, in any unit, or None. By default it is the squared gradient at a first file. What has no
    gradient may have the method ``loss`` only: then the encoder chooses among whole files. Where a reader sees more of
    a file than its pixels, a method ``of_file(data)`` returns the reading for the pixels of this JPEG file; the
    sensitivity is asked of the reading of the first file. What a reader needs besides, and other decoders skip, such as
    an application segment, a method ``left_in(data)`` puts into the file at the end: it returns the file with it, which
    has at most as many bytes more as an attribute ``left_nbytes`` says; a size that is asked for has room for them. An
    attribute ``pace``, a `Pace`, says how fast the loop may
    follow the gradient.
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


def readers_of(reader: Reader | Readers | Sequence[Reader]) -> Readers:
    """One or several readers as `Readers`, checked."""
    if isinstance(reader, Readers):
        return reader
    return Readers(reader if isinstance(reader, Sequence) else [reader])
