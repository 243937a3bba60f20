"""Exact bits of each 32x32 block of a coded image."""

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
    """Bits of the 32x32 blocks of an image in a sequential file, with the optimal Huffman tables of each scan.

    The scans are those of `optcodec.write_jpeg`. A block of coefficients belongs to the 32x32 pixels that its first
    pixel lies in; one that only fills up an MCU, to the nearest of these. Differences of DC count where they are coded.

    Parameters
    ----------
    image : CoefficientImage
        Any.

    Returns
    -------
    ndarray of int64, shape (ceil(height / 32), ceil(width / 32))
        The sum is that of the bits of the scans, without stuffing, padding, markers and tables.
    """
    bits = _nothing(image)
    for group in scan_groups(image):
        _add(bits, image, group, group_slots(len(image.components), group), None)
    return bits


def file_block_bits(data: bytes, *, notify: Notify | None = None) -> Integers:
    """Bits of the 32x32 blocks of a sequential file, with its own Huffman tables and scans; see `block_bits`.

    Parameters
    ----------
    data : bytes
        The file.
    notify : callable, optional
        As of `optcodec.read_jpeg`.

    Raises
    ------
    InvalidInputError
        If the file is progressive: bits of a block are then not in one place.
    MalformedJpegError, UnsupportedJpegError
        If the file cannot be read.
    """
    structure = read_structure(data, notify=ignore)  # reading the coefficients tells the same
    if structure.frame.is_progressive:
        raise InvalidInputError("the bits of blocks are counted in sequential files, got a progressive one")
    image = read_jpeg(data, max_pixels=None, notify=notify)
    bits = _nothing(image)
    for scan in structure.scans:
        chosen = [part.index for part in scan.header.components]
        restarted = replace(image, restart_interval=scan.restart_interval)
        _add(bits, restarted, chosen, range(0, 2 * len(chosen), 2), _code_sizes(scan))
    return bits


def _nothing(image: CoefficientImage) -> Integers:
    return np.zeros(block_grid(image.width, image.height), np.int64)


def _add(
    bits: Integers, image: CoefficientImage, chosen: Sequence[int], slots: Sequence[int], codes: Integers | None
) -> None:
    """Add those of one scan, by default with the optimal tables."""
    tokens = sequential_tokens(image, chosen, slots)
    codes = optimal_tables(tokens.histogram).codes if codes is None else codes
    factors = [(part.h, part.v) for part in image.components]
    owners = _owners(image, chosen, mcu_layout(image.width, image.height, factors, slots, chosen))
    block = 0
    for part, count in tokens.parts:
        block = load("blockbits").add_bits(part, count, codes, owners, block, bits.reshape(-1))


def _owners(image: CoefficientImage, chosen: Sequence[int], layout: McuLayout) -> Integers:
    """Index of the 32x32 block of each block of coefficients, in the order of the scan."""
    h_max, v_max = (max(getattr(part, name) for part in image.components) for name in ("h", "v"))
    rows, columns = block_grid(image.width, image.height)
    owners = []
    for index, (_, _, h, v, *_) in zip(chosen, layout.components.tolist(), strict=True):
        part = image.components[index]
        top = 8 * np.arange(layout.rows * v) * v_max // (part.v * BLOCK_SIDE)
        left = 8 * np.arange(layout.columns * h) * h_max // (part.h * BLOCK_SIDE)
        grid = np.minimum(top, rows - 1)[:, None] * columns + np.minimum(left, columns - 1)
        in_mcus = grid.reshape(layout.rows, v, layout.columns, h).transpose(0, 2, 1, 3)
        owners.append(in_mcus.reshape(layout.rows * layout.columns, v * h))
    return np.concatenate(owners, axis=1).ravel()


def _code_sizes(scan: CodedScan) -> Integers:
    """By context, the bits of code and value with the tables of a file, where component i of the scan has slot 2 i."""
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
