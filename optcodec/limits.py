"""Limits: the size of images that are decoded by default, and the number of processors that threads may use."""

from __future__ import annotations

import os

__all__ = ["MAX_PIXELS", "processor_count", "too_many_pixels"]

# 512 MiB of RGB. Pillow has the same limit: it refuses images above twice its ``Image.MAX_IMAGE_PIXELS``.
MAX_PIXELS = 178_956_970


def too_many_pixels(width: int, height: int, max_pixels: int | None) -> str | None:
    """Return an error message if an image has more than `max_pixels` pixels, else None; None allows every size."""
    if max_pixels is None or width * height <= max_pixels:
        return None
    return (
        f"the image has {width}x{height} = {width * height:,} pixels; expected at most {max_pixels:,}, "
        "or a higher limit where the file is trusted (max_pixels=N, --max-pixels N)"
    )


def processor_count() -> int:
    """How many processors this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
