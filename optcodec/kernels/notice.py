"""Write notices about kernels to stderr."""

from __future__ import annotations

import contextlib
import sys

__all__ = ["tell"]


def tell(text: str) -> None:
    """Write one line to stderr; if stderr is closed or its disk is full, the line is lost, and the work goes on."""
    if sys.stderr is not None:  # for None, print would write to stdout, which may be an image file
        with contextlib.suppress(OSError, ValueError):
            print(f"optcodec: {text}", file=sys.stderr, flush=True)
