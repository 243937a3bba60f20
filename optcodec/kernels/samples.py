"""Convert pixels to samples: JFIF colour conversion, chroma downsampling and edge padding, one MCU row at a time.

Samples are 8-bit, as T.871 has them. The arithmetic is that of libjpeg (jccolor.c, jcsample.c), so that the samples
are equal to its own: 16-bit fixed-point colour sums, averages with an alternating rounding bias, replicated edges.
"""

from __future__ import annotations

from optcodec.kernels.export import helper
from optcodec.kernels.scalars import load_u8, store_u8
from optcodec.kernels.vector import I16, I32, U8, emit

__all__ = ["copy_pixels", "load_mcu_row", "rgb_16", "sample_stride"]

# T.871, section 7: rows of the RGB -> YCbCr matrix in 16-bit fixed point, and an addend for the offset of 128 and the
# rounding. For chroma the addend is smaller by 2^-16, as in libjpeg (ONE_HALF - 1), so that 255.5 does not become 256.
# All sums are multiples of 2^-16 below 2^8, hence exact in single precision; the sample is their whole part.
_Y, _CB, _CR = (
    [number / 65536 for number in row]
    for row in (
        (19595, 38470, 7471, 32768),
        (-11059, -21709, 32768, 128 * 65536 + 32767),
        (32768, -27439, -5329, 128 * 65536 + 32767),
    )
)


def rgb_16(b, source):
    """R, G and B of 16 pixels (48 bytes) at `source`, as floats."""
    first, second, third = (b.load(source + offset, U8, 16) for offset in (0, 16, 32))
    channels = []
    for channel in range(3):
        offsets = [3 * pixel + channel for pixel in range(16)]  # in bytes
        from_two = first.shuffle(second, [offset if offset < 32 else 0 for offset in offsets])
        order = [pixel if offset < 32 else offset - 16 for pixel, offset in enumerate(offsets)]
        channels.append(from_two.shuffle(third, order).widen(I32).to_float())
    return channels


@emit(4)
def _convert_16(b, source, luminance, blue, red):
    """Convert 16 RGB pixels at `source` to 16 samples of each component."""
    r, g, blue_channel = rgb_16(b, source)
    for target, (of_r, of_g, of_b, offset) in ((luminance, _Y), (blue, _CB), (red, _CR)):
        total = r.fma(of_r, g.fma(of_g, blue_channel.fma(of_b, offset)))
        total.to_int().narrow(U8).store(target)


def _sums_of_neighbours(row):
    """Add neighbours among 32 bytes: 16 sums of 16 bits each."""
    pairs = row.bits_as(I16, 16)
    return (pairs & 255) + ((pairs >> 8) & 255)


@emit(3)
def _average_2x2(b, upper, lower, target):
    total = _sums_of_neighbours(b.load(upper, U8, 32)) + _sums_of_neighbours(b.load(lower, U8, 32))
    ((total + b.constant(I16, [1, 2] * 8)) >> 2).narrow(U8).store(target)


@emit(2)
def _average_2x1(b, row, target):
    total = _sums_of_neighbours(b.load(row, U8, 32)) + b.constant(I16, [0, 1] * 8)
    (total >> 1).narrow(U8).store(target)


@emit(3)
def _average_1x2(b, upper, lower, target):
    total = b.load(upper, U8, 16).widen(I16) + b.load(lower, U8, 16).widen(I16) + 1
    (total >> 1).narrow(U8).store(target)


@emit(2)
def _copy_32(b, source, target):
    b.load(source, U8, 32).store(target)


@emit(2)
def _fill_32(b, value, target):
    value.resize(U8).in_all_lanes(32).store(target)


@helper
def _extend(row, length, stride):
    """Repeat the last of `length` samples up to the end of the row."""
    last = load_u8(row + length - 1)
    position = length
    while position < stride and position & 31:
        store_u8(row + position, last)
        position += 1
    while position < stride:
        _fill_32(last, row + position)
        position += 32


@helper
def copy_pixels(source, count, target):
    """Copy a few RGB pixels."""
    for byte in range(3 * count):
        store_u8(target + byte, load_u8(source + byte))


@helper
def _convert_row(pixels, width, tail, targets, stride):
    """Convert a row of RGB pixels to three rows of samples, padded to the stride; `tail` is work space of 48 bytes."""
    luminance, blue, red = targets
    full = width // 16 * 16  # pixels in full groups of 16
    for x in range(0, full, 16):
        _convert_16(pixels + 3 * x, luminance + x, blue + x, red + x)
    if full < width:
        copy_pixels(pixels + 3 * full, width - full, tail)
        _convert_16(tail, luminance + full, blue + full, red + full)
    _extend(luminance, width, stride)
    _extend(blue, width, stride)
    _extend(red, width, stride)


@helper
def _copy(source, target, length):
    """Copy a multiple of 32 bytes."""
    for x in range(0, length, 32):
        _copy_32(source + x, target + x)


@helper
def _downsample(rows, target, stride, h, v):
    """Average `v` rows of full resolution (at `rows`, one stride apart) to one row with 1/h of their length."""
    if h == 2 and v == 2:
        for x in range(0, stride // 2, 16):
            _average_2x2(rows + 2 * x, rows + stride + 2 * x, target + x)
    elif h == 2:
        for x in range(0, stride // 2, 16):
            _average_2x1(rows + 2 * x, target + x)
    else:
        for x in range(0, stride, 16):
            _average_1x2(rows + x, rows + stride + x, target + x)


@helper
def sample_stride(columns, h):
    """Bytes of a row of samples in the work space, for so many MCUs with `h` blocks of luminance side by side."""
    return (columns * 8 * h + 63) // 32 * 32


@helper
def load_mcu_row(pixels, width, height, first, h, v, grey, planes, stride):
    """Compute the samples of the MCU row whose first pixel row is `first`.

    `planes` is the address of rows of `stride` bytes (a multiple of 32): 8 v rows of luminance, 8 of Cb, 8 of Cr, then
    2 v + 1 rows of work space. Rows below the image repeat the last sample row of their component, as in libjpeg.
    """
    blue, red = planes + 8 * v * stride, planes + (8 * v + 8) * stride
    full_blue, full_red = planes + (8 * v + 16) * stride, planes + (9 * v + 16) * stride
    tail = planes + (10 * v + 16) * stride
    for j in range(8):
        luminance = planes + j * v * stride
        inside = first + j * v < height
        for i in range(v):
            y = min(first + j * v + i, height - 1)
            if not inside:
                _copy(planes + (j * v - 1) * stride, luminance + i * stride, stride)
            elif grey:
                row, source = luminance + i * stride, pixels + y * width
                for x in range(width):
                    store_u8(row + x, load_u8(source + x))
                _extend(row, width, stride)
            elif h * v == 1:
                targets = (luminance, blue + j * stride, red + j * stride)
                _convert_row(pixels + 3 * y * width, width, tail, targets, stride)
            else:
                targets = (luminance + i * stride, full_blue + i * stride, full_red + i * stride)
                _convert_row(pixels + 3 * y * width, width, tail, targets, stride)
        if grey:
            continue
        if not inside:
            _copy(blue + (j - 1) * stride, blue + j * stride, stride)
            _copy(red + (j - 1) * stride, red + j * stride, stride)
        elif h * v > 1:
            _downsample(full_blue, blue + j * stride, stride, h, v)
            _downsample(full_red, red + j * stride, stride, h, v)
