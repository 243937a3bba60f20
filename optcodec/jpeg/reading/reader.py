"""Read a JPEG file into a coefficient image: sequential or progressive, Huffman coding, 8-bit samples (ITU-T T.81).

A file that breaks T.81 is read, with a notice, if libjpeg-turbo reads it and there is no doubt about its pixels: bytes
between segments, a missing EOI, data behind the last block of a scan, and more. With `strict`, every breach is refused.
Invalid Huffman codes, and missing or wrong restart markers, are always refused; files that end too early are refused
unless `partial` is set. The size in a header is checked against the size of the data before memory is allocated for it.
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
from optcodec.notices import PARTIAL_HINT, Notify, ignore, warn_of, warn_user, without_repeats

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
        components, any sampling factors. Bytes behind EOI become the trailer of the metadata.
    max_pixels : int or None
        Larger images are refused before memory is allocated for them; None allows every size.
    strict : bool
        Refuse every breach of T.81. By default a breach is tolerated if libjpeg-turbo reads the file and there is no
        doubt about its pixels.
    partial : bool
        Also read a file that ends too early, or whose scans do. Missing coefficients are 0, which is gray, or less
        detail in a progressive file. The coefficients are those of libjpeg-turbo, and so are the pixels of a sequential
        file. When libjpeg-turbo decodes an incomplete progressive file, it also smooths the picture; it will not do so
        for a file written from these coefficients.
    notify : callable, optional
        Called with one sentence for each kind of breach that was tolerated; by default each is a `JpegWarning`.

    Returns
    -------
    CoefficientImage
        Components in the order of the frame header, without the blocks that only fill up the last MCU. The restart
        interval is that of the first scan.

    Raises
    ------
    InvalidInputError
        If `data` is not bytes, or both `strict` and `partial` are set.
    MalformedJpegError
        If the file breaks T.81 in a way that is not tolerated; the error has the position in the file.
    UnsupportedJpegError
        If the file is legal but not supported, or the image is larger than `max_pixels`.
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
    """A component of `CoefficientRows`: all of it but the coefficients.

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
    """A JPEG file whose coefficients are decoded row by row during iteration; made by `read_jpeg_rows`.

    Each iteration starts at the top of the image. For each row of MCUs it yields a tuple with the blocks of each
    component: read-only int16 of shape (rows, columns, 8, 8). `rows` is the sampling factor v of the component, or 1 if
    it is the only component; the last row of MCUs may have fewer. All rows together are the blocks of `read_jpeg`. A
    file that `read_jpeg` refuses is refused here, too, at the latest when the last row is decoded.

    Parameters
    ----------
    data : bytes
        The whole file.
    structure : JpegStructure
        Headers, tables and metadata of the file.
    layouts : tuple of McuLayout
        MCU geometry of each scan.
    reading : Reading
        How to read: strict or not, partial or not, and the function that receives notices.
    """

    data: bytes = field(repr=False)
    structure: JpegStructure
    layouts: tuple[McuLayout, ...] = field(repr=False)
    reading: Reading = field(repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        strict, partial = self.reading.strict, self.reading.partial
        read_again = bound(read_jpeg_rows, max_pixels=None, strict=strict, partial=partial, notify=ignore)
        return read_again, (self.data,)  # everything else follows from the bytes

    @property
    def width(self) -> int:
        """Width of the image in pixels."""
        return self.structure.frame.width

    @property
    def height(self) -> int:
        """Height of the image in pixels."""
        return self.structure.frame.height

    @property
    def components(self) -> tuple[ComponentHeader, ...]:
        """Components in the order of the frame header."""
        structure = self.structure
        return tuple(
            ComponentHeader(id, component.h, component.v, table, structure.blocks_shape(index))
            for index, (id, component, table) in enumerate(
                zip(structure.frame.ids, structure.frame.components, structure.table_indices, strict=True)
            )
        )

    @property
    def tables(self) -> tuple[QuantTable, ...]:
        """Quantization tables; `ComponentHeader.table` is an index into them."""
        return self.structure.tables

    @property
    def metadata(self) -> Metadata:
        """Colour profile, Exif, and whatever else the file carries besides the image."""
        return self.structure.metadata

    @property
    def restart_interval(self) -> int:
        """MCUs between restart markers in the first scan, 0 for none."""
        return self.structure.restart_interval

    @property
    def subsampling(self) -> str:
        """Name of the sampling, as in `CoefficientImage.subsampling`."""
        return subsampling_name([(component.h, component.v) for component in self.components])

    def whole(self) -> CoefficientImage:
        """Decode the whole image at once, as `read_jpeg` does."""
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
    """Read a JPEG file row by row, so that its coefficients need not be in memory all at once.

    Most files are sequential and have one scan. They are decoded row by row, which takes the memory of the file, of one
    row of MCUs, and 256 KiB. If a file has several scans, as progressive files do, no block is complete before the last
    scan: then all coefficients are in memory while the rows are iterated over.

    Parameters
    ----------
    data : bytes, bytearray or memoryview
        The whole file, as for `read_jpeg`.
    max_pixels : int or None
        Larger images are refused; None allows every size.
    strict, partial : bool
        As for `read_jpeg`.
    notify : callable, optional
        As for `read_jpeg`. Breaches in the entropy-coded data are reported with the last row, and only once, however
        often the rows are iterated over.

    Returns
    -------
    CoefficientRows
        Header, tables and metadata; the coefficients follow when it is iterated over.

    Raises
    ------
    InvalidInputError, MalformedJpegError, UnsupportedJpegError
        As `read_jpeg`. Damaged entropy-coded data raises when iteration reaches it.
    """
    content, notices = file_bytes(data), list[str]()
    structure = read_structure(content, strict=strict, partial=partial, notify=notify or notices.append)
    layouts = _checked_layouts(structure, len(content), max_pixels, partial)
    warn_of(notices)
    notify_once = without_repeats(notify or (lambda sentence: warn_user(sentence, JpegWarning)))
    return CoefficientRows(content, structure, layouts, Reading(strict, partial, notify_once))


def _checked_layouts(
    structure: JpegStructure, nbytes: int, max_pixels: int | None, partial: bool
) -> tuple[McuLayout, ...]:
    """Return the MCU geometry of each scan; refuse images that are too large for `nbytes` of data or `max_pixels`."""
    layouts = tuple(_layout(structure, scan) for scan in structure.scans)
    if not partial:
        _check_size(structure, layouts)
    _check_visits(structure, layouts, nbytes)
    reason = too_many_pixels(structure.frame.width, structure.frame.height, max_pixels)
    if reason is not None:
        raise UnsupportedJpegError(reason)
    return layouts


def _layout(structure: JpegStructure, scan: CodedScan) -> McuLayout:
    """Return the MCU geometry of one scan."""
    frame, indices = structure.frame, [component.index for component in scan.header.components]
    return mcu_layout(frame.width, frame.height, [(c.h, c.v) for c in frame.components], [0] * len(indices), indices)


def _check_size(structure: JpegStructure, layouts: Sequence[McuLayout]) -> None:
    """Refuse a header that promises more blocks than the data can hold.

    A block takes at least one bit for DC and, in a sequential scan, one bit for AC. Between two restart intervals there
    is a restart marker of two bytes.
    """
    for scan, layout in zip(structure.scans, layouts, strict=True):
        needed = layout.blocks * ((scan.header.Ss == 0) + (not structure.frame.is_progressive))
        if scan.restart_interval:
            needed = max(needed, 16 * ((layout.rows * layout.columns - 1) // scan.restart_interval))
        available = 8 * scan.segment.data_nbytes
        if needed > available:
            message = f"a scan of {layout.blocks} blocks takes {needed} bits or more, found {available}"
            hint = "" if structure.segments[-1].name == "EOI" else f"; {PARTIAL_HINT}"
            raise MalformedJpegError(message + hint, scan.segment.offset)


def _check_visits(structure: JpegStructure, layouts: Sequence[McuLayout], nbytes: int) -> None:
    """Refuse files whose AC scans visit so many blocks that decoding would take too long.

    One end-of-band code of a progressive file can stand for 32767 blocks, so that a small file can hold many scans.
    """
    visits = sum(layout.blocks for scan, layout in zip(structure.scans, layouts, strict=True) if scan.header.Ss)
    if visits > _MAX_VISITS_PER_BIT * 8 * nbytes:
        message = f"AC scans visit {visits} blocks in {nbytes} bytes; handled are {_MAX_VISITS_PER_BIT} for each bit"
        raise UnsupportedJpegError(message)
