"""``optcodec design``: design quantization tables for a data set, or for each of several images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import click

from optcodec.batch.names import is_below
from optcodec.batch.opening import Opening, needed_nbytes, open_image
from optcodec.batch.places import Place, Store
from optcodec.batch.shards import pictures_in
from optcodec.batch.sources import find
from optcodec.cli.data_options import sources_argument
from optcodec.cli.images import ImageSet, opening_of
from optcodec.cli.targets import left_out_of
from optcodec.console.files import Source, output_paths
from optcodec.console.help import ExpertOption, GroupedCommand
from optcodec.console.many import Done, Failure, failure_records, process_files, report_failures, report_notices
from optcodec.console.options import (
    TABLE_TARGETS,
    background_option,
    choose_target,
    max_pixels_option,
    method_option,
    numbers,
    one_of,
    orient_option,
    output_option,
    pixels_option,
    profile_from,
    profile_option,
    reading_options,
    subsampling_option,
    target_options,
    to_rgb_option,
)
from optcodec.console.show import count, json_option, print_json, side_by_side
from optcodec.console.streams import STREAM, content_of
from optcodec.errors import InvalidInputError
from optcodec.files import check_writable
from optcodec.limits import processor_count

if TYPE_CHECKING:
    from optcodec.jpeg.tables import QuantTable
    from optcodec.matching import Target

__all__ = ["command"]

_NBYTES_PER_PIXEL = 30  # of memory at the peak


@click.command(cls=GroupedCommand, short_help="Design quantization tables for pictures and a target.")
@sources_argument
@output_option(
    "Table file: JSON, the text format of cjpeg if it ends in .txt, or C arrays if it ends in .h; with --per-image, a "
    "folder.",
    required=True,
)
@click.option(
    "--ladder",
    callback=numbers,
    metavar="Q,Q,...",
    help="Tables for each of these qualities: all in one .h file, or in OUTPUT-qQ.json and so on. They have the error "
    "of default JPEG at the quality, or with deepn and jpeg its scale.",
)
@click.option("--per-image", is_flag=True, help="Design tables for each image, not one set for all.")
@profile_option
@click.option("-q", "--quality", type=click.IntRange(1, 100), help="Quality that scales the tables of deepn and jpeg.")
@target_options
@method_option
@click.option(
    "--distortion",
    cls=ExpertOption,
    type=click.Choice(["empirical", "laplacian", "midpoint"]),
    help="Quantization error for opts and optd: measured (empirical), or in closed form for Laplacian coefficients, as "
    "the paper of OptS has it (laplacian) or for JPEG's rounding (midpoint).  [default: empirical]",
)
@click.option(
    "--qmax",
    cls=ExpertOption,
    type=click.IntRange(1, 255),
    help="Largest quantization step.  [default: 255; 100 for opts and optd]",
)
@click.option(
    "--qmin",
    cls=ExpertOption,
    type=click.IntRange(1, 255),
    default=1,
    show_default=True,
    help="Smallest quantization step.",
)
@subsampling_option
@background_option
@orient_option
@to_rgb_option
@pixels_option
@reading_options
@max_pixels_option
@click.option("--force", is_flag=True, help="Allow the output to replace an input file.")
@json_option
def command(
    inputs: tuple[Store, ...], output: Path, per_image: bool, as_json: bool, force: bool, **options: Any
) -> None:
    """Design quantization tables for images: one set of tables for all of them. Inputs are those of "optcodec encode":
    files, folders, patterns ('photos/**/*.png'), lists (.jsonl, .parquet), tar files, and URLs such as
    s3://bucket/photos.

    The coefficients of JPEG files are used as they are, without decoding to pixels. The tables can be used with
    "optcodec encode --tables" and with the option -qtables of cjpeg.
    """
    found = find(inputs, left_out_of(inputs, output, ()))
    settings, opening = _settings(options), opening_of(options)
    with pictures_in(found) as (names, failures):
        if STREAM in names:
            raise InvalidInputError("images are opened more than once, which stdin cannot be; expected files, got -")
        total = len(names) + len(failures)
        if per_image:
            records, failed = _for_each(names, output, opening, settings, force=force)
        else:
            check_writable(output)
            records, failed = _for_all(list(names), output, opening, settings, failures)
    failures += failed
    if as_json:
        print_json({"files": records, "failures": failure_records(failures)})
    elif records:
        click.echo(_text(records))
    report_failures(failures, total)


def _settings(options: dict[str, Any]) -> dict[str, Any]:
    """Arguments of `optcodec.design_tables`; options that are not set are left to its defaults."""
    from optcodec.design import usual_subsampling
    from optcodec.targets import Quality

    target, quality, ladder = choose_target(options), options["quality"], options["ladder"]
    if target is None and quality is None and ladder is None:
        raise InvalidInputError(f"expected a target: {TABLE_TARGETS}, or -q for the methods deepn and jpeg")
    one_of({"-q/--quality": quality, "a target (--water-level and the like)": target, "--ladder": ladder})
    profile = profile_from(options["profile"])
    settings = {
        "target": _targets(ladder, options["method"]) if ladder else target or Quality(quality),
        "profile": profile,
        "method": options["method"],
        "subsampling": options["subsampling"] or usual_subsampling(profile),
    }
    return settings | {name: options[name] for name in ("distortion", "qmax", "qmin") if options[name] is not None}


def _targets(ladder: tuple[float, ...], method: str | None) -> dict[int, Target]:
    """Targets by the qualities of a ladder."""
    from optcodec.design import SCALED
    from optcodec.targets import MatchQuality, Quality

    kind = Quality if method in SCALED else MatchQuality
    targets: dict[int, Target] = {}
    for quality in sorted(set(ladder)):
        if quality != int(quality):
            raise InvalidInputError(f"--ladder takes whole qualities in 1..100, got {quality:g}")
        targets[int(quality)] = kind(int(quality))
    return targets


def _for_each(
    names: Mapping[Place, PurePath], output: Path, opening: Opening, settings: dict[str, Any], *, force: bool
) -> tuple[list[dict[str, Any]], list[Failure]]:
    """Design tables for each image that can be read, into a folder."""
    places = list(names)
    for place, name in names.items():
        if not is_below(name):
            raise InvalidInputError(f"{place}: expected a name that leads to a file below its tar file, got {name}")
    sources = [Source(Path(str(place)), Path(name)) for place, name in names.items()]
    targets = output_paths(sources, output, suffix=".json", folder=True, force=force)

    def work(index: int) -> Done:
        image, notices, *_ = open_image(content_of(places[index]), opening)
        return Done({"input": str(places[index])} | _design(image, targets[index], settings), notices)

    def nbytes(index: int) -> int:
        return needed_nbytes(places[index], _NBYTES_PER_PIXEL)

    return process_files(places, work, workers=processor_count(), label="design", nbytes=nbytes)


def _for_all(
    places: Sequence[Place], output: Path, opening: Opening, settings: dict[str, Any], broken: Sequence[Failure]
) -> tuple[list[dict[str, Any]], list[Failure]]:
    """Design one set of tables for all images that can be read; none if there were images or tar files, but no such."""
    images = ImageSet(places, opening)
    records = []
    try:
        record = _design(images, output, settings | {"threads": processor_count()})
        records = [{"inputs": len(places) - len(images.failed)} | record]
    except InvalidInputError:
        if len(images.failed) < len(places) or not (places or broken):
            raise
    report_notices(images.noticed)
    return records, list(images.failed.values())


def _design(images: Any, output: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Design tables and write them."""
    from optcodec.design import design_tables
    from optcodec.jpeg.table_files import save_ladder, save_tables

    target, sampling = settings["target"], settings["subsampling"]
    if not isinstance(target, dict):
        tables = design_tables(images, **settings)
        save_tables(tables, output, subsampling=sampling)
        return {"output": str(output), "tables": _steps(tables)}
    from optcodec.design.statistics import gather

    statistics = gather(images, subsampling=sampling, threads=settings.get("threads"))
    ladder = {quality: design_tables(statistics, **settings | {"target": one}) for quality, one in target.items()}
    files = save_ladder(ladder, output, subsampling=sampling)
    steps = {str(quality): _steps(tables) for quality, tables in ladder.items()}
    return {"output": ", ".join(map(str, files)), "ladder": steps}


def _steps(tables: Sequence[QuantTable]) -> list[list[list[int]]]:
    return [table.steps.tolist() for table in tables]


def _text(records: Sequence[dict[str, Any]]) -> str:
    """One line for each set of tables; if there is only one set, the tables too."""
    if len(records) > 1:
        return "\n".join(f"{record['output']}: tables of {record['input']}" for record in records)
    (record,) = records
    about = record["input"] if "input" in record else count(record["inputs"], "image")
    if "ladder" in record:
        return f"{record['output']}: tables of {about} for qualities {', '.join(record['ladder'])}"
    titles = ("luminance", "chrominance")
    return f"{record['output']}: tables of {about}\n\n{side_by_side(titles, record['tables'])}"
