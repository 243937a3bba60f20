"""Notices about kernels, which go to stderr."""

from __future__ import annotations

import contextlib
import sys

__all__ = ["tell"]


def tell(text: str) -> None:
    """One line on stderr. Where that is closed or full, the work goes on without the line."""
    if sys.stderr is not None:  # for which print would take stdout, where there may be a file
        with contextlib.suppress(OSError, ValueError):
            print(f"optcodec: {text}", file=sys.stderr, flush=True)
