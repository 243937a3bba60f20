"""Write restored images: PNG files row by row, JPEG files at once; both with the metadata of the input."""

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

__all__ = ["left_out", "write_jpeg", "write_png"]

Samples = npt.NDArray[np.uint8]
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"  # the identifier of XMP segments in a JPEG file
_CHUNK_NBYTES = 1 << 18  # bytes of samples that are filtered together
_METRES = {1: 1 / 0.0254, 2: 100.0}  # dots per metre for the units of JFIF: 1 is dots per inch, 2 per centimetre


def write_jpeg(
    target: Path | BinaryIO, pixels: Samples, metadata: Metadata, *, quality: int, threads: int | None = None
) -> None:
    """Write a JPEG file without chroma subsampling (4:4:4), so that the restored chrominance keeps its resolution.

    Parameters
    ----------
    target : path or binary file
        A file at a path appears complete or not at all.
    pixels : ndarray of uint8, shape (height, width) or (height, width, 3)
        Gray or RGB.
    metadata : Metadata
        Written to the file: ICC profile, Exif, density, all other application segments, and data behind the image.
    quality : int
        JPEG quality, 1..100.
    threads : int, optional
        As for `optcodec.encode`.
    """
    without_adobe = dataclasses.replace(metadata, adobe_transform=None)
    picture = dataclasses.replace(optcodec.load_picture(pixels), metadata=without_adobe)
    encoded = optcodec.encode(picture, quality=quality, subsampling="4:4:4", metadata=True, threads=threads)
    with _open_target(target) as file:
        file.write(encoded.data)


def write_png(target: Path | BinaryIO, strips: Iterable[Samples], width: int, height: int, metadata: Metadata) -> None:
    """Write a PNG file strip by strip.

    Parameters
    ----------
    target : path or binary file
        A file at a path appears complete or not at all.
    strips : iterable of ndarray of uint8, shape (rows, width) or (rows, width, 3)
        Gray or RGB, from top to bottom.
    width, height : int
        Size of the image in pixels.
    metadata : Metadata
        ICC profile, Exif, XMP and density are written; `left_out` lists the rest.

    Raises
    ------
    InvalidInputError
        If the file cannot be written. Errors of the iterable are passed on. In both cases no file is left behind.

    Notes
    -----
    PNG, third edition (W3C, 2025): chunks in clause 11, filters in clause 9.
    """
    rows = _rows(strips)
    first, pixel_nbytes = next(rows)
    first = first.copy()  # a copy, as a view would keep the whole first strip in memory
    with _open_target(target) as file:
        file.write(_SIGNATURE)
        colour_type = 0 if pixel_nbytes == 1 else 2
        file.write(_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)))
        for kind, content in _metadata_chunks(metadata):
            file.write(_chunk(kind, content))
        for data in _compress_rows(chain([(first, pixel_nbytes)], rows)):
            file.write(_chunk(b"IDAT", data))
        file.write(_chunk(b"IEND", b""))


def _open_target(target: Path | BinaryIO) -> AbstractContextManager[BinaryIO]:
    return optcodec.whole_file(target) if isinstance(target, Path) else nullcontext(target)


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
    """Names of the metadata that `write_png` cannot keep in a PNG file."""
    return tuple(name for name in metadata.contents if name not in ("ICC profile", "Exif", "XMP"))


def _rows(strips: Iterable[Samples]) -> Iterator[tuple[Samples, int]]:
    """Chunks of rows as arrays of shape (rows, bytes), each with the number of bytes of a pixel."""
    for strip in strips:
        rows, pixel_nbytes = strip.reshape(len(strip), -1), 1 if strip.ndim == 2 else 3
        step = max(1, _CHUNK_NBYTES // rows.shape[1])
        for top in range(0, len(rows), step):
            yield rows[top : top + step], pixel_nbytes


def _compress_rows(chunks: Iterable[tuple[Samples, int]]) -> Iterator[bytes]:
    """Filter and compress the rows to one zlib stream, which is yielded in non-empty pieces."""
    compressor = zlib.compressobj()
    last_row: Samples | None = None
    for rows, pixel_nbytes in chunks:
        row_above = np.zeros_like(rows[:1]) if last_row is None else last_row
        compressed = compressor.compress(_filter_rows(rows, row_above, pixel_nbytes))
        last_row = rows[-1:].copy()
        if compressed:
            yield compressed
    yield compressor.flush()


def _filter_rows(rows: Samples, above: Samples, pixel_nbytes: int) -> bytes:
    """Filter each row by the type with the least sum of absolute differences (clause 12.7); the type comes first."""
    up = np.concatenate([above, rows[:-1]])
    left, corner = (np.pad(plane, ((0, 0), (pixel_nbytes, 0)))[:, :-pixel_nbytes] for plane in (rows, up))
    average = ((left.astype(np.uint16) + up) // 2).astype(np.uint8)
    candidates = [rows - prediction for prediction in (np.uint8(0), left, up, average, _paeth(left, up, corner))]
    sizes = [np.abs(plane.view(np.int8).astype(np.int16)).sum(axis=1, dtype=np.int64) for plane in candidates]
    best_types = np.argmin(sizes, axis=0)
    out = np.empty((len(rows), 1 + rows.shape[1]), np.uint8)
    out[:, 0] = best_types
    for filter_type, plane in enumerate(candidates):
        out[best_types == filter_type, 1:] = plane[best_types == filter_type]
    return out.tobytes()


def _paeth(left: Samples, up: Samples, corner: Samples) -> Samples:
    """Paeth predictor: the neighbour nearest to left + up - corner; ties prefer left, then up."""
    a, b, c = (neighbour.astype(np.int16) for neighbour in (left, up, corner))
    to_left, to_up, to_corner = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    is_left = (to_left <= to_up) & (to_left <= to_corner)
    return np.where(is_left, left, np.where(to_up <= to_corner, up, corner))
