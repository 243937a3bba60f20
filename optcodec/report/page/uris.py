"""Pictures as data URIs, which a page can hold."""

from __future__ import annotations

import base64
import io

import numpy as np
import numpy.typing as npt

__all__ = ["data_uri", "png_uri"]


def data_uri(data: bytes, kind: str) -> str:
    """The bytes of a file as an address, such as ``data:image/png;base64,...``; the kind is ``"png"`` or ``"jpeg"``."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def png_uri(pixels: npt.NDArray[np.uint8]) -> str:
    """Pixels of shape (height, width) or (height, width, 3) as the address of a PNG file."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return data_uri(file.getvalue(), "png")
