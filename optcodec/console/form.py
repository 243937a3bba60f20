"""Options for the form of a file, and the arguments of `optcodec.encode` that they set."""

from __future__ import annotations

from typing import Any

import click

from optcodec.console.help import ExpertOption
from optcodec.console.options import one_of, with_options

__all__ = ["form_of", "form_options"]


_OPTIONS = (
    click.option("--progressive", is_flag=True, help="Write progressive files.  [default: the same as a JPEG input]"),
    click.option("--baseline", is_flag=True, help="Write baseline files, even for progressive JPEG inputs."),
    click.option(
        "--smaller",
        is_flag=True,
        help="Write baseline or progressive files, whichever is smaller, as by default with --max-bytes alone.",
    ),
    click.option(
        "--scans",
        cls=ExpertOption,
        type=click.Choice(["together", "apart"]),
        default="together",
        show_default=True,
        help="apart: in baseline files, put luminance into its own scan; saves 1 to 2 %, but some decoders cannot "
        "read it.",
    ),
    click.option(
        "--dct",
        cls=ExpertOption,
        type=click.Choice(["float", "exact"]),
        default="float",
        help="Forward DCT; exact: the integer DCT of libjpeg-turbo.  [default: float]",
    ),
    click.option(
        "--huffman",
        cls=ExpertOption,
        type=click.Choice(["optimal", "standard"]),
        default="optimal",
        show_default=True,
        help="Huffman tables; standard: those of T.81, K.3, which hardware encoders have (baseline, efforts 1, 2).",
    ),
    click.option(
        "--restart-interval",
        cls=ExpertOption,
        type=click.IntRange(0, 65535),
        metavar="MCUS",
        help="Number of MCUs between restart markers; 0 for none.",
    ),
    click.option(
        "--no-overshoot",
        cls=ExpertOption,
        is_flag=True,
        help="Keep white and black samples within 0..255, also where decoders clip them: for measurements.",
    ),
)


def form_options(function: Any) -> Any:
    """Add the options for the form of a file to a command."""
    return with_options(function, *_OPTIONS)


def form_of(options: dict[str, Any]) -> dict[str, Any]:
    """Arguments of `optcodec.encode` from the options of `form_options`."""
    kinds = {"--progressive": True, "--smaller": "smaller", "--baseline": False}
    kind = one_of({name: options[name[2:]] or None for name in kinds})
    return {
        "dct": options["dct"],
        "progressive": None if kind is None else kinds[kind],
        "scans": options["scans"],
        "huffman": options["huffman"],
        "restart_interval": options["restart_interval"],
        "overshoot": not options["no_overshoot"],
    }
