"""Orientation: outputs are displayed in the same way as inputs, from Python, ``encode`` and ``restore run``."""

from __future__ import annotations

import io
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageOps

import optcodec
from optcodec import InvalidInputError, encode, load_picture, orientation_of, read_jpeg
from optcodec.pictures.orientation import minimal_exif, turned
from optcodec.transcoding import transcode
from restore import restore_image
from restore.cli import main as restore_main
from tests import receiver_helpers as tiny
from tests.cli_helpers import messages, photograph, refusal, run, run_json
from tests.pictures.test_orientation import exif_of
from tests.receiver_helpers import save_model

PIXELS = photograph(40, 72)
ORIENTATIONS = range(1, 9)


def file_of(kind: str, orientation: int, pixels: np.ndarray = PIXELS, **options: Any) -> bytes:
    """An image file with an orientation; a PNG file may have its Exif behind the pixels or in a text chunk."""
    file = io.BytesIO()
    exif = exif_of(orientation)
    if kind in ("PNG, late", "PNG, text"):
        Image.fromarray(pixels).save(file, "PNG")
        text = b"Raw profile type exif\0\nexif\n%8d\n" % (6 + len(exif)) + (b"Exif\0\0" + exif).hex().encode()
        late = chunk(b"eXIf", exif) if kind == "PNG, late" else chunk(b"tEXt", text)
        content = file.getvalue()
        offset = content.rindex(b"IEND" if kind == "PNG, late" else b"IDAT") - 4
        return content[:offset] + late + content[offset:]
    options |= {"tiffinfo": {0x0112: orientation}} if kind == "TIFF" else {"exif": b"Exif\0\0" + exif}
    if kind == "WEBP":
        options |= {"lossless": True}
    elif kind == "JPEG":
        options |= {"subsampling": "4:4:4", "quality": 100}
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def chunk(chunk_type: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + chunk_type + content + struct.pack(">I", zlib.crc32(chunk_type + content))


def shown(data: bytes) -> np.ndarray:
    """Pixels of a file as viewers display them."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB")).astype(int)


def alike(first: np.ndarray, second: np.ndarray) -> bool:
    return first.shape == second.shape and bool(np.abs(first.astype(int) - second).mean() < 6)


@pytest.mark.parametrize("metadata", [None, False, True])
@pytest.mark.parametrize("orient", ["keep", "apply"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("kind", ["PNG", "PNG, late", "PNG, text", "WEBP", "JPEG", "TIFF"])
def test_outputs_are_displayed_like_their_inputs(kind: str, orientation: int, orient: Any, metadata: Any) -> None:
    data = file_of(kind, orientation)
    encoded = encode(data, quality=90, subsampling="4:4:4", orient=orient, metadata=metadata)
    assert alike(shown(encoded.data), turned(PIXELS, orientation))
    exif = read_jpeg(encoded.data).metadata.exif
    turns = orient == "apply" or kind == "TIFF"  # Pillow itself rotates these when it reads them
    assert orientation_of(exif) == (1 if turns else orientation)
    if metadata and kind != "TIFF":
        assert exif == exif_of(1 if turns else orientation)
    else:
        assert exif == (None if turns else minimal_exif(orientation))


@pytest.mark.parametrize("orientation", [3, 6])
def test_rotations_of_pixels_are_reported(orientation: int) -> None:
    notice = f"turned the pixels upright, from orientation {orientation}"
    assert load_picture(file_of("PNG", orientation)).notices == ()
    assert load_picture(file_of("PNG", orientation), orient="apply").notices == (notice,)
    for orient in ("keep", "apply"):
        notices = load_picture(file_of("TIFF", orientation), orient=orient).notices  # type: ignore[arg-type]
        assert notices == (f"{notice}, as Pillow does with TIFF files",)
    assert load_picture(file_of("PNG", 1), orient="apply").notices == ()


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_densities_are_turned_with_the_pixels(orientation: int) -> None:
    exchanged = orientation > 4
    for kind in ("PNG", "TIFF"):
        data = file_of(kind, orientation, dpi=(300, 72))
        upright = (1, 72, 300) if exchanged else (1, 300, 72)
        assert load_picture(data, orient="apply").metadata.density == upright
        assert load_picture(data).metadata.density == (upright if kind == "TIFF" else (1, 300, 72))


def test_images_in_memory_have_an_orientation_and_arrays_none() -> None:
    image = Image.fromarray(PIXELS)
    image.getexif()[0x0112] = 8
    assert orientation_of(load_picture(image).metadata.exif) == 8
    np.testing.assert_array_equal(load_picture(image, orient="apply").pixels, turned(PIXELS, 8))
    picture = load_picture(image)
    np.testing.assert_array_equal(load_picture(picture, orient="apply").pixels, turned(PIXELS, 8))
    np.testing.assert_array_equal(load_picture(PIXELS, orient="apply").pixels, PIXELS)
    assert load_picture(PIXELS, orient="apply").metadata.exif is None


@pytest.mark.parametrize("text", [b"\nexif\n 3\nzz", b"nothing", b"\nexif\n 10\n" + b"Exif\0\0MM\0*".hex().encode()])
def test_damaged_exif_never_refuses_a_picture(text: bytes) -> None:
    good = file_of("PNG", 6)
    start = good.index(b"eXIf") - 4
    end = start + 12 + len(exif_of(6))
    for damaged in (chunk(b"tEXt", b"Raw profile type exif\0" + text), chunk(b"eXIf", exif_of(6)[:14])):
        picture = load_picture(good[:start] + damaged + good[end:], orient="apply")
        np.testing.assert_array_equal(picture.pixels, PIXELS)


@pytest.mark.parametrize("wrong", ["turn", True, None, 6])
def test_there_are_two_ways(wrong: Any) -> None:
    for take in (load_picture, encode):
        with pytest.raises(InvalidInputError, match=f'orient is "keep" or "apply", got {wrong!r}'):
            take(PIXELS, orient=wrong)
    with pytest.raises(InvalidInputError, match=f'orient is "keep" or "apply", got {wrong!r}'):
        encode(encode(PIXELS).coefficients, orient=wrong)
    with pytest.raises(InvalidInputError, match=f'orient is "keep" or "apply", got {wrong!r}'):
        restore_image(encode(PIXELS).data, orient=wrong)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_coefficients_keep_it(orientation: int) -> None:
    data = file_of("JPEG", orientation)
    coefficients = read_jpeg(data)
    assert read_jpeg(encode(coefficients).data).metadata.exif == exif_of(orientation)
    for stripped in (encode(coefficients, metadata=False).data, transcode(data, metadata=False).data):
        assert read_jpeg(stripped).metadata.exif == minimal_exif(orientation)
        np.testing.assert_array_equal(shown(stripped), shown(data))


@pytest.mark.parametrize("options", [{}, {"target": optcodec.MaxBytes(10**6)}])
def test_coefficients_are_not_turned(options: dict[str, Any]) -> None:
    data = file_of("JPEG", 6)
    expected = "pixels are turned upright, got the coefficients of a JPEG file; expected its pixels .*--pixels"
    with pytest.raises(InvalidInputError, match=expected):
        transcode(data, orient="apply", **options)
    with pytest.raises(InvalidInputError, match=expected):
        encode(read_jpeg(data), orient="apply", **options)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("orient", ["keep", "apply"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_encode_takes_the_option(tmp_path: Path, orientation: int, orient: str, kind: str) -> None:
    source, out = tmp_path / "a.img", tmp_path / "out.jpg"
    source.write_bytes(file_of(kind, orientation))
    result = run("encode", source, "-o", out, "--orient", orient, "--pixels", "-q", 90)
    assert result.exit_code == 0, result.output
    assert alike(shown(out.read_bytes()), turned(PIXELS, orientation))
    turns = orient == "apply" and orientation != 1
    assert orientation_of(read_jpeg(out.read_bytes()).metadata.exif) == (1 if orient == "apply" else orientation)
    printed = "\n".join(messages(result))
    assert (f"{source}: turned the pixels upright, from orientation {orientation}" in printed) is turns
    stays = f"left out Exif, which --metadata keeps; the orientation ({orientation}) stays"
    assert (stays in printed) is (orient == "keep" and orientation != 1)


def test_a_jpeg_file_is_turned_from_its_pixels_only(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(file_of("JPEG", 6))
    for verb, output in (("encode", "out.jpg"), ("design", "out.json")):
        line = refusal(verb, tmp_path / "a.jpg", "-o", tmp_path / output, "--orient", "apply", "--bpp", 2)
        expected = "--orient apply turns pixels, got the coefficients of a JPEG file; expected --pixels"
        assert line == f"Error: {tmp_path / 'a.jpg'}: {expected}"
        assert not (tmp_path / output).exists()


def test_a_stripped_jpeg_file_shows_as_before(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(file_of("JPEG", 6))
    result = run("encode", tmp_path / "a.jpg", "-o", tmp_path / "out.jpg", "--strip")
    assert "left out Exif; the orientation (6) stays" in result.stderr
    np.testing.assert_array_equal(shown((tmp_path / "out.jpg").read_bytes()), shown(file_of("JPEG", 6)))


def test_tables_are_designed_for_pixels_as_they_are_coded(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(file_of("PNG", 6))
    for orient in ("keep", "apply"):
        tables = tmp_path / f"{orient}.json"
        assert run("design", tmp_path / "a.png", "-o", tables, "--orient", orient, "--bpp", 2).exit_code == 0
        picture = load_picture(tmp_path / "a.png", orient=orient)  # type: ignore[arg-type]
        assert optcodec.load_tables(tables) == optcodec.design_tables(picture, optcodec.Bpp(2), subsampling="4:2:0")


def test_a_mask_lies_on_the_pixels_as_they_are_coded(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(file_of("PNG", 6))
    mask = np.zeros((72, 40), np.uint8)
    mask[:30] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    common = ("encode", tmp_path / "a.png", "-o", tmp_path / "out.jpg", "--roi", tmp_path / "mask.png", "-q", 50)
    assert run(*common, "--orient", "apply").exit_code == 0
    assert "72x40" in refusal(*common)


def test_compare_says_where_images_are_shown_differently(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(file_of("PNG", 3))
    for orient in ("keep", "apply"):
        assert run("encode", tmp_path / "a.png", "-o", tmp_path / f"{orient}.jpg", "--orient", orient).exit_code == 0
    result = run("compare", tmp_path / "a.png", tmp_path / "keep.jpg", tmp_path / "apply.jpg", "--json")
    stored, applied = json.loads(result.stdout)["files"]
    assert stored["psnr_db"] > 25 > 15 > applied["psnr_db"]
    notice = "is shown with orientation 1, the reference with 3; pixels are compared as stored"
    assert messages(result) == [f"{tmp_path / 'apply.jpg'}: {notice}"]


def test_compare_says_why_images_do_not_fit(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(file_of("PNG", 6))
    assert run("encode", tmp_path / "a.png", "-o", tmp_path / "b.jpg", "--orient", "apply").exit_code == 0
    reason = "images to compare have one shape, got (40, 72, 3) and (72, 40, 3)"
    notice = "this one is shown with orientation 1, the reference with 6; pixels are compared as stored"
    line = refusal("compare", tmp_path / "a.png", tmp_path / "b.jpg")
    assert line == f"Error: {tmp_path / 'b.jpg'}: {reason}; {notice}"


@pytest.mark.parametrize("format_of", ["png", "jpeg"])
@pytest.mark.parametrize("orient", ["keep", "apply"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_restore_takes_the_option(tmp_path: Path, orientation: int, orient: Any, format_of: str) -> None:
    source, out = tmp_path / "a.jpg", tmp_path / "out"
    data = file_of("JPEG", orientation)
    source.write_bytes(data)
    model = save_model(tmp_path, tiny.identity())
    arguments = [source, "-o", out, "--format", format_of, "--model", model, "--orient", orient, "--json"]
    result = CliRunner().invoke(restore_main, ["run", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    assert alike(shown(out.read_bytes()), turned(PIXELS, orientation))
    turns = orient == "apply" and orientation != 1
    with Image.open(out) as written:
        assert written.getexif()[0x0112] == (1 if orient == "apply" else orientation)
        assert written.getexif()[0x010F] == "Cam"
        (record,) = json.loads(result.stdout)["files"]
        assert (record["width"], record["height"]) == written.size
        if format_of == "png":
            np.testing.assert_array_equal(np.asarray(written), restore_image(data, model=model, orient=orient))
    notice = f"{source}: turned the pixels upright, from orientation {orientation}"
    assert result.stderr.splitlines() == [notice] * turns


def test_inspect_tells_the_orientation(tmp_path: Path) -> None:
    for orientation in (1, 6):
        path = tmp_path / f"{orientation}.jpg"
        path.write_bytes(file_of("JPEG", orientation))
        assert run_json("inspect", path)["files"][0]["orientation"] == orientation
        assert (f"orientation {orientation}" in run("inspect", path).stdout) is (orientation != 1)
