"""JPEG files to begin with: all kinds that libjpeg or we write, and some that nobody does; small, and made here."""

from __future__ import annotations

import functools
import io
import random
from itertools import product

import numpy as np
from PIL import Image

from optcodec.jpeg.image import CoefficientImage, Metadata
from optcodec.jpeg.tables import QuantTable
from optcodec.jpeg.writer import write_jpeg
from tests.jpegfile import HUFFMAN, ScanSpec, build
from tests.strategies import ALL_FACTORS, image_of, known_to_libjpeg

__all__ = ["seed_files"]

_WIDE = QuantTable(np.arange(64).reshape(8, 8) * 900 + 20)  # steps of 16 bits
_FINE = QuantTable(np.full((8, 8), 3))
_SIZES = ((1, 1), (8, 8), (17, 16), (31, 9), (23, 35))


@functools.cache
def seed_files() -> tuple[bytes, ...]:
    """All of them, of 200 bytes to 10 kB, and one of 30 kB that is decoded in several parts."""
    large = io.BytesIO()
    _photo((90, 110), "RGB").save(large, "JPEG", quality=100, subsampling=0, restart_marker_blocks=40)
    return *_files_of_pillow(), *_files_of_ours(), *_files_built(), large.getvalue()


def _photo(size: tuple[int, int], mode: str) -> Image.Image:
    """Waves and noise."""
    width, height = size
    y, x = np.mgrid[:height, :width]
    waves = np.stack([120 + 100 * np.sin(x / (3 + k) + y / (7 - k)) for k in range(len(mode))], 2)
    noise = np.random.default_rng(width).normal(0, 9, waves.shape)
    return Image.frombytes(mode, size, (waves + noise).clip(0, 255).astype(np.uint8).tobytes())


def _files_of_pillow() -> list[bytes]:
    exif = Image.Exif()
    exif[0x0112] = 6
    choices: list[dict[str, object]] = [
        {},
        {"progressive": True},
        {"restart_marker_blocks": 1, "optimize": True},
        {"progressive": True, "restart_marker_rows": 1, "dpi": (300, 300)},
        {"qtables": [[1] * 64, [2] * 64, [255] * 64], "exif": exif, "icc_profile": bytes(range(200))},
        {"keep_rgb": True, "comment": b"text"},
    ]
    files = []
    for number, (mode, options) in enumerate(product(("RGB", "L", "CMYK"), choices)):
        sampling = {} if "keep_rgb" in options else {"subsampling": number % 3}
        file = io.BytesIO()
        _photo(_SIZES[number % len(_SIZES)], mode).save(file, "JPEG", quality=85, **sampling, **options)
        files.append(file.getvalue())
    return files


def _files_of_ours() -> list[bytes]:
    files = []
    for number, factors in enumerate(ALL_FACTORS):
        carried = Metadata(adobe_transform=number % 2 if len(factors) == 3 else None, density=(1, 72, 72))
        tables = (_WIDE, _FINE) if number % 4 == 0 else (_FINE, QuantTable(np.full((8, 8), 16)))
        image = image_of(factors, *_SIZES[number % len(_SIZES)], tables, metadata=carried, restart_interval=number % 3)
        files.append(write_jpeg(image, progressive=bool(number % 2), smallest=number % 5 == 0, threads=1))
    return files


def _files_built() -> list[bytes]:
    """With Huffman tables and scans as we write none."""
    generator, files = random.Random(5), []
    for number, factors in enumerate(filter(known_to_libjpeg, ALL_FACTORS)):
        image = image_of(factors, *_SIZES[-1 - number % 2], (_FINE,), restart_interval=(number + 1) % 4)
        for script in (_sequential(image), _progressive(image)):
            table, longest_run = generator.choice(HUFFMAN), generator.choice([3, 32767])
            files.append(build(image, script, table=table, longest_run=longest_run))
    return files


def _sequential(image: CoefficientImage) -> list[ScanSpec]:
    """A scan of all components, or of each."""
    everyone = tuple(range(len(image.components)))
    return [ScanSpec(everyone)] if image.restart_interval % 2 else [ScanSpec((index,)) for index in everyone]


def _progressive(image: CoefficientImage) -> list[ScanSpec]:
    """Bands and bits of each component, the last bits last."""
    everyone = tuple(range(len(image.components)))
    script = [ScanSpec(everyone, 0, 0, 0, 1)]
    for index in everyone:
        script += [ScanSpec((index,), 1, 5, 0, 2), ScanSpec((index,), 6, 63, 0, 2), ScanSpec((index,), 1, 63, 2, 1)]
    return [*script, ScanSpec(everyone, 0, 0, 1, 0), *(ScanSpec((index,), 1, 63, 1, 0) for index in everyone)]
