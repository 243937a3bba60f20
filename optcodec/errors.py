"""The errors and warnings of optcodec.

::

    OptcodecError
    ├── InvalidInputError       a wrong argument: its shape, dtype or range, or arguments that exclude one another
    │   ├── TargetNotMetError   a valid target that no quantization table reaches
    │   └── DiskFullError       the disk of an output file is full, so further files would fail as well
    ├── MalformedJpegError      a file that breaks ITU-T T.81
    └── UnsupportedJpegError    a legal file of a kind that optcodec does not read (arithmetic coding, 12 bit, ...)

Every message has the value that was found and the value that is expected. Breaches of T.81 that the reader tolerates
raise no error but a `JpegWarning`.
"""

from __future__ import annotations

import math

__all__ = [
    "DiskFullError",
    "InvalidInputError",
    "JpegWarning",
    "MalformedJpegError",
    "OptcodecError",
    "TargetNotMetError",
    "UnsupportedJpegError",
]


class OptcodecError(Exception):
    """Root of all errors that optcodec raises on purpose."""


class InvalidInputError(OptcodecError, ValueError):
    """An argument has the wrong type, shape or range, or two arguments exclude one another."""


class TargetNotMetError(InvalidInputError):
    """No quantization table reaches the requested target.

    Attributes
    ----------
    nearest : float
        The measure of the file that came nearest, as the target measures it: the lower, the nearer; infinite if there
        was none.
    """

    nearest: float = math.inf


class DiskFullError(InvalidInputError):
    """The disk of an output file is full, or its quota is used up."""


class MalformedJpegError(OptcodecError):
    """The bytes are not a JPEG file that follows ITU-T T.81.

    Parameters
    ----------
    message : str
        What was found and what was expected.
    offset : int
        Position in the file, in bytes, of the error.
    """

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message, offset)  # both arguments, so that the error can be pickled
        self.offset = offset

    def __str__(self) -> str:
        message, offset = self.args
        return f"{message} (at byte {offset})"


class UnsupportedJpegError(OptcodecError):
    """The file is legal, but of a kind that optcodec does not read."""


class JpegWarning(UserWarning):
    """A JPEG file breaks ITU-T T.81 in a way that is tolerated; the message says what was found and what was done."""
