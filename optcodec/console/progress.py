"""The progress bar of every verb: on stderr, where that is a terminal, and gone when the work is done."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

__all__ = ["ProgressBar", "progress_bar", "tracked"]

T = TypeVar("T")


class ProgressBar(Protocol):
    """What `progress_bar` yields."""

    def __call__(
        self,
        completed: int | None = None,
        *,
        total: int | None = None,
        label: str | None = None,
        note: str | None = None,
    ) -> None:
        """Show how much is done: ``completed`` steps, or one more than before; None leaves the rest as it is."""


@contextmanager
def progress_bar(total: int | None, label: str = "", *, note: str = "") -> Iterator[ProgressBar]:
    """A progress bar with the steps done, the time that they took, and the time that is left.

    The first news may be what an earlier run did: `rich` does not count it as speed.

    Parameters
    ----------
    total : int, optional
        Number of steps; None where it is not known, or not known yet.
    label : str
        In front of the bar.
    note : str
        Behind the number of steps, such as their unit.

    Yields
    ------
    ProgressBar
        To be called whenever there is news; without effect where stderr is no terminal, and for a single step.
    """
    if (total is not None and total < 2) or not sys.stderr.isatty():
        yield _ignored
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    texts = [TextColumn(f"{{task.{field}}}", markup=False) for field in ("description", "fields[note]")]
    columns = (texts[0], BarColumn(), MofNCompleteColumn(), texts[1], TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total, note=note)

        def tell(
            completed: int | None = None,
            *,
            total: int | None = None,
            label: str | None = None,
            note: str | None = None,
        ) -> None:
            news: dict[str, Any] = {} if note is None else {"note": note}
            step = 1 if completed is None else None
            bar.update(task, completed=completed, advance=step, total=total, description=label, **news)

        yield tell


def _ignored(
    completed: int | None = None, *, total: int | None = None, label: str | None = None, note: str | None = None
) -> None:
    """Show nothing."""


def tracked(items: Iterable[T], label: str, total: int) -> Iterator[T]:
    """The items one after another, with a progress bar over ``total`` of them."""
    with progress_bar(total, label) as tell:
        for item in items:
            yield item
            tell()
