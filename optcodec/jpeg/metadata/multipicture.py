"""Multi-Picture Format: offsets to pictures behind the first one (CIPA DC-007, 5.2).

An APP2 segment ``MPF\\0`` holds a TIFF structure with 16 bytes for each picture: attributes (4), size (4), offset (4)
from the beginning of that structure, 0 for the first picture, two numbers of dependent pictures (2 + 2). When the
first picture gets another size, the others, such as the gain map of an HDR photograph, lie somewhere else.
"""

from __future__ import annotations

import struct

from optcodec.jpeg.metadata.values import CarriedSegment, Metadata

__all__ = ["repointed"]

_SIGNATURE, _MARKER = b"MPF\0", 0xE2
_ENTRIES = 0xB002  # tag of the list of pictures
_ENTRY_NBYTES = 16


def repointed(data: bytes, metadata: Metadata) -> bytes:
    """A file with the offsets and sizes that are right once the trailer of its metadata is put behind it.

    Parameters
    ----------
    data : bytes
        From SOI to EOI, with the segments of the metadata.
    metadata : Metadata
        As it was read. A list of pictures that is damaged is left as it is, and so are offsets to other places.
    """
    for segment in metadata.segments or ():
        entries = _entries(segment)
        start = data.find(segment.payload) if entries else -1
        if entries and start >= 0:
            order, first, count = entries
            payload = bytearray(segment.payload)
            for place in range(first, first + count * _ENTRY_NBYTES, _ENTRY_NBYTES):
                _repoint(payload, order, place, segment.offset, start, metadata.trailer_offset, len(data))
            data = data[:start] + bytes(payload) + data[start + len(payload) :]
    return data


def _repoint(payload: bytearray, order: str, place: int, old: int, new: int, before: int, after: int) -> None:
    """Change one entry: the payload moves from byte `old` to byte `new`, the trailer from `before` to `after`."""
    size, offset = struct.unpack_from(f"{order}II", payload, place + 4)
    if offset == 0:
        size = after
    elif old + len(_SIGNATURE) + offset >= before:
        offset += (after - new) - (before - old)
    if 0 <= offset < 1 << 32:
        struct.pack_into(f"{order}II", payload, place + 4, size, offset)


def _entries(segment: CarriedSegment) -> tuple[str, int, int] | None:
    """Byte order of a list of pictures, where in the payload it begins, how many there are; None if there is none."""
    if segment.marker != _MARKER or not segment.payload.startswith(_SIGNATURE):
        return None
    tiff = segment.payload[len(_SIGNATURE) :]
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return None
    try:
        (directory,) = struct.unpack_from(f"{order}I", tiff, 4)
        (fields,) = struct.unpack_from(f"{order}H", tiff, directory)
        for number in range(fields):
            tag, _, nbytes, start = struct.unpack_from(f"{order}HHII", tiff, directory + 2 + 12 * number)
            if tag == _ENTRIES and directory + 2 + 12 * fields <= start <= len(tiff) - nbytes:
                return order, len(_SIGNATURE) + start, nbytes // _ENTRY_NBYTES
    except struct.error:  # it ends too early
        pass
    return None
