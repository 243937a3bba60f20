"""Loads and stores of single numbers at addresses, and bit counts, which numba does not offer.

Numba's own indexing handles negative indices and widens types, which takes too long in the inner loops of entropy
coding.
"""

from __future__ import annotations

from numba import types

from optcodec.kernels.vector import I16, I32, U8, U64, emit

__all__ = [
    "bit_length",
    "count_ones",
    "load_i16",
    "load_u8",
    "load_u32",
    "load_u64",
    "load_u64_big_endian",
    "store_u8",
    "store_u32",
    "store_u64",
    "store_u64_big_endian",
    "trailing_zeros",
]


@emit(1, types.int64)
def trailing_zeros(b, value):
    """Return the position of the lowest set bit of a value that is not 0."""
    return value.count_trailing_zeros()


@emit(1, types.int64)
def bit_length(b, value):
    """Return the number of bits of a value of 0 or more; 0 has 0 bits."""
    return (value.count_leading_zeros() ^ -1) + 65


@emit(1, types.int64)
def count_ones(b, value):
    """Count the bits that are set."""
    return value.count_ones()


@emit(1, types.int64)
def load_u8(b, address):
    return b.load(address, U8).resize(U64)


@emit(1, types.int64)
def load_i16(b, address):
    return b.load(address, I16).resize(U64, signed=True)


@emit(1, types.int64)
def load_u32(b, address):
    return b.load(address, I32).resize(U64)


@emit(1, types.int64)
def load_u64(b, address):
    return b.load(address, U64)


@emit(1, types.int64)
def load_u64_big_endian(b, address):
    return b.load(address, U64).swap_bytes()


@emit(2)
def store_u8(b, address, value):
    value.resize(U8).store(address)


@emit(2)
def store_u32(b, address, value):
    value.resize(I32).store(address)


@emit(2)
def store_u64(b, address, value):
    value.store(address)


@emit(2)
def store_u64_big_endian(b, address, value):
    value.swap_bytes().store(address)
