"""Options that ``restore evaluate`` and ``restore pipeline`` share, and what they stand for."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec import InvalidInputError
from optcodec.console.modules import find_modules_here

if TYPE_CHECKING:
    from restore.evaluation.receiver import Receiver
    from restore.evaluation.testsets import TestSet

__all__ = ["MEASURE_HELP", "data_option", "parse_crop", "receiver_from", "sigma_option", "test_sets", "weights_option"]

MEASURE_HELP = (
    "Comma-separated list of: psnr, psnr_y, psnr_b, ssim, ssim_y, ms_ssim, fsim, ssimulacra2, butteraugli, "
    "butteraugli_3, lpips, lpips_vgg, lpips_squeeze, niqe, brisque."
)

data_option = click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Folder of the data sets that are given by name.  [default: $OPTCODEC_DATA]",
)
sigma_option = click.option(
    "--sigma",
    "sigmas",
    multiple=True,
    type=click.FloatRange(0, 255),
    default=(0.0,),
    show_default=True,
    help="Standard deviation of Gaussian noise that is added to the decoded samples (Y, or Y, Cb and Cr), in 8-bit "
    "units; can be repeated.",
)
weights_option = click.option(
    "--weights",
    type=click.Path(path_type=Path),
    help="Folder with the weights that LPIPS, NIQE and BRISQUE need.  [default: $OPTCODEC_DATA/weights]",
)


def parse_crop(ctx: click.Context, option: click.Parameter, text: str | None) -> tuple[int, ...] | None:
    """Parse the four whole numbers of --crop; a callback of the option."""
    if text is None:
        return None
    try:
        left, top, width, height = (int(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter(f"expected LEFT,TOP,WIDTH,HEIGHT in pixels, got {text!r}") from None
    return left, top, width, height


def receiver_from(text: str, *, colour: bool, threads: int | None = None) -> Receiver:
    """As `restore.evaluation.receivers.make_receiver`; a module may also lie in the working folder."""
    from restore.evaluation.receivers import labelled_receiver, make_receiver

    find_modules_here(labelled_receiver(text)[1])
    return make_receiver(text, colour=colour, threads=threads)


def test_sets(set_names: Sequence[str], options: Mapping[str, Any]) -> list[TestSet]:
    """The test sets, shortened to the first --images images."""
    from restore.evaluation.testsets import TestSet, find_set

    data = options["data"] or (Path(os.environ["OPTCODEC_DATA"]) if "OPTCODEC_DATA" in os.environ else None)
    sets = [find_set(name, data) for name in set_names]
    names = [test_set.name for test_set in sets]
    if len(set(names)) < len(names):
        raise InvalidInputError(f"expected test sets with different names, got {', '.join(names)}")
    return [TestSet(full.name, full.paths[: options["images"]], full.expected) for full in sets]
