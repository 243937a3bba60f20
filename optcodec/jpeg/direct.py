"""The only scan of a baseline file straight from pixels: all stages at once, one MCU row at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from optcodec.jpeg.entropy import CONTEXTS, HuffmanTables, ScanTokens, collect_tokens
from optcodec.jpeg.layout import McuLayout, pixel_layout, worker_count
from optcodec.jpeg.overshoot import FOR_ROUNDING
from optcodec.jpeg.scratch import scratch
from optcodec.jpeg.tables import QuantTable
from optcodec.kernels import load

__all__ = ["pixel_tokens"]

_NOTHING, _NOTHING_WRITTEN = np.empty(0, np.float32), np.empty(0, np.uint8)
_NO_INTERVALS = np.zeros(1, np.int64)
# Up to 512x512 pixels the scan is written in the call that makes its tokens. For larger pictures a call costs nothing,
# and the space that their scans might need is not reused.
_MOST_BLOCKS_AT_ONCE = 1 << 13
# Lengths of what `optcodec.kernels.encode` calls `numbers`, without and with writing, and of the definition of tables.
_STATE, _NUMBERS, _DEFINITION = 36, 36 + CONTEXTS + 2315 + 8 + 2, 8 * 273


def pixel_tokens(
    pixels: npt.NDArray[np.uint8],
    subsampling: str,
    tables: Sequence[QuantTable],
    *,
    dct: Literal["float", "exact"] = "float",
    restart_interval: int = 0,
    threads: int | None = None,
    overshoot: bool = False,
    write: bool = False,
) -> ScanTokens:
    """Make the tokens of the only scan of a baseline file directly from pixels.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 1 or 3)
        Grey or RGB, C-contiguous.
    subsampling : str
        Name of the sampling, such as ``"4:2:0"``; ignored for grey pixels.
    tables : sequence of QuantTable
        One table a component; steps are at most 255.
    dct : {"float", "exact"}
        Floating-point DCT, or the accurate integer DCT of libjpeg.
    restart_interval : int
        MCUs between restart markers, 0 for none.
    threads : int, optional
        Maximum number of threads; by default all processors.
    overshoot : bool
        Whether samples of luminance may overshoot; only with the floating-point DCT.
    write : bool
        Whether the scan of a small picture is written, too, with optimal Huffman tables: `ScanTokens.coded`.
    """
    layout, h, v = pixel_layout(pixels, subsampling)
    workers = worker_count(layout, threads)
    exact, constants = int(dct == "exact"), FOR_ROUNDING.constants(tables[0]) if overshoot else _NOTHING
    form = h, v, layout.columns, restart_interval, exact, _quantizers(tuple(tables), exact), constants
    fill = load("encode").pixel_tokens
    if write and not restart_interval and workers == 1 and layout.blocks <= _MOST_BLOCKS_AT_ONCE:
        return _written(layout, lambda *space: fill(pixels, layout.components, 0, layout.rows, *form, *space))

    def make(first: int, last: int, *results: npt.NDArray[Any]) -> int:
        space = *_work_space(layout), np.empty(_STATE, np.int64)
        count: int = fill(pixels, layout.components, first, last, *form, *space, *results, _NOTHING_WRITTEN)
        return count

    return collect_tokens(layout, restart_interval, workers, make)


def _written(layout: McuLayout, fill: Callable[..., int]) -> ScanTokens:
    """The tokens of a whole scan, which the kernel also writes."""
    size = 64 * 4 * layout.blocks
    memory, numbers = scratch(4 * size + _DEFINITION + 240), np.zeros(_NUMBERS, np.int64)
    tokens, target, histogram = memory[:size].view(np.uint32), memory[size:], np.zeros(2 * CONTEXTS, np.int64)
    count = fill(*_work_space(layout), numbers, tokens, histogram, _NO_INTERVALS, target)
    *used, size_of_definition, size_of_scan = numbers[-10:].tolist()
    codes, definition = numbers[_STATE : _STATE + CONTEXTS], target[:size_of_definition].tobytes()
    coded = HuffmanTables(definition, used, codes), target[_DEFINITION : _DEFINITION + size_of_scan].data
    return ScanTokens([(tokens, count)], histogram[np.newaxis, :CONTEXTS], coded=coded)


def _work_space(layout: McuLayout) -> tuple[npt.NDArray[Any], ...]:
    """For samples that overshoot, for masks of those that are clipped, and for samples, blocks and masks of a row."""
    columns = int(layout.components[0, 1])
    samples = np.empty(layout.sample_nbytes + 136 * layout.row_blocks, np.uint8)
    return np.empty(800, np.float32), np.empty((columns, 2), np.uint64), samples


@lru_cache(maxsize=64)
def _quantizers(tables: tuple[QuantTable, ...], exact: int) -> npt.NDArray[np.float32]:
    """Compute the constants of each table that `optcodec.kernels.dct` reads, shape (tables, 256)."""
    rows = []
    for table in tables:
        steps = table.steps.astype(np.float32)
        constants = (1 / (8 * steps), 4 * steps + np.float32(0.5)) if exact else ((1 / steps).T, (1 / steps).T)
        rows.append(np.concatenate([np.concatenate([block, block], 1).ravel() for block in constants]))
    return np.stack(rows)
