"""A click group that imports the module of a verb only when it is needed, so that ``--help`` is quick."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Sequence
from typing import Any, TextIO

import click

from optcodec.console.ending import ended_by_signals, reason_of
from optcodec.console.help import meant_options, meant_verbs
from optcodec.errors import OptcodecError
from optcodec.extras import missing_package

__all__ = ["Verbs"]


class Verbs(click.Group):
    """A group of verbs that reports errors in one line, with exit status 1.

    Parameters
    ----------
    package : str
        Package with a module for each verb, whose attribute ``command`` is the click command. Names of modules have
        ``_`` in place of ``-``.
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
        module = cmd_name.replace("-", "_")
        command: click.Command = importlib.import_module(f"{self.package}.{module}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            meant = meant_verbs(args[0], self.names)
            if not meant:
                raise
            raise click.UsageError(f"No such command {args[0]!r}.{_proposed(meant)}", ctx=error.ctx) from None

    def main(self, *arguments: Any, **options: Any) -> Any:
        with ended_by_signals():
            try:
                return super().main(*arguments, **options)
            except OSError as error:  # from --help and --version, which click prints before it calls `invoke`
                reason = reason_of(error)
                if reason is None:
                    raise
                click.echo(f"Error: {reason}", err=True)
                sys.exit(1)

    def invoke(self, ctx: click.Context) -> Any:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            try:
                return super().invoke(ctx)
            except click.NoSuchOption as error:
                options = () if error.ctx is None else error.ctx.command.get_params(error.ctx)
                known = [name for option in options for name in (*option.opts, *option.secondary_opts)]
                meant = meant_options(error.option_name, known)
                about = f"No such option {error.option_name!r}.{_proposed(meant)}"
                raise click.NoSuchOption(error.option_name, about, ctx=error.ctx) from None
            except OptcodecError as error:
                raise click.ClickException(str(error)) from error
            except ModuleNotFoundError as error:
                missing = missing_package(error)
                if missing is None:
                    raise
                raise click.ClickException(str(missing)) from error
            except (OSError, MemoryError) as error:
                reason = reason_of(error)
                if reason is None:
                    raise
                raise click.ClickException(reason) from error


def _proposed(names: Sequence[str]) -> str:
    """A question that follows a message; nothing if there is nothing to propose."""
    return f" Did you mean {' or '.join(map(repr, names))}?" if names else ""


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning in one line on stderr, without file and line; has the signature of `warnings.showwarning`."""
    click.echo(f"Warning: {message}", err=True)
