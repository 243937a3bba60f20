"""The encoders of `benchmarks.speed.dataset`: ours, and those that it is compared with."""

from __future__ import annotations

import io
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.conformance.decoders import output_of

__all__ = ["ENCODERS", "QUALITY", "Pixels", "is_there", "packages", "saved", "sharp_version", "sharp_worker"]

Pixels = npt.NDArray[np.uint8]
Encoder = Callable[[list[Pixels], Any, int], list[bytes]]  # pictures, quality or sizes, threads

QUALITY = 75
_MODULES = {"simplejpeg": "simplejpeg", "pillow": "PIL", "pyvips": "pyvips", "torchvision": "torchvision"}


def _plain(images: list[Pixels], quality: int, threads: int) -> list[bytes]:
    from optcodec import encode

    return [encode(image, quality=quality, threads=threads).data for image in images]


def _many(images: list[Pixels], quality: int, threads: int) -> list[bytes]:
    from optcodec import encode_many

    return [coded.data for coded in encode_many(images, quality=quality, threads=threads)]


def _designed(images: list[Pixels], sizes: list[int] | None, threads: int) -> list[bytes]:
    """Tables for each picture, without a trellis: with the error of the quality, or for these sizes in bytes."""
    from optcodec import MatchQuality, MaxBytes, encode

    targets = [MatchQuality(QUALITY)] * len(images) if sizes is None else list(map(MaxBytes, sizes))
    pairs = zip(images, targets, strict=True)
    return [encode(image, target=target, effort=2, threads=threads).data for image, target in pairs]


def _simplejpeg(images: list[Pixels], quality: int, threads: int) -> list[bytes]:
    import simplejpeg

    return [simplejpeg.encode_jpeg(image, quality, colorsubsampling="420") for image in images]


def _pillow(images: list[Pixels], quality: int, threads: int) -> list[bytes]:
    files = [io.BytesIO() for _ in images]
    for image, file in zip(images, files, strict=True):
        Image.fromarray(image).save(file, "JPEG", quality=quality, optimize=True, subsampling="4:2:0")
    return [file.getvalue() for file in files]


def _pyvips(images: list[Pixels], quality: int, threads: int) -> list[bytes]:
    import pyvips

    options = {"Q": quality, "optimize_coding": True, "subsample_mode": "on"}
    return [pyvips.Image.new_from_array(image).write_to_buffer(".jpg", **options) for image in images]


def _torchvision(images: list[Pixels], quality: int, threads: int) -> list[bytes]:
    import torch
    from torchvision.io import encode_jpeg

    torch.set_num_threads(1)
    planes = [torch.from_numpy(image).permute(2, 0, 1) for image in images]  # as they lie in memory
    return [encode_jpeg(each, quality).numpy().tobytes() for each in planes]


def _sharp(images: list[Pixels], quality: int, threads: int) -> list[bytes]:
    """By sharp, in a process of Node.js."""
    with tempfile.TemporaryDirectory() as folder:
        saved(images, Path(folder))
        subprocess.run([*sharp_worker(folder, quality), folder], check=True)
        return [path.read_bytes() for path in sorted(Path(folder).glob("*.jpg"))]


def saved(images: list[Pixels], folder: Path) -> None:
    """Write pictures to files that workers read, in their order."""
    for index, image in enumerate(images):
        np.save(folder / f"{index:03}.npy", image)


def sharp_worker(folder: str, quality: int) -> list[str]:
    """The command that encodes the pictures in a folder with sharp; see `sharp.cjs`."""
    return ["node", str(Path(__file__).with_name("sharp.cjs")), folder, str(quality)]


@cache
def sharp_version() -> str | None:
    """The version of sharp and of its libvips, if node finds them where NODE_PATH says."""
    program = "const { sharp, vips } = require('sharp').versions; console.log(`sharp ${sharp}, libvips ${vips}`)"
    return output_of(["node", "-e", program], r"^(sharp \S+, libvips \S+)")


ENCODERS: dict[str, Encoder] = {
    "plain": _plain,
    "many": _many,
    "designed": _designed,
    "simplejpeg": _simplejpeg,
    "pillow": _pillow,
    "pyvips": _pyvips,
    "torchvision": _torchvision,
    "sharp": _sharp,
}


def is_there(name: str) -> bool:
    """Whether an encoder is ours, or its package is installed."""
    if name == "sharp":
        return sharp_version() is not None
    return name not in _MODULES or find_spec(_MODULES[name]) is not None


def packages() -> list[str]:
    """The Python packages of other encoders that are there."""
    return list(filter(is_there, _MODULES))
