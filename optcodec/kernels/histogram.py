"""Histograms of DCT coefficients, and what every quantization step does to them.

A bin is half a unit wide, so that the decision thresholds (k + 1/2) q of every whole step q fall on its edges. Bin j of
a magnitude holds j/2 <= |x| < (j + 1)/2; frequency f owns the bins from ``first[f]`` to ``first[f + 1]``, those of its
negative coefficients running down from the middle, the others up:

::

    first[f]                       middle                      first[f + 1]
       | -(extent-1) ...  -1   -0   |   0   1   ...  extent-1   |

Coefficients count in fixed point, UNIT to one: sums are then integers, the same in any order. What a bin knows of its
members is their number, and the sum of their distances r from its inner edge; the sum of all r^2 is known for each
frequency. That is enough for the exact squared error of every step: with index k and the edge e of its bin, that of a
coefficient is (e + r - kq)^2 = (e^2 + 2er) - 2kq (e + r) + (kq)^2 + r^2.
"""

from __future__ import annotations

import math

import numpy as np

from optcodec.kernels.export import export, inlined
from optcodec.kernels.hull import lower_hull

UNIT = 1 << 15  # fixed-point steps to one; finer than the error of a single-precision DCT
BIN_SHIFT = 14  # steps to half a unit, as a power of two
# While counting, number and sum of r share one 64-bit word, so that a coefficient costs one addition to memory. The sum
# of r stays below 2**(24 + 14).
NUMBER_BITS = 24
LOG_ENTRIES = 8192
STEPS = 255


@export("f32[:,:], out f32[:]")
def largest_magnitudes(blocks, largest):
    """Largest |coefficient| of each frequency; NaN where one is not a number."""
    for f in range(64):
        largest[f] = 0
    for block in range(blocks.shape[0]):
        for f in range(64):
            magnitude = abs(blocks[block, f])
            # false for NaN, which so comes in; and stays, since it does not equal itself
            keeps = magnitude <= largest[f] or largest[f] != largest[f]
            largest[f] = largest[f] if keeps else magnitude


@export("f32[:,:], i64, i64, i64[:], out i64[:], out i64[:,:], out i64[:,:]")
def count_coefficients(blocks, start, stop, middle, words, lines, sums):
    """Histograms of a range of less than 2**24 blocks.

    ``middle`` (64) is the first bin of the magnitudes that are not negative. ``words`` (bins) is scratch, all zeros.
    ``sums`` (bins, 2) receives number and sum of r of each bin, the last of the three ``lines`` (3, 64) the sum of r^2
    of each frequency.
    """
    for f in range(64):
        lines[2, f] = 0
    for block in range(start, stop):
        for f in range(64):  # this loop becomes vectors, the next one cannot
            fixed = np.int32(np.rint(abs(blocks[block, f]) * np.float32(UNIT)))
            sign = np.int32(0) if blocks[block, f] >= 0 else np.int32(-1)
            r = fixed & np.int32((1 << BIN_SHIFT) - 1)
            lines[0, f] = middle[f] + ((fixed >> np.int32(BIN_SHIFT)) ^ sign)
            lines[1, f] = (np.int64(r) << NUMBER_BITS) + 1
            lines[2, f] += np.int64(np.int32(r * r))
        for f in range(64):
            # unsigned: an index that cannot count from the end
            words[np.uint64(lines[0, f])] += lines[1, f]
    for b in range(words.size):
        sums[b, 0] = words[b] & ((1 << NUMBER_BITS) - 1)
        sums[b, 1] = words[b] >> NUMBER_BITS


@export("f32[:,:], i64, i64, i64[:], out i64[:]")
def sum_deviations(blocks, start, stop, centre, deviations):
    """Sum of |coefficient - centre| (64 each) over a range of blocks, both in fixed point."""
    for f in range(64):
        deviations[f] = 0
    for block in range(start, stop):
        for f in range(64):
            magnitude = np.int64(np.int32(np.rint(abs(blocks[block, f]) * np.float32(UNIT))))
            deviations[f] += abs((magnitude if blocks[block, f] >= 0 else -magnitude) - centre[f])


@export("i64[:,:], i64[:], i64[:], f64[:], out f64[:,:], out f64[:,:], out f64[:,:]")
def step_curves(sums, squares, first, n_log_n, prefix, distortion, bits):
    """Mean squared error and entropy of every step at every frequency.

    ``first`` (65) bounds the bins of each frequency; ``n_log_n`` holds n log2 n of 0 .. LOG_ENTRIES - 1; ``prefix``
    (at least extent + 1, 3) is scratch; ``distortion`` and ``bits`` (64, STEPS) are per coefficient.
    """
    for f in range(64):
        extent = (first[f + 1] - first[f]) // 2
        _prefix_sums(sums, first[f] + extent, extent, prefix)
        within = float(squares[f]) / UNIT / UNIT
        for q in range(1, STEPS + 1):
            _one_step(prefix, extent, within, q, n_log_n, distortion[f], bits[f])


@inlined
def _prefix_sums(sums, middle, extent, prefix):
    """Number, sum of e + r, and sum of e^2 + 2er of all magnitudes below each bin, both signs together."""
    number, total, square = 0.0, 0.0, 0.0
    for j in range(extent):
        prefix[j, 0], prefix[j, 1], prefix[j, 2] = number, total, square
        n = float(sums[middle + j, 0] + sums[middle - 1 - j, 0])
        r = float(sums[middle + j, 1] + sums[middle - 1 - j, 1]) / UNIT
        edge = 0.5 * j
        number += n
        total += n * edge + r
        square += (n * edge + 2 * r) * edge
    prefix[extent, 0], prefix[extent, 1], prefix[extent, 2] = number, total, square


@inlined
def _one_step(prefix, extent, within, q, n_log_n, distortion, bits):
    """Index k takes the bins from (2k - 1) q to (2k + 1) q; its reconstruction is kq. ``within`` is the sum of r^2."""
    number = prefix[extent, 0]
    low, k = 0, 0
    error, information, nonzero = within, 0.0, 0.0
    while low < extent:
        high = min((2 * k + 1) * q, extent)
        n = prefix[high, 0] - prefix[low, 0]
        level = float(k * q)
        error += prefix[high, 2] - prefix[low, 2] - level * (2 * (prefix[high, 1] - prefix[low, 1]) - level * n)
        information += n_log_n[int(n)] if n < LOG_ENTRIES else n * math.log2(n)
        nonzero += n if k > 0 else 0.0
        low = high
        k += 1
    distortion[q - 1] = max(error, 0.0) / number
    bits[q - 1] = max(number * math.log2(number) - information + nonzero, 0.0) / number


@export("f64[:,:], f64[:,:], i64[:,:], out f64[:,:], out i64[:,:], out i64[:]")
def lower_hulls(error, bits, order, slopes, steps, counts):
    """Lower convex hull of error over bits at each frequency, from the least error to the fewest bits.

    ``order`` (frequencies, steps) has the indices of the steps by falling bits; equal ones by falling error, equal ones
    again by rising step, so that the largest step stays. ``counts`` vertices are left in ``steps`` (1 for the first
    column of ``error``, rising), with the slope that leads to each in ``slopes`` (0 for the first).
    """
    for f in range(error.shape[0]):
        counts[f] = _hull(error[f], bits[f], order[f], steps[f])
        slopes[f, 0] = 0.0
        for i in range(1, counts[f]):
            here, before = steps[f, i] - 1, steps[f, i - 1] - 1
            slopes[f, i] = (error[f, here] - error[f, before]) / (bits[f, before] - bits[f, here])


@inlined
def _hull(error, bits, order, steps):
    """Steps of the hull, those that rise only; returns the number of them left in ``steps``."""
    top = lower_hull(error, bits, order, 0, steps)
    rising = 0
    for i in range(top):
        step = steps[i] + 1
        if rising == 0 or step > steps[rising - 1]:
            steps[rising] = step
            rising += 1
    return rising
