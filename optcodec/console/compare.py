"""``--compare``: a page that shows pictures before and after what a command did to them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec.batch.places import STREAM, Place, Store
from optcodec.console.options import with_options
from optcodec.console.page import check_page, open_option
from optcodec.errors import InvalidInputError

if TYPE_CHECKING:
    from optcodec.report.page.sections import Page, Part

__all__ = ["before_and_after", "check_compare", "compare_options", "page_about"]


def compare_options(function: Any) -> Any:
    """Add ``--compare`` and ``--open`` to a command that makes new files of pictures."""
    return with_options(
        function,
        click.option(
            "--compare",
            type=click.Path(path_type=Path),
            metavar="PAGE",
            help="Write a page for the browser (.html), too, with the pictures before and after: a slider, and of many "
            "pictures those that changed most, typically and least.",
        ),
        open_option,
    )


def check_compare(page: Path | None, show: bool, sources: Sequence[Place], targets: Sequence[Store]) -> None:
    """Check ``--compare`` and ``--open`` before the work starts.

    Parameters
    ----------
    page : Path, optional
        The page, if one is asked for.
    show : bool
        Whether it shall be opened.
    sources, targets : sequence of places
        Pictures before and after.

    Raises
    ------
    InvalidInputError
        If there is no page to open, it cannot be written, or pictures before and after are not files side by side.
    """
    if page is None:
        if show:
            raise InvalidInputError("--open shows the page of --compare; expected --compare PAGE")
        return
    check_page(page, "--compare")
    places = [*sources, *targets]
    if STREAM in places:
        raise InvalidInputError("--compare shows files; got stdin or stdout")
    elsewhere = next((place for place in places if not isinstance(place, Path)), None)
    if elsewhere is not None:
        raise InvalidInputError(f"--compare shows files of this machine; got {elsewhere}")
    before, after = ({os.path.realpath(str(place)) for place in side} for side in (sources, targets))
    if before & after:
        raise InvalidInputError(
            f"--compare shows inputs and outputs; got an output that replaces {min(before & after)}"
        )


def before_and_after(pairs: Sequence[tuple[Path, Path]], names: tuple[str, str], title: str, command: str) -> Page:
    """A page that shows pictures before and after something.

    Parameters
    ----------
    pairs : sequence of (Path, Path)
        Files. Of many, those are shown that changed most, typically and least.
    names : (str, str)
        What the files of a pair are.
    title : str
        Heading, which says what was done.
    command : str
        What did it.
    """
    from optcodec import __version__
    from optcodec.report.page.previews import previews
    from optcodec.report.page.sections import Part

    sections = previews(len(pairs), lambda number: pairs[number], names)
    files = f"{len(pairs)} {'picture' if len(pairs) == 1 else 'pictures'}"
    told = [f"{files}, {names[0]} and {names[1]}."]
    told += [] if sections else ["None of them can be shown here: a file is missing, or the sizes differ."]
    part = Part(title, "Move the slider to see what has changed.", told, sections, command, {"optcodec": __version__})
    return page_about(title, part)


def page_about(title: str, part: Part) -> Page:
    """A page of one part that was not made from a result file."""
    from optcodec import __version__
    from optcodec.report.page.sections import Page

    return Page(title, [part], about=f"This page was made by optcodec {__version__}.")
