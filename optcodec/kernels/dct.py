"""Forward DCT and quantization of two neighbouring 8x8 blocks at once, in floating point or as libjpeg's integer DCT.

A vector of 16 lanes has one row of two blocks. Each butterfly works on whole rows, so that the 8-point transform of all
columns is vector arithmetic; a transposition between the two passes turns columns into rows.
"""

from __future__ import annotations

import numpy as np

from optcodec.kernels.vector import F32, I16, I32, U8, emit
from optcodec.kernels.zigzag import NATURAL_ORDER

__all__ = [
    "MAGIC",
    "exact_samples",
    "exact_zigzag",
    "float_columns",
    "float_natural",
    "float_zigzag",
    "inverse_rows",
    "pair_natural",
    "quantized_zigzag",
    "store_natural",
    "transpose",
]

# Arai, Agui and Nakajima, "A fast DCT-SQ scheme for images", Trans. IEICE E71 (1988): output k of their transform is
# the orthonormal one times sqrt(8) * _AAN[k]; _AAN[k] = sqrt(2) cos(k pi / 16) for k > 0.
_AAN = np.array([1.0] + [np.sqrt(2) * np.cos(k * np.pi / 16) for k in range(1, 8)])
_SCALE = (1 / (8 * np.outer(_AAN, _AAN))).astype(np.float32)
# _COSINES[k, j]: sample j of the orthonormal cosine of frequency k (T.81, A.3.3).
_COSINES = np.array(
    [[(0.125 if k == 0 else 0.25) ** 0.5 * np.cos((2 * j + 1) * k * np.pi / 16) for j in range(8)] for k in range(8)]
)
# 1.5 * 2^23: a float of this size has no fraction bits, so that adding it rounds to nearest, ties to even, and leaves
# the whole number, in two's complement, in the low bits.
MAGIC = 12582912.0
_BOTH = [0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7]


def _aan(d):
    """Scaled 8-point DCT of eight vectors (Arai, Agui, Nakajima; 5 multiplications)."""
    s = [d[k] + d[7 - k] for k in range(4)]
    t = [d[k] - d[7 - k] for k in range(4)]
    even = [s[0] + s[3], s[1] + s[2], s[1] - s[2], s[0] - s[3]]
    turned = even[2] + even[3]
    root = float(np.sqrt(0.5))
    a, b, c = t[3] + t[2], t[2] + t[1], t[1] + t[0]
    common = (a - c) * float(np.sin(np.pi / 8))
    p = a.fma(float(np.sqrt(2) * np.sin(np.pi / 8)), common)
    q = c.fma(float(np.sqrt(2) * np.cos(np.pi / 8)), common)
    high, low = b.fma(root, t[0]), b.fma(-root, t[0])
    return [
        even[0] + even[1],
        high + q,
        turned.fma(root, even[3]),
        low - p,
        even[0] - even[1],
        low + p,
        turned.fma(-root, even[3]),
        high - q,
    ]


def transpose(rows):
    """Transpose the two 8x8 halves of eight vectors of 16 lanes."""

    def pick(a, b, within_128):
        return a.shuffle(b, [base + lane for base in (0, 4, 8, 12) for lane in within_128])

    pairs = []
    for k in range(0, 8, 2):
        pairs.append(pick(rows[k], rows[k + 1], (0, 16, 1, 17)))
        pairs.append(pick(rows[k], rows[k + 1], (2, 18, 3, 19)))
    quads = []
    for k in (0, 4):
        for j in (0, 1):
            quads.append(pick(pairs[k + j], pairs[k + j + 2], (0, 1, 16, 17)))
            quads.append(pick(pairs[k + j], pairs[k + j + 2], (2, 3, 18, 19)))
    first = [0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27]
    second = [lane + 4 for lane in first]
    return [quads[k].shuffle(quads[k + 4], order) for order in (first, second) for k in range(4)]


def _zigzag(rows, order, target, masks):
    """Store eight vectors of whole numbers (low 16 bits of each lane) as two zig-zag blocks, and their nonzero masks.

    Coefficient ``k`` of a block is number ``order[k]`` of its 64: lane ``order[k] % 8`` of vector ``order[k] // 8``.
    """
    words = [row.bits_as(I16, 32) for row in rows]  # the number is the even half of each lane
    pairs = []
    for k in range(0, 8, 2):
        even = [base + 2 * lane for half in (0, 16) for base in (half, half + 32) for lane in range(8)]
        pairs.append(words[k].shuffle(words[k + 1], even))  # block 0 of both rows, then block 1 of both
    for block in (0, 1):
        half = [16 * block + lane for lane in range(16)] + [32 + 16 * block + lane for lane in range(16)]
        whole = pairs[0].shuffle(pairs[1], half).join(pairs[2].shuffle(pairs[3], half))
        zigzag = whole.shuffle(whole, order)
        zigzag.store(target + 128 * block)
        zigzag.nonzero_mask().store(masks + 8 * block)


def float_columns(b, samples, stride, real=False):
    """Transform two blocks of 8-bit samples (floats if `real`); vector ``x`` has the horizontal frequency ``x``."""
    rows = []
    address = samples
    for _ in range(8):
        rows.append(b.load(address, F32, 16) if real else b.load(address, U8, 16).widen(I32).to_float())
        address = address + stride
    columns = _aan(transpose(_aan(rows)))
    if not real:  # the level shift by 128 only moves DC: 64 samples of 128 each in this scale
        columns[0] = columns[0] + b.constant(F32, [-8192.0 if lane % 8 == 0 else 0.0 for lane in range(16)])
    return [column * b.constant(F32, [float(_SCALE[y, x]) for y in _BOTH]) for x, column in enumerate(columns)]


@emit(5)
def float_zigzag(b, samples, stride, reciprocals, target, masks):
    """Transform two blocks of samples to quantized zig-zag blocks; `reciprocals`: 1 / step, transposed, rows twice."""
    quantized = []
    for x, column in enumerate(float_columns(b, samples, stride)):
        quantized.append(column.fma(b.load(reciprocals + 64 * x, F32, 16), MAGIC))
    _zigzag(quantized, [n % 8 * 8 + n // 8 for n in NATURAL_ORDER], target, masks)


def store_natural(columns, first, second):
    """Store two blocks of 64 floats at two addresses, row-major."""
    for y, row in enumerate(transpose(columns)):
        row.shuffle(row, range(8)).store(first + 32 * y)
        row.shuffle(row, range(8, 16)).store(second + 32 * y)


def inverse_rows(b, columns):
    """Transform the orthonormal coefficients of two blocks, laid out as by `float_columns`, to rows of samples."""

    def eight(d):
        halves = []
        for first in (0, 1):  # cosines of even frequencies are symmetric, those of odd ones antisymmetric
            sums = []
            for place in range(4):
                total = d[first] * float(_COSINES[first, place])
                for k in range(first + 2, 8, 2):
                    total = d[k].fma(float(_COSINES[k, place]), total)
                sums.append(total)
            halves.append(sums)
        even, odd = halves
        return [even[j] + odd[j] for j in range(4)] + [even[j] - odd[j] for j in (3, 2, 1, 0)]

    return eight(transpose(eight(columns)))


@emit(5)
def quantized_zigzag(b, first, second, reciprocals, target, masks):
    """Quantize two blocks of 64 floats, row-major, to two zig-zag blocks, with the results of `float_zigzag`."""
    rows = [b.load(first + 32 * y, F32, 8).join(b.load(second + 32 * y, F32, 8)) for y in range(8)]
    columns = transpose(rows)
    quantized = [column.fma(b.load(reciprocals + 64 * x, F32, 16), MAGIC) for x, column in enumerate(columns)]
    _zigzag(quantized, [n % 8 * 8 + n // 8 for n in NATURAL_ORDER], target, masks)


@emit(3)
def float_natural(b, samples, stride, target):
    """Transform two blocks of samples to two blocks of 64 floats, row-major."""
    store_natural(float_columns(b, samples, stride), target, target + 256)


@emit(4)
def pair_natural(b, samples, stride, first, second):
    """Transform two blocks of level-shifted float samples to blocks of 64 floats at two addresses, row-major."""
    store_natural(float_columns(b, samples, stride, real=True), first, second)


def _fix(value):
    """A number with libjpeg's 13 fraction bits."""
    return round(value * 8192)


def _descale(value, bits):
    """Drop fraction bits, rounding to nearest."""
    return (value + (1 << (bits - 1))) >> bits


def _islow(d, first):
    """8-point integer DCT of Loeffler, Ligtenberg and Moschytz (ICASSP 1989) with libjpeg's 13-bit constants.

    The first pass has 2 additional fraction bits, which the second one removes; the result is 8 times the coefficient.
    """

    shift = 11 if first else 15
    s = [d[k] + d[7 - k] for k in range(4)]
    t = [d[k] - d[7 - k] for k in range(4)]
    e0, e3, e1, e2 = s[0] + s[3], s[0] - s[3], s[1] + s[2], s[1] - s[2]
    both = (e2 + e3) * _fix(0.541196100)
    out = [e0] * 8
    out[0], out[4] = ((e0 + e1) << 2, (e0 - e1) << 2) if first else (_descale(e0 + e1, 2), _descale(e0 - e1, 2))
    out[2] = _descale(both + e3 * _fix(0.765366865), shift)
    out[6] = _descale(both - e2 * _fix(1.847759065), shift)
    t0, t1, t2, t3 = t
    z1, z2, z3, z4 = t3 + t0, t2 + t1, t3 + t1, t2 + t0
    z5 = (z3 + z4) * _fix(1.175875602)
    z1, z2 = z1 * _fix(0.899976223), z2 * _fix(2.562915447)
    z3, z4 = z5 - z3 * _fix(1.961570560), z5 - z4 * _fix(0.390180644)
    out[7] = _descale(t3 * _fix(0.298631336) - z1 + z3, shift)
    out[5] = _descale(t2 * _fix(2.053119869) - z2 + z4, shift)
    out[3] = _descale(t1 * _fix(3.072711026) - z2 + z3, shift)
    out[1] = _descale(t0 * _fix(1.501321110) - z1 + z4, shift)
    return out


@emit(6)
def exact_zigzag(b, samples, stride, reciprocals, offsets, target, masks):
    """Transform two blocks of samples to the quantized zig-zag blocks of libjpeg's accurate integer DCT.

    `reciprocals` has 1 / (8 step) and `offsets` has 4 step + 1/2, row-major, each row twice.
    """
    rows = []
    address = samples
    for _ in range(8):
        rows.append(b.load(address, U8, 16).widen(I32) - 128)
        address = address + stride
    columns = transpose(rows)  # libjpeg transforms rows first
    coefficients = _islow(transpose(_islow(columns, True)), False)
    quantized = []
    for y, value in enumerate(coefficients):
        sign = value >> 31
        magnitude = ((value ^ sign) - sign).to_float() + b.load(offsets + 64 * y, F32, 16)
        index = (magnitude * b.load(reciprocals + 64 * y, F32, 16)).to_int()
        quantized.append((index ^ sign) - sign)
    _zigzag(quantized, NATURAL_ORDER, target, masks)


def _inverse_islow(d, shift):
    """Inverse of `_islow`, whose result has so many fraction bits to drop."""
    common = (d[2] + d[6]) * _fix(0.541196100)
    sums = (d[0] + d[4]) << 13, (d[0] - d[4]) << 13
    turned = common + d[2] * _fix(0.765366865), common - d[6] * _fix(1.847759065)
    even = [sums[0] + turned[0], sums[1] + turned[1], sums[1] - turned[1], sums[0] - turned[0]]
    z1, z2, z3, z4 = d[7] + d[1], d[5] + d[3], d[7] + d[3], d[5] + d[1]
    z5 = (z3 + z4) * _fix(1.175875602)
    z1, z2 = z1 * _fix(0.899976223), z2 * _fix(2.562915447)
    z3, z4 = z5 - z3 * _fix(1.961570560), z5 - z4 * _fix(0.390180644)
    odd = [
        d[1] * _fix(1.501321110) - z1 + z4,
        d[3] * _fix(3.072711026) - z2 + z3,
        d[5] * _fix(2.053119869) - z2 + z4,
        d[7] * _fix(0.298631336) - z1 + z3,
    ]
    upper = [_descale(even[k] + odd[k], shift) for k in range(4)]
    return upper + [_descale(even[k] - odd[k], shift) for k in (3, 2, 1, 0)]


@emit(6)
def exact_samples(b, first, second, steps, target, second_target, stride):
    """Decode two blocks of indices, row-major, to 8-bit samples, with libjpeg's accurate integer inverse DCT.

    `steps` has 64 whole numbers of 32 bits.
    """
    rows = []
    for y in range(8):
        indices = b.load(first + 16 * y, I16, 8).join(b.load(second + 16 * y, I16, 8)).widen_signed(I32)
        step = b.load(steps + 32 * y, I32, 8)
        rows.append(indices * step.join(step))
    columns = transpose(_inverse_islow(rows, 11))  # libjpeg transforms columns first
    for row in transpose(_inverse_islow(columns, 18)):
        shown = (row + 128).within(0, 255).narrow(U8)
        shown.shuffle(shown, range(8)).store(target)
        shown.shuffle(shown, range(8, 16)).store(second_target)
        target, second_target = target + stride, second_target + stride
