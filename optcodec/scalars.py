"""Numbers that callers hand over: those of Python and of numpy alike, kept as plain ``int`` and ``float``."""

from __future__ import annotations

import math
import operator
from numbers import Real

from optcodec.errors import InvalidInputError

__all__ = ["real_number", "whole_number"]


def whole_number(value: object, what: str, least: int, most: int | None = None) -> int:
    """A whole number that a caller hands over.

    Parameters
    ----------
    value : object
        An ``int``, an integer of numpy, or whatever else counts as an index in Python.
    what : str
        What it is, for the message.
    least, most : int
        Range; without `most` there is no upper end.

    Returns
    -------
    int

    Raises
    ------
    InvalidInputError
        If it is something else (a bool and a float with a whole value, too), or out of range.
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
    """A finite number above 0 that a caller hands over.

    Parameters
    ----------
    value : object
        An ``int``, a ``float``, a number of numpy, or another real number.
    what : str
        What it is, for the message.
    or_zero : bool
        Whether 0 is one of them.

    Returns
    -------
    float or int
        A whole number stays one.

    Raises
    ------
    InvalidInputError
        If it is something else (a bool, too), negative, or not finite.
    """
    number = _plain(value)
    if number is None or number < 0 or (number == 0 and not or_zero):
        raise InvalidInputError(f"{what} is a finite number {'from 0 on' if or_zero else 'above 0'}, got {value!r}")
    return number


def _plain(value: object) -> float | None:
    """The number as Python has it; None where it is none, or not finite."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except OverflowError:  # of whole numbers and fractions that are larger than any float
        return None
    if not math.isfinite(number):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return number
