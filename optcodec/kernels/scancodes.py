"""Constants shared by the scan decoder and its callers: result codes, and the layout of the arrays that they exchange.

They are not in `optcodec.kernels.decode`, so that callers need not import numba.
"""

__all__ = [
    "AC_FIRST",
    "AC_REFINE",
    "AC_TABLE",
    "BAD_CODE",
    "BAD_SYMBOL",
    "BIT",
    "COLUMNS",
    "COMPONENT_COLUMNS",
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
    BAD_SYMBOL,  # a code whose symbol is not allowed in such a scan
    INDEX,  # a coefficient behind the last of the band
    RANGE,  # a coefficient outside of int16
    LEFTOVER,  # whole bytes behind the last block of a restart interval
    EOB_RUN,  # an end-of-band run that goes on behind the last block of a restart interval
    RESTART,  # an additional, missing or wrong restart marker
    STRAY,  # FF followed by neither 00 nor a restart marker
    PAUSED,  # no error: `unstuff` has to bring more data, since the present data may end within the next MCU
) = range(11)

# Kinds of scans (T.81, F.2 and G.2).
SEQUENTIAL, DC_FIRST, DC_REFINE, AC_FIRST, AC_REFINE = range(5)

# Settings of a scan: its kind; Ss, Se and Al; MCUs in a row and in the scan; MCUs between restart markers.
KIND, FIRST, LAST, LOW_BIT, MCU_COLUMNS, MCUS, INTERVAL = range(7)

# State of the decoding of a scan. `unstuff` updates the first five: position of the next byte in the file; end of the
# entropy-coded data in the file; number of restart markers so far; number of bytes without stuffing that have been
# fetched; number of restart intervals that these belong to. `decode_scan` updates the others: the next MCU; the next
# bit of the fetched bytes; the MCU before which it stops; the blocks then left in the current end-of-band run.
SOURCE, END, MARKERS, FILLED, COUNT, MCU, BIT, STOP, RUN = range(9)
STATE_SIZE = 9

# Columns of the table of components, one row a component of the scan: index of its first block; rows and columns of
# blocks; blocks of an MCU across and down, (1, 1) if it is the only component of the scan; rows of its DC and of its AC
# Huffman table; the DC prediction, which the decoder updates.
OFFSET, ROWS, COLUMNS, H, V, DC_TABLE, AC_TABLE, PREDICTION = range(8)
COMPONENT_COLUMNS = 8

# A Huffman table is a row of int32: an entry for each value of the next LOOKAHEAD bits; then, for longer codes, the
# largest code of each length 0..16, and the number to add to a code of each length for the index of its symbol; then
# the symbols.
LOOKAHEAD = 9
TABLE_SIZE = (1 << LOOKAHEAD) + 17 + 17 + 256

SLACK = 320  # bytes behind the data that the decoder may read: a block takes at most 64 * 31 bits, and one refill
