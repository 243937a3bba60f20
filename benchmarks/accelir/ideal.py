"""True variable quantization: each 32x32 block has quantization tables of its own, which a baseline file cannot have.

AccelIR (CVPR 2023) codes blocks in this way. The bytes are counted in a real file that has the same indices and optimal
Huffman codes; the bits that would signal the quality of each block are not counted. The receiver gets a second file
with all steps equal to 1 and the dequantized coefficients as indices, which decodes to the pixels that a decoder of
variable quantization would show.
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
# T.81, F.1.2: the range of coefficients that 8-bit samples can have and a baseline file can hold.
_LEAST_DC, _MOST_DC, _MOST_AC = -1024, 1023, 1023


def ideal_file(image: DctImage, qualities: npt.NDArray[np.integer]) -> tuple[float, bytes]:
    """Bytes of a file with the indices, and a decodable file with the dequantized coefficients.

    Parameters
    ----------
    image : DctImage
        Coefficients, with sampling factors 1 or 2.
    qualities : ndarray of int, shape (ceil(height / 32), ceil(width / 32))
        Quality of each 32x32 block, 1..100.
    """
    whole = {quality: quantize(image, annex_k_tables(quality)) for quality in np.unique(qualities).tolist()}
    indices, values = [], []
    for number, part in enumerate(image.components):
        block_qualities, chosen_indices = (
            _quality_of_blocks(image, part, qualities),
            np.zeros(part.coefficients.shape, np.int16),
        )
        dequantized = np.zeros_like(chosen_indices, np.int64)
        for quality, coded in whole.items():
            blocks = coded.components[number].blocks[block_qualities == quality]
            chosen_indices[block_qualities == quality] = blocks
            dequantized[block_qualities == quality] = blocks.astype(np.int64) * coded.tables[min(number, 1)].steps
        representable = np.clip(dequantized, -_MOST_AC, _MOST_AC)
        representable[..., 0, 0] = np.clip(dequantized[..., 0, 0], _LEAST_DC, _MOST_DC)
        indices.append(Component(part.id, part.h, part.v, min(number, 1), chosen_indices))
        values.append(Component(part.id, part.h, part.v, 0, representable.astype(np.int16)))
    first = CoefficientImage(image.width, image.height, tuple(indices), annex_k_tables(50))
    second = CoefficientImage(image.width, image.height, tuple(values), (_ONES,))
    return len(write_jpeg(first)), write_jpeg(second)


def _quality_of_blocks(
    image: DctImage, part: DctComponent, qualities: npt.NDArray[np.integer]
) -> npt.NDArray[np.integer]:
    """Quality of each 8x8 block of a component."""
    rows, columns = part.coefficients.shape[:2]
    v_max, h_max = (max(getattr(component, name) for component in image.components) for name in ("v", "h"))
    within = BLOCK_SIDE // _GRID
    spread = qualities.repeat(within * part.v // v_max, axis=0).repeat(within * part.h // h_max, axis=1)
    return spread[:rows, :columns]


def luminance_seams(pixels: npt.NDArray[np.uint8]) -> float:
    """How visible the borders of 32x32 blocks are: mean squared luminance step across them over that across the others.

    The others are the lines of the 8x8 grid that are no borders of 32x32 blocks. The ratio is about 1 if the borders of
    the large blocks do not stand out, and NaN if the image is too small to have both kinds of line.
    """
    samples = luminance(pixels).astype(np.float64)
    squares: dict[bool, list[npt.NDArray[np.float64]]] = {True: [], False: []}
    for plane in (samples, samples.T):
        steps = np.diff(plane, axis=1) ** 2
        for line in range(_GRID, plane.shape[1], _GRID):
            squares[line % BLOCK_SIDE == 0].append(steps[:, line - 1])
    if not squares[True]:
        return float("nan")
    seams, others = (np.concatenate(squares[at_seams]).mean() for at_seams in (True, False))
    return float(seams / others) if others else float("nan")
