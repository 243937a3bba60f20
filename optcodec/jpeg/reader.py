"""JPEG bytes to a coefficient image: sequential and progressive Huffman coding with 8-bit samples (ITU-T T.81).

Reading is strict. A file that breaks T.81 is refused, even where its coefficients could be guessed: one that ends
early, lacks only its EOI, or has bytes left over between the last block of a scan and the next marker. What a header
claims is checked against the size of the data before memory is taken for it.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from optcodec.errors import MalformedJpegError, UnsupportedJpegError
from optcodec.jpeg.headers import HuffmanSpec
from optcodec.jpeg.image import CoefficientImage, Component
from optcodec.jpeg.structure import JpegStructure, Scan, read_structure
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
# Blocks that AC scans may visit for each bit of the file. Real progressions stay below 20; a file made to keep its
# reader busy for hours could ask for thousands.
_MAX_VISITS_PER_BIT = 200


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
    _check_plausible(structure, len(data))
    shapes = [structure.blocks_shape(index) for index in range(len(structure.frame.components))]
    sizes = [rows * columns for rows, columns in shapes]
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    coefficients = np.zeros((sum(sizes) + 1) * 64, np.int16)  # one more: see `decode_scan`
    room = max(scan.segment.data_nbytes for scan in structure.scans) + codes.SLACK
    unstuffed = np.empty(room, np.uint8)
    for scan in structure.scans:
        _decode(data, structure, scan, starts, coefficients, unstuffed)
    coefficients.flags.writeable = False
    components = []
    for index, part in enumerate(structure.frame.components):
        blocks = coefficients[starts[index] * 64 : (starts[index] + sizes[index]) * 64].reshape(*shapes[index], 8, 8)
        components.append(Component(part.id, part.h, part.v, structure.table_indices[index], blocks))
    frame = structure.frame
    return CoefficientImage(
        frame.width, frame.height, tuple(components), structure.tables, structure.metadata, structure.restart_interval
    )


def _mcus(structure: JpegStructure, scan: Scan) -> tuple[int, int, int]:
    """Rows and columns of MCUs of a scan, and blocks in an MCU (T.81, A.2)."""
    parts = [structure.frame.components[part.index] for part in scan.header.components]
    if len(parts) == 1:
        return (*structure.blocks_shape(scan.header.components[0].index), 1)
    h_max = max(c.h for c in structure.frame.components)
    v_max = max(c.v for c in structure.frame.components)
    rows, columns = -(-structure.frame.height // (8 * v_max)), -(-structure.frame.width // (8 * h_max))
    return rows, columns, sum(part.h * part.v for part in parts)


def _check_plausible(structure: JpegStructure, nbytes: int) -> None:
    """Refuse a header that claims more blocks than the data can hold.

    A block takes at least a bit for DC and, in a sequential scan, a bit for AC; and there is a restart marker, two
    bytes, between any two intervals. AC scans of a progressive file can tell of 32767 blocks at a time.
    """
    visits = 0
    for scan in structure.scans:
        rows, columns, blocks_in_mcu = _mcus(structure, scan)
        blocks = rows * columns * blocks_in_mcu
        needed = blocks * ((scan.header.Ss == 0) + (not structure.frame.is_progressive))
        if scan.restart_interval:
            needed = max(needed, 16 * ((rows * columns - 1) // scan.restart_interval))
        if needed > 8 * scan.segment.data_nbytes:
            message = (
                f"a scan of {blocks} blocks takes {needed} bits or more, its data has {scan.segment.data_nbytes} bytes"
            )
            raise MalformedJpegError(message, scan.segment.offset)
        visits += blocks if scan.header.Ss else 0
    if visits > _MAX_VISITS_PER_BIT * 8 * nbytes:
        raise UnsupportedJpegError(
            f"scans visit {visits} blocks in {nbytes} bytes: more than any encoder would make them"
        )


def _decode(
    data: bytes,
    structure: JpegStructure,
    scan: Scan,
    starts: list[int],
    coefficients: npt.NDArray[np.int16],
    unstuffed: npt.NDArray[np.uint8],
) -> None:
    """Decode one scan into `coefficients`, in which component i begins at block ``starts[i]``."""
    kernels = load("decode")
    header = scan.header
    rows, columns, _ = _mcus(structure, scan)
    interval = scan.restart_interval or rows * columns
    bounds = np.empty((rows * columns - 1) // interval + 2, np.int64)
    first, last = scan.segment.data_offset, scan.segment.end
    code = kernels.unstuff(np.frombuffer(data, np.uint8), first, last, unstuffed, bounds)
    if code:
        raise MalformedJpegError(_MESSAGES[code], int(bounds[0]))
    settings = np.array([_kind(structure, scan), header.Ss, header.Se, header.Al, columns, rows * columns, interval])
    tables = _tables([*scan.dc_tables, *scan.ac_tables], fuse=header.Ah == 0)
    parts = np.zeros((len(header.components), codes.PART_COLUMNS), np.int64)
    for row, part in enumerate(header.components):
        component = structure.frame.components[part.index]
        factors = (component.h, component.v) if len(header.components) > 1 else (1, 1)
        shape = structure.blocks_shape(part.index)
        parts[row] = (starts[part.index], *shape, *factors, row, len(header.components) + row, 0)
    report = np.zeros(1, np.int64)
    code = kernels.decode_scan(unstuffed, bounds, tables, settings, parts, coefficients, report)
    if code:
        raise MalformedJpegError(_MESSAGES[code], _file_offset(data, first, last, int(report[0])))


def _kind(structure: JpegStructure, scan: Scan) -> int:
    if not structure.frame.is_progressive:
        return codes.SEQUENTIAL
    if scan.header.Ss == 0:
        return codes.DC_REFINE if scan.header.Ah else codes.DC_FIRST
    return codes.AC_REFINE if scan.header.Ah else codes.AC_FIRST


def _tables(specs: list[HuffmanSpec | None], *, fuse: bool) -> npt.NDArray[np.int32]:
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
