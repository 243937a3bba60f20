"""``--dry-run``: say which files a command would write, and write none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from optcodec.batch.places import STREAM, Place
from optcodec.console.show import columns, count, print_json

__all__ = ["dry_run_option", "print_plan"]

dry_run_option = click.option("-n", "--dry-run", is_flag=True, help="Only say which files would be written.")


def print_plan(files: Sequence[tuple[Place, Place]], *, as_json: bool, others: Mapping[str, int] | None = None) -> None:
    """Print what would be written.

    Parameters
    ----------
    files : sequence of (place, place)
        Each input, and the file that it becomes.
    as_json : bool
        Print one JSON object.
    others : mapping of str to int, optional
        Numbers of other files, by what becomes of them.
    """
    plan: list[dict[str, Any]] = [
        {"input": str(source), "output": str(target), "replaces": _exists(target)} for source, target in files
    ]
    others = {} if others is None else others
    if as_json:
        print_json({"dry_run": True, "files": plan, **others})
        return
    if plan:
        rows = [(row["input"], row["output"], "replaced" if row["replaces"] else "new") for row in plan]
        click.echo(columns(("input", "output", "file"), rows, text=3))
    replaced = sum(row["replaces"] for row in plan)
    parts = [f"{count(len(plan), 'file')} would be written" + (f", {replaced} replaced" if replaced else "")]
    parts += [f"{count(number, 'file')} {what}" for what, number in others.items() if number]
    click.echo("; ".join(parts))


def _exists(place: Place) -> bool:
    """Whether a file is there already; what is at a URL is not looked up."""
    return isinstance(place, Path) and place != STREAM and place.exists()
