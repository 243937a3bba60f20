"""Input images that are accepted, and those that are refused, with the message of the error."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from optcodec import Bpp, MatchQuality, design_tables, encode
from optcodec.errors import InvalidInputError
from optcodec.pictures.pixels import Picture, decoded_pixels, load_picture


def ramp(*shape: int) -> np.ndarray:
    return (np.arange(np.prod(shape)) * 7 % 251).astype(np.uint8).reshape(shape)


def png_header(width: int, height: int) -> bytes:
    """Make a PNG file that has a size and no data."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + body
        + struct.pack(">I", zlib.crc32(body))
        + struct.pack(">I", 100)
        + b"IDAT"
    )


def png_16_bit_rgb(side: int) -> bytes:
    def chunk(chunk_type: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + chunk_type + body + struct.pack(">I", zlib.crc32(chunk_type + body))

    rows = (b"\0" + bytes(6 * side)) * side
    header = struct.pack(">IIBBBBB", side, side, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("shape", [(5, 7), (1, 1), (1, 3), (3, 1), (1, 65535)])
def test_arrays_of_one_channel_are_grey(shape: tuple[int, int]) -> None:
    picture = load_picture(ramp(*shape, 1))
    np.testing.assert_array_equal(picture.pixels, ramp(*shape, 1)[..., 0])
    assert encode(ramp(8, 9, 1)).data == encode(ramp(8, 9, 1)[..., 0]).data
    assert design_tables(ramp(16, 16, 1), MatchQuality(50)) == design_tables(ramp(16, 16, 1)[..., 0], MatchQuality(50))


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3), (1, 1), (1, 65535), (65535, 1)])
def test_arrays_are_taken_as_they_are(shape: tuple[int, ...]) -> None:
    picture = load_picture(ramp(*shape))
    assert np.array_equal(picture.pixels, ramp(*shape))
    assert picture.notices == ()


def test_strided_arrays_become_contiguous() -> None:
    array = ramp(6, 8, 3)[::2, ::-1]
    picture = load_picture(array)
    assert picture.pixels.flags.c_contiguous
    assert np.array_equal(picture.pixels, array)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 4, 3)), "dtype float64; expected uint8"),
        (np.full((4, 4, 3), np.nan, np.float32), "dtype float32 and holds NaN"),
        (np.zeros((4, 4), np.uint16), "dtype uint16"),
        (np.zeros((4, 4), bool), "dtype bool"),
        (np.zeros((0, 4, 3), np.uint8), "4x0 pixels; expected sides of 1..65535"),
        (np.zeros((4, 0), np.uint8), "0x4 pixels"),
        (np.zeros((1, 65536), np.uint8), "65536x1 pixels; expected sides of 1..65535"),
        (np.zeros((4,), np.uint8), r"shape \(4,\)"),
        (np.zeros((4, 4, 2), np.uint8), r"shape \(4, 4, 2\)"),
        (np.zeros((3, 8, 9), np.uint8), "channels come last"),
        (np.zeros((4, 4, 4), np.uint8), "alpha if a background is given"),
        (np.zeros((2, 4, 4, 3), np.uint8), r"shape \(2, 4, 4, 3\)"),
    ],
)
def test_arrays_refused(array: np.ndarray, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        load_picture(array)


@pytest.mark.parametrize("thing", [None, 3, [[1, 2], [3, 4]], [1, 2, 3], (1, 2), {"a": 1}])
def test_other_things_are_refused(thing: object) -> None:
    expected = "an image is a numpy array of uint8, a Pillow image, a path, a binary file or its bytes; got "
    for take in (load_picture, encode):
        with pytest.raises(InvalidInputError, match=f"{expected}{type(thing).__name__}$"):
            take(thing)


@pytest.mark.parametrize("numbers", [[1, 2, 3], [[1, 2], [3, 4]]])
def test_lists_of_numbers_are_no_data_set(numbers: list[object]) -> None:
    with pytest.raises(InvalidInputError, match=r"an image is a numpy array of uint8, .*; got (int|list)$"):
        design_tables(numbers, Bpp(1.0))  # type: ignore[arg-type]


class Stream(io.RawIOBase):
    """A file that can only be read once, like a pipe."""

    def __init__(self, content: bytes) -> None:
        self._rest = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._rest.readinto(buffer)


WAYS: dict[str, Callable[[bytes], Any]] = {
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "part of a memoryview": lambda content: memoryview(bytes(3) + content)[3:],
    "BytesIO": io.BytesIO,
    "BytesIO that was read": lambda content: at_its_end(io.BytesIO(content)),
    "pipe": lambda content: io.BufferedReader(Stream(content)),
}


def at_its_end(file: io.BytesIO) -> io.BytesIO:
    file.seek(0, io.SEEK_END)
    return file


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "PPM"])
def test_files_in_memory_are_taken_as_by_their_path(tmp_path: Path, kind: str, way: str) -> None:
    path = tmp_path / "a"
    Image.fromarray(ramp(16, 24, 3)).save(path, kind)
    content = path.read_bytes()
    np.testing.assert_array_equal(load_picture(WAYS[way](content)).pixels, load_picture(path).pixels)
    assert encode(WAYS[way](content)).data == encode(path).data
    assert design_tables(WAYS[way](content), MatchQuality(50)) == design_tables(path, MatchQuality(50))


def test_an_open_file_is_taken_again_and_stays_open(tmp_path: Path) -> None:
    Image.fromarray(ramp(16, 24, 3)).save(tmp_path / "a.png")
    with (tmp_path / "a.png").open("rb") as file:
        assert encode(file).data == encode(file).data == encode(tmp_path / "a.png").data
        tables = design_tables([file, file], MatchQuality(50))
        assert tables == design_tables([tmp_path / "a.png"] * 2, MatchQuality(50))
        assert not file.closed


@pytest.mark.parametrize("content", [b"", b"bytes", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"])
def test_bytes_that_are_no_image_file_are_refused(content: bytes) -> None:
    with pytest.raises(InvalidInputError, match=r"not an image file that Pillow knows|cannot be decoded"):
        load_picture(content)


def test_files_that_give_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="an image file is opened in binary mode, got one that gives str"):
        load_picture(io.StringIO("text"))  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_files_and_pillow_images_give_their_samples(tmp_path: Path, mode: str) -> None:
    array = ramp(9, 11) if mode == "L" else ramp(9, 11, 3)
    Image.fromarray(array).save(tmp_path / "a.png")
    for image in (Image.fromarray(array), tmp_path / "a.png", str(tmp_path / "a.png")):
        picture = load_picture(image)
        assert np.array_equal(picture.pixels, array)
        assert picture.notices == ()


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1", "CMYK", "LA", "RGBA"])
@pytest.mark.parametrize("pixels", [1, 50, 64, 100, 2000])
def test_samples_of_large_pictures_are_taken_some_rows_at_a_time(
    mode: str, pixels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (21, 50, 3), np.uint8)).convert(mode)
    if mode in ("LA", "RGBA"):
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    expected = load_picture(image, to_rgb=True, background="red").pixels
    monkeypatch.setattr("optcodec.pictures.pixels._PIXELS_AT_ONCE", pixels)
    found = load_picture(image, to_rgb=True, background="red").pixels
    np.testing.assert_array_equal(found, expected)
    assert found.flags.writeable
    assert found.flags.c_contiguous


def test_palette_is_expanded_with_a_notice() -> None:
    array = ramp(9, 11, 3) // 64 * 64
    palette = Image.fromarray(array).quantize(64)
    picture = load_picture(palette)
    assert np.array_equal(picture.pixels, np.array(palette.convert("RGB")))
    assert picture.notices == ("expanded palette to RGB",)


def test_black_and_white_becomes_grey() -> None:
    array = ramp(9, 11) > 100
    picture = load_picture(Image.fromarray(array))
    assert np.array_equal(picture.pixels, array * np.uint8(255))
    assert picture.notices == ("expanded black and white to grey",)


def test_first_of_several_frames(tmp_path: Path) -> None:
    frames = [Image.fromarray(ramp(8, 8) // 2 + offset) for offset in (0, 90)]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    picture = load_picture(tmp_path / "a.tif")
    assert np.array_equal(picture.pixels, ramp(8, 8) // 2)
    assert picture.notices == ("took the first of 2 frames",)


def with_alpha(array: np.ndarray) -> Image.Image:
    bands = [Image.fromarray(np.ascontiguousarray(array[..., k])) for k in range(array.shape[2])]
    return Image.merge("LA" if len(bands) == 2 else "RGBA", bands)


def by_definition(array: np.ndarray, background: tuple[int, int, int]) -> np.ndarray:
    """Composite one sample at a time, in exact arithmetic."""
    out = np.empty((*array.shape[:2], 3), np.uint8)
    for y, x, k in np.ndindex(out.shape):
        alpha = int(array[y, x, -1])
        sample = int(array[y, x, k if array.shape[2] == 4 else 0])
        out[y, x, k] = (2 * (alpha * sample + (255 - alpha) * background[k]) + 255) // 510
    return out


@pytest.mark.parametrize("channels", [2, 4])
def test_transparency_needs_a_background(channels: int) -> None:
    with pytest.raises(InvalidInputError, match=r"transparent pixels.*--background white"):
        load_picture(with_alpha(ramp(6, 5, channels)))


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize(
    ("background", "rgb"), [("white", (255, 255, 255)), ("#102030", (16, 32, 48)), ((9, 8, 7), (9, 8, 7))]
)
def test_transparency_is_composited(channels: int, background: str, rgb: tuple[int, int, int]) -> None:
    array = ramp(6, 5, channels)
    picture = load_picture(with_alpha(array), background=background)
    expected = by_definition(array, rgb)
    assert np.array_equal(picture.pixels, expected[..., 0] if picture.pixels.ndim == 2 else expected)
    assert picture.notices == ("composited transparent pixels on #{:02x}{:02x}{:02x}".format(*rgb),)


def test_array_with_alpha_is_composited() -> None:
    array = ramp(6, 5, 4)
    assert np.array_equal(load_picture(array, background="white").pixels, by_definition(array, (255, 255, 255)))


def test_opaque_alpha_is_dropped() -> None:
    array = ramp(6, 5, 4)
    array[..., 3] = 255
    picture = load_picture(with_alpha(array))
    assert np.array_equal(picture.pixels, array[..., :3])
    assert picture.notices == ("dropped an alpha channel that is opaque everywhere",)


def test_transparent_palette_entry_counts_as_transparency(tmp_path: Path) -> None:
    Image.fromarray(ramp(9, 11, 3)).quantize(16).save(tmp_path / "a.png", transparency=3)
    with pytest.raises(InvalidInputError, match="transparent pixels"):
        load_picture(tmp_path / "a.png")
    picture = load_picture(tmp_path / "a.png", background="white")
    assert picture.notices == ("expanded palette to RGB", "composited transparent pixels on #ffffff")


@pytest.mark.parametrize("background", ["no such colour", (1, 2), (0, 0, 256), (-1, 0, 0)])
def test_background_must_be_a_colour(background: object) -> None:
    with pytest.raises(InvalidInputError, match="a background is a colour such as"):
        load_picture(ramp(4, 4), background=background)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an image file"),
        (b"plain text", "not an image file"),
        (png_header(60000, 60000), r"60000x60000 = 3,600,000,000 pixels; expected at most 178,956,970"),
        (png_header(10000, 10000), "cannot be decoded"),
        (png_header(16, 16), "cannot be decoded"),
        (png_16_bit_rgb(4), "16 bits a sample; expected 8"),
        (b"P6 2 1 65535\n" + bytes(12), "16 bits a sample; expected 8"),
        (b"P3 1 1 1023\n1 2 3\n", "16 bits a sample; expected 8"),
    ],
    ids=["empty", "text", "bomb", "truncated 100 MP", "truncated", "16 bit", "16-bit PPM", "10-bit plain PPM"],
)
def test_files_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=message) as error:
        load_picture(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_truncated_jpeg_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(ramp(64, 64, 3)).save(buffer, "JPEG")
    (tmp_path / "a.jpg").write_bytes(buffer.getvalue()[:-200])
    with pytest.raises(InvalidInputError, match="cannot be decoded"):
        load_picture(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("CMYK", "CMYK colours; expected RGB or grey"),
        ("I;16", "16 bits a sample; expected 8"),
        ("I", "32 bits"),
        ("F", "floating-point"),
        ("LAB", "mode LAB"),
    ],
)
def test_modes_refused(mode: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        load_picture(Image.new(mode, (4, 4)))


def test_empty_pillow_image_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="0x4 pixels"):
        load_picture(Image.new("RGB", (0, 4)))


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no such file"):
        load_picture(tmp_path / "none.png")
    with pytest.raises(InvalidInputError, match=r"Is a directory|Permission denied"):
        load_picture(tmp_path)


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_metadata_is_kept_and_orientation_not_applied(tmp_path: Path, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: rotate by 90 degrees to view
    path = tmp_path / f"a.{kind}"
    Image.fromarray(ramp(8, 16, 3)).save(path, exif=exif, icc_profile=b"profile", dpi=(300, 72))
    picture = load_picture(path)
    assert picture.pixels.shape == (8, 16, 3)
    assert picture.metadata.icc_profile == b"profile"
    assert picture.metadata.exif is not None
    assert picture.metadata.exif[:2] in (b"MM", b"II")
    assert picture.metadata.density == (1, 300, 72)


def test_picture_checks_its_pixels() -> None:
    with pytest.raises(InvalidInputError, match="dtype int64"):
        Picture(np.zeros((4, 4), np.int64))  # type: ignore[arg-type]


def test_a_picture_is_returned_unchanged() -> None:
    picture = Picture(ramp(4, 4), notices=("a notice",))
    assert load_picture(picture, background="white") is picture


@pytest.mark.parametrize("size", [(30, 20), (1100, 701)])
def test_decoded_files_are_those_of_pillow_and_cannot_be_changed(size: tuple[int, int]) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)).save(buffer, "JPEG")
    for mode in ("RGB", "L"):
        pixels = decoded_pixels(buffer.getvalue(), mode)
        np.testing.assert_array_equal(pixels, np.asarray(Image.open(buffer).convert(mode)))
        assert not pixels.flags.writeable
    stored = Image.open(buffer)
    stored.draft("YCbCr", stored.size)
    np.testing.assert_array_equal(decoded_pixels(buffer.getvalue(), "YCbCr"), np.asarray(stored))


@pytest.mark.parametrize(("options", "density"), [({}, (0, 1, 1)), ({"dpi": (300, 72)}, (1, 300, 72))])
def test_a_tiff_file_without_a_resolution_has_none(
    tmp_path: Path, options: dict[str, Any], density: tuple[int, int, int]
) -> None:
    """Pillow says one dot per inch of such a file."""
    Image.fromarray(ramp(8, 8)).save(tmp_path / "a.tif", **options)
    assert load_picture(tmp_path / "a.tif").metadata.density == density


def test_samples_of_fewer_bits_are_scaled() -> None:
    assert load_picture(b"P6 1 1 100\n" + bytes([0, 50, 100])).pixels.tolist() == [[[0, 128, 255]]]
