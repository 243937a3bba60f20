"""Encode pixels to tokens, one MCU row at a time, so that all stages work on a row while it is in the cache.

A small picture is coded in the same call: each call takes microseconds, and all of it not much more than a hundred.
"""

from __future__ import annotations

from optcodec.kernels.bits import write_interval
from optcodec.kernels.clipped import mark_blocks
from optcodec.kernels.dct import exact_zigzag, float_natural, float_zigzag, quantized_zigzag
from optcodec.kernels.entropy import COLUMNS, OFFSET, PITCH, ROWS, V, merge_banks, prime, row_tokens
from optcodec.kernels.export import export, helper
from optcodec.kernels.huffman import build_tables
from optcodec.kernels.overshoot import overshot_pair
from optcodec.kernels.samples import load_mcu_row, sample_stride
from optcodec.kernels.vector import address_of

__all__ = ["pixel_tokens"]


@helper
def _quantized_row(components, row, planes, stride, exact, quantizers, blocks, masks):
    """Store the quantized zig-zag blocks of the MCU row of samples at `planes`.

    Two blocks are computed at a time; in a row with an odd number of blocks, the last one has no meaning.
    """
    sample_row = planes
    for component in range(components.shape[0]):
        quantizer = address_of(quantizers) + 1024 * component
        for y in range(components[component, V]):
            if row * components[component, V] + y < components[component, ROWS]:
                index = components[component, OFFSET] + y * components[component, PITCH]
                for x in range(0, components[component, COLUMNS], 2):
                    target = index + x
                    if exact:
                        exact_zigzag(
                            sample_row + 8 * x,
                            stride,
                            quantizer,
                            quantizer + 512,
                            blocks + 128 * target,
                            masks + 8 * target,
                        )
                    else:
                        float_zigzag(sample_row + 8 * x, stride, quantizer, blocks + 128 * target, masks + 8 * target)
            sample_row += 8 * stride


@helper
def _overshot_row(pixels, components, row, planes, stride, clipped, overshoot, space, quantizers, blocks, masks):
    """Store the zig-zag blocks of luminance anew where samples are clipped, two at a time; see `_quantized_row`."""
    columns, source, target = components[0, COLUMNS], address_of(space), address_of(space) + 512
    for y in range(min(components[0, V], components[0, ROWS] - row * components[0, V])):
        samples = planes + 8 * y * stride
        if not mark_blocks(pixels, row * components[0, V] + y, clipped, 0, samples, stride):
            continue
        for x in range(0, columns, 2):
            right = min(x + 1, columns - 1)
            if clipped[x, 0] | clipped[x, 1] | clipped[right, 0] | clipped[right, 1]:
                float_natural(samples + 8 * x, stride, source)
                other = 256 * (right - x)
                overshot_pair(source, source + other, clipped, x, right, overshoot, space[256:], target, target + other)
                index = components[0, OFFSET] + y * components[0, PITCH] + x
                indices = blocks + 128 * index, masks + 8 * index
                quantized_zigzag(target, target + other, address_of(quantizers), *indices)


@helper
def _write_scan(tokens, count, histogram, numbers, target):
    """Build optimal Huffman tables for a whole scan without restart intervals, and write it with them.

    Parameters
    ----------
    tokens : address of the tokens
    count : number of tokens
    histogram : (9 * 256,) number of tokens by context
    numbers : (4665,) 36 numbers of work space; the codes (9 * 256) and the work space (2315) of `build_tables`; the
        number of symbols of each of 8 slots; how many bytes the definition has, and how many the scan
    target : receives the definition, in 8 * 273 bytes, then the scan; has 12 bytes for each token, and 240 more
    """
    codes, work, used = numbers[36:2340], numbers[2340:4655], numbers[4655:4663]
    numbers[4663] = build_tables(histogram, work, used, codes, target[:2184])
    scan = address_of(target) + 2184
    numbers[4664] = write_interval(tokens, count, address_of(codes), scan + 8 * count + 160, scan)


@export(
    "u8[:,:,:], i64[:,:], i64, i64, i64, i64, i64, i64, i64, f32[:,:], f32[:], out f32[:], out u64[:,:], out u8[:],"
    " out i64[:], out u32[:], out i64[:], out i64[:], out u8[:] -> i64"
)
def pixel_tokens(
    pixels, components, first, last, h, v, columns, restart_interval, exact, quantizers, overshoot, space, clipped,
    samples, numbers, tokens, histogram, intervals, target,
):  # fmt: skip
    """Store the tokens of the MCU rows first..last-1 of a sequential scan; return their number.

    Parameters
    ----------
    pixels : (height, width, 1 or 3) grey or RGB
    components : see `optcodec.kernels.entropy`
    h, v : sampling factors of luminance; those of chrominance are 1
    quantizers : (components, 256) constants for `optcodec.kernels.dct`: 8 rows of 16, twice
    overshoot : (388,) constants of `optcodec.kernels.overshoot`; or none, and no sample may overshoot
    space, clipped : (800,) and (columns of blocks, 2) work space for these
    samples : work space for the samples of one MCU row, then for its zig-zag blocks and their masks
    numbers, target : see `_write_scan`; or (36,) work space and nothing, and the scan is not written
    histogram : receives the number of tokens by context in its first half
    """
    height, width, grey = pixels.shape[0], pixels.shape[1], pixels.shape[2] == 1
    stride = sample_stride(columns, h)
    planes = address_of(samples)
    blocks = planes + stride * (10 * v + 17)
    last_component = components[components.shape[0] - 1]
    masks = blocks + 128 * (last_component[OFFSET] + last_component[V] * last_component[PITCH])
    state = numbers[:36]
    state[:4] = 0
    count = 0
    for row in range(max(first - 1, 0), last):
        load_mcu_row(address_of(pixels), width, height, row * 8 * v, h, v, grey, planes, stride)
        _quantized_row(components, row, planes, stride, exact, quantizers, blocks, masks)
        if overshoot.shape[0]:
            of_row = planes, stride, clipped, overshoot, space, quantizers, blocks, masks
            _overshot_row(pixels, components, row, *of_row)
        if row < first:
            prime(components, row, blocks, state)
            continue
        count = row_tokens(
            components, row, columns, restart_interval, blocks, masks, state, address_of(tokens), count, histogram,
            intervals,
        )  # fmt: skip
    merge_banks(histogram)
    if target.shape[0]:
        _write_scan(address_of(tokens), count, histogram[: histogram.shape[0] // 2], numbers, target)
    return count
