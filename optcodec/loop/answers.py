"""What readings answer, checked: readers may be functions of the user's own."""

from __future__ import annotations

from numbers import Real

import numpy as np
import numpy.typing as npt

from optcodec.errors import InvalidInputError
from optcodec.loop.reader import Reading

__all__ = ["agrees_on", "checked_reading", "gradient_of", "increase_of", "kind_of", "loss_of", "sensitivity_of"]

Pixels = npt.NDArray[np.uint8]

_NO_DECISIONS = (
    "the reader makes no decisions: its reading has no method {}(decoded); expected a classifier, or another target"
)


def checked_reading(reading: Reading) -> Reading:
    """What a reader returned for a picture, which has a loss at least."""
    if not callable(reading) and not callable(getattr(reading, "loss", None)):
        raise InvalidInputError(f"a reader gives a function of decoded pixels, got {kind_of(reading)}")
    return reading


def loss_of(reading: Reading, decoded: Pixels) -> float:
    """The loss of decoded pixels."""
    alone = getattr(reading, "loss", None)
    return gradient_of(reading, decoded)[0] if alone is None else _finite(alone(decoded))


def gradient_of(reading: Reading, decoded: Pixels) -> tuple[float, npt.NDArray[np.float32]]:
    """The loss of decoded pixels, and its gradient."""
    answer = reading(decoded)
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise InvalidInputError(f"a reader gives a loss and a gradient, got {kind_of(answer)}")
    gradient = np.asarray(answer[1])
    if gradient.shape != decoded.shape or gradient.dtype.kind != "f":
        found = f"{gradient.dtype} of shape {gradient.shape}"
        raise InvalidInputError(f"a reader gives a gradient of floats of shape {decoded.shape}, got {found}")
    if not np.isfinite(gradient).all():
        raise InvalidInputError("a reader gives a finite gradient, got NaN or infinity")
    return _finite(answer[0]), gradient.astype(np.float32)


def sensitivity_of(reading: Reading, shape: tuple[int, int]) -> npt.NDArray[np.float64] | None:
    """What a squared error of each pixel costs, or None if the reading does not know it."""
    known = getattr(reading, "sensitivity", None)
    values = None if known is None else known()
    if values is None:
        return None
    array = np.asarray(values)
    if array.shape != shape or array.dtype.kind != "f":
        found = f"{array.dtype} of shape {array.shape}"
        raise InvalidInputError(f"a reader gives a sensitivity of floats of shape {shape}, got {found}")
    if not np.isfinite(array).all() or array.min() < 0:
        raise InvalidInputError("a reader gives a sensitivity of finite numbers from 0 on, got others")
    return array.astype(np.float64)


def increase_of(reading: Reading, decoded: Pixels) -> float:
    """By how much the loss of the decision on the original is larger on decoded pixels."""
    increase = getattr(reading, "loss_increase", None)
    if increase is None:
        raise InvalidInputError(_NO_DECISIONS.format("loss_increase"))
    return _finite(increase(decoded))


def agrees_on(reading: Reading, decoded: Pixels) -> bool:
    """Whether the decision on decoded pixels is that on the original."""
    agrees = getattr(reading, "agrees", None)
    if agrees is None:
        raise InvalidInputError(_NO_DECISIONS.format("agrees"))
    return bool(agrees(decoded))


def kind_of(value: object) -> str:
    """The type of a value, for messages."""
    return f"a {type(value).__name__}"


def _finite(value: object) -> float:
    if not isinstance(value, (Real, np.floating)) or not np.isfinite(float(value)):
        raise InvalidInputError(f"a reader gives a loss that is a finite number, got {value!r}")
    return float(value)
