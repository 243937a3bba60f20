"""Entropy coding of a scan: tokens, Huffman tables made for them, exact bit counts, bytes.

A scan is turned into tokens once (see `optcodec.kernels.entropy` for what a token is). Their histogram gives the
optimal Huffman tables and the exact number of bits before anything is written; several threads can then write their
parts of one bit stream, each starting at its own bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from optcodec.jpeg.image import CoefficientImage
from optcodec.jpeg.layout import McuLayout, in_parallel, mcu_layout, pixel_layout, segments, worker_count
from optcodec.jpeg.scratch import scratch
from optcodec.jpeg.tables import QuantTable
from optcodec.kernels import load, prepare

__all__ = [
    "HuffmanTables",
    "ScanTokens",
    "collect_tokens",
    "joint_tables",
    "optimal_tables",
    "pixel_tokens",
    "scan_bits",
    "scan_bytes",
    "sequential_tokens",
]

CONTEXTS = 9 * 256  # 4 DC and 4 AC tables, and plain bits
_SHARED_TOKENS = 2048  # some 64x64 pixels; above, separate tables mostly take less, and the trial would take time


@dataclass(frozen=True)
class ScanTokens:
    """The symbols of one scan.

    Parameters
    ----------
    parts : sequence of (ndarray of uint32, int)
        Arrays of tokens, in the order of the scan, and how many are used of each.
    histograms : ndarray of int64, shape (parts, 9 * 256)
        How often each context occurs in each part.
    bounds : ndarray of int64, optional
        Where restart intervals begin in the one part, and where the last one ends; None without restart markers.
    workers : int
        Threads to write the parts with.
    """

    parts: Sequence[tuple[npt.NDArray[np.uint32], int]]
    histograms: npt.NDArray[np.int64]
    bounds: npt.NDArray[np.int64] | None = None
    workers: int = 1

    @property
    def histogram(self) -> npt.NDArray[np.int64]:
        """Counts of all parts together, shape (9 * 256,)."""
        total: npt.NDArray[np.int64] = self.histograms[0] if len(self.histograms) == 1 else self.histograms.sum(0)
        return total


@dataclass(frozen=True)
class HuffmanTables:
    """Code tables by slot: slot 2 t is DC table t, slot 2 t + 1 AC table t.

    Parameters
    ----------
    definition : bytes
        Payload of a DHT segment: for each table Tc and Th, 16 numbers of codes, symbols (T.81, B.2.4.2).
    used : sequence of int
        Number of symbols of each slot; 0 for a table that is not there.
    codes : ndarray of int64, shape (9 * 256,)
        By context: the code, shifted left by the number of extra bits, then by 8; plus the bits of both.
    """

    definition: bytes
    used: Sequence[int]
    codes: npt.NDArray[np.int64]


def optimal_tables(histogram: npt.NDArray[np.int64]) -> HuffmanTables:
    """Shortest codes of at most 16 bits for symbol counts (T.81, K.2), shape (9 * 256,)."""
    used = np.empty(8, np.int64)
    codes = np.zeros(CONTEXTS, np.int64)
    definition = np.empty(8 * 273, np.uint8)
    size = load("huffman").build_tables(histogram, np.empty(4 * 257 + 2 * 258, np.int64), used, codes, definition)
    return HuffmanTables(definition[:size].tobytes(), used.tolist(), codes)


def joint_tables(tokens: ScanTokens, apart: HuffmanTables) -> HuffmanTables | None:
    """One pair of optimal tables for luminance and chrominance; None where two pairs (`apart`) mostly take less.

    A second pair has to be defined: up to 64x64 pixels one pair saves some 35 bytes, which is 3 to 6 % of the file.
    """
    if not (apart.used[2] or apart.used[3]) or sum(count for _, count in tokens.parts) > _SHARED_TOKENS:
        return None
    pair = slice(0, 512), slice(512, 1024)
    merged = tokens.histogram.copy()
    merged[pair[0]] += merged[pair[1]]
    merged[pair[1]] = 0
    tables = optimal_tables(merged)
    tables.codes[pair[1]] = tables.codes[pair[0]]
    return tables


def scan_bits(tokens: ScanTokens, tables: HuffmanTables) -> int:
    """Exact bits of a scan, without writing it; byte stuffing, padding and restart markers are not included."""
    return int(load("huffman").count_bits(tokens.histogram, tables.codes))


def scan_bytes(tokens: ScanTokens, tables: HuffmanTables) -> list[memoryview]:
    """Entropy-coded segments of a scan, with stuffing and restart markers, in pieces to be joined."""
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
    """Parts of a bit stream with the bytes that two of them share, and the last one, filled up with ones."""
    pieces: list[memoryview] = []
    behind, used = 0, 0
    for whole, (before, rest, bits) in zip(parts, edges, strict=True):
        if used:
            pieces.append(_byte(behind | before))
        pieces.append(whole)
        behind, used = rest, bits
    if used:
        pieces.append(_byte(behind | 0xFF >> used))
    return pieces


def _byte(value: int) -> memoryview:
    """One byte, stuffed if need be."""
    return memoryview(b"\xff\x00" if value == 0xFF else bytes([value]))


def sequential_tokens(
    image: CoefficientImage, chosen: Sequence[int], slots: Sequence[int], *, threads: int | None = None
) -> ScanTokens:
    """Tokens of a sequential scan of the components with the indices `chosen`; `slots` names a DC slot for each."""
    factors = [(part.h, part.v) for part in image.components]
    layout = mcu_layout(image.width, image.height, factors, slots, chosen)
    parts = layout.with_addresses([image.components[index].blocks for index in chosen])

    def make(first: int, last: int, *results: npt.NDArray[Any]) -> int:
        count: int = load("entropy").scan_tokens(
            parts, first, last, layout.columns, image.restart_interval, *layout.work_space(), *results
        )
        return count

    return collect_tokens(layout, image.restart_interval, worker_count(layout, threads), make)


def pixel_tokens(
    pixels: npt.NDArray[np.uint8],
    subsampling: str,
    tables: Sequence[QuantTable],
    *,
    dct: Literal["float", "exact"] = "float",
    restart_interval: int = 0,
    threads: int | None = None,
) -> ScanTokens:
    """Tokens of the one scan of a baseline file, straight from pixels.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 1 or 3)
        Grey or RGB, C-contiguous.
    subsampling : str
        Name of the sampling; without effect on grey pixels.
    tables : sequence of QuantTable
        One a component, steps at most 255.
    dct : {"float", "exact"}
        Floating-point DCT, or libjpeg's accurate integer one.
    restart_interval : int
        MCUs between restart markers, 0 for none.
    threads : int, optional
        At most so many; all processors by default.
    """
    prepare("encode", "huffman", "bits")
    layout, h, v = pixel_layout(pixels, subsampling)
    exact = int(dct == "exact")
    quantizers = _quantizers(tuple(tables), exact)

    def make(first: int, last: int, *results: npt.NDArray[Any]) -> int:
        count: int = load("encode").pixel_tokens(
            pixels, layout.parts, h, v, first, last, layout.columns, restart_interval, exact, quantizers,
            layout.sample_space(), *layout.work_space(), *results,
        )  # fmt: skip
        return count

    return collect_tokens(layout, restart_interval, worker_count(layout, threads), make)


@lru_cache(maxsize=64)
def _quantizers(tables: tuple[QuantTable, ...], exact: int) -> npt.NDArray[np.float32]:
    """Constants of each table as `optcodec.kernels.dct` reads them, shape (tables, 256)."""
    rows = []
    for table in tables:
        steps = table.steps.astype(np.float32)
        constants = (1 / (8 * steps), 4 * steps + np.float32(0.5)) if exact else ((1 / steps).T, (1 / steps).T)
        rows.append(np.concatenate([np.concatenate([block, block], 1).ravel() for block in constants]))
    return np.stack(rows)


def collect_tokens(
    layout: McuLayout, restart_interval: int, workers: int, make: Callable[..., int], *, per_block: int = 64
) -> ScanTokens:
    """Tokens of a scan, made in parts by several threads; in one part where there are restart intervals.

    Parameters
    ----------
    layout : McuLayout
        Of the scan.
    restart_interval : int
        MCUs between restart markers, 0 for none.
    workers : int
        Threads; 0 for one that makes everything in one part.
    make : callable
        ``make(first, last, tokens, counts, starts)`` makes the tokens of the MCU rows first..last-1 and says how many.
    per_block : int
        Most tokens of a block. In a sequential scan one for each coefficient: a run of zeros takes fewer.
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
