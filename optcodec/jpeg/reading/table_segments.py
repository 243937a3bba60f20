"""What the segments say that hold tables and numbers (ITU-T T.81, B.2.4 and B.2.5), as `optcodec.jpeg.headers` does."""

from __future__ import annotations

import numpy as np

from optcodec.jpeg.headers import HuffmanSpec
from optcodec.jpeg.reading.fields import Fields
from optcodec.jpeg.segments import Segment
from optcodec.jpeg.tables import NATURAL_ORDER, QuantTable
from optcodec.notices import Tolerate, refuse

__all__ = ["parse_huffman_tables", "parse_line_count", "parse_quant_tables", "parse_restart_interval"]


def parse_quant_tables(segment: Segment, tolerate: Tolerate = refuse) -> list[tuple[int, QuantTable, tuple[int, ...]]]:
    """Number 0..3 and steps of each table in a DQT, and the coefficients (row-major) whose step is 0.

    16-bit steps are taken with 8-bit samples too, as libjpeg does. What may be tolerated: no table, steps of 0, which
    become 1, and any number but 0 for 16-bit steps.
    """
    fields = Fields(segment, tolerate)
    fields.expect(bool(fields), "a table is expected, the segment is empty", "empty DQT segments were ignored")
    tables = []
    while fields:
        wide, number = fields.nibbles()
        fields.expect(wide <= 1, f"steps have 8 (0) or 16 bits (1), found {wide}", "steps were read as 16 bits")
        fields.check(number <= 3, f"quantization tables have the numbers 0..3, found {number}")
        steps_zz = np.frombuffer(fields.take(128 if wide else 64), ">u2" if wide else "u1")
        zeros: tuple[int, ...] = ()
        if not steps_zz.all():
            fields.expect(False, "quantization steps are at least 1, found 0", "steps of 0 were taken as 1")
            zeros = tuple(int(NATURAL_ORDER[k]) for k in np.flatnonzero(steps_zz == 0))
            steps_zz = np.maximum(steps_zz, 1)
        tables.append((number, QuantTable.from_zigzag(steps_zz), zeros))
    return tables


def parse_huffman_tables(segment: Segment, tolerate: Tolerate = refuse) -> list[tuple[int, int, HuffmanSpec]]:
    """Class (0 DC, 1 AC), number 0..3 and codes of each table in a DHT. That there is none may be tolerated.

    A code of ones only, which T.81 (Annex C) keeps free, is taken: it is unambiguous.
    """
    fields = Fields(segment, tolerate)
    fields.expect(bool(fields), "a table is expected, the segment is empty", "empty DHT segments were ignored")
    tables = []
    while fields:
        kind, number = fields.nibbles()
        fields.check(kind <= 1, f"a Huffman table has class 0 (DC) or 1 (AC), found {kind}")
        fields.check(number <= 3, f"Huffman tables have the numbers 0..3, found {number}")
        counts = fields.take(16)
        total = sum(counts)
        fields.check(total <= 256, f"a Huffman table has at most 256 codes, found {total}")
        used = sum(count << (16 - length) for length, count in enumerate(counts, 1))
        fields.check(used <= 1 << 16, "over-subscribed Huffman table: more codes than its lengths allow")
        tables.append((kind, number, HuffmanSpec(counts, fields.take(total))))
    return tables


def parse_restart_interval(segment: Segment) -> int:
    """MCUs between restart markers, 0 for none, of a DRI."""
    fields = Fields(segment)
    interval = fields.u16()
    fields.end()
    return interval


def parse_line_count(segment: Segment) -> int:
    """Height of the image in pixels of a DNL."""
    fields = Fields(segment)
    height = fields.u16()
    fields.check(height > 0, "the number of lines is at least 1, found 0")
    fields.end()
    return height
