"""JPEG bytes to a coefficient image: sequential and progressive Huffman coding with 8-bit samples (ITU-T T.81).

A file that breaks T.81 is read, with a notice, where libjpeg-turbo reads it and its pixels are certain: bytes between
segments, no EOI, something left over behind the last block of a scan, and more. With `strict` all of it is refused.
Codes that mean nothing and wrong restart markers are refused in any case, and files that end early unless `partial` is
set. What a header claims is checked against the size of the data before memory is taken for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial as bound
from typing import Any

from optcodec.errors import JpegWarning, MalformedJpegError, UnsupportedJpegError
from optcodec.jpeg.image import CoefficientImage, Metadata, subsampling_name
from optcodec.jpeg.layout import McuLayout, mcu_layout
from optcodec.jpeg.reading.decoding import Blocks, Reading, decoded_rows, read_all, rows_of
from optcodec.jpeg.reading.structure import CodedScan, JpegStructure, read_structure
from optcodec.jpeg.segments import file_bytes
from optcodec.jpeg.tables import QuantTable
from optcodec.limits import MAX_PIXELS, too_many_pixels
from optcodec.notices import Notify, ignore, told_once, warn_of, warn_user

__all__ = ["CoefficientRows", "ComponentHeader", "read_jpeg", "read_jpeg_rows"]

# Blocks that AC scans may visit for each bit of the file. Real progressions stay below 10; a file made to keep its
# reader busy could ask for hundreds.
_MAX_VISITS_PER_BIT = 100


def read_jpeg(
    data: bytes | bytearray | memoryview,
    *,
    max_pixels: int | None = MAX_PIXELS,
    strict: bool = False,
    partial: bool = False,
    notify: Notify | None = None,
) -> CoefficientImage:
    """Read the quantized coefficients, tables and metadata of a JPEG file.

    Parameters
    ----------
    data : bytes, bytearray or memoryview
        The whole file: baseline, extended sequential or progressive; Huffman coding, 8 bits a sample, 1 to 4
        components, any sampling factors. What follows EOI is ignored.
    max_pixels : int or None
        Larger images are refused before memory is taken for them; None allows every size.
    strict : bool
        Refuse each breach of T.81. By default those are tolerated where libjpeg-turbo reads the file, and its pixels
        are certain.
    partial : bool
        Take a file that ends early, or whose scans do. What is missing is 0, which is gray, or less detail in a
        progressive file: the coefficients are those of libjpeg-turbo, and so are the pixels of a sequential file. Of an
        incomplete progressive file libjpeg-turbo smooths what it shows, and does not smooth it in the file that is
        written of these coefficients.
    notify : callable, optional
        Takes a sentence for each kind of thing that was tolerated; by default each is a `JpegWarning`.

    Returns
    -------
    CoefficientImage
        Components in the order of the frame header, without the blocks that only fill up the last MCU. The restart
        interval is that of the first scan.

    Raises
    ------
    InvalidInputError
        If `data` is something else, or both `strict` and `partial` are set.
    MalformedJpegError
        If the file breaks T.81 in a way that is not tolerated, with the position where that was noticed.
    UnsupportedJpegError
        If it is legal but not handled here, or larger than `max_pixels`.
    """
    notices: list[str] = []
    content = file_bytes(data)
    settings = Reading(strict, partial, notify or notices.append)
    structure = read_structure(content, strict=strict, partial=partial, notify=settings.notify)
    image = read_all(content, structure, _checked_layouts(structure, len(content), max_pixels, partial), settings)
    warn_of(notices)
    return image


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
    reading : Reading
        What is tolerated.
    """

    data: bytes = field(repr=False)
    structure: JpegStructure
    layouts: tuple[McuLayout, ...] = field(repr=False)
    reading: Reading = field(repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        strict, partial = self.reading.strict, self.reading.partial
        rest = bound(read_jpeg_rows, max_pixels=None, strict=strict, partial=partial, notify=ignore)
        return rest, (self.data,)  # all of it comes from there

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
            ComponentHeader(name, part.h, part.v, structure.table_indices[index], structure.blocks_shape(index))
            for index, (name, part) in enumerate(zip(structure.frame.ids, structure.frame.components, strict=True))
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
        return read_all(self.data, self.structure, self.layouts, self.reading)

    def __iter__(self) -> Iterator[tuple[Blocks, ...]]:
        frame, scans = self.structure.frame, self.structure.scans
        if not frame.is_progressive and len(scans[0].header.components) == len(frame.components):
            return decoded_rows(self.data, self.structure, self.layouts[0], self.reading)
        return rows_of(self.whole())


def read_jpeg_rows(
    data: bytes | bytearray | memoryview,
    *,
    max_pixels: int | None = MAX_PIXELS,
    strict: bool = False,
    partial: bool = False,
    notify: Notify | None = None,
) -> CoefficientRows:
    """Read a JPEG file whose coefficients need not be in memory all at once.

    A sequential file with one scan, as most are, is decoded row by row: beside the file that takes the memory of one
    row of MCUs and 256 KiB. One with several scans, such as a progressive file, has the last bit of its first block in
    the last scan: there all coefficients are in memory while the rows are gone through.

    Parameters
    ----------
    data : bytes, bytearray or memoryview
        The whole file, as for `read_jpeg`.
    max_pixels : int or None
        Larger images are refused; None allows every size.
    strict, partial : bool
        As for `read_jpeg`.
    notify : callable, optional
        As for `read_jpeg`. What is tolerated in coefficients is told with the last row, and once only, however often
        the rows are gone through.

    Returns
    -------
    CoefficientRows
        Header, tables and metadata; the coefficients follow when it is iterated over.

    Raises
    ------
    InvalidInputError, MalformedJpegError, UnsupportedJpegError
        As `read_jpeg`; for damaged coefficients not before they are reached.
    """
    content, notices = file_bytes(data), list[str]()
    structure = read_structure(content, strict=strict, partial=partial, notify=notify or notices.append)
    layouts = _checked_layouts(structure, len(content), max_pixels, partial)
    warn_of(notices)
    tell = told_once(notify or (lambda sentence: warn_user(sentence, JpegWarning)))
    return CoefficientRows(content, structure, layouts, Reading(strict, partial, tell))


def _checked_layouts(
    structure: JpegStructure, nbytes: int, max_pixels: int | None, partial: bool
) -> tuple[McuLayout, ...]:
    """Geometry of each scan of a file of so many bytes, if it can be and the image is not too large."""
    layouts = tuple(_layout(structure, scan) for scan in structure.scans)
    if not partial:
        _check_size(structure, layouts)
    _check_visits(structure, layouts, nbytes)
    reason = too_many_pixels(structure.frame.width, structure.frame.height, max_pixels)
    if reason is not None:
        raise UnsupportedJpegError(reason)
    return layouts


def _layout(structure: JpegStructure, scan: CodedScan) -> McuLayout:
    """Geometry of the MCUs of a scan."""
    frame, chosen = structure.frame, [part.index for part in scan.header.components]
    return mcu_layout(frame.width, frame.height, [(c.h, c.v) for c in frame.components], [0] * len(chosen), chosen)


def _check_size(structure: JpegStructure, layouts: Sequence[McuLayout]) -> None:
    """Refuse a header that claims more blocks than the data can hold.

    A block takes at least a bit for DC and, in a sequential scan, a bit for AC; and there is a restart marker, two
    bytes, between any two intervals.
    """
    for scan, layout in zip(structure.scans, layouts, strict=True):
        needed = layout.blocks * ((scan.header.Ss == 0) + (not structure.frame.is_progressive))
        if scan.restart_interval:
            needed = max(needed, 16 * ((layout.rows * layout.columns - 1) // scan.restart_interval))
        if needed > 8 * scan.segment.data_nbytes:
            found = 8 * scan.segment.data_nbytes
            message = f"a scan of {layout.blocks} blocks takes {needed} bits or more, found {found}"
            raise MalformedJpegError(message, scan.segment.offset)


def _check_visits(structure: JpegStructure, layouts: Sequence[McuLayout], nbytes: int) -> None:
    """AC scans of a progressive file can tell of 32767 blocks at a time: refuse so many that they would never end."""
    visits = sum(layout.blocks for scan, layout in zip(structure.scans, layouts, strict=True) if scan.header.Ss)
    if visits > _MAX_VISITS_PER_BIT * 8 * nbytes:
        message = f"AC scans visit {visits} blocks in {nbytes} bytes; handled are {_MAX_VISITS_PER_BIT} for each bit"
        raise UnsupportedJpegError(message)
