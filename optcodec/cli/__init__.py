"""The command ``optcodec``: one file a verb.

The files of the verbs import click only; numba, torch and matplotlib come in with the work that needs them, so that
``--help`` is quick. Results go to stdout, messages to stderr. Exit status: 0 done, 1 an error of ours in one line
(or a batch with failures), 2 a command line that cannot be read, 128 and the number of the signal that ended it.
"""

from __future__ import annotations

import click

from optcodec import __version__
from optcodec.console.verbs import Verbs

__all__ = ["main"]

_VERBS = ("encode", "design", "sensitivity", "blocks", "inspect", "compare", "accuracy", "plot", "demo", "warm-up")


@click.group(cls=Verbs, package="optcodec.cli", names=_VERBS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="optcodec")
def main() -> None:
    """JPEG files that are smaller for the same reader: a neural network, or a person.

    Every file that is written is plain JPEG, baseline or progressive.
    """
