"""`optcodec.decode`: the pixels of libjpeg-turbo, or closer to what the file says; damaged files are errors."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

import optcodec
from tests.cli_helpers import photograph

_BYTES = optcodec.encode(photograph(40, 56), quality=60).data


def pillow(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def coded(pixels: np.ndarray, **options: Any) -> bytes:
    with io.BytesIO() as file:
        Image.fromarray(pixels).save(file, "jpeg", **options)
        return file.getvalue()


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from(["4:4:4", "4:2:2", "4:2:0", "4:4:0"]),
    st.booleans(),
    st.sampled_from([10, 60, 98]),
)
def test_both_ways(height: int, width: int, subsampling: str, grey: bool, quality: int) -> None:
    """Exact are the pixels of libjpeg-turbo; in floating point they differ by its rounding only."""
    pixels = photograph(height, width)[..., 0] if grey else photograph(height, width)
    data = optcodec.encode(pixels, quality=quality, subsampling=subsampling).data
    exact, real = optcodec.decode(data), optcodec.decode(data, dct="float")
    assert exact.dtype == real.dtype == np.uint8
    assert exact.shape == real.shape == pixels.shape
    np.testing.assert_array_equal(exact, pillow(data))
    # components are clipped to 0..255 before colours are converted in libjpeg, which matters for the coarsest tables
    difference = np.abs(exact.astype(int) - real)[(exact > 0) & (exact < 255)]
    assert difference.size == 0 or (np.median(difference) <= 1 and (quality < 50 or difference.max() <= 4))


def test_floating_point_is_closer_to_the_file() -> None:
    """At the finest steps the pixels of the encoder's floating point come back nearly always."""
    pixels = np.random.default_rng(3).integers(40, 215, (64, 64), np.uint8)
    data = optcodec.encode(pixels, tables=[optcodec.QuantTable(np.ones((8, 8)))]).data
    errors = {way: np.abs(optcodec.decode(data, dct=way).astype(int) - pixels) for way in ("exact", "float")}  # type: ignore[arg-type]
    assert errors["float"].max() <= 1
    assert np.count_nonzero(errors["float"]) <= np.count_nonzero(errors["exact"])


def test_other_factors_and_colours() -> None:
    """4:1:1 repeats samples, and components may be red, green and blue."""
    pixels = photograph(33, 47)
    for data in (coded(pixels, subsampling="4:1:1"), coded(pixels, keep_rgb=True, quality=95)):
        np.testing.assert_array_equal(optcodec.decode(data), pillow(data))
        difference = np.abs(optcodec.decode(data, dct="float").astype(int) - pillow(data))
        assert difference.mean() < 0.5
        assert difference.max() <= 4


def test_a_file_without_its_end_has_the_same_pixels() -> None:
    whole = optcodec.encode(photograph(40, 56), quality=80).data
    with pytest.warns(optcodec.JpegWarning, match="EOI"):
        pixels = optcodec.decode(whole[:-2])
    np.testing.assert_array_equal(pixels, optcodec.decode(whole))


def test_orientation() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = coded(photograph(24, 40), exif=exif)
    assert optcodec.decode(data).shape == (24, 40, 3)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    np.testing.assert_array_equal(optcodec.decode(data, orient="apply"), upright)
    assert optcodec.decode(data, orient="apply", dct="float").shape == (40, 24, 3)


@pytest.mark.parametrize("way", ["exact", "float"])
def test_damaged_files_are_errors(way: Any) -> None:
    for data in (b"", b"no JPEG file", _BYTES[:-150], _BYTES[:40]):
        with pytest.raises(optcodec.MalformedJpegError):
            optcodec.decode(data, dct=way)
    notes: list[str] = []
    part = optcodec.decode(_BYTES[:-150], dct=way, partial=True, notify=notes.append)
    assert len(notes) == 2  # no EOI, and coefficients that are missing
    whole = optcodec.decode(_BYTES, dct=way)
    np.testing.assert_array_equal(part[:8], whole[:8])
    assert (part[-8:] != whole[-8:]).any()


def test_what_is_refused() -> None:
    with pytest.raises(optcodec.UnsupportedJpegError, match=r"^expected 1 or 3 components, found 4$"):
        optcodec.decode(cmyk())
    with pytest.raises(optcodec.InvalidInputError, match=r'^dct is "exact" or "float", got \'fast\'$'):
        optcodec.decode(_BYTES, dct="fast")  # type: ignore[arg-type]
    with pytest.raises(optcodec.InvalidInputError, match=r'^orient is "keep" or "apply", got \'turn\'$'):
        optcodec.decode(_BYTES, orient="turn")  # type: ignore[arg-type]
    with pytest.raises(optcodec.OptcodecError, match="pixels"):
        optcodec.decode(_BYTES, max_pixels=100)


def cmyk() -> bytes:
    with io.BytesIO() as file:
        Image.new("CMYK", (8, 8)).save(file, "jpeg")
        return file.getvalue()


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_kinds_of_bytes(kind: Any) -> None:
    np.testing.assert_array_equal(optcodec.decode(kind(_BYTES)), pillow(_BYTES))
