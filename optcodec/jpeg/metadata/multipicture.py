"""Multi-Picture Format: correct the offsets to the pictures that follow the first one (CIPA DC-007, 5.2).

An APP2 segment ``MPF\\0`` holds a TIFF structure with 16 bytes for each picture: attributes (4), size (4), offset (4)
from the beginning of that structure, 0 for the first picture, two numbers of dependent pictures (2 + 2). When the
first picture is coded anew, its size changes, and the others, such as the gain map of an HDR photograph, move.
"""

from __future__ import annotations

import struct

from optcodec.jpeg.metadata.values import CarriedSegment, Metadata

__all__ = ["repointed"]

_SIGNATURE, _MARKER = b"MPF\0", 0xE2
_PICTURES_TAG = 0xB002  # "MP Entry": the list of pictures
_ENTRY_NBYTES = 16


def repointed(data: bytes, metadata: Metadata) -> bytes:
    """Correct the offsets and sizes in the list of pictures for a file that the trailer of its metadata will follow.

    Parameters
    ----------
    data : bytes
        The file from SOI to EOI, with the segments of the metadata.
    metadata : Metadata
        As it was read. A damaged list of pictures is not changed, and neither are offsets that do not point into the
        trailer.

    Returns
    -------
    bytes
        The file, without the trailer.
    """
    for segment in metadata.segments or ():
        pictures = _picture_list(segment)
        start = data.find(segment.payload) if pictures else -1
        if pictures and start >= 0:
            order, first, count = pictures
            payload = bytearray(segment.payload)
            for entry in range(first, first + count * _ENTRY_NBYTES, _ENTRY_NBYTES):
                _repoint(payload, order, entry, (segment.offset, start), (metadata.trailer_offset, len(data)))
            data = data[:start] + bytes(payload) + data[start + len(payload) :]
    return data


def _repoint(
    payload: bytearray, order: str, entry: int, payload_at: tuple[int, int], trailer_at: tuple[int, int]
) -> None:
    """Correct the entry at byte `entry` of the payload, given where payload and trailer begin, before and after."""
    size, offset = struct.unpack_from(f"{order}II", payload, entry + 4)
    if offset == 0:
        size = trailer_at[1]
    elif payload_at[0] + len(_SIGNATURE) + offset >= trailer_at[0]:
        offset += (trailer_at[1] - payload_at[1]) - (trailer_at[0] - payload_at[0])
    if 0 <= offset < 1 << 32:
        struct.pack_into(f"{order}II", payload, entry + 4, size, offset)


def _picture_list(segment: CarriedSegment) -> tuple[str, int, int] | None:
    """Return byte order, first byte in the payload and length of a list of pictures; None if the segment has none."""
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
            if tag == _PICTURES_TAG and directory + 2 + 12 * fields <= start <= len(tiff) - nbytes:
                return order, len(_SIGNATURE) + start, nbytes // _ENTRY_NBYTES
    except struct.error:  # the directory ends too early
        pass
    return None
