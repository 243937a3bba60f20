"""The plugin of imageio: files and bytes, arguments, and what is no image of the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

import optcodec
from optcodec import InvalidInputError

imageio = pytest.importorskip("imageio.v3")

from optcodec.imageio import OptcodecPlugin  # noqa: E402

PHOTO = np.ascontiguousarray(data.astronaut()[60:124, 150:230])


def test_files_are_those_of_encode(tmp_path: Path) -> None:
    imageio.imwrite(tmp_path / "a.jpg", PHOTO, plugin=OptcodecPlugin, quality=60, effort=3)
    expected = optcodec.encode(PHOTO, quality=60, effort=3)
    assert (tmp_path / "a.jpg").read_bytes() == expected.data
    found = imageio.imread(tmp_path / "a.jpg", plugin=OptcodecPlugin)
    np.testing.assert_array_equal(found, np.asarray(Image.open(tmp_path / "a.jpg")))
    np.testing.assert_array_equal(next(imageio.imiter(tmp_path / "a.jpg", plugin=OptcodecPlugin)), found)
    about = imageio.improps(tmp_path / "a.jpg", plugin=OptcodecPlugin)
    assert (about.shape, about.dtype, about.n_images) == (PHOTO.shape, PHOTO.dtype, None)


def test_bytes_gray_images_and_metadata(tmp_path: Path) -> None:
    gray = PHOTO[..., 1].copy()
    data = imageio.imwrite("<bytes>", gray, extension=".jpg", plugin=OptcodecPlugin, target=optcodec.MaxBytes(1500))
    assert data == optcodec.encode(gray, target=optcodec.MaxBytes(1500)).data
    np.testing.assert_array_equal(imageio.imread(data, plugin=OptcodecPlugin).shape, gray.shape)
    exif = Image.Exif()
    exif[270] = "a title"
    Image.fromarray(PHOTO).save(tmp_path / "a.jpg", exif=exif, icc_profile=b"a profile")
    found = imageio.immeta(tmp_path / "a.jpg", plugin=OptcodecPlugin)
    assert found.keys() == {"exif", "icc_profile"}
    assert b"a title" in found["exif"]


def test_what_is_refused(tmp_path: Path) -> None:
    imageio.imwrite(tmp_path / "a.jpg", PHOTO, plugin=OptcodecPlugin)
    with pytest.raises(InvalidInputError, match="a JPEG file has one image, number 0; got 1"):
        imageio.imread(tmp_path / "a.jpg", index=1, plugin=OptcodecPlugin)
    with pytest.raises(InvalidInputError, match=r"quality is a whole number in 1\.\.100, got 0"):
        imageio.imwrite(tmp_path / "b.jpg", PHOTO, plugin=OptcodecPlugin, quality=0)
