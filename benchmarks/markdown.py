"""Format tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["lines", "table"]


def lines(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells, with the header and the row of marks among them, as the lines of a table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A header and rows of cells; the first column is text, the others are aligned to the right as numbers."""
    return lines([header, ["---", *("---:" for _ in header[1:])], *rows])
