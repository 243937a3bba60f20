"""The command ``restore``: one file a verb, with the manners of the command ``optcodec``.

The files of the verbs import click only; ONNX Runtime and torch come in with the work that needs them. Results go to
stdout, messages to stderr. Exit status: 0 done, 1 an error of ours in one line (or files that failed), 2 a command line
that cannot be read, 128 and the number of the signal that ended it.
"""

from __future__ import annotations

import click

from optcodec import __version__
from optcodec.console.verbs import Verbs

__all__ = ["main"]

_VERBS = ("run", "train", "compress", "evaluate", "export")


@click.group(cls=Verbs, package="restore.cli", names=_VERBS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="restore")
def main() -> None:
    """Take back what JPEG did to images: decode them better, and train what does it."""
