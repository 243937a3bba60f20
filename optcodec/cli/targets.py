"""Where ``optcodec encode`` writes the files of a data set, and which files are no part of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING

from optcodec.batch.lock import locked
from optcodec.batch.names import check_targets, output_names
from optcodec.batch.places import STREAM, Place, Store, Url, joined, remove_unfinished_at
from optcodec.batch.sources import Found, has_suffix, shard_name
from optcodec.cli.data_options import DataOptions
from optcodec.console.files import Source, check_folders, check_jpeg_name, output_paths
from optcodec.errors import InvalidInputError
from optcodec.files import remove_unfinished

if TYPE_CHECKING:
    from optcodec.batch.rows import Row

__all__ = ["Targets", "is_data_set", "left_out_of", "outputs_held", "targets_of"]

_TWO_NAMES = ", or --suffix keep or number"


@dataclass(frozen=True)
class Targets:
    """Where the pictures, other files and tar files of a data set go; `folder` is the folder that all are below."""

    pictures: Sequence[Store] = ()
    others: Sequence[Store] = ()
    shards: Sequence[Store] = ()
    folder: Store | None = field(default=None, kw_only=True)


def is_data_set(places: Sequence[Store], found: Found) -> bool:
    """Whether the inputs may stand for many files: there are several, or one is a folder, pattern, list or tar file."""
    named = {item.source for item in found.pictures}
    return len(named) > 1 or bool(found.shards) or any(place not in named for place in places)


def left_out_of(places: Sequence[Store], output: Store | None, written: Sequence[Path]) -> Callable[[Path], bool]:
    """A function that tells which files are no part of the data set.

    Parameters
    ----------
    places : sequence of Path or Url
        The inputs. If the output folder lies in one of them, the files in it are left out.
    output : Path or Url, optional
        Value of ``-o``.
    written : sequence of Path
        Other files that the job writes.
    """
    folders = [Path(os.path.realpath(place)) for place in places if isinstance(place, Path) and place.is_dir()]
    out = Path(os.path.realpath(output)) if isinstance(output, Path) else None
    inside = out is not None and any(folder in out.parents for folder in folders)
    own = {Path(os.path.realpath(path)) for path in written}

    def left_out(path: Path) -> bool:
        if not inside and not own:
            return False
        real = Path(os.path.realpath(path))
        return real in own or (inside and out in real.parents)

    return left_out


@contextmanager
def outputs_held(
    places: Sequence[Store], found: Found, targets: Targets, *, always: bool, resume: bool
) -> Iterator[None]:
    """Lock the outputs of a data set, so that no other job writes there.

    Pictures that are named one by one need none.

    Parameters
    ----------
    places : sequence of Path or Url
        The inputs.
    found : Found
        What they stand for.
    targets : Targets
        Where the files go.
    always : bool
        Lock the folder of pictures that are named, too.
    resume : bool
        Remove files that an earlier run, which was killed, could not finish.
    """
    with ExitStack() as stack:
        for lock in _locks_of(places, found, targets, always=always):
            stack.enter_context(lock)
        if resume:
            _remove_unfinished_of(targets)
        yield


def _locks_of(
    places: Sequence[Store], found: Found, targets: Targets, *, always: bool
) -> list[AbstractContextManager[None]]:
    if targets.folder is None:
        return [locked(shard, folder=False) for shard in targets.shards]
    named = {item.source for item in found.pictures}
    return [locked(targets.folder)] if always or any(place not in named for place in places) else []


def _remove_unfinished_of(targets: Targets) -> None:
    places = (*targets.pictures, *targets.others, *targets.shards)
    now = time.time()
    for folder in {place.parent for place in places if isinstance(place, Path)}:
        remove_unfinished(folder, before=now)
    if isinstance(targets.folder, Url):  # which is locked
        for text in {str(place).rpartition("/")[0] for place in places}:
            remove_unfinished_at(Url(text))


def targets_of(
    found: Found, output: Store | None, data: DataOptions, *, several: bool, force: bool, earlier: Mapping[str, Row]
) -> Targets:
    """Where the files go; nothing is written.

    Parameters
    ----------
    found : Found
        The files of the data set.
    output : Path or Url, optional
        Value of ``-o``. A URL without a suffix is a folder.
    data : DataOptions
        How files are named, and whether other files are copied.
    several : bool
        Whether the output is a folder, since there may be several files.
    force : bool
        Allow outputs to replace the inputs that they are made from, and, without an output, files that are no inputs.
    earlier : mapping of str to row
        Rows of an earlier run by source, whose names are kept.

    Raises
    ------
    InvalidInputError
        If files cannot be written there.
    """
    if len(found.shards) == 1 and not found.pictures and output is not None and _is_shard(output):
        return Targets(shards=_checked([found.shards[0].source], [output], force))
    folder = several or (output is not None and _is_folder(output))
    if output is None or (isinstance(output, Path) and (str(output) == "-" or not folder)):
        known = {row["output"] for row in earlier.values()}
        return Targets(_single(found, output, data, known, several=several, force=force))
    if not folder:
        check_jpeg_name(output)
        return Targets(_checked([found.pictures[0].source], [output], force))
    pictures = output_names([item.name for item in found.pictures], data.suffix, _taken(found, output, earlier))
    others = found.others if data.other == "copy" else []
    items = [*found.pictures, *others, *found.shards]
    names: list[PurePath] = [
        *pictures,
        *(item.name for item in others),
        *(shard_name(item.name) for item in found.shards),
    ]
    places = _checked([item.source for item in items], [joined(output, name) for name in names], force)
    first, second = len(pictures), len(pictures) + len(others)
    return Targets(places[:first], places[first:second], places[second:], folder=output)


def _single(
    found: Found, output: Path | None, data: DataOptions, earlier: Collection[str], *, several: bool, force: bool
) -> list[Path]:
    """Files that are not written to a folder of their own: to one that was named, to stdout, or beside their inputs."""
    away: list[Store] = [item.source for item in found.pictures if isinstance(item.source, Url)]
    if output is None and (away or found.shards):
        source = [*away, *(item.source for item in found.shards)][0]
        raise InvalidInputError(f"{source}: expected -o with an output; only files are written beside their inputs")
    if (data.suffix or data.other == "copy") and (output is None or not several):
        name = "--other" if data.suffix is None else "--suffix"
        raise InvalidInputError(f"{name} is about the files in an output folder; expected -o FOLDER")
    if output is not None and not several:
        check_jpeg_name(output)
    last = found.pictures[-1].source if len(found.pictures) > 1 and output is None else None
    if isinstance(last, Path) and last != STREAM and not last.exists():
        raise InvalidInputError(f"{last}: no such file; expected -o {last} if it is the output")
    sources = [Source(Path(str(item.source)), Path(item.name)) for item in found.pictures]
    return output_paths(sources, output, suffix=".jpg", folder=several, force=force, earlier=earlier)


def _checked(sources: Sequence[Place], targets: Sequence[Store], force: bool) -> Sequence[Store]:
    """The targets; raises `InvalidInputError` if they exclude one another, or cannot be written."""
    check_targets(sources, targets, force=force, hint=_TWO_NAMES)
    check_folders([target for target in targets if isinstance(target, Path)])
    return targets


def _taken(found: Found, output: Store, earlier: Mapping[str, Row]) -> dict[int, PurePath]:
    """Names that an earlier run chose for pictures, by their index."""
    start = f"{output}/"
    rows = ((index, earlier.get(str(item.source))) for index, item in enumerate(found.pictures))
    return {
        index: PurePath(row["output"][len(start) :])
        for index, row in rows
        if row is not None and row["output"].startswith(start)
    }


def _is_folder(place: Store) -> bool:
    """Whether one picture goes into this folder; at a URL, if its name has no suffix."""
    return not PurePosixPath(place.name).suffix if isinstance(place, Url) else place.is_dir()


def _is_shard(place: Store) -> bool:
    return has_suffix(PurePosixPath(place.name), (".tar",)) and not (isinstance(place, Path) and place.is_dir())
