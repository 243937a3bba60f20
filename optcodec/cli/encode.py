"""``optcodec encode``: encode images as JPEG files, and transcode JPEG files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec import __version__
from optcodec.batch.manifest import Earlier, Manifest, begun, read_earlier
from optcodec.batch.parquet import write_parquet
from optcodec.batch.places import STREAM, Store, whole
from optcodec.batch.shards import pictures_of
from optcodec.batch.sources import Found, find
from optcodec.cli.data_options import DataOptions, changing_options, data_options, places
from optcodec.cli.dataset import DataTally, code_all
from optcodec.cli.encode_settings import job_of, needed_per_pixel, shared_tables, tuning_of
from optcodec.cli.engine import Spread, check_spread, cluster_of, engine_options
from optcodec.cli.network import made_for, network_options
from optcodec.cli.plan import plan_option, planned
from optcodec.cli.targets import Targets, is_data_set, left_out_of, locks_of, remove_unfinished_of, targets_of
from optcodec.cli.totals import table_of, total_of
from optcodec.console.form import form_options
from optcodec.console.many import failure_records, report_failures, report_notices
from optcodec.console.models import one_thread_each
from optcodec.console.options import (
    ExpertOption,
    GroupedCommand,
    background_option,
    max_pixels_option,
    method_option,
    orient_option,
    pixel_target_options,
    pixels_option,
    profile_option,
    reading_options,
    short_side_option,
    subsampling_option,
    target_options,
    to_rgb_option,
)
from optcodec.console.show import count, json_option, print_json
from optcodec.console.streams import check_stdout, content_of, output_file
from optcodec.console.tuning import EncodeSettings, tuning_options
from optcodec.limits import processor_count

if TYPE_CHECKING:
    from optcodec.batch.cluster import Cluster
    from optcodec.batch.coder import Coder
    from optcodec.jpeg.tables import QuantTable

__all__ = ["command"]


@click.command(cls=GroupedCommand)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...", callback=places)
@click.option(
    "-o",
    "--output",
    callback=places,
    metavar="PATH",
    help="File, - for stdout, or a folder for several inputs.  [default: beside each input]",
)
@plan_option
@click.option("-q", "--quality", type=click.IntRange(1, 100), help="Quality of default JPEG.  [default: 75]")
@click.option(
    "--tables",
    type=click.Path(path_type=Path),
    help="Quantization tables from a file: JSON, the text format of cjpeg, or any JPEG file. With a target, such as "
    "--bpp, all steps are scaled by the percentage that meets it.",
)
@click.option(
    "--scale",
    cls=ExpertOption,
    type=click.FloatRange(0, min_open=True),
    metavar="PERCENT",
    help="Scale the steps of --tables by a fixed percentage.",
)
@profile_option
@target_options
@pixel_target_options
@method_option
@tuning_options
@network_options
@subsampling_option
@form_options
@background_option
@orient_option
@to_rgb_option
@pixels_option
@short_side_option
@click.option(
    "--metadata/--strip",
    default=None,
    help="Keep or remove metadata: for JPEG files, all application segments, comments and data after the end of the "
    "image; for other files, ICC profile and Exif. The orientation always stays.  [default: keep it when transcoding "
    "JPEG files, remove it otherwise]",
)
@click.option("--allow-larger", is_flag=True, help="Transcode a JPEG file even if that makes it larger.")
@click.option(
    "--threads", cls=ExpertOption, type=click.IntRange(1), help="Largest number of threads.  [default: all cores]"
)
@reading_options
@max_pixels_option
@click.option("--force", is_flag=True, help="Replace inputs; without -o, replace any file that already exists.")
@click.option("--keep-times", is_flag=True, help="Keep the access and modification times of files that are replaced.")
@data_options
@engine_options
@json_option
def command(inputs: tuple[Store, ...], output: Store | None, force: bool, as_json: bool, **options: Any) -> None:
    """Encode images as JPEG: files, folders, patterns ('photos/**/*.png'), lists (.jsonl, .parquet), tar files, and
    URLs such as s3://bucket/photos. The input - is stdin.

    JPEG files are transcoded from their coefficients, without decoding to pixels. Without -q, --tables or a target
    they keep their tables; unless --effort is 3 or 4, they then also keep every coefficient (lossless). The file is
    copied unchanged if the new one would not be smaller, or if it already meets --bpp or --max-bytes. A profile is a
    shipped one (mobilenet_v2, squeezenet1_1) or a file from "optcodec sensitivity". Replaced files keep their
    permissions.
    """
    options = planned(click.get_current_context(), options)
    data = DataOptions.of(options)
    found = find(inputs, left_out_of(inputs, output, data.written))
    tally, report = DataTally(), None
    try:
        with ExitStack() as stack:
            manifest, several = None, is_data_set(inputs, found)
            if data.lines is not None:
                manifest = stack.enter_context(begun(data.lines, resume=data.resume, force=force))
            earlier = Earlier() if manifest is None else manifest.earlier
            found = found.without(earlier.outputs)  # outputs that lie beside their inputs
            targets = targets_of(found, output, data, several=several, force=force, earlier=earlier.rows)
            to_stdout = list(targets.pictures) == [STREAM]
            if to_stdout:
                check_stdout(as_json=as_json)
            tuning = tuning_of(options)
            if options["engine"] == "ray":
                check_spread(found, targets)
            cluster = stack.enter_context(cluster_of(options))
            for lock in locks_of(inputs, found, targets, always=manifest is not None or cluster is not None):
                stack.enter_context(lock)
            if data.resume:
                remove_unfinished_of(targets)
            stack.enter_context(one_thread_each(options["network"] if cluster is None else ()))
            work = _work(found, targets, options, data, tuning, manifest, cluster)
            about = {"as_json": as_json, "to_stdout": to_stdout, "others": data.other is not None}
            report = partial(_report, tally, tuning, options["loss"], **about)
            work(tally)
            if data.parquet is not None and data.lines is not None:
                write_parquet(data.parquet, read_earlier(data.lines).rows.values())
    except (KeyboardInterrupt, SystemExit):
        if report is not None and several:
            report(interrupted=True)
        raise
    report()
    report_failures(tally.failures, len(tally.records) + len(tally.failures))


def _work(
    found: Found,
    targets: Targets,
    options: dict[str, Any],
    data: DataOptions,
    tuning: EncodeSettings,
    manifest: Manifest | None,
    cluster: Cluster | None,
) -> Callable[[DataTally], None]:
    """What codes all files, with the tables that they share; the manifest says how."""
    changing = changing_options(click.get_current_context())
    if manifest is not None:
        manifest.check_options(changing)
    spread = None if cluster is None else Spread.over(cluster, found, targets)
    tables = _shared(found, options, manifest, spread) if options["shared_tables"] else None
    work: Callable[[DataTally], None]
    if spread is None:
        work = partial(code_all, _coder(found, options, tuning, tables, manifest), found, targets, data)
    else:
        work = partial(spread.code, options, data, tables, manifest)
    if manifest is not None:
        _begin(manifest, changing, tables)
    return work


def _coder(
    found: Found,
    options: dict[str, Any],
    tuning: EncodeSettings,
    tables: Sequence[QuantTable] | None,
    manifest: Manifest | None,
) -> Coder:
    """What codes the pictures on this machine."""
    from optcodec.batch.coder import Coder

    threads = options["threads"] or processor_count()
    workers = threads if found.shards else max(1, min(threads, len(found.pictures)))
    return Coder(
        job_of(options, tuning, tables, max(1, threads // workers)),
        workers,
        needed_per_pixel(tuning, options),
        fetch=content_of,
        store=partial(_store, keep_times=options["keep_times"]),
        manifest=manifest,
        one_by_one=len(found.pictures) != 1 or bool(found.shards),
    )


def _shared(
    found: Found, options: dict[str, Any], manifest: Manifest | None, spread: Spread | None
) -> tuple[QuantTable, ...]:
    """The tables that all pictures share: those of the manifest, if a job goes on, or new ones."""
    from optcodec.jpeg.table_files import from_pillow

    known = None if manifest is None else manifest.earlier.run.get("tables")
    if known is not None:
        return from_pillow(known)
    members = [member for item in found.shards for member in pictures_of(item.source)]
    places = [*(item.source for item in found.pictures), *members]
    return shared_tables(places, options, None if spread is None else spread.gather)


def _begin(manifest: Manifest, changing: dict[str, Any], tables: Sequence[QuantTable] | None) -> None:
    """Write to the manifest how the job is run, and say what is special about going on with it."""
    from optcodec.jpeg.table_files import to_pillow

    earlier = manifest.earlier
    before = earlier.run.get("optcodec", __version__)
    if earlier.cut:
        click.echo(f"{manifest.path}: the last line was not complete; what it was about is done again", err=True)
    if before != __version__:
        click.echo(f"{manifest.path}: optcodec {before} wrote it; this is {__version__}, which may differ", err=True)
    steps = None if tables is None else to_pillow(tables)
    manifest.add({"run": {"optcodec": __version__, "options": changing, "tables": steps}})


def _store(place: Store, data: bytes, *, keep_times: bool) -> None:
    """Write a coded file, or to stdout."""
    with output_file(place) if place == STREAM else whole(place, keep_times=keep_times) as file:
        file.write(data)


def _report(
    tally: DataTally,
    tuning: EncodeSettings,
    loss: str | None,
    *,
    as_json: bool,
    to_stdout: bool,
    others: bool,
    interrupted: bool = False,
) -> None:
    """Print what became of the files: notices on stderr, the rest on stdout, if no picture goes there."""
    report_notices(tally.noticed)
    records = tally.records
    counts = {name: getattr(tally, name) for name in ("resumed", "copied", "skipped")}
    if as_json:
        result = {"files": records, "failures": failure_records(tally.failures)} | total_of(records) | tuning.record
        print_json(result | counts | ({"interrupted": True} if interrupted else {}))
        return
    if records and not to_stdout:
        click.echo(table_of(records))
        if tuning.networks:
            click.echo(made_for(tuning.networks, records, loss))
    about = {"resumed": ("file", "done before"), "copied": ("other file", "copied")}
    about |= {"skipped": ("other file", "skipped")} if others else {}
    shown = [f"{count(counts[name], noun)} {verb}" for name, (noun, verb) in about.items() if counts[name]]
    if shown:
        click.echo(", ".join(shown))
    if interrupted:
        click.echo(f"stopped: {count(len(records), 'file')} done so far", err=True)
