"""A JPEG file taken apart, so that it can be changed and put together again, right or wrong."""

from __future__ import annotations

from dataclasses import dataclass

from optcodec.jpeg.segments import read_segments

__all__ = ["DHT", "DNL", "DQT", "DRI", "SOF", "SOS", "Piece", "joined", "of_kind", "pieces_of"]

SOF, DHT, SOS, DQT, DNL, DRI = (0xC0, 0xC1, 0xC2), (0xC4,), (0xDA,), (0xDB,), (0xDC,), (0xDD,)
_ALONE = (0xD8, 0xD9)  # SOI and EOI have no length


@dataclass
class Piece:
    """A marker segment, and all that may be wrong with it.

    Parameters
    ----------
    marker : int
        Second byte of the marker.
    payload : bytearray
        What follows the length.
    data : bytearray
        What follows the segment: the entropy-coded data of a scan, garbage elsewhere.
    length_error : int
        What is added to the length.
    fill : int
        Bytes FF before the marker.
    """

    marker: int
    payload: bytearray
    data: bytearray
    length_error: int = 0
    fill: int = 0

    def copy(self) -> Piece:
        """The same with bytes of its own."""
        return Piece(self.marker, bytearray(self.payload), bytearray(self.data), self.length_error, self.fill)

    def __bytes__(self) -> bytes:
        length = (len(self.payload) + 2 + self.length_error) % (1 << 16)
        body = b"" if self.marker in _ALONE else length.to_bytes(2, "big") + self.payload
        return b"\xff" * self.fill + bytes([0xFF, self.marker]) + body + self.data


def pieces_of(data: bytes) -> list[Piece]:
    """The pieces of a file that is right."""
    segments = read_segments(data)
    return [
        Piece(part.marker, bytearray(part.payload), bytearray(data[part.data_offset : part.end])) for part in segments
    ]


def joined(pieces: list[Piece]) -> bytes:
    """The file of the pieces."""
    return b"".join(map(bytes, pieces))


def of_kind(pieces: list[Piece], markers: tuple[int, ...]) -> list[Piece]:
    """Those with one of the markers."""
    return [piece for piece in pieces if piece.marker in markers]
