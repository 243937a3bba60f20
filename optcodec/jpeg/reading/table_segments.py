"""Read the segments that define tables and numbers: DQT, DHT, DRI and DNL (ITU-T T.81, B.2.4 and B.2.5)."""

from __future__ import annotations

import numpy as np

from optcodec.jpeg.headers import HuffmanSpec
from optcodec.jpeg.reading.fields import Fields
from optcodec.jpeg.segments import Segment
from optcodec.jpeg.tables import NATURAL_ORDER, QuantTable
from optcodec.notices import Tolerate, refuse

__all__ = ["parse_huffman_tables", "parse_line_count", "parse_quant_tables", "parse_restart_interval"]


def parse_quant_tables(segment: Segment, tolerate: Tolerate = refuse) -> list[tuple[int, QuantTable, tuple[int, ...]]]:
    """Read a DQT segment: for each table its number 0..3, its steps, and the row-major indices of steps of 0.

    16-bit steps are accepted with 8-bit samples too, as in libjpeg. Breaches that may be tolerated: a segment without
    tables, steps of 0, which become 1, and a precision other than 0 or 1, which is taken as 16 bits.
    """
    fields = Fields(segment, tolerate)
    fields.expect(bool(fields), "a table is expected, the segment is empty", "empty DQT segments were ignored")
    tables = []
    while fields:
        precision, number = fields.nibbles()
        fields.expect(
            precision <= 1, f"steps have 8 (0) or 16 bits (1), found {precision}", "steps were read as 16 bits"
        )
        fields.check(number <= 3, f"quantization tables have the numbers 0..3, found {number}")
        steps_zz = np.frombuffer(fields.take(128 if precision else 64), ">u2" if precision else "u1")
        zeros: tuple[int, ...] = ()
        if not steps_zz.all():
            fields.expect(False, "quantization steps are at least 1, found 0", "steps of 0 were taken as 1")
            zeros = tuple(int(NATURAL_ORDER[k]) for k in np.flatnonzero(steps_zz == 0))
            steps_zz = np.maximum(steps_zz, 1)
        tables.append((number, QuantTable.from_zigzag(steps_zz), zeros))
    return tables


def parse_huffman_tables(segment: Segment, tolerate: Tolerate = refuse) -> list[tuple[int, int, HuffmanSpec]]:
    """Read a DHT segment: for each table its class (0 DC, 1 AC), its number 0..3, and its codes.

    A segment without tables may be tolerated. T.81 (Annex C) does not allow a code that consists of ones only; such a
    code is accepted, since it is unambiguous.
    """
    fields = Fields(segment, tolerate)
    fields.expect(bool(fields), "a table is expected, the segment is empty", "empty DHT segments were ignored")
    tables = []
    while fields:
        table_class, number = fields.nibbles()
        fields.check(table_class <= 1, f"a Huffman table has class 0 (DC) or 1 (AC), found {table_class}")
        fields.check(number <= 3, f"Huffman tables have the numbers 0..3, found {number}")
        counts = fields.take(16)
        total = sum(counts)
        fields.check(total <= 256, f"a Huffman table has at most 256 codes, found {total}")
        used = sum(count << (16 - length) for length, count in enumerate(counts, 1))
        fields.check(used <= 1 << 16, "over-subscribed Huffman table: more codes than its lengths allow")
        tables.append((table_class, number, HuffmanSpec(counts, fields.take(total))))
    return tables


def parse_restart_interval(segment: Segment) -> int:
    """Read a DRI segment: the number of MCUs between restart markers, 0 for none."""
    fields = Fields(segment)
    interval = fields.u16()
    fields.end()
    return interval


def parse_line_count(segment: Segment) -> int:
    """Read a DNL segment: the height of the image in pixels."""
    fields = Fields(segment)
    height = fields.u16()
    fields.check(height > 0, "the number of lines is at least 1, found 0")
    fields.end()
    return height
