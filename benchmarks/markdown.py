"""Format tables in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["lines", "percent", "signed", "table"]


def lines(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells, with the header and the row of marks among them, as the lines of a table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A header and rows of cells; the first column is text, the others are aligned to the right as numbers."""
    return lines([header, ["---", *("---:" for _ in header[1:])], *rows])


def percent(figure: Mapping[str, Any] | None) -> str:
    """A change in percent with its interval as ``-12.3 [-15, -9]``; a dash if it is not known."""
    if figure is None or figure["value"] is None:
        return "-"
    ends = [
        unbounded if figure[end] is None else f"{figure[end]:+.0f}"
        for end, unbounded in (("low", "-∞"), ("high", "+∞"))
    ]
    return f"{figure['value']:+.1f} [{', '.join(ends)}]"


def signed(figure: Mapping[str, Any] | None, digits: int = 2) -> str:
    """A difference with its interval as ``+0.61 [+0.55, +0.67]``; an empty string if there is none."""
    if figure is None:
        return ""
    value, low, high = (f"{figure[key]:+.{digits}f}" for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"
