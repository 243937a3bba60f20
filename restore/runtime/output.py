"""Restored images as files: PNG row by row, JPEG whole; each with the metadata of its source."""

from __future__ import annotations

import dataclasses
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

import optcodec
from optcodec import Metadata
from optcodec.shared import whole_file

__all__ = ["left_out", "write_jpeg", "write_png"]

Samples = npt.NDArray[np.uint8]
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"  # what XMP begins with in a JPEG file
_CHUNK_NBYTES = 1 << 18  # of samples that are filtered together
_METRES = {1: 1 / 0.0254, 2: 100.0}  # dots a metre, by the units of JFIF: dots per inch, per centimetre


def write_jpeg(
    target: Path | BinaryIO, pixels: Samples, metadata: Metadata, *, quality: int, threads: int | None = None
) -> None:
    """Write a JPEG file at 4:4:4, which keeps the chrominance that was restored.

    Parameters
    ----------
    target : path or binary file
        A path is written whole or not at all.
    pixels : ndarray of uint8, shape (height, width) or (height, width, 3)
        Gray or RGB.
    metadata : Metadata
        Passed on: ICC profile, Exif, density, all other application segments, and what lies behind the image.
    quality : int
        1..100.
    threads : int, optional
        As for `optcodec.encode`.
    """
    kept = dataclasses.replace(metadata, adobe_transform=None)
    picture = dataclasses.replace(optcodec.load_picture(pixels), metadata=kept)
    encoded = optcodec.encode(picture, quality=quality, subsampling="4:4:4", metadata=True, threads=threads)
    with _opened(target) as file:
        file.write(encoded.data)


def write_png(target: Path | BinaryIO, strips: Iterable[Samples], width: int, height: int, metadata: Metadata) -> None:
    """Write a PNG file while its rows are made.

    Parameters
    ----------
    target : path or binary file
        A path is written whole or not at all.
    strips : iterable of ndarray of uint8, shape (rows, width) or (rows, width, 3)
        Gray or RGB, from top to bottom.
    width, height : int
        Size of the image in pixels.
    metadata : Metadata
        ICC profile, Exif, XMP and density are passed on; see `left_out`.

    Raises
    ------
    InvalidInputError
        If the file cannot be written. Errors of the strips go through; no file is left behind then.

    Notes
    -----
    PNG, third edition (W3C, 2025): chunks in clause 11, filters in clause 9.
    """
    rows = _rows(strips)
    first, pixel = next(rows)
    first = first.copy()  # not a view that would keep the whole first strip
    with _opened(target) as file:
        file.write(_SIGNATURE)
        colour_type = 0 if pixel == 1 else 2
        file.write(_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)))
        for kind, content in _metadata_chunks(metadata):
            file.write(_chunk(kind, content))
        for data in _compressed(chain([(first, pixel)], rows)):
            file.write(_chunk(b"IDAT", data))
        file.write(_chunk(b"IEND", b""))


def _opened(target: Path | BinaryIO) -> AbstractContextManager[BinaryIO]:
    return whole_file(target) if isinstance(target, Path) else nullcontext(target)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _metadata_chunks(metadata: Metadata) -> Iterator[tuple[bytes, bytes]]:
    if metadata.icc_profile:
        yield b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc_profile)
    unit, across, down = metadata.density
    if unit in _METRES and across and down:
        yield b"pHYs", struct.pack(">IIB", round(across * _METRES[unit]), round(down * _METRES[unit]), 1)
    if metadata.exif:
        yield b"eXIf", metadata.exif
    for segment in metadata.segments or ():
        if segment.payload.startswith(_XMP):  # as text in UTF-8, not compressed (XMP Specification Part 3, 1.1.5)
            yield b"iTXt", b"XML:com.adobe.xmp" + bytes(5) + segment.payload.removeprefix(_XMP)


def left_out(metadata: Metadata) -> tuple[str, ...]:
    """What metadata holds and a PNG file of `write_png` does not."""
    return tuple(name for name in metadata.contents if name not in ("ICC profile", "Exif", "XMP"))


def _rows(strips: Iterable[Samples]) -> Iterator[tuple[Samples, int]]:
    """Samples as rows of bytes, some at a time, and the bytes of a pixel."""
    for strip in strips:
        lines, pixel = strip.reshape(len(strip), -1), 1 if strip.ndim == 2 else 3
        step = max(1, _CHUNK_NBYTES // lines.shape[1])
        for top in range(0, len(lines), step):
            yield lines[top : top + step], pixel


def _compressed(parts: Iterable[tuple[Samples, int]]) -> Iterator[bytes]:
    """The filtered rows as a zlib stream, in pieces that are not empty."""
    packer = zlib.compressobj()
    above: Samples | None = None
    for lines, pixel in parts:
        before = np.zeros_like(lines[:1]) if above is None else above
        piece = packer.compress(_filtered(lines, before, pixel))
        above = lines[-1:].copy()
        if piece:
            yield piece
    yield packer.flush()


def _filtered(lines: Samples, above: Samples, pixel: int) -> bytes:
    """Each row with the filter that makes the smallest differences, its number in front (clause 12.7)."""
    up = np.concatenate([above, lines[:-1]])
    left, corner = (np.pad(part, ((0, 0), (pixel, 0)))[:, :-pixel] for part in (lines, up))
    average = ((left.astype(np.uint16) + up) // 2).astype(np.uint8)
    candidates = [lines - prediction for prediction in (np.uint8(0), left, up, average, _paeth(left, up, corner))]
    sizes = [np.abs(part.view(np.int8).astype(np.int16)).sum(axis=1, dtype=np.int64) for part in candidates]
    chosen = np.argmin(sizes, axis=0)
    out = np.empty((len(lines), 1 + lines.shape[1]), np.uint8)
    out[:, 0] = chosen
    for number, part in enumerate(candidates):
        out[chosen == number, 1:] = part[chosen == number]
    return out.tobytes()


def _paeth(left: Samples, up: Samples, corner: Samples) -> Samples:
    """Whichever of the three is nearest to left + up - corner; ties in this order."""
    a, b, c = (part.astype(np.int16) for part in (left, up, corner))
    to_left, to_up, to_corner = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    is_left = (to_left <= to_up) & (to_left <= to_corner)
    return np.where(is_left, left, np.where(to_up <= to_corner, up, corner))
