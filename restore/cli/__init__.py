"""The command ``restore``: one file a verb, with the manners of the command ``optcodec``.

The files of the verbs import click only; ONNX Runtime and torch come in with the work that needs them. Results go to
stdout, messages to stderr. Exit status: 0 done, 1 an error of ours in one line (or files that failed), 2 a command line
that cannot be read.
"""

from __future__ import annotations

import importlib
from typing import Any

import click

from optcodec import OptcodecError, __version__

__all__ = ["main"]

_VERBS = ("run", "train", "compress", "evaluate", "export")


class _Verbs(click.Group):
    """A group that imports the file of a verb when it is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        command: click.Command = importlib.import_module(f"restore.cli.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OptcodecError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="restore")
def main() -> None:
    """Take back what JPEG did to images: decode them better, and train what does it."""
