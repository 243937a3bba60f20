"""The errors of optcodec.

::

    OptcodecError
    ├── InvalidInputError       you called it wrongly: shape, dtype, range, options that exclude one another
    │   ├── TargetNotMetError   the request is sound, but no table reaches it
    │   └── DiskFullError       an output does not fit on its disk, and others there would not either
    ├── MalformedJpegError      the file breaks ITU-T T.81
    └── UnsupportedJpegError    a legal file of a kind that is not handled here (arithmetic coding, 12 bit, ...)

Every message holds the value that was met and the value that was expected. What the reader of JPEG files tolerates is
no error: it warns with a `JpegWarning`.
"""

from __future__ import annotations

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
    """Root of every error that optcodec raises on purpose."""


class InvalidInputError(OptcodecError, ValueError):
    """An argument has the wrong type, shape or range, or two arguments exclude one another."""


class TargetNotMetError(InvalidInputError):
    """No quantization table reaches the target that was asked for."""


class DiskFullError(InvalidInputError):
    """The disk of an output is full, or its quota is used up."""


class MalformedJpegError(OptcodecError):
    """The bytes are not a JPEG file that follows ITU-T T.81.

    Parameters
    ----------
    message : str
        What was found and what was expected.
    offset : int
        Position in the file, in bytes, where it was noticed.
    """

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message, offset)  # all that it is made of, so that it can be pickled
        self.offset = offset

    def __str__(self) -> str:
        message, offset = self.args
        return f"{message} (at byte {offset})"


class UnsupportedJpegError(OptcodecError):
    """The file is legal, but of a kind that optcodec does not handle."""


class JpegWarning(UserWarning):
    """A JPEG file breaks ITU-T T.81 in a way that is tolerated; the message says what was found, and what was done."""
