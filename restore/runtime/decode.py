"""Decoding of JPEG files for restoration: samples, quantized coefficients and quantization steps of any region.

Samples are decoded region by region, so that only one region and the coefficients around it need to be in memory. A
region is given by ``(start, stop)`` in rows and in columns, in pixels of the whole image; starts are multiples of 16.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import optcodec
from optcodec import MAX_PIXELS, CoefficientImage, CoefficientRows, Metadata, UnsupportedJpegError
from optcodec.shared import cached_property
from restore.runtime.band import Band, Blocks, Span, all_rows
from restore.runtime.cells import Floats, centroid_offset, fit_laplacian, inverse_dct
from restore.runtime.context import Context
from restore.runtime.statistics import activities, count_magnitudes, dead_zones, interval_growth

__all__ = ["Received", "Span", "receive"]


@dataclass(frozen=True, eq=False)
class Received:
    """A JPEG file to be restored: gray, or Y, Cb, Cr with luminance at full resolution.

    Samples are decoded on request. Coefficients that are read row by row stay in memory until `release`.

    Parameters
    ----------
    source : CoefficientImage or CoefficientRows
        The result of `optcodec.read_jpeg` or `optcodec.read_jpeg_rows`.

    Raises
    ------
    UnsupportedJpegError
        If the components are others (RGB, CMYK), or luminance has a lower resolution than chrominance.
    """

    source: CoefficientImage | CoefficientRows

    def __post_init__(self) -> None:
        image, expected = self.source, "expected gray, or Y, Cb and Cr"
        components, transform = image.components, image.metadata.adobe_transform
        if len(components) not in (1, 3):
            raise UnsupportedJpegError(f"the file has {len(components)} components; {expected}")
        if len(components) == 3 and transform == 0:
            raise UnsupportedJpegError(f"the components are red, green and blue; {expected}")
        luminance = components[0]
        if any(component.h > luminance.h or component.v > luminance.v for component in components):
            raise UnsupportedJpegError(f"the sampling is {image.subsampling}; expected luminance in full resolution")

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self.source.width

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.source.height

    @property
    def is_gray(self) -> bool:
        """Whether the file has luminance only."""
        return len(self.source.components) == 1

    @property
    def metadata(self) -> Metadata:
        """ICC profile, Exif and all other metadata of the file."""
        return self.source.metadata

    @property
    def coefficients(self) -> CoefficientImage:
        """All coefficients. If `source` is read row by row, each access decodes the whole file."""
        return self.source if isinstance(self.source, CoefficientImage) else self.source.whole()

    @property
    def extent(self) -> tuple[int, int]:
        """Rows and columns of luminance samples, including those that pad the image to whole blocks."""
        rows, columns = _block_grid(self.source, 0)
        return 8 * rows, 8 * columns

    @property
    def tables(self) -> Floats:
        """Quantization steps of luminance, and of Cb where there is colour: float32, shape (1 or 2, 8, 8)."""
        return np.stack([self.steps(index) for index in range(1 if self.is_gray else 2)]).astype(np.float32)

    @cached_property
    def context(self) -> Context:
        """What a network is told of the file; its first use counts all coefficients."""
        indices = range(1 if self.is_gray else 2)
        factors = [(component.v, component.h) for component in self.source.components]
        vertical, horizontal = (a / b for a, b in zip(factors[0], factors[-1], strict=True))
        steps, counts = [self.steps(index) for index in indices], self._magnitudes
        zones = np.stack([dead_zones(counts[index]) for index in indices])
        strengths = np.stack([activities(counts[index], steps[index]) for index in indices])
        return Context(np.stack(steps), zones, strengths, (vertical, horizontal))

    @cached_property
    def fingerprint(self) -> bytes:
        """A hash of size, steps, and the counts of coefficients, which other coefficients hardly ever share."""
        parts = [np.array([self.height, self.width]), *self._magnitudes]
        parts += [self.steps(index) for index in range(len(self.source.components))]
        return hashlib.sha256(b"".join(part.astype("<i8").tobytes() for part in parts)).digest()

    def steps(self, index: int) -> npt.NDArray[np.uint16]:
        """Quantization steps of a component, shape (8, 8), in natural order."""
        return self.source.tables[self.source.components[index].table].steps

    def release(self, row: int) -> None:
        """Drop the coefficients that only regions above this row of pixels depend on.

        Such regions can still be requested, but for them the file is decoded again from its beginning.
        """
        components = self.source.components
        # interpolated chrominance also depends on the row of samples above
        self._band.release([max(0, row * component.v // components[0].v - 1) // 8 for component in components])

    @property
    def is_subsampled(self) -> bool:
        """Whether chrominance has another resolution than luminance."""
        return len({(component.h, component.v) for component in self.source.components}) > 1

    def blocks(self, index: int, rows: Span, columns: Span) -> Blocks:
        """Quantized coefficients of a component in whole blocks of its samples, shape (rows / 8, columns / 8, 8, 8)."""
        return self._band.blocks(index, (rows[0] // 8, rows[1] // 8), (columns[0] // 8, columns[1] // 8))

    def luminance(self, rows: Span, columns: Span, *, centroid: bool = False) -> Floats:
        """Decoded luminance of a region, 0..255.

        Parameters
        ----------
        rows, columns : (int, int)
            The region. It may extend into the samples that pad the image to whole blocks, which come from the file,
            and beyond them, where the last sample is repeated.
        centroid : bool
            True: reconstruct each coefficient at the centroid of its quantization cell, and do not round the samples.
            False: the whole numbers that a decoder gives. Centroids depend on statistics of the whole file, so their
            first use loads all coefficients into memory.

        Returns
        -------
        ndarray of float32, shape (rows, columns)
        """
        return self._window(0, np.arange(*rows), np.arange(*columns), self.extent, centroid)

    def chrominance(self, rows: Span, columns: Span, *, centroid: bool = False) -> Floats:
        """Decoded Cb and Cr of a region at the size of luminance, 0..255; the arguments are those of `luminance`.

        Factors of two are interpolated like libjpeg's "fancy" upsampling, with weights 3/4 and 1/4; other factors
        repeat samples. As in libjpeg, samples that only pad the last blocks are not used: the last sample is repeated
        instead. Where at most two columns of samples are upsampled by two, samples are repeated in both directions, as
        libjpeg does.

        Returns
        -------
        ndarray of float32, shape (2, rows, columns)
        """
        return np.stack([self._upsampled(index, rows, columns, centroid) for index in (1, 2)])

    def _upsampled(self, index: int, rows: Span, columns: Span, centroid: bool) -> Floats:
        luminance, component = self.source.components[0], self.source.components[index]
        extent = -(-self.height * component.v // luminance.v), -(-self.width * component.h // luminance.h)
        factors = (luminance.v / component.v, luminance.h / component.h)
        if not _is_interpolated(factors, extent[1]):
            repeated = (np.arange(*rows) * component.v // luminance.v, np.arange(*columns) * component.h // luminance.h)
            return self._window(index, *repeated, extent, centroid)
        down, across = (
            np.arange(start // int(factor) - (factor == 2), -(-stop // int(factor)) + (factor == 2))
            for factor, (start, stop) in zip(factors, (rows, columns), strict=True)
        )
        plane = self._window(index, down, across, extent, centroid)
        for axis, factor in enumerate(factors):
            plane = _upsample_by_two(plane, axis) if factor == 2 else plane
        plane = plane[: rows[1] - rows[0], : columns[1] - columns[0]]  # an odd side ends with half a pair
        if not centroid:
            _round_ties(plane, factors)
        return plane

    def _window(self, index: int, rows: Any, columns: Any, extent: tuple[int, int], centroid: bool) -> Floats:
        """Samples of a component at ascending rows and columns; outside of the extent the border sample is repeated."""
        down, across = (np.clip(indices, 0, size - 1) for indices, size in zip((rows, columns), extent, strict=True))
        top, left = down[0] // 8, across[0] // 8
        blocks = self._band.blocks(index, (int(top), int(down[-1]) // 8 + 1), (int(left), int(across[-1]) // 8 + 1))
        values = np.multiply(blocks, self.steps(index), dtype=np.float64)
        if centroid:
            values -= np.sign(blocks) * self._shrinkage[index]
        samples = inverse_dct(values)
        if not centroid:
            samples = np.clip(np.floor(samples + np.float32(0.5)), 0, 255)
        return samples[np.ix_(down - 8 * top, across - 8 * left)]

    @cached_property
    def _band(self) -> Band:
        return Band(self.source)

    def interval_growth(self, index: int) -> npt.NDArray[np.float64]:
        """Growth of the quantization intervals of a component, shape (8, 8), for `project`."""
        return interval_growth(self.context.dead_zones[min(index, 1)])

    @cached_property
    def _magnitudes(self) -> list[npt.NDArray[np.int64]]:
        """What `count_magnitudes` gives of each component."""
        totals = [np.zeros((4, 8, 8), np.int64) for _ in self.source.components]
        for rows in all_rows(self.source):
            for total, blocks in zip(totals, rows, strict=True):
                total += count_magnitudes(blocks)
        return totals

    @cached_property
    def _shrinkage(self) -> list[npt.NDArray[np.float64]]:
        """Distance of the centroids from the middle of their cells, towards zero, for each component."""
        decays = [fit_laplacian(component.blocks) for component in self.coefficients.components]
        return [self.steps(index) * centroid_offset(decay) for index, decay in enumerate(decays)]


def receive(
    data: bytes,
    *,
    max_pixels: int | None = MAX_PIXELS,
    notify: Callable[[str], None] | None = None,
    partial: bool = False,
    strict: bool = False,
) -> Received:
    """Read a JPEG file for restoration.

    Parameters
    ----------
    data : bytes
        A JPEG file, gray or YCbCr.
    max_pixels : int or None
        Images with more pixels are refused; None allows every size.
    notify, partial, strict
        As for `optcodec.read_jpeg_rows`.

    Raises
    ------
    MalformedJpegError, UnsupportedJpegError
        As from `optcodec.read_jpeg_rows` and `Received`. Damaged coefficients raise only when their region is decoded.
    """
    source = optcodec.read_jpeg_rows(data, max_pixels=max_pixels, notify=notify, partial=partial, strict=strict)
    return Received(source)


def _is_interpolated(factors: tuple[float, float], columns: int) -> bool:
    """Whether libjpeg interpolates a component with this number of columns (jdsample.c, ``jinit_upsampler``)."""
    return set(factors) <= {1.0, 2.0} and not (factors[1] == 2 and columns <= 2)


def _upsample_by_two(plane: Floats, axis: int) -> Floats:
    """Upsample by two along an axis. The first and the last line serve as neighbours only and have no output."""
    lines = np.moveaxis(plane, axis, 0)
    near = np.float32(0.75) * lines[1:-1]
    out = np.empty((2 * len(near), lines.shape[1]), np.float32)
    out[0::2] = near + np.float32(0.25) * lines[:-2]
    out[1::2] = near + np.float32(0.25) * lines[2:]
    return np.moveaxis(out, 0, axis)


def _round_ties(plane: Floats, factors: tuple[float, float]) -> None:
    """Round in place as libjpeg does: ties alternate between up and down, so that the mean is kept."""
    if factors == (2, 2):
        plane[:, 0::2] += np.float32(8 / 16)
        plane[:, 1::2] += np.float32(7 / 16)
    elif factors != (1, 1):
        lines = plane if factors[0] == 2 else plane.T
        lines[0::2] += np.float32(1 / 4)
        lines[1::2] += np.float32(2 / 4)
    np.floor(plane, out=plane)


def _block_grid(source: CoefficientImage | CoefficientRows, index: int) -> tuple[int, ...]:
    """Rows and columns of blocks of a component."""
    if isinstance(source, CoefficientImage):
        return source.components[index].blocks.shape[:2]
    return source.components[index].shape
