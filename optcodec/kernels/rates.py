"""Fill a table of rates: bits of AC codes by size and run of zeros; see `optcodec.kernels.ratelayout`."""

from __future__ import annotations

from optcodec.kernels.export import export
from optcodec.kernels.ratelayout import EMPTY, END, GROWTH, RUNS, SIZES, SPREAD, UNIT

__all__ = ["rate_table"]

_LONGEST_RUN = 62  # zeros between DC and the last coefficient
_ZERO_RUN = 0xF0


@export("i64[:], i64, i64, out i64[:]")
def rate_table(lengths, end, empty, rates):
    """Fill a table of rates.

    Parameters
    ----------
    lengths : (256,) bits of the code of each symbol, and of the additional bits that follow it
    end, empty : UNIT times the bits of the end-of-block code, and of a block whose AC coefficients are all 0
    rates : (LENGTH,) the table
    """
    least, most = lengths[1], lengths[1]
    for size in range(1, SIZES):
        for run in range(_LONGEST_RUN + 1):
            bits = (run >> 4) * lengths[_ZERO_RUN] + lengths[((run & 15) << 4) | size]
            rates[size * RUNS + run] = bits * UNIT
            least, most = min(least, bits), max(most, bits)
    rates[END], rates[EMPTY], rates[SPREAD] = end, empty, (most - least) * UNIT
    for added in range(1, _LONGEST_RUN + 1):
        growth = rates[SPREAD]
        for size in range(1, SIZES):
            for run in range(_LONGEST_RUN + 1 - added):
                growth = min(growth, rates[size * RUNS + run + added] - rates[size * RUNS + run])
        rates[GROWTH + added] = growth
