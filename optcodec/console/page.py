"""Write a page for the browser, and open it there."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from optcodec.console.files import check_suffix
from optcodec.extras import require_packages
from optcodec.files import check_writable, write_whole

if TYPE_CHECKING:
    from optcodec.report.page.sections import Page

__all__ = ["check_page", "open_option", "require_page_packages", "write_page"]

SUFFIXES = (".html", ".htm")

open_option = click.option("--open", "show", is_flag=True, help="Open the page in the browser.")


def require_page_packages() -> None:
    """Raise `InvalidInputError` with the command that installs them, if packages that pages need are missing."""
    require_packages("jinja2", "vl_convert", "bjontegaard", "scipy.optimize", extra="report")


def check_page(path: Path, hint: str) -> None:
    """Raise an error before the work starts if a page cannot be written, or the name is not that of a page."""
    check_suffix(path, SUFFIXES, hint)
    require_page_packages()
    check_writable(path)


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
