"""What ``optcodec encode`` says about the files that it wrote, one by one and together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optcodec.console.show import columns, count

__all__ = ["table_of", "total_of"]

Records = Sequence[dict[str, Any]]


def total_of(records: Records) -> dict[str, Any]:
    """Sizes of all files together.

    bpp is that of all their pixels, the saving the part of the input bytes that the outputs do not have, below 0 where
    they have more; both are None where nothing was written.
    """
    nbytes, given = (sum(record[name] for record in records) for name in ("nbytes", "input_nbytes"))
    pixels = sum(record["width"] * record["height"] for record in records)
    return {
        "total_input_nbytes": given,
        "total_nbytes": nbytes,
        "saving": 1 - nbytes / given if given else None,
        "total_bpp": 8 * nbytes / pixels if pixels else None,
        "kept": sum(record["kept"] is not None for record in records),
        "notices": sum(len(record["notices"]) for record in records),
    }


def table_of(records: Records) -> str:
    """A line a file, and where there are several, one for all."""
    rows = [_row(record["output"], record["input_nbytes"], record["nbytes"], record["bpp"]) for record in records]
    if len(rows) > 1:
        total = total_of(records)
        kept = f", {total['kept']} kept as they are" if total["kept"] else ""
        title = f"total of {count(len(rows), 'file')}{kept}"
        rows.append(_row(title, total["total_input_nbytes"], total["total_nbytes"], total["total_bpp"]))
    return columns(("file", "input bytes", "bytes", "change", "bpp"), rows)


def _row(title: str, given: int, nbytes: int, bpp: float) -> tuple[str, ...]:
    return title, f"{given:,}", f"{nbytes:,}", f"{100 * (nbytes / given - 1):+.1f} %", f"{bpp:.3f}"
