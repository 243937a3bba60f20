"""Code the pictures of a data set one by one: leave out what is done, write the files, and keep the manifest."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from optcodec.batch.job import Job
from optcodec.batch.manifest import Rows
from optcodec.batch.names import SuffixRule, same_file
from optcodec.batch.one import attempt, code_one, is_finished
from optcodec.batch.opening import Content, needed_nbytes
from optcodec.batch.places import Place, Store, copied
from optcodec.batch.rows import Row, copied_row, failed_row, record_of, shard_row
from optcodec.batch.run import Done, Failure, outcomes, reason_of
from optcodec.batch.shards import Shard, fetched, read_shard, unpacked, write_shard
from optcodec.errors import InvalidInputError, OptcodecError

__all__ = ["Coder", "Outcomes", "code_shard", "copy_file"]

_Ready: TypeAlias = "Content | Row | OptcodecError"
Outcomes: TypeAlias = Generator[tuple[Place, Done | Failure], None, None]


@dataclass(frozen=True)
class Coder:
    """Codes pictures, several at a time.

    Parameters
    ----------
    job : Job
        What is done to each picture.
    workers : int
        Number of pictures at a time.
    nbytes_per_pixel : int
        Memory that a picture takes.
    fetch : callable
        Takes a place, and returns a path or a binary file.
    store : callable
        Takes a place and the content of a file, and writes it.
    manifest : Manifest or other Rows, optional
        Where rows go, and what has been done before.
    one_by_one : bool
        Whether an error that is not ours, such as a decoder's, is that of one file; otherwise it ends the run.
    """

    job: Job
    workers: int
    nbytes_per_pixel: int
    fetch: Callable[[Place], Content]
    store: Callable[[Store, bytes], None]
    manifest: Rows | None = None
    one_by_one: bool = True

    def files(self, sources: Sequence[Place], targets: Sequence[Store], done: dict[int, Done]) -> Outcomes:
        """Code files, and write each of them to its target.

        Parameters
        ----------
        sources, targets : sequence of place
            The pictures, and the coded files.
        done : dict
            What is done by its index; it is filled as soon as a file is in its place, so that the caller has it also
            when a signal ends the iteration.

        Yields
        ------
        tuple of (place, Done or Failure)
            What became of each picture, in their order.
        """
        begun: dict[int, _Ready] = {}

        def nbytes(index: int) -> int:
            ready = begun[index] = self._ready(sources[index], targets[index])
            return 0 if isinstance(ready, (dict, OptcodecError)) else self._needed(ready)

        def work(index: int) -> Done:
            source, target = sources[index], targets[index]
            ready = begun.pop(index) if index in begun else self._ready(source, target)
            if isinstance(ready, dict):
                done[index] = Done(record_of(ready), resumed=True)
            else:
                row = self._file(source, target, ready)
                done[index] = Done(record_of(row), tuple(row["warnings"]))
            return done[index]

        results = outcomes(sources, work, workers=self.workers, nbytes=nbytes)
        with closing(results):
            yield from zip(sources, results, strict=True)

    def members(self, shard: Shard, target: Store, rows: dict[int, Row]) -> Generator[Done | Failure, None, None]:
        """Code the pictures of a tar file; their rows are put into `rows` by index, and nothing is written."""

        def nbytes(index: int) -> int:
            return needed_nbytes(shard.pictures[index], self.nbytes_per_pixel)

        def work(index: int) -> Done:
            place, hashed = f"{target}/{shard.names[index]}", self.manifest is not None
            row, data = attempt(shard.pictures[index], place, self.job, hashed=hashed)
            rows[index] = row
            if row["state"] == "failed":
                raise InvalidInputError(row["error"])
            return Done(record_of(row), tuple(row["warnings"]), data)

        return outcomes(shard.pictures, work, workers=self.workers, nbytes=nbytes)

    def finished(self, source: Place, target: Store, *, near: Place | None = None) -> Row | None:
        """The row of a file that an earlier run has done, if it is still true; `near` is as of `is_finished`."""
        row = None if self.manifest is None else self.manifest.earlier.rows.get(str(source))
        return row if row is not None and is_finished(row, source, target, near=near) else None

    def add(self, *rows: Row) -> None:
        """Write rows to the manifest, if there is one."""
        if self.manifest is not None:
            self.manifest.add(*rows)

    def add_failure(self, source: Place, target: Store, error: Exception) -> None:
        """Write the row of a file that failed."""
        with suppress(OptcodecError):  # the disk may be full for the manifest as well; the first error counts
            self.add(failed_row(source, target, reason_of(error, source)))

    def _ready(self, source: Place, target: Store) -> _Ready:
        """The row of a file that is done, or the content of the picture, or why there is none."""
        try:
            return self.finished(source, target) or self.fetch(source)
        except OptcodecError as error:
            return error

    def _needed(self, content: Content) -> int:
        nbytes = needed_nbytes(content, self.nbytes_per_pixel)
        if not isinstance(content, Path):
            content.seek(0)
        return nbytes

    def _file(self, source: Place, target: Store, ready: Content | OptcodecError) -> Row:
        """Code a picture and write it; the row is in the manifest, also that of a failure.

        The row of a picture that its coded file replaces is written first: whether the file was replaced afterwards can
        be seen from its hash, while a picture that was coded without a row would be coded twice.
        """
        if isinstance(ready, OptcodecError):
            row, data = failed_row(source, target, reason_of(ready, source)), b""
        else:
            code = attempt if self.one_by_one else code_one
            row, data = code(source, target, self.job, hashed=self.manifest is not None, content=ready)
        if row["state"] == "failed":
            self.add(row)
            raise InvalidInputError(row["error"])
        first = same_file(source, target)
        if first:
            self.add(row)
        try:
            self.store(target, data)
        except OptcodecError as error:
            self.add_failure(source, target, error)
            raise
        if not first:
            self.add(row)
        return row


def code_shard(
    coder: Coder, source: Store, target: Store, *, rule: SuffixRule | None, copy_others: bool
) -> Generator[tuple[Place, Done | Failure], None, int]:
    """Code the pictures of a tar file, and copy its other members; see `write_shard`.

    The rows of the members, and one for the tar file, are written when it is in its place.

    Returns
    -------
    int
        Number of files in it that are no pictures.

    Raises
    ------
    OptcodecError
        If the tar file cannot be read or written.
    """
    try:
        with fetched(source) as near, unpacked(near, source) as local:
            shard, known = read_shard(source, local, rule), coder.finished(source, target, near=near)
            if known is not None and coder.manifest is not None:
                for member in shard.pictures:
                    yield member, Done(record_of(coder.manifest.earlier.rows[str(member)]), resumed=True)
                return shard.others
            rows: dict[int, Row] = {}
            results = coder.members(shard, target, rows)
            with closing(results):
                yield from write_shard(shard, target, results, copy_others=copy_others)
            if coder.manifest is not None:
                failed = sum(row["state"] == "failed" for row in rows.values())
                about = f"{failed} of {len(rows)} pictures failed" if failed else None
                whole_row = shard_row(source, target, about, near=near)
    except OptcodecError as error:
        coder.add_failure(source, target, error)
        raise
    if coder.manifest is not None:
        coder.add(*(rows[index] for index in sorted(rows)), whole_row)
    return shard.others


def copy_file(coder: Coder, source: Store, target: Store) -> None:
    """Copy a file that is no picture, unless an earlier run has done so.

    Raises
    ------
    OptcodecError
        If it cannot be read or written.
    """
    if coder.finished(source, target):
        return
    try:
        nbytes, sha256 = copied(source, target)
    except OptcodecError as error:
        coder.add_failure(source, target, error)
        raise
    coder.add(copied_row(source, target, nbytes, sha256))
