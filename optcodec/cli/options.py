"""Options that several verbs share, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec.errors import InvalidInputError

if TYPE_CHECKING:
    from optcodec.targets import Target

__all__ = [
    "SUBSAMPLINGS",
    "choose_target",
    "inputs_argument",
    "one_of",
    "output_option",
    "subsampling_option",
    "target_options",
]

SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0", "4:4:0")

inputs_argument = click.argument("inputs", nargs=-1, required=True, metavar="INPUT...", type=click.Path(path_type=Path))
subsampling_option = click.option(
    "--subsampling",
    type=click.Choice(SUBSAMPLINGS),
    help="Chroma subsampling.  [default: 4:2:0; with --profile: its own]",
)


def output_option(text: str) -> Callable[[Any], Any]:
    """``-o``: a file or a folder."""
    return click.option("-o", "--output", type=click.Path(path_type=Path), help=text)


def target_options(function: Any) -> Any:
    """What a table design aims at: exactly one of these."""
    options = (
        click.option("--water-level", type=float, metavar="D", help="Largest weighted error of a frequency, 0.005..1."),
        click.option("--match-quality", type=int, metavar="Q", help="The weighted error of default JPEG at quality Q."),
        click.option("--match-swe", type=float, metavar="SWE", help="This sensitivity weighted error."),
        click.option("--bpp", type=float, metavar="R", help="R bits per pixel of the real file, at most."),
        click.option("--max-bytes", type=int, metavar="N", help="A file of N bytes at most."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def one_of(given: dict[str, Any]) -> str | None:
    """Name of the one option that was given, None if there is none.

    Raises
    ------
    InvalidInputError
        If more than one was given.
    """
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise InvalidInputError(f"{' and '.join(named)} exclude one another; expected one of them")
    return named[0] if named else None


def choose_target(values: dict[str, Any]) -> Target | None:
    """The target that the options of `target_options` name."""
    from optcodec import targets

    kinds: dict[str, Callable[[Any], Target]] = {
        "--water-level": targets.WaterLevel,
        "--match-quality": targets.MatchQuality,
        "--match-swe": targets.MatchSwe,
        "--bpp": targets.Bpp,
        "--max-bytes": targets.MaxBytes,
    }
    given = {name: values[name[2:].replace("-", "_")] for name in kinds}
    name = one_of(given)
    return None if name is None else kinds[name](given[name])
