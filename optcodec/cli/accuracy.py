"""``optcodec accuracy``: how well a network classifies coded images, and at what rate in bits per pixel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec.accuracy.conditions import SETTINGS
from optcodec.console.about import about
from optcodec.console.files import check_suffix
from optcodec.console.many import Failure, failure_records, report_failures
from optcodec.console.models import open_model
from optcodec.console.options import SUBSAMPLINGS, max_pixels_option, numbers
from optcodec.console.progress import progress_bar
from optcodec.console.show import columns, count, json_option, print_json
from optcodec.errors import InvalidInputError
from optcodec.extras import require_packages
from optcodec.files import check_writable, write_whole

if TYPE_CHECKING:
    from optcodec.accuracy.run import Measurement
    from optcodec.vision.datasets import LabelledImage
    from optcodec.vision.models import TargetModel
    from optcodec.vision.profile import SensitivityProfile

__all__ = ["command"]


@click.command(short_help="Measure what coding does to the accuracy of a network.")
@click.option("--model", required=True, help="Classifier: a name in torchvision, or package.module:factory.")
@click.option("--weights", help="Weights of the model: a file (.safetensors, .pth), or 'default' to download them.")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder of images.")
@click.option(
    "--labels",
    default="folders",
    show_default=True,
    help="Source of the labels: 'folders' (names of subfolders), 'self' (the model's predictions), or a CSV file.",
)
@click.option("-n", "--images", type=int, help="Number of images to draw at random.  [default: all]")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the draw and of the bootstrap intervals.")
@click.option(
    "--methods",
    default="jpeg,optd,opts,deepn",
    show_default=True,
    help="Methods of table design, separated by commas; each may be METHOD:DISTORTION.",
)
@click.option(
    "--setting",
    "settings",
    multiple=True,
    type=click.Choice(SETTINGS),
    default=("1",),
    show_default=True,
    help="What is equal for all methods: the SWE of default JPEG (1) or of OptS (2), separately for luminance and "
    "chrominance or, with -joint, summed; the file size of default JPEG (bytes); or nothing (fixed). May be repeated.",
)
@click.option(
    "--qualities",
    callback=numbers,
    metavar="Q,...",
    help="Qualities of default JPEG.  [default: 70,75,80,85,90,95,98]",
)
@click.option(
    "--water-levels",
    callback=numbers,
    metavar="D,...",
    help="Water levels of OptS; in the setting 'fixed', OptD gets 100 times these.  "
    "[default: 0.005,0.01,0.02,0.051,0.1,0.2,0.5,1]",
)
@click.option("--profile", metavar="NAME|FILE", help="Sensitivity profile.  [default: the one shipped for the model]")
@click.option(
    "--subsampling", type=click.Choice(SUBSAMPLINGS), help="Chroma subsampling.  [default: that of the profile]"
)
@click.option("--batch", type=int, default=8, show_default=True, help="Images in a batch for the model.")
@click.option("--workers", type=int, help="Number of threads.  [default: all processors]")
@click.option("--device", default="cpu", show_default=True, help="Torch device, such as 'cuda'.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Result file to write (.json).")
@max_pixels_option
@json_option
def command(output: Path, as_json: bool, **options: Any) -> None:
    """Measure the accuracy of a network on images coded by several methods, and the size of their files.

    Each image is resized and cropped as the network requires. For every method and level it is encoded to a file,
    decoded by libjpeg-turbo, and classified. The results of single images go to an .npz file beside OUTPUT. The same
    command continues a run that was interrupted. "optcodec plot" draws the result.
    """
    check_suffix(output, (".json",))
    check_writable(output)
    packages = ("torch", "torchvision", "safetensors.torch", "bjontegaard", "scipy.stats")
    require_packages(*packages, extra="accuracy")
    failures: list[Failure] = []
    document = _measure(output, options, failures)
    if as_json:
        print_json({"output": str(output), **document, "failures": failure_records(failures)})
    else:
        click.echo(f"{output}: {_text(document)}")
    report_failures(failures, document["images"] + len(failures))


def _measure(output: Path, options: dict[str, Any], failures: list[Failure]) -> dict[str, Any]:
    """Run the experiment and write its two files; images that cannot be read are skipped and put into `failures`."""
    from optcodec.accuracy.grid import QUALITIES, WATER_LEVELS, grid
    from optcodec.accuracy.pipeline import Pipeline
    from optcodec.accuracy.run import measure
    from optcodec.experiments.partial import remove_partial

    profile = _profile(options)
    target = open_model(options["model"], weights=options["weights"], device=options["device"])
    images = _images(target, options, failures)
    subsampling = options["subsampling"] or profile.provenance.subsampling
    conditions = grid(
        options["methods"].split(","),
        options["settings"],
        qualities=options["qualities"] or QUALITIES,
        water_levels=options["water_levels"] or WATER_LEVELS,
    )
    pipeline = Pipeline(
        target,
        tuple(conditions),
        profile,
        subsampling,
        batch=options["batch"],
        max_pixels=options["max_pixels"],
    )
    partial = output.with_name(f"{output.name}.partial")
    with progress_bar(len(images), "accuracy") as progress:
        measured = measure(pipeline, images, partial=partial, progress=progress, workers=options["workers"])
    rows = output.with_suffix(".npz")
    measured.rows.save(rows)
    document = _document(target, measured, profile, options) | {"subsampling": subsampling, "rows": rows.name}
    write_whole(output, (json.dumps(document, indent=1, allow_nan=False) + "\n").encode())
    remove_partial(partial)
    return document


def _profile(options: dict[str, Any]) -> SensitivityProfile:
    from optcodec.vision.profile import load_profile, shipped_profiles

    if options["profile"] is None and options["model"] not in shipped_profiles():
        raise InvalidInputError(
            f"no profile of {options['model']} comes with the package; "
            f"expected --profile with a file or one of {', '.join(shipped_profiles())}"
        )
    return load_profile(options["profile"] or options["model"])


def _images(target: TargetModel, options: dict[str, Any], failures: list[Failure]) -> list[LabelledImage]:
    from optcodec.vision.datasets import find_images, readable, sample
    from optcodec.vision.survey import check_classes

    labelled = find_images(options["data"], options["labels"])
    if options["labels"] == "folders":
        check_classes(target, {image.path.relative_to(options["data"]).parts[0] for image in labelled})
    drawn = sample(labelled, options["images"], seed=options["seed"])
    images = readable(
        drawn, lambda path, reason: failures.append(Failure(path, reason)), max_pixels=options["max_pixels"]
    )
    if not images:
        raise InvalidInputError(f"none of {count(len(drawn), 'image')} can be read: {failures[0].message}")
    return images


def _document(
    target: TargetModel, measured: Measurement, profile: SensitivityProfile, options: dict[str, Any]
) -> dict[str, Any]:
    """Content of the result file, without the fields that depend on its path."""
    from optcodec.accuracy.run import profile_sha256
    from optcodec.accuracy.statistics import summarize

    labels = options["labels"]
    return {
        **about("numpy", "pillow", "torch", "torchvision"),
        "device": options["device"],
        "model": target.name,
        "weights_sha256": target.weights_sha256,
        "data": options["data"].resolve().name,
        "labels": labels if labels in ("folders", "self") else Path(labels).name,
        "images": len(measured.rows.images),
        "seed": options["seed"],
        "profile": {"name": profile.name, "sha256": profile_sha256(profile)},
        "seconds": {stage: round(seconds, 3) for stage, seconds in measured.seconds.items()},
        **summarize(measured.rows, seed=options["seed"]),
    }


def _text(document: dict[str, Any]) -> str:
    uncompressed = document["uncompressed"]
    top1 = _interval(uncompressed["top1_percent"], ".1f")
    lines = [
        (
            point["setting"],
            point["method"],
            f"{point['level']:g}",
            f"{point['bpp']['value']:.3f}",
            _interval(point["top1_percent"], ".1f"),
            _interval(point["loss_increase"], "+.4f"),
            str(point["missed_images"] or ""),
        )
        for point in document["points"]
    ]
    header = ("setting", "method", "level", "bpp", "top-1 %", "loss increase", "missed")
    about_images = f"{count(document['images'], 'image')}, top-1 accuracy without compression {top1} %"
    return f"{about_images}; 95 % intervals in brackets\n\n{columns(header, lines, text=2)}"


def _interval(figure: dict[str, float], form: str) -> str:
    value, low, high = (format(figure[key], form) for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"
