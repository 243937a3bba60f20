"""The command ``optcodec``: one file a verb.

The files of the verbs import click only; numba, torch and matplotlib come in with the work that needs them, so that
``--help`` is quick. Results go to stdout, messages to stderr. Exit status: 0 done, 1 an error of ours in one line
(or a batch with failures), 2 a command line that cannot be read.
"""

from __future__ import annotations

import importlib
import warnings
from typing import Any, TextIO

import click

from optcodec import __version__
from optcodec.errors import OptcodecError

__all__ = ["main"]

_VERBS = ("encode", "design", "sensitivity", "inspect", "compare", "accuracy", "plot", "demo")


class _Verbs(click.Group):
    """A group that imports the file of a verb when it is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        command: click.Command = importlib.import_module(f"optcodec.cli.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            try:
                return super().invoke(ctx)
            except OptcodecError as error:
                raise click.ClickException(str(error)) from error


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """One line on stderr, without the place in the code that Python shows; the signature is that of `warnings`."""
    click.echo(f"Warning: {message}", err=True)


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="optcodec")
def main() -> None:
    """JPEG files that are smaller for the same reader: a neural network, or a person.

    Every file that is written opens in every JPEG decoder.
    """
