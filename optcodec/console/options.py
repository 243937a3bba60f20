"""Command-line options that several verbs share, and functions that turn their values into targets and profiles."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec.console.files import InputPath
from optcodec.console.help import ExpertOption
from optcodec.errors import InvalidInputError
from optcodec.extras import require_packages
from optcodec.limits import MAX_PIXELS
from optcodec.samplings import AUTO, SUBSAMPLINGS
from optcodec.shipped import PROFILES

if TYPE_CHECKING:
    from optcodec.targets import Target
    from optcodec.vision.profile import SensitivityProfile

__all__ = [
    "FILE_TARGETS",
    "SUBSAMPLINGS",
    "TABLE_TARGETS",
    "ByteCount",
    "background_option",
    "choose_target",
    "file_subsampling_option",
    "inputs_argument",
    "max_pixels_option",
    "method_option",
    "numbers",
    "one_of",
    "orient_option",
    "output_option",
    "pixel_target_options",
    "pixels_option",
    "profile_from",
    "profile_option",
    "reading_of",
    "reading_options",
    "short_side_option",
    "subsampling_option",
    "target_options",
    "to_rgb_option",
    "with_options",
]

TABLE_TARGETS = "--water-level, --match-quality, --match-swe, --bpp or --max-bytes"
FILE_TARGETS = (
    "--water-level, --match-quality, --match-swe, --match-psnr, --match-ssim, --match-ssimulacra2, "
    "--match-butteraugli, --bpp or --max-bytes"
)


if TYPE_CHECKING:
    _IntType = click.ParamType[int]
else:
    _IntType = click.ParamType  # not generic before click 8.3


class ByteCount(_IntType):
    """A number of bytes, optionally followed by a decimal prefix (k, M, G) or a binary one (Ki, Mi, Gi)."""

    name = "bytes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse the text. Lower case and a final B are accepted; a fraction of a byte is refused."""
        match = re.fullmatch(r"(\d+\.?\d*|\.\d+)([kmg]?)(i?)b?", str(value), re.ASCII | re.IGNORECASE)
        if match and not (match[3] and not match[2]):
            base = 1024 if match[3] else 1000
            nbytes = Fraction(match[1]) * base ** (1 + "kmg".index(match[2].lower()) if match[2] else 0)
            if nbytes.denominator == 1:
                return int(nbytes)
        option = param.opts[0] if param else "a size"
        expected = "a number of bytes from 1 on, such as 60000, 60k (60,000) or 1.5M (1,500,000)"
        raise InvalidInputError(f"{option} is {expected}; got {value!r}")


inputs_argument = click.argument("inputs", nargs=-1, required=True, metavar="INPUT...", type=InputPath())
_DEFAULT_SAMPLING = "[default: 4:2:0; with a profile, that of the profile]"
subsampling_option = click.option(
    "--subsampling",
    type=click.Choice(SUBSAMPLINGS),
    help=f"Chroma subsampling.  {_DEFAULT_SAMPLING}",
)
file_subsampling_option = click.option(
    "--subsampling",
    type=click.Choice((*SUBSAMPLINGS, AUTO)),
    help="Chroma subsampling of pixels; auto: 4:2:0 or 4:4:4, by the detail of chrominance and the size or quality "
    f"that is asked for.  {_DEFAULT_SAMPLING}",
)

profile_option = click.option(
    "--profile",
    metavar="NAME|FILE",
    help="Sensitivity profile of the network that the tables are designed for: "
    f'{", ".join(PROFILES.names)}, or a file from "optcodec sensitivity".',
)
method_option = click.option(
    "--method",
    cls=ExpertOption,
    type=click.Choice(["rdopt", "opts", "optd", "deepn", "jpeg"]),
    help="Method of table design.  [default: rdopt; with --water-level opts, or without a profile optd]",
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
    help="Refuse images with more pixels, before they take memory.",
)
orient_option = click.option(
    "--orient",
    type=click.Choice(["keep", "apply"]),
    default="keep",
    show_default=True,
    help="Exif orientation. keep: use the pixels as stored; JPEG files keep the orientation. apply: rotate the pixels.",
)
to_rgb_option = click.option(
    "--to-rgb", is_flag=True, help="Convert CMYK images to RGB, using their ICC profile if they have one."
)
short_side_option = click.option(
    "--short-side",
    type=click.IntRange(1),
    metavar="N",
    help="Reduce larger pictures to N pixels on the shorter side, as the preprocessing of classifiers does; JPEG files "
    "with --pixels.",
)
partial_option = click.option(
    "--partial", is_flag=True, help="Accept truncated JPEG files; missing parts of the image are gray."
)
strict_option = click.option(
    "--strict",
    cls=ExpertOption,
    is_flag=True,
    help="Refuse JPEG files that break the standard, even if all common decoders read them alike.",
)
pixels_option = click.option(
    "--pixels",
    cls=ExpertOption,
    is_flag=True,
    help="Decode JPEG inputs to pixels, instead of using their coefficients.",
)


def numbers(ctx: click.Context, option: click.Parameter, text: str | None) -> tuple[float, ...] | None:
    """Parse numbers separated by commas; a callback of an option."""
    try:
        return None if text is None else tuple(float(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter(f"expected numbers such as 75,90, got {text!r}") from None


def output_option(text: str, *, required: bool = False) -> Callable[[Any], Any]:
    """The option ``-o`` with a help text."""
    return click.option("-o", "--output", type=click.Path(path_type=Path), required=required, help=text)


def target_options(function: Any) -> Any:
    """Add the options for the target of a table design to a command; at most one of them may be set."""
    return with_options(
        function,
        click.option(
            "--water-level",
            type=float,
            metavar="D",
            help="Target: the weighted error of each DCT frequency is at most D, about 0.005..1.",
        ),
        click.option(
            "--match-quality",
            type=int,
            metavar="Q",
            help="Target: at most the sensitivity weighted error (SWE) of default JPEG at quality Q.",
        ),
        click.option(
            "--match-swe",
            type=float,
            metavar="SWE",
            help="Target: at most this SWE, on the scale of the normalized profile.",
        ),
        click.option("--bpp", type=float, metavar="R", help="Target: at most R bits per pixel, headers included."),
        click.option(
            "--max-bytes",
            type=ByteCount(),
            metavar="N",
            help="Target: at most N bytes; 60k is 60,000, 1.5M is 1,500,000, 64Ki is 65,536.",
        ),
    )


def pixel_target_options(function: Any) -> Any:
    """Add the targets that compare decoded pixels to a command; they work for single images, not for tables of many."""
    return with_options(
        function,
        click.option("--match-psnr", type=float, metavar="DB", help="Target: a PSNR of at least DB decibels."),
        click.option(
            "--match-ssim", type=float, metavar="S", help="Target: an SSIM (of luminance) of at least S, below 1."
        ),
        click.option(
            "--match-ssimulacra2",
            type=float,
            metavar="S",
            help="Target: an SSIMULACRA2 of at least S, below 100; 70 is good, 90 hard to tell from the original. It "
            "takes ten seconds or so for a megapixel.",
        ),
        click.option(
            "--match-butteraugli",
            type=float,
            metavar="D",
            help="Target: a distance of at most D by butteraugli, above 0; 1 is hardly seen, 3 is plain. It takes ten "
            "seconds or so for a megapixel, and the program butteraugli_main of libjxl.",
        ),
    )


def with_options(function: Any, *options: Callable[[Any], Any]) -> Any:
    """Add options to a command, in the order in which its help shows them."""
    for option in reversed(options):
        function = option(function)
    return function


def reading_options(function: Any) -> Any:
    """Add the options for damaged JPEG files to a command."""
    return with_options(function, partial_option, strict_option)


def reading_of(options: dict[str, Any]) -> dict[str, bool]:
    """Arguments of `optcodec.read_jpeg` from the options of `reading_options`."""
    names = ("partial", "strict")
    one_of({f"--{name}": options[name] or None for name in names})
    return {name: options[name] for name in names}


def one_of(values: dict[str, Any]) -> str | None:
    """Name of the one option that is set (not None); None if none is.

    Raises
    ------
    InvalidInputError
        If more than one is set.
    """
    names = [name for name, value in values.items() if value is not None]
    if len(names) > 1:
        raise InvalidInputError(f"{' and '.join(names)} exclude one another; expected one of them")
    return names[0] if names else None


def choose_target(values: dict[str, Any]) -> Target | None:
    """The target from the options of `target_options` and, if the verb has them, `pixel_target_options`."""
    from optcodec import butteraugli, targets

    kinds: dict[str, Callable[[Any], Target]] = {
        "--water-level": targets.WaterLevel,
        "--match-quality": targets.MatchQuality,
        "--match-swe": targets.MatchSwe,
        "--match-psnr": targets.MatchPsnr,
        "--match-ssim": targets.MatchSsim,
        "--match-ssimulacra2": targets.MatchSsimulacra2,
        "--match-butteraugli": butteraugli.MatchButteraugli,
        "--bpp": targets.Bpp,
        "--max-bytes": targets.MaxBytes,
    }
    options = {name: values.get(name[2:].replace("-", "_")) for name in kinds}
    name = one_of(options)
    target = None if name is None else kinds[name](options[name])
    requirements: dict[str, Callable[[], object]] = {
        "--match-ssim": partial(require_packages, "skimage.metrics"),
        "--match-ssimulacra2": partial(require_packages, "ssimulacra2"),
        "--match-butteraugli": butteraugli.find_program,
    }
    if name in requirements:
        requirements[name]()  # checked once here, not for each file
    return target


def profile_from(name: str | None) -> SensitivityProfile | None:
    """Load the profile of ``--profile``."""
    if name is None:
        return None
    from optcodec.vision.profile import load_profile

    return load_profile(name)
