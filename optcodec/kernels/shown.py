"""Samples and pixels as decoders show them: the accurate inverse DCT, interpolation and colours of libjpeg-turbo.

Samples of a component are stored in rows with a margin, in which the first and the last sample of each row are
repeated: then all pixels are interpolated alike (jdsample.c).
"""

from __future__ import annotations

from optcodec.kernels.dct import exact_samples
from optcodec.kernels.export import export, helper
from optcodec.kernels.samples import copy_pixels
from optcodec.kernels.scalars import load_u8, store_u8
from optcodec.kernels.vector import I16, I32, U8, address_of, emit

__all__ = ["MARGIN", "decoded_samples", "rgb_pixels", "upsampled_row"]

MARGIN = 16  # samples before each row of samples; behind it there are at least as many
_NOT_INTERPOLATED = 2  # columns of samples up to which libjpeg repeats samples (jdsample.c: jinit_upsampler)
# T.871, section 7, in 16-bit fixed point: what R, G and B take of Cb and of Cr (jdcolor.c).
_OF_BLUE, _OF_RED = (0, -22554, 116130), (91881, -46802, 0)


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
def upsampled_row(samples, count, y, width, h, v, target):
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


@emit(4)
def _rgb_16(b, luminance, blue, red, target):
    """Store 16 pixels (48 bytes) of these samples."""
    y, of_blue, of_red = (b.load(plane, U8, 16).widen(I32) for plane in (luminance, blue, red))
    of_blue, of_red = of_blue - 128, of_red - 128
    changes = (of_blue * blue + of_red * red for blue, red in zip(_OF_BLUE, _OF_RED, strict=True))
    r, g, blue_channel = ((y + ((change + 32768) >> 16)).within(0, 255).narrow(U8) for change in changes)
    for first in (0, 16, 32):
        places = [divmod(first + byte, 3) for byte in range(16)]  # pixel and channel
        from_two = r.shuffle(g, [16 * (channel == 1) + pixel for pixel, channel in places])
        order = [16 + pixel if channel == 2 else byte for byte, (pixel, channel) in enumerate(places)]
        from_two.shuffle(blue_channel, order).store(target + first)


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


@export("u8[:,:], u8[:,:], u8[:,:], i64, i64, i64, i64, out u8[:,:], out u8[:,:,:]")
def rgb_pixels(luminance, blue, red, h, v, first, last, rows, pixels):
    """Make rows of RGB pixels of samples of Y, Cb and Cr.

    Parameters
    ----------
    luminance, blue, red : see `decoded_samples`; those of luminance are one for each pixel
    h, v : 2 if columns of chrominance are subsampled, and if rows are, else 1
    first, last : rows of pixels
    rows : (3, pitch) work space; the pitch is the width, rounded up to a multiple of 32, and at least 48
    pixels : (height, width, 3) receives the rows
    """
    height, width = pixels.shape[0], pixels.shape[1]
    count, full = (height + v - 1) // v, width // 16 * 16
    blue_row, red_row = address_of(rows), address_of(rows) + rows.shape[1]
    tail = address_of(rows) + 2 * rows.shape[1]
    for y in range(first, last):
        shown_luminance = address_of(luminance) + y * luminance.shape[1] + MARGIN
        shown_blue = upsampled_row(blue, count, y, width, h, v, blue_row)
        shown_red = upsampled_row(red, count, y, width, h, v, red_row)
        target = address_of(pixels) + 3 * width * y
        for x in range(0, full, 16):
            _rgb_16(shown_luminance + x, shown_blue + x, shown_red + x, target + 3 * x)
        if full < width:
            _rgb_16(shown_luminance + full, shown_blue + full, shown_red + full, tail)
            copy_pixels(tail, width - full, target + 3 * full)
