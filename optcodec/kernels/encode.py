"""Encode pixels to tokens, one MCU row at a time, so that all stages work on a row while it is in the cache."""

from __future__ import annotations

from optcodec.kernels.dct import exact_zigzag, float_natural, float_zigzag, quantized_zigzag
from optcodec.kernels.entropy import COLUMNS, OFFSET, PITCH, ROWS, V, merge_banks, prime, row_tokens
from optcodec.kernels.export import export, helper
from optcodec.kernels.overshoot import overshot_pair
from optcodec.kernels.samples import load_mcu_row
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
def _overshot_row(components, row, planes, stride, clipped, overshoot, space, quantizers, blocks, masks):
    """Store the zig-zag blocks of luminance anew where samples are clipped, two at a time; see `_quantized_row`."""
    columns, source, target = components[0, COLUMNS], address_of(space), address_of(space) + 512
    for y in range(components[0, V]):
        first = (row * components[0, V] + y) * columns
        if first >= components[0, ROWS] * columns:
            return
        for x in range(0, columns, 2):
            left, right = first + x, first + min(x + 1, columns - 1)
            if clipped[left, 0] | clipped[left, 1] | clipped[right, 0] | clipped[right, 1]:
                float_natural(planes + 8 * y * stride + 8 * x, stride, source)
                other = 256 * (right - left)
                pair = left, right, overshoot, space[256:], target, target + other
                overshot_pair(source, source + other, clipped, *pair)
                index = components[0, OFFSET] + y * components[0, PITCH] + x
                indices = blocks + 128 * index, masks + 8 * index
                quantized_zigzag(target, target + other, address_of(quantizers), *indices)


@export(
    "u8[:,:,:], i64[:,:], i64, i64, i64, i64, i64, i64, i64, f32[:,:], u64[:,:], f32[:], out f32[:], out u8[:],"
    " out i16[:], out i64[:], out u32[:], out i64[:], out i64[:] -> i64"
)
def pixel_tokens(
    pixels, components, h, v, first, last, columns, restart_interval, exact, quantizers, clipped, overshoot,
    space, planes, blocks, masks, tokens, histogram, intervals,
):  # fmt: skip
    """Store the tokens of the MCU rows first..last-1 of a sequential scan; return their number.

    Parameters
    ----------
    pixels : (height, width, 1 or 3) grey or RGB
    components : see `optcodec.kernels.entropy`
    h, v : sampling factors of luminance; those of chrominance are 1
    quantizers : (components, 256) constants for `optcodec.kernels.dct`: 8 rows of 16, twice
    clipped : (blocks, 2) masks of the clipped samples of luminance, or none; see `optcodec.kernels.overshoot`
    overshoot, space : (388,) and (800,) constants and work space for these; the former may be empty without masks
    planes, blocks, masks : work space for one MCU row; `masks` has 36 more entries
    histogram : receives the number of tokens by context in its first half
    """
    height, width, grey = pixels.shape[0], pixels.shape[1], pixels.shape[2] == 1
    plane_start, block_start, mask_start = address_of(planes), address_of(blocks), address_of(masks)
    stride = planes.shape[0] // (10 * v + 17)
    state = masks[masks.shape[0] - 36 :]
    state[:4] = 0
    count = 0
    for row in range(max(first - 1, 0), last):
        load_mcu_row(address_of(pixels), width, height, row * 8 * v, h, v, grey, plane_start, stride)
        _quantized_row(components, row, plane_start, stride, exact, quantizers, block_start, mask_start)
        if clipped.shape[0]:
            samples = plane_start, stride
            _overshot_row(components, row, *samples, clipped, overshoot, space, quantizers, block_start, mask_start)
        if row < first:
            prime(components, row, block_start, state)
            continue
        count = row_tokens(
            components, row, columns, restart_interval, block_start, mask_start, state, address_of(tokens), count,
            histogram, intervals,
        )  # fmt: skip
    merge_banks(histogram)
    return count
