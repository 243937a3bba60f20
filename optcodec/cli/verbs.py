"""A command whose verbs are files: each is imported when it is named, so that ``--help`` is quick."""

from __future__ import annotations

import importlib
import warnings
from typing import Any, TextIO

import click

from optcodec.errors import OptcodecError
from optcodec.extras import missing_package

__all__ = ["Verbs"]


class Verbs(click.Group):
    """A group of verbs, whose errors are one line and exit status 1.

    Parameters
    ----------
    package : str
        Has a module of its name for each verb, with the click command ``command``.
    names : tuple of str
        The verbs, in the order of ``--help``.
    """

    def __init__(self, *arguments: Any, package: str, names: tuple[str, ...], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.package, self.names = package, names

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.names:
            return None
        command: click.Command = importlib.import_module(f"{self.package}.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            try:
                return super().invoke(ctx)
            except OptcodecError as error:
                raise click.ClickException(str(error)) from error
            except ModuleNotFoundError as error:
                missing = missing_package(error)
                if missing is None:
                    raise
                raise click.ClickException(str(missing)) from error


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
