"""Bits that indices take: code lengths of the Huffman tables that a coefficient image would be written with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optcodec.jpeg.bitstream import group_slots, scan_groups
from optcodec.jpeg.entropy import optimal_tables, sequential_tokens
from optcodec.jpeg.image import CoefficientImage
from optcodec.jpeg.scans import ScanSpec, progressive_scan
from optcodec.kernels import load
from optcodec.kernels.ratelayout import DC_SIZES, LENGTH, UNIT

__all__ = ["Rates", "progressive_rates", "sequential_rates"]

Integers = npt.NDArray[np.int64]

_AC_SYMBOLS = np.array([*(run << 4 | size for run in range(16) for size in range(1, 11)), 0x00, 0xF0])
_DC_SYMBOLS = np.arange(12)
_END_OF_BAND = np.arange(15) << 4  # T.81, G.1.2.2: EOB0..EOB14
# What a block without coefficients adds to a run of such blocks: a run of n costs log2(n) more bits than one of 1.
_EMPTY_BITS = 0.5
_NEVER = 1 << 20  # bits of what has no code


@dataclass(frozen=True, eq=False)
class Rates:
    """Bits of one component's indices, times UNIT.

    Parameters
    ----------
    ac : ndarray of int64
        See `optcodec.kernels.ratelayout`.
    dc : ndarray of int64, shape (18,)
        Of a difference by its size, additional bits included; of sizes that cannot be coded far more than of others.
    """

    ac: Integers
    dc: Integers


def sequential_rates(image: CoefficientImage, *, apart: bool = False, threads: int | None = None) -> list[Rates]:
    """Rates of each component in a sequential file with optimal tables for these indices.

    Parameters
    ----------
    image : CoefficientImage
        Indices.
    apart : bool
        Whether luminance has a scan of its own, see `optcodec.jpeg.bitstream.scan_groups`.
    threads : int, optional
        At most so many; all processors by default. The result is the same.
    """
    by_component: dict[int, Rates] = {}
    for group in scan_groups(image, apart=apart):
        slots = group_slots(len(image.components), group)
        histogram = sequential_tokens(image, group, slots, threads=threads).histogram
        bits = _lengths(histogram, slots)
        by_slot = {slot: _rates(bits[256 * slot :], bits[256 * slot + 256 :]) for slot in dict.fromkeys(slots)}
        by_component |= {index: by_slot[slot] for index, slot in zip(group, slots, strict=True)}
    return [by_component[index] for index in sorted(by_component)]


def progressive_rates(image: CoefficientImage) -> list[Rates]:
    """Rates of each component in a progressive file with one AC scan a component.

    The bits of a run of blocks that end are shared out: each block with coefficients begins a new one.
    """
    dc_lengths: dict[int, Integers] = {}
    for group in scan_groups(image, apart=True):
        histogram = progressive_scan(image, ScanSpec(tuple(group))).tokens.histogram
        slots = group_slots(len(image.components), group)
        bits = _lengths(histogram, slots)
        dc_lengths |= {index: bits[256 * slot :] for index, slot in zip(group, slots, strict=True)}
    rates = []
    for index in range(len(image.components)):
        histogram = progressive_scan(image, ScanSpec((index,), 1, 63)).tokens.histogram
        ac = _lengths(histogram, [0])[256:]
        runs = histogram[256 + _END_OF_BAND]
        end = float(runs @ ac[_END_OF_BAND]) / max(int(runs.sum()), 1)
        rates.append(_rates(dc_lengths[index], ac, end=end, empty=_EMPTY_BITS))
    return rates


def _lengths(histogram: Integers, slots: Sequence[int]) -> Integers:
    """Bits by context, additional bits included, if all symbols of sequential scans have a code in the tables of some
    DC slots and of the AC slots behind them."""
    counts = histogram.copy()
    for slot in slots:
        for places in (256 * slot + _DC_SYMBOLS, 256 * slot + 256 + _AC_SYMBOLS):
            counts[places] = np.maximum(counts[places], 1)
    return optimal_tables(counts).codes & 255


def _rates(dc: Integers, ac: Integers, *, end: float | None = None, empty: float | None = None) -> Rates:
    """Rates by the bits of DC and of AC symbols, which begin these arrays."""
    table = np.zeros(LENGTH, np.int64)
    end = float(ac[0]) if end is None else end
    empty = end if empty is None else empty
    load("rates").rate_table(np.ascontiguousarray(ac[:256]), round(UNIT * end), round(UNIT * empty), table)
    return Rates(table, UNIT * np.concatenate([dc[_DC_SYMBOLS], np.full(DC_SIZES - len(_DC_SYMBOLS), _NEVER)]))
