"""Process many files in parallel, with a progress bar; an error in one file does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import click

from optcodec.batch.places import Place
from optcodec.batch.run import Done, Failure, outcomes
from optcodec.console.progress import progress_bar

__all__ = [
    "Done",
    "Failure",
    "Tally",
    "failure_records",
    "notice_count",
    "process_files",
    "report_failures",
    "report_notices",
]


@dataclass
class Tally:
    """Records of the files that are done, failures, and which files each notice concerns."""

    records: list[dict[str, Any]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    noticed: dict[str, list[Place]] = field(default_factory=dict)

    def add(self, path: Place, outcome: Done | Failure) -> None:
        """Count the outcome of one file."""
        for notice in outcome.notices:
            self.noticed.setdefault(notice, []).append(path)
        if isinstance(outcome, Failure):
            self.failures.append(outcome)
        else:
            self.records.append(outcome.record)


def process_files(
    paths: Sequence[Place],
    work: Callable[[int], Done],
    *,
    workers: int,
    label: str,
    nbytes: Callable[[int], int] | None = None,
) -> tuple[list[dict[str, Any]], list[Failure]]:
    """Call ``work(index)`` for every path, as `optcodec.batch.run.outcomes` does, with a progress bar.

    Parameters
    ----------
    paths, work, workers, nbytes
        As of `optcodec.batch.run.outcomes`.
    label : str
        Word in front of the progress bar.

    Returns
    -------
    tuple of (list of dict, list of Failure)
        Records of the successful files, and the failures, in the order of the paths. Notices are printed.
    """
    tally = Tally()
    parts = outcomes(paths, work, workers=workers, nbytes=nbytes)
    with progress_bar(len(paths), label) as advance, closing(parts):
        for path, outcome in zip(paths, parts, strict=True):
            advance()
            tally.add(path, outcome)
    report_notices(tally.noticed)
    return tally.records, tally.failures


def report_notices(noticed: Mapping[str, Sequence[Place]]) -> None:
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
