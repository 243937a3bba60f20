"""Decode files with a Python package, in a process of its own.

    python -m benchmarks.conformance.python NAME IN OUT

decodes every IN/x.jpg with the decoder NAME into OUT/x.ppm, or writes to OUT/x.error why it did not. Its output on
stderr, including warnings of C libraries, is written to OUT/x.warning. CMYK pictures have the magic number P0CMYK,
which Pillow reads.
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Decode = Callable[[Path], Pixels]


def _pillow(path: Path) -> Pixels:
    from PIL import Image

    return np.asarray(Image.open(path))


def _opencv(path: Path) -> Pixels:
    import cv2

    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    decoded = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), flags)
    if decoded is None:
        raise ValueError("imdecode returns nothing")
    return np.asarray(decoded[..., ::-1])


def _torchvision(path: Path) -> Pixels:
    import torch
    from torchvision.io import ImageReadMode, decode_jpeg

    data = torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8)
    return np.asarray(decode_jpeg(data, mode=ImageReadMode.RGB).permute(1, 2, 0).numpy())


def _simplejpeg(path: Path) -> Pixels:
    import simplejpeg

    return np.asarray(simplejpeg.decode_jpeg(path.read_bytes()))


def _zune(path: Path) -> Pixels:
    from kornia_rs import io as kornia

    return np.asarray(kornia.decode_image_jpeg(path.read_bytes()))


def _jpegli(path: Path) -> Pixels:
    import ajpegli

    return ajpegli.decode(path.read_bytes(), mode="RGB")


def _libjpeg(version: str) -> Decode:
    def decode(path: Path) -> Pixels:
        import jpeglib

        with jpeglib.version(version):
            picture = jpeglib.read_spatial(str(path))
            samples: Pixels = picture.spatial
        return 255 - samples if samples.shape[2] == 4 else samples  # Adobe's CMYK is stored as 255 less the ink

    return decode


DECODERS: dict[str, Decode] = {
    "Pillow": _pillow,
    "OpenCV": _opencv,
    "torchvision": _torchvision,
    "simplejpeg": _simplejpeg,
    "zune-jpeg": _zune,
    "jpegli": _jpegli,
    "libjpeg 6b": _libjpeg("6b"),
    "libjpeg 9f": _libjpeg("9f"),
}


@contextmanager
def stderr_to(path: Path) -> Iterator[None]:
    """Redirect stderr of this process, C libraries included, to a file; an empty file is removed."""
    sys.stderr.flush()
    kept = os.dup(2)
    with path.open("wb") as file:
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        if not path.stat().st_size:
            path.unlink()


def main(name: str, source: Path, target: Path) -> None:
    """Decode all files of the folder ``source`` into the folder ``target`` with one decoder."""
    warnings.simplefilter("once")
    with tempfile.TemporaryDirectory() as folder, stderr_to(Path(folder) / "warning"):
        DECODERS[name](next(source.glob("*.jpg")))  # the first call may print messages that are not about the file
    for path in sorted(source.glob("*.jpg")):
        try:
            with stderr_to(target / f"{path.stem}.warning"):
                samples = DECODERS[name](path)
        except Exception as error:  # any exception of a package means that it refuses the file
            (target / f"{path.stem}.error").write_text(f"{type(error).__name__}: {error}", "utf-8")
            continue
        height, width, *bands = samples.shape
        magic = {(): "P5", (1,): "P5", (3,): "P6", (4,): "P0CMYK"}[tuple(bands)]
        (target / f"{path.stem}.ppm").write_bytes(f"{magic} {width} {height} 255\n".encode() + samples.tobytes())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
