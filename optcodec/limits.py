"""How large an image may be before memory is taken for it."""

from __future__ import annotations

__all__ = ["MAX_PIXELS", "too_many_pixels"]

# 512 MiB of RGB. Pillow refuses from here on, too: from twice its ``Image.MAX_IMAGE_PIXELS``.
MAX_PIXELS = 178_956_970


def too_many_pixels(width: int, height: int, max_pixels: int | None) -> str | None:
    """What is wrong with the size of an image, or None if nothing is; ``max_pixels`` None allows every size."""
    if max_pixels is None or width * height <= max_pixels:
        return None
    return (
        f"the image has {width}x{height} = {width * height:,} pixels; expected at most {max_pixels:,}, "
        "or a higher limit where the file is trusted (max_pixels=N, --max-pixels N)"
    )
