"""The command ``restore``: one file for each verb, with the same conventions as the command ``optcodec``.

The modules of the verbs import only click; ONNX Runtime and torch are imported by the functions that need them. Results
go to stdout, messages to stderr. Exit status: 0 for success, 1 for an `OptcodecError` (printed in one line) or
for files that failed, 2 for a wrong command line, and 128 plus the number of the signal that ended the command.
"""

from __future__ import annotations

import click

from optcodec import __version__
from optcodec.console.verbs import Verbs

__all__ = ["main"]

_VERBS = ("run", "hint", "train", "caution", "compress", "evaluate", "pipeline", "export")


@click.group(cls=Verbs, package="restore.cli", names=_VERBS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="restore")
def main() -> None:
    """Restore JPEG images with neural networks, and train, compress, evaluate and export such networks.

    To begin: "restore run old.jpg -o restored.png".
    """
