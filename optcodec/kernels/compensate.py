"""Luminance that makes up for the errors of chrominance, which is decoded as libjpeg decodes it.

Samples of chrominance are stored in rows with a margin, in which the first and the last sample of each row are
repeated: then all pixels are interpolated alike (jdsample.c).
"""

from __future__ import annotations

import numpy as np

from optcodec.kernels.dct import exact_samples, pair_natural
from optcodec.kernels.downsample import chrominance_of, luminance_of
from optcodec.kernels.export import export, helper
from optcodec.kernels.samples import copy_pixels, rgb_16
from optcodec.kernels.scalars import load_u8, store_u8
from optcodec.kernels.vector import I16, I32, U8, address_of, emit

__all__ = ["MARGIN", "decoded_samples", "luminance_coefficients"]

MARGIN = 16  # samples before each row of samples; behind it there are at least as many
_NOT_INTERPOLATED = 2  # columns of samples up to which libjpeg repeats samples (jdsample.c: jinit_upsampler)
# Mean shift of R, G and B by an error of 1 in Cb, and in Cr (T.871, section 7).
_SHIFT_BLUE, _SHIFT_RED = (float(np.float32(shift)) for shift in ((1.772 - 0.344136) / 3, (1.402 - 0.714136) / 3))


@emit(2)
def _luminance_16(b, source, target):
    """Level-shifted luminance of 16 RGB pixels."""
    (luminance_of(*rgb_16(b, source)) - 128.0).store(target)


@emit(4)
def _compensated_16(b, source, blue, red, target):
    """Level-shifted luminance of 16 RGB pixels that are shown with these samples of Cb and Cr."""
    r, g, blue_channel = rgb_16(b, source)
    luminance = luminance_of(r, g, blue_channel)
    exact = chrominance_of(r, blue_channel, luminance)
    for plane, wanted, shift in zip((blue, red), exact, (_SHIFT_BLUE, _SHIFT_RED), strict=True):
        shown = b.load(plane, U8, 16).widen(I32).to_float() - 128.0
        luminance = luminance - (shown - wanted) * shift
    (luminance - 128.0).store(target)


def _three_to_one(b, near, far):
    """Three times some samples plus some others."""
    return b.load(near, U8, 16).widen(I16) * 3 + b.load(far, U8, 16).widen(I16)


def _store_alternately(even, odd, target):
    even.narrow(U8).shuffle(odd.narrow(U8), [lane for k in range(16) for lane in (k, 16 + k)]).store(target)


@emit(3)
def _interpolate_both(b, near, far, target):
    """32 pixels of a row from 16 samples of the nearer row and of the farther one."""
    sums, left, right = (_three_to_one(b, near + offset, far + offset) for offset in (0, -1, 1))
    _store_alternately((sums * 3 + left + 8) >> 4, (sums * 3 + right + 7) >> 4, target)


@emit(2)
def _interpolate_columns(b, row, target):
    """32 pixels from 16 samples of a row."""
    left, right = (_three_to_one(b, row, row + offset) for offset in (-1, 1))
    _store_alternately((left + 1) >> 2, (right + 2) >> 2, target)


@emit(4)
def _interpolate_rows(b, near, far, rounding, target):
    """16 pixels from samples of the nearer row and of the farther one."""
    rounded = _three_to_one(b, near, far) + rounding.resize(I16).in_all_lanes(16)
    (rounded >> 2).narrow(U8).store(target)


@emit(2)
def _repeat_columns(b, row, target):
    """32 pixels from 16 samples, each of which is repeated."""
    samples = b.load(row, U8, 16)
    _store_alternately(samples, samples, target)


@helper
def _upsample(samples, count, y, width, h, v, target):
    """Make row `y` of pixels of a component; returns its address, which is `target` or that of the samples.

    `count` is the number of rows of samples that are not only there to fill up blocks.
    """
    pitch = samples.shape[1]
    near = address_of(samples) + y // v * pitch + MARGIN
    if h == 1 and v == 1:
        return near
    columns = (width + h - 1) // h
    other = min(max(y // 2 + (1 if y & 1 else -1), 0), count - 1) if v == 2 else y
    far = address_of(samples) + other * pitch + MARGIN
    for x in range(0, columns, 16):
        if h == 1:
            _interpolate_rows(near + x, far + x, 2 if y & 1 else 1, target + x)
        elif columns <= _NOT_INTERPOLATED:
            _repeat_columns(near + x, target + 2 * x)
        elif v == 2:
            _interpolate_both(near + x, far + x, target + 2 * x)
        else:
            _interpolate_columns(near + x, target + 2 * x)
    return target


@helper
def _luminance_row(pixels, y, blue, red, compensates, tail, target):
    """Make a row of luminance, and repeat its last sample up to a multiple of 16."""
    width = pixels.shape[1]
    source = address_of(pixels) + 3 * width * y
    for x in range(0, width, 16):
        place = source + 3 * x
        if x + 16 > width:
            copy_pixels(place, width - x, tail)
            place = tail
        if compensates:
            _compensated_16(place, blue + x, red + x, address_of(target) + 4 * x)
        else:
            _luminance_16(place, address_of(target) + 4 * x)
    for x in range(width, target.shape[0]):
        target[x] = target[width - 1]


@export("i16[:,:], i32[:], i64, i64, out u8[:,:]")
def decoded_samples(indices, steps, columns, width, samples):
    """Decode rows of blocks of a component.

    Parameters
    ----------
    indices : (rows * columns, 64)
    steps : (64,) quantization table
    columns : blocks in a row
    width : samples in a row, less those that only fill up blocks
    samples : (8 * rows, pitch) receives rows of samples with their margin; the pitch is at least 16 * ceil(columns / 2)
        + 2 * MARGIN
    """
    pitch = samples.shape[1]
    for y in range(samples.shape[0] // 8):
        source = address_of(indices) + 128 * columns * y
        target = address_of(samples) + 8 * y * pitch + MARGIN
        for x in range(0, columns, 2):
            second = min(x + 1, columns - 1)
            exact_samples(
                source + 128 * x, source + 128 * second, address_of(steps), target + 8 * x, target + 8 * second, pitch
            )
        for row in range(8):
            start = target + row * pitch
            store_u8(start - 1, load_u8(start))
            store_u8(start + width, load_u8(start + width - 1))


@export("u8[:,:,:], u8[:,:], u8[:,:], i64, i64, i64, i64, out u8[:,:], out f32[:], out f32[:,:]")
def luminance_coefficients(pixels, blue, red, h, v, first, last, rows, space, blocks):
    """Compute the coefficients of luminance, for samples of chrominance that decoders will show.

    Parameters
    ----------
    pixels : (height, width, 3) RGB
    blue, red : see `decoded_samples`; without rows, chrominance is taken to be exact
    h, v : 2 if columns are subsampled, and if rows are, else 1
    first, last : rows of blocks
    rows : (3, pitch) work space; the pitch is the width, rounded up to a multiple of 32, and at least 48
    space : (8 * width + 64,) work space, where the width is rounded up to a multiple of 16
    blocks : (rows * columns, 64) receives the coefficients
    """
    height, width = pixels.shape[0], pixels.shape[1]
    columns, pitch, compensates = (width + 7) // 8, (width + 15) // 16 * 16, blue.shape[0] > 0
    count = (height + v - 1) // v
    upsampled, tail = (address_of(rows), address_of(rows) + rows.shape[1]), address_of(rows) + 2 * rows.shape[1]
    spare = address_of(space) + 32 * pitch
    shown_blue = shown_red = np.int64(0)
    for y in range(first, last):
        for row in range(8):
            line = min(8 * y + row, height - 1)
            if compensates:
                shown_blue = _upsample(blue, count, line, width, h, v, upsampled[0])
                shown_red = _upsample(red, count, line, width, h, v, upsampled[1])
            samples = space[row * pitch : (row + 1) * pitch]
            _luminance_row(pixels, line, shown_blue, shown_red, compensates, tail, samples)
        for x in range(0, columns, 2):
            source, target = address_of(space) + 32 * x, address_of(blocks) + 256 * (y * columns + x)
            pair_natural(source, 4 * pitch, target, target + 256 if x + 1 < columns else spare)
