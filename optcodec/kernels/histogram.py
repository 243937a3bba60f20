"""Histograms of DCT coefficients, and what every quantization step does to them.

A bin is half a unit wide, so that the decision thresholds (k + 1/2) q of every whole step q fall on its edges. Bin j of
a magnitude holds j/2 <= |x| < (j + 1)/2; frequency f owns 2 * extent[f] bins from first[f] on, the magnitudes of the
negative coefficients running down from the middle, those of the others up:

::

    first[f]                       middle                      first[f + 1]
       | -(extent-1) ...  -1   -0   |   0   1   ...  extent-1   |

Coefficients count in fixed point, UNIT to one. What a bin knows of its members is their number, and the sum and the sum
of squares of their distances r from its inner edge: enough for the exact squared error of every step.
"""

from __future__ import annotations

import math

from numba import njit

from optcodec.kernels.export import export

UNIT = 1024  # fixed-point steps to one
BIN_SHIFT = 9  # half a unit is 2**9 steps
BIN = 1 << BIN_SHIFT
# While counting, the three sums of a bin share one 64-bit word, so that a coefficient costs one addition: number below
# 2**12, sum of r below 2**(12 + 9), sum of r^2 below 2**(12 + 18).
SUM_SHIFT = 12
SQUARE_SHIFT = SUM_SHIFT + 21
BATCH = (1 << SUM_SHIFT) - 1  # blocks until a word could overflow
LOG_ENTRIES = 8192
STEPS = 255


@export("f32[:,:], i64, i64, out f32[:]")
def largest_magnitudes(blocks, start, stop, largest):
    """Largest |coefficient| of each frequency in a range of blocks; infinite where one is not a number."""
    largest[:] = 0
    for block in range(start, stop):
        for f in range(64):
            magnitude = abs(blocks[block, f])
            # the comparison is false for NaN, which so replaces what is there, and then stays
            largest[f] = largest[f] if magnitude <= largest[f] else magnitude


@export("f32[:,:], i64, i64, i64[:], out u64[:], out i64[:], out i64[:,:]")
def count_coefficients(blocks, start, stop, middle, words, bins, sums):
    """Add a range of blocks to histograms.

    ``middle`` (64) is the first bin of the magnitudes that are not negative; ``words`` is zeroed scratch of one word a
    bin; ``bins`` (64) and ``sums`` (bins, 3) scratch and result: number, sum of r, sum of r^2 of each bin.
    """
    first = start
    while first < stop:
        last = min(first + BATCH, stop)
        for block in range(first, last):
            _count_block(blocks, block, middle, words, bins)
        _unpack(words, sums)
        first = last


@njit(inline="always")
def _count_block(blocks, block, middle, words, bins):
    for f in range(64):
        x = blocks[block, f]
        fixed = int(abs(x) * UNIT + 0.5)
        bin_ = fixed >> BIN_SHIFT
        bins[f] = middle[f] + (bin_ if x >= 0 else -1 - bin_)
    for f in range(64):
        r = int(abs(blocks[block, f]) * UNIT + 0.5) & (BIN - 1)
        words[bins[f]] += (r * r << SQUARE_SHIFT) + (r << SUM_SHIFT) + 1


@njit(inline="always")
def _unpack(words, sums):
    for b in range(words.size):
        word = words[b]
        if word != 0:
            sums[b, 0] += word & BATCH
            sums[b, 1] += (word >> SUM_SHIFT) & ((1 << 21) - 1)
            sums[b, 2] += word >> SQUARE_SHIFT
            words[b] = 0


@export("i64[:,:], i64[:], i64, i64, f64[:], out f64[:,:], out f64[:,:], out f64[:,:]")
def step_curves(sums, first, start, stop, n_log_n, prefix, distortion, bits):
    """Mean squared error and entropy of every step at a range of frequencies.

    ``first`` (65) bounds the bins of each frequency; ``n_log_n`` holds n log2 n of 0 .. LOG_ENTRIES - 1; ``prefix``
    (at least extent + 1, 3) is scratch; ``distortion`` and ``bits`` (64, STEPS) are per coefficient.
    """
    for f in range(start, stop):
        extent = (first[f + 1] - first[f]) // 2
        _prefix_sums(sums, first[f] + extent, extent, prefix)
        for q in range(1, STEPS + 1):
            distortion[f, q - 1], bits[f, q - 1] = _one_step(prefix, extent, q, n_log_n)


@njit(inline="always")
def _prefix_sums(sums, middle, extent, prefix):
    """Number, sum of |x| and sum of x^2 of all magnitudes below each bin, both signs together."""
    number, total, square = 0.0, 0.0, 0.0
    for j in range(extent):
        prefix[j, 0], prefix[j, 1], prefix[j, 2] = number, total, square
        n = float(sums[middle + j, 0] + sums[middle - 1 - j, 0])
        r = float(sums[middle + j, 1] + sums[middle - 1 - j, 1]) / UNIT
        rr = float(sums[middle + j, 2] + sums[middle - 1 - j, 2]) / (UNIT * UNIT)
        edge = 0.5 * j
        number += n
        total += n * edge + r
        square += (n * edge + 2 * r) * edge + rr
    prefix[extent, 0], prefix[extent, 1], prefix[extent, 2] = number, total, square


@njit(inline="always")
def _one_step(prefix, extent, q, n_log_n):
    """Index k takes the bins from (2k - 1) q to (2k + 1) q; its reconstruction is kq."""
    number = prefix[extent, 0]
    if number == 0:
        return 0.0, 0.0
    low, k = 0, 0
    error, information, nonzero = 0.0, 0.0, 0.0
    while low < extent:
        high = min((2 * k + 1) * q, extent)
        n = prefix[high, 0] - prefix[low, 0]
        level = float(k * q)
        error += prefix[high, 2] - prefix[low, 2] - level * (2 * (prefix[high, 1] - prefix[low, 1]) - level * n)
        information += n_log_n[int(n)] if n < LOG_ENTRIES else n * math.log2(n)
        if k > 0:
            nonzero += n
        low = high
        k += 1
    magnitude_bits = number * math.log2(number) - information
    return max(error, 0.0) / number, max(magnitude_bits + nonzero, 0.0) / number


@export("i64[:,:], i64[:], out f64[:,:]")
def moments(sums, first, result):
    """Mean, population variance and mean absolute deviation from the mean, of the 64 frequencies; 0 where none is."""
    for f in range(64):
        extent = (first[f + 1] - first[f]) // 2
        middle = first[f] + extent
        number, total, square = 0.0, 0.0, 0.0
        for b in range(first[f], first[f + 1]):
            n, edge, r, rr = _members(sums, b, middle)
            number += n
            total += (n * edge + r) * (1.0 if b >= middle else -1.0)
            square += (n * edge + 2 * r) * edge + rr
        if number == 0:
            result[f, :] = 0
            continue
        mean = total / number
        result[f, 0] = mean
        result[f, 1] = max(square / number - mean * mean, 0.0)
        deviation = 0.0
        for b in range(first[f], first[f + 1]):
            n, edge, r, rr = _members(sums, b, middle)
            signed_mean = mean if b >= middle else -mean
            inside = signed_mean - edge
            if 0 <= inside < 0.5 and n > 0:
                deviation += _deviation_within(n, r, rr, inside)
            else:
                deviation += abs(n * inside - r)
        result[f, 2] = deviation / number


@njit(inline="always")
def _members(sums, b, middle):
    """Number of a bin, |x| of its inner edge, sum and sum of squares of the distances from there."""
    edge = 0.5 * (b - middle if b >= middle else middle - 1 - b)
    return float(sums[b, 0]), edge, float(sums[b, 1]) / UNIT, float(sums[b, 2]) / (UNIT * UNIT)


@njit
def _deviation_within(n, r, rr, inside):
    """Sum of |distance - inside| over the members of the bin that holds the mean.

    The three sums do not say it exactly. The density is taken as the polynomial of degree 2 with these moments: with
    v in -1..1 across the bin and P2 the Legendre polynomial, 1/2 + 3/2 E[v] v + 5/2 E[P2] P2(v).
    """
    first = 4 * r / n - 1  # E[v]
    second = (3 * (16 * rr / n - 8 * r / n + 1) - 1) / 2  # E[P2]
    t = 4 * inside - 1
    below = (t + 1) ** 2 / 4 + first * (t**3 - 3 * t - 2) / 4 + 5 / 16 * second * (t * t - 1) ** 2  # E[max(t - v, 0)]
    spread = 2 * below + first - t  # E|v - t|
    return n / 4 * min(max(spread, abs(first - t)), 1 - first * t)
