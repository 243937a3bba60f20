"""Where the bits of codes lie in the arrays that the trellis reads, and how large its work space is.

Kept apart from `optcodec.kernels.rates`, so that the caller need not import numba. A table of rates, in whole numbers,
UNIT to a bit:

::

    0                     END   EMPTY   SPREAD   GROWTH                 LENGTH
    | bits[size, run]      |  |   |   |   |   |   | growth[0], [1] ...    |

``bits[size, run]`` has RUNS columns: code and additional bits of a coefficient behind so many zeros, runs of 16 among
them coded apart. END is what a block takes to end before its last coefficient, EMPTY one without any; SPREAD the
largest difference between two entries; ``growth[d]`` by how much at least the bits grow with a run longer by d.
"""

__all__ = ["DC_SIZES", "EMPTY", "END", "GROWTH", "LENGTH", "RUNS", "SIZES", "SPREAD", "UNIT", "WORK"]

UNIT = 1024
RUNS = 64
SIZES = 11  # rows: sizes of 0..10 bits; that of 0 is not used
END = SIZES * RUNS
EMPTY, SPREAD, GROWTH = END + 1, END + 2, END + 3
LENGTH = GROWTH + RUNS
DC_SIZES = 18  # of any difference of two 16-bit indices and one to either side
WORK = 6  # rows of 64 that the trellis notes its states in
