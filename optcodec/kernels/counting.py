"""Histograms of DCT coefficients, also of those that are made from pixels and not kept.

A bin is half a unit wide, so that the decision thresholds (k + 1/2) q of every whole step q are edges of bins. Bin j
holds the magnitudes j/2 <= |x| < (j + 1)/2. A frequency with the extent n has 2n bins: from its middle, those of its
negative coefficients run down, and the others up:

::

    middle - n                     middle                      middle + n - 1
       | -(n-1) ...  -1   -0         |   0   1   ...  n-1        |

Coefficients are fixed-point numbers in units of 1 / UNIT, so that sums are integers, which do not depend on the order.

Which extents are needed is known only when all coefficients are. So a kernel counts parts of them that stay in the
cache, finds the largest magnitudes of each part first, and stops before a part that has a magnitude without a bin.
"""

from __future__ import annotations

import numpy as np

from optcodec.kernels.entropy import COLUMNS, ROWS, V
from optcodec.kernels.export import export, inlined
from optcodec.kernels.forward import row_of_blocks
from optcodec.kernels.samples import load_mcu_row
from optcodec.kernels.vector import address_of

__all__ = ["UNIT", "count_coefficients", "count_pixels", "move_bins", "split_words"]

UNIT = 1 << 15  # the fixed-point number of 1; its precision is finer than the error of a single-precision DCT
BIN_SHIFT = 14  # 2**14 is the fixed-point number of the width of a bin
# Number and sum of r, the distance from the inner edge, share one 64-bit word, so that each coefficient takes one
# addition in memory. The sum of r is below 2**(24 + 14).
NUMBER_BITS = 24
PART = 2048  # blocks that are counted at a time, about: half a megabyte of coefficients


@export("f32[:,:], i64, i64, i64[:,:], i64[:,:], out f32[:,:], out i64[:], out i64[:,:,:] -> i64")
def count_coefficients(blocks, first, last, middle, extents, largest, words, lines):
    """Count the coefficients of the blocks first..last-1 of one component.

    Parameters
    ----------
    blocks : (blocks, 64) coefficients
    middle, extents : (1, 64) first bin of each frequency with coefficients that are not negative, and its extent
    largest : (1, 64) is raised to the largest magnitude of each frequency; NaN if one of its coefficients is NaN
    words : (bins,) number and sum of r are added to those of each bin; fewer than 2**24 coefficients of a frequency
    lines : (1, 3, 64) the sum of r^2 of each frequency is added to the last row; the others are work space

    Returns
    -------
    The first block that was not counted: `last`, or that of the part that has a magnitude without a bin.
    """
    for part in range(first, last, PART):
        end = min(part + PART, last)
        if not _raise_largest(blocks, part, end, extents[0], largest[0]):
            return part
        _count(blocks, part, end, middle[0], words, lines[0])
    return last


@export(
    "u8[:,:,:], i64[:,:], i64, i64, i64, i64, i64[:,:], i64[:,:], out f32[:,:], out i64[:], out i64[:,:,:], "
    "out u8[:], out f32[:], out f32[:,:], i64 -> i64"
)
def count_pixels(
    pixels, components, h, v, first, last, middle, extents, largest, words, lines, planes, pair, blocks, rows
):
    """Count the coefficients of the MCU rows first..last-1 of pixels.

    Parameters
    ----------
    pixels, components, h, v, planes, pair : as in `optcodec.kernels.forward.pixel_coefficients`
    middle, extents, largest, words, lines : as in `count_coefficients`, with a row for each component
    blocks : (blocks, 64) work space for the coefficients of some MCU rows
    rows : as many are counted at a time

    Returns
    -------
    The first MCU row that was not counted: `last`, or one that has a magnitude without a bin.
    """
    height, width, grey = pixels.shape[0], pixels.shape[1], pixels.shape[2] == 1
    plane_start, work = address_of(planes), address_of(pair)
    stride = planes.shape[0] // (10 * v + 17)
    part = first
    while part < last:
        end = min(part + rows, last)
        place, have_bins = 0, True
        for row in range(part, end):
            load_mcu_row(address_of(pixels), width, height, row * 8 * v, h, v, grey, plane_start, stride)
            sample_row = plane_start
            for component in range(components.shape[0]):
                start, columns = place, components[component, COLUMNS]
                for y in range(row * components[component, V], (row + 1) * components[component, V]):
                    if y < components[component, ROWS]:
                        row_of_blocks(sample_row, stride, columns, address_of(blocks) + 256 * place, work)
                        place += columns
                    sample_row += 8 * stride
                fits = _raise_largest(blocks, start, place, extents[component], largest[component])
                have_bins = have_bins and fits
        if not have_bins:
            return part
        place = 0
        for row in range(part, end):
            for component in range(components.shape[0]):
                start = place
                place += _blocks_of(components, component, row)
                _count(blocks, start, place, middle[component], words, lines[component])
        part = end
    return last


@export("i64[:], i64[:], i64[:], i64[:], out i64[:]")
def move_bins(words, middle, extents, moved_middle, moved):
    """Move the words of bins: so many of each frequency to both sides of its middle."""
    for f in range(middle.shape[0]):
        for bin_number in range(-extents[f], extents[f]):
            moved[moved_middle[f] + bin_number] = words[middle[f] + bin_number]


@export("i64[:], i64[:], i64[:], out i64[:,:]")
def split_words(words, middle, extents, sums):
    """Split the words of bins into number and sum of r: so many of each frequency to both sides of its middle."""
    place = 0
    for f in range(middle.shape[0]):
        for bin_number in range(middle[f] - extents[f], middle[f] + extents[f]):
            sums[place, 0] = words[bin_number] & ((1 << NUMBER_BITS) - 1)
            sums[place, 1] = words[bin_number] >> NUMBER_BITS
            place += 1


@inlined
def _blocks_of(components, component, row):
    """Number of the blocks of a component in an MCU row; the last one may have fewer rows of blocks."""
    rows = min(components[component, V], components[component, ROWS] - row * components[component, V])
    return rows * components[component, COLUMNS]


@inlined
def _raise_largest(blocks, first, last, extents, largest):
    """Raise the largest magnitudes to those of some blocks; return whether all of them have bins."""
    for block in range(first, last):
        for f in range(64):
            magnitude = abs(blocks[block, f])
            # For a NaN magnitude, the first comparison is false, so that NaN is stored. Then the second one is true for
            # all further magnitudes, so that NaN stays.
            is_unchanged = magnitude <= largest[f] or largest[f] != largest[f]
            largest[f] = largest[f] if is_unchanged else magnitude
    have_bins = True
    for f in range(64):
        # Rounding may raise a magnitude by one fixed-point step. NaN has no bin.
        fits = 2 * np.float64(largest[f]) + 2 / UNIT < extents[f]
        have_bins = have_bins and fits
    return have_bins


@inlined
def _count(blocks, first, last, middle, words, lines):
    """Count the coefficients of some blocks, all of which have bins."""
    for block in range(first, last):
        for f in range(64):  # LLVM vectorizes this loop; the next one cannot be vectorized
            fixed = np.int32(np.rint(abs(blocks[block, f]) * np.float32(UNIT)))
            sign = np.int32(0) if blocks[block, f] >= 0 else np.int32(-1)
            r = fixed & np.int32((1 << BIN_SHIFT) - 1)
            lines[0, f] = middle[f] + ((fixed >> np.int32(BIN_SHIFT)) ^ sign)
            lines[1, f] = (np.int64(r) << NUMBER_BITS) + 1
            lines[2, f] += np.int64(np.int32(r * r))
        for f in range(64):
            # An unsigned index spares numba the handling of negative ones.
            words[np.uint64(lines[0, f])] += lines[1, f]
