"""A process may fork while its other threads use the package, and the children can use it, too: no lock hangs."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import optcodec
from optcodec.cached import cached_property
from optcodec.jpeg import scratch as scratch_module
from optcodec.jpeg.scratch import scratch
from optcodec.kernels import loading
from optcodec.pictures.pixels import load_picture
from tests.cli_helpers import photograph, save

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
CHILDREN = 40
SECONDS = 30  # time limit in seconds for all children, each of which takes milliseconds


@contextmanager
def busy(work: Callable[[], object], threads: int = 2) -> Iterator[None]:
    """Run work again and again in other threads meanwhile."""
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            work()

    others = [threading.Thread(target=run) for _ in range(threads)]
    for thread in others:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in others:
            thread.join()


def forked(work: Callable[[], object]) -> int:
    """Fork a child that does the work and exits with status 0 if it succeeds; return its process number."""
    with warnings.catch_warnings():
        # since 3.12 Python warns of forks in processes with threads, which is what is tested here
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
        child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    finally:
        os._exit(status)


def hung_or_failed(children: list[int]) -> int:
    """Number of children that failed or did not end in time; those that hang are killed."""
    deadline = time.monotonic() + SECONDS
    bad, running = 0, list(children)
    while running and time.monotonic() < deadline:
        for child in list(running):
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                running.remove(child)
                bad += status != 0
        time.sleep(0.01)
    for child in running:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return bad + len(running)


def children_of(work: Callable[[], object]) -> int:
    """Fork several times while other threads do the same work; return the number of children that failed or hung."""
    work()  # with all imports
    with busy(work):
        children = []
        for _ in range(CHILDREN):
            children.append(forked(work))
            time.sleep(0.002)
        return hung_or_failed(children)


def test_children_open_images_while_threads_of_the_parent_do(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", photograph(16, 16))
    assert children_of(lambda: load_picture(path)) == 0


def test_children_encode_while_threads_of_the_parent_do() -> None:
    photo = photograph(300, 400)  # large enough for kept work memory
    expected = optcodec.encode(photo, threads=1).data

    def work() -> None:
        assert optcodec.encode(photo, threads=1).data == expected

    assert children_of(work) == 0


@pytest.mark.parametrize(
    ("lock", "work"),
    [
        (lambda: scratch_module._lock, lambda: scratch(1 << 20)),
        (lambda: loading._lock, lambda: loading.load("bits")),
    ],
    ids=["work memory", "kernels"],
)
def test_a_lock_that_a_thread_holds_is_free_in_a_child(
    lock: Callable[[], threading.Lock], work: Callable[[], object]
) -> None:
    work()

    def hold() -> None:
        with lock():
            time.sleep(0.01)

    with busy(hold, threads=1):
        assert hung_or_failed([forked(work) for _ in range(5)]) == 0
    work()


def test_a_property_that_a_thread_computes_is_free_in_a_child() -> None:
    began, go_on = threading.Event(), threading.Event()

    class Kept:
        @cached_property
        def value(self) -> int:
            if threading.current_thread() is not threading.main_thread():
                began.set()
                go_on.wait(SECONDS)
            return 7

    thread = threading.Thread(target=lambda: Kept().value)
    thread.start()
    assert began.wait(SECONDS)
    try:
        assert hung_or_failed([forked(lambda: Kept().value)]) == 0
    finally:
        go_on.set()
        thread.join()


def test_a_property_is_computed_once_for_every_object() -> None:
    class Kept:
        def __init__(self, value: int) -> None:
            self.computed, self.number = 0, value

        @cached_property
        def value(self) -> int:
            """Count the computation, and return the number."""
            self.computed += 1
            return self.number

    first, second = Kept(1), Kept(2)
    assert [first.value, second.value, first.value, second.value] == [1, 2, 1, 2]
    assert (first.computed, second.computed) == (1, 1)
    assert Kept.value.__doc__ == "Count the computation, and return the number."


def test_opening_images_changes_no_warnings(tmp_path: Path) -> None:
    """`warnings.catch_warnings` changes the whole process, and threads that use it undo each other's changes."""
    path = save(tmp_path / "a.png", np.zeros((4, 4), np.uint8))
    load_picture(path)
    filters = warnings.filters
    with busy(lambda: load_picture(path)):
        assert all(warnings.filters is filters for _ in range(200_000))
