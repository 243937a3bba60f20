"""The encoders of `benchmarks.speed.dataset`: ours, and those that it is compared with.

Each of them encodes pictures from memory to memory, and from a folder of PNG files, which it opens by itself where it
can, and otherwise by Pillow, to files in another folder.
"""

from __future__ import annotations

import io
import itertools
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.conformance.decoders import output_of

__all__ = [
    "ENCODERS",
    "IN_THREADS",
    "QUALITY",
    "WRITERS",
    "Pixels",
    "is_there",
    "packages",
    "saved",
    "sharp_version",
    "sharp_worker",
]

Pixels = npt.NDArray[np.uint8]
Encoder = Callable[[list[Pixels], Any, int], list[bytes]]  # pictures, quality or sizes, threads
Writer = Callable[[Path, Path, Any, int], object]  # folder of PNG files, folder of JPEG files, quality, threads

QUALITY = 75
_MODULES = {"simplejpeg": "simplejpeg", "pillow": "PIL", "pyvips": "pyvips", "torchvision": "torchvision"}
_PACKAGES = {"simplejpeg_threads": "simplejpeg"}  # of encoders with another name


@dataclass(frozen=True)
class _Calls:
    """An encoder that is called for each picture.

    Parameters
    ----------
    of_pixels, of_file : callable
        Take pixels, or a PNG file, and give what the encoder takes.
    encode : callable
        Takes that, and a quality, or a size in bytes; gives a file.
    in_threads : bool
        Whether threads call it, each for other pictures.
    """

    of_pixels: Callable[[Pixels], Any]
    of_file: Callable[[Path], Any]
    encode: Callable[[Any, Any], bytes]
    in_threads: bool = False

    def encoded(self, images: list[Pixels], setting: Any, threads: int) -> list[bytes]:
        """From memory to memory; see `Encoder`."""
        settings = setting if isinstance(setting, list) else itertools.repeat(setting, len(images))
        return self._all(lambda image, each: self.encode(self.of_pixels(image), each), threads, images, settings)

    def written(self, folder: Path, target: Path, setting: Any, threads: int) -> None:
        """From files to files; see `Writer`."""

        def work(path: Path) -> int:
            return (target / f"{path.stem}.jpg").write_bytes(self.encode(self.of_file(path), setting))

        self._all(work, threads, _png_files(folder))

    def _all(self, work: Callable[..., Any], threads: int, *columns: Iterable[Any]) -> list[Any]:
        calls = list(zip(*columns, strict=True))
        if not self.in_threads:
            return [work(*call) for call in calls]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(lambda call: work(*call), calls))


def _png_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.png"))


def _as_it_is(picture: Any) -> Any:
    return picture


def _pixels_of(path: Path) -> Pixels:
    """By Pillow, for encoders that open no PNG files."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _plain(picture: Any, quality: int) -> bytes:
    from optcodec import encode

    return encode(picture, quality=quality, threads=1).data


def _designed(picture: Any, nbytes: int | None) -> bytes:
    """Tables for each picture, without a trellis: with the error of the quality, or for a size in bytes."""
    from optcodec import MatchQuality, MaxBytes, encode

    target = MatchQuality(QUALITY) if nbytes is None else MaxBytes(nbytes)
    return encode(picture, target=target, effort=2, threads=1).data


def _many(images: list[Pixels], quality: int, threads: int) -> list[bytes]:
    from optcodec import encode_many

    return [coded.data for coded in encode_many(images, quality=quality, threads=threads)]


def _many_written(folder: Path, target: Path, quality: int, threads: int) -> None:
    from optcodec import encode_many

    paths = _png_files(folder)
    for path, coded in zip(paths, encode_many(paths, quality=quality, threads=threads), strict=True):
        coded.save(target / f"{path.stem}.jpg")


def _by_command(folder: Path, target: Path, quality: int, threads: int) -> None:
    """The folder command, in this process."""
    from optcodec.cli import main

    command = ["encode", folder, "-o", target, "-q", quality, "--threads", threads]
    with redirect_stdout(io.StringIO()):
        main(list(map(str, command)), standalone_mode=False)


def _simplejpeg(image: Pixels, quality: int) -> bytes:
    import simplejpeg

    data: bytes = simplejpeg.encode_jpeg(image, quality, colorsubsampling="420")
    return data


def _pillow(image: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, optimize=True, subsampling="4:2:0")
    return file.getvalue()


def _vips_of_pixels(image: Pixels) -> Any:
    import pyvips

    return pyvips.Image.new_from_array(image)


def _vips_of_file(path: Path) -> Any:
    import pyvips

    return pyvips.Image.new_from_file(str(path), access="sequential")


def _pyvips(image: Any, quality: int) -> bytes:
    options = {
        "optimize_coding": True,
        "subsample_mode": "on",
        "keep": "none",
    }  # without Exif, which others do not write
    data: bytes = image.write_to_buffer(".jpg", Q=quality, **options)
    return data


def _planes_of_pixels(image: Pixels) -> Any:
    import torch

    return torch.from_numpy(image).permute(2, 0, 1)  # as they lie in memory


def _planes_of_file(path: Path) -> Any:
    from torchvision.io import ImageReadMode, decode_image

    return decode_image(str(path), ImageReadMode.RGB)


def _torchvision(planes: Any, quality: int) -> bytes:
    import torch
    from torchvision.io import encode_jpeg

    torch.set_num_threads(1)
    data: bytes = encode_jpeg(planes, quality).numpy().tobytes()
    return data


def _sharp(images: list[Pixels], quality: int, threads: int) -> list[bytes]:
    """By sharp, in a process of Node.js."""
    with tempfile.TemporaryDirectory() as folder:
        saved(images, Path(folder))
        subprocess.run([*sharp_worker(folder, quality), folder], check=True)
        return [path.read_bytes() for path in sorted(Path(folder).glob("*.jpg"))]


def _sharp_written(folder: Path, target: Path, quality: int, threads: int) -> None:
    command = sharp_worker(str(folder), quality, str(target))
    subprocess.run(command, input="", text=True, stdout=subprocess.DEVNULL, check=True)  # no further round


def saved(images: list[Pixels], folder: Path, *, files: int = 0) -> None:
    """Write pictures to files that workers read, in their order; also to PNG files, at least so many.

    There are more PNG files than pictures only where all of them are there several times.
    """
    for index, image in enumerate(images):
        np.save(folder / f"{index:03}.npy", image)
    for index, image in enumerate(images * -(-files // len(images)) if files else ()):
        Image.fromarray(image).save(folder / f"{index:03}.png")


def sharp_worker(folder: str, quality: int, target: str | None = None) -> list[str]:
    """The command that encodes the pictures in a folder with sharp, from files to files if there is a target."""
    to_files = [] if target is None else [target, "files"]
    return ["node", str(Path(__file__).with_name("sharp.cjs")), folder, str(quality), *to_files]


@cache
def sharp_version() -> str | None:
    """The version of sharp and of its libvips, if node finds them where NODE_PATH says."""
    program = "const { sharp, vips } = require('sharp').versions; console.log(`sharp ${sharp}, libvips ${vips}`)"
    return output_of(["node", "-e", program], r"^(sharp \S+, libvips \S+)")


_SIMPLEJPEG = _Calls(_as_it_is, _pixels_of, _simplejpeg)
_CALLS = {
    "plain": _Calls(_as_it_is, _as_it_is, _plain),
    "designed": _Calls(_as_it_is, _as_it_is, _designed),
    "simplejpeg": _SIMPLEJPEG,
    "simplejpeg_threads": replace(_SIMPLEJPEG, in_threads=True),
    "pillow": _Calls(Image.fromarray, Image.open, _pillow),
    "pyvips": _Calls(_vips_of_pixels, _vips_of_file, _pyvips),
    "torchvision": _Calls(_planes_of_pixels, _planes_of_file, _torchvision),
}
ENCODERS: dict[str, Encoder] = {name: calls.encoded for name, calls in _CALLS.items()}
ENCODERS |= {"many": _many, "sharp": _sharp}
WRITERS: dict[str, Writer] = {name: calls.written for name, calls in _CALLS.items()}
WRITERS |= {"many": _many_written, "command": _by_command, "sharp": _sharp_written}
IN_THREADS = {"many", "command", "simplejpeg_threads"}  # several workers are threads of one process


def is_there(name: str) -> bool:
    """Whether an encoder is ours, or its package is installed."""
    if name == "sharp":
        return sharp_version() is not None
    package = _PACKAGES.get(name, name)
    return package not in _MODULES or find_spec(_MODULES[package]) is not None


def packages() -> list[str]:
    """The Python packages of other encoders that are there."""
    return list(filter(is_there, _MODULES))
