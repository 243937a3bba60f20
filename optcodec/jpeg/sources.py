"""Sources of an encode: pixels, or the coefficients of another file, which are coded with any tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from optcodec.cached import cached_property
from optcodec.errors import InvalidInputError
from optcodec.jpeg.bitstream import Huffman, Preamble, Scan, compact_tables, jpeg_bytes
from optcodec.jpeg.dct import forward
from optcodec.jpeg.direct import PixelScan, pixel_scan
from optcodec.jpeg.headers import FrameComponent
from optcodec.jpeg.image import (
    MAX_LIBJPEG_SIDE,
    CoefficientImage,
    DctImage,
    Metadata,
    checked_interval,
    sampling_factors,
)
from optcodec.jpeg.layout import dc_slots, with_channels
from optcodec.jpeg.overshoot import FOR_ROUNDING, Clipped, clipped_luminance
from optcodec.jpeg.quantize import dequantize, quantize, table_indices
from optcodec.jpeg.reading.reader import read_jpeg
from optcodec.jpeg.tables import QuantTable
from optcodec.jpeg.writer import Progressive, write_jpeg
from optcodec.kernels import prepare
from optcodec.notices import ignore

__all__ = ["CoefficientSource", "Dct", "PixelSource"]

Dct = Literal["float", "exact"]


@dataclass(frozen=True, eq=False)
class PixelSource:
    """Pixels and how to code them.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3) or (height, width)
        RGB or grey.
    subsampling : str
        Name of the sampling; without effect on grey pixels.
    dct : {"float", "exact"}
        See `optcodec.encode`.
    progressive : {False, True, "smaller"}
        See `optcodec.encode`.
    metadata : Metadata
        For the file.
    restart_interval : int
        MCUs between restart markers, 0 for none.
    threads : int, optional
        At most so many; all processors by default.
    apart : bool
        Whether luminance has a scan of its own in sequential files; see `write_jpeg`.
    huffman : {"optimal", "standard"}
        The Huffman tables; see `write_jpeg`.
    overshoot : bool
        Whether samples may go beyond white and black, where decoders clip them; see `optcodec.jpeg.overshoot`.
    """

    pixels: npt.NDArray[np.uint8]
    subsampling: str
    dct: Dct
    progressive: Progressive
    metadata: Metadata
    restart_interval: int
    threads: int | None
    apart: bool = False
    huffman: Huffman = "optimal"
    overshoot: bool = True
    kernels: ClassVar = ("clipped", "forward", "encode", "huffman", "bits")  # what designing and coding will need

    def __post_init__(self) -> None:
        width, height = self.size
        if max(width, height) > MAX_LIBJPEG_SIDE:
            expected = f"expected sides of at most {MAX_LIBJPEG_SIDE}, as no libjpeg opens larger JPEG files"
            raise InvalidInputError(f"the image has {width}x{height} pixels; {expected}")
        sampling_factors(self.subsampling)
        object.__setattr__(self, "restart_interval", checked_interval(self.restart_interval))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def sampling(self) -> str:
        """Name of the sampling, ``"grey"`` if there is one component."""
        return "grey" if self.pixels.ndim == 2 else self.subsampling

    @cached_property
    def clipped(self) -> Clipped | None:
        """Samples that may overshoot; None if there are none, or the indices have to be those of libjpeg-turbo."""
        return clipped_luminance(self.pixels, threads=self.threads) if self._may_overshoot else None

    @property
    def _may_overshoot(self) -> bool:
        return self.overshoot and self.dct == "float"

    @property
    def content(self) -> npt.NDArray[np.uint8]:
        """What tables are designed from: the pixels."""
        return self.pixels

    def unquantized(self) -> DctImage:
        """The coefficients."""
        return forward(self.pixels, self.subsampling, threads=self.threads)

    def encoded(self, tables: Sequence[QuantTable]) -> bytes:
        """The file, with tables for luminance and chrominance."""
        if not (self.progressive or self.apart):
            return self._interleaved(tables)
        return self.written(self.quantized(tables), smallest=False)

    def quantized(self, tables: Sequence[QuantTable]) -> CoefficientImage:
        """The indices of the file with these tables."""
        if self.dct == "exact":  # only the one scan of a baseline file is made with the integer DCT
            return read_jpeg(self._interleaved(tables), max_pixels=None, notify=ignore)
        image = self.unquantized()
        if self.clipped is not None:
            image = self.clipped.overshot(image, tables[0], FOR_ROUNDING).placed_in(image)
        return quantize(image, tables)

    def _interleaved(self, tables: Sequence[QuantTable]) -> bytes:
        """The baseline file with all components in one scan, straight from pixels."""
        prepare("encode", "huffman", "bits")
        pixels, shares = with_channels(self.pixels), self.dct == "float"
        form = self.subsampling, self.dct, self.restart_interval, self._may_overshoot
        plain, scan = _baseline(pixels.shape, tuple(tables), *form)
        preamble = plain if self.metadata == plain.metadata else replace(plain, metadata=self.metadata)
        tokens = scan.tokens(pixels, threads=self.threads, write=self.huffman == "optimal")
        scans = [Scan(range(pixels.shape[2]), dc_slots(pixels.shape[2]), tokens)]
        # libjpeg always writes two pairs of Huffman tables: files that are to equal its files have them, too.
        return jpeg_bytes(preamble, scans, progressive=False, share_tables=shares, huffman=self.huffman)

    def written(self, coded: CoefficientImage, *, smallest: bool) -> bytes:
        """The file with indices that were chosen already; see `write_jpeg`."""
        coded = replace(coded, metadata=self.metadata, restart_interval=self.restart_interval)
        return _written(self, coded, smallest=smallest)


@lru_cache(maxsize=64)
def _baseline(
    shape: tuple[int, int, int],
    tables: tuple[QuantTable, ...],
    subsampling: str,
    dct: Dct,
    restart_interval: int,
    overshoot: bool,
) -> tuple[Preamble, PixelScan]:
    """What comes before the scan of pixels of a shape, without metadata; and how the scan is made."""
    height, width, count = shape
    h, v = sampling_factors(subsampling) if count == 3 else (1, 1)
    used, indices = compact_tables(tables, table_indices(count, len(tables)))
    factors = [(h, v), (1, 1), (1, 1)][:count]
    parts = [FrameComponent(k + 1, *factors[k], indices[k]) for k in range(count)]
    preamble = Preamble(width, height, parts, used, Metadata(), restart_interval)
    of_components = [used[index] for index in indices]
    form: dict[str, Any] = {"dct": dct, "restart_interval": restart_interval, "overshoot": overshoot}
    return preamble, pixel_scan(shape, subsampling, of_components, **form)


@dataclass(frozen=True, eq=False)
class CoefficientSource:
    """Coefficients of a file, to be quantized anew; see `PixelSource` for the parameters."""

    image: CoefficientImage
    progressive: Progressive
    threads: int | None
    apart: bool = False
    huffman: Huffman = "optimal"
    kernels: ClassVar = ("quantize", "entropy", "huffman", "bits")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.image.width, self.image.height

    @property
    def sampling(self) -> str:
        """Name of the sampling, ``"grey"`` if there is one component."""
        return self.image.subsampling

    @property
    def lattice(self) -> tuple[QuantTable, ...] | None:
        """Tables that the coefficients were quantized with before: of luminance, and of chrominance if it has one.

        None where steps are too large to be those of a baseline file.
        """
        parts = self.image.components
        tables = tuple(self.image.tables[part.table] for part in parts[: 1 if len(parts) == 1 else 2])
        return tables if all(table.is_baseline for table in tables) else None

    @property
    def content(self) -> CoefficientImage:
        """What tables are designed from: the coefficients of the file."""
        return self.image

    def unquantized(self) -> DctImage:
        """The coefficients, times their steps."""
        return dequantize(self.image)

    def encoded(self, tables: Sequence[QuantTable]) -> bytes:
        """The file with other tables; a component whose table stays the same keeps every coefficient."""
        old = self.image
        if tables is not old.tables:
            requantized = quantize(dequantize(old), tables, metadata=old.metadata)
            old = replace(requantized, restart_interval=old.restart_interval)
        return _written(self, old)

    def written(self, coded: CoefficientImage, *, smallest: bool) -> bytes:
        """The file with other indices of the same components; see `write_jpeg`."""
        coded = replace(coded, metadata=self.image.metadata, restart_interval=self.image.restart_interval)
        return _written(self, coded, smallest=smallest)


def _written(source: PixelSource | CoefficientSource, coded: CoefficientImage, *, smallest: bool = False) -> bytes:
    """The file of indices in the form of a source."""
    return write_jpeg(
        coded,
        progressive=source.progressive,
        smallest=smallest,
        apart=source.apart,
        huffman=source.huffman,
        threads=source.threads,
    )
