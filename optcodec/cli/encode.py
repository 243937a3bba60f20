"""``optcodec encode``: encode images as JPEG files, and transcode JPEG files."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import click

from optcodec.batch.manifest import Earlier, begun, read_earlier
from optcodec.batch.parquet import write_parquet
from optcodec.batch.places import STREAM, Store
from optcodec.batch.sources import Found, find
from optcodec.cli.data_options import DataOptions, data_options, places, sources_argument
from optcodec.cli.dataset import DataTally
from optcodec.cli.encode_page import EncodePage
from optcodec.cli.encode_settings import tuning_of
from optcodec.cli.encode_work import work_of
from optcodec.cli.engine import check_spread, cluster_of, engine_options
from optcodec.cli.network import made_for, network_options, running
from optcodec.cli.plan import plan_option, planned
from optcodec.cli.targets import is_data_set, left_out_of, outputs_held, targets_of
from optcodec.cli.totals import summary_of, table_of, total_of
from optcodec.console.about import about
from optcodec.console.compare import compare_options
from optcodec.console.dry_run import dry_run_option, print_plan
from optcodec.console.files import folder_is_meant
from optcodec.console.form import form_options
from optcodec.console.help import ExpertOption, GroupedCommand
from optcodec.console.many import failure_records, report_failures, report_notices
from optcodec.console.models import one_thread_each
from optcodec.console.options import (
    background_option,
    file_subsampling_option,
    max_pixels_option,
    method_option,
    orient_option,
    pixel_target_options,
    pixels_option,
    profile_option,
    reading_options,
    short_side_option,
    target_options,
    to_rgb_option,
)
from optcodec.console.show import count, json_option, print_json
from optcodec.console.streams import check_stdout
from optcodec.console.tuning import EncodeSettings, tuning_options

__all__ = ["command"]

_FIRST = (
    *("--output", "--quality", "--max-bytes", "--bpp", "--effort", "--tune", "--network", "--subsampling", "--smaller"),
    *("--dry-run", "--force", "--json"),
)
_EXAMPLES = (
    ("photo.png -o photo.jpg --max-bytes 60k --tune people --smaller", "The best-looking file of at most 60 kB"),
    ("photos -o coded -q 80 --effort 3", "A folder, as good as default JPEG at quality 80, in fewer bytes"),
    ("old.jpg -o smaller.jpg", "The same pixels in fewer bytes"),
    ("photos -o coded --profile generic --bpp 0.8", "For networks in general, at 0.8 bits per pixel"),
    ("photo.png -o photo.jpg --bpp 0.6 --reader deblock", 'For people who look at it by way of "restore run"'),
    ("photo.png -o photo.jpg --network classifier.onnx --same-top1", "The fewest bytes that a network reads alike"),
)


@click.command(
    cls=GroupedCommand,
    first=_FIRST,
    examples=_EXAMPLES,
    short_help="Encode pictures as JPEG, and make JPEG files smaller.",
)
@sources_argument
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
@file_subsampling_option
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
@click.option(
    "--force",
    is_flag=True,
    help="Replace inputs by their own output; without -o, replace any file that already exists and is no other input.",
)
@dry_run_option
@click.option("--keep-times", is_flag=True, help="Keep the access and modification times of files that are replaced.")
@compare_options
@data_options
@engine_options
@json_option
def command(
    inputs: tuple[Store, ...], output: Store | None, force: bool, dry_run: bool, as_json: bool, **options: Any
) -> None:
    """Encode images as JPEG: files, folders, patterns ('photos/**/*.png'), lists (.jsonl, .parquet), tar files, and
    URLs such as s3://bucket/photos. The input - is stdin.

    JPEG files are transcoded from their coefficients, without decoding to pixels. Without -q, --tables or a target
    they keep their tables; unless --effort is 3 or 4, they then also keep every coefficient (lossless). The file is
    copied unchanged if the new one would not be smaller, or if it already meets --bpp or --max-bytes.
    Replaced files keep their permissions.
    """
    options = planned(click.get_current_context(), options)
    data, page = DataOptions.of(options, as_json=as_json), EncodePage(options["compare"], options["show"])
    found = find(inputs, left_out_of(inputs, output, [*data.written, *page.written]))
    if dry_run:
        tuning_of(options)  # which are checked, too
        _show_plan(found, output, data, page, several=_several(inputs, found), force=force, as_json=as_json)
        return
    tally, report = DataTally(), None
    try:
        with ExitStack() as stack:
            manifest, several = None, _several(inputs, found)
            if data.lines is not None:
                manifest = stack.enter_context(begun(data.lines, resume=data.resume, force=force))
            earlier = Earlier() if manifest is None else manifest.earlier
            found = found.without(earlier.outputs)  # outputs that lie beside their inputs
            targets = targets_of(found, output, data, several=several, force=force, earlier=earlier.rows)
            page.check(found, targets.pictures)
            to_stdout = list(targets.pictures) == [STREAM]
            if to_stdout:
                check_stdout(as_json=as_json)
            tuning = tuning_of(options)
            cluster = stack.enter_context(cluster_of(options, partial(check_spread, found, targets)))
            held = manifest is not None or cluster is not None
            stack.enter_context(outputs_held(inputs, found, targets, always=held, resume=data.resume))
            stack.enter_context(one_thread_each(running(options, tuning.readers) if cluster is None else ()))
            work = work_of(found, targets, options, data, tuning, manifest, cluster)
            report = partial(_report, tally, tuning, options["loss"], as_json=as_json, to_stdout=to_stdout)
            work(tally)
            _finish(data)
    except (KeyboardInterrupt, SystemExit):
        if report is not None and several:
            report(interrupted=True)
        raise
    report()
    page.write(tally)
    report_failures(tally.failures, len(tally.records) + len(tally.failures))


def _several(inputs: tuple[Store, ...], found: Found) -> bool:
    """Whether the output is a folder: there may be many pictures, or it is written as one."""
    return is_data_set(inputs, found) or folder_is_meant()


def _finish(data: DataOptions) -> None:
    """Make the Parquet file of the manifest, if one is asked for."""
    if data.parquet is not None and data.lines is not None:
        write_parquet(data.parquet, read_earlier(data.lines).rows.values())


def _show_plan(
    found: Found,
    output: Store | None,
    data: DataOptions,
    page: EncodePage,
    *,
    several: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Print which files would be written, less those that a manifest says are done."""
    known = data.lines if data.resume and data.lines is not None and data.lines.exists() else None
    earlier = Earlier() if known is None else read_earlier(known)
    found = found.without(earlier.outputs)
    targets = targets_of(found, output, data, several=several, force=force, earlier=earlier.rows)
    page.check(found, targets.pictures)
    items = [*found.pictures, *(found.others if targets.others else ()), *found.shards]
    written = list(zip(items, (*targets.pictures, *targets.others, *targets.shards), strict=True))
    done = {source for source, row in earlier.rows.items() if row["state"] != "failed"}
    files = [(item.source, target) for item, target in written if str(item.source) not in done]
    skipped = 0 if targets.others else len(found.others)
    others = {"done before": len(written) - len(files), "skipped, which are no pictures": skipped}
    print_plan(
        files, as_json=as_json, others={"done": others["done before"], "skipped": skipped} if as_json else others
    )


def _report(
    tally: DataTally,
    tuning: EncodeSettings,
    loss: str | None,
    *,
    as_json: bool,
    to_stdout: bool,
    interrupted: bool = False,
) -> None:
    """Print what became of the files: notices on stderr, the rest on stdout, if no picture goes there."""
    report_notices(tally.noticed)
    records = tally.records
    counts = {name: getattr(tally, name) for name in ("resumed", "copied", "skipped")}
    if as_json:
        result = {"files": records, "failures": failure_records(tally.failures)} | total_of(records) | tuning.record
        result |= {"seconds": round(tally.seconds, 3)}
        print_json(about("numpy", "numba", "pillow") | result | counts | ({"interrupted": True} if interrupted else {}))
        return
    if records and not to_stdout:
        click.echo(table_of(records))
        click.echo(summary_of(records, tally.seconds))
        if tuning.networks or tuning.readers:
            click.echo(made_for(tuning.networks, tuning.readers, records, loss))
    nouns = {"resumed": "file", "copied": "other file", "skipped": "other file"}
    verbs = {"resumed": "done before", "copied": "copied", "skipped": "skipped"}
    shown = [f"{count(counts[name], noun)} {verbs[name]}" for name, noun in nouns.items() if counts[name]]
    if shown:
        click.echo(", ".join(shown))
    if interrupted:
        click.echo(f"stopped: {count(len(records), 'file')} done so far", err=True)
