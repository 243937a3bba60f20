"""Checks that fail on purpose, so that the tests see that every kind of failure is noticed."""

from __future__ import annotations

import random
import time

import numpy as np

from optcodec.kernels import load
from optcodec.kernels.scancodes import SLACK, STATE_SIZE
from tests.fuzz.kinds import Kind
from tests.fuzz.memory import Guard, guarded_kernels

__all__ = ["KINDS"]

_LAST = b"9"  # the input that fails


def digits() -> tuple[bytes, ...]:
    """The inputs."""
    return tuple(b"%d" % number for number in range(10))


def unchanged(data: bytes, source: random.Random) -> bytes:
    """The same."""
    return data


def raises(data: bytes) -> str:
    """An error that is none of ours."""
    if data == _LAST:
        raise KeyError(data)
    return "right"


def hangs(data: bytes) -> str:
    """No answer."""
    while data == _LAST:
        time.sleep(1)
    return "right"


def takes_all(data: bytes) -> str:
    """More memory than there may be."""
    if data == _LAST:
        np.zeros(1 << 40, np.uint8)
    return "right"


def unstuffs(data: bytes) -> str:
    """The decoder's first kernel, told of a file that is one byte longer than it is."""
    source, target = np.zeros(100, np.uint8), np.zeros(8192, np.uint8)
    bounds, state = np.zeros(2, np.int64), np.zeros(STATE_SIZE, np.int64)
    state[1] = len(source) + (data == _LAST)
    with guarded_kernels(("decode",), [Guard(at_end=True) for _ in range(5)]):
        load("decode").unstuff(source, 1, target, bounds, state)
    return "right"


def overwrites(data: bytes) -> str:
    """The same, writing in front of what it may write to."""
    source, target = np.zeros(100, np.uint8), np.zeros(200 + SLACK, np.uint8)
    bounds, state = np.zeros(2, np.int64), np.zeros(STATE_SIZE, np.int64)
    state[1], state[3] = len(source), -(data == _LAST)
    with guarded_kernels(("decode",), [Guard(at_end=False) for _ in range(5)]):
        load("decode").unstuff(source, 1, target, bounds, state)
    return "right"


KINDS = {
    check.__name__: Kind(digits, unchanged, check, ".txt") for check in (raises, hangs, takes_all, unstuffs, overwrites)
}
