"""The classical baselines: deblocking compared with a naive filter, and properties of the smoothed images."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.fft import dctn

import optcodec
from optcodec.rates.measures import psnr_b_db
from restore.evaluation.baselines import deblock_plane, smooth_image, smooth_plane
from restore.evaluation.receivers import make_receiver
from restore.runtime.decode import receive
from restore.runtime.image import decode_image


def jpeg(image: np.ndarray, quality: int, **options: object) -> bytes:
    target = io.BytesIO()
    Image.fromarray(image).save(target, "JPEG", quality=quality, **options)
    return target.getvalue()


def waves(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.rint(128 + 60 * np.sin(x / 17) + 50 * np.cos(y / 23 + x / 40)).astype(np.uint8)


def naive_line(line: list[float], alpha: float, beta: float) -> list[float]:
    """H.264's filter of intra borders on one line of samples (ITU-T H.264, 8.7.2.4), without its integer rounding."""
    out = list(line)
    for at in range(8, len(line) - 3, 8):
        p = [line[at - 1 - i] for i in range(4)]
        q = [line[at + i] for i in range(4)]
        if abs(p[0] - q[0]) >= alpha or abs(p[1] - p[0]) >= beta or abs(q[1] - q[0]) >= beta:
            continue
        for a, b, sign, first in ((p, q, -1, at - 1), (q, p, 1, at)):
            if abs(a[2] - a[0]) < beta and abs(p[0] - q[0]) < alpha / 4 + 2:
                out[first] = (a[2] + 2 * a[1] + 2 * a[0] + 2 * b[0] + b[1]) / 8
                out[first + sign] = (a[2] + a[1] + a[0] + b[0]) / 4
                out[first + 2 * sign] = (2 * a[3] + 3 * a[2] + a[1] + a[0] + b[0]) / 8
            else:
                out[first] = (2 * a[1] + a[0] + b[1]) / 4
    return out


@settings(max_examples=25, deadline=None)
@given(st.integers(8, 30), st.integers(8, 30), st.integers(2, 120), st.integers(0, 2**32 - 1))
def test_deblocking_equals_the_naive_filter(height: int, width: int, step: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    level = rng.integers(0, 12, (4, 4)).repeat(8, 0).repeat(8, 1)[:height, :width]
    plane = (100 + level * step / 10 + rng.integers(0, 3, (height, width))).astype(np.float32)
    quantization = 4 + 6 * np.log2(step)
    alpha, beta = 0.8 * (2 ** (min(quantization, 51) / 6) - 1), 0.5 * min(quantization, 51) - 7
    expected = np.array([naive_line(row, alpha, beta) for row in plane.tolist()])
    expected = np.array([naive_line(row, alpha, beta) for row in expected.T.tolist()]).T
    assert deblock_plane(plane, np.full((8, 8), step)) == pytest.approx(expected, abs=1e-3)


def test_small_jumps_at_block_borders_are_smoothed_and_edges_are_kept() -> None:
    steps = np.full((8, 8), 16)
    plane = np.full((16, 24), 100, np.float32)
    plane[:, 8:16] = 108  # alpha is 19.5 (QP 28), so this is filtered by 3 taps
    plane[:, 16:] = 220  # an edge of the image
    out = deblock_plane(plane, steps)
    assert out[5, 5:11].tolist() == [100, 100, 102, 106, 108, 108]
    assert np.array_equal(out[:, 14:], plane[:, 14:])
    plane[:, 8:16] = 104  # less than alpha / 4 + 2: the strong filter
    assert deblock_plane(plane, steps)[5, 4:12].tolist() == [100, 100.5, 101, 101.5, 102.5, 103, 103.5, 104]
    assert np.array_equal(deblock_plane(plane, np.ones((8, 8))), plane)  # fine steps: nothing to filter


@pytest.mark.parametrize("quality", [10, 40])
def test_smoothing_stays_in_the_quantization_intervals_and_lowers_the_variation(quality: int) -> None:
    noise = np.random.default_rng(0).integers(-20, 21, (64, 72))
    received = receive(jpeg(np.clip(waves(64, 72) + noise, 0, 255).astype(np.uint8), quality))
    blocks, steps = received.coefficients.components[0].blocks, received.steps(0)
    plane = smooth_plane(blocks, steps)
    tiles = plane.reshape(8, 8, 9, 8).transpose(0, 2, 1, 3).astype(np.float64) - 128
    away = np.abs(dctn(tiles, axes=(2, 3), norm="ortho") / steps - blocks)
    assert away.max() <= 0.5 + 1e-4

    def variation(image: np.ndarray) -> float:
        return float(np.abs(np.diff(image, axis=0)).sum() + np.abs(np.diff(image, axis=1)).sum())

    assert variation(plane) < 0.95 * variation(decode_image(received).astype(np.float64))


def test_both_baselines_improve_a_smooth_image() -> None:
    image = waves(90, 101)
    data = jpeg(image, 10)
    received = receive(data)
    plain = decode_image(received)
    for filtered, psnr_gain, psnr_b_gain in (
        (make_receiver("deblock").receive(data), 0.5, 1.0),
        (smooth_image(received), 1.0, 1.5),
    ):
        assert filtered.shape == image.shape
        assert optcodec.psnr_db(image, filtered) > optcodec.psnr_db(image, plain) + psnr_gain
        assert psnr_b_db(image, filtered) > psnr_b_db(image, plain) + psnr_b_gain


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_colour_of_any_sampling_and_odd_size(subsampling: str) -> None:
    image = np.dstack([waves(51, 67), waves(67, 51).T, 255 - waves(51, 67)])
    data = jpeg(image, 20, subsampling=subsampling)
    received = receive(data)
    plain = optcodec.psnr_db(image, decode_image(received))
    for restored in (make_receiver("deblock").receive(data), smooth_image(received)):
        assert restored.shape == image.shape
        assert optcodec.psnr_db(image, restored) > plain


def test_a_flat_image_is_not_changed() -> None:
    data = jpeg(np.full((16, 24), 128, np.uint8), 30)
    received = receive(data)
    for restored in (make_receiver("deblock").receive(data), smooth_image(received)):
        assert np.array_equal(restored, np.full((16, 24), 128))
