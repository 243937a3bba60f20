"""The projection does not undo what is right: values that were drawn beyond white, and blocks without a change."""

import numpy as np
import pytest
import scipy.fft

from restore import Model
from restore.runtime.cells import project
from restore.runtime.decode import receive
from restore.runtime.image import decode_image
from restore.runtime.infer import restored_image
from tests.receiver_helpers import calling, jpeg

STEPS = np.full((8, 8), 6)


def page() -> np.ndarray:
    """A block of white paper with a gray line."""
    block = np.full((8, 8), 255.0)
    block[3:5, :] = 90
    return block


def indices(samples: np.ndarray) -> np.ndarray:
    values = scipy.fft.dctn(samples - 128, norm="ortho")
    return np.rint(values / STEPS).astype(np.int16)[None, None]


def projected(restored: np.ndarray, encoded: np.ndarray) -> np.ndarray:
    return np.clip(project(restored.astype(np.float32), indices(encoded), STEPS), 0, 255)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_original_stays_where_the_encoder_drew_beyond_the_range(sign: int) -> None:
    original = page()
    drawn = original.copy()
    drawn[original == 255] = 255 + 20 * np.abs(np.sin(0.7 * np.arange(48)))  # what a decoder clips
    if sign < 0:
        original, drawn = 255 - original, 255 - drawn
    np.testing.assert_allclose(projected(original, drawn), original, atol=0.5)


def test_within_the_range_the_intervals_hold() -> None:
    """White that was encoded as white is projected as all other samples: errors of quantization are no drawing."""
    original = page()
    restored = original + 12 * np.cos(np.arange(8) * np.pi / 2)[None]  # what the intervals do not allow
    result = projected(np.clip(restored, 0, 255), original)
    assert np.abs(result - original).mean() < 0.4 * np.abs(np.clip(restored, 0, 255) - original).mean()


def test_pictures_that_a_network_does_not_change_stay_as_they_are_decoded() -> None:
    """Also in fine files, whose decoded samples are not within their intervals after rounding and clipping."""
    model = Model("same", calling(lambda image: image, "image"), None, 0)
    for quality in (60, 98, 100):
        received = receive(jpeg(72, 88, quality=quality, subsampling="4:4:4"))
        np.testing.assert_array_equal(restored_image(received, model), decode_image(received))
