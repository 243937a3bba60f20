"""From histograms of DCT coefficients, the error and entropy of every quantization step.

The histograms are those of `optcodec.kernels.counting`. For each bin, the number of its coefficients and the sum of
their distances r from its inner edge are known; for each frequency, the sum of all r^2. That is enough for the exact
squared error of every step q: the error of a coefficient with index k in a bin with inner edge e is
(e + r - kq)^2 = (e^2 + 2er) - 2kq (e + r) + (kq)^2 + r^2.
"""

from __future__ import annotations

import math

import numpy as np

from optcodec.kernels.counting import UNIT
from optcodec.kernels.export import export, inlined
from optcodec.kernels.hull import lower_hull

LOG_ENTRIES = 8192
STEPS = 255


@export("f32[:,:], i64, i64, i64[:], out i64[:]")
def sum_deviations(blocks, start, stop, centre, deviations):
    """Sum |coefficient - centre| over the blocks start..stop-1 at each of 64 frequencies, in fixed point."""
    for f in range(64):
        deviations[f] = 0
    for block in range(start, stop):
        for f in range(64):
            magnitude = np.int64(np.int32(np.rint(abs(blocks[block, f]) * np.float32(UNIT))))
            deviations[f] += abs((magnitude if blocks[block, f] >= 0 else -magnitude) - centre[f])


@export("i64[:,:], i64[:], i64[:], f64[:], out f64[:,:], out f64[:,:], out f64[:,:]")
def step_curves(sums, squares, first, n_log_n, prefix, distortion, bits):
    """Compute the mean squared error and the entropy of every step at every frequency.

    Parameters
    ----------
    sums : (bins, 2) number and sum of r of each bin
    squares : (64,) sum of r^2 of each frequency
    first : (65,) first bin of each frequency, then the number of all bins
    n_log_n : (LOG_ENTRIES,) n log2 n
    prefix : (at least extent + 1, 3) work space
    distortion, bits : (64, STEPS) receive error and bits a coefficient
    """
    for f in range(64):
        extent = (first[f + 1] - first[f]) // 2
        _prefix_sums(sums, first[f] + extent, extent, prefix)
        within = float(squares[f]) / UNIT / UNIT
        last = max(1, min(extent, STEPS))
        for q in range(1, last + 1):
            _one_step(prefix, extent, within, q, n_log_n, distortion[f], bits[f])
        distortion[f, last:] = distortion[f, last - 1]  # from a step of `extent` on, all indices are 0
        bits[f, last:] = bits[f, last - 1]


@inlined
def _prefix_sums(sums, middle, extent, prefix):
    """Sum over all magnitudes below each bin, both signs together: their number, e + r, and e^2 + 2er."""
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
    """Compute error and bits of step q, at which index k has the bins (2k - 1) q to (2k + 1) q - 1.

    The value of index k is kq; ``within`` is the sum of r^2.
    """
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


@inlined
def _sort(error, bits, order, sorted_bits):
    """Sort the indices of steps as `lower_hulls` needs them; steps have mostly fewer bits than those before them."""
    for index in range(order.shape[0]):
        place, own = np.uint64(index), bits[index]  # an unsigned index spares numba the handling of negative ones
        while place > 0:
            before = place - np.uint64(1)
            if sorted_bits[before] > own or (sorted_bits[before] == own and error[order[before]] >= error[index]):
                break
            order[place], sorted_bits[place] = order[before], sorted_bits[before]
            place = before
        order[place], sorted_bits[place] = index, own


@export("f64[:,:], f64[:,:], out i64[:], out f64[:,:], out i64[:,:], out i64[:]")
def lower_hulls(error, bits, order, slopes, steps, counts):
    """Find the lower convex hull of error over bits at each frequency, from the least error to the fewest bits.

    Parameters
    ----------
    error, bits : (frequencies, steps) error and bits of each step
    order : (steps,) receives the indices of the steps by falling bits; if equal, by falling error; if equal again, by
        rising step, so that the largest of equal steps stays on the hull
    slopes : (frequencies, steps) receives the slope that leads to each vertex; 0 for the first
    steps : (frequencies, steps) receives the steps of the vertices, rising; 1 is the first column of `error`
    counts : (frequencies,) receives the number of vertices
    """
    for f in range(error.shape[0]):
        _sort(error[f], bits[f], order, slopes[f])
        counts[f] = _hull(error[f], bits[f], order, steps[f])
        slopes[f, 0] = 0.0
        for i in range(1, counts[f]):
            vertex, before = steps[f, i] - 1, steps[f, i - 1] - 1
            slopes[f, i] = (error[f, vertex] - error[f, before]) / (bits[f, before] - bits[f, vertex])


@inlined
def _hull(error, bits, order, stack):
    """Find the steps of the hull that rise; return the number of steps that are left in ``stack``."""
    top = lower_hull(error, bits, order, 0, stack)
    rising = 0
    for i in range(top):
        step = stack[i] + 1
        if rising == 0 or step > stack[rising - 1]:
            stack[rising] = step
            rising += 1
    return rising
