"""Check numbers that callers pass, of Python or of numpy, and convert them to plain ``int`` and ``float``."""

from __future__ import annotations

import math
import operator
from numbers import Real

from optcodec.errors import InvalidInputError

__all__ = ["real_number", "whole_number"]


def whole_number(value: object, what: str, least: int, most: int | None = None) -> int:
    """Check that a value is a whole number within a range.

    Parameters
    ----------
    value : object
        An ``int``, an integer of numpy, or another object with ``__index__``.
    what : str
        Name of the value in the error message.
    least, most : int
        Smallest and largest number allowed; without `most` there is no upper limit.

    Returns
    -------
    int

    Raises
    ------
    InvalidInputError
        If the value has another type, which includes bool and float, or is out of range.
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is None or number < least or (most is not None and number > most):
        expected = f"from {least} on" if most is None else f"in {least}..{most}"
        raise InvalidInputError(f"{what} is a whole number {expected}, got {value!r}")
    return number


def real_number(value: object, what: str, *, or_zero: bool = False) -> float:
    """Check that a value is a finite number above 0.

    Parameters
    ----------
    value : object
        An ``int``, a ``float``, a number of numpy, or another real number.
    what : str
        Name of the value in the error message.
    or_zero : bool
        Whether 0 is allowed, too.

    Returns
    -------
    float or int
        An ``int`` for integer types, otherwise a ``float``.

    Raises
    ------
    InvalidInputError
        If the value has another type, which includes bool, is negative, or is not finite.
    """
    number = _plain(value)
    if number is None or number < 0 or (number == 0 and not or_zero):
        raise InvalidInputError(f"{what} is a finite number {'from 0 on' if or_zero else 'above 0'}, got {value!r}")
    return number


def _plain(value: object) -> float | None:
    """Convert a value to ``int`` or ``float``; return None if it is not a number, or not finite."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except OverflowError:  # for whole numbers and fractions that are larger than any float
        return None
    if not math.isfinite(number):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return number
