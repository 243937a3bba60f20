"""Estimate the JPEG quality factor of a file from its quantization tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from optcodec.jpeg.tables import QuantTable, annex_k_tables

__all__ = ["estimate_quality"]


def estimate_quality(tables: Sequence[QuantTable]) -> tuple[int, bool]:
    """Find the quality factor at which default JPEG has the most similar tables.

    Parameters
    ----------
    tables : sequence of QuantTable
        Luminance, or luminance and chrominance, as in `JpegStructure.tables`; further tables are ignored.

    Returns
    -------
    tuple of (int, bool)
        The quality 1..100, on the scale of the Independent JPEG Group, with the smallest sum of absolute differences of
        the steps (if several are equal, the highest), and whether the tables are exactly those of that quality.
    """
    steps = np.stack([table.steps.astype(np.int64) for table in tables[:2]])

    def distance(quality: int) -> int:
        expected = np.stack([table.steps for table in annex_k_tables(quality)[: len(steps)]])
        return int(np.abs(steps - expected).sum())

    nearest = min(range(100, 0, -1), key=distance)
    return nearest, distance(nearest) == 0
