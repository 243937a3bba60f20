"""Coefficient blocks of an image, of which no more rows are in memory than somebody may still ask for."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from optcodec import CoefficientImage, CoefficientRows

__all__ = ["Band", "Blocks", "Span"]

Blocks: TypeAlias = npt.NDArray[np.int16]
Span: TypeAlias = tuple[int, int]


class Band:
    """Rows of blocks that come in order, from top to bottom, and go when they are released.

    Parameters
    ----------
    source : CoefficientImage or CoefficientRows
        What is in memory already, or is decoded row by row.
    """

    def __init__(self, source: CoefficientImage | CoefficientRows) -> None:
        self._source = source
        self._rewind()

    def blocks(self, index: int, rows: Span, columns: Span) -> Blocks:
        """Blocks of a component, shape (rows, columns, 8, 8).

        Rows that were released are there again too, but the file is decoded from its beginning for them.
        """
        if rows[0] < self._tops[index]:
            self._rewind()
        while self._ends[index] < rows[1]:
            self._take_next()
        found = [
            blocks[max(rows[0] - top, 0) : rows[1] - top, slice(*columns)]
            for top, blocks in self._parts[index]
            if top < rows[1] and rows[0] < top + len(blocks)
        ]
        return found[0] if len(found) == 1 else np.concatenate(found)

    def release(self, tops: Sequence[int]) -> None:
        """Rows of blocks above these, one number for each component, are no longer needed."""
        for index, (parts, wanted) in enumerate(zip(self._parts, tops, strict=True)):
            while parts and parts[0][0] + len(parts[0][1]) <= wanted:
                parts.popleft()
                self._tops[index] = parts[0][0] if parts else self._ends[index]

    def _rewind(self) -> None:
        count = len(self._source.components)
        self._coming = self._all_rows()
        self._parts: list[deque[tuple[int, Blocks]]] = [deque() for _ in range(count)]  # each behind its first row
        self._tops, self._ends = [0] * count, [0] * count

    def _all_rows(self) -> Iterator[tuple[Blocks, ...]]:
        if isinstance(self._source, CoefficientImage):
            return iter([tuple(part.blocks for part in self._source.components)])
        return iter(self._source)

    def _take_next(self) -> None:
        for index, blocks in enumerate(next(self._coming)):
            self._parts[index].append((self._ends[index], blocks))
            self._ends[index] += len(blocks)
