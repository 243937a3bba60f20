"""Split a JPEG file into its marker segments, without decoding anything (ITU-T T.81, B.1).

A file is a chain of marker segments; after each SOS comes the entropy-coded data of its scan::

    FF D8                               SOI
    [FF ...] FF mm  Lh Ll  payload      a segment; any number of FF may fill the space before it (B.1.1.2)
    FF DA    Lh Ll  payload  data       SOS; in the data FF 00 stands for the byte FF, FF D0..D7 are restart markers
    FF D9                               EOI; bytes behind it do not belong to the image

Bytes between two segments and missing ends are tolerated where libjpeg tolerates them (jdmarker.c, ``next_marker`` and
``read_markers``).

This module needs only the standard library, so that listing the segments of a file costs no start-up time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from optcodec.errors import InvalidInputError, MalformedJpegError
from optcodec.notices import Finding, Tolerate, refuse, refuse_without_partial

__all__ = ["EOI", "SEGMENT_LIMIT", "Segment", "file_bytes", "marker_name", "read_segments", "segment_bytes"]

SEGMENT_LIMIT = 65533  # bytes of payload: the length field has 16 bits, and counts its own two bytes
EOI = b"\xff\xd9"

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
# First bytes of other files, for messages.
_OTHERS = {b"\x89PNG": "PNG", b"GIF8": "GIF", b"RIFF": "WebP", b"BM": "BMP", b"II*\0": "TIFF", b"MM\0*": "TIFF"}
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_SKIPPED_ALONE = frozenset((0x01, *range(0xD0, 0xD8)))  # TEM and RSTn have no length and no meaning there
_SKIPPED_WITH_LENGTH = frozenset((0xDC, *range(0xE0, 0xF0), 0xFE))  # DNL, APPn and COM are not needed for decoding
_END_OF_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_MARKER = re.compile(rb"\xff[^\x00\xff]")
_FILL = re.compile(rb"\xff+")
_NO_EOI = "the file ends where a marker is expected; EOI (ff d9) is missing"
_READ_TO_THE_END = "the file was read up to there"


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
        The bytes behind the length field.
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
        """Position in the file of the first byte behind the segment; behind SOS, of the entropy-coded data."""
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
    """Write a segment: marker, given by its second byte; length, which counts its own two bytes; payload."""
    return bytes([0xFF, marker]) + (len(payload) + 2).to_bytes(2) + payload


def file_bytes(data: bytes | bytearray | memoryview) -> bytes:
    """Return a file as immutable bytes.

    Raises
    ------
    InvalidInputError
        If `data` has another type.
    """
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise InvalidInputError(f"a JPEG file is given as bytes, got {type(data).__name__}")
    return data if isinstance(data, bytes) else bytes(data)


def read_segments(data: bytes, *, tolerate: Tolerate = refuse, partial: bool = False) -> tuple[Segment, ...]:
    """List the segments of a JPEG file, from SOI to EOI.

    Parameters
    ----------
    data : bytes
        The whole file. Bytes after EOI are not read; there are ``len(data) - segments[-1].end`` of them.
    tolerate : callable
        Called with a `Finding` for each breach of T.81 that libjpeg tolerates: other bytes, restart markers or TEM
        between segments, no EOI behind the last scan, APPn and COM with a length below 2. By default it raises.
    partial : bool
        Ignore a segment behind the first scan that is cut off by the end of the file.

    Returns
    -------
    tuple of Segment
        In file order. Each begins at the `Segment.end` of the segment before it, unless bytes between them were
        skipped. The last one is EOI, unless EOI is missing.

    Raises
    ------
    InvalidInputError
        If `data` is not bytes.
    MalformedJpegError
        If there is no SOI, a length is wrong, or the file ends before its first scan; and by default for the breaches
        that may be tolerated.
    """
    data = file_bytes(data)
    if data[:2] != b"\xff\xd8":
        beginning = data[:2].hex(" ") or "an empty file"
        format_name = next((f", as of a {name} file" for start, name in _OTHERS.items() if data.startswith(start)), "")
        raise MalformedJpegError(f"a JPEG file begins with the marker SOI (ff d8), found {beginning}{format_name}", 0)
    segments = [Segment(_SOI, "SOI", 0, 2)]
    while segments[-1].marker != _EOI:
        start_and_marker = _next_marker(data, segments[-1].end, tolerate)
        if start_and_marker is None:
            _end_without_eoi(data, segments, tolerate)
            break
        start, position = start_and_marker
        reason = _truncation(data, position)
        if reason is None:
            segments.append(_segment_at(data, start, position, tolerate))
        elif _may_be_left_out(data[position + 1], segments, partial):
            tolerate(Finding(reason, position, "this segment was left out"))
            break
        else:
            helps = tolerate is not refuse and _may_be_left_out(data[position + 1], segments, True)
            (refuse_without_partial if helps else refuse)(Finding(reason, position, ""))
    return tuple(segments)


def _next_marker(data: bytes, offset: int, tolerate: Tolerate) -> tuple[int, int] | None:
    """Find the next segment: the positions of its first fill byte and of its marker; None at the end of the file."""
    match = _MARKER.match(data, offset)
    if match is not None and data[offset + 1] not in _SKIPPED_ALONE:
        return offset, offset
    start, match = offset, match or _MARKER.search(data, offset)
    while match is not None and data[match.end() - 1] in _SKIPPED_ALONE:
        start = match.end()
        match = _MARKER.search(data, start)
    begin = len(data) if match is None else match.start()
    while begin > start and data[begin - 1] == 0xFF:
        begin -= 1
    if begin > offset:
        tolerate(Finding(*_instead_of_segment(data, offset), "skipped between segments", begin - offset))
    return None if match is None else (begin, match.start())


def _instead_of_segment(data: bytes, offset: int) -> tuple[str, int]:
    """Describe the bytes at a position where a segment is expected, and return their position behind fill bytes."""
    fill = _FILL.match(data, offset)
    position = fill.end() - 1 if fill else offset
    bytes_there = data[position : position + 2]
    if bytes_there[0] != 0xFF or len(bytes_there) == 1:
        return f"expected a marker (ff ..), found {bytes_there.hex(' ')}", position
    marker = f"{marker_name(bytes_there[1])} ({bytes_there.hex(' ')})"
    return f"expected a segment or EOI, found the marker {marker}", position


def _end_without_eoi(data: bytes, segments: list[Segment], tolerate: Tolerate) -> None:
    """Report a missing EOI: tolerated if the file has a scan, refused otherwise."""
    has_scan = any(segment.marker == _SOS for segment in segments)
    (tolerate if has_scan else refuse)(Finding(_NO_EOI, len(data), _READ_TO_THE_END))


def _may_be_left_out(marker: int, segments: list[Segment], partial: bool) -> bool:
    """Tell whether a segment that is cut off by the end of the file can be ignored without changing the picture.

    Behind a scan, libjpeg skips segments that it does not need (jdmarker.c, ``skip_variable``). If another segment is
    cut off, libjpeg invents its missing bytes; in a sequential file it may decode a scan with such a header.
    """
    names = {segment.name for segment in segments}
    if "SOS" not in names:
        return False
    return marker in _SKIPPED_WITH_LENGTH or (partial and (marker != _SOS or "SOF2" in names))


def _truncation(data: bytes, position: int) -> str | None:
    """Describe the error if the file ends within the segment whose marker is at a position; None if it does not."""
    marker, start = data[position + 1], position + 4
    length = int.from_bytes(data[position + 2 : start])
    if marker < 0xC0 or marker in (_SOI, _EOI) or (start <= len(data) and position + 2 + length <= len(data)):
        return None
    problem = f"needs {length} bytes" if start <= len(data) else "has no length"
    return f"truncated {marker_name(marker)}: it {problem}, the file ends after {len(data)}"


def _segment_at(data: bytes, offset: int, position: int, tolerate: Tolerate) -> Segment:
    """Read the segment whose first byte, perhaps a fill byte, is at `offset`, and whose marker is at `position`."""
    marker = data[position + 1]
    name = marker_name(marker)
    if marker == _EOI:
        return Segment(marker, name, offset, position + 2 - offset)
    if marker < 0xC0 or marker == _SOI:
        raise MalformedJpegError(*_instead_of_segment(data, position))
    start = position + 4
    length = int.from_bytes(data[position + 2 : start])
    if length < 2:
        message = f"the length of {name} counts itself and is at least 2, found {length}"
        finding = Finding(message, position + 2, "these segments were taken as empty")
        (tolerate if marker in _SKIPPED_WITH_LENGTH else refuse)(finding)
    end = max(start, position + 2 + length)
    data_nbytes = _scan_end(data, end) - end if marker == _SOS else 0
    return Segment(marker, name, offset, end - offset, data[start:end], data_nbytes)


def _scan_end(data: bytes, start: int) -> int:
    """Find the end of the entropy-coded data that begins at `start`: the next marker that is no restart marker."""
    match = _END_OF_SCAN.search(data, start)
    end = len(data) if match is None else match.start()
    while end > start and data[end - 1] == 0xFF:  # fill bytes: an FF of the data has a stuffed zero behind it
        end -= 1
    return end
