"""Changes of JPEG files that keep them right: the same coefficients, said in another way.

After one of them the file mostly can still be read, so that answers can be compared.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise

from tests.fuzz.jpeg_pieces import DHT, DQT, SOF, SOS, Piece, of_kind

__all__ = ["MOVES"]


def split_tables(pieces: list[Piece], source: random.Random) -> None:
    """Each table has a segment of its own."""
    for markers, sizes in ((DQT, _quant_sizes), (DHT, _huffman_sizes)):
        for piece in of_kind(pieces, markers):
            at, start, parts = _place(pieces, piece), 0, []
            for size in sizes(piece.payload):
                parts.append(Piece(piece.marker, piece.payload[start : start + size], bytearray()))
                start += size
            if parts and start == len(piece.payload):
                parts[-1].data = piece.data
                source.shuffle(parts)
                pieces[at : at + 1] = parts


def _quant_sizes(payload: bytearray) -> list[int]:
    sizes, at = [], 0
    while at < len(payload):
        sizes.append(129 if payload[at] >> 4 else 65)
        at += sizes[-1]
    return sizes


def _huffman_sizes(payload: bytearray) -> list[int]:
    sizes, at = [], 0
    while at < len(payload):
        sizes.append(17 + sum(payload[at + 1 : at + 17]))
        at += sizes[-1]
    return sizes


def _place(pieces: list[Piece], wanted: Piece) -> int:
    return next(index for index, piece in enumerate(pieces) if piece is wanted)


def join_tables(pieces: list[Piece], source: random.Random) -> None:
    """Segments of one kind that follow one another become one."""
    for one, other in list(pairwise(pieces)):
        joint = one.marker == other.marker and one.marker in DQT + DHT and not one.data
        if joint and source.random() < 0.7:
            other.payload[:0] = one.payload
            del pieces[_place(pieces, one)]


def renumber_quant(pieces: list[Piece], source: random.Random) -> None:
    """Quantization tables have other numbers."""
    numbers = source.sample(range(4), 4)
    for piece in of_kind(pieces, DQT):
        at = 0
        for size in _quant_sizes(piece.payload):
            piece.payload[at] = piece.payload[at] & 0xF0 | numbers[piece.payload[at] & 3]
            at += size
    for piece in of_kind(pieces, SOF):
        for at in range(8, len(piece.payload), 3):
            piece.payload[at] = numbers[piece.payload[at] & 3]


def rename_components(pieces: list[Piece], source: random.Random) -> None:
    """Components have other identifiers, among them those that stand for R, G and B."""
    names = source.choice([[82, 71, 66, 65], [1, 2, 3, 4], [0, 1, 2, 3], source.sample(range(256), 4)])
    frames = of_kind(pieces, SOF)
    if not frames:
        return
    old = list(frames[0].payload[6::3])[:4]
    for at, name in zip(range(6, len(frames[0].payload), 3), names, strict=False):
        frames[0].payload[at] = name
    for piece in of_kind(pieces, SOS):
        for at in range(1, len(piece.payload) - 3, 2):
            if piece.payload[at] in old:
                piece.payload[at] = names[old.index(piece.payload[at])]


def without_application(pieces: list[Piece], source: random.Random) -> None:
    """The file carries nothing but the image; or one segment less."""
    carried = [piece for piece in pieces if 0xE0 <= piece.marker <= 0xEF]
    for piece in carried if source.random() < 0.6 else carried[:1]:
        del pieces[_place(pieces, piece)]


def fill_up(pieces: list[Piece], source: random.Random) -> None:
    """Bytes FF stand before a marker."""
    if len(pieces) > 1:
        source.choice(pieces[1:]).fill = source.choice([1, 2, 7])


def override_table(pieces: list[Piece], source: random.Random) -> None:
    """A table is defined that another one replaces at once."""
    chosen = [piece for piece in of_kind(pieces, DQT + DHT) if piece.payload]
    if chosen:
        piece = source.choice(chosen)
        sizes = (_quant_sizes if piece.marker in DQT else _huffman_sizes)(piece.payload)
        other = Piece(piece.marker, piece.payload[: sizes[0]], bytearray())
        if len(other.payload) > 1 and piece.marker in DQT:
            other.payload[-1] = max(1, other.payload[-1] ^ 5)
        pieces.insert(_place(pieces, piece), other)


def late_table(pieces: list[Piece], source: random.Random) -> None:
    """A quantization table changes behind the first scan, where it is in force for no component or for some."""
    scans, tables = of_kind(pieces, SOS), of_kind(pieces, DQT)
    if scans and tables:
        other = source.choice(tables).copy()
        if other.payload:
            other.payload[-1] = max(1, other.payload[-1] ^ source.randrange(256))
        pieces.insert(_place(pieces, source.choice(scans)) + 1, other)


def unusual_fields(pieces: list[Piece], source: random.Random) -> None:
    """The factors of a single component, and the marker of a sequential frame, may be others."""
    for piece in of_kind(pieces, SOF):
        if len(piece.payload) == 9:
            piece.payload[7] = source.choice([0x11, 0x22, 0x44, 0x13, 0x31])
        if piece.marker == 0xC0:
            piece.marker = source.choice([0xC0, 0xC1])


def after_the_end(pieces: list[Piece], source: random.Random) -> None:
    """Something follows EOI."""
    if pieces:
        pieces[-1].data += source.choice([b"\0", b"\xff\xd8\xff", source.randbytes(20)])


MOVES: tuple[Callable[[list[Piece], random.Random], None], ...] = (
    split_tables, join_tables, renumber_quant, rename_components, without_application, fill_up, override_table,
    late_table, unusual_fields, after_the_end,
)  # fmt: skip
