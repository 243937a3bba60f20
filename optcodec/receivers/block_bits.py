"""Count the exact bits of each 32x32 block of a sequential JPEG file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from optcodec.blocks.curves import BLOCK_SIDE, block_grid
from optcodec.errors import InvalidInputError
from optcodec.jpeg.bitstream import group_slots, scan_groups
from optcodec.jpeg.entropy import CONTEXTS, optimal_tables, sequential_tokens
from optcodec.jpeg.headers import HuffmanSpec
from optcodec.jpeg.image import CoefficientImage
from optcodec.jpeg.layout import McuLayout, mcu_layout
from optcodec.jpeg.reading.reader import read_jpeg
from optcodec.jpeg.reading.structure import CodedScan, read_structure
from optcodec.kernels import load
from optcodec.notices import Notify, ignore

__all__ = ["block_bits", "file_block_bits"]

Integers = npt.NDArray[np.int64]


def block_bits(image: CoefficientImage) -> Integers:
    """Bits of the 32x32 blocks of an image in a sequential file with optimal Huffman tables for each scan.

    The scans are those of `optcodec.write_jpeg`. The bits of an 8x8 block of coefficients, with its DC difference, go
    to the 32x32 block that contains its first pixel. Blocks that only fill up an MCU go to the nearest 32x32 block.

    Parameters
    ----------
    image : CoefficientImage
        Quantized coefficients.

    Returns
    -------
    ndarray of int64, shape (ceil(height / 32), ceil(width / 32))
        Their sum is the number of bits in the scans, without byte stuffing, padding, markers and tables.
    """
    bits = _no_bits(image)
    for group in scan_groups(image):
        _add(bits, image, group, group_slots(len(image.components), group), None)
    return bits


def file_block_bits(data: bytes, *, notify: Notify | None = None) -> Integers:
    """Bits of the 32x32 blocks of a sequential file, with the Huffman tables and scans of the file; see `block_bits`.

    Parameters
    ----------
    data : bytes
        The file.
    notify : callable, optional
        As in `optcodec.read_jpeg`.

    Raises
    ------
    InvalidInputError
        If the file is progressive: its scans code bits for several blocks together.
    MalformedJpegError, UnsupportedJpegError
        If the file cannot be read.
    """
    structure = read_structure(data, notify=ignore)  # `read_jpeg` below sends the same notices
    if structure.frame.is_progressive:
        raise InvalidInputError("the bits of blocks are counted in sequential files, got a progressive one")
    image = read_jpeg(data, max_pixels=None, notify=notify)
    bits = _no_bits(image)
    for scan in structure.scans:
        indices = [part.index for part in scan.header.components]
        restarted = replace(image, restart_interval=scan.restart_interval)
        _add(bits, restarted, indices, range(0, 2 * len(indices), 2), _code_sizes(scan))
    return bits


def _no_bits(image: CoefficientImage) -> Integers:
    return np.zeros(block_grid(image.width, image.height), np.int64)


def _add(
    bits: Integers, image: CoefficientImage, indices: Sequence[int], slots: Sequence[int], codes: Integers | None
) -> None:
    """Add the bits of one scan, with the optimal Huffman tables if `codes` is None."""
    tokens = sequential_tokens(image, indices, slots)
    codes = optimal_tables(tokens.histogram).codes if codes is None else codes
    factors = [(part.h, part.v) for part in image.components]
    owners = _owners(image, indices, mcu_layout(image.width, image.height, factors, slots, indices))
    block = 0
    for part, count in tokens.parts:
        block = load("blockbits").add_bits(part, count, codes, owners, block, bits.reshape(-1))


def _owners(image: CoefficientImage, indices: Sequence[int], layout: McuLayout) -> Integers:
    """Index of the 32x32 block that contains each block of coefficients, in the order of the scan."""
    h_max, v_max = (max(getattr(part, name) for part in image.components) for name in ("h", "v"))
    rows, columns = block_grid(image.width, image.height)
    owners = []
    for index, (_, _, h, v, *_) in zip(indices, layout.components.tolist(), strict=True):
        part = image.components[index]
        top = 8 * np.arange(layout.rows * v) * v_max // (part.v * BLOCK_SIDE)
        left = 8 * np.arange(layout.columns * h) * h_max // (part.h * BLOCK_SIDE)
        grid = np.minimum(top, rows - 1)[:, None] * columns + np.minimum(left, columns - 1)
        in_mcus = grid.reshape(layout.rows, v, layout.columns, h).transpose(0, 2, 1, 3)
        owners.append(in_mcus.reshape(layout.rows * layout.columns, v * h))
    return np.concatenate(owners, axis=1).ravel()


def _code_sizes(scan: CodedScan) -> Integers:
    """Bits of code and value for each symbol of each context, with the Huffman tables of a file.

    Component i of the scan uses the slots 2 i (DC) and 2 i + 1 (AC).
    """
    codes = np.zeros(CONTEXTS, np.int64)
    for index, (dc, ac) in enumerate(zip(scan.dc_tables, scan.ac_tables, strict=True)):
        for slot, spec in ((2 * index, dc), (2 * index + 1, ac)):
            for symbol, length in _lengths(spec):
                codes[slot * 256 + symbol] = length + symbol % 16  # a symbol of DC is below 16
    return codes


def _lengths(spec: HuffmanSpec | None) -> Iterable[tuple[int, int]]:
    """Symbols and the lengths of their codes (T.81, C.2)."""
    if spec is None:
        return ()
    return zip(spec.symbols, np.repeat(np.arange(1, 17), list(spec.counts)).tolist(), strict=True)
