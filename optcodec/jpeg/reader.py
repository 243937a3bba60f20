"""JPEG bytes to a coefficient image: sequential and progressive Huffman coding with 8-bit samples (ITU-T T.81).

Reading is strict. A file that breaks T.81 is refused, even where its coefficients could be guessed: one that ends
early, lacks only its EOI, or has bytes left over between the last block of a scan and the next marker. What a header
claims is checked against the size of the data before memory is taken for it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from optcodec.errors import MalformedJpegError, UnsupportedJpegError
from optcodec.jpeg.headers import HuffmanSpec, ScanHeader
from optcodec.jpeg.image import CoefficientImage, Component
from optcodec.jpeg.layout import McuLayout, mcu_layout
from optcodec.jpeg.structure import CodedScan, JpegStructure, read_structure
from optcodec.kernels import load
from optcodec.kernels import scancodes as codes

__all__ = ["read_jpeg"]

_MESSAGES = {
    codes.TRUNCATED: "truncated scan: a block needs more bits than there are",
    codes.BAD_CODE: "bits that begin no code of the Huffman table",
    codes.BAD_SYMBOL: "a Huffman code whose symbol means nothing in such a scan",
    codes.INDEX: "a coefficient behind the last one of the band",
    codes.RANGE: "a coefficient outside of -32768..32767",
    codes.LEFTOVER: "bytes are left over behind the last block",
    codes.EOB_RUN: "an end-of-band run goes on behind the last block",
    codes.RESTART: "restart markers are expected in turn, one between any two restart intervals",
    codes.STRAY: "FF is followed by neither 00 nor a restart marker",
}
_REMOVED = re.compile(rb"\xff\x00|\xff+[\xd0-\xd7]")  # what `unstuff` makes one byte and none of
# Blocks that AC scans may visit for each bit of the file. Real progressions stay below 10; a file made to keep its
# reader busy could ask for hundreds.
_MAX_VISITS_PER_BIT = 100


def read_jpeg(data: bytes) -> CoefficientImage:
    """Read the quantized coefficients, tables and metadata of a JPEG file.

    Parameters
    ----------
    data : bytes
        The whole file: baseline, extended sequential or progressive; Huffman coding, 8 bits a sample, 1 to 4
        components, any sampling factors. What follows EOI is ignored.

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
        If it is legal but not handled here.
    """
    structure = read_structure(data)
    layouts = [_layout(structure, scan) for scan in structure.scans]
    _check_plausible(structure, layouts, len(data))
    shapes = [structure.blocks_shape(index) for index in range(len(structure.frame.components))]
    starts = list(accumulate((rows * columns for rows, columns in shapes), initial=0))
    coefficients = np.zeros((starts[-1] + 1) * 64, np.int16)  # one block more: see `decode_scan`
    room = max(scan.segment.data_nbytes for scan in structure.scans) + codes.SLACK
    unstuffed = np.empty(room, np.uint8)
    for scan, layout in zip(structure.scans, layouts, strict=True):
        _decode(data, scan, layout, starts, coefficients, unstuffed)
    coefficients.flags.writeable = False
    frame, components = structure.frame, []
    for index, part in enumerate(frame.components):
        blocks = coefficients[starts[index] * 64 : starts[index + 1] * 64].reshape(*shapes[index], 8, 8)
        components.append(Component(part.id, part.h, part.v, structure.table_indices[index], blocks))
    return CoefficientImage(
        frame.width, frame.height, tuple(components), structure.tables, structure.metadata, structure.restart_interval
    )


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


def _decode(
    data: bytes,
    scan: CodedScan,
    layout: McuLayout,
    starts: Sequence[int],
    coefficients: npt.NDArray[np.int16],
    unstuffed: npt.NDArray[np.uint8],
) -> None:
    """Decode one scan into `coefficients`, in which component i begins at block ``starts[i]``."""
    kernels, header = load("decode"), scan.header
    mcus = layout.rows * layout.columns
    interval = scan.restart_interval or mcus
    bounds = np.empty((mcus - 1) // interval + 2, np.int64)
    first, last = scan.segment.data_offset, scan.segment.end
    code = kernels.unstuff(np.frombuffer(data, np.uint8), first, last, unstuffed, bounds)
    if code:
        raise MalformedJpegError(_MESSAGES[code], int(bounds[0]))
    settings = np.array([_kind(header), header.Ss, header.Se, header.Al, layout.columns, mcus, interval], np.int64)
    count = len(header.components)
    parts = np.zeros((count, codes.PART_COLUMNS), np.int64)
    parts[:, codes.OFFSET] = [starts[part.index] for part in header.components]
    parts[:, [codes.ROWS, codes.COLUMNS, codes.H, codes.V]] = layout.parts[:, :4]
    parts[:, codes.DC_TABLE], parts[:, codes.AC_TABLE] = range(count), range(count, 2 * count)
    tables = _tables([*scan.dc_tables, *scan.ac_tables], fuse=header.Ah == 0)
    report = np.zeros(1, np.int64)
    code = kernels.decode_scan(unstuffed, bounds, tables, settings, parts, coefficients, report)
    if code:
        raise MalformedJpegError(_MESSAGES[code], _file_offset(data, first, last, int(report[0])))


def _kind(header: ScanHeader) -> int:
    """Which of the decoding procedures a scan takes."""
    if header.Ss == 0 and header.Se > 0:
        return codes.SEQUENTIAL
    if header.Ss == 0:
        return codes.DC_REFINE if header.Ah else codes.DC_FIRST
    return codes.AC_REFINE if header.Ah else codes.AC_FIRST


def _tables(specs: Sequence[HuffmanSpec | None], *, fuse: bool) -> npt.NDArray[np.int32]:
    """Lookup tables for the kernels, one row a table; the row of one that the scan does not need stays unset."""
    tables = np.empty((len(specs), codes.TABLE_SIZE), np.int32)
    for row, spec in enumerate(specs):
        if spec is not None:
            load("decode").build_table(np.frombuffer(spec.counts + spec.symbols, np.uint8), int(fuse), tables[row])
    return tables


def _file_offset(data: bytes, first: int, last: int, unstuffed: int) -> int:
    """Position in the file of a byte of the entropy-coded data, given its position without stuffing and markers."""
    position, left = first, unstuffed
    for removed in _REMOVED.finditer(data, first, last):
        kept = removed.start() - position + (data[removed.end() - 1] == 0)
        if left < kept:
            break
        position, left = removed.end(), left - kept
    return min(position + left, last)
