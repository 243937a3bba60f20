"""A window onto the rows of coefficient blocks of an image: rows are decoded when needed and released after use."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from optcodec import CoefficientImage, CoefficientRows

__all__ = ["Band", "Blocks", "Span", "all_rows"]

Blocks: TypeAlias = npt.NDArray[np.int16]
Span: TypeAlias = tuple[int, int]


class Band:
    """Rows of coefficient blocks, decoded from top to bottom on demand and kept until they are released.

    Parameters
    ----------
    source : CoefficientImage or CoefficientRows
        Coefficients that are in memory already, or that are decoded row by row.
    """

    def __init__(self, source: CoefficientImage | CoefficientRows) -> None:
        self._source = source
        self._rewind()

    def blocks(self, index: int, rows: Span, columns: Span) -> Blocks:
        """Blocks of the component with this index, shape (rows, columns, 8, 8).

        Rows that were released can still be read, but for them the file is decoded again from its beginning.
        """
        if rows[0] < self._tops[index]:
            self._rewind()
        while self._ends[index] < rows[1]:
            self._take_next()
        slices = [
            blocks[max(rows[0] - top, 0) : rows[1] - top, slice(*columns)]
            for top, blocks in self._chunks[index]
            if top < rows[1] and rows[0] < top + len(blocks)
        ]
        return slices[0] if len(slices) == 1 else np.concatenate(slices)

    def release(self, tops: Sequence[int]) -> None:
        """Drop the rows of blocks above `tops`, one row number for each component."""
        for index, (chunks, top) in enumerate(zip(self._chunks, tops, strict=True)):
            while chunks and chunks[0][0] + len(chunks[0][1]) <= top:
                chunks.popleft()
                self._tops[index] = chunks[0][0] if chunks else self._ends[index]

    def _rewind(self) -> None:
        count = len(self._source.components)
        self._row_source = all_rows(self._source)
        # for each component, pairs of the first row of a chunk and its blocks
        self._chunks: list[deque[tuple[int, Blocks]]] = [deque() for _ in range(count)]
        self._tops, self._ends = [0] * count, [0] * count

    def _take_next(self) -> None:
        for index, blocks in enumerate(next(self._row_source)):
            self._chunks[index].append((self._ends[index], blocks))
            self._ends[index] += len(blocks)


def all_rows(source: CoefficientImage | CoefficientRows) -> Iterator[tuple[Blocks, ...]]:
    """Rows of coefficient blocks of all components from top to bottom; all at once where they are in memory."""
    if isinstance(source, CoefficientImage):
        return iter([tuple(component.blocks for component in source.components)])
    return iter(source)
