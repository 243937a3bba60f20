"""``optcodec rates``: what quality encoders reach, and at what rate, for a user's own pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec.console.about import about
from optcodec.console.files import InputPath, find_images
from optcodec.console.help import GroupedCommand
from optcodec.console.rate_options import rate_options
from optcodec.console.rate_report import check_output, measure_and_report
from optcodec.console.rates import classified, labelled_originals, rates_of, senders_of
from optcodec.extras import require_packages

if TYPE_CHECKING:
    from optcodec.rates.experiment import Original

__all__ = ["command"]

_PACKAGES = ("numpy", "pillow", "ajpegli", "pyvips", "scikit-image", "ssimulacra2", "torch", "torchmetrics")


@click.command(cls=GroupedCommand, short_help="Compare encoders at equal bytes or equal quality.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...", type=InputPath())
@rate_options
@click.option(
    "--measure",
    "measures",
    default="psnr,ssim",
    show_default=True,
    help="Comma-separated list of: psnr (of RGB), psnr_y, psnr_b, ssim, ssim_y, ms_ssim, fsim, ssimulacra2, "
    "butteraugli, butteraugli_3.",
)
def command(inputs: tuple[Path, ...], **options: Any) -> None:
    """Compare encoders on your own pictures: rate in bits per pixel, and quality of what libjpeg-turbo decodes.

    Each INPUT is a picture, or a folder, whose pictures are a set. OUTPUT gets the rows of all pictures, their means
    with intervals, and how many bytes each sender needs in comparison with the anchor (BD-rate); "optcodec plot" draws
    it. The same command continues a run that was interrupted. What fails is listed at the end, with exit status 1.
    """
    check_output(options["output"])
    require_packages("bjontegaard", "scipy.optimize", extra="rates")
    from optcodec.rates.experiment import Experiment, judge_by
    from optcodec.rates.measures import MEASURES, load_measures

    names = options["measures"].split(",")
    judge, network = classified(options, judge_by(load_measures(names)))
    senders = senders_of(options)
    rates, reference = rates_of(options, senders)
    experiment = Experiment(
        senders,
        rates,
        judge,
        subsampling=options["subsampling"],
        reference=reference,
        max_pixels=options["max_pixels"],
    )
    originals = labelled_originals(_originals(inputs, options["images"]), options["labels"])
    measures = network | {name: MEASURES[name] for name in names}
    measure_and_report(experiment, originals, measures, options, about=about(*_PACKAGES))


def _originals(inputs: tuple[Path, ...], most: int | None) -> list[Original]:
    """The pictures: each folder is a set of its own, single files are one together, named after their folder."""
    from optcodec.rates.experiment import Original

    sets: dict[str, dict[Path, Original]] = {}
    for item in inputs:
        folder = item if item.is_dir() else item.absolute().parent
        name = folder.absolute().name or "pictures"
        for source in find_images([item]):
            original = Original(name, source.name.as_posix(), source.path)
            sets.setdefault(name, {}).setdefault(source.path.absolute(), original)
    return [original for pictures in sets.values() for original in list(pictures.values())[:most]]
