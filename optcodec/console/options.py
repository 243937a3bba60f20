"""Options that several verbs share, and what is made of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec.errors import InvalidInputError
from optcodec.extras import require_packages
from optcodec.limits import MAX_PIXELS

if TYPE_CHECKING:
    from optcodec.targets import Target
    from optcodec.vision.profile import SensitivityProfile

__all__ = [
    "FILE_TARGETS",
    "SUBSAMPLINGS",
    "TABLE_TARGETS",
    "ByteCount",
    "ExpertOption",
    "GroupedCommand",
    "background_option",
    "choose_target",
    "inputs_argument",
    "max_pixels_option",
    "method_option",
    "one_of",
    "orient_option",
    "output_option",
    "pixel_target_options",
    "pixels_option",
    "profile_from",
    "profile_option",
    "reading_of",
    "reading_options",
    "subsampling_option",
    "target_options",
    "to_rgb_option",
    "with_options",
]

TABLE_TARGETS = "--water-level, --match-quality, --match-swe, --bpp or --max-bytes"
FILE_TARGETS = "--water-level, --match-quality, --match-swe, --match-psnr, --match-ssim, --bpp or --max-bytes"
SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0", "4:4:0")


class ExpertOption(click.Option):
    """An option that ``--help`` shows in a group of its own, after the plain ones."""


if TYPE_CHECKING:
    _IntType = click.ParamType[int]
else:
    _IntType = click.ParamType  # which takes no type before click 8.3


class GroupedCommand(click.Command):
    """A verb whose help shows its `ExpertOption` options apart."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, expert in (("Options", False), ("Expert options", True)):
            options = [each for each in self.get_params(ctx) if isinstance(each, ExpertOption) is expert]
            with formatter.section(title):
                formatter.write_dl([record for each in options if (record := each.get_help_record(ctx)) is not None])


class ByteCount(_IntType):
    """A number of bytes, perhaps with a decimal prefix (k, M, G) or a binary one (Ki, Mi, Gi) behind it."""

    name = "bytes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; a prefix may be in lower case, and followed by a B, but a part of a byte is refused."""
        match = re.fullmatch(r"(\d+\.?\d*|\.\d+)([kmg]?)(i?)b?", str(value), re.ASCII | re.IGNORECASE)
        if match and not (match[3] and not match[2]):
            base = 1024 if match[3] else 1000
            nbytes = Fraction(match[1]) * base ** (1 + "kmg".index(match[2].lower()) if match[2] else 0)
            if nbytes.denominator == 1:
                return int(nbytes)
        option = param.opts[0] if param else "a size"
        expected = "a number of bytes from 1 on, such as 60000, 60k (60,000) or 1.5M (1,500,000)"
        raise InvalidInputError(f"{option} is {expected}; got {value!r}")


inputs_argument = click.argument("inputs", nargs=-1, required=True, metavar="INPUT...", type=click.Path(path_type=Path))
subsampling_option = click.option(
    "--subsampling",
    type=click.Choice(SUBSAMPLINGS),
    help="Chroma subsampling.  [default: 4:2:0; with a profile: its own]",
)

profile_option = click.option(
    "--profile", metavar="NAME|FILE", help="Sensitivity profile that tables are designed for."
)
method_option = click.option(
    "--method",
    cls=ExpertOption,
    type=click.Choice(["rdopt", "opts", "optd", "deepn", "jpeg"]),
    help="How tables are designed.  [default: rdopt; with --water-level opts or optd]",
)
background_option = click.option(
    "--background", metavar="COLOUR", help="Composite transparent pixels on this colour, such as white."
)
max_pixels_option = click.option(
    "--max-pixels",
    cls=ExpertOption,
    type=click.IntRange(1),
    default=MAX_PIXELS,
    show_default=True,
    metavar="N",
    help="Refuse larger images before memory is taken for them.",
)
orient_option = click.option(
    "--orient",
    type=click.Choice(["keep", "apply"]),
    default="keep",
    show_default=True,
    help="keep: leave the pixels as they are stored, and pass on how to turn them for display. apply: turn them now.",
)
to_rgb_option = click.option(
    "--to-rgb", is_flag=True, help="Convert CMYK images to RGB, with their ICC profile where they have one."
)
partial_option = click.option(
    "--partial", is_flag=True, help="Take JPEG files that end early; what is missing of them is gray."
)
strict_option = click.option(
    "--strict",
    cls=ExpertOption,
    is_flag=True,
    help="Refuse JPEG files that break the standard, also where decoders agree on how to read them.",
)
pixels_option = click.option("--pixels", cls=ExpertOption, is_flag=True, help="Decode JPEG inputs to pixels first.")


def output_option(text: str, *, required: bool = False) -> Callable[[Any], Any]:
    """``-o``: a file or a folder."""
    return click.option("-o", "--output", type=click.Path(path_type=Path), required=required, help=text)


def target_options(function: Any) -> Any:
    """What a table design aims at: exactly one of these."""
    return with_options(
        function,
        click.option("--water-level", type=float, metavar="D", help="Largest weighted error of a frequency, 0.005..1."),
        click.option("--match-quality", type=int, metavar="Q", help="The weighted error of default JPEG at quality Q."),
        click.option("--match-swe", type=float, metavar="SWE", help="This sensitivity weighted error."),
        click.option("--bpp", type=float, metavar="R", help="R bits per pixel of the real file, at most."),
        click.option(
            "--max-bytes",
            type=ByteCount(),
            metavar="N",
            help="A file of N bytes at most. 60k is 60,000, 1.5M is 1,500,000, and 64Ki is 65,536.",
        ),
    )


def pixel_target_options(function: Any) -> Any:
    """What else the file of one image may aim at: pixels are compared, so tables for many images cannot."""
    return with_options(
        function,
        click.option("--match-psnr", type=float, metavar="DB", help="This PSNR of the decoded image, at least."),
        click.option("--match-ssim", type=float, metavar="S", help="This SSIM of its luminance, at least; below 1."),
    )


def with_options(function: Any, *options: Callable[[Any], Any]) -> Any:
    """A command with options, in the order in which its help shows them."""
    for option in reversed(options):
        function = option(function)
    return function


def reading_options(function: Any) -> Any:
    """How much of a damaged JPEG file is taken."""
    return with_options(function, partial_option, strict_option)


def reading_of(options: dict[str, Any]) -> dict[str, bool]:
    """Arguments of `optcodec.read_jpeg` from the options of `reading_options`."""
    names = ("partial", "strict")
    one_of({f"--{name}": options[name] or None for name in names})
    return {name: options[name] for name in names}


def one_of(given: dict[str, Any]) -> str | None:
    """Name of the one option that was given, None if there is none.

    Raises
    ------
    InvalidInputError
        If more than one was given.
    """
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise InvalidInputError(f"{' and '.join(named)} exclude one another; expected one of them")
    return named[0] if named else None


def choose_target(values: dict[str, Any]) -> Target | None:
    """The target that the options of `target_options`, and where a verb has them `pixel_target_options`, name."""
    from optcodec import targets

    kinds: dict[str, Callable[[Any], Target]] = {
        "--water-level": targets.WaterLevel,
        "--match-quality": targets.MatchQuality,
        "--match-swe": targets.MatchSwe,
        "--match-psnr": targets.MatchPsnr,
        "--match-ssim": targets.MatchSsim,
        "--bpp": targets.Bpp,
        "--max-bytes": targets.MaxBytes,
    }
    given = {name: values.get(name[2:].replace("-", "_")) for name in kinds}
    name = one_of(given)
    if name == "--match-ssim":
        require_packages("skimage.metrics")  # now, and not for each file
    return None if name is None else kinds[name](given[name])


def profile_from(name: str | None) -> SensitivityProfile | None:
    """The profile that ``--profile`` names."""
    if name is None:
        return None
    from optcodec.vision.profile import load_profile

    return load_profile(name)
