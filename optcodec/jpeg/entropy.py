"""Entropy coding of a scan: its tokens, optimal Huffman tables for them, exact bit counts, and the coded bytes.

A scan is turned into tokens once (`optcodec.kernels.entropy` defines them). Their histogram gives the optimal Huffman
tables and the exact number of bits before anything is written. Then several threads can write parts of the bit stream,
since it is known at which bit each part starts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from optcodec.cached import cached_property
from optcodec.jpeg.image import CoefficientImage
from optcodec.jpeg.layout import McuLayout, in_parallel, mcu_layout, segments, worker_count
from optcodec.jpeg.scratch import scratch
from optcodec.kernels import load

__all__ = [
    "HuffmanTables",
    "ScanTokens",
    "collect_tokens",
    "joint_tables",
    "optimal_tables",
    "scan_bits",
    "scan_bytes",
    "sequential_tokens",
]

CONTEXTS = 9 * 256  # 4 DC and 4 AC tables with 256 symbols each, and bits without a code
# About 64x64 pixels. For larger scans, separate tables mostly take fewer bytes, and trying both would take time.
_MAX_TOKENS_OF_JOINT_TABLES = 2048


@dataclass(frozen=True)
class ScanTokens:
    """The symbols of one scan.

    Parameters
    ----------
    parts : sequence of (ndarray of uint32, int)
        The scan in one or more parts: an array of tokens, and the number of tokens in it.
    histograms : ndarray of int64, shape (parts, 9 * 256)
        Number of tokens of each context in each part.
    bounds : ndarray of int64, optional
        Index of the first token of each restart interval, then the number of all tokens. A scan with restart markers
        has one part. None without restart markers.
    workers : int
        Number of threads that write the parts.
    coded : (HuffmanTables, memoryview), optional
        Optimal tables and the data that is coded with them, where they were made together with the tokens.
    """

    parts: Sequence[tuple[npt.NDArray[np.uint32], int]]
    histograms: npt.NDArray[np.int64]
    bounds: npt.NDArray[np.int64] | None = None
    workers: int = 1
    coded: tuple[HuffmanTables, memoryview] | None = None

    @property
    def histogram(self) -> npt.NDArray[np.int64]:
        """Number of tokens of each context in the whole scan, shape (9 * 256,)."""
        total: npt.NDArray[np.int64] = self.histograms[0] if len(self.histograms) == 1 else self.histograms.sum(0)
        return total

    @cached_property
    def optimal(self) -> HuffmanTables:
        """The Huffman tables with which the scan takes the fewest bytes."""
        return self.coded[0] if self.coded is not None else optimal_tables(self.histogram)


@dataclass(frozen=True)
class HuffmanTables:
    """Huffman tables by slot: slot 2 t is DC table t, slot 2 t + 1 is AC table t.

    Parameters
    ----------
    definition : bytes
        Payload of a DHT segment: for each table Tc and Th, 16 numbers of codes, symbols (T.81, B.2.4.2).
    used : sequence of int
        Number of symbols of each slot; 0 if the slot has no table.
    codes : ndarray of int64, shape (9 * 256,)
        By context: ``code << (extra + 8) | length``, where `extra` is the number of additional bits and `length` that
        of code and additional bits together.
    """

    definition: bytes
    used: Sequence[int]
    codes: npt.NDArray[np.int64]


def optimal_tables(histogram: npt.NDArray[np.int64]) -> HuffmanTables:
    """Build the Huffman tables with the shortest codes of at most 16 bits for a histogram of shape (9 * 256,).

    The procedure is that of T.81, K.2.
    """
    used = np.empty(8, np.int64)
    codes = np.zeros(CONTEXTS, np.int64)
    definition = np.empty(8 * 273, np.uint8)
    size = load("huffman").build_tables(histogram, np.empty(9 * 257 + 2, np.int64), used, codes, definition)
    return HuffmanTables(definition[:size].tobytes(), used.tolist(), codes)


def joint_tables(tokens: ScanTokens, separate: HuffmanTables) -> HuffmanTables | None:
    """Build one pair of optimal tables for luminance and chrominance together.

    Defining a second pair of tables takes bytes: up to 64x64 pixels, one pair saves about 35 bytes, which is 3 to 6 %
    of the file. The result is None for larger scans, for which `separate` tables mostly take fewer bytes, and if there
    is no second pair.
    """
    is_single_pair = not (separate.used[2] or separate.used[3])
    if is_single_pair or sum(count for _, count in tokens.parts) > _MAX_TOKENS_OF_JOINT_TABLES:
        return None
    luminance, chrominance = slice(0, 512), slice(512, 1024)  # contexts of a DC and an AC table each
    merged = tokens.histogram.copy()
    merged[luminance] += merged[chrominance]
    merged[chrominance] = 0
    tables = optimal_tables(merged)
    tables.codes[chrominance] = tables.codes[luminance]
    return tables


def scan_bits(tokens: ScanTokens, tables: HuffmanTables) -> int:
    """Count the exact bits of a scan without writing it; byte stuffing, padding and restart markers do not count."""
    return int(load("huffman").count_bits(tokens.histogram, tables.codes))


def scan_bytes(tokens: ScanTokens, tables: HuffmanTables) -> list[memoryview]:
    """Write the entropy-coded data of a scan, with stuffing and restart markers, in pieces to be joined."""
    if tokens.coded is not None and tables is tokens.coded[0]:
        return [tokens.coded[1]]
    if tokens.bounds is not None:
        (array, count), kernels = tokens.parts[0], load("bits")
        raw, target = scratch(4 * count + 80), scratch(8 * count + 3 * len(tokens.bounds) + 160)
        return [target[: kernels.write_intervals(array, tokens.bounds, tables.codes, raw, target)].data]
    edges = np.empty((len(tokens.parts), 3), np.uint8)
    starts = [0]
    if len(tokens.parts) > 1:
        count_bits = load("huffman").count_bits
        starts += accumulate(count_bits(histogram, tables.codes) % 8 for histogram in tokens.histograms[:-1])

    def write(part: int) -> memoryview:
        array, count = tokens.parts[part]
        raw, target = scratch(4 * count + 80), scratch(8 * count + 160)  # a token has at most 31 bits
        arguments = (array, count, tables.codes, starts[part] % 8, raw, target, edges[part])
        return target[: load("bits").write_part(*arguments)].data

    return _joined(in_parallel(write, len(tokens.parts), tokens.workers), edges.tolist())


def _joined(parts: list[memoryview], edges: list[list[int]]) -> list[memoryview]:
    """Join the parts of a bit stream: add the bytes that two parts share, and fill up the last byte with ones.

    `edges` has for each part its first bits, which belong to the byte before; its last bits, in the byte behind; and
    the number of the last bits.
    """
    pieces: list[memoryview] = []
    last_bits, count = 0, 0  # of the part before
    for whole_bytes, (first_bits, next_last_bits, next_count) in zip(parts, edges, strict=True):
        if count:
            pieces.append(_byte(last_bits | first_bits))
        pieces.append(whole_bytes)
        last_bits, count = next_last_bits, next_count
    if count:
        pieces.append(_byte(last_bits | 0xFF >> count))
    return pieces


def _byte(value: int) -> memoryview:
    """Return one byte, with a stuffed zero if it is 0xFF."""
    return memoryview(b"\xff\x00" if value == 0xFF else bytes([value]))


def sequential_tokens(
    image: CoefficientImage, indices: Sequence[int], slots: Sequence[int], *, threads: int | None = None
) -> ScanTokens:
    """Make the tokens of a sequential scan of the components `indices`; `slots` are their DC slots."""
    factors = [(component.h, component.v) for component in image.components]
    layout = mcu_layout(image.width, image.height, factors, slots, indices)
    components = layout.with_addresses([image.components[index].blocks for index in indices])

    def make(first: int, last: int, *results: npt.NDArray[Any]) -> int:
        count: int = load("entropy").scan_tokens(
            components, first, last, layout.columns, image.restart_interval, *layout.work_space(), *results
        )
        return count

    return collect_tokens(layout, image.restart_interval, worker_count(layout, threads), make)


def collect_tokens(
    layout: McuLayout, restart_interval: int, workers: int, make: Callable[..., int], *, per_block: int = 64
) -> ScanTokens:
    """Make the tokens of a scan in parts, with several threads; in one part if there are restart intervals.

    Parameters
    ----------
    layout : McuLayout
        Geometry of the scan.
    restart_interval : int
        MCUs between restart markers, 0 for none.
    workers : int
        Number of threads; 0 for one thread that makes all tokens in one part.
    make : callable
        ``make(first, last, tokens, histogram, bounds)`` makes the tokens of the MCU rows first..last-1, and returns
        their number.
    per_block : int
        Maximum number of tokens in a block. In a sequential scan that is 64, one for each coefficient, since a run of
        zeros takes fewer tokens.
    """
    mcus = layout.rows * layout.columns
    intervals = -(-mcus // restart_interval) if restart_interval else 0
    rows = segments(layout, workers) if workers and not restart_interval else [(0, layout.rows)]
    histograms = np.zeros((len(rows), 2 * CONTEXTS), np.int64)  # the kernels count in two halves
    bounds = np.zeros(intervals + 1, np.int64)

    def part(index: int) -> tuple[npt.NDArray[np.uint32], int]:
        first, last = rows[index]
        tokens = scratch(layout.blocks // layout.rows * (last - first) * per_block * 4).view(np.uint32)
        return tokens, make(first, last, tokens, histograms[index], bounds)

    parts = in_parallel(part, len(rows), workers)
    bounds[-1] = parts[0][1]
    return ScanTokens(parts, histograms[:, :CONTEXTS], bounds if restart_interval else None, max(workers, 1))
