"""What ``optcodec encode`` does once its files are known: on threads of this machine, or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from optcodec import __version__
from optcodec.batch.manifest import Manifest
from optcodec.batch.places import STREAM, Store, whole
from optcodec.batch.shards import pictures_in
from optcodec.batch.sources import Found, is_compressed
from optcodec.cli.data_options import DataOptions, changing_options
from optcodec.cli.dataset import DataTally, code_all
from optcodec.cli.encode_settings import job_of, needed_per_pixel, shared_tables
from optcodec.cli.engine import Spread
from optcodec.cli.targets import Targets
from optcodec.console.streams import content_of, output_file
from optcodec.console.tuning import EncodeSettings
from optcodec.errors import InvalidInputError
from optcodec.limits import processor_count

if TYPE_CHECKING:
    from optcodec.batch.cluster import Cluster
    from optcodec.batch.coder import Coder
    from optcodec.jpeg.tables import QuantTable

__all__ = ["work_of"]


def work_of(
    found: Found,
    targets: Targets,
    options: dict[str, Any],
    data: DataOptions,
    tuning: EncodeSettings,
    manifest: Manifest | None,
    cluster: Cluster | None,
) -> Callable[[DataTally], None]:
    """What codes all files, with the tables that they share; the manifest says how.

    Raises
    ------
    InvalidInputError
        If there are several inputs, and a picture that one of them should be restored to.
    """
    if options["against"] is not None and (found.shards or len(found.pictures) > 1):
        several = len(found.pictures) if not found.shards else f"{len(found.shards)} tar files"
        raise InvalidInputError(f"--against is the clean picture of a single input, got {several}")
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
    compressed = next((item.source for item in found.shards if is_compressed(item.name)), None)
    if spread is not None and compressed is not None:
        reason = "is compressed, and would be read many times by each machine; expected tar files as they are"
        raise InvalidInputError(f"{compressed} {reason}")
    with pictures_in(found) as (names, _):  # the job tells of tar files that cannot be read
        return shared_tables(list(names), options, None if spread is None else spread.gather)


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
