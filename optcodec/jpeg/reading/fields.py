"""The payload of a marker segment, read field by field."""

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
        What is read.
    tolerate : callable
        Takes what `expect` finds wrong; by default it is refused.
    """

    def __init__(self, segment: Segment, tolerate: Tolerate = refuse) -> None:
        self._segment = segment
        self._tolerate = tolerate
        self._position = 0

    def __bool__(self) -> bool:
        return self._position < len(self._segment.payload)

    def take(self, nbytes: int) -> bytes:
        taken = self._segment.payload[self._position : self._position + nbytes]
        if len(taken) < nbytes:
            length = len(self._segment.payload)
            message = f"{self._segment.name} has {length} bytes of payload, needs {self._position + nbytes} or more"
            raise MalformedJpegError(message, self._segment.offset)
        self._position += nbytes
        return taken

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return int.from_bytes(self.take(2))

    def nibbles(self) -> tuple[int, int]:
        value = self.u8()
        return value >> 4, value & 15

    def check(self, good: bool, message: str) -> None:
        """Refuse the segment, at the last byte taken, unless ``good``."""
        if not good:
            refuse(self._finding(message, ""))

    def expect(self, good: bool, message: str, done: str) -> None:
        """Let it be refused or tolerated, at the last byte taken, unless ``good``."""
        if not good:
            self._tolerate(self._finding(message, done))

    def _finding(self, message: str, done: str) -> Finding:
        at = self._segment.payload_offset + max(0, self._position - 1)
        return Finding(f"{self._segment.name}: {message}", at, done)

    def end(self) -> None:
        rest = len(self._segment.payload) - self._position
        self.check(rest == 0, f"{rest} bytes more than its content needs")
