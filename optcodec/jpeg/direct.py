"""The only scan of a baseline file straight from pixels: all stages at once, one MCU row at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from optcodec.jpeg.entropy import CONTEXTS, HuffmanTables, ScanTokens, collect_tokens
from optcodec.jpeg.layout import McuLayout, pixel_layout, worker_count
from optcodec.jpeg.overshoot import FOR_ROUNDING
from optcodec.jpeg.scratch import scratch
from optcodec.jpeg.tables import QuantTable
from optcodec.kernels import load

__all__ = ["PixelScan", "pixel_scan"]

_NOTHING, _NOTHING_WRITTEN = np.empty(0, np.float32), np.empty(0, np.uint8)
_NO_INTERVALS = np.zeros(1, np.int64)
# Below about 1 MP the scan is written in the call that makes its tokens. For larger pictures a call costs nothing,
# and the space that their scans might need is not reused.
_BLOCKS_OF_SEVERAL_CALLS = 1 << 13
# Lengths of what `optcodec.kernels.encode` calls `numbers`, without and with writing, and of the definition of tables.
_STATE, _NUMBERS, _DEFINITION = 36, 36 + CONTEXTS + 2315 + 8 + 2, 8 * 273


@dataclass(frozen=True, eq=False)
class PixelScan:
    """How the only scan of a baseline file is made from pixels of one shape; see `pixel_scan`.

    Parameters
    ----------
    layout : McuLayout
        Geometry of the scan.
    form : tuple
        What the kernel reads besides: sampling factors, number of MCUs in a row, restart interval, kind of DCT, and
        constants of tables.
    """

    layout: McuLayout
    form: tuple[Any, ...]
    restart_interval: int

    def tokens(self, pixels: npt.NDArray[np.uint8], *, threads: int | None = None, write: bool = False) -> ScanTokens:
        """Make the tokens.

        Parameters
        ----------
        pixels : ndarray of uint8, shape (height, width, 1 or 3)
            Grey or RGB, C-contiguous.
        threads : int, optional
            Maximum number of threads; by default all processors. The result does not depend on it.
        write : bool
            Whether the scan of a small picture is written, too, with optimal Huffman tables: `ScanTokens.coded`.
        """
        layout, fill = self.layout, load("encode").pixel_tokens
        if write and not self.restart_interval and layout.blocks < _BLOCKS_OF_SEVERAL_CALLS:
            return _written(layout, lambda *space: fill(pixels, layout.components, 0, layout.rows, *self.form, *space))

        def make(first: int, last: int, *results: npt.NDArray[Any]) -> int:
            space = *_work_space(layout), np.empty(_STATE, np.int64)
            given = pixels, layout.components, first, last, *self.form
            count: int = fill(*given, *space, *results, _NOTHING_WRITTEN)
            return count

        return collect_tokens(layout, self.restart_interval, worker_count(layout, threads), make)


def pixel_scan(
    shape: tuple[int, int, int],
    subsampling: str,
    tables: Sequence[QuantTable],
    *,
    dct: Literal["float", "exact"],
    restart_interval: int,
    overshoot: bool,
) -> PixelScan:
    """Prepare the only scan of a baseline file.

    Parameters
    ----------
    shape : (int, int, int)
        Height, width and number of channels: 1, which is grey, or 3, RGB.
    subsampling : str
        Name of the sampling, such as ``"4:2:0"``; ignored for grey pixels.
    tables : sequence of QuantTable
        One table a component; steps are at most 255.
    dct : {"float", "exact"}
        Floating-point DCT, or the accurate integer DCT of libjpeg.
    restart_interval : int
        MCUs between restart markers, 0 for none.
    overshoot : bool
        Whether samples of luminance may overshoot; only with the floating-point DCT.
    """
    layout, h, v = pixel_layout(shape, subsampling)
    exact, constants = int(dct == "exact"), FOR_ROUNDING.constants(tables[0]) if overshoot else _NOTHING
    form = h, v, layout.columns, restart_interval, exact, _quantizers(tables, exact), constants
    return PixelScan(layout, form, restart_interval)


def _written(layout: McuLayout, fill: Callable[..., int]) -> ScanTokens:
    """The tokens of a whole scan, which the kernel also writes."""
    size = 64 * 4 * layout.blocks
    memory, numbers = scratch(4 * size + _DEFINITION + 240), np.empty(_NUMBERS, np.int64)
    tokens, target, histogram = memory[:size].view(np.uint32), memory[size:], np.zeros(2 * CONTEXTS, np.int64)
    count = fill(*_work_space(layout), numbers, tokens, histogram, _NO_INTERVALS, target)
    *used, size_of_definition, size_of_scan = numbers[-10:].tolist()
    codes, definition = numbers[_STATE : _STATE + CONTEXTS], target[:size_of_definition].tobytes()
    coded = HuffmanTables(definition, used, codes), target[_DEFINITION : _DEFINITION + size_of_scan].data
    return ScanTokens([(tokens, count)], histogram[np.newaxis, :CONTEXTS], coded=coded)


def _work_space(layout: McuLayout) -> tuple[npt.NDArray[Any], ...]:
    """For samples that overshoot, for masks of those that are clipped, and for samples, blocks and masks of a row."""
    samples = np.empty(layout.sample_nbytes + 136 * layout.row_blocks, np.uint8)
    return np.empty(800, np.float32), np.empty((layout.row_blocks, 2), np.uint64), samples


def _quantizers(tables: Sequence[QuantTable], exact: int) -> npt.NDArray[np.float32]:
    """Compute the constants of each table that `optcodec.kernels.dct` reads, shape (tables, 256)."""
    rows = []
    for table in tables:
        steps = table.steps.astype(np.float32)
        constants = (1 / (8 * steps), 4 * steps + np.float32(0.5)) if exact else ((1 / steps).T, (1 / steps).T)
        rows.append(np.concatenate([np.concatenate([block, block], 1).ravel() for block in constants]))
    return np.stack(rows)
