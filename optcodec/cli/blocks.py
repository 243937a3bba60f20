"""``optcodec blocks``: measure and show how much bits in each 32x32 block help a receiver that restores images."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec.cli import blocks_show, blocks_train
from optcodec.cli.blocks_train import parts_folder
from optcodec.console.files import find_images
from optcodec.console.many import Done, Failure, failure_records, process_files, report_failures
from optcodec.console.options import (
    SUBSAMPLINGS,
    inputs_argument,
    max_pixels_option,
)
from optcodec.console.show import columns, count, json_option, print_json
from optcodec.files import check_writable

if TYPE_CHECKING:
    from optcodec.blocks.profile import UtilityProfile
    from optcodec.receivers.survey import BlockSurvey, SurveyedImage
    from optcodec.receivers.task import Task

__all__ = ["command"]


@click.group(short_help="Tell what blocks of a picture are worth to a receiver.")
def command() -> None:
    """Measure how much a receiver that restores images gains from bits in each 32x32 block."""


command.add_command(blocks_show.command)
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
