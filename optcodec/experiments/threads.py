"""Work on threads whose results come in the order of the work, so that a run can be continued where it stopped."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

__all__ = ["in_order"]

T = TypeVar("T")


def in_order(work: Callable[..., T], calls: Iterable[tuple[Any, ...]], workers: int, *, ahead: int = 2) -> Iterator[T]:
    """Call a function on threads, and yield its results in the order of the calls.

    Parameters
    ----------
    work : callable
        Called by several threads at once, by the caller's own if there is to be one. Its first exception ends the
        iteration.
    calls : iterable of tuple
        The arguments of each call.
    workers : int
        Number of threads.
    ahead : int
        At most so many calls per thread have begun, or wait to be fetched: with more of them, a call that takes long
        does not keep the other threads waiting, and more results are kept.
    """
    if workers == 1:  # a thread of its own would only cost time
        for arguments in calls:
            yield work(*arguments)
        return
    pool = ThreadPoolExecutor(workers)
    begun: deque[Future[T]] = deque()
    waiting = iter(calls)
    try:
        while True:
            begun.extend(pool.submit(work, *arguments) for arguments in islice(waiting, ahead * workers - len(begun)))
            if not begun:
                return
            yield begun.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
