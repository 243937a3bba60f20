"""One piece of work for many files: in parallel, with progress, and one bad file does not stop the others."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from optcodec.errors import OptcodecError

__all__ = ["Done", "Failure", "available_cores", "failure_records", "for_each", "report_failures", "report_notices"]


@dataclass(frozen=True)
class Done:
    """Record of a file that was done: what ``--json`` prints, and sentences for stderr."""

    record: dict[str, Any]
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failure:
    """A file that could not be done, and why."""

    path: Path
    message: str
    notices: tuple[str, ...] = field(default=(), init=False)


def available_cores() -> int:
    """Number of cores that this process may use."""
    from optcodec.jpeg.layout import thread_count

    return thread_count(None)


def for_each(
    paths: Sequence[Path], work: Callable[[int], Done], *, workers: int, label: str
) -> tuple[list[dict[str, Any]], list[Failure]]:
    """Do ``work(index)`` for every path.

    Kernels and file access release the interpreter lock, so threads do. The order of the results is that of the paths.

    Parameters
    ----------
    paths : sequence of Path
        The files, for messages.
    work : callable
        Takes the index of a path; an `OptcodecError` makes the file a failure, anything else ends the run.
    workers : int
        Threads.
    label : str
        Word in front of the progress bar.

    Returns
    -------
    tuple of (list of dict, list of Failure)
        Records of what was done, and the failures.
    """

    def guarded(index: int) -> Done | Failure:
        try:
            return work(index)
        except OptcodecError as error:
            return Failure(paths[index], str(error).removeprefix(f"{paths[index]}: "))

    records: list[dict[str, Any]] = []
    failures: list[Failure] = []
    noticed: dict[str, list[Path]] = {}
    with _progress(len(paths), label) as advance, _workers(min(workers, len(paths))) as parallel:
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
    """A ``map`` on threads, which drops what has not begun when it is left by an exception, such as Ctrl-C."""
    if count <= 1:
        yield map
        return
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(count)
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _progress(total: int, label: str) -> Iterator[Callable[[], object]]:
    """Progress bar on stderr, if that is a terminal and there is something to wait for."""
    if total < 2 or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=total)
        yield lambda: progress.advance(task)


def report_notices(noticed: Mapping[str, Sequence[Path]]) -> None:
    """Print each notice once on stderr, with the file or the number of files that it is about."""
    for notice, paths in noticed.items():
        click.echo(f"{paths[0]}: {notice}" if len(paths) == 1 else f"{len(paths)} files: {notice}", err=True)


def failure_records(failures: Sequence[Failure]) -> list[dict[str, str]]:
    """The failures as ``--json`` prints them."""
    return [{"path": str(failure.path), "error": failure.message} for failure in failures]


def report_failures(failures: Sequence[Failure], total: int) -> None:
    """List the failures on stderr and end with exit status 1, if there are any."""
    if not failures:
        return
    if total == 1:
        raise click.ClickException(f"{failures[0].path}: {failures[0].message}")
    click.echo(f"Error: {len(failures)} of {total} files failed:", err=True)
    for failure in failures:
        click.echo(f"  {failure.path}: {failure.message}", err=True)
    click.get_current_context().exit(1)
