"""``restore evaluate``: how well, and at what cost, receivers restore the images of test sets."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import optcodec
from optcodec import InvalidInputError, require_packages
from optcodec.console.about import processor
from optcodec.console.progress import progress_bar
from optcodec.console.show import json_option, print_json

if TYPE_CHECKING:
    from restore.evaluation.evaluate import Conditions
    from restore.evaluation.receiver import Receiver
    from restore.evaluation.testsets import TestSet

__all__ = ["command"]

_PACKAGES = ("numpy", "scipy", "pillow", "scikit-image", "onnxruntime", "torch", "spandrel")


def _integers(ctx: click.Context, option: click.Parameter, text: str | None) -> tuple[int, ...] | None:
    """Four whole numbers with commas in between."""
    if text is None:
        return None
    try:
        left, top, width, height = (int(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter(f"expected LEFT,TOP,WIDTH,HEIGHT in pixels, got {text!r}") from None
    return left, top, width, height


@click.command()
@click.argument("sets", nargs=-1, required=True, metavar="SET...")
@click.option("--data", type=click.Path(path_type=Path), help="Where named sets lie.  [default: $OPTCODEC_DATA]")
@click.option(
    "-q",
    "--quality",
    "qualities",
    multiple=True,
    type=click.IntRange(1, 100),
    default=(10, 20, 30, 40),
    show_default=True,
    help="Of the JPEG files; may be given again.",
)
@click.option(
    "--sigma",
    "sigmas",
    multiple=True,
    type=click.FloatRange(0, 255),
    default=(0.0,),
    show_default=True,
    help="Noise on the decoded image, in 8-bit units; may be given again.",
)
@click.option(
    "--receiver",
    "receivers",
    multiple=True,
    metavar="[LABEL=]RECEIVER",
    default=("jpeg", "default"),
    show_default=True,
    help="jpeg, centroid, deblock, smooth, a shipped model or its .json file (also with "
    "':unprojected' behind it), FILE.safetensors[+FILE], or spandrel:FILE; may be given again.",
)
@click.option(
    "--measure",
    "measures",
    default="psnr,psnr_b,ssim",
    show_default=True,
    help="Of psnr, psnr_b, ssim, lpips, lpips_vgg, lpips_squeeze, niqe, brisque.",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    help="Folder of the files that LPIPS, NIQE and BRISQUE need.  [default: $OPTCODEC_DATA/weights]",
)
@click.option("--against", metavar="NAME", help="Hold the other receivers against this one, with tests.")
@click.option("--colour", is_flag=True, help="RGB instead of luminance.")
@click.option("--subsampling", type=click.Choice(["4:4:4", "4:2:2", "4:2:0"]), help="Of colour.  [default: 4:2:0]")
@click.option("--encoder", type=click.Choice(["pillow", "optcodec", "rdo"]), default="pillow", show_default=True)
@click.option("-n", "--images", type=click.IntRange(1), help="The first so many of each set.  [default: all]")
@click.option("--seed", type=int, default=0, show_default=True, help="Of noise and intervals.")
@click.option("--cost", is_flag=True, help="Also model size, operations, latency and memory, on the first image.")
@click.option("--figure", type=click.Path(path_type=Path), help="A .png file: crops of the first image, error maps.")
@click.option("--crop", callback=_integers, metavar="LEFT,TOP,WIDTH,HEIGHT", help="[default: 128x128 in the middle]")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The result, a .json file.")
@json_option
def command(sets: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Encode the images of test sets, restore them by several receivers, and measure.

    A SET is a folder of lossless images, or the name of one in the folder of data sets (Set5, Set14, Set12, BSD68,
    Classic5, LIVE1, Kodak, McMaster, ...). Luminance is measured unless --colour is given.
    """
    from optcodec.shared import check_writable, write_whole

    for path in (options["output"], options["figure"]):
        if path is not None:
            check_writable(path)
    if options["crop"] and not options["figure"]:
        raise click.UsageError("--crop is of the --figure, which is not asked for")
    if options["subsampling"] and not options["colour"]:
        raise click.UsageError("--subsampling is of --colour, which is not asked for")
    options["subsampling"] = options["subsampling"] or "4:2:0"
    _require_packages(options)
    document = _measure(sets, options)
    if options["output"] is not None:
        write_whole(options["output"], (json.dumps(document, indent=1, allow_nan=False) + "\n").encode())
    if as_json:
        print_json(document)
    else:
        from restore.evaluation.report import show

        show(document)


def _require_packages(options: dict[str, Any]) -> None:
    """What is needed after the images were measured must not be missing then."""
    needed = {"against": "scipy.stats", "figure": "matplotlib.figure", "cost": "onnx"}
    require_packages(*(module for option, module in needed.items() if options[option]), extra="evaluate")


def _measure(given: tuple[str, ...], options: dict[str, Any]) -> dict[str, Any]:
    """The whole result, ready for JSON."""
    from optcodec.shared import write_whole
    from restore.evaluation.evaluate import Conditions, comparisons, evaluate, means
    from restore.evaluation.measures import load_measures
    from restore.evaluation.receivers import make_receiver

    conditions = Conditions(
        options["qualities"],
        options["sigmas"],
        options["colour"],
        options["subsampling"],
        options["encoder"],
        options["seed"],
    )
    judges = load_measures(options["measures"].split(","), options["weights"])
    receivers = [make_receiver(name, colour=options["colour"]) for name in options["receivers"]]
    against = options["against"]
    if against is not None and against not in [receiver.name for receiver in receivers]:
        raise InvalidInputError(f"no --receiver {against!r} to hold against; expected one of those measured")
    sets = _sets(given, options)
    if options["figure"] is not None:
        write_whole(options["figure"], _figure(sets, receivers, conditions, options["crop"]))
    images = sum(len(each.paths) for each in sets)
    rows, total = [], images * len(conditions.qualities) * len(conditions.sigmas) * len(receivers)
    with progress_bar(total, "evaluate") as tell:
        for row in evaluate(sets, receivers, judges, conditions):
            rows.append(row)
            tell(label=f"{row.set} q{row.quality} {row.receiver}")
    document = _about(sets, options) | {"means": means(rows)}
    if against is not None:
        document["comparisons"] = comparisons(rows, against, seed=options["seed"])
    if options["cost"]:
        document["cost"] = _cost(sets, receivers, conditions, options["receivers"])
    return document | {"rows": [row.to_json() for row in rows]}


def _sets(given: tuple[str, ...], options: dict[str, Any]) -> list[TestSet]:
    from restore.evaluation.testsets import TestSet, find_set

    data = options["data"] or (Path(os.environ["OPTCODEC_DATA"]) if "OPTCODEC_DATA" in os.environ else None)
    found = [find_set(each, data) for each in given]
    names = [each.name for each in found]
    if len(set(names)) < len(names):
        raise InvalidInputError(f"sets have different names, got {', '.join(names)}")
    return [TestSet(each.name, each.paths[: options["images"]], each.expected) for each in found]


def _about(sets: Sequence[TestSet], options: dict[str, Any]) -> dict[str, Any]:
    """What one needs to read the figures later."""
    return {
        "command": shlex.join(["restore", *sys.argv[1:]]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"optcodec": optcodec.__version__, "python": platform.python_version(), **_versions()},
        "machine": {"processor": processor(), "system": platform.system()},
        "protocol": "RGB" if options["colour"] else "luminance",
        **{name: options[name] for name in ("encoder", "subsampling", "seed", "against")},
        "measures": options["measures"].split(","),
        "sets": {each.name: {"images": len(each.paths), "complete": each.expected} for each in sets},
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _cost(
    sets: Sequence[TestSet], receivers: Sequence[Receiver], conditions: Conditions, given: Sequence[str]
) -> dict[str, Any]:
    from restore.evaluation.cost import measure_cost
    from restore.evaluation.evaluate import encoded
    from restore.evaluation.testsets import load_image

    path = sets[0].paths[0]
    image = load_image(path, colour=conditions.colour)
    data = encoded(image, conditions.qualities[0], conditions)
    found = {
        receiver.name: measure_cost(name, data, colour=conditions.colour)
        for receiver, name in zip(receivers, given, strict=True)
    }
    return {"image": path.name, "width": image.shape[1], "height": image.shape[0], "receivers": found}


def _figure(
    sets: Sequence[TestSet],
    receivers: Sequence[Receiver],
    conditions: Conditions,
    crop: tuple[int, int, int, int] | None,
) -> bytes:
    """The first image at the first quality, without noise."""
    from restore.evaluation.evaluate import encoded
    from restore.evaluation.figures import Crop, crops_figure, draw
    from restore.evaluation.testsets import load_image

    path, quality = sets[0].paths[0], conditions.qualities[0]
    image = load_image(path, colour=conditions.colour)
    if crop is None:
        height, width = (min(128, extent) for extent in image.shape[:2])
        crop = ((image.shape[1] - width) // 2, (image.shape[0] - height) // 2, width, height)
    data = encoded(image, quality, conditions)
    restored = [(receiver.name, receiver.receive(data)) for receiver in receivers]
    title = f"{sets[0].name} {path.stem}, JPEG quality {quality}"
    return draw(crops_figure(image, restored, Crop(*crop), title=title))
