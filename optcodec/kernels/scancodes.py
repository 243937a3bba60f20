"""What the scan decoder and its caller agree on: result codes, its state, and the columns of the table of components.

Kept apart from `optcodec.kernels.decode`, so that the caller need not import numba.
"""

__all__ = [
    "AC_FIRST",
    "AC_REFINE",
    "AC_TABLE",
    "BAD_CODE",
    "BAD_SYMBOL",
    "BIT",
    "COLUMNS",
    "COUNT",
    "DC_FIRST",
    "DC_REFINE",
    "DC_TABLE",
    "DONE",
    "END",
    "EOB_RUN",
    "FILLED",
    "FIRST",
    "INDEX",
    "INTERVAL",
    "KIND",
    "LAST",
    "LEFTOVER",
    "LOOKAHEAD",
    "LOW_BIT",
    "MARKERS",
    "MCU",
    "MCUS",
    "MCU_COLUMNS",
    "OFFSET",
    "PART_COLUMNS",
    "PAUSED",
    "PREDICTION",
    "RANGE",
    "RESTART",
    "ROWS",
    "RUN",
    "SEQUENTIAL",
    "SLACK",
    "SOURCE",
    "STATE_SIZE",
    "STOP",
    "STRAY",
    "TABLE_SIZE",
    "TRUNCATED",
    "H",
    "V",
]

# Results of `unstuff` and `decode_scan`.
(
    DONE,
    TRUNCATED,  # a block needs more bits than its restart interval holds
    BAD_CODE,  # bits that begin no code of the Huffman table
    BAD_SYMBOL,  # a code whose symbol means nothing here
    INDEX,  # a coefficient behind the last of the band
    RANGE,  # a coefficient outside of int16
    LEFTOVER,  # whole bytes behind the last block of a restart interval
    EOB_RUN,  # an end-of-band run that goes on behind the last block of a restart interval
    RESTART,  # a restart marker too many, too few, or out of turn
    STRAY,  # FF followed by neither 00 nor a restart marker
    PAUSED,  # no error: the data at hand may end within the next MCU
) = range(11)

# Kinds of scans (T.81, F.2 and G.2).
SEQUENTIAL, DC_FIRST, DC_REFINE, AC_FIRST, AC_REFINE = range(5)

# What describes a scan: its kind; Ss, Se and Al; MCUs in a row and in all; MCUs between restart markers.
KIND, FIRST, LAST, LOW_BIT, MCU_COLUMNS, MCUS, INTERVAL = range(7)

# Where the decoding of a scan stands. `unstuff` keeps the first five: the next byte in the file, and the end of the
# entropy-coded data there; restart markers met so far; bytes that wait without stuffing; restart intervals these are
# of. `decode_scan` keeps the next MCU, and the next bit of the bytes that wait; it stops before the MCU STOP, and tells
# how many blocks are left there of an end-of-band run.
SOURCE, END, MARKERS, FILLED, COUNT, MCU, BIT, STOP, RUN = range(9)
STATE_SIZE = 9

# Columns of the table of components, one row a component of the scan: where its blocks begin, in blocks; rows and
# columns of blocks; blocks of an MCU, (1, 1) if the scan has this component alone; rows of its Huffman tables; the DC
# prediction, which the decoder keeps there.
OFFSET, ROWS, COLUMNS, H, V, DC_TABLE, AC_TABLE, PREDICTION = range(8)
PART_COLUMNS = 8

# A Huffman table is a row of int32: an entry for each value of the next LOOKAHEAD bits; then, for codes of more bits,
# largest code and distance from code to place for the lengths 0..16; then the symbols.
LOOKAHEAD = 9
TABLE_SIZE = (1 << LOOKAHEAD) + 17 + 17 + 256

SLACK = 320  # bytes behind the data that may be read: a block takes at most 64 * 31 bits, plus one refill
