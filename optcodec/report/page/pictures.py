"""Pictures inside the page: layers between which a slider wipes, and maps of the blocks of a file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from optcodec.batch.opening import is_jpeg
from optcodec.blocks.curves import BLOCK_SIDE
from optcodec.errors import InvalidInputError, OptcodecError
from optcodec.jpeg.metadata.application import ADOBE, ICC, JFIF, kind_of
from optcodec.jpeg.metadata.values import CarriedSegment, is_carried
from optcodec.jpeg.segments import read_segments
from optcodec.metrics import psnr_db
from optcodec.pictures.orientation import orientation_of
from optcodec.pictures.pixels import load_picture
from optcodec.receivers.block_bits import file_block_bits
from optcodec.report.page.sections import BlockMaps, Layer, Overlay, Views, Wiper
from optcodec.report.page.uris import data_uri, png_uri
from optcodec.trellis.field import block_sums

__all__ = ["Named", "Shown", "as_colour", "picture_sections", "shown_of", "views_of"]

_WIDTH, _HEIGHT = 1600, 1200  # pixels: of larger pictures, the middle is shown
_ORIGINAL = "original"  # the usual name of the first picture, to which PSNR refers
_ERROR_SIDE = 16  # pixels: of the blocks of maps of errors
_LOSSLESS = (b"\x89PNG", b"BM", b"II*\0", b"MM\0*", b"P5", b"P6")  # PNG, BMP, TIFF, PGM and PPM
_LOOK = (JFIF, ADOBE, ICC)  # segments without which a file may look different


@dataclass(frozen=True)
class Named:
    """The file of a picture, and the name under which it is shown."""

    name: str
    path: Path


@dataclass(frozen=True, eq=False)
class Shown:
    """A file with its upright pixels."""

    name: str
    data: bytes
    pixels: npt.NDArray[np.uint8]
    turned: bool

    @property
    def coded(self) -> bool:
        """Whether the size of the file is a rate: it is of no format without loss."""
        return not self.data.startswith(_LOSSLESS)

    @property
    def jpeg(self) -> bool:
        """Whether it is a JPEG file."""
        return is_jpeg(io.BytesIO(self.data))


def picture_sections(files: Sequence[Named]) -> tuple[Wiper, *tuple[BlockMaps, ...]]:
    """A slider between pictures of one motif, and maps of bits and errors.

    Parameters
    ----------
    files : sequence of Named
        Original first, at least two, all of one size.

    Raises
    ------
    InvalidInputError
        If a file cannot be read, or has another size than the first one.
    """
    pictures = _loaded(files)
    views = _views(files[0].path.stem, pictures)
    smallest = min(views.layers, key=lambda layer: len(layer.uri))
    return Wiper("Look for yourself", [views], _wiper_note(pictures)), *_maps(pictures, smallest)


def views_of(motif: str, files: Sequence[Named]) -> Views:
    """The layers of a motif, original first; raises `InvalidInputError` as `picture_sections` does."""
    return _views(motif, _loaded(files))


def shown_of(file: Named) -> Shown:
    """The picture of a file, turned upright; raises `InvalidInputError` if it cannot be read."""
    try:
        data = file.path.read_bytes()
        stored = load_picture(data)
        turned = orientation_of(stored.metadata.exif) != 1
        return Shown(file.name, data, load_picture(stored, orient="apply").pixels, turned)
    except OSError as error:
        raise InvalidInputError(f"cannot read {file.path}: {error.strerror}") from None
    except OptcodecError as error:
        raise InvalidInputError(f"{file.path}: {error}") from None


def _loaded(files: Sequence[Named]) -> list[Shown]:
    """The pictures of files, all of one size."""
    pictures: list[Shown] = []
    for file in files:
        pictures.append(shown_of(file))
        found, expected = (each.pixels.shape[:2] for each in (pictures[-1], pictures[0]))
        if found != expected:
            sizes = [f"{width}x{height}" for height, width in (found, expected)]
            raise InvalidInputError(f"{file.path} has {sizes[0]} pixels; expected {sizes[1]} as {files[0].path}")
    return pictures


def _views(motif: str, pictures: Sequence[Shown]) -> Views:
    return Views(motif, [_layer(picture, pictures[0]) for picture in pictures])


def _wiper_note(pictures: Sequence[Shown]) -> str:
    sizes = [len(picture.data) for picture in pictures[1:] if picture.jpeg]
    if len(sizes) < 2 or max(sizes) > 1.02 * min(sizes):
        return ""
    return "The coded files have the same size within 2 %."


def _layer(picture: Shown, original: Shown) -> Layer:
    """A picture with a line about it; the middle of it, if it is large."""
    height, width = picture.pixels.shape[:2]
    shown = _middle(picture.pixels)
    size = f"{len(picture.data):,} bytes"
    if picture is original:
        caption = size
    else:
        psnr = psnr_db(as_colour(original.pixels), as_colour(picture.pixels))
        to = "" if original.name == _ORIGINAL else f" to what is {original.name}"
        caption = f"equal to the {_ORIGINAL}" if np.isinf(psnr) and not to else f"PSNR {psnr:.2f} dB{to}"
        if picture.coded:  # the size of a lossless file, such as one of a restored picture, says nothing
            caption = f"{size}, {8 * len(picture.data) / (width * height):.3f} bits per pixel, {caption}"
    if shown.shape != picture.pixels.shape:
        caption += f"; the middle of {width} x {height} pixels is shown"
    elif picture.jpeg and not picture.turned:
        return Layer(picture.name, caption, data_uri(_without_metadata(picture.data), "jpeg"), width, height)
    return Layer(picture.name, caption, png_uri(shown), shown.shape[1], shown.shape[0])


def _middle(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    top, left = max(0, height - _HEIGHT) // 2, max(0, width - _WIDTH) // 2
    return pixels[top : top + _HEIGHT, left : left + _WIDTH]


def as_colour(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Pixels of shape (height, width, 3), also those of a grey picture."""
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)


def _without_metadata(data: bytes) -> bytes:
    """A JPEG file without comments and application segments that do not change its look: a page may go to strangers."""
    parts, position = [], 0
    for segment in read_segments(data, partial=True, tolerate=lambda *_: None):
        carried = is_carried(segment.marker)
        if carried and kind_of(CarriedSegment(segment.marker, segment.payload)) not in _LOOK:
            parts.append(data[position : segment.offset])
            position = segment.end
    return b"".join([*parts, data[position:]])


def _maps(pictures: Sequence[Shown], under: Layer) -> list[BlockMaps]:
    """Maps over one of the pictures: bits of the coded files, errors of all pictures, and what the last one gains."""
    original, *others = pictures
    if (under.height, under.width) != original.pixels.shape[:2]:  # the maps are of the whole picture
        return []
    bits = {each.name: of_blocks for each in others if (of_blocks := _bits(each)) is not None}
    most = max((float(of_blocks.max()) for of_blocks in bits.values()), default=0.0)
    maps = [Overlay(f"bits of {name}", "bits", each, BLOCK_SIDE, largest=most) for name, each in bits.items()]
    errors = {each.name: _errors(original, each) for each in others}
    largest = max(float(error.max()) for error in errors.values())
    maps += [
        Overlay(f"error of {name}", "levels of 0 to 255, root mean square", error, _ERROR_SIDE, largest=largest)
        for name, error in errors.items()
    ]
    if len(others) > 1:
        first, last = others[0].name, others[-1].name
        gain = errors[first] - errors[last]
        unit = f"levels; above 0 where {last} is nearer to the original"
        maps.append(Overlay(f"error of {first} less that of {last}", unit, gain, _ERROR_SIDE, signed=True))
    return [BlockMaps("Maps of the blocks", under, maps)]


def _bits(picture: Shown) -> npt.NDArray[np.float64] | None:
    """Bits of the blocks of a sequential JPEG file; None for other files."""
    if not picture.jpeg or picture.turned:
        return None
    try:
        return file_block_bits(picture.data, notify=lambda _: None).astype(np.float64)
    except OptcodecError:
        return None


def _errors(original: Shown, picture: Shown) -> npt.NDArray[np.float64]:
    """Root mean square of the differences in each block."""
    difference = as_colour(original.pixels).astype(np.float64) - as_colour(picture.pixels)
    square = (difference**2).mean(axis=2)
    sums, counts = (block_sums(values, _ERROR_SIDE) for values in (square, np.ones_like(square)))
    return np.asarray(np.sqrt(sums / counts))
