"""The quality factor that quantization tables come closest to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from optcodec.jpeg.tables import QuantTable, annex_k_tables

__all__ = ["estimate_quality"]


def estimate_quality(tables: Sequence[QuantTable]) -> tuple[int, bool]:
    """Find the quality factor of default JPEG that is nearest to some tables.

    Parameters
    ----------
    tables : sequence of QuantTable
        Luminance, or luminance and chrominance, as in `JpegStructure.tables`; further ones are not looked at.

    Returns
    -------
    tuple of (int, bool)
        Quality 1..100 on the scale of the Independent JPEG Group with the smallest sum of absolute differences of the
        steps (the highest of several), and whether the tables are exactly those.
    """
    given = np.stack([table.steps.astype(np.int64) for table in tables[:2]])

    def distance(quality: int) -> int:
        expected = np.stack([table.steps for table in annex_k_tables(quality)[: len(given)]])
        return int(np.abs(given - expected).sum())

    nearest = min(range(100, 0, -1), key=distance)
    return nearest, distance(nearest) == 0
