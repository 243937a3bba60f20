"""Changes of JPEG files that mostly break them: of segments, headers, tables and entropy-coded data."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.fuzz.jpeg_pieces import DHT, DQT, DRI, SOF, SOS, Piece, of_kind

__all__ = ["DAMAGES", "damaged_bytes"]

_MARKERS = (0xC0, 0xC1, 0xC2, 0xC3, 0xC4, 0xC8, 0xC9, 0xCC, 0xD0, 0xD7, 0xD8, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xE0, 0xE1,
            0xE2, 0xEE, 0xF0, 0xFE, 0x01, 0x02)  # fmt: skip
_NUMBERS = (0, 1, 2, 7, 8, 15, 16, 63, 64, 127, 128, 254, 255)
_BODIES = (b"", b"JFIF\0", b"JFIF\0\1\1\0\0\1\0\1\0\0", b"JFIF\0\1\2\2\xff\xff\0\0\1\1", b"Exif\0\0", b"Exif\0\0MM\0*",
           b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0", b"ICC_PROFILE\0", b"ICC_PROFILE\0\1\1abc",
           b"ICC_PROFILE\0\2\1abc", b"ICC_PROFILE\0\0\0", b"Adobe", b"Adobe\0d\0\0\0\0\0", b"Adobe\0d\0\0\0\0\1",
           b"Adobe\0d\0\0\0\0\2", b"Adobe\0d\0\0\0\0\7x", b"MPF\0II*\0",
           b"http://ns.adobe.com/xap/1.0/\0<x/>")  # fmt: skip


def drop(pieces: list[Piece], source: random.Random) -> None:
    """A segment is missing."""
    if pieces:
        del pieces[source.randrange(len(pieces))]


def duplicate(pieces: list[Piece], source: random.Random) -> None:
    """A segment stands in the file once more."""
    if pieces:
        pieces.insert(source.randrange(len(pieces) + 1), source.choice(pieces).copy())


def swap(pieces: list[Piece], source: random.Random) -> None:
    """Two segments change places."""
    if pieces:
        one, other = source.randrange(len(pieces)), source.randrange(len(pieces))
        pieces[one], pieces[other] = pieces[other], pieces[one]


def reorder(pieces: list[Piece], source: random.Random) -> None:
    """Some segments in a row stand in another order."""
    first = source.randrange(len(pieces) + 1)
    part = pieces[first : first + source.randrange(2, 6)]
    source.shuffle(part)
    pieces[first : first + len(part)] = part


def change_marker(pieces: list[Piece], source: random.Random) -> None:
    """A segment has the marker of another."""
    if pieces:
        source.choice(pieces).marker = source.choice(_MARKERS) if source.random() < 0.8 else source.randrange(256)


def change_length(pieces: list[Piece], source: random.Random) -> None:
    """A length is wrong."""
    if pieces:
        source.choice(pieces).length_error = source.choice([-2, -1, 1, 2, 3, 64, -64, source.randrange(1 << 16)])


def add_garbage(pieces: list[Piece], source: random.Random) -> None:
    """Bytes stand between two segments, or behind the data of a scan."""
    if pieces:
        garbage = source.choice([b"\0", b"\xff", b"\xff\0", bytes(9), source.randbytes(3), b"\xff\xd0"])
        source.choice(pieces).data += garbage


def change_field(pieces: list[Piece], source: random.Random) -> None:
    """A byte of a header or a table has another value: sizes, factors, numbers, parameters, counts, symbols."""
    chosen = source.choice([SOF, SOS, DHT, DQT, DRI])
    part = [piece for piece in of_kind(pieces, chosen) if piece.payload]
    if part:
        payload = source.choice(part).payload
        place = source.randrange(min(len(payload), source.choice([8, 20, len(payload)])))
        changed = (payload[place] ^ 1 << source.randrange(8), payload[place] + source.choice([-1, 1]))
        payload[place] = source.choice([*changed, source.choice(_NUMBERS)]) % 256


def change_body(pieces: list[Piece], source: random.Random) -> None:
    """A header or a table ends early or goes on."""
    if pieces:
        payload = source.choice(pieces).payload
        if source.random() < 0.5:
            del payload[source.randrange(len(payload) + 1) :]
        else:
            payload += source.randbytes(source.choice([1, 2, 17, 65]))


def add_application(pieces: list[Piece], source: random.Random) -> None:
    """JFIF, Exif, profile and the like, whole or not, in any number and place."""
    marker = source.choice([0xE0, 0xE1, 0xE2, 0xEE, 0xFE])
    body = bytearray(source.choice([body for body in _BODIES if source.random() < 0.9] or [b""]))
    if body and source.random() < 0.2:
        body[source.randrange(len(body))] ^= 1 << source.randrange(8)
    where = source.randrange(min(len(pieces), 4) + 1) if source.random() < 0.7 else source.randrange(len(pieces) + 1)
    pieces.insert(where, Piece(_marker_of(bytes(body)) or marker, body, bytearray()))


def _marker_of(body: bytes) -> int | None:
    known = {b"JFIF": 0xE0, b"Exif": 0xE1, b"http": 0xE1, b"ICC_": 0xE2, b"MPF\0": 0xE2, b"Adob": 0xEE}
    return known.get(body[:4])


def damage_data(pieces: list[Piece], source: random.Random) -> None:
    """Bits of the entropy-coded data are wrong, missing or too many."""
    scans = [piece for piece in of_kind(pieces, SOS) if piece.data]
    if scans:
        data = source.choice(scans).data
        damaged = damaged_bytes(bytes(data), source)
        data[:] = damaged


def damage_markers(pieces: list[Piece], source: random.Random) -> None:
    """Restart markers are lost, moved, out of turn, or where none belong."""
    scans = [piece for piece in of_kind(pieces, SOS) if piece.data]
    if not scans:
        return
    data = source.choice(scans).data
    places = [at for at in range(len(data) - 1) if data[at] == 0xFF and 0xD0 <= data[at + 1] <= 0xD7]
    if places and source.random() < 0.7:
        at = source.choice(places)
        marker = data[at : at + 2]
        if source.random() < 0.5:
            data[at + 1] = 0xD0 + source.randrange(8)
            return
        del data[at : at + 2]
        if source.random() < 0.5:
            return
    else:
        marker = bytearray([0xFF, 0xD0 + source.randrange(8)])
    at = source.randrange(len(data) + 1)
    data[at:at] = marker


def breach(pieces: list[Piece], source: random.Random) -> None:
    """Something that T.81 does not allow, and that libjpeg reads: what real files are found to have."""
    source.choice(_BREACHES)(pieces, source)


def _empty_table(pieces: list[Piece], source: random.Random) -> None:
    pieces.insert(source.randrange(len(pieces) + 1), Piece(source.choice(DHT + DQT), bytearray(), bytearray()))


def _no_tables(pieces: list[Piece], source: random.Random) -> None:
    for piece in of_kind(pieces, DHT)[source.randrange(2) :]:
        pieces[:] = [other for other in pieces if other is not piece]


def _no_end(pieces: list[Piece], source: random.Random) -> None:
    if pieces:
        del pieces[-1]
    if pieces:
        pieces[-1].data += source.choice([b"", b"\xff", bytes(40), b"\xff\xd7"])


def _left_over(pieces: list[Piece], source: random.Random) -> None:
    """Behind the last block of a scan, and in front of its restart markers."""
    for piece in of_kind(pieces, SOS):
        places = [at for at in range(len(piece.data) - 1) if piece.data[at] == 0xFF and piece.data[at + 1] >> 3 == 26]
        for at in reversed([*places, len(piece.data)]):
            if source.random() < 0.5:
                piece.data[at:at] = source.choice([b"\0", b"\xff\0", bytes(600)])
        if source.random() < 0.4:
            piece.data += bytes([0xFF, 0xD0 + source.randrange(8)]) + source.choice([b"", b"ab", b"\xff\xd2"])


def _same_identifiers(pieces: list[Piece], source: random.Random) -> None:
    name, chosen = source.randrange(256), source.sample(range(4), source.choice([2, 3, 4]))
    for piece in of_kind(pieces, SOF):
        old = list(piece.payload[6::3])
        for index in chosen:
            if index < len(old):
                piece.payload[6 + 3 * index] = name
        for scan in of_kind(pieces, SOS):
            for at in range(1, len(scan.payload) - 3, 2):
                if scan.payload[at] in old and old.index(scan.payload[at]) in chosen:
                    scan.payload[at] = name


def _other_band(pieces: list[Piece], source: random.Random) -> None:
    for piece in of_kind(pieces, SOS):
        piece.payload[-3:] = source.choice([bytes(3), source.randbytes(3)])


def _zero_steps(pieces: list[Piece], source: random.Random) -> None:
    for piece in of_kind(pieces, DQT):
        if len(piece.payload) > 8:
            for at in range(len(piece.payload) - source.choice([1, 2, 8]), len(piece.payload)):
                piece.payload[at] = 0


def _alone(pieces: list[Piece], source: random.Random) -> None:
    if pieces:
        source.choice(pieces).data += bytes([0xFF, source.choice([0x01, 0xD0, 0xD4])]) + source.choice([b"", b"\0a"])


def _other_order(pieces: list[Piece], source: random.Random) -> None:
    """Components of a scan change places, in the header only: MCUs are then made of other blocks."""
    for piece in of_kind(pieces, SOS):
        names = [piece.payload[at : at + 2] for at in range(1, len(piece.payload) - 3, 2)]
        source.shuffle(names)
        piece.payload[1 : 1 + 2 * len(names)] = b"".join(names)


_BREACHES = (
    _empty_table, _no_tables, _no_end, _left_over, _same_identifiers, _other_band, _zero_steps, _alone, _other_order,
)  # fmt: skip


def damaged_bytes(data: bytes, source: random.Random) -> bytes:
    """Bytes of any kind with a few bits wrong, bytes changed, missing, doubled, or from elsewhere."""
    damaged = bytearray(data)
    for _ in range(source.choice([1, 1, 1, 2, 8])):
        at = source.randrange(len(damaged) + 1)
        many = source.choice([1, 1, 2, 4, 16, 64])
        way = source.randrange(7)
        if way == 0 and damaged:
            damaged[at % len(damaged)] ^= 1 << source.randrange(8)
        elif way == 1 and damaged:
            damaged[at % len(damaged)] = source.choice(_NUMBERS)
        elif way == 2:
            del damaged[at : at + many]
        elif way == 3:
            damaged[at:at] = source.randbytes(many)
        elif way == 4:
            damaged[at:at] = damaged[at : at + many]
        elif way == 5 and source.random() < 0.3:
            del damaged[at:]
        else:
            damaged[at : at + many] = source.randbytes(len(damaged[at : at + many]))
    return bytes(damaged)


DAMAGES: tuple[Callable[[list[Piece], random.Random], None], ...] = (
    drop, duplicate, swap, reorder, change_marker, change_length, add_garbage, change_field, change_field, change_field,
    change_body, add_application, add_application, damage_data, damage_data, damage_markers,
    breach, breach, breach,
)  # fmt: skip
