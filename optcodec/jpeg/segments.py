"""The marker segments of a JPEG file, found without decoding anything (ITU-T T.81, B.1).

A file is a chain of marker segments; after each SOS comes the entropy-coded data of its scan::

    FF D8                               SOI
    [FF ...] FF mm  Lh Ll  payload      a segment; any number of FF may fill the space before it (B.1.1.2)
    FF DA    Lh Ll  payload  data       SOS; in the data FF 00 stands for the byte FF, FF D0..D7 are restart markers
    FF D9                               EOI; what follows is no part of the image

Only the standard library is imported here, so that listing the segments of a file costs no start-up time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from optcodec.errors import InvalidInputError, MalformedJpegError

__all__ = ["SEGMENT_LIMIT", "Segment", "marker_name", "read_segments", "segment_bytes"]

SEGMENT_LIMIT = 65533  # bytes of payload; a length field counts itself

_NAMES = {
    0xC4: "DHT",
    0xC8: "JPG",
    0xCC: "DAC",
    0xD8: "SOI",
    0xD9: "EOI",
    0xDA: "SOS",
    0xDB: "DQT",
    0xDC: "DNL",
    0xDD: "DRI",
    0xDE: "DHP",
    0xDF: "EXP",
    0xFE: "COM",
}
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_STAND_ALONE = (_SOI, _EOI)  # markers without a length, besides RST0..RST7, which stand inside the data of a scan
_END_OF_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_FILL = re.compile(rb"\xff+")


@dataclass(frozen=True)
class Segment:
    """One marker segment and, after SOS, the entropy-coded data behind it.

    Parameters
    ----------
    marker : int
        Second byte of the marker, 0xC0..0xFE.
    name : str
        Name in T.81, Table B.1, such as ``"SOF0"`` or ``"APP2"``.
    offset : int
        Position in the file, in bytes, of the first byte: a fill byte or the FF of the marker.
    nbytes : int
        Size in bytes of fill bytes, marker, length and payload; the entropy-coded data is not counted.
    payload : bytes
        What follows the length.
    data_nbytes : int
        Size in bytes of the entropy-coded data behind an SOS, restart markers and stuffed zeros included.
    """

    marker: int
    name: str
    offset: int
    nbytes: int
    payload: bytes = field(default=b"", repr=False)
    data_nbytes: int = 0

    @property
    def payload_offset(self) -> int:
        """Position in the file of the first byte of the payload."""
        return self.offset + self.nbytes - len(self.payload)

    @property
    def data_offset(self) -> int:
        """Position in the file of the first byte behind the segment: of an SOS, the entropy-coded data."""
        return self.offset + self.nbytes

    @property
    def end(self) -> int:
        """Position in the file of the next segment."""
        return self.offset + self.nbytes + self.data_nbytes


def marker_name(marker: int) -> str:
    """Name of a marker in T.81, Table B.1, given its second byte."""
    if marker in _NAMES:
        return _NAMES[marker]
    for first, last, name in ((0xC0, 0xCF, "SOF"), (0xD0, 0xD7, "RST"), (0xE0, 0xEF, "APP"), (0xF0, 0xFD, "JPG")):
        if first <= marker <= last:
            return f"{name}{marker - first}"
    return "TEM" if marker == 0x01 else f"RES {marker:02X}"


def segment_bytes(marker: int, payload: bytes) -> bytes:
    """A whole segment: marker, given its second byte; length, which counts its own two bytes; payload."""
    return bytes([0xFF, marker]) + (len(payload) + 2).to_bytes(2) + payload


def read_segments(data: bytes) -> tuple[Segment, ...]:
    """List the segments of a JPEG file, from SOI to EOI.

    Parameters
    ----------
    data : bytes
        The whole file. What follows EOI is left alone: its size is ``len(data) - segments[-1].end``.

    Returns
    -------
    tuple of Segment
        In file order and without gaps: each begins at the `Segment.end` of the one before.

    Raises
    ------
    InvalidInputError
        If `data` is not bytes.
    MalformedJpegError
        If there is no SOI, something other than a marker stands between segments, a length is wrong, or the file ends
        before EOI.
    """
    if not isinstance(data, bytes):
        raise InvalidInputError(f"a JPEG file is given as bytes, got {type(data).__name__}")
    if data[:2] != b"\xff\xd8":
        found = data[:2].hex(" ") or "an empty file"
        raise MalformedJpegError(f"a JPEG file begins with the marker SOI (ff d8), found {found}", 0)
    segments = [Segment(_SOI, "SOI", 0, 2)]
    while segments[-1].marker != _EOI:
        segments.append(_segment_at(data, segments[-1].end))
    return tuple(segments)


def _segment_at(data: bytes, offset: int) -> Segment:
    """The segment that begins at an offset."""
    fill = _FILL.match(data, offset)
    position = fill.end() - 1 if fill else offset  # the last FF belongs to the marker
    if position + 2 > len(data):
        raise MalformedJpegError("the file ends where a marker is expected; EOI (ff d9) is missing", len(data))
    if data[position] != 0xFF:
        raise MalformedJpegError(f"expected a marker (ff ..), found {data[position : position + 2].hex(' ')}", position)
    marker = data[position + 1]
    name = marker_name(marker)
    if marker == _EOI:
        return Segment(marker, name, offset, position + 2 - offset)
    if marker < 0xC0 or marker in _STAND_ALONE or name.startswith("RST"):
        raise MalformedJpegError(f"expected a segment or EOI, found the marker {name} (ff {marker:02x})", position)
    start = position + 4
    length = int.from_bytes(data[position + 2 : start])
    if start > len(data) or position + 2 + length > len(data):
        wanted = f"needs {length} bytes" if start <= len(data) else "has no length"
        raise MalformedJpegError(f"truncated {name}: it {wanted}, the file ends after {len(data)}", position)
    if length < 2:
        raise MalformedJpegError(f"the length of {name} counts itself and is at least 2, found {length}", position + 2)
    end = position + 2 + length
    data_nbytes = _scan_end(data, end) - end if marker == _SOS else 0
    return Segment(marker, name, offset, end - offset, data[start:end], data_nbytes)


def _scan_end(data: bytes, start: int) -> int:
    """Where the entropy-coded data that begins at ``start`` ends: at the next marker that is no restart marker."""
    match = _END_OF_SCAN.search(data, start)
    if match is None:
        raise MalformedJpegError("truncated scan: the file ends before a marker; EOI (ff d9) is missing", len(data))
    end = match.start()
    while end > start and data[end - 1] == 0xFF:  # an FF of the image would have a stuffed zero behind it
        end -= 1
    return end
