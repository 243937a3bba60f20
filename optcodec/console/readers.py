"""Options for readers in the loop of the encoder: receivers, or functions of the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from optcodec.console.help import ExpertOption
from optcodec.console.modules import find_modules_here
from optcodec.console.options import with_options

if TYPE_CHECKING:
    from optcodec.loop.reader import Reader, Readers

__all__ = ["joined", "named_reader", "reader_options"]


def reader_options(function: Any) -> Any:
    """Add the options for readers to a command."""
    return with_options(
        function,
        click.option(
            "--reader",
            "readers",
            multiple=True,
            metavar="NAME",
            help="Make the files for a receiver that restores them, whose gradients choose the coefficients "
            "(--effort 4): deblock, deblock-hint, sr4, denoise25 or deblur1.5 of the package restore, with @TEXT of a "
            "network, such as denoise25@ffdnet:FILE; or for any reader that package.module:factory makes. Repeat it "
            "for several.",
        ),
        click.option(
            "--fidelity",
            type=float,
            metavar="SHARE",
            help="Share of plain squared error, from 0 to below 1, in what is made small for --network or --reader, so "
            "that the files also stay close to the originals for other readers, such as people. With 0.5, to halve the "
            "squared error is worth as much as to halve the divergence.  [default: 0]",
        ),
        click.option(
            "--rounds",
            cls=ExpertOption,
            type=click.IntRange(0),
            metavar="T",
            help="Number of gradients of --network, --reader or people for each file; with 0, one, which weighs the "
            "blocks.  [default: 16; with --tune people alone 12]",
        ),
    )


def named_reader(name: str) -> Reader:
    """The reader of a name, whose module may lie in the working folder.

    Raises
    ------
    InvalidInputError
        If there is none.
    """
    from optcodec.loop.named import load_reader

    find_modules_here(name.partition("@")[0])
    return load_reader(name)


def joined(readers: Sequence[Reader], fidelity: float | None) -> Readers:
    """Several readers, with the share of plain squared error."""
    from optcodec.loop.reader import Readers

    return Readers(readers, fidelity=0.0 if fidelity is None else fidelity)
