"""Scratch memory is never used for two arrays at once, and is used again when it is free."""

from __future__ import annotations

import itertools
import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from optcodec.jpeg import scratch as module
from optcodec.jpeg.scratch import scratch

SIZE = 1 << 20


@pytest.fixture(autouse=True)
def empty_pool(monkeypatch):
    monkeypatch.setattr(module, "_pool", [])


def address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


def test_memory_in_use_is_not_reused():
    buffers = [scratch(SIZE) for _ in range(20)]
    starts = sorted(address(array) for array in buffers)
    assert all(after - before >= SIZE for before, after in itertools.pairwise(starts))
    assert all(array.size == SIZE for array in buffers)


@pytest.mark.parametrize(
    "keep",
    [lambda a: a[10:20], lambda a: a.view(np.uint32), lambda a: a[:100].data, lambda a: a.reshape(2, -1)[1]],
    ids=["slice", "view", "memoryview", "row"],
)
def test_any_view_keeps_the_memory_in_use(keep):
    buffer = scratch(SIZE)
    start = address(buffer)
    view = keep(buffer)
    del buffer
    assert address(scratch(SIZE)) != start
    del view
    assert start in {address(array) for array in [scratch(SIZE), scratch(SIZE)]}


def test_free_memory_serves_smaller_requests():
    start = address(scratch(SIZE))
    again = scratch(SIZE // 2 + 1)
    assert address(again) == start
    assert again.size == SIZE // 2 + 1


def test_small_requests_leave_large_memory_to_others():
    start = address(scratch(4 * SIZE))
    small = scratch(2 * SIZE)
    assert address(small) != start
    assert address(scratch(4 * SIZE)) == start


@pytest.mark.parametrize("nbytes", [0, 1000, module._MAX_NBYTES + 1])
def test_small_and_very_large_requests_are_not_kept(nbytes):
    assert scratch(nbytes).size == nbytes
    assert module._pool == []


def test_threads_do_not_share_memory():
    def work(number: int) -> bool:
        generator = random.Random(number)
        for _ in range(200):
            buffer = scratch(SIZE + generator.randrange(SIZE))
            buffer[::4096] = number
            if not (buffer[::4096] == number).all():
                return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(1, 9)))
    assert len(module._pool) <= module._MAX_BUFFERS
