"""Write a page for the browser, and open it there."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from optcodec.extras import require_packages
from optcodec.files import check_writable, write_whole

if TYPE_CHECKING:
    from optcodec.report.page.sections import Page

__all__ = ["before_and_after", "check_page", "open_option", "require_page_packages", "write_page"]

SUFFIXES = (".html", ".htm")

open_option = click.option("--open", "show", is_flag=True, help="Open the page in the browser.")


def require_page_packages() -> None:
    """Raise `InvalidInputError` with the command that installs them, if packages that pages need are missing."""
    require_packages("jinja2", "vl_convert", "bjontegaard", "scipy.optimize", extra="report")


def check_page(path: Path, hint: str) -> None:
    """Raise an error before the work starts if a page cannot be written, or the name is not that of a page."""
    if path.suffix.lower() not in SUFFIXES:
        raise click.BadParameter(f"{path} should end in {' or '.join(SUFFIXES)}", param_hint=hint)
    require_page_packages()
    check_writable(path)


def before_and_after(pairs: Sequence[tuple[Path, Path]], names: tuple[str, str], *, title: str, origin: str) -> Page:
    """A page with sliders between pictures before and after something.

    Parameters
    ----------
    pairs : sequence of (Path, Path)
        Files; the first pairs are shown that can be.
    names : (str, str)
        What the files of a pair are.
    title : str
        Heading, which says what was done.
    origin : str
        The command that did it.
    """
    from optcodec import __version__
    from optcodec.report.page.files import motifs
    from optcodec.report.page.pictures import Named
    from optcodec.report.page.sections import Page, Part

    sections = motifs([(pair[0].stem, [*map(Named, names, pair)]) for pair in pairs])
    files = f"{len(pairs)} {'picture' if len(pairs) == 1 else 'pictures'}"
    told = [f"{files}, {names[0]} and {names[1]}."]
    told += [] if sections else ["None of them can be shown here: a file is missing, or the sizes differ."]
    part = Part(title, "Move the slider to see what has changed.", told, sections, origin, {"optcodec": __version__})
    return Page(title, [part], about=f"This page was made by optcodec {__version__}.")


def write_page(path: Path, make: Callable[[], Page], *, show: bool = False) -> int:
    """Make a page and write it as HTML.

    Parameters
    ----------
    path : Path
        Of the file, which appears whole or not at all.
    make : callable
        Makes the page; called after a check for the packages that are needed.
    show : bool
        Open it in the browser, too. If there is none, a line on stderr says so.

    Returns
    -------
    int
        Size of the file in bytes.
    """
    from optcodec.report.page.render import render

    require_page_packages()
    html = render(make())
    write_whole(path, html)
    if show and not webbrowser.open(path.resolve().as_uri()):
        click.echo(f"no browser could be started; open {path} yourself", err=True)
    return len(html)
