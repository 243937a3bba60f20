"""Sizes of the files that ``optcodec encode`` wrote: a table with one row per file, and totals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optcodec.console.show import columns, count

__all__ = ["summary_of", "table_of", "total_of"]

Records = Sequence[dict[str, Any]]


def total_of(records: Records) -> dict[str, Any]:
    """Totals over all files.

    ``saving`` is the fraction of the input bytes that was saved, negative if the outputs are larger; ``total_bpp`` is
    bits per pixel over all pixels. Both are None if nothing was written.
    """
    nbytes, input_nbytes = (sum(record[name] for record in records) for name in ("nbytes", "input_nbytes"))
    pixels = sum(record["width"] * record["height"] for record in records)
    return {
        "total_input_nbytes": input_nbytes,
        "total_nbytes": nbytes,
        "saving": 1 - nbytes / input_nbytes if input_nbytes else None,
        "total_bpp": 8 * nbytes / pixels if pixels else None,
        "kept": sum(record["kept"] is not None for record in records),
        "notices": sum(len(record["notices"]) for record in records),
    }


def table_of(records: Records) -> str:
    """One row for each file, and a row of totals if there are several."""
    rows = [_row(record["output"], record["input_nbytes"], record["nbytes"], record["bpp"]) for record in records]
    if len(rows) > 1:
        total = total_of(records)
        unchanged = f", {total['kept']} kept as they are" if total["kept"] else ""
        title = f"total of {count(len(rows), 'file')}{unchanged}"
        rows.append(_row(title, total["total_input_nbytes"], total["total_nbytes"], total["total_bpp"]))
    return columns(("file", "input bytes", "bytes", "change", "bpp"), rows)


def summary_of(records: Records, seconds: float) -> str:
    """One line about all files: bytes before and after, what was saved, and the time that it took."""
    total = total_of(records)
    before, after, saving = total["total_input_nbytes"], total["total_nbytes"], total["saving"]
    change = "" if saving is None else f", {abs(100 * saving):.1f} % {'fewer' if saving >= 0 else 'more'}"
    return f"{count(len(records), 'file')}: {before:,} -> {after:,} bytes{change}, in {seconds:.1f} s"


def _row(title: str, input_nbytes: int, nbytes: int, bpp: float) -> tuple[str, ...]:
    return title, f"{input_nbytes:,}", f"{nbytes:,}", f"{100 * (nbytes / input_nbytes - 1):+.1f} %", f"{bpp:.3f}"
