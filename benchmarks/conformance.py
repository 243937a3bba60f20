"""Do we read what the strong encoders write, and do they see the same image in what we write of it?

mozjpeg (as pyvips brings it: trellis quantization, overshoot deringing, optimized progressive scans, its own tables)
and jpegli (as ajpegli brings it) encode every photograph in several ways. Each file must give the coefficients that
libjpeg (jpeglib) reads; written again by us, baseline and progressive, it must decode in Pillow to the same pixels.
Photographs come from Kodak below OPTCODEC_DATA. Needs the extra [bench]. Writes benchmarks/results/conformance.json.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import ajpegli
import numpy as np
import numpy.typing as npt
import pyvips
from PIL import Image
from record import write_result

from optcodec import read_jpeg, write_jpeg

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import jpeglib

Pixels = npt.NDArray[np.uint8]
QUALITIES = (30, 75, 95)


def main() -> None:
    """Check every file, print and write how many of them agree."""
    folder = Path(os.environ["OPTCODEC_DATA"]) / "Kodak"
    photos = [np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))]
    rows = {}
    for name, encode in _encoders():
        files = [encode(photo, quality) for photo in photos for quality in QUALITIES]
        rows[name] = {
            "files": len(files),
            "same_coefficients_as_libjpeg": sum(map(_same_coefficients, files)),
            "same_pixels_when_written_again": sum(map(_same_pixels, files)),
            "bytes": sum(map(len, files)),
            "bytes_written_again": sum(len(write_jpeg(read_jpeg(data), progressive="smaller")) for data in files),
        }
        print(name, rows[name])
    packages = ("pyvips", "pyvips-binary", "ajpegli", "jpeglib", "pillow")
    write_result("conformance", {"qualities": QUALITIES, "encoders": rows}, packages=packages)
    counted = ("same_coefficients_as_libjpeg", "same_pixels_when_written_again")
    sys.exit(any(row[name] != row["files"] for row in rows.values() for name in counted))


def _encoders() -> Iterator[tuple[str, Callable[[Pixels, int], bytes]]]:
    strong = {"optimize_coding": True, "trellis_quant": True, "overshoot_deringing": True, "quant_table": 3}
    ways: dict[str, dict[str, object]] = {
        "mozjpeg baseline": {},
        "mozjpeg progressive": {"interlace": True, "optimize_scans": True},
        "mozjpeg 4:4:4": {"subsample_mode": "off"},
        "mozjpeg restart markers": {"restart_interval": 5},
    }
    for name, options in ways.items():
        yield name, partial(_vips, **strong, **options)
    yield "jpegli baseline", partial(_jpegli, level=0)
    yield "jpegli progressive", partial(_jpegli, level=2)


def _vips(photo: Pixels, quality: int, **options: object) -> bytes:
    height, width, bands = photo.shape
    image = pyvips.Image.new_from_memory(photo.tobytes(), width, height, bands, "uchar")
    data: bytes = image.jpegsave_buffer(Q=quality, **options)
    return data


def _jpegli(photo: Pixels, quality: int, level: int) -> bytes:
    data: bytes = ajpegli.encode(photo, quality=quality, progressive=level)
    return data


def _same_coefficients(data: bytes) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.jpg"
        path.write_bytes(data)
        theirs = jpeglib.read_dct(str(path))
    pairs = zip(read_jpeg(data).components, (theirs.Y, theirs.Cb, theirs.Cr), strict=True)
    return all(np.array_equal(ours.blocks, other) for ours, other in pairs)


def _same_pixels(data: bytes) -> bool:
    image = read_jpeg(data)
    expected = np.asarray(Image.open(io.BytesIO(data)))
    again = (write_jpeg(image, progressive=progressive) for progressive in (False, True))
    return all(np.array_equal(np.asarray(Image.open(io.BytesIO(file))), expected) for file in again)


if __name__ == "__main__":
    main()
