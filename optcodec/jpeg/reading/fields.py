"""Read the payload of a marker segment field by field."""

from __future__ import annotations

from optcodec.errors import MalformedJpegError
from optcodec.jpeg.segments import Segment
from optcodec.notices import Finding, Tolerate, refuse

__all__ = ["Fields"]


class Fields:
    """Reads the payload of a segment from front to back and knows where it is in the file.

    Parameters
    ----------
    segment : Segment
        The segment to read.
    tolerate : callable
        Called with the `Finding` when `expect` fails; by default it raises.
    """

    def __init__(self, segment: Segment, tolerate: Tolerate = refuse) -> None:
        self._segment = segment
        self._tolerate = tolerate
        self._position = 0

    def __bool__(self) -> bool:
        return self._position < len(self._segment.payload)

    def take(self, nbytes: int) -> bytes:
        """Read the next bytes; raise `MalformedJpegError` if the payload is too short."""
        taken = self._segment.payload[self._position : self._position + nbytes]
        if len(taken) < nbytes:
            length = len(self._segment.payload)
            message = f"{self._segment.name} has {length} bytes of payload, needs {self._position + nbytes} or more"
            raise MalformedJpegError(message, self._segment.offset)
        self._position += nbytes
        return taken

    def u8(self) -> int:
        """Read an 8-bit number."""
        return self.take(1)[0]

    def u16(self) -> int:
        """Read a 16-bit number."""
        return int.from_bytes(self.take(2))

    def nibbles(self) -> tuple[int, int]:
        """Read two 4-bit numbers, the upper one first."""
        value = self.u8()
        return value >> 4, value & 15

    def check(self, good: bool, message: str) -> None:
        """Raise `MalformedJpegError`, at the last byte read, unless ``good``."""
        if not good:
            refuse(self._finding(message, ""))

    def expect(self, good: bool, message: str, remedy: str) -> None:
        """Pass a `Finding`, at the last byte read, to `tolerate` unless ``good``; `remedy` says what is done then."""
        if not good:
            self._tolerate(self._finding(message, remedy))

    def _finding(self, message: str, remedy: str) -> Finding:
        offset = self._segment.payload_offset + max(0, self._position - 1)
        return Finding(f"{self._segment.name}: {message}", offset, remedy)

    def end(self) -> None:
        """Raise `MalformedJpegError` if the payload has more bytes."""
        excess = len(self._segment.payload) - self._position
        self.check(excess == 0, f"{excess} bytes more than its content needs")
