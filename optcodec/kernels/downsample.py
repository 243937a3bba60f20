"""Chrominance of an RGB image, in the samples whose interpolation by decoders comes nearest to that of all pixels.

Along each direction that is subsampled, the samples c solve ``U'U c = U'C``; see `optcodec.trellis.chroma`. U'U is
tridiagonal: it is factored as L D L' (Golub and Van Loan, Matrix Computations, section 4.3.6), and solved line by line
from the first to the last (L) and back (D, L'). Vertically a line is a row of samples. Horizontally it is a column: of
eight rows of Cb and eight rows of Cr, which are 16 lanes of a vector.
"""

from __future__ import annotations

import numpy as np

from optcodec.kernels.dct import pair_natural, transpose
from optcodec.kernels.export import export, helper, inlined
from optcodec.kernels.samples import copy_pixels, rgb_16
from optcodec.kernels.vector import F32, address_of, emit

__all__ = ["chrominance_coefficients", "chrominance_lines", "factor_normal_equations", "luminance_of"]

# T.871, section 7, in single precision.
_Y = [float(np.float32(share)) for share in (0.299, 0.587, 0.114)]
_BLUE, _RED = float(np.float32(1.772)), float(np.float32(1.402))
_LOWEST, _HIGHEST = -128.0, 127.0  # of samples
_LINE = 64  # bytes of 16 floats


def luminance_of(red, green, blue):
    """Luminance of RGB, of which each step is rounded."""
    return red * _Y[0] + green * _Y[1] + blue * _Y[2]


def chrominance_of(red, blue, luminance):
    """Cb and Cr of 16 pixels."""
    return (blue - luminance).divided_by(_BLUE), (red - luminance).divided_by(_RED)


@emit(3)
def _convert_16(b, source, blue, red):
    """Convert 16 RGB pixels to 16 floats of Cb and of Cr."""
    r, g, blue_channel = rgb_16(b, source)
    of_blue, of_red = chrominance_of(r, blue_channel, luminance_of(r, g, blue_channel))
    of_blue.store(blue)
    of_red.store(red)


@emit(9)
def _eliminate_16(b, even, odd, odd_before, even_after, even_at_end, odd_at_end, before, factor, target):
    """Make a line of U'C, and subtract from it the line before times a factor."""
    even, odd, odd_before, even_after, even_at_end, odd_at_end, before = (
        b.load(line, F32, 16) for line in (even, odd, odd_before, even_after, even_at_end, odd_at_end, before)
    )
    total = even * 0.75 + odd * 0.75 + odd_before * 0.25 + even_after * 0.25 + even_at_end * 0.25 + odd_at_end * 0.25
    (total - before * b.load(factor, F32).in_all_lanes(16)).store(target)


@emit(4)
def _substitute_16(b, line, after, diagonal, factor):
    """Divide a line by the diagonal, and subtract the line after it times a factor."""
    quotient = b.load(line, F32, 16).divided_by(b.load(diagonal, F32).in_all_lanes(16))
    (quotient - b.load(after, F32, 16) * b.load(factor, F32).in_all_lanes(16)).store(line)


def _eight_of_both(b, blue, red):
    """Eight floats of Cb, then eight of Cr."""
    return b.load(blue, F32, 8).join(b.load(red, F32, 8))


def _within_range(b, row):
    lowest, highest = (b.constant(F32, [end] * 16) for end in (_LOWEST, _HIGHEST))
    return row.at_least(lowest).at_most(highest)


@emit(4)
def _columns_of_8_rows(b, blue, red, pitch, target):
    """Store columns of 8 x 8 samples of Cb, each followed by the column of Cr."""
    rows = []
    for _ in range(8):
        rows.append(_eight_of_both(b, blue, red))
        blue, red = blue + pitch, red + pitch
    for x, column in enumerate(transpose(rows)):
        column.store(target + _LINE * x)


@emit(2)
def _rows_of_8_columns(b, columns, rows):
    """Undo `_columns_of_8_rows`, with samples within their range."""
    loaded = [_within_range(b, b.load(columns + _LINE * x, F32, 16)) for x in range(8)]
    for y, row in enumerate(transpose(loaded)):
        row.store(rows + _LINE * y)


@emit(4)
def _rows_of_8_rows(b, blue, red, pitch, rows):
    """Store rows of 8 x 8 samples of Cb, each followed by the row of Cr, within their range."""
    for y in range(8):
        _within_range(b, _eight_of_both(b, blue, red)).store(rows + _LINE * y)
        blue, red = blue + pitch, red + pitch


@emit(2)
def _copy_16(b, source, target):
    b.load(source, F32, 16).store(target)


@export("i64, out f32[:,:]")
def factor_normal_equations(lines, factors):
    """Factor U'U for so many interpolated lines.

    U'U has 2 (9/16 + 1/16) on the diagonal, and 2 * 3/16 beside it. At an end where a line comes from one sample alone
    the diagonal has 6/16 more; where that line is missing, since their number is odd, it has 10/16 less.

    Parameters
    ----------
    lines : number of lines before subsampling
    factors : (2, ceil(lines / 2) + 1) receives the diagonal of D, and the number beside it of L, first and last 0
    """
    count = (lines + 1) // 2
    for i in range(count):
        diagonal = np.float32(1.25)
        if i == 0:
            diagonal += np.float32(0.375)
        if i == count - 1:
            diagonal += np.float32(0.375) if lines % 2 == 0 else np.float32(-0.625)
        factors[1, i] = np.float32(0)
        if i > 0:
            beside = np.float32(0.375)
            factors[1, i] = beside / factors[0, i - 1]
            diagonal -= factors[1, i] * beside
        factors[0, i] = diagonal
    factors[0, count], factors[1, count] = np.float32(1), np.float32(0)


@inlined
def _sources(k, lines, base, pitch, ring):
    """Addresses of the lines that line `k` of U'C is a sum of; absent ones are replaced by zeros, behind the ring."""
    zeros = base + ring * pitch
    even = base + 2 * k % ring * pitch
    odd = base + (2 * k + 1) % ring * pitch if 2 * k + 1 < lines else zeros
    odd_before = base + (2 * k - 1) % ring * pitch if k > 0 else zeros
    even_after = base + (2 * k + 2) % ring * pitch if 2 * k + 2 < lines else zeros
    return even, odd, odd_before, even_after, even if k == 0 else zeros, odd if 2 * k + 2 >= lines else zeros


@inlined
def _eliminate(sources, offset, before, factor, target):
    """`_eliminate_16` at an offset into each line."""
    even, odd, odd_before, even_after, even_at_end, odd_at_end = sources
    around = even + offset, odd + offset, odd_before + offset, even_after + offset
    _eliminate_16(*around, even_at_end + offset, odd_at_end + offset, before, factor, target)


@helper
def _convert(pixels, y, first, last, tail, blue, red):
    """Convert some columns of a row; the targets have room for whole groups of 16."""
    width = pixels.shape[1]
    source = address_of(pixels) + 3 * width * y
    for x in range(first, last, 16):
        if x + 16 <= width:
            _convert_16(source + 3 * x, blue + 4 * (x - first), red + 4 * (x - first))
        else:
            copy_pixels(source + 3 * x, width - x, tail)
            _convert_16(tail, blue + 4 * (x - first), red + 4 * (x - first))


@helper
def _halve_rows(pixels, first, last, factors, space, tail, lines):
    """`chrominance_lines` where rows are subsampled."""
    height, count, nbytes = pixels.shape[0], lines.shape[0], 4 * (last - first)
    base, pitch = address_of(space), 2 * nbytes  # a ring of four rows of Cb and Cr, then one of zeros
    for x in range(8 * (last - first), 10 * (last - first)):
        space[x] = np.float32(0)
    row, planes = 4 * lines.shape[1], (0, 2 * lines.shape[1])  # in bytes
    diagonal = address_of(factors)
    beside = diagonal + 4 * factors.shape[1]
    _convert(pixels, 0, first, last, tail, base, base + nbytes)
    for k in range(count):
        for y in range(2 * k + 1, min(2 * k + 3, height)):
            target = base + y % 4 * pitch
            _convert(pixels, y, first, last, tail, target, target + nbytes)
        sources = _sources(k, height, base, pitch, 4)
        for plane in range(2):
            line = address_of(lines) + k * row + planes[plane] + 4 * first
            for x in range(0, nbytes, _LINE):
                before = line - row + x if k > 0 else base + 4 * pitch
                _eliminate(sources, plane * nbytes + x, before, beside + 4 * k, line + x)
    for k in range(count - 1, -1, -1):
        for plane in range(2):
            line = address_of(lines) + k * row + planes[plane] + 4 * first
            for x in range(0, nbytes, _LINE):
                after = line + row + x if k < count - 1 else base + 4 * pitch
                _substitute_16(line + x, after, diagonal + 4 * k, beside + 4 * (k + 1))


@export("u8[:,:,:], i64, i64, i64, f32[:,:], out f32[:], out u8[:], out f32[:,:]")
def chrominance_lines(pixels, v, first, last, factors, space, tail, lines):
    """Convert some columns of pixels to Cb and Cr, and subsample rows.

    Parameters
    ----------
    pixels : (height, width, 3) RGB
    v : 2 if rows are subsampled, else 1
    first, last : columns, multiples of 16
    factors : see `factor_normal_equations`, for all rows
    space : (10 * (last - first),) work space
    tail : (48,) work space
    lines : (ceil(height / v), 2 * pitch) receives rows of Cb, each followed by the row of Cr; the pitch is the width,
        rounded up to a multiple of 16
    """
    if v == 2:
        _halve_rows(pixels, first, last, factors, space, address_of(tail), lines)
    else:
        pitch = 2 * lines.shape[1]  # in bytes
        for y in range(lines.shape[0]):
            blue = address_of(lines) + 2 * pitch * y + 4 * first
            _convert(pixels, y, first, last, address_of(tail), blue, blue + pitch)


@helper
def _halve_columns(count, width, factors, full, halves):
    """Subsample columns of `_columns_of_8_rows`; behind those at `full` there is a column of zeros."""
    columns = (width + 7) // 8 * 8
    zeros = full + _LINE * columns
    diagonal = address_of(factors)
    beside = diagonal + 4 * factors.shape[1]
    for k in range(count):
        line = halves + _LINE * k
        sources = _sources(k, width, full, _LINE, columns)
        _eliminate(sources, 0, line - _LINE if k > 0 else zeros, beside + 4 * k, line)
    for k in range(count - 1, -1, -1):
        line = halves + _LINE * k
        _substitute_16(line, line + _LINE if k < count - 1 else zeros, diagonal + 4 * k, beside + 4 * (k + 1))


@export("f32[:,:], i64, i64, f32[:,:], out f32[:], out f32[:,:], out f32[:,:]")
def chrominance_coefficients(lines, width, h, factors, space, blue, red):
    """Subsample columns, and compute the coefficients.

    Parameters
    ----------
    lines : (8 * rows, 2 * pitch) of `chrominance_lines`, filled up to whole blocks: rows are repeated, and columns too
        if they are not subsampled
    width : of the image
    h : 2 if columns are subsampled, else 1
    factors : see `factor_normal_equations`, for all columns
    space : (128,) work space, (144 + 24 * pitch,) if columns are subsampled
    blue, red : (rows * columns, 64) receive the coefficients
    """
    count = (width + h - 1) // h
    columns, pitch = (count + 7) // 8, 4 * lines.shape[1]
    rows, full = address_of(space), address_of(space) + 8 * _LINE
    halves = full + _LINE * ((width + 7) // 8 * 8 + 1)
    if h == 2:
        zeros = 128 + 16 * ((width + 7) // 8 * 8)
        for x in range(zeros, zeros + 16):
            space[x] = np.float32(0)
    for y in range(lines.shape[0] // 8):
        source = address_of(lines) + 8 * y * pitch
        if h == 2:
            for x in range(0, width, 8):
                _columns_of_8_rows(source + 4 * x, source + pitch // 2 + 4 * x, pitch, full + _LINE * x)
            _halve_columns(count, width, factors, full, halves)
            for k in range(count, 8 * columns):
                _copy_16(halves + _LINE * (count - 1), halves + _LINE * k)
        for x in range(columns):
            if h == 2:
                _rows_of_8_columns(halves + 8 * _LINE * x, rows)
            else:
                _rows_of_8_rows(source + 32 * x, source + pitch // 2 + 32 * x, pitch, rows)
            target = 256 * (y * columns + x)
            pair_natural(rows, _LINE, address_of(blue) + target, address_of(red) + target)
