"""Quantization ranges: which numbers the 8 bits of activations and weights represent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from restore.compress.quantize import best_change_range, best_range  # noqa: E402
from restore.networks.quantized import weight_scales  # noqa: E402


def test_the_best_range() -> None:
    assert best_range(np.array([0, 255], np.float32)) == (1.0, 0)
    assert best_range(np.zeros(3, np.float32)) == (1.0, 0)
    assert best_range(np.array([-1, 1], np.float32)) in ((pytest.approx(2 / 255), 127), (pytest.approx(2 / 255), 128))
    tails = np.random.default_rng(0).laplace(0.2, 1, 20_000).astype(np.float32)

    def error(step: float, zero: int) -> float:
        restored = [step * (min(max(round(value / step) + zero, 0), 255) - zero) for value in tails.tolist()]
        return float(np.mean((tails - restored) ** 2))

    whole = (tails.max() - tails.min()) / 255
    least_error = error(*best_range(tails))
    assert least_error < error(whole, round(-tails.min() / whole))
    assert least_error < 1.01 * min(
        error(step, zero) for step in np.linspace(0.3, 1, 8) * whole for zero in (110, 118, 126)
    )


@given(st.integers(0, 7), st.floats(-0.5, 0.5))
def test_rounding_to_the_levels_of_the_change_does_not_move_the_rounding_to_samples(part: int, change: float) -> None:
    spread = np.linspace(-127, 127, 41, dtype=np.float32) / (255 * (2 * part + 1))
    step, zero = best_change_range(spread)
    samples = 1 / (255 * step)
    assert samples == pytest.approx(2 * part + 1)
    assert zero == 128
    exact = change * 254 * step  # within the levels
    levels = np.rint(exact / step)
    if abs((exact * 255) % 1 - 0.5) > 1e-6:
        assert np.rint(levels * step * 255 + 1e-12) == np.rint(exact * 255)


def test_weight_scales() -> None:
    weights = torch.tensor([[128.0, -2.0], [1.0, 0.5], [0.0, 0.0], [-0.5, 0.25]]).view(4, 2, 1, 1)
    assert weight_scales(weights, None, 1.0).tolist() == pytest.approx([2, 1 / 64, 1 / 64, 0.5 / 64])


def test_a_bias_fits_into_32_bits_of_the_steps_of_its_filter() -> None:
    weights, bias = torch.tensor([1e-20, 1.0]).view(2, 1, 1, 1), torch.tensor([0.5, -0.5])
    scales = weight_scales(weights, bias, 0.25)
    assert scales.tolist() == pytest.approx([0.5 / 0.25 / 2**30, 1 / 64])
    assert (bias / (scales * 0.25)).abs().max() <= 2**30
