"""Forward transform: pixels to DCT coefficients before quantization, one MCU row at a time."""

from __future__ import annotations

from optcodec.kernels.dct import float_natural, pair_natural
from optcodec.kernels.entropy import ADDRESS, COLUMNS, ROWS, V
from optcodec.kernels.export import export, inlined
from optcodec.kernels.samples import load_mcu_row
from optcodec.kernels.vector import F32, address_of, emit, memory_at

__all__ = ["pixel_coefficients", "plane_coefficients", "row_of_blocks"]


@emit(2)
def _copy_block(b, source, target):
    """Copy a block of 64 floats."""
    for offset in range(0, 256, 64):
        b.load(source + offset, F32, 16).store(target + offset)


@inlined
def row_of_blocks(samples, stride, columns, target, work):
    """Store the coefficients of a row of blocks; ``work`` has room for two blocks, since they are made in pairs."""
    for x in range(0, columns - 1, 2):
        float_natural(samples + 8 * x, stride, target + 256 * x)
    if columns & 1:
        float_natural(samples + 8 * (columns - 1), stride, work)
        _copy_block(work, target + 256 * (columns - 1))


@export("u8[:,:,:], i64[:,:], i64, i64, i64, i64, out u8[:], out f32[:]")
def pixel_coefficients(pixels, components, h, v, first, last, planes, pair):
    """Store the coefficients of the MCU rows first..last-1 in the float32 blocks whose addresses `components` has."""
    height, width, grey = pixels.shape[0], pixels.shape[1], pixels.shape[2] == 1
    plane_start, work = address_of(planes), address_of(pair)
    stride = planes.shape[0] // (10 * v + 17)
    for row in range(first, last):
        load_mcu_row(address_of(pixels), width, height, row * 8 * v, h, v, grey, plane_start, stride)
        sample_row = plane_start
        for component in range(components.shape[0]):
            columns = components[component, COLUMNS]
            coefficients = memory_at(components[component, ADDRESS], 256 * components[component, ROWS] * columns)
            for y in range(row * components[component, V], row * components[component, V] + components[component, V]):
                if y < components[component, ROWS]:
                    row_of_blocks(sample_row, stride, columns, coefficients + 256 * y * columns, work)
                sample_row += 8 * stride


@export("f32[:,:], out f32[:,:]")
def plane_coefficients(samples, blocks):
    """Compute the coefficients of level-shifted samples.

    Parameters
    ----------
    samples : (8 * rows, 8 * columns) samples minus 128; the number of columns is even
    blocks : (rows * columns, 64) receives the coefficients
    """
    rows, columns = samples.shape[0] // 8, samples.shape[1] // 8
    for y in range(rows):
        for x in range(0, columns, 2):
            source = address_of(samples) + 4 * (8 * y * samples.shape[1] + 8 * x)
            target = address_of(blocks) + 256 * (y * columns + x)
            pair_natural(source, 4 * samples.shape[1], target, target + 256)
