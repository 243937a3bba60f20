"""``restore run --compare``: a page that shows pictures as decoded and as restored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from optcodec import InvalidInputError
from optcodec.console.about import about
from optcodec.console.page import before_and_after, check_page, write_page
from optcodec.console.streams import STREAM

__all__ = ["check_compare", "compare_option", "write_compare"]

compare_option = click.option(
    "--compare",
    type=click.Path(path_type=Path),
    metavar="PAGE",
    help="Write a page for the browser (.html), too: sliders between the first pictures as decoded and as restored.",
)


def check_compare(page: Path | None, paths: Sequence[Path], targets: Sequence[Path]) -> None:
    """Raise `InvalidInputError` before the work starts if the page of ``--compare`` cannot be made."""
    if page is None:
        return
    check_page(page, "--compare")
    if STREAM in (*paths, *targets):
        raise InvalidInputError("--compare shows files; got stdin or stdout")
    replaced = {path.absolute() for path in paths} & {target.absolute() for target in targets}
    if replaced:
        raise InvalidInputError(f"--compare shows inputs and outputs; got an output that replaces {min(replaced)}")


def write_compare(page: Path | None, records: Sequence[Mapping[str, Any]]) -> None:
    """Write the page of the files that were restored, if one is asked for."""
    if page is None:
        return
    pairs = [(Path(file["input"]), Path(file["output"])) for file in records]
    origin = about(program="restore")["command"]
    names = ("decoded", "restored")
    write_page(page, lambda: before_and_after(pairs, names, title="Restored pictures", origin=origin))
