"""Arithmetic has the same results on every processor: products and sums rounded once, and linear equations."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from optcodec.kernels import export, native, vector
from optcodec.kernels.vector import F32, address_of, emit

LANES = 8


@emit(4)
def multiply_add(b, left, right, addend, out) -> None:
    """One vector of ``left * right + addend``."""
    factors = (b.load(address, F32, LANES) for address in (left, right, addend))
    first, second, third = factors
    first.fma(second, third).store(out)


def _kernel():
    """A kernel that multiplies and adds, compiled for a processor without an instruction for both (FMA)."""

    @export.export("f32[:], f32[:], f32[:], out f32[:]")
    def fused(left, right, addend, out):
        for start in range(0, left.shape[0], LANES):
            place = start * 4
            multiply_add(
                address_of(left) + place, address_of(right) + place, address_of(addend) + place, address_of(out) + place
            )

    stem = __name__.rpartition(".")[2]
    try:
        return native.link(*export.compile_exports(stem)).fused
    finally:
        del export._EXPORTS[stem]


def _nearest(exact: Fraction) -> np.float32:
    """The float that is nearest to a number; of two equally near ones, the one whose last bit is 0."""
    low = np.float32(float(exact))
    near = [np.nextafter(low, np.float32(-np.inf)), low, np.nextafter(low, np.float32(np.inf))]
    return min(near, key=lambda value: (abs(Fraction(float(value)) - exact), int(value.view(np.uint32)) & 1))


def _cases() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Factors and addends: random numbers, sums that cancel, and products close to the middle between two floats."""
    rng = np.random.default_rng(0)
    left, right = rng.normal(0, 300, (2, 3000)).astype(np.float32)
    addend = rng.normal(0, 3e4, 3000).astype(np.float32)
    addend[:1000] = -(left[:1000] * right[:1000])
    odd = (2 * rng.integers(1 << 22, 1 << 23, 1000) + 1).astype(np.float32)
    left[1000:2000] = odd  # its product with 1.5 has one bit too many; a small addend decides how it is rounded
    right[1000:2000] = 1.5
    addend[1000:2000] = rng.choice([-1, 0, 1], 1000) * 2.0 ** rng.integers(-60, 1, 1000)
    return left, right, addend


@pytest.mark.parametrize("one_instruction", [True, False])
def test_products_and_sums_are_rounded_once(monkeypatch: pytest.MonkeyPatch, one_instruction: bool) -> None:
    if one_instruction and not vector.fuses():
        pytest.skip("this processor has no instruction for it")
    monkeypatch.setattr(vector, "fuses", lambda: one_instruction)
    left, right, addend = _cases()
    computed = np.empty_like(left)
    _kernel()(left, right, addend, computed)
    exact = (
        Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
        for a, b, c in zip(left, right, addend, strict=True)
    )
    expected = np.array([_nearest(exact_value) for exact_value in exact])
    assert np.array_equal(computed, expected)
    assert np.mean(left * right + addend != expected) > 0.05  # rounding the product first gives another result,
    twice = (left.astype(np.float64) * right + addend).astype(np.float32)
    assert np.any(twice != expected)  # even if the product is rounded to double precision
