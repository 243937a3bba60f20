"""The options that ``optcodec rates`` and ``restore pipeline`` share."""

from __future__ import annotations

from typing import Any

import click

from optcodec.console.help import ExpertOption
from optcodec.console.options import SUBSAMPLINGS, max_pixels_option, numbers, output_option, with_options
from optcodec.console.show import json_option

__all__ = ["SELF", "rate_options"]

SELF = "self"  # value of --labels: the prediction for the original is the label

_SENDERS = click.option(
    "--sender",
    "senders",
    multiple=True,
    metavar="[LABEL=]SENDER",
    default=("jpeg=pillow", "optcodec:tune=psnr"),
    show_default=True,
    help="Encoder: pillow (libjpeg-turbo), mozjpeg, mozjpeg-flat, jpegli; optcodec, with options of 'optcodec encode' "
    "after a colon, such as optcodec:tune=ssim,smaller; or module:function, which takes pixels, subsampling and "
    "quality, and returns a JPEG file. May be repeated.",
)
_RATES = (
    click.option(
        "--bpp",
        callback=numbers,
        metavar="R,...",
        help="Rates: of each image the best file of at most R bits per pixel.  [default: 0.25,0.4,0.6,0.9,1.2]",
    ),
    click.option(
        "--bytes-of",
        metavar="SENDER@Q,...",
        help="Rates: for each image no more bytes than this sender takes at quality Q, such as jpeg@10,30,50,75.",
    ),
    click.option(
        "--match-psnr",
        callback=numbers,
        metavar="DB,...",
        help="Rates: the smallest file that decodes to a PSNR of at least DB decibels.",
    ),
    click.option(
        "--match-ssim",
        callback=numbers,
        metavar="S,...",
        help="Rates: the smallest file that decodes to an SSIM (of luminance) of at least S.",
    ),
    click.option("--fixed", callback=numbers, metavar="Q,...", help="Rates: quality Q of each sender, whatever size."),
)
_NETWORK = (
    click.option(
        "--classify",
        metavar="MODEL",
        help="Also measure what a classifier sees in the pictures: a name in torchvision, or package.module:factory.",
    ),
    click.option(
        "--classify-weights",
        metavar="FILE",
        help="Weights of the classifier: a file (.safetensors, .pth), or 'default' to download them.",
    ),
    click.option(
        "--labels",
        default=SELF,
        show_default=True,
        help="Classes for --classify: 'self' (what the model says of the original), or a CSV file with the columns "
        "file and class_index; pictures that it does not name are left out.",
    ),
)
_RUN = (
    click.option("--anchor", metavar="LABEL", help="Sender that the others are compared with.  [default: the first]"),
    click.option(
        "--subsampling",
        type=click.Choice(SUBSAMPLINGS),
        default="4:2:0",
        show_default=True,
        help="Chroma subsampling of all files.",
    ),
    click.option(
        "-n",
        "--images",
        type=click.IntRange(1),
        help="Number of images to use from each set, the first ones by name.  [default: all]",
    ),
    click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of all chance."),
    click.option(
        "--workers", cls=ExpertOption, type=click.IntRange(1), help="Number of threads.  [default: all processors]"
    ),
    output_option("Result file to write (.json).", required=True),
    max_pixels_option,
    json_option,
)


def rate_options(function: Any) -> Any:
    """Add the options for senders, rates, a classifier, and the run to a command."""
    return with_options(function, _SENDERS, *_RATES, *_NETWORK, *_RUN)
