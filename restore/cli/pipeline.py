"""``restore pipeline``: senders, a channel and receivers as one system, at equal bytes of each picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec import InvalidInputError, require_packages
from optcodec.console.about import about
from optcodec.console.help import GroupedCommand
from optcodec.console.rate_options import rate_options
from optcodec.console.rate_report import check_output, measure_and_report
from optcodec.console.rates import classified, labelled_originals, rates_of
from optcodec.console.senders import labelled, sender_of
from restore.cli.options import (
    MEASURE_HELP,
    data_option,
    parse_crop,
    receiver_from,
    sigma_option,
    test_sets,
    weights_option,
)

if TYPE_CHECKING:
    from optcodec.rates import Failed, Sender
    from restore.evaluation.pipeline import Crops
    from restore.evaluation.receiver import Receiver

__all__ = ["command"]

_HINT = "hint"  # in front of a sender whose files get hints
_DECODER = "jpeg"  # the receiver that only decodes
_PACKAGES = (
    "numpy",
    "pillow",
    "ajpegli",
    "pyvips",
    "onnxruntime",
    "scikit-image",
    "ssimulacra2",
    "torch",
    "torchmetrics",
)


@click.command(cls=GroupedCommand, short_help="Measure pairs of encoder and receiver as one system.")
@click.argument("sets", nargs=-1, required=True, metavar="SET...")
@data_option
@rate_options
@click.option(
    "--receiver",
    "receivers",
    multiple=True,
    metavar="[LABEL=]RECEIVER",
    default=("jpeg", "default"),
    show_default=True,
    help="What makes pictures of the files, as for 'restore evaluate'; jpeg only decodes. May be repeated.",
)
@sigma_option
@click.option("--measure", "measures", default="psnr,ssim", show_default=True, help=MEASURE_HELP)
@weights_option
@click.option("--crops", type=click.Path(path_type=Path), help="Folder for crops side by side, a .png file for each "
              "picture and rate.")  # fmt: skip
@click.option("--crop", callback=parse_crop, metavar="LEFT,TOP,WIDTH,HEIGHT", help="Part of the pictures "
              "that --crops shows.  [default: 128x128 in the middle]")  # fmt: skip
def command(sets: tuple[str, ...], **options: Any) -> None:
    """Measure senders x noise x receivers x rates as one system: what is restored, against the originals.

    A SET is a folder of lossless images, or the name of a folder below --data, as for "restore evaluate". OUTPUT gets
    the rows of all pictures, their means with intervals, and how many bytes each pair of sender and receiver needs
    (BD-rate) in comparison with the anchor's files without a receiver, and with the anchor and the same receiver.
    "optcodec plot" draws it. The same command continues a run that was interrupted. What fails is listed at the end,
    with exit status 1.

    In front of a --sender of "restore pipeline" may stand hint: or hint@MODEL:, as in "mine=hint:optcodec:tune=psnr":
    its files then get the hint that "restore hint" makes for this model (by default: default), within the same bytes.
    """
    check_output(options["output"])
    if options["crop"] and not options["crops"]:
        raise click.UsageError("--crop is the part that --crops shows; expected it with --crops")
    require_packages("bjontegaard", "scipy.optimize", extra="evaluate")
    from optcodec.rates import Experiment, Original, judge_by
    from restore.evaluation.measures import MEASURES, load_measures
    from restore.evaluation.pipeline import readers_of

    crops = _crops(options)
    names = options["measures"].split(",")
    judge, network = classified(options, judge_by(load_measures(names, options["weights"])))
    senders = tuple(sender_from(text, options["subsampling"]) for text in options["senders"])
    rates, reference = rates_of(options, senders)
    receivers, refused = _receivers(options["receivers"])
    readers, left_out = readers_of(receivers, options["sigmas"], seed=options["seed"])
    if not readers:
        raise InvalidInputError(f"{left_out[0].receiver}: {left_out[0].reason}")
    pictures = [Original(each.name, path.name, path) for each in test_sets(sets, options) for path in each.paths]
    measure_and_report(
        Experiment(
            senders,
            rates,
            judge,
            readers,
            subsampling=options["subsampling"],
            reference=reference,
            max_pixels=options["max_pixels"],
            show=crops,
        ),
        labelled_originals(pictures, options["labels"]),
        network | {name: MEASURES[name] for name in names},
        options,
        plain=_plain(options["receivers"]),
        about=about(*_PACKAGES, program="restore"),
        left_out=[*refused, *left_out],
    )


def sender_from(text: str, subsampling: str) -> Sender:
    """As `optcodec.console.senders.sender_of`; files of a sender behind ``hint:`` or ``hint@MODEL:`` get hints."""
    from restore.evaluation.pipeline import HintingSender
    from restore.runtime.models import load_model

    label, name = labelled(text)
    hint, separator, inner = name.partition(":")
    word, _, model = hint.partition("@")
    if word != _HINT or not separator:
        return sender_of(text, subsampling)
    return HintingSender(label, sender_of(inner, subsampling), load_model(model or "default", threads=1))


def _receivers(texts: tuple[str, ...]) -> tuple[list[Receiver], list[Failed]]:
    """The receivers; those whose network does not fit, such as one that enlarges images, are left out and listed.

    Raises
    ------
    InvalidInputError
        If there is no receiver of a name, or none is left.
    """
    from optcodec.rates import Failed
    from restore.evaluation.receivers import check_receiver

    receivers, refused = [], []
    for text in texts:
        check_receiver(text)
    for text in texts:
        try:
            receivers.append(receiver_from(text, colour=True, threads=1))
        except InvalidInputError as error:
            refused.append(Failed(str(error), receiver=text))
    if not receivers:
        raise InvalidInputError(refused[0].reason)
    for failed in refused:
        click.echo(f"{failed.receiver} is left out: {failed.reason}", err=True)
    return receivers, refused


def _plain(texts: tuple[str, ...]) -> str:
    """Name of the receiver that only decodes; says so where there is none."""
    from restore.evaluation.receivers import labelled_receiver

    for label, name in map(labelled_receiver, texts):
        if name == _DECODER:
            return label or name
    click.echo(f"There is no --receiver {_DECODER}: pairs are compared with the same receiver only.", err=True)
    return _DECODER


def _crops(options: dict[str, Any]) -> Crops | None:
    """What draws crops into the folder of --crops; None without it."""
    if options["crops"] is None:
        return None
    require_packages("matplotlib.figure", extra="evaluate")
    from restore.evaluation.figures import Crop
    from restore.evaluation.pipeline import Crops

    return Crops(options["crops"], None if options["crop"] is None else Crop(*options["crop"]))
