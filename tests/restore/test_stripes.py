"""The shipped models add no pattern of period two to smooth areas, as a biased pixel-shuffle would."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

import optcodec
from restore import load_model, restore_image

pytest.importorskip("onnxruntime")

Pixels = npt.NDArray[np.uint8]


def smooth(seed: int) -> Pixels:
    """Slow waves with a little noise, as of a sky, of 256x320 pixels."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:256, :320] / 320
    waves = [
        np.sin(2 * x * rng.uniform(1, 3) + 3 * y * rng.uniform(0.5, 2) + rng.uniform(0, 6)) * 60 + rng.uniform(100, 140)
        for _ in range(3)
    ]
    noise = rng.normal(0, 0.7, (256, 320, 3))
    return np.clip(np.rint(np.stack(waves, -1) + noise), 0, 255).astype(np.uint8)


def pattern(shown: Pixels, original: Pixels) -> float:
    """Root mean square, over areas of 16x16, of what the errors at the four places in 2x2 pixels differ by."""
    error = (shown.astype(np.float64) - original) @ [0.299, 0.587, 0.114]
    rows, columns = (extent // 16 for extent in error.shape)
    places = error.reshape(rows, 8, 2, columns, 8, 2).mean((1, 4))
    return float(np.sqrt(np.square(places - places.mean((1, 3), keepdims=True)).mean()))


def test_a_pattern_is_found() -> None:
    original = smooth(0)
    striped = original.copy()
    striped[:, ::2] += 2  # 1 above and 1 below their mean
    assert pattern(original, original) == 0
    assert pattern(striped, original) == pytest.approx(1)


@pytest.mark.parametrize("quality", [10, 15, 30, 60])
@pytest.mark.parametrize("name", ["default", "tiny", "large"])
def test_restored_areas_have_less_of_a_pattern_than_decoded_ones(name: str, quality: int) -> None:
    model = load_model(name, threads=1)
    for seed in range(2):
        data = optcodec.encode(smooth(seed), quality=quality).data
        decoded, restored = optcodec.decode(data), restore_image(data, model=model)
        assert pattern(restored, smooth(seed)) < 0.8 * pattern(decoded, smooth(seed))
