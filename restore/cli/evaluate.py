"""``restore evaluate``: measure how well, and at what cost, receivers restore the images of test sets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec import InvalidInputError, require_packages
from optcodec.console.about import about
from optcodec.console.files import check_suffix
from optcodec.console.progress import progress_bar
from optcodec.console.rate_report import check_output, partial_of
from optcodec.console.rates import state_of
from optcodec.console.show import json_option, print_json
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
    from restore.evaluation.evaluate import Conditions
    from restore.evaluation.receiver import Receiver
    from restore.evaluation.testsets import TestSet

__all__ = ["command"]

# Options on which no row depends; of the pictures, names and sizes are compared.
_ABOUT_THE_RUN = ("output", "data", "workers", "images", "against", "cost", "figure", "crop")
_PACKAGES = ("numpy", "scipy", "pillow", "scikit-image", "onnxruntime", "torch", "spandrel")


@click.command(short_help="Compare receivers on test sets, by several measures.")
@click.argument("sets", nargs=-1, required=True, metavar="SET...")
@data_option
@click.option(
    "-q",
    "--quality",
    "qualities",
    multiple=True,
    type=click.IntRange(1, 100),
    default=(10, 20, 30, 40),
    show_default=True,
    help="Quality of the JPEG files; can be repeated.",
)
@sigma_option
@click.option(
    "--receiver",
    "receivers",
    multiple=True,
    metavar="[LABEL=]RECEIVER",
    default=("jpeg", "default"),
    show_default=True,
    help="jpeg, centroid, deblock, smooth; the name of a shipped model or the .json file of another (append "
    "':unprojected' to skip the projection into the quantization intervals, ':dnn' for the share of the change that "
    "'restore run --for dnn' makes); "
    "FILE.safetensors[+FILE]; networks of others as onnx:FILE, torchscript:FILE, torch:package.module:factory, "
    "spandrel:FILE, or published weights as dncnn:FILE; or module:function, from the bytes of a file to its picture. "
    "Can be repeated.",
)
@click.option(
    "--measure",
    "measures",
    default="psnr,psnr_b,ssim",
    show_default=True,
    help=MEASURE_HELP,
)
@weights_option
@click.option("--against", metavar="NAME", help="Compare all other receivers with this one, by paired "
              "tests over the images.")  # fmt: skip
@click.option("--colour", is_flag=True, help="Measure RGB images instead of luminance.")
@click.option("--subsampling", type=click.Choice(["4:4:4", "4:2:2", "4:2:0"]), help="Chroma subsampling, "
              "with --colour.  [default: 4:2:0]")  # fmt: skip
@click.option("--encoder", type=click.Choice(["pillow", "optcodec", "rdo"]), default="pillow", show_default=True,
              help="pillow is libjpeg-turbo; rdo is optcodec with rate-distortion optimized quantization.")  # fmt: skip
@click.option("-n", "--images", type=click.IntRange(1), help="Number of images to use from each set, the first ones "
              "by name.  [default: all]")  # fmt: skip
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Seed of the noise and of the bootstrap intervals."
)
@click.option("--cost", is_flag=True, help="Also measure model size, operations, latency and memory, on the first "
              "image.")  # fmt: skip
@click.option("--figure", type=click.Path(path_type=Path), help="Write a .png file with crops and error maps "
              "of the first image.")  # fmt: skip
@click.option("--crop", callback=parse_crop, metavar="LEFT,TOP,WIDTH,HEIGHT", help="Part of the image "
              "that --figure shows.  [default: 128x128 in the middle]")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write all results to this .json file. What is "
              "finished is kept beside it until then, so that the same command continues a run that was "
              "interrupted.")  # fmt: skip
@click.option("--workers", type=click.IntRange(1), help="Number of pictures that are measured at a time, each by one "
              "thread.  [default: all processors]")  # fmt: skip
@json_option
def command(sets: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Encode the images of test sets as JPEG, restore them with several receivers, and measure the quality.

    A SET is a folder of lossless images, or the name of a folder below --data (Set5, Set14, Set12, BSD68, Classic5,
    LIVE1, Kodak, McMaster, ...). Luminance is measured unless --colour is given.
    """
    from optcodec.shared import check_writable, remove_partial, write_whole

    if options["output"] is not None:
        check_output(options["output"])
    if options["figure"] is not None:
        check_suffix(options["figure"], (".png",), "--figure")
        check_writable(options["figure"])
    if options["crop"] and not options["figure"]:
        raise click.UsageError("--crop is the part that --figure shows; expected it with --figure")
    if options["subsampling"] and not options["colour"]:
        raise click.UsageError("--subsampling is that of colour images; expected it with --colour")
    options["subsampling"] = options["subsampling"] or "4:2:0"
    _require_packages(options)
    document = _measure(sets, options)
    if options["output"] is not None:
        write_whole(options["output"], (json.dumps(document, indent=1, allow_nan=False) + "\n").encode())
        remove_partial(partial_of(options["output"]))
    if as_json:
        print_json(document)
    else:
        from restore.evaluation.report import show

        show(document)


def _require_packages(options: dict[str, Any]) -> None:
    """Check for the packages of later steps first, so that they do not fail after a long measurement."""
    needed = {"against": "scipy.stats", "figure": "matplotlib.figure", "cost": "onnx"}
    require_packages(*(module for option, module in needed.items() if options[option]), extra="evaluate")


def _measure(set_names: tuple[str, ...], options: dict[str, Any]) -> dict[str, Any]:
    """Measure everything, and return the document that --output writes."""
    from optcodec.shared import one_thread_each, processor_count, write_whole
    from restore.evaluation.evaluate import Conditions, comparisons, evaluate, means, unfinished
    from restore.evaluation.measures import load_measures

    conditions = Conditions(
        options["qualities"],
        options["sigmas"],
        options["colour"],
        options["subsampling"],
        options["encoder"],
        options["seed"],
    )
    measures = load_measures(options["measures"].split(","), options["weights"])
    receivers = [receiver_from(name, colour=options["colour"], threads=1) for name in options["receivers"]]
    against = options["against"]
    if against is not None and against not in [receiver.name for receiver in receivers]:
        raise InvalidInputError(
            f"--against {against!r} is not among the receivers; expected one that a --receiver names"
        )
    sets = test_sets(set_names, options)
    if options["figure"] is not None:
        write_whole(options["figure"], _figure(sets, receivers, conditions, options["crop"]))
    images = sum(len(test_set.paths) for test_set in sets)
    rows, total = [], images * len(conditions.qualities) * len(conditions.sigmas) * len(receivers)
    output, workers = options["output"], options["workers"] or min(processor_count(), images)
    folder = unfinished(partial_of(output), sets, state_of(options, _ABOUT_THE_RUN)) if output is not None else None
    with progress_bar(total, "evaluate") as advance, one_thread_each():
        for row in evaluate(sets, receivers, measures, conditions, folder=folder, workers=workers):
            rows.append(row)
            advance(label=f"{row.set} {row.image}")
    texts = {receiver.name: text for receiver, text in zip(receivers, options["receivers"], strict=True)}
    document = _provenance(sets, texts, options) | {"means": means(rows)}
    if against is not None:
        document["comparisons"] = comparisons(rows, against, seed=options["seed"])
    if options["cost"]:
        document["cost"] = _cost(sets, receivers, conditions, options["receivers"])
    return document | {"rows": [row.to_json() for row in rows]}


def _provenance(sets: Sequence[TestSet], receivers: Mapping[str, str], options: dict[str, Any]) -> dict[str, Any]:
    """How the results came about: the command, the versions of the packages, the machine and the protocol."""
    from restore.evaluation.receivers import labelled_receiver

    return about(*_PACKAGES, program="restore") | {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "protocol": "RGB" if options["colour"] else "luminance",
        **{name: options[name] for name in ("encoder", "subsampling", "seed", "against")},
        "receivers": {name: labelled_receiver(text)[1] for name, text in receivers.items()},
        "measures": options["measures"].split(","),
        "sets": {test_set.name: {"images": len(test_set.paths), "complete": test_set.expected} for test_set in sets},
    }


def _cost(
    sets: Sequence[TestSet], receivers: Sequence[Receiver], conditions: Conditions, names: Sequence[str]
) -> dict[str, Any]:
    """What each receiver costs on the first image, at the first quality."""
    from restore.evaluation.cost import measure_cost
    from restore.evaluation.evaluate import encoded
    from restore.evaluation.testsets import load_image

    path = sets[0].paths[0]
    image = load_image(path, colour=conditions.colour)
    data = encoded(image, conditions.qualities[0], conditions)
    costs = {
        receiver.name: measure_cost(name, data, colour=conditions.colour)
        for receiver, name in zip(receivers, names, strict=True)
    }
    return {"image": path.name, "width": image.shape[1], "height": image.shape[0], "receivers": costs}


def _figure(
    sets: Sequence[TestSet],
    receivers: Sequence[Receiver],
    conditions: Conditions,
    crop: tuple[int, int, int, int] | None,
) -> bytes:
    """A PNG file that compares the receivers on the first image at the first quality, without noise."""
    from restore.evaluation.evaluate import encoded
    from restore.evaluation.figures import Crop, crops_figure, draw
    from restore.evaluation.testsets import load_image

    path, quality = sets[0].paths[0], conditions.qualities[0]
    image = load_image(path, colour=conditions.colour)
    part = Crop.middle(image) if crop is None else Crop(*crop)
    data = encoded(image, quality, conditions)
    restored = [(receiver.name, receiver.receive(data)) for receiver in receivers]
    title = f"{sets[0].name} {path.stem}, JPEG quality {quality}"
    return draw(crops_figure(image, restored, part, title=title))
