"""Pictures of fewer pixels: sizes, and that the preprocessing of classifiers changes nothing after it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from optcodec import Metadata, Picture
from optcodec.pictures.resizing import shrunk
from tests.cli_helpers import photograph


@pytest.mark.parametrize(
    ("height", "width", "side", "expected"),
    [(60, 90, 40, (40, 60)), (91, 60, 40, (60, 40)), (61, 100, 7, (7, 11)), (50, 50, 1, (1, 1)), (2, 999, 1, (1, 499))],
)
def test_the_shorter_side_has_that_length(height: int, width: int, side: int, expected: tuple[int, int]) -> None:
    assert shrunk(Picture(photograph(height, width)), side).pixels.shape == (*expected, 3)
    assert shrunk(Picture(photograph(height, width)[..., 0]), side).pixels.shape == expected


@pytest.mark.parametrize("side", [40, 41, 1000])
def test_pictures_that_are_no_larger_stay_as_they_are(side: int) -> None:
    picture = Picture(photograph(40, 64), Metadata(exif=b"exif"), ("a notice",))
    assert shrunk(picture, side) is picture


def test_all_but_the_pixels_stays() -> None:
    picture = Picture(photograph(40, 64), Metadata(exif=b"exif"), ("a notice",))
    smaller = shrunk(picture, 20)
    assert (smaller.metadata, smaller.notices) == (picture.metadata, picture.notices)


def test_the_preprocessing_of_classifiers_gives_the_same_pixels() -> None:
    """Pictures reduced to the length that torchvision reduces them to, and whole ones."""
    functional = pytest.importorskip("torchvision.transforms.v2").functional
    for height, width in ((333, 500), (500, 333), (301, 299)):
        picture = Picture(photograph(height, width))
        expected = functional.resize(Image.fromarray(picture.pixels), [96])
        assert np.array_equal(shrunk(picture, 96).pixels, np.asarray(expected))
