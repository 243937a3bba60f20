"""Parts of a data set, which workers on other machines code one at a time; what runs the workers is not known here.

A worker does with its part what one machine does with all: it leaves out what an earlier run has done, codes pictures,
and writes the files. It returns rows and outcomes, and only the machine that divided the data set writes the manifest.
So a part can be done again after its worker died: files appear whole and with the same bytes, and rows only once.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from optcodec import __version__
from optcodec.batch.coder import Coder, code_shard, copy_file
from optcodec.batch.job import Job
from optcodec.batch.manifest import Earlier
from optcodec.batch.names import SuffixRule
from optcodec.batch.opening import Content
from optcodec.batch.places import Place, Store, digest, opened
from optcodec.batch.rows import Row, failed_row
from optcodec.batch.run import NOT_BEGUN, Done, Failure
from optcodec.batch.sources import Found
from optcodec.errors import InvalidInputError, OptcodecError

__all__ = ["Part", "PartDone", "Reach", "Recipe", "lost", "not_begun", "parts_of"]

_MOST_PICTURES = 64  # in a part: what a worker that dies loses at most
_PARTS_PER_WORKER = 4  # at least, if there are so many pictures, so that no worker is left without work at the end


@dataclass(frozen=True)
class Part:
    """What one worker does at a time: some pictures, a tar file, or a file that is no picture and is copied.

    Parameters
    ----------
    kind : {"pictures", "shard", "other"}
        What it is.
    number : int
        Of its first file in the data set.
    sources, targets : tuple of Path or Url
        The files, and what becomes of them.
    earlier : tuple of row
        What an earlier run has done of them.
    """

    kind: Literal["pictures", "shard", "other"]
    number: int
    sources: tuple[Store, ...]
    targets: tuple[Store, ...]
    earlier: tuple[Row, ...] = ()

    def singles(self) -> list[Part]:
        """A part for each of its files."""
        pairs = enumerate(zip(self.sources, self.targets, strict=True))
        return [Part(self.kind, self.number + index, (one,), (to,), self.earlier) for index, (one, to) in pairs]


@dataclass(frozen=True)
class PartDone:
    """What became of a part.

    Parameters
    ----------
    outcomes : tuple of (place, Done or Failure)
        For each picture, and for a tar file or another file that failed as a whole.
    rows : tuple of row
        For the manifest.
    others : int
        Number of files in it that are no pictures.
    """

    outcomes: tuple[tuple[Place, Done | Failure], ...]
    rows: tuple[Row, ...] = ()
    others: int = 0

    @property
    def full(self) -> bool:
        """Whether there was no space for a file."""
        return any(isinstance(outcome, Failure) and outcome.full for _, outcome in self.outcomes)


@dataclass(frozen=True)
class Reach:
    """What a worker must see: the same files as the machine that divided the data set, and the same optcodec.

    Parameters
    ----------
    lock : Path or Url, optional
        The lock of the output folder, while the job runs; None if workers write nothing.
    holder : tuple of (int, str)
        Size and SHA-256 of that file.
    source : Path or Url
        One of the files that are read.
    version : str
        Of optcodec.
    """

    lock: Store | None
    holder: tuple[int, str] | None
    source: Store
    version: str

    @classmethod
    def of(cls, lock: Store | None, source: Store) -> Reach:
        """What is seen from this machine."""
        return cls(lock, None if lock is None else digest(lock), source, __version__)

    def check(self) -> None:
        """Check that the machine that calls this sees the same.

        Raises
        ------
        InvalidInputError
            If it does not; the message names it.
        """
        machine, others = socket.gethostname(), "that all machines share"
        if self.version != __version__:
            both = f"has optcodec {__version__}, the machine that started the job {self.version}"
            raise InvalidInputError(f"{machine} {both}; expected the same on all machines")
        if self.lock is not None and digest(self.lock) != self.holder:
            folder = str(self.lock).rpartition("/")[0]
            raise InvalidInputError(
                f"{machine} does not see the output folder {folder}; expected a URL, or a folder {others}"
            )
        try:
            with opened(self.source) as file:
                file.read(1)
        except InvalidInputError as error:
            raise InvalidInputError(
                f"{machine} does not see the pictures: {error}; expected URLs, or a folder {others}"
            ) from None


@dataclass
class _Collected:
    """Rows in memory, in place of a manifest."""

    earlier: Earlier
    rows: list[Mapping[str, Any]] = field(default_factory=list)

    def add(self, *rows: Mapping[str, Any]) -> None:
        """Keep rows."""
        self.rows += rows


@dataclass(frozen=True)
class Recipe:
    """All that a worker needs to know; it can be pickled, and calling it does a part.

    Parameters
    ----------
    make : callable
        Makes the job on one picture, on the worker, since networks cannot be sent.
    around : callable
        Makes a context in which pictures are coded.
    fetch, store : callable
        As of `Coder`.
    reach : Reach
        What must be seen.
    hashed : bool
        Whether there is a manifest.
    suffix : {"keep", "number"}, optional
        How pictures in tar files are named.
    copy_others : bool
        Whether files in tar files that are no pictures are copied.
    """

    make: Callable[[], Job]
    around: Callable[[], AbstractContextManager[None]]
    fetch: Callable[[Place], Content]
    store: Callable[[Store, bytes], None]
    reach: Reach
    hashed: bool
    suffix: SuffixRule | None = None
    copy_others: bool = True

    def opened(self) -> Callable[[Part], PartDone]:
        """What a worker keeps, and calls with each part: the job is made once.

        Raises
        ------
        OptcodecError
            If this machine does not see the files, or the job cannot be made on it.
        """
        self.reach.check()
        coder = Coder(self.make(), 1, 0, self.fetch, self.store)

        def work(part: Part) -> PartDone:
            with self.around():
                return self._done(coder, part)

        return work

    def _done(self, coder: Coder, part: Part) -> PartDone:
        collected = _Collected(Earlier({row["source"]: row for row in part.earlier}))
        coder = replace(coder, manifest=collected if self.hashed else None)
        outcomes: list[tuple[Place, Done | Failure]] = []
        others = 0
        try:
            if part.kind == "pictures":
                outcomes += coder.files(part.sources, part.targets, {})
            elif part.kind == "other":
                copy_file(coder, part.sources[0], part.targets[0])
                others = 1
            else:
                others = self._shard(coder, part, outcomes)
        except (OptcodecError, MemoryError) as error:  # of a tar file or another file
            outcomes = [(part.sources[0], Failure.of(part.sources[0], error))]
        return PartDone(tuple(outcomes), tuple(map(dict, collected.rows)), others)

    def _shard(self, coder: Coder, part: Part, outcomes: list[tuple[Place, Done | Failure]]) -> int:
        """Code a tar file; returns the number of its other files."""
        results = code_shard(coder, part.sources[0], part.targets[0], rule=self.suffix, copy_others=self.copy_others)
        try:
            while True:
                outcomes.append(next(results))
        except StopIteration as ended:
            others: int = ended.value
            return others
        finally:
            results.close()


def parts_of(
    found: Found, targets: Sequence[Sequence[Store]], earlier: Mapping[str, Row], workers: int
) -> Iterator[Part]:
    """Divide a data set.

    Parameters
    ----------
    found : Found
        Its files.
    targets : sequence of three sequences of Path or Url
        For the pictures, tar files and other files; the last ones may be missing.
    earlier : mapping of str to row
        Rows of an earlier run by source.
    workers : int
        Number of workers.
    """
    pictures, shards, others = targets
    count = len(found.pictures)
    most = max(1, min(_MOST_PICTURES, count // (_PARTS_PER_WORKER * max(1, workers))))
    sources = [item.source for item in found.pictures]
    for first in range(0, count, most):
        some = slice(first, first + most)
        rows = tuple(earlier[str(source)] for source in sources[some] if str(source) in earlier)
        yield Part("pictures", first, tuple(sources[some]), tuple(pictures[some]), rows)
    known = _by_shard(earlier.values())
    for index, (item, target) in enumerate(zip(found.shards, shards, strict=True), count):
        yield Part("shard", index, (item.source,), (target,), tuple(known.get(str(item.source), ())))
    count += len(found.shards)
    for index, (item, target) in enumerate(zip(found.others, others, strict=False), count):
        row = earlier.get(str(item.source))
        yield Part("other", index, (item.source,), (target,), () if row is None else (row,))


def not_begun(part: Part) -> PartDone:
    """A part that was skipped because the disk was full."""
    return PartDone(tuple((source, Failure(source, NOT_BEGUN, begun=False)) for source in part.sources))


def lost(part: Part, reason: str) -> PartDone:
    """A part whose worker died each time."""
    pairs = list(zip(part.sources, part.targets, strict=True))
    rows = tuple(failed_row(source, target, reason) for source, target in pairs)
    return PartDone(tuple((source, Failure(source, reason)) for source in part.sources), rows)


def _by_shard(rows: Collection[Row]) -> dict[str, list[Row]]:
    """Rows of tar files and of their members, by the tar file."""
    known: dict[str, list[Row]] = {row["source"]: [row] for row in rows if row["state"] == "shard"}
    for row in rows:
        source = row["source"]
        ends = (end for end, sign in enumerate(source) if sign == "/")
        shard = next((source[:end] for end in ends if source[:end] in known), None)
        if shard is not None:
            known[shard].append(row)
    return known
