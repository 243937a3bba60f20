"""``optcodec blocks``: measure and show how much bits in each 32x32 block help a receiver that restores images."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec.batch.opening import is_jpeg
from optcodec.cli import blocks_train
from optcodec.cli.blocks_train import parts_folder
from optcodec.console.about import about
from optcodec.console.files import find_images
from optcodec.console.help import GroupedCommand
from optcodec.console.many import Done, Failure, failure_records, process_files, report_failures, report_notices
from optcodec.console.options import (
    SUBSAMPLINGS,
    choose_target,
    inputs_argument,
    max_pixels_option,
    one_of,
    output_option,
    subsampling_option,
    target_options,
)
from optcodec.console.show import columns, count, json_option, print_json
from optcodec.console.streams import read_bytes
from optcodec.console.tuning import block_options, tune_option, tuned
from optcodec.errors import InvalidInputError
from optcodec.extras import require_packages
from optcodec.files import check_writable, write_whole

if TYPE_CHECKING:
    from optcodec.blocks.profile import UtilityProfile
    from optcodec.pictures.pixels import Picture
    from optcodec.receivers.survey import BlockSurvey, SurveyedImage
    from optcodec.receivers.task import Task
    from optcodec.report.blocks import BlockMap

__all__ = ["command"]


@click.group(short_help="Tell what blocks of a picture are worth to a receiver.")
def command() -> None:
    """Measure how much a receiver that restores images gains from bits in each 32x32 block."""


command.add_command(blocks_train.command)


@command.command(short_help="Measure bytes and restored quality of blocks.")
@inputs_argument
@click.option(
    "--task",
    required=True,
    metavar="PACKAGE.MODULE:FACTORY[@TEXT]",
    help="Function that returns the restoration task; "
    "with @TEXT, of a text such as the name of a network: restore.tasks:sr4@onnx:FILE.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Profile to write (JSON).")
@click.option(
    "--groups", type=click.IntRange(1), default=10, show_default=True, help="Number of groups, in order of utility."
)
@click.option(
    "--encoder",
    type=click.Choice(["jpeg", "rdo"]),
    default="jpeg",
    show_default=True,
    help="Encoder: default JPEG, or rate-distortion optimized (a trellis).",
)
@click.option(
    "--subsampling", type=click.Choice(SUBSAMPLINGS), default="4:2:0", show_default=True, help="Chroma subsampling."
)
@click.option(
    "--offsets",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="Number of block grids measured in each image; with more than one, blocks are 28 pixels apart.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the noise and the grids.")
@click.option("--isolated", is_flag=True, help="Restore each block alone, without the pixels around it.")
@click.option(
    "--keep-parts", is_flag=True, help="Keep the folder OUTPUT.parts: curves and pixels of the blocks of each image."
)
@max_pixels_option
@json_option
def profile(
    inputs: tuple[Path, ...], task: str, output: Path, groups: int, keep_parts: bool, as_json: bool, **options: Any
) -> None:
    """Measure the bytes and restored quality of blocks at many qualities, and write a utility profile.

    The task is a function that returns an object described in optcodec.receivers.task. Measurements
    of finished images are kept in OUTPUT.parts until the profile is written, so the same command continues a run that
    was interrupted. They are identified by the name of the task: delete them after training its network again. With
    --keep-parts they stay, and "optcodec blocks train" uses them to train a QP-NET for the profile.
    """
    from optcodec.blocks.profile import build_profile
    from optcodec.receivers.survey import BlockSurvey

    paths = [source.path for source in find_images(inputs)]
    check_writable(output)
    folder = parts_folder(output)
    survey = BlockSurvey(_open_task(task), task, folder, grids=options.pop("offsets"), **options)
    images, failures = _measure(survey, paths)
    record: dict[str, Any] = {}
    if images:
        curves = [image.curves for image in images]
        built = build_profile(output.stem, curves, groups=groups, provenance=survey.provenance(images))
        built.save(output)
        record = _record(output, built)
    if not failures and not keep_parts:
        _remove(folder, [image.part for image in images])
    if as_json:
        print_json(record | {"failures": failure_records(failures)})
    elif images:
        click.echo(_text(output, built))
    report_failures(failures, len(paths))


def _measure(survey: BlockSurvey, paths: Sequence[Path]) -> tuple[list[SurveyedImage], list[Failure]]:
    """Measure one image after the other, since the network itself uses all threads."""
    images: list[SurveyedImage] = []

    def work(index: int) -> Done:
        images.append(survey.image(paths[index]))
        return Done({})

    _, failures = process_files(paths, work, workers=1, label="measure")
    return images, failures


def _open_task(name: str) -> Task:
    """As `optcodec.receivers.task.load_task`; the module may also lie in the working folder, as for ``python -m``."""
    from optcodec.receivers.task import load_task

    sys.path.insert(0, str(Path.cwd()))
    return load_task(name)


def _remove(folder: Path, parts: Sequence[Path]) -> None:
    """Delete the parts of this run, and their folder if it is empty then."""
    for part in parts:
        part.unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _record(output: Path, profile: UtilityProfile) -> dict[str, Any]:
    about = profile.provenance
    return {
        "output": str(output),
        "task": about.task,
        "images": len(about.images),
        "blocks": about.blocks,
        "utility": profile.utility.tolist(),
    }


def _text(output: Path, profile: UtilityProfile) -> str:
    """Utility of each group, and its curves at both ends."""
    about = profile.provenance
    low, high = profile.qualities[[0, -1]].tolist()
    header = ["group", "dB per byte", *(f"{what} at {q}" for what in ("bytes", "dB") for q in (low, high))]
    rows = [
        [str(group), f"{profile.utility[group]:.5f}"]
        + [f"{curve[group, end]:.2f}" for curve in (profile.nbytes, profile.psnr_db) for end in (0, -1)]
        for group in range(profile.groups)
    ]
    title = f"{output}: {about.task}, {count(about.blocks, 'block')} of {count(len(about.images), 'image')}"
    return f"{title}\n\n{columns(header, rows)}"


@command.command(cls=GroupedCommand)
@click.argument("image", type=click.Path(path_type=Path))
@output_option("Picture to draw: .png, .svg or .pdf.", required=True)
@block_options
@tune_option
@click.option("-q", "--quality", type=click.IntRange(1, 100), help="Encode with default JPEG tables of this quality.")
@target_options
@subsampling_option
@max_pixels_option
@json_option
def show(image: Path, output: Path, max_pixels: int, as_json: bool, **options: Any) -> None:
    """Draw maps of an image's blocks: their utility, weight and bits.

    With --blocks, the image is encoded as by "optcodec encode"; a JPEG file is decoded to pixels first. Without
    --blocks, IMAGE must be a sequential JPEG file, and only the bits of its blocks are drawn.
    """
    from optcodec.pictures.pixels import load_picture
    from optcodec.receivers.block_bits import file_block_bits
    from optcodec.report.blocks import bits_map, blocks_figure
    from optcodec.report.curves import FORMATS, draw_to

    if output.suffix.lower() not in FORMATS:
        raise click.BadParameter(f"{output} should end in one of {', '.join(FORMATS)}", param_hint="-o/--output")
    _check_shown(image, options)
    require_packages("matplotlib.figure")
    picture = load_picture(image, max_pixels=max_pixels)
    height, width = picture.pixels.shape[:2]
    record: dict[str, Any] = {"input": str(image), "output": str(output), "width": width, "height": height}
    data, maps = (read_bytes(image), {}) if options["blocks"] is None else _coded(picture, options, record)
    notices = [*picture.notices]
    maps["bits"] = bits_map(file_block_bits(data, notify=notices.append))
    record |= {"nbytes": len(data), "bpp": 8 * len(data) / (width * height)}
    figure = blocks_figure(picture.pixels, [*maps.values()], title=image.name, note=_note(record))
    write_whole(output, draw_to(figure, output.suffix.lower()))
    report_notices({notice: [image] for notice in notices})
    if as_json:
        print_json(
            about("numpy", "pillow") | record | {"maps": {name: block_map.record for name, block_map in maps.items()}}
        )
    else:
        click.echo(f"{output}: {_note(record)}")


def _check_shown(image: Path, options: dict[str, Any]) -> None:
    """Without ``--blocks`` nothing is encoded: refuse options for encoding, and images that are not JPEG files."""
    if options["blocks"] is not None:
        return
    set_options = [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]
    if set_options:
        raise InvalidInputError(f"{set_options[0]} is for coding the image; expected --blocks too")
    if not is_jpeg(image):
        raise InvalidInputError(f"{image}: without --blocks, expected a JPEG file, got another kind of file")


def _coded(picture: Picture, options: dict[str, Any], record: dict[str, Any]) -> tuple[bytes, dict[str, BlockMap]]:
    """Encode the image as ``optcodec encode`` does; maps of its blocks' utility and weights. Adds the settings to
    `record`."""
    from optcodec.encoder import encode
    from optcodec.report.blocks import RecordingChoice

    target, quality = choose_target(options), options["quality"]
    one_of({"-q/--quality": quality, "a target (--bpp and the like)": target})
    others = "effort", "profile", "method", "tables", "huffman", "roi", "roi_strength", "background"
    tuning = tuned(dict.fromkeys(others) | {"dct": "float"} | options, quality, target)
    record |= tuning.record
    recording = RecordingChoice.of(tuning.settings["blocks"])
    encoded = encode(picture, **tuning.settings | {"blocks": recording, "subsampling": options["subsampling"]})
    return encoded.data, recording.maps()


def _note(record: dict[str, Any]) -> str:
    """One line with the settings and the size of the file."""
    size = f"{record['nbytes']:,} bytes, {record['bpp']:.3f} bpp"
    if "blocks" not in record:
        return size
    way = record["blocks"] if record["allocator"] is None else f"{record['blocks']}, {record['allocator']}"
    return f"{way}, tuned for {record['tune']}: {size}"
