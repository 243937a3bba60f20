"""Print results on stdout: aligned columns for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

__all__ = ["columns", "count", "json_option", "print_json", "side_by_side"]

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")


def print_json(record: Mapping[str, Any]) -> None:
    """Print one JSON object; raises `ValueError` for numbers that JSON cannot hold, such as an infinite PSNR."""
    click.echo(json.dumps(record, indent=2, allow_nan=False))


def count(number: int, noun: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def columns(header: Sequence[str], rows: Sequence[Sequence[str]], *, text: int = 1) -> str:
    """Lines of a table with aligned columns.

    Parameters
    ----------
    header : sequence of str
        Titles of the columns.
    rows : sequence of sequence of str
        Cells, one for each title.
    text : int
        Number of leading columns with text, aligned to the left; the others are numbers, aligned to the right.
    """
    table = [header, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        cells = (
            cell.ljust(width) if i < text else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        return "  ".join(cells).rstrip()

    return "\n".join([line(header), "  ".join("-" * width for width in widths), *map(line, rows)])


def side_by_side(titles: Sequence[str], tables: Sequence[Sequence[Sequence[int]]]) -> str:
    """Quantization tables (8 rows of 8 steps) beside one another, each under its title."""
    blocks = []
    for title, steps in zip(titles, tables, strict=False):
        width = max(len(str(step)) for row in steps for step in row)
        rows = [" ".join(str(step).rjust(width) for step in row) for row in steps]
        blocks.append([line.ljust(max(len(title), len(rows[0]))) for line in (title, *rows)])
    return "\n".join("    ".join(line).rstrip() for line in zip(*blocks, strict=True))
