"""MCU geometry of a scan, in the form that the kernels read, and how its MCU rows are shared among threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from threading import Lock, Thread
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from optcodec.cached import cached_property
from optcodec.jpeg.image import blocks_shape, sampling_factors
from optcodec.limits import processor_count
from optcodec.scalars import whole_number

__all__ = [
    "McuLayout",
    "dc_slots",
    "in_parallel",
    "mcu_layout",
    "on_threads",
    "pixel_layout",
    "segments",
    "thread_count",
    "with_channels",
    "worker_count",
]

S = TypeVar("S")
T = TypeVar("T")
_PARTS_PER_THREAD = 2
_BLOCKS_PER_PART = 1 << 19  # 128 MiB of tokens at most
_BLOCKS_PER_THREAD = 4096  # below this, starting a thread costs more than it saves


@dataclass(frozen=True)
class McuLayout:
    """Geometry of one scan.

    Parameters
    ----------
    components : ndarray of int64, shape (components, 8)
        One row a component: rows and columns of blocks, h, v, DC slot, offset and pitch (in blocks) within the work
        space of one MCU row, address of its blocks. See `optcodec.kernels.entropy`.
    rows, columns : int
        MCUs in the image.
    row_blocks : int
        Blocks of work space for one MCU row.
    """

    components: npt.NDArray[np.int64]
    rows: int
    columns: int
    row_blocks: int

    @cached_property
    def blocks(self) -> int:
        """Number of blocks of the whole scan, including those that only fill up MCUs."""
        return int(self.rows * self.columns * (self.components[:, 2] * self.components[:, 3]).sum())

    def work_space(self) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int64]]:
        """Allocate arrays for the blocks of one MCU row, and for their masks and the state of the entropy coder."""
        return np.empty(self.row_blocks * 64, np.int16), np.empty(self.row_blocks + 36, np.int64)

    @cached_property
    def sample_nbytes(self) -> int:
        """Bytes of the samples of one MCU row in its work space; see `optcodec.kernels.samples.load_mcu_row`."""
        h, v = int(self.components[0, 2]), int(self.components[0, 3])
        return (self.columns * 8 * h + 63) // 32 * 32 * (10 * v + 17)

    def sample_space(self) -> npt.NDArray[np.uint8]:
        """Allocate an array for the samples of one MCU row."""
        return np.empty(self.sample_nbytes, np.uint8)

    def with_addresses(self, arrays: Sequence[npt.NDArray[np.generic]]) -> npt.NDArray[np.int64]:
        """Copy `components` and fill in the addresses of one array of blocks a component.

        The caller must keep the arrays alive while the addresses are in use.
        """
        components = self.components.copy()
        components[:, 7] = [array.ctypes.data for array in arrays]
        return components


def mcu_layout(
    width: int,
    height: int,
    factors: Sequence[tuple[int, int]],
    slots: Sequence[int],
    indices: Sequence[int] | None = None,
) -> McuLayout:
    """Compute the MCU geometry of a scan of the components with these indices (all by default).

    A scan of one component is not interleaved: its MCU is one block, whatever its sampling factors (T.81, A.2.2).

    Parameters
    ----------
    width, height : int
        Size of the image in pixels.
    factors : sequence of (int, int)
        Sampling factors (h, v) of all components of the image.
    slots : sequence of int
        DC slot of each component in the scan: twice the number of its Huffman tables.
    indices : sequence of int, optional
        Indices of the components in the scan.
    """
    chosen = range(len(factors)) if indices is None else indices
    return _mcu_layout(width, height, tuple(factors), tuple(slots), tuple(chosen))


@lru_cache(maxsize=64)  # a progressive file of a small picture takes as long for the layouts of its scans as for some
def _mcu_layout(
    width: int, height: int, factors: tuple[tuple[int, int], ...], slots: tuple[int, ...], indices: tuple[int, ...]
) -> McuLayout:
    h_max, v_max = max(h for h, _ in factors), max(v for _, v in factors)
    shapes = [blocks_shape(width, height, *factors[index], h_max, v_max) for index in indices]
    if len(shapes) == 1:
        (rows, columns), blocks_in_mcu = shapes[0], [(1, 1)]
    else:
        rows, columns = -(-height // (8 * v_max)), -(-width // (8 * h_max))
        blocks_in_mcu = [factors[index] for index in indices]
    components, offset = [], 0
    for slot, (h, v), shape in zip(slots, blocks_in_mcu, shapes, strict=True):
        pitch = columns * h + columns * h % 2  # the kernels work on pairs of blocks
        components.append((*shape, h, v, slot, offset, pitch, 0))
        offset += pitch * v
    return McuLayout(np.array(components, np.int64), rows, columns, offset)


def dc_slots(components: int) -> list[int]:
    """Return the DC slot of each component: the first one has Huffman tables 0, all others tables 1."""
    return [0] + [2] * (components - 1)


def with_channels(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return pixels of shape (height, width, 3) or (height, width) as C-contiguous (height, width, 3 or 1)."""
    return np.ascontiguousarray(pixels if pixels.ndim == 3 else pixels[:, :, np.newaxis])


@lru_cache(maxsize=16)
def pixel_layout(shape: tuple[int, int, int], subsampling: str) -> tuple[McuLayout, int, int]:
    """Compute the layout of pixels of shape (height, width, 1 or 3); return it and the luminance sampling factors."""
    height, width, channels = shape
    h, v = sampling_factors(subsampling) if channels == 3 else (1, 1)
    return mcu_layout(width, height, [(h, v), (1, 1), (1, 1)][:channels], dc_slots(channels)), h, v


def thread_count(threads: int | None) -> int:
    """The number given, from 1 on, or that of the processors this process may use."""
    return processor_count() if threads is None else whole_number(threads, "threads", 1)


def worker_count(layout: McuLayout, threads: int | None) -> int:
    """Threads that are worth their start, at most the number given (all processors by default)."""
    return max(1, min(thread_count(threads), layout.rows, layout.blocks // _BLOCKS_PER_THREAD))


def segments(layout: McuLayout, workers: int) -> list[tuple[int, int]]:
    """Split the MCU rows into parts; for several threads, into more parts than threads, as some parts take longer.

    Large images are split for one thread, too, to limit the memory that a part needs. The results do not depend on the
    split.
    """
    parts = max(1 if workers == 1 else _PARTS_PER_THREAD * workers, layout.blocks // _BLOCKS_PER_PART)
    parts = min(parts, layout.rows)
    return list(pairwise(layout.rows * part // parts for part in range(parts + 1)))


def in_parallel(work: Callable[[int], T], count: int, workers: int) -> list[T]:
    """Call ``work(0) .. work(count - 1)`` in `workers` threads, see `on_threads`."""
    return on_threads(work, range(count), min(workers, count))


def on_threads(work: Callable[[S], T], items: Iterable[S], workers: int) -> list[T]:
    """Call a function with each item in `workers` threads, of which this is one; return the results in order.

    A thread takes the next item when it is free. Threads run in parallel since kernels release the interpreter lock.
    After an error no more items are taken; that of the first item which has one is raised.
    """
    if workers <= 1:
        return [work(item) for item in items]
    results: dict[int, T] = {}
    errors: dict[int, BaseException] = {}
    waiting, lock = enumerate(items), Lock()

    def run() -> None:
        index = None
        try:
            while not errors:
                index = None
                with lock:
                    numbered = next(waiting, None)
                if numbered is None:
                    return
                index = numbered[0]
                results[index] = work(numbered[1])
        except BaseException as error:
            errors[len(results) + workers if index is None else index] = error  # an iterator fails behind its items

    threads = [Thread(target=run) for _ in range(workers - 1)]
    for thread in threads:
        thread.start()
    run()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[min(errors)]
    return [results[index] for index in range(len(results))]
