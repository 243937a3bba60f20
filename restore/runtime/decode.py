"""What the bit stream tells the receiver: samples, centroids of the quantization cells, and the cells themselves.

Samples come out region by region, so that no image needs more memory than one region and the coefficients around it. A
region is ``(start, stop)`` in rows and in columns, in pixels of the whole image; starts are multiples of 16.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import optcodec
from optcodec import MAX_PIXELS, CoefficientImage, CoefficientRows, Metadata, UnsupportedJpegError
from optcodec.shared import cached_property
from restore.runtime.band import Band, Blocks, Span
from restore.runtime.cells import Floats, centroid_offset, fit_laplacian, inverse, project

__all__ = ["Received", "Span", "decode_image", "project", "receive", "to_rgb"]

_BAND = 64  # rows that are decoded together


@dataclass(frozen=True, eq=False)
class Received:
    """A file that is not decoded yet: gray, or Y, Cb, Cr with luminance in full resolution.

    Coefficients that are decoded row by row are kept, for other regions, until `release`.

    Parameters
    ----------
    source : CoefficientImage or CoefficientRows
        What `optcodec.read_jpeg` or `optcodec.read_jpeg_rows` gives.

    Raises
    ------
    UnsupportedJpegError
        Other components than these (RGB, CMYK), or luminance that is coarser than chrominance.
    """

    source: CoefficientImage | CoefficientRows

    def __post_init__(self) -> None:
        image, expected = self.source, "expected gray, or Y, Cb and Cr"
        parts, transform = image.components, image.metadata.adobe_transform
        if len(parts) not in (1, 3):
            raise UnsupportedJpegError(f"the file has {len(parts)} components; {expected}")
        if len(parts) == 3 and transform == 0:
            raise UnsupportedJpegError(f"the components are red, green and blue; {expected}")
        luminance = parts[0]
        if any(part.h > luminance.h or part.v > luminance.v for part in parts):
            raise UnsupportedJpegError(f"the sampling is {image.subsampling}; expected luminance in full resolution")

    @property
    def width(self) -> int:
        """Pixels in a row."""
        return self.source.width

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return self.source.height

    @property
    def is_gray(self) -> bool:
        """Whether there is luminance only."""
        return len(self.source.components) == 1

    @property
    def metadata(self) -> Metadata:
        """Colour profile, Exif, and the like."""
        return self.source.metadata

    @property
    def coefficients(self) -> CoefficientImage:
        """All coefficients; where `source` does not hold them, they are decoded for each use of this."""
        return self.source if isinstance(self.source, CoefficientImage) else self.source.whole()

    @property
    def extent(self) -> tuple[int, int]:
        """Rows and columns of luminance samples, those included that fill up the last blocks."""
        rows, columns = _shape(self.source, 0)
        return 8 * rows, 8 * columns

    @property
    def tables(self) -> Floats:
        """Quantization steps of luminance, and of Cb where there is colour: float32, shape (1 or 2, 8, 8)."""
        return np.stack([self.steps(index) for index in range(1 if self.is_gray else 2)]).astype(np.float32)

    def steps(self, index: int) -> npt.NDArray[np.uint16]:
        """Quantization steps of a component, shape (8, 8), in natural order."""
        return self.source.tables[self.source.components[index].table].steps

    def release(self, row: int) -> None:
        """Forget the coefficients that only regions above a row of pixels depend on.

        Regions there can still be asked for. The file is decoded from its beginning for them.
        """
        parts = self.source.components
        # interpolated chrominance depends on one row of its samples above
        self._band.release([max(0, row * part.v // parts[0].v - 1) // 8 for part in parts])

    def luminance_blocks(self, rows: Span, columns: Span) -> Blocks:
        """Quantized luminance of a region in whole blocks, shape (rows / 8, columns / 8, 8, 8)."""
        return self._band.blocks(0, (rows[0] // 8, rows[1] // 8), (columns[0] // 8, columns[1] // 8))

    def luminance(self, rows: Span, columns: Span, *, centroid: bool = False) -> Floats:
        """Decoded luminance of a region, 0..255.

        Parameters
        ----------
        rows, columns : (int, int)
            May go on into the samples that fill up the last blocks, which are the file's own, and further, where these
            are repeated.
        centroid : bool
            Reconstruct each coefficient at the centroid of its cell, and do not round; otherwise what a decoder gives,
            whole numbers. Centroids take the statistics of the whole file: for the first of them all coefficients are
            in memory at once.

        Returns
        -------
        ndarray of float32, shape (rows, columns)
        """
        return self._window(0, np.arange(*rows), np.arange(*columns), self.extent, centroid)

    def chrominance(self, rows: Span, columns: Span, *, centroid: bool = False) -> Floats:
        """Decoded Cb and Cr of a region at the size of luminance, 0..255; takes what `luminance` does.

        Factors of two are interpolated as libjpeg's "fancy" upsampling does, with weights 3/4 and 1/4; others repeat
        samples. As there, what fills up the last blocks has no part in it: the last sample is repeated. Where two
        columns of samples or fewer are doubled, libjpeg repeats samples in both directions, and so does this.

        Returns
        -------
        ndarray of float32, shape (2, rows, columns)
        """
        return np.stack([self._upsampled(index, rows, columns, centroid) for index in (1, 2)])

    def _upsampled(self, index: int, rows: Span, columns: Span, centroid: bool) -> Floats:
        first, part = self.source.components[0], self.source.components[index]
        extent = -(-self.height * part.v // first.v), -(-self.width * part.h // first.h)
        factors = (first.v / part.v, first.h / part.h)
        if not _is_interpolated(factors, extent[1]):
            repeated = (np.arange(*rows) * part.v // first.v, np.arange(*columns) * part.h // first.h)
            return self._window(index, *repeated, extent, centroid)
        down, across = (
            np.arange(start // int(factor) - (factor == 2), -(-stop // int(factor)) + (factor == 2))
            for factor, (start, stop) in zip(factors, (rows, columns), strict=True)
        )
        plane = self._window(index, down, across, extent, centroid)
        for axis, factor in enumerate(factors):
            plane = _doubled(plane, axis) if factor == 2 else plane
        plane = plane[: rows[1] - rows[0], : columns[1] - columns[0]]  # an odd side has half a pair at its end
        if not centroid:
            _round_ties(plane, factors)
        return plane

    def _window(self, index: int, rows: Any, columns: Any, extent: tuple[int, int], centroid: bool) -> Floats:
        """Samples of a component at rows and columns that ascend; outside of the extent its border is repeated."""
        down, across = (np.clip(places, 0, size - 1) for places, size in zip((rows, columns), extent, strict=True))
        top, left = down[0] // 8, across[0] // 8
        blocks = self._band.blocks(index, (int(top), int(down[-1]) // 8 + 1), (int(left), int(across[-1]) // 8 + 1))
        values = np.multiply(blocks, self.steps(index), dtype=np.float64)
        if centroid:
            values -= np.sign(blocks) * self._shrinkage[index]
        samples = inverse(values)
        if not centroid:
            samples = np.clip(np.floor(samples + np.float32(0.5)), 0, 255)
        return samples[np.ix_(down - 8 * top, across - 8 * left)]

    @cached_property
    def _band(self) -> Band:
        return Band(self.source)

    @cached_property
    def _shrinkage(self) -> list[npt.NDArray[np.float64]]:
        """How far the centroids lie from the middle of their cells, towards zero, for each component."""
        decays = [fit_laplacian(part.blocks) for part in self.coefficients.components]
        return [self.steps(index) * centroid_offset(decay) for index, decay in enumerate(decays)]


def receive(
    data: bytes,
    *,
    max_pixels: int | None = MAX_PIXELS,
    notify: Callable[[str], None] | None = None,
    partial: bool = False,
    strict: bool = False,
) -> Received:
    """Read a file that can be restored.

    Parameters
    ----------
    data : bytes
        A JPEG file, gray or YCbCr.
    max_pixels : int or None
        Larger images are refused; None allows every size.
    notify, partial, strict
        As of `optcodec.read_jpeg_rows`.

    Raises
    ------
    MalformedJpegError, UnsupportedJpegError
        As `optcodec.read_jpeg_rows` and `Received`; for damaged coefficients not before their region is asked for.
    """
    read = optcodec.read_jpeg_rows(data, max_pixels=max_pixels, notify=notify, partial=partial, strict=strict)
    return Received(read)


def decode_image(received: Received, *, centroid: bool = False) -> npt.NDArray[np.uint8]:
    """The image as a decoder shows it, without restoration.

    Parameters
    ----------
    received : Received
        From `receive`.
    centroid : bool
        Reconstruct at the centroids of the cells, and round once, at the end.

    Returns
    -------
    ndarray of uint8, shape (height, width) or (height, width, 3)
        Gray or RGB.
    """
    height, width = received.height, received.width
    image = np.empty((height, width) if received.is_gray else (height, width, 3), np.uint8)
    for top in range(0, height, _BAND):
        rows, columns = (top, min(top + _BAND, height)), (0, width)
        received.release(top)
        luminance = received.luminance(rows, columns, centroid=centroid)
        if received.is_gray:
            image[slice(*rows)] = _to_bytes(luminance)
        else:
            image[slice(*rows)] = to_rgb(luminance, received.chrominance(rows, columns, centroid=centroid))
    return image


def to_rgb(luminance: Floats, chrominance: Floats) -> npt.NDArray[np.uint8]:
    """RGB of Y, shape (rows, columns), and Cb and Cr, shape (2, rows, columns): T.871, clause 7, rounded once."""
    blue, red = chrominance - np.float32(128)
    green = luminance - np.float32(0.344136286) * blue - np.float32(0.714136286) * red
    rgb = (luminance + np.float32(1.402) * red, green, luminance + np.float32(1.772) * blue)
    return np.stack([_to_bytes(plane) for plane in rgb], axis=-1)


def _is_interpolated(factors: tuple[float, float], columns: int) -> bool:
    """Whether libjpeg interpolates a component with so many columns of samples (jdsample.c, ``jinit_upsampler``)."""
    return set(factors) <= {1.0, 2.0} and not (factors[1] == 2 and columns <= 2)


def _doubled(plane: Floats, axis: int) -> Floats:
    """Twice as many samples along an axis but for the first and the last, which are there as neighbours only."""
    lines = np.moveaxis(plane, axis, 0)
    near = np.float32(0.75) * lines[1:-1]
    out = np.empty((2 * len(near), lines.shape[1]), np.float32)
    out[0::2] = near + np.float32(0.25) * lines[:-2]
    out[1::2] = near + np.float32(0.25) * lines[2:]
    return np.moveaxis(out, 0, axis)


def _round_ties(plane: Floats, factors: tuple[float, float]) -> None:
    """Round in place as libjpeg does: ties up and down in turns, so that the mean stays."""
    if factors == (2, 2):
        plane[:, 0::2] += np.float32(8 / 16)
        plane[:, 1::2] += np.float32(7 / 16)
    elif factors != (1, 1):
        turns = plane if factors[0] == 2 else plane.T
        turns[0::2] += np.float32(1 / 4)
        turns[1::2] += np.float32(2 / 4)
    np.floor(plane, out=plane)


def _shape(source: CoefficientImage | CoefficientRows, index: int) -> tuple[int, ...]:
    """Rows and columns of blocks of a component."""
    if isinstance(source, CoefficientImage):
        return source.components[index].blocks.shape[:2]
    return source.components[index].shape


def _to_bytes(plane: Floats) -> npt.NDArray[np.uint8]:
    return np.clip(np.rint(plane), 0, 255).astype(np.uint8)
