"""The orientation is read from any Exif, and either applied to the pixels as in Pillow, or written to the output."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from optcodec import Metadata
from optcodec.jpeg.metadata.values import CarriedSegment
from optcodec.pictures.orientation import minimal_exif, orientation_of, turned, upright, with_orientation

ORIENTATIONS = range(1, 9)
COLOURS = np.random.default_rng(1).integers(0, 256, (5, 7, 3), np.uint8)


def exif_of(orientation: int, order: str = ">", kind: int = 3, count: int = 1) -> bytes:
    """Make Exif with a camera's name, an orientation, a resolution, and a second directory with another orientation."""
    value = struct.pack(order + ("I" if kind == 4 else "Hxx"), orientation)
    entries = [
        struct.pack(f"{order}HHI4s", 0x010F, 2, 4, b"Cam\0"),
        struct.pack(f"{order}HHI4s", 0x0112, kind, count, value),
        struct.pack(f"{order}HHII", 0x011A, 5, 1, 50),
    ]
    second = struct.pack(f"{order}HHHIHxxI", 1, 0x0112, 3, 1, 8, 0)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(entries))
    return head + b"".join(entries) + struct.pack(f"{order}I", 58) + struct.pack(f"{order}II", 72, 1) + second


def pillows(exif: bytes) -> int:
    """Read the orientation with Pillow."""
    read = Image.Exif()
    read.load(exif)
    return int(read.get(0x0112, 1))


@pytest.mark.parametrize("kind", [3, 4])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_orientation_is_read_and_rewritten_in_place(orientation: int, order: str, kind: int) -> None:
    exif = exif_of(orientation, order, kind)
    assert orientation_of(exif) == orientation == pillows(exif)
    assert with_orientation(exif, 1) == exif_of(1, order, kind)  # the orientation in the second directory is kept
    assert with_orientation(exif, orientation) == exif


@pytest.mark.parametrize("orientation", [0, 9, 255, 65535])
def test_values_that_exif_does_not_know_are_upright(orientation: int) -> None:
    assert orientation_of(exif_of(orientation)) == 1


@pytest.mark.parametrize(
    "exif",
    [
        None,
        b"",
        b"II*\0",
        b"II*\0\xff\xff\xff\xff",
        b"MM\0*\0\0\0\x08",
        b"MM\0*\0\0\0\x08\xff",
        b"not Exif at all",
        exif_of(6).replace(b"MM\0*", b"II*\0"),  # the wrong byte order
        exif_of(6, kind=1),  # the value has the type of an 8-bit number
        exif_of(6, kind=2),  # the value has the type of a text
        exif_of(6, kind=3, count=2),  # two values in place of one
        exif_of(6)[:33],  # the data ends within the entry
    ],
)
def test_without_a_valid_orientation_pixels_are_upright(exif: bytes | None) -> None:
    assert orientation_of(exif) == 1
    if exif is not None:
        assert with_orientation(exif, 3) == exif


def test_a_truncated_directory_is_read_up_to_its_last_complete_entry() -> None:
    assert orientation_of(exif_of(6)[:40]) == 6


@given(st.binary(max_size=120), st.sampled_from([b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", exif_of(6)[:20]]))
def test_no_damaged_exif_raises(tail: bytes, head: bytes) -> None:
    orientation = orientation_of(head + tail)
    assert 1 <= orientation <= 8
    rewritten = with_orientation(head + tail, 7)
    assert len(rewritten) == len(head + tail)
    assert orientation_of(rewritten) == (7 if rewritten != head + tail else orientation)


@given(st.integers(0, len(exif_of(6)) - 1), st.integers(0, 255), st.sampled_from("<>"))
def test_a_changed_byte_leaves_all_others_alone(position: int, value: int, order: str) -> None:
    damaged = bytearray(exif_of(6, order))
    damaged[position] = value
    rewritten = with_orientation(bytes(damaged), 1)
    assert orientation_of(rewritten) == 1
    assert sum(a != b for a, b in zip(damaged, rewritten, strict=True)) <= 2


@pytest.mark.parametrize("orientation", range(2, 9))
def test_the_smallest_exif_is_read_by_others(orientation: int) -> None:
    exif = minimal_exif(orientation)
    assert exif is not None
    assert pillows(exif) == orientation_of(exif) == orientation
    file = io.BytesIO()
    Image.fromarray(COLOURS).save(file, "JPEG", exif=b"Exif\0\0" + exif)
    assert dict(Image.open(file).getexif()) == {0x0112: orientation}


def test_an_upright_image_needs_none() -> None:
    assert minimal_exif(1) is None


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_pixels_are_turned_as_pillow_turns_them(orientation: int, grey: bool) -> None:
    pixels = COLOURS[..., 0] if grey else COLOURS
    image = Image.fromarray(pixels)
    image.getexif()[0x0112] = orientation
    ours = turned(pixels, orientation)
    np.testing.assert_array_equal(ours, np.asarray(ImageOps.exif_transpose(image)))
    assert ours.flags.c_contiguous


@pytest.mark.parametrize("orientation", range(2, 9))
def test_metadata_of_turned_pixels_say_that_they_are_upright(orientation: int) -> None:
    metadata = Metadata(icc_profile=b"colours", exif=exif_of(orientation), density=(1, 300, 72))
    pixels, after = upright(COLOURS, metadata)
    np.testing.assert_array_equal(pixels, turned(COLOURS, orientation))
    assert after.exif == exif_of(1)
    assert after.icc_profile == b"colours"
    assert after.density == ((1, 72, 300) if orientation > 4 else (1, 300, 72))


@pytest.mark.parametrize("exif", [None, b"damaged", exif_of(1)])
def test_an_upright_image_stays_as_it_is(exif: bytes | None) -> None:
    metadata = Metadata(exif=exif)
    pixels, after = upright(COLOURS, metadata)
    assert pixels is COLOURS
    assert after is metadata


@pytest.mark.parametrize(
    "form", ['tiff:Orientation="%d"', "<tiff:Orientation>%d</tiff:Orientation>", "tiff:Orientation = '%d'"]
)
def test_xmp_says_it_too(form: str) -> None:
    def segments(orientation: int) -> tuple[CarriedSegment, ...]:
        text = b"http://ns.adobe.com/xap/1.0/\0<x>" + (form % orientation).encode() + b" tiff:XResolution='6'</x>"
        return CarriedSegment(0xFE, b'tiff:Orientation="6"'), CarriedSegment(0xE1, text)

    _, after = upright(COLOURS, Metadata(exif=exif_of(6), segments=segments(6)))
    assert after.segments == segments(1)
