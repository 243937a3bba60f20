"""``optcodec sensitivity``: measure how much an error in each DCT coefficient raises the loss of a network."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec.cli.engine import cluster_of, engine_options
from optcodec.console.many import Failure, failure_records, report_failures
from optcodec.console.models import open_model
from optcodec.console.options import SUBSAMPLINGS, max_pixels_option
from optcodec.console.progress import progress_bar
from optcodec.console.show import count, json_option, print_json
from optcodec.files import check_writable

if TYPE_CHECKING:
    from optcodec.vision.models import TargetModel
    from optcodec.vision.profile import SensitivityProfile

__all__ = ["command"]


@click.command(short_help="Measure which errors raise the loss of a network.")
@click.argument("model")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Profile to write (JSON).")
@click.option("--weights", help="Weights of the model: a file (.safetensors, .pth), or 'default' to download them.")
@click.option(
    "--labels", default="folders", show_default=True, help="Source of the labels: 'folders', 'self', or a CSV file."
)
@click.option("-n", "--images", type=int, help="Number of images to draw at random.  [default: all]")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the draw.")
@click.option(
    "--until-stderr",
    type=float,
    metavar="R",
    help="Stop when the relative standard error of every weight is at most R.",
)
@click.option(
    "--subsampling",
    type=click.Choice(SUBSAMPLINGS),
    default="4:4:4",
    show_default=True,
    help="Chroma subsampling at which errors are measured.",
)
@click.option(
    "--quality",
    type=click.IntRange(1, 100),
    help="Compress the images with default JPEG at this quality first; expects --labels self.",
)
@click.option(
    "--full-size",
    is_flag=True,
    help="Measure errors of the images in the size they have, one by one; how MODEL resizes and crops them is part of "
    "the gradient. By default they are resized and cropped first.",
)
@click.option("--batch", type=int, default=16, show_default=True, help="Images in a batch for the model.")
@click.option("--device", default="cpu", show_default=True, help="Torch device, such as 'cuda'.")
@click.option(
    "--dtype",
    type=click.Choice(["float32", "bfloat16"]),
    default="float32",
    show_default=True,
    help="Number format that the model computes in.",
)
@max_pixels_option
@engine_options
@json_option
def command(model: str, folder: Path, output: Path, weights: str | None, as_json: bool, **options: Any) -> None:
    """Measure the sensitivity of MODEL on the images in FOLDER, and write it as a profile.

    MODEL is a classifier of torchvision, such as mobilenet_v2, or package.module:factory. Labels are the names of
    the subfolders of FOLDER (folders), the model's own predictions (self), or a CSV file with the columns file and
    class_index.
    """
    check_writable(output)
    profile, failures = _estimate(model, folder, weights, options)
    profile.save(output)
    about = profile.provenance
    if as_json:
        record = {"output": str(output), "name": profile.name, "images": about.images, "subsampling": about.subsampling}
        print_json(record | {"largest_relative_stderr": _largest_error(profile), "failures": failure_records(failures)})
    else:
        error = _largest_error(profile)
        known = "" if error is None else f", relative standard errors up to {error:.3f}"
        click.echo(f"{output}: {profile.name} over {count(about.images, 'image')}{known}")
    report_failures(failures, about.images + len(failures))


def _estimate(
    model: str, folder: Path, weights: str | None, options: dict[str, Any]
) -> tuple[SensitivityProfile, list[Failure]]:
    failures: list[Failure] = []
    from optcodec.vision.survey import ImageSample, sensitivity_of

    load = partial(_loaded, model, weights, options["full_size"], device=options["device"])
    batch = 1 if options["full_size"] else options["batch"]
    survey = ImageSample(
        folder, batch=batch, **{name: options[name] for name in ("labels", "images", "seed", "max_pixels")}
    )
    settings: dict[str, Any] = {name: options[name] for name in ("subsampling", "quality", "until_stderr", "dtype")}
    with cluster_of(options) as cluster, progress_bar(options["images"], note="images") as tell:
        settings["progress"] = lambda done, worst: tell(done, note=f"images, standard error {worst:.3f}")
        settings["on_unreadable"] = lambda path, reason: failures.append(Failure(path, reason))
        if cluster is None:
            return sensitivity_of(load(), survey, **settings), failures
        from optcodec.batch.gradients import sensitivity_on

        return sensitivity_on(cluster, load, survey, **settings), failures


def _loaded(model: str, weights: str | None, full_size: bool, *, device: str) -> TargetModel:
    from optcodec.vision.models import in_full_size

    target = open_model(model, weights=weights, device=device)
    return in_full_size(target) if full_size else target


def _largest_error(profile: SensitivityProfile) -> float | None:
    """Largest standard error relative to its weight, over weights above 0; None if the errors are not known."""
    errors, weights = profile.provenance.standard_errors, profile.weights
    return None if errors is None else float((errors[weights > 0] / weights[weights > 0]).max())
