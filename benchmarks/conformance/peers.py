"""Files of other encoders: mozjpeg, jpegli, every libjpeg in jpeglib, unusual options of cjpeg, and Pillow."""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import ajpegli
import numpy as np
import numpy.typing as npt
import pyvips
from PIL import Image

from benchmarks.conformance.reading import ARITHMETIC, PeerFile
from optcodec import annex_k_tables

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import jpeglib

Pixels = npt.NDArray[np.uint8]
QUALITIES = (30, 75, 95)
LIBJPEG = ("6b", "7", "8", "8a", "8b", "8c", "8d", "9", "9a", "9b", "9c", "9d", "9e", "9f")
TURBO = ("turbo120", "turbo130", "turbo140", "turbo150", "turbo200", "turbo210")
MOZJPEG = ("mozjpeg101", "mozjpeg201", "mozjpeg300", "mozjpeg403")

# Switches of cjpeg by the kind of file that they produce; a name of `SCRIPTS` stands for a file with that scan script.
CJPEG: dict[str, tuple[tuple[str, ...], ...]] = {
    "defaults, -optimize, -dct": ((), ("-optimize",), ("-dct", "fast"), ("-dct", "float")),
    "-grayscale": (("-grayscale",), ("-grayscale", "-progressive")),
    "-rgb": (("-rgb",), ("-rgb", "-progressive"), ("-rgb", "-sample", "2x2,1x1,1x1")),
    "-progressive": (("-progressive",), ("-progressive", "-restart", "1")),
    "-restart": (("-restart", "1"), ("-restart", "1B"), ("-restart", "65535B"), ("-restart", "3B", "-optimize")),
    "-sample": tuple(("-sample", factors) for factors in ("2x1", "1x1", "1x2", "2x2", "4x1", "1x4", "4x2", "2x4")),
    "-sample, chrominance finer or uneven": (
        ("-sample", "1x1,2x2,2x2"),
        ("-sample", "2x2,2x1,1x2"),
        ("-sample", "2x1,1x2,1x1"),
        ("-sample", "3x1,1x1,1x1"),
    ),
    "-sample, MCUs of more than 10 blocks": (
        ("-sample", "4x4", "-scans", "APART"),
        ("-sample", "4x4", "-scans", "APART", "-restart", "5B"),
        ("-sample", "4x4,4x1,1x4", "-scans", "APART"),
        ("-sample", "2x2,2x2,2x2", "-scans", "APART"),
    ),
    "-smooth": (("-smooth", "10"), ("-smooth", "100")),
    "-scans, sequential": (("-scans", "APART"), ("-scans", "LUMINANCE_FIRST"), ("-scans", "CHROMINANCE_FIRST")),
    "-scans, progressive": (("-scans", "BANDS"), ("-scans", "BITS"), ("-scans", "BITS", "-restart", "7B")),
    "-quality 1 (steps above 255)": (("-quality", "1"), ("-quality", "1", "-progressive")),
    "-quality 1 -baseline": (("-quality", "1", "-baseline"),),
    "-qslots": (("-qslots", "0,0,0"), ("-qslots", "1,0,0", "-sample", "1x1")),
    "-quality 100": (("-quality", "100"), ("-quality", "100,40", "-sample", "1x1")),
}
SCRIPTS = {
    "APART": "0; 1; 2;",
    "LUMINANCE_FIRST": "0; 1 2;",
    "CHROMINANCE_FIRST": "1 2; 0;",
    "BANDS": "0 1 2: 0-0, 0, 0; 2: 1-63, 0, 0; 0: 1-2, 0, 0; 1: 1-63, 0, 0; 0: 3-63, 0, 0;",
    "BITS": "0: 0-0, 0, 3; 1 2: 0-0, 0, 1; 0: 1-63, 0, 3; 0 : 0-0, 3, 2; 0: 1-63, 3, 2; 0: 1-63, 2, 1; 0: 0-0, 2, 1;"
    "0 1 2: 0-0, 1, 0; 1: 1-20, 0, 1; 1: 21-63, 0, 0; 1: 1-20, 1, 0; 2: 1-63, 0, 0; 0: 1-63, 1, 0;",
}


def peer_files(photos: dict[str, Pixels]) -> Iterator[PeerFile]:
    """Files of mozjpeg, jpegli, all versions of libjpeg in jpeglib, Pillow, and cjpeg if it is installed.

    Parameters
    ----------
    photos : dict of str to ndarray of uint8, shape (H, W, 3)
        RGB photographs by name, at least two.
    """
    photo = list(photos.values())[1]
    part = np.ascontiguousarray(photo[100:287, 200:451])
    parts = {"251x187": part, "17x33": part[:33, :17], "1x1": part[:1, :1], "768x512": photo[:512, :768]}
    for kind, encode in strong_encoders():
        for name, pixels in photos.items():
            for quality in QUALITIES:
                yield PeerFile(f"{kind}: {name}, quality {quality}", kind, encode(pixels, quality))
    yield from _options_of_strong_encoders(part)
    yield from _of_jpeglib(parts)
    if shutil.which("cjpeg"):
        yield from _of_cjpeg(parts)
    else:
        print("cjpeg: skipped, it is not installed (apt-get install libjpeg-turbo-progs)")
    yield from _of_pillow(parts)


def strong_encoders() -> Iterator[tuple[str, Callable[[Pixels, int], bytes]]]:
    """Encoders by name: mozjpeg in pyvips (trellis, overshoot deringing, its own tables), and jpegli."""
    strong: dict[str, Any] = {
        "optimize_coding": True,
        "trellis_quant": True,
        "overshoot_deringing": True,
        "quant_table": 3,
    }
    variants: dict[str, dict[str, Any]] = {
        "mozjpeg baseline": {},
        "mozjpeg progressive": {"interlace": True, "optimize_scans": True},
        "mozjpeg 4:4:4": {"subsample_mode": "off"},
        "mozjpeg restart markers": {"restart_interval": 5},
    }
    for name, options in variants.items():
        yield name, partial(vips, **strong, **options)
    yield "jpegli baseline", partial(_jpegli, progressive=0)
    yield "jpegli progressive", partial(_jpegli, progressive=2)


def vips(photo: Pixels, quality: int, **options: object) -> bytes:
    """A file of mozjpeg."""
    height, width, bands = photo.shape
    image = pyvips.Image.new_from_memory(photo.tobytes(), width, height, bands, "uchar")
    data: bytes = image.jpegsave_buffer(Q=quality, **options)
    return data


def _jpegli(photo: Pixels, quality: int, **options: Any) -> bytes:
    data: bytes = ajpegli.encode(photo, quality=quality, **options)
    return data


def with_large_steps(photo: Pixels) -> bytes:
    """A file of libjpeg-turbo whose tables have steps above 255, which extended sequential files may have."""
    steps = np.stack([4 * table.steps for table in annex_k_tables(50)])
    return _jpeglib(photo, "turbo210", qt=steps)


def with_sampling(photo: Pixels, factors: str) -> bytes:
    """A file of libjpeg-turbo with sampling factors such as ``"4x1,1x1,1x1"``."""
    return _jpeglib(
        photo, "turbo210", samp_factor=[tuple(map(int, factor.split("x"))) for factor in factors.split(",")]
    )


def _jpeglib(photo: Pixels, version: str, **options: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder, jpeglib.version(version):
        path = Path(folder) / "file.jpg"
        picture = jpeglib.from_spatial(np.ascontiguousarray(photo))
        picture.samp_factor = options.pop("samp_factor", picture.samp_factor)
        picture.write_spatial(str(path), **options)
        return path.read_bytes()


def _options_of_strong_encoders(part: Pixels) -> Iterator[PeerFile]:
    """Files of mozjpeg and jpegli with other options than in `strong_encoders`."""
    for table in range(9):
        data = vips(part, 60, quant_table=table, trellis_quant=True)
        yield PeerFile(f"mozjpeg, quant_table {table}", "mozjpeg, other options", data)
    grey = np.ascontiguousarray(part[..., 1:2])
    for quality in (1, 100):
        yield PeerFile(f"mozjpeg, quality {quality}", "mozjpeg, other options", vips(part, quality, interlace=True))
        yield PeerFile(f"mozjpeg, grey, quality {quality}", "mozjpeg, other options", vips(grey, quality))
        yield PeerFile(f"jpegli, grey, quality {quality}", "jpegli, other options", _jpegli(grey[..., 0], quality))
    for sampling in ("444", "422", "420", "440"):
        for level in (0, 1, 2):
            data = _jpegli(part, 70, subsampling=sampling, progressive=level)
            yield PeerFile(f"jpegli, {sampling}, progressive {level}", "jpegli, other options", data)
    data = _jpegli(part, 70, optimize=False, progressive=0)
    yield PeerFile("jpegli, fixed codes", "jpegli, other options", data)


def _of_jpeglib(parts: dict[str, Pixels]) -> Iterator[PeerFile]:
    """Files of every version of libjpeg in jpeglib."""
    families = {"libjpeg 6b to 9f": LIBJPEG, "libjpeg-turbo 1.2 to 2.1": TURBO, "mozjpeg 1.0 to 4.0": MOZJPEG}
    variants: dict[str, list[str]] = {
        "defaults": [],
        "progressive": ["+PROGRESSIVE_MODE"],
        "optimal": ["+OPTIMIZE_CODING"],
    }
    for kind, versions in families.items():
        for version in versions:
            for variant, flags in variants.items():
                for size, pixels in parts.items():
                    data = _jpeglib(pixels, version, qt=80, flags=flags)
                    yield PeerFile(f"{version}, {size}, {variant}", kind, data)
            data = _jpeglib(parts["251x187"][..., 1:2], version, qt=60)
            yield PeerFile(f"{version}, grey", kind, data)
    data = _jpeglib(parts["251x187"], "9f", flags=["+ARITH_CODE"])
    yield PeerFile("9f, arithmetic", ARITHMETIC, data)
    yield PeerFile("turbo210, steps above 255", "libjpeg-turbo 1.2 to 2.1", with_large_steps(parts["251x187"]))


def _of_cjpeg(parts: dict[str, Pixels]) -> Iterator[PeerFile]:
    """Files of cjpeg with the switches in `CJPEG`."""
    for kind, variants in CJPEG.items():
        for switches in variants:
            for size, pixels in parts.items():
                yield PeerFile(f"cjpeg {' '.join(switches)}, {size}", f"cjpeg {kind}", _cjpeg(pixels, switches))
    for switches in (("-arithmetic",), ("-arithmetic", "-progressive")):
        yield PeerFile(f"cjpeg {' '.join(switches)}", ARITHMETIC, _cjpeg(parts["251x187"], switches))


def _cjpeg(photo: Pixels, switches: Iterable[str]) -> bytes:
    height, width, _ = photo.shape
    with tempfile.TemporaryDirectory() as folder:
        for name, text in SCRIPTS.items():
            (Path(folder) / name).write_text(text)
        picture = f"P6 {width} {height} 255\n".encode() + photo.tobytes()
        return subprocess.run(["cjpeg", *switches], input=picture, capture_output=True, check=True, cwd=folder).stdout


def _of_pillow(parts: dict[str, Pixels]) -> Iterator[PeerFile]:
    """Files of Pillow: progressive, restart markers, RGB, 16-bit tables, CMYK."""
    variants: dict[str, dict[str, Any]] = {
        "progressive": {"progressive": True},
        "restart markers": {"restart_marker_rows": 1},
        "RGB": {"keep_rgb": True},
        "16 bits": {"qtables": [[300] * 64, [256] * 64]},
    }
    for size, pixels in parts.items():
        image = Image.fromarray(pixels)
        for name, options in variants.items():
            yield PeerFile(f"Pillow, {name}, {size}", "Pillow", _pillow(image, **options))
        for progressive in (False, True):
            data = _pillow(image.convert("CMYK"), progressive=progressive)
            yield PeerFile(f"Pillow, CMYK, {size}, progressive {progressive}", "Pillow, CMYK", data)


def _pillow(image: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80, **options)
    return file.getvalue()
