"""JPEG bytes to a coefficient image: sequential and progressive Huffman coding with 8-bit samples (ITU-T T.81).

Reading is strict. A file that breaks T.81 is refused, even where its coefficients could be guessed: one that ends
early, lacks only its EOI, or has bytes left over between the last block of a scan and the next marker. What a header
claims is checked against the size of the data before memory is taken for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from optcodec.errors import MalformedJpegError, UnsupportedJpegError
from optcodec.jpeg.image import CoefficientImage, Component, Metadata, subsampling_name
from optcodec.jpeg.layout import McuLayout, mcu_layout
from optcodec.jpeg.scan_decoder import ScanDecoder, work_space
from optcodec.jpeg.structure import CodedScan, JpegStructure, read_structure
from optcodec.jpeg.tables import QuantTable
from optcodec.limits import MAX_PIXELS, too_many_pixels

__all__ = ["CoefficientRows", "ComponentHeader", "read_jpeg", "read_jpeg_rows"]

# Blocks that AC scans may visit for each bit of the file. Real progressions stay below 10; a file made to keep its
# reader busy could ask for hundreds.
_MAX_VISITS_PER_BIT = 100
_SPACE_NBYTES = 1 << 18  # of entropy-coded data that wait to be decoded; an MCU takes less than 3200

Blocks = npt.NDArray[np.int16]


def read_jpeg(data: bytes, *, max_pixels: int | None = MAX_PIXELS) -> CoefficientImage:
    """Read the quantized coefficients, tables and metadata of a JPEG file.

    Parameters
    ----------
    data : bytes
        The whole file: baseline, extended sequential or progressive; Huffman coding, 8 bits a sample, 1 to 4
        components, any sampling factors. What follows EOI is ignored.
    max_pixels : int or None
        Larger images are refused before memory is taken for them; None allows every size.

    Returns
    -------
    CoefficientImage
        Components in the order of the frame header, without the blocks that only fill up the last MCU. The restart
        interval is that of the first scan.

    Raises
    ------
    MalformedJpegError
        If the file breaks T.81, with the position where that was noticed.
    UnsupportedJpegError
        If it is legal but not handled here, or larger than `max_pixels`.
    """
    structure = read_structure(data)
    layouts = _checked_layouts(structure, len(data), max_pixels)
    return _read(data, structure, layouts)


@dataclass(frozen=True)
class ComponentHeader:
    """A component without its coefficients.

    Parameters
    ----------
    id, h, v, table : int
        As in `Component`.
    shape : (int, int)
        Rows and columns of blocks.
    """

    id: int
    h: int
    v: int
    table: int
    shape: tuple[int, int]


@dataclass(frozen=True, eq=False)
class CoefficientRows:
    """A JPEG file whose coefficients are decoded while they are asked for, from `read_jpeg_rows`.

    Each iteration begins with the first row. It yields, for one row of MCUs after another, a tuple with the blocks of
    each component: read-only int16 of shape (rows, columns, 8, 8), as many rows as its sampling factor v, or 1 if it is
    the only component; the last are those that are left. Put together they are the blocks of `read_jpeg`, and what that
    refuses is refused when the rows end, or earlier.

    Parameters
    ----------
    data : bytes
        The whole file.
    structure : JpegStructure
        What it says without its coefficients.
    layouts : tuple of McuLayout
        Geometry of each scan.
    """

    data: bytes = field(repr=False)
    structure: JpegStructure
    layouts: tuple[McuLayout, ...] = field(repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(read_jpeg_rows, max_pixels=None), (self.data,)  # all the rest comes from there

    @property
    def width(self) -> int:
        """Pixels in a row."""
        return self.structure.frame.width

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return self.structure.frame.height

    @property
    def components(self) -> tuple[ComponentHeader, ...]:
        """Components in the order of the frame header."""
        structure = self.structure
        return tuple(
            ComponentHeader(part.id, part.h, part.v, structure.table_indices[index], structure.blocks_shape(index))
            for index, part in enumerate(structure.frame.components)
        )

    @property
    def tables(self) -> tuple[QuantTable, ...]:
        """Quantization tables; components name them by index."""
        return self.structure.tables

    @property
    def metadata(self) -> Metadata:
        """Colour profile, Exif, and the like."""
        return self.structure.metadata

    @property
    def restart_interval(self) -> int:
        """MCUs between restart markers in the first scan, 0 for none."""
        return self.structure.restart_interval

    @property
    def subsampling(self) -> str:
        """Name of the sampling, as in `CoefficientImage.subsampling`."""
        return subsampling_name([(part.h, part.v) for part in self.components])

    def whole(self) -> CoefficientImage:
        """All of it at once, as `read_jpeg` gives it."""
        return _read(self.data, self.structure, self.layouts)

    def __iter__(self) -> Iterator[tuple[Blocks, ...]]:
        if len(self.layouts) == 1 and not self.structure.frame.is_progressive:
            return _decoded_rows(self.data, self.structure, self.layouts[0])
        return _rows_of(self.whole())


def read_jpeg_rows(data: bytes, *, max_pixels: int | None = MAX_PIXELS) -> CoefficientRows:
    """Read a JPEG file whose coefficients need not be in memory all at once.

    A sequential file with one scan, as most are, is decoded row by row: beside the file that takes the memory of one
    row of MCUs and 256 KiB. One with several scans, such as a progressive file, has the last bit of its first block in
    the last scan: there all coefficients are in memory while the rows are gone through.

    Parameters
    ----------
    data : bytes
        The whole file, as for `read_jpeg`.
    max_pixels : int or None
        Larger images are refused; None allows every size.

    Returns
    -------
    CoefficientRows
        Header, tables and metadata; the coefficients follow when it is iterated over.

    Raises
    ------
    MalformedJpegError, UnsupportedJpegError
        As `read_jpeg`; for damaged coefficients not before they are reached.
    """
    structure = read_structure(data)
    return CoefficientRows(data, structure, _checked_layouts(structure, len(data), max_pixels))


def _read(data: bytes, structure: JpegStructure, layouts: Sequence[McuLayout]) -> CoefficientImage:
    """All coefficients, whatever the scans."""
    shapes = [structure.blocks_shape(index) for index in range(len(structure.frame.components))]
    starts = list(accumulate((rows * columns for rows, columns in shapes), initial=0))
    coefficients = np.zeros((starts[-1] + 1) * 64, np.int16)  # one block more: see `ScanDecoder.decode`
    space = work_space(max(scan.segment.data_nbytes for scan in structure.scans))
    for scan, layout in zip(structure.scans, layouts, strict=True):
        chosen = [starts[part.index] for part in scan.header.components]
        ScanDecoder(data, scan, layout, space).decode(coefficients, chosen, layout.rows * layout.columns)
    coefficients.flags.writeable = False
    frame, components = structure.frame, []
    for index, part in enumerate(frame.components):
        blocks = coefficients[starts[index] * 64 : starts[index + 1] * 64].reshape(*shapes[index], 8, 8)
        components.append(Component(part.id, part.h, part.v, structure.table_indices[index], blocks))
    return CoefficientImage(
        frame.width,
        frame.height,
        tuple(components),
        structure.tables,
        structure.metadata,
        structure.restart_interval,
        frame.is_progressive,
    )


def _decoded_rows(data: bytes, structure: JpegStructure, layout: McuLayout) -> Iterator[tuple[Blocks, ...]]:
    """Rows of MCUs of a file with one sequential scan, whose components are all those of the frame in their order."""
    (scan,) = structure.scans
    space = work_space(min(scan.segment.data_nbytes, _SPACE_NBYTES))
    decoder = ScanDecoder(data, scan, layout, space)
    shapes, heights = layout.parts[:, :2].tolist(), layout.parts[:, 3].tolist()
    for row in range(layout.rows):
        tops = [row * height for height in heights]
        counts = [min(height, rows - top) for height, top, (rows, _) in zip(heights, tops, shapes, strict=True)]
        edges = list(
            accumulate((count * columns for count, (_, columns) in zip(counts, shapes, strict=True)), initial=0)
        )
        coefficients = np.zeros((edges[-1] + 1) * 64, np.int16)
        first = [edge - top * columns for edge, top, (_, columns) in zip(edges, tops, shapes, strict=False)]
        decoder.decode(coefficients, first, layout.columns)
        coefficients.flags.writeable = False
        yield tuple(
            coefficients[64 * edge : 64 * (edge + count * columns)].reshape(count, columns, 8, 8)
            for edge, count, (_, columns) in zip(edges, counts, shapes, strict=False)
        )


def _rows_of(image: CoefficientImage) -> Iterator[tuple[Blocks, ...]]:
    """Rows of MCUs of an image that is in memory."""
    layout = mcu_layout(image.width, image.height, [(c.h, c.v) for c in image.components], [0] * len(image.components))
    heights = layout.parts[:, 3].tolist()
    for row in range(layout.rows):
        yield tuple(
            part.blocks[row * height : (row + 1) * height]
            for part, height in zip(image.components, heights, strict=True)
        )


def _checked_layouts(structure: JpegStructure, nbytes: int, max_pixels: int | None) -> tuple[McuLayout, ...]:
    """Geometry of each scan of a file of so many bytes, if it can be and the image is not too large."""
    layouts = tuple(_layout(structure, scan) for scan in structure.scans)
    _check_plausible(structure, layouts, nbytes)
    reason = too_many_pixels(structure.frame.width, structure.frame.height, max_pixels)
    if reason is not None:
        raise UnsupportedJpegError(reason)
    return layouts


def _layout(structure: JpegStructure, scan: CodedScan) -> McuLayout:
    """Geometry of the MCUs of a scan."""
    frame, chosen = structure.frame, [part.index for part in scan.header.components]
    return mcu_layout(frame.width, frame.height, [(c.h, c.v) for c in frame.components], [0] * len(chosen), chosen)


def _check_plausible(structure: JpegStructure, layouts: Sequence[McuLayout], nbytes: int) -> None:
    """Refuse a header that claims more blocks than the data can hold.

    A block takes at least a bit for DC and, in a sequential scan, a bit for AC; and there is a restart marker, two
    bytes, between any two intervals. AC scans of a progressive file can tell of 32767 blocks at a time.
    """
    visits = 0
    for scan, layout in zip(structure.scans, layouts, strict=True):
        needed = layout.blocks * ((scan.header.Ss == 0) + (not structure.frame.is_progressive))
        if scan.restart_interval:
            needed = max(needed, 16 * ((layout.rows * layout.columns - 1) // scan.restart_interval))
        if needed > 8 * scan.segment.data_nbytes:
            found = 8 * scan.segment.data_nbytes
            message = f"a scan of {layout.blocks} blocks takes {needed} bits or more, found {found}"
            raise MalformedJpegError(message, scan.segment.offset)
        visits += layout.blocks if scan.header.Ss else 0
    if visits > _MAX_VISITS_PER_BIT * 8 * nbytes:
        message = f"AC scans visit {visits} blocks in {nbytes} bytes; handled are {_MAX_VISITS_PER_BIT} for each bit"
        raise UnsupportedJpegError(message)
