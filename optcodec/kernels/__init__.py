"""Kernels: the inner loops of the codec, as numba functions on plain arrays.

A kernel file is ordinary numba code; ``@export("signature")`` marks what the rest of the package may call, through
``load("file").name(...)``. Kernels allocate nothing, raise nothing and know no files, classes or options.
"""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optcodec.kernels.loading import WarmUp

__all__ = ["load", "prepare", "warm_up"]


@functools.cache
def load(stem: str) -> SimpleNamespace:
    """Return the kernels of ``optcodec/kernels/<stem>.py``, see `optcodec.kernels.loading.load`."""
    from optcodec.kernels import loading  # takes 20 ms, which commands without kernels save

    return loading.load(stem)


@functools.cache
def prepare(*stems: str) -> None:
    """Prepare the kernels of several files at once, see `optcodec.kernels.loading.prepare`."""
    from optcodec.kernels import loading

    loading.prepare(*stems)


def warm_up() -> WarmUp:
    """Compile all kernels and store them in the cache, see `optcodec.kernels.loading.warm_up`."""
    from optcodec.kernels import loading

    return loading.warm_up()
