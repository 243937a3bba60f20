"""The command ``optcodec``; each verb has a module of its own here.

At import, these modules load click only. They load numba, torch and matplotlib when a verb needs them, so that
``--help`` is quick. Results go to stdout, messages to stderr. Exit status: 0 for success, 1 for an error (printed in
one line) or a batch with failures, 2 for a wrong command line, 128 plus the signal number when ended by a signal.
"""

from __future__ import annotations

import click

from optcodec import __version__
from optcodec.console.verbs import Verbs

__all__ = ["main"]

_VERBS = (
    *("encode", "design", "sensitivity", "blocks", "inspect", "compare"),
    *("accuracy", "verify", "fit", "rates", "plot", "report", "demo", "warm-up"),
)


@click.group(cls=Verbs, package="optcodec.cli", names=_VERBS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="optcodec")
def main() -> None:
    """Write smaller JPEG files for the same reader: a neural network, or a person.

    All files written are standard JPEG, baseline or progressive. To begin: "optcodec encode photo.png -o photo.jpg
    --max-bytes 60k"; "optcodec encode --help" has more examples. JPEG files are restored by another command, "restore".
    """
