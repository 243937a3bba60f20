"""Code the files of a data set with a progress bar: pictures, tar files and other files in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from optcodec.batch.places import Place, Store
from optcodec.batch.run import NOT_BEGUN, Done, Failure
from optcodec.batch.sources import Found, Item
from optcodec.cli.data_options import DataOptions
from optcodec.cli.targets import Targets
from optcodec.console.many import Tally
from optcodec.console.progress import ProgressBar, progress_bar
from optcodec.errors import DiskFullError, OptcodecError

if TYPE_CHECKING:
    from optcodec.batch.cluster import Cluster
    from optcodec.batch.coder import Coder, Outcomes
    from optcodec.batch.manifest import Rows
    from optcodec.batch.parts import Part, PartDone, Recipe

__all__ = ["DataTally", "code_all", "code_parts"]


@dataclass
class DataTally(Tally):
    """What became of a data set: also how many pictures an earlier run did, and how many other files there are."""

    resumed: int = 0
    copied: int = 0
    skipped: int = 0
    full: bool = False  # the disk
    pixels: int = 0  # that were coded
    began: float = field(default_factory=lambda: time.monotonic())

    def add(self, path: Place, outcome: Done | Failure) -> None:
        """Count the outcome of one picture."""
        super().add(path, outcome)
        if isinstance(outcome, Failure):
            self.full |= outcome.full
        else:
            self.resumed += outcome.resumed
            self.pixels += 0 if outcome.resumed else outcome.record["width"] * outcome.record["height"]

    @property
    def seconds(self) -> float:
        """Time since the job began."""
        return time.monotonic() - self.began

    @property
    def rate(self) -> str:
        """Megapixels that were coded in a second so far, for the progress bar."""
        return f"{self.pixels / 1e6 / max(1e-3, self.seconds):.1f} MP/s"


def code_all(coder: Coder, found: Found, targets: Targets, data: DataOptions, tally: DataTally) -> None:
    """Do the whole job; the tally has all that is done also when a signal ends it."""
    total = None if found.shards else len(found.pictures) + len(targets.others)
    from optcodec.batch.coder import copy_file

    with progress_bar(total, "encode") as advance:
        _code_pictures(coder, found.pictures, targets.pictures, tally, advance)
        for item, target in zip(found.shards, targets.shards, strict=True):
            _code_shard(coder, item, target, data, tally, advance)
        for item, target in zip(found.others, targets.others, strict=False):  # there are no targets if they are skipped
            tally.copied += _done(item, tally, partial(copy_file, coder, item.source, target))
            advance()
    tally.skipped += len(found.others) - len(targets.others)


def _code_pictures(
    coder: Coder, items: Sequence[Item], targets: Sequence[Store], tally: DataTally, advance: ProgressBar
) -> None:
    done: dict[int, Done] = {}
    counted = 0
    results = coder.files([item.source for item in items], targets, done)
    try:
        with closing(results):
            for path, outcome in results:
                tally.add(path, outcome)
                counted += 1
                advance(note=tally.rate)
    except (KeyboardInterrupt, SystemExit):
        for index in sorted(done):
            if index >= counted:  # done by other threads since then
                tally.add(items[index].source, done[index])
        raise


def _code_shard(
    coder: Coder, item: Item, target: Store, data: DataOptions, tally: DataTally, advance: ProgressBar
) -> None:
    """Code one tar file; what became of its members counts when it is in its place."""
    from optcodec.batch.coder import code_shard

    copies = data.other != "skip"
    members: list[tuple[Place, Done | Failure]] = []
    others = 0

    def counted() -> Outcomes:
        nonlocal others
        others = yield from code_shard(coder, item.source, target, rule=data.suffix, copy_others=copies)

    def work() -> None:
        with closing(counted()) as results:
            for result in results:
                members.append(result)
                advance()

    if _done(item, tally, work):
        for path, outcome in members:
            tally.add(path, outcome)
        tally.copied, tally.skipped = tally.copied + others * copies, tally.skipped + others * (not copies)


def code_parts(
    cluster: Cluster, recipe: Recipe, parts: Sequence[Part], manifest: Rows | None, tally: DataTally
) -> None:
    """Do the whole job on a cluster: as `code_all`, but workers there do the parts.

    Rows are written as parts are done; the tally is in the order of the files, also when a signal ends the job.
    """
    from optcodec.batch.cluster import Lost
    from optcodec.batch.parts import Part, lost, not_begun

    done: dict[int, tuple[Part, PartDone]] = {}
    full = False
    total = sum(len(part.sources) for part in parts)

    def left() -> Iterator[Part]:
        for part in parts:
            if full:
                done[part.number] = part, not_begun(part)
            else:
                yield part

    try:
        results, counted = cluster.results(recipe, left(), divided=Part.singles), 0
        with progress_bar(total, "encode") as advance, closing(results):
            for part, result in results:
                became = lost(part, result.reason) if isinstance(result, Lost) else result
                full |= became.full
                if manifest is not None:
                    manifest.add(*became.rows)
                done[part.number] = part, became
                counted += len(part.sources)
                advance(counted)
    finally:
        for _, (part, became) in sorted(done.items()):
            for path, outcome in became.outcomes:
                tally.add(path, outcome)
            copied = became.others * (part.kind == "other" or recipe.copy_others)
            tally.copied, tally.skipped = tally.copied + copied, tally.skipped + became.others - copied


def _done(item: Item, tally: DataTally, work: Callable[[], object]) -> bool:
    """Do work on a file, unless the disk is full; an error is a failure of this file."""
    if tally.full:
        tally.failures.append(Failure(item.source, NOT_BEGUN, begun=False))
        return False
    try:
        work()
    except (OptcodecError, MemoryError) as error:
        tally.full = isinstance(error, DiskFullError)
        tally.failures.append(Failure.of(item.source, error))
        return False
    return True
