"""Process many files in parallel, with a progress bar; an error in one file does not stop the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from optcodec.console.memory import Room, available_nbytes
from optcodec.console.progress import progress_bar
from optcodec.errors import DiskFullError, OptcodecError

__all__ = [
    "Done",
    "Failure",
    "failure_records",
    "notice_count",
    "process_files",
    "report_failures",
    "report_notices",
]

_NO_MEMORY = "there is not enough memory for it"
_NOT_BEGUN = "not begun, since the disk is full"


@dataclass(frozen=True)
class Done:
    """Result for one file: the record that ``--json`` prints, and notices for stderr."""

    record: dict[str, Any]
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failure:
    """A file that failed, and the reason; `begun` is False if it was skipped because the disk was full."""

    path: Path
    message: str
    begun: bool = True
    notices: tuple[str, ...] = field(default=(), init=False)

    @classmethod
    def of(cls, path: Path, error: OptcodecError | MemoryError) -> Failure:
        """The failure of a file by an exception."""
        reason = _NO_MEMORY if isinstance(error, MemoryError) else str(error)
        return cls(path, reason.removeprefix(f"{path}: "))


def process_files(
    paths: Sequence[Path],
    work: Callable[[int], Done],
    *,
    workers: int,
    label: str,
    nbytes: Callable[[int], int] | None = None,
) -> tuple[list[dict[str, Any]], list[Failure]]:
    """Call ``work(index)`` for every path.

    Threads run in parallel, since kernels and file access release the interpreter lock. The results are in the order of
    the paths. When a disk is full, the files that have not begun are skipped and counted as failures.

    Parameters
    ----------
    paths : sequence of Path
        The files, for messages.
    work : callable
        Takes the index of a path. If it raises an `OptcodecError` or a `MemoryError`, the file is a failure; any other
        exception ends the run.
    workers : int
        Number of threads.
    label : str
        Word in front of the progress bar.
    nbytes : callable, optional
        Takes the index of a path, and estimates the memory in bytes for its work. Work that does not fit into the
        available memory beside the running work waits. The results are the same.

    Returns
    -------
    tuple of (list of dict, list of Failure)
        Records of the successful files, and the failures.
    """

    workers = min(workers, len(paths))
    room = Room(available_nbytes() if workers > 1 else None)
    full = threading.Event()

    def guarded(index: int) -> Done | Failure:
        try:
            with room.taking(0 if nbytes is None or workers == 1 else nbytes(index)):
                return Failure(paths[index], _NOT_BEGUN, begun=False) if full.is_set() else work(index)
        except (OptcodecError, MemoryError) as error:
            if isinstance(error, DiskFullError):
                full.set()
            return Failure.of(paths[index], error)

    records: list[dict[str, Any]] = []
    failures: list[Failure] = []
    noticed: dict[str, list[Path]] = {}
    with progress_bar(len(paths), label) as advance, _workers(workers) as parallel:
        for path, outcome in zip(paths, parallel(guarded, range(len(paths))), strict=True):
            advance()
            for notice in outcome.notices:
                noticed.setdefault(notice, []).append(path)
            if isinstance(outcome, Failure):
                failures.append(outcome)
            else:
                records.append(outcome.record)
    report_notices(noticed)
    return records, failures


@contextmanager
def _workers(count: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """A ``map`` on threads; an exception, such as Ctrl-C, cancels the calls that have not begun."""
    if count <= 1:
        yield map
        return
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(count)
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)


def report_notices(noticed: Mapping[str, Sequence[Path]]) -> None:
    """Print each notice once on stderr, with the file or the number of files it concerns."""
    for notice, paths in noticed.items():
        click.echo(f"{paths[0]}: {notice}" if len(paths) == 1 else f"{len(paths)} files: {notice}", err=True)


def notice_count(records: Sequence[dict[str, Any]]) -> int:
    """Number of notices about all files, for ``--json``."""
    return sum(len(record["notices"]) for record in records)


def failure_records(failures: Sequence[Failure]) -> list[dict[str, str]]:
    """The failures, for ``--json``."""
    return [{"path": str(failure.path), "error": failure.message} for failure in failures]


def report_failures(failures: Sequence[Failure], total: int) -> None:
    """List the failures on stderr and end with exit status 1, if there are any."""
    if not failures:
        return
    if total == 1:
        raise click.ClickException(f"{failures[0].path}: {failures[0].message}")
    failed = [failure for failure in failures if failure.begun]
    left, done = len(failures) - len(failed), total - len(failures)
    if left:
        summary = f"the disk is full: {done} of {total} files are done, {left} were not begun, and {len(failed)} failed"
    else:
        summary = f"{len(failed)} of {total} files failed"
    click.echo(f"Error: {summary}:", err=True)
    for failure in failed:
        click.echo(f"  {failure.path}: {failure.message}", err=True)
    click.get_current_context().exit(1)
