"""Encode and decode with libjpeg (jpeglib) and libjpeg-turbo (Pillow), to compare with our results."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import jpeglib


def picture(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """A colour picture with smooth parts, edges and noise."""
    y, x = np.mgrid[:height, :width]
    waves = 120 + 90 * np.sin(x / 7 + y / 11) + 40 * ((x // 9 + y // 5) % 2)
    planes = np.stack([waves, 255 - waves, waves / 2 + x % 50], 2)
    planes += np.random.default_rng(1).normal(0, 1, planes.shape) * np.where(x < width / 2, 2, 15)[..., None]
    return Image.fromarray(planes.clip(0, 255).astype(np.uint8)).convert(mode)


def libjpeg_coefficients(data: bytes, folder: Path) -> list[np.ndarray]:
    """Blocks (rows, columns, 8, 8) of each component as libjpeg reads them; it reads 1, 3 or 4 components."""
    path = folder / "file.jpg"
    path.write_bytes(data)
    jpeg = jpeglib.read_dct(str(path))
    return [plane for plane in (jpeg.Y, jpeg.Cb, jpeg.Cr, jpeg.K) if plane is not None]


def pillow_pixels(data: bytes) -> np.ndarray:
    """Pixels as Pillow (libjpeg-turbo) decodes them, in the colour space of the file."""
    with Image.open(io.BytesIO(data)) as opened:
        return np.asarray(opened)


def pillow_jpeg(source: Image.Image, **options: object) -> bytes:
    """File that Pillow (libjpeg-turbo) writes."""
    file = io.BytesIO()
    source.save(file, "JPEG", **options)
    return file.getvalue()
