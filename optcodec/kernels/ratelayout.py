"""Layout of the table of rates (bits of AC codes) that the trellis reads, and the size of its work space.

The constants are not in `optcodec.kernels.rates`, so that callers need not import numba. A table of rates consists of
whole numbers in units of 1 / UNIT bit:

::

    0                     END   EMPTY   SPREAD   GROWTH                 LENGTH
    | bits[size, run]      |  |   |   |   |   |   | growth[0], [1] ...    |

``bits[size, run]``, with RUNS columns, has the bits of a coefficient of `size` bits behind a run of zeros: its code and
additional bits, and the codes (ZRL) of 16 zeros each in a longer run. END has the bits of the end-of-block code, EMPTY
those of a block whose AC coefficients are all 0, SPREAD the largest difference between two entries of `bits`, and
``growth[d]`` the least increase of bits, over all sizes, if a run becomes longer by d.
"""

__all__ = ["DC_SIZES", "EMPTY", "END", "GROWTH", "LENGTH", "RUNS", "SIZES", "SPREAD", "UNIT", "WORK"]

UNIT = 1024
RUNS = 64
SIZES = 11  # rows, for sizes of 0..10 bits; the row of size 0 is not used
END = SIZES * RUNS
EMPTY, SPREAD, GROWTH = END + 1, END + 2, END + 3
LENGTH = GROWTH + RUNS
DC_SIZES = 18  # sizes 0..17 of a difference of two 16-bit indices, each of which the trellis may change by 1
WORK = 6  # rows of 64 entries in which the trellis keeps its states
