"""How the structure of a picture differs from that of its original, and the derivatives of that: maps of SSIMULACRA2.

Of a channel, `a` is the original, `b` the decoded picture, and a Gaussian window weighs the samples around each one.
With means m_a, m_b, variances v_a, v_b and covariance c of the window, the three maps are

    structure  max(0, 1 - (1 - (m_a - m_b)^2) (2 c + C) / (v_a + v_b + C))
    ringing    max(0, e),  blurring  max(0, -e),  e = (1 + |b - m_b|) / (1 + |a - m_a|) - 1

that is SSIM without the denominator of its mean, and edges that are new or lost. Of each, the mean and the mean fourth
power are wanted. Planes are as in `optcodec.kernels.gauss`: beyond the width, where all is 0 or alike, all maps are 0.
"""

from __future__ import annotations

import numpy as np

from optcodec.kernels.export import export, inlined

__all__ = ["product", "similarity", "similarity_slopes", "spread"]

_C = np.float32(0.0009)
_ONE, _TWO = np.float32(1), np.float32(2)


@export("f32[:], f32[:], out f32[:]")
def product(first, second, result):
    """Multiply two planes, all (samples,)."""
    for i in range(result.shape[0]):
        result[i] = first[i] * second[i]


@inlined
def _structure(mean_a, variance_a, mean_b, square_b, product_ab):
    """Return the three factors of the map: 1 - (m_a - m_b)^2, 2 c + C, and v_a + v_b + C."""
    shift = mean_a - mean_b
    common = _TWO * (product_ab - mean_a * mean_b) + _C
    return _ONE - shift * shift, common, variance_a + (square_b - mean_b * mean_b) + _C


@export("f32[:], f32[:], f32[:], f32[:], f32[:], f32[:], f32[:], out f64[:]")
def similarity(a, mean_a, variance_a, b, mean_b, square_b, product_ab, sums):
    """Sum up the three maps, and their fourth powers.

    Parameters
    ----------
    a, mean_a, variance_a, b, mean_b : (samples,) as above
    square_b, product_ab : (samples,) b^2 and a b, smoothed
    sums : (6,) receives the sum, and the sum of fourth powers, of structure, ringing and blurring
    """
    structure, structure_4, ringing, ringing_4, blurring, blurring_4 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(a.shape[0]):
        mean, common, spread = _structure(mean_a[i], variance_a[i], mean_b[i], square_b[i], product_ab[i])
        lost = np.float64(max(_ONE - mean * common / spread, np.float32(0)))
        edge = np.float64((_ONE + abs(b[i] - mean_b[i])) / (_ONE + abs(a[i] - mean_a[i])) - _ONE)
        new, gone = max(edge, 0.0), max(-edge, 0.0)
        structure += lost
        structure_4 += (lost * lost) * (lost * lost)
        ringing += new
        ringing_4 += (new * new) * (new * new)
        blurring += gone
        blurring_4 += (gone * gone) * (gone * gone)
    sums[0], sums[1], sums[2] = structure, structure_4, ringing
    sums[3], sums[4], sums[5] = ringing_4, blurring, blurring_4


@export("f32[:], f32[:], f32[:], f32[:], f32[:], out f32[:], out f32[:], out f32[:], out f32[:]")
def similarity_slopes(factors, a, mean_a, variance_a, b, mean_b, square_b, product_ab, result):
    """Replace the smoothed planes by the derivative of a loss by them; what they stand for has to be smoothed, too.

    Parameters
    ----------
    factors : (6,) derivative of the loss by each of the sums of `similarity`
    a, mean_a, variance_a, b : (samples,) see `similarity`
    mean_b, square_b, product_ab : (samples,) receive the derivative by each of them
    result : (samples,) receives the derivative by b where b is not smoothed
    """
    lost_1, lost_4, new_1, new_4 = factors[0], np.float32(4) * factors[1], factors[2], np.float32(4) * factors[3]
    gone_1, gone_4 = factors[4], np.float32(4) * factors[5]
    for i in range(a.shape[0]):
        mean, common, spread = _structure(mean_a[i], variance_a[i], mean_b[i], square_b[i], product_ab[i])
        inverse = _ONE / spread
        ratio = common * inverse
        lost = _ONE - mean * ratio
        slope = lost_1 + lost_4 * (lost * lost * lost) if lost > 0 else np.float32(0)
        by_square = slope * mean * ratio * inverse
        by_product = -_TWO * slope * mean * inverse
        away = b[i] - mean_b[i]
        scale = _ONE / (_ONE + abs(a[i] - mean_a[i]))
        edge = (_ONE + abs(away)) * scale - _ONE
        cube = edge * edge * edge
        pull = new_1 + new_4 * cube if edge > 0 else (gone_4 * cube - gone_1 if edge < 0 else np.float32(0))
        signed = pull * scale if away > 0 else (-pull * scale if away < 0 else np.float32(0))
        by_mean = -_TWO * slope * (mean_a[i] - mean_b[i]) * ratio - mean_a[i] * by_product
        mean_b[i] = by_mean - _TWO * mean_b[i] * by_square - signed
        square_b[i], product_ab[i], result[i] = by_square, by_product, signed


@export("f32[:], f32[:], f32[:], f32[:], f32[:], out f32[:]")
def spread(a, b, by_mean, by_square, by_product, result):
    """Add to a derivative by b what comes through the smoothed planes: by_mean + 2 b by_square + a by_product."""
    for i in range(result.shape[0]):
        result[i] += by_mean[i] + _TWO * b[i] * by_square[i] + a[i] * by_product[i]
