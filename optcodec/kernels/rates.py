"""Bits of AC codes by size and run of zeros, as `optcodec.kernels.trellis` reads them.

Layout of a table of rates, in whole numbers, UNIT to a bit:

::

    0                     END   EMPTY   SPREAD   GROWTH                 LENGTH
    | bits[size, run]      |  |   |   |   |   |   | growth[0], [1] ...    |

``bits[size, run]`` has RUNS columns: code and additional bits of a coefficient behind so many zeros, runs of 16 among
them coded apart. END is what a block takes to end before its last coefficient, EMPTY one without any; SPREAD the
largest difference between two entries; ``growth[d]`` by how much at least the bits grow with a run longer by d.
"""

from __future__ import annotations

from optcodec.kernels.export import export

__all__ = ["EMPTY", "END", "GROWTH", "LENGTH", "RUNS", "SPREAD", "UNIT"]

UNIT = 1024
RUNS = 64
_SIZES = 11  # rows: sizes of 0..10 bits; that of 0 is not used
_LONGEST = 62  # zeros between DC and the last coefficient
END = _SIZES * RUNS
EMPTY, SPREAD, GROWTH = END + 1, END + 2, END + 3
LENGTH = GROWTH + RUNS
_ZERO_RUN = 0xF0


@export("i64[:], i64, i64, out i64[:]")
def rate_table(lengths, end, empty, rates):
    """Fill a table of rates.

    Parameters
    ----------
    lengths : (256,) bits of the code of each symbol with the additional bits that follow it
    end, empty : bits times UNIT of the end of a block, and of a block with nothing but zeros
    rates : (LENGTH,)
    """
    least, most = lengths[1], lengths[1]
    for size in range(1, _SIZES):
        for run in range(_LONGEST + 1):
            bits = (run >> 4) * lengths[_ZERO_RUN] + lengths[((run & 15) << 4) | size]
            rates[size * RUNS + run] = bits * UNIT
            least, most = min(least, bits), max(most, bits)
    rates[END], rates[EMPTY], rates[SPREAD] = end, empty, (most - least) * UNIT
    for more in range(1, _LONGEST + 1):
        growth = rates[SPREAD]
        for size in range(1, _SIZES):
            for run in range(_LONGEST + 1 - more):
                growth = min(growth, rates[size * RUNS + run + more] - rates[size * RUNS + run])
        rates[GROWTH + more] = growth
