"""True variable quantization, which a baseline file cannot have: each 32x32 block with a table of its own.

AccelIR (CVPR 2023) codes blocks so. The bytes are those of a real file with the very indices, and optimal Huffman
codes; that each block's quality has to be told, too, does not count. What a decoder would make of it is told to the
receiver by another file, with steps of 1 and the values that the indices stand for.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from optcodec.blocks.curves import BLOCK_SIDE
from optcodec.jpeg.image import CoefficientImage, Component, DctComponent, DctImage
from optcodec.jpeg.quantize import quantize
from optcodec.jpeg.tables import QuantTable, annex_k_tables
from optcodec.jpeg.writer import write_jpeg
from optcodec.shared import luminance

_GRID = 8
_ONES = QuantTable(np.ones((_GRID, _GRID), int))
# T.81, F.1.2: what 8-bit samples can have, and a baseline file can hold.
_LEAST_DC, _MOST_DC, _MOST_AC = -1024, 1023, 1023


def ideal_file(image: DctImage, qualities: npt.NDArray[np.integer]) -> tuple[float, bytes]:
    """Bytes of the indices, and a file of the values.

    Parameters
    ----------
    image : DctImage
        Coefficients, with sampling factors 1 or 2.
    qualities : ndarray of int, shape (ceil(height / 32), ceil(width / 32))
        1..100.
    """
    whole = {quality: quantize(image, annex_k_tables(quality)) for quality in np.unique(qualities).tolist()}
    indices, values = [], []
    for number, part in enumerate(image.components):
        own, found = _of_blocks(image, part, qualities), np.zeros(part.coefficients.shape, np.int16)
        shown = np.zeros_like(found, np.int64)
        for quality, coded in whole.items():
            blocks = coded.components[number].blocks[own == quality]
            found[own == quality] = blocks
            shown[own == quality] = blocks.astype(np.int64) * coded.tables[min(number, 1)].steps
        held = np.clip(shown, -_MOST_AC, _MOST_AC)
        held[..., 0, 0] = np.clip(shown[..., 0, 0], _LEAST_DC, _MOST_DC)
        indices.append(Component(part.id, part.h, part.v, min(number, 1), found))
        values.append(Component(part.id, part.h, part.v, 0, held.astype(np.int16)))
    first = CoefficientImage(image.width, image.height, tuple(indices), annex_k_tables(50))
    second = CoefficientImage(image.width, image.height, tuple(values), (_ONES,))
    return len(write_jpeg(first)), write_jpeg(second)


def _of_blocks(image: DctImage, part: DctComponent, qualities: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
    """Quality of each 8x8 block of a component."""
    rows, columns = part.coefficients.shape[:2]
    v_max, h_max = (max(getattr(each, name) for each in image.components) for name in ("v", "h"))
    within = BLOCK_SIDE // _GRID
    spread = qualities.repeat(within * part.v // v_max, axis=0).repeat(within * part.h // h_max, axis=1)
    return spread[:rows, :columns]


def luminance_seams(pixels: npt.NDArray[np.uint8]) -> float:
    """Mean squared step of luminance across the lines of the 32x32 grid, over that across the other lines of the 8x8
    grid. About 1 where blocks have no borders of their own.

    NaN where the image has no line of either kind.
    """
    samples = luminance(pixels).astype(np.float64)
    squares: dict[bool, list[npt.NDArray[np.float64]]] = {True: [], False: []}
    for plane in (samples, samples.T):
        steps = np.diff(plane, axis=1) ** 2
        for line in range(_GRID, plane.shape[1], _GRID):
            squares[line % BLOCK_SIDE == 0].append(steps[:, line - 1])
    if not squares[True]:
        return float("nan")
    seams, others = (np.concatenate(squares[kind]).mean() for kind in (True, False))
    return float(seams / others) if others else float("nan")
