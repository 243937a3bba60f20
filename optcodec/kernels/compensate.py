"""Luminance that makes up for the errors of chrominance, which is decoded as libjpeg decodes it."""

from __future__ import annotations

import numpy as np

from optcodec.kernels.dct import pair_natural
from optcodec.kernels.downsample import chrominance_of, luminance_of
from optcodec.kernels.export import export, helper
from optcodec.kernels.samples import copy_pixels, rgb_16
from optcodec.kernels.shown import upsampled_row
from optcodec.kernels.vector import I32, U8, address_of, emit

__all__ = ["luminance_coefficients"]

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


@export("u8[:,:,:], u8[:,:], u8[:,:], i64, i64, i64, i64, out u8[:,:], out f32[:], out f32[:,:]")
def luminance_coefficients(pixels, blue, red, h, v, first, last, rows, space, blocks):
    """Compute the coefficients of luminance, for samples of chrominance that decoders will show.

    Parameters
    ----------
    pixels : (height, width, 3) RGB
    blue, red : see `optcodec.kernels.shown.decoded_samples`; without rows, chrominance is taken to be exact
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
                shown_blue = upsampled_row(blue, count, line, width, h, v, upsampled[0])
                shown_red = upsampled_row(red, count, line, width, h, v, upsampled[1])
            samples = space[row * pitch : (row + 1) * pitch]
            _luminance_row(pixels, line, shown_blue, shown_red, compensates, tail, samples)
        for x in range(0, columns, 2):
            source, target = address_of(space) + 32 * x, address_of(blocks) + 256 * (y * columns + x)
            pair_natural(source, 4 * pitch, target, target + 256 if x + 1 < columns else spare)
