"""``optcodec report``: a page for the browser from result files."""

from __future__ import annotations

from pathlib import Path

import click

from optcodec.console.page import check_page, open_option, write_page
from optcodec.console.show import json_option, print_json
from optcodec.errors import InvalidInputError

__all__ = ["command"]


@click.command(short_help="Write a page for the browser from result files.")
@click.argument("results", nargs=-1, required=True, metavar="RESULT...", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), default="report.html", show_default=True,
              help="Page to write (.html).")  # fmt: skip
@click.option(
    "--picture",
    "pictures",
    multiple=True,
    metavar="NAME=FILE",
    help="Picture for the slider, such as original=a.png, then decoded=a.jpg and restored=b.png; the original comes "
    "first. To be given at least twice.  [default: the pictures that the results name, where they are at hand]",
)
@click.option("--subject", metavar="NAME", help="Encoder, method or receiver that the headline is about.  "
              "[default: the best one of optcodec]")  # fmt: skip
@open_option
@json_option
def command(
    results: tuple[Path, ...],
    output: Path,
    pictures: tuple[str, ...],
    subject: str | None,
    show: bool,
    as_json: bool,
) -> None:
    """Write a page for the browser from result files: what was compared, what it saves, curves, pictures and maps.

    A RESULT is a file of "optcodec accuracy", "optcodec rates", "optcodec demo", "restore pipeline" or "restore
    evaluate", what "optcodec encode", "compare", "verify" or "blocks show" printed with --json, or a manifest of
    "optcodec encode" (.jsonl). The page is one file with everything inside; it needs no network.
    """
    from optcodec.report.page.pictures import Named
    from optcodec.report.page.reading import page_of

    check_page(output, "-o/--output")
    if len(pictures) == 1:
        raise click.BadParameter("the slider is between at least two pictures, got one", param_hint="--picture")
    named = [Named(*_split(text)) for text in pictures]
    nbytes = write_page(output, lambda: page_of(results, pictures=named, subject=subject), show=show)
    if as_json:
        print_json({"results": [str(path) for path in results], "output": str(output), "nbytes": nbytes})
    else:
        click.echo(f"{output}: {nbytes:,} bytes")


def _split(text: str) -> tuple[str, Path]:
    name, sign, path = text.partition("=")
    if not (name and sign and path):
        raise InvalidInputError(f"--picture is NAME=FILE, such as decoded=photo.jpg; got {text!r}")
    return name, Path(path)
