"""Metadata of JPEG files: segments and trailers are read, kept, changed and written again."""

from __future__ import annotations

import io
import struct
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from optcodec import JpegWarning, Metadata, encode, read_jpeg, transcode, write_jpeg
from optcodec.jpeg.metadata.writer import segments_of
from optcodec.jpeg.segments import read_segments
from tests.cli_helpers import photograph, run
from tests.jpegfile import segment
from tests.restore.test_run import run as run_restore

PHOTO = photograph(48, 40)
FILE = encode(PHOTO).data
BARE = FILE[:2] + FILE[20:]  # without a JFIF segment
JFIF = FILE[2:20]
ADOBE = {transform: segment(0xEE, b"Adobe\0d\0\0\0\0" + bytes([transform])) for transform in (0, 1)}
TIFF = b"II*\0\x08\0\0\0\0\0\0\0\0\0"
CARRIED = {
    "JFIF 1.01, in cm, thumbnail": segment(0xE0, b"JFIF\0\1\1\2\0\x76\0\x76\1\1abc"),
    "JFXX": segment(0xE0, b"JFXX\0\x10thumbnail"),
    "Exif": segment(0xE1, b"Exif\0\0" + TIFF),
    "second Exif": segment(0xE1, b"Exif\0\0another"),
    "XMP": segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>"),
    "ICC": segment(0xE2, b"ICC_PROFILE\0\2\2b") + segment(0xE2, b"ICC_PROFILE\0\1\2a"),
    "IPTC": segment(0xED, b"Photoshop 3.0\08BIM\4\4\0\0\0\0\0\1x"),
    "C2PA": segment(0xEB, b"JP\0\1jumb"),
    "unknown": segment(0xE7, b"anything"),
    "comment": segment(0xFE, b"a comment"),
    "empty comment": segment(0xFE, b""),
    "damaged Exif": segment(0xE1, b"Exif\0\0"),
}
SOUND = [name for name in CARRIED if "damaged" not in name]


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def carried_by(data: bytes) -> bytes:
    """The application and comment segments of a file, joined."""
    return b"".join(data[s.offset : s.end] for s in read_segments(data) if s.name.startswith("APP") or s.name == "COM")


@given(st.lists(st.sampled_from(SOUND), unique=True), st.binary(max_size=9))
def test_segments_and_what_lies_behind_the_end_stay_byte_for_byte(names: list[str], trailer: bytes) -> None:
    segments = b"".join(CARRIED[name] for name in names)
    data = BARE[:2] + segments + BARE[2:] + trailer
    for progressive in (False, True):
        written = encode(read_jpeg(data), progressive=progressive).data
        assert carried_by(written) == segments
        assert written.endswith(b"\xff\xd9" + trailer)
        np.testing.assert_array_equal(pixels(written), pixels(data))
        assert read_jpeg(written).metadata == read_jpeg(data).metadata


def test_segments_stay_before_the_frame_header_behind_it_or_behind_the_scan() -> None:
    frame, scan = FILE.index(b"\xff\xc0"), FILE.index(b"\xff\xda")
    damaged = segment(0xE0, b"JFIF\0\x08") + segment(0xEE, b"Adobe") + ADOBE[0] + CARRIED["ICC"]
    # In front of the frame, Pillow would take this APP2 segment for a part of a colour profile.
    behind_frame = segment(0xE2, b"ICC_PROFILE\0") + CARRIED["unknown"]
    data = FILE[:frame] + CARRIED["comment"] + FILE[frame:scan] + behind_frame + FILE[scan:-2] + damaged + FILE[-2:]
    image = read_jpeg(data, notify=lambda sentence: None)
    assert (image.metadata.adobe_transform, image.metadata.icc_profile) == (None, None)
    progressive = encode(image, progressive=True).data
    for written in (progressive, encode(image, restart_interval=2).data):
        assert written.startswith(FILE[:20] + CARRIED["comment"])
        assert written.endswith(damaged + b"\xff\xd9")
        assert written.index(b"\xff\xc2" if written == progressive else b"\xff\xc0") + 19 == written.index(behind_frame)
        np.testing.assert_array_equal(pixels(written), pixels(data))
    with pytest.warns(JpegWarning):
        assert transcode(data, metadata=False).data == FILE


def test_segments_that_the_fields_describe_completely_are_not_kept() -> None:
    assert read_jpeg(FILE).metadata == Metadata()
    assert read_jpeg(FILE[:20] + CARRIED["comment"] + FILE[20:]).metadata.segments is not None


def test_changed_fields_get_new_segments_and_all_other_segments_stay() -> None:
    names = "JFIF 1.01, in cm, thumbnail", "Exif", "second Exif", "XMP", "ICC", "comment"
    data = BARE[:2] + b"".join(CARRIED[name] for name in names) + BARE[2:]
    image = read_jpeg(data)
    changes = {"exif": b"MM\0*other", "icc_profile": None, "density": (1, 300, 200)}
    written = write_jpeg(replace(image, metadata=replace(image.metadata, **changes)))
    expected = segment(0xE0, b"JFIF\0\1\2\1\1\x2c\0\xc8\0\0") + segment(0xE1, b"Exif\0\0MM\0*other")
    assert carried_by(written) == expected + CARRIED["XMP"] + CARRIED["comment"]
    metadata = read_jpeg(written).metadata
    assert (metadata.exif, metadata.icc_profile, metadata.density) == tuple(changes.values())
    without = replace(image, metadata=replace(image.metadata, exif=None))
    all_but_exif = b"".join(CARRIED[name] for name in names if "Exif" not in name)
    assert carried_by(write_jpeg(without)) == all_but_exif


def test_a_new_exif_segment_comes_behind_jfif() -> None:
    image = read_jpeg(FILE[:20] + CARRIED["comment"] + FILE[20:])
    written = write_jpeg(replace(image, metadata=replace(image.metadata, exif=TIFF)))
    assert carried_by(written) == JFIF + CARRIED["Exif"] + CARRIED["comment"]


# ---- Colours: what decoders make of a file stays ---------------------------------------------------------------------

RGB_IDS = tuple(b"RGB")


def rgb_by_ids() -> bytes:
    image = read_jpeg(FILE)
    components = tuple(replace(component, id=id) for component, id in zip(image.components, RGB_IDS, strict=True))
    return write_jpeg(replace(image, components=components)).replace(JFIF, b"")


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"metadata": False}, {"metadata": True}])
@pytest.mark.parametrize(
    "front",
    [b"", JFIF, ADOBE[0], ADOBE[1], JFIF + ADOBE[0], ADOBE[0] + JFIF, JFIF + ADOBE[1], CARRIED["comment"]],
    ids=bytes.hex,
)
@pytest.mark.parametrize("data", [BARE, rgb_by_ids()], ids=["ids 1 2 3", "ids R G B"])
def test_colours_are_the_same_afterwards(data: bytes, front: bytes, options: dict[str, object]) -> None:
    data = data[:2] + front + data[2:]
    written = transcode(data, allow_larger=True, **options).data
    np.testing.assert_array_equal(pixels(written), pixels(data))
    if options.get("metadata") is not False:
        assert carried_by(written) == front


@pytest.mark.parametrize("transform", [None, 0, 1])
@pytest.mark.parametrize("front", [b"", JFIF, ADOBE[0], ADOBE[1], JFIF + ADOBE[0], JFIF + ADOBE[1]], ids=bytes.hex)
@pytest.mark.parametrize("data", [BARE, rgb_by_ids()], ids=["ids 1 2 3", "ids R G B"])
def test_a_colour_transform_that_is_set_is_read_back(data: bytes, front: bytes, transform: int | None) -> None:
    image = read_jpeg(data[:2] + front + CARRIED["comment"] + data[2:])
    written = write_jpeg(replace(image, metadata=replace(image.metadata, adobe_transform=transform)))
    assert read_jpeg(written).metadata.adobe_transform == transform
    assert CARRIED["comment"] in written
    alone = write_jpeg(replace(image, metadata=Metadata(adobe_transform=transform)))
    np.testing.assert_array_equal(pixels(written), pixels(alone))


def test_density_beside_adobe() -> None:
    """The density is kept, whether the metadata was read from a file or constructed."""
    jfif = segment(0xE0, b"JFIF\0\1\1\1\1\x2c\1\x2c\0\0")
    for data in (BARE[:2] + jfif + ADOBE[1] + BARE[2:], BARE[:2] + ADOBE[1] + jfif + BARE[2:]):
        written = encode(read_jpeg(data)).data
        assert Image.open(io.BytesIO(written)).info["dpi"] == (300, 300)
    put_together = replace(read_jpeg(FILE), metadata=Metadata(adobe_transform=1, density=(1, 300, 300)))
    assert Image.open(io.BytesIO(write_jpeg(put_together))).info["dpi"] == (300, 300)


def test_segments_behind_the_scans_stay_whatever_the_metadata_says() -> None:
    """Segments behind the scans are kept unchanged, since readers that stop at the scans ignore them."""
    behind = segment(0xE1, b"Exif\0\0" + TIFF)
    image = read_jpeg(FILE[:-2] + behind + FILE[-2:])
    for exif in (b"MM" + TIFF[2:], None):
        data = write_jpeg(replace(image, metadata=replace(image.metadata, exif=exif)), progressive=True)
        front = b"" if exif is None else segment(0xE1, b"Exif\0\0" + exif)
        assert carried_by(data) == JFIF + front + behind
        assert data.endswith(behind + b"\xff\xd9")


@pytest.mark.parametrize(
    ("transform", "density", "components", "is_jfif"),
    [
        (1, (1, 300, 300), 3, True),  # YCbCr files have the density in a JFIF segment only
        (1, Metadata.density, 3, False),
        (0, (1, 300, 300), 3, False),  # JFIF would say that RGB is YCbCr
        (2, (1, 300, 300), 4, False),  # JFIF does not allow four components
        (None, Metadata.density, 3, True),
    ],
)
def test_jfif_beside_adobe_is_only_for_the_density_of_ycbcr(
    transform: int | None, density: tuple[int, int, int], components: int, is_jfif: bool
) -> None:
    segments = segments_of(Metadata(adobe_transform=transform, density=density), range(1, components + 1))
    markers = [0xE0] * is_jfif + [0xEE] * (transform is not None)
    assert [segment.marker for segment in segments] == markers


# ---- Further pictures ------------------------------------------------------------------------------------------------


def with_pictures(first: bytes, others: list[bytes], order: str) -> bytes:
    """A file of the Multi-Picture Format (CIPA DC-007)."""
    count = 1 + len(others)
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, 3)
    header += struct.pack(f"{order}HHI4s", 0xB000, 7, 4, b"0100")
    header += struct.pack(f"{order}HHII", 0xB001, 4, 1, count)
    header += struct.pack(f"{order}HHII", 0xB002, 7, 16 * count, 8 + 2 + 36 + 4) + bytes(4)
    nbytes = len(first) + 4 + 4 + len(header) + 16 * count  # size of the first picture, including this segment
    start = 2 + 4 + 4  # position of the structure in the file, behind SOI, marker, length and signature
    entries, offset = struct.pack(f"{order}IIIHH", 0x030000, nbytes, 0, 0, 0), nbytes - start
    for other in others:
        entries += struct.pack(f"{order}IIIHH", 0, len(other), offset, 0, 0)
        offset += len(other)
    return first[:2] + segment(0xE2, b"MPF\0" + header + entries) + first[2:] + b"".join(others)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("options", [{}, {"quality": 30}, {"progressive": True}])
def test_offsets_to_further_pictures_are_right_afterwards(order: str, options: dict[str, object]) -> None:
    others = [encode(PHOTO[:16]).data, encode(PHOTO[:24, :, 0]).data]
    plain = io.BytesIO()
    Image.fromarray(PHOTO).save(plain, "JPEG", quality=90)
    data = with_pictures(plain.getvalue(), others, order)
    written = transcode(data, allow_larger=True, **options).data
    assert len(written) != len(data)
    for file in (data, written):
        with Image.open(io.BytesIO(file)) as image:
            assert (image.format, image.n_frames) == ("MPO", 3)
            for number, other in enumerate(others, start=1):
                image.seek(number)
                np.testing.assert_array_equal(np.asarray(image), pixels(other))
        size_of_first = file.index(b"MPF\0") + 4 + 8 + 2 + 36 + 4 + 4
        first = file[: struct.unpack_from(f"{order}I", file, size_of_first)[0]]
        assert first.endswith(b"\xff\xd9")
        assert file.removeprefix(first) == b"".join(others)


@pytest.mark.parametrize(
    "payload",
    [b"", b"II", b"II*\0", b"II*\0\xff\xff\xff\xff", b"II*\0\x08\0\0\0\1\0", b"XX*\0\x08\0\0\0\1\0" + bytes(12)]
    + [b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", 0xB002, 7, 16, start) for start in (0, 12, 1 << 31)],
)
def test_a_damaged_list_of_pictures_stays_as_it_is(payload: bytes) -> None:
    damaged = segment(0xE2, b"MPF\0" + payload)
    data = FILE[:20] + damaged + FILE[20:] + b"more"
    assert carried_by(encode(read_jpeg(data), progressive=True).data) == JFIF + damaged


def test_a_list_of_pictures_that_are_gone_stays_as_it_is() -> None:
    """The list of pictures is unchanged if there is no trailer with the pictures."""
    data = with_pictures(FILE, [FILE], "<")
    image = read_jpeg(data)
    assert image.metadata.trailer == FILE
    alone = replace(image, metadata=replace(image.metadata, trailer=b""))
    payload = data[data.index(b"MPF\0") : data.index(b"MPF\0") + 4 + 8 + 2 + 36 + 4 + 32]
    assert payload in write_jpeg(alone, progressive=True)
    assert payload not in write_jpeg(image, progressive=True)


def test_names_of_carried_segments() -> None:
    front = b"".join(CARRIED[name] for name in SOUND)
    metadata = read_jpeg(BARE[:2] + front + BARE[2:] + bytes(2000)).metadata
    assert metadata.contents == (
        *("thumbnail", "Exif", "XMP", "ICC profile", "IPTC", "JUMBF (such as C2PA)", "APP7", "comment"),
        "2,000 bytes behind the image",
    )
    assert Metadata(icc_profile=b"profile", exif=TIFF).contents == ("ICC profile", "Exif")
    assert read_jpeg(FILE).metadata.contents == ()


# ---- From pixels -----------------------------------------------------------------------------------------------------


def test_encoding_the_pixels_of_a_jpeg_file_keeps_all_metadata_that_does_not_describe_the_file(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a description"
    plain = io.BytesIO()
    Image.fromarray(PHOTO).save(plain, "JPEG", exif=exif, icc_profile=b"profile", dpi=(300, 300))
    data, mpf = plain.getvalue(), segment(0xE2, b"MPF\0II*\0\x08\0\0\0\0\0")
    names = "XMP", "IPTC", "C2PA", "unknown", "comment"
    data = data[:20] + b"".join(CARRIED[name] for name in names) + mpf + ADOBE[1] + data[20:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns that there are no further pictures
        written = encode(data, metadata=True).data
    metadata = read_jpeg(written).metadata
    assert (metadata.exif, metadata.icc_profile, metadata.density) == (exif.tobytes()[6:], b"profile", (1, 300, 300))
    assert carried_by(written).endswith(b"".join(CARRIED[name] for name in names))
    assert b"MPF" not in written
    assert b"Adobe\0d" not in written


@pytest.mark.parametrize(("kind", "option"), [("PNG", None), ("WEBP", "xmp"), ("TIFF", None)])
def test_xmp_of_other_files(tmp_path: Path, kind: str, option: str | None) -> None:
    xmp = b"<x:xmpmeta>\xc3\xa4</x:xmpmeta>"
    path = tmp_path / f"in.{kind.lower()}"
    options: dict[str, object] = {"xmp": xmp} if option else {}
    if kind == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", xmp.decode())
        options = {"pnginfo": text}
    if kind == "TIFF":
        options = {"tiffinfo": {700: xmp}}
    Image.fromarray(PHOTO).save(path, kind, **options)
    metadata = read_jpeg(encode(path, metadata=True).data).metadata
    assert metadata.contents == ("XMP",)
    assert encode(path, metadata=True).data.count(b"http://ns.adobe.com/xap/1.0/\0" + xmp) == 1
    result = run("encode", path, "-o", tmp_path / "out.jpg")
    assert "left out XMP, which --metadata keeps" in result.stderr


@pytest.mark.parametrize("name", ["out.png", "out.jpg"])
def test_restoring_keeps_what_the_format_can_hold(tmp_path: Path, name: str) -> None:
    names = "Exif", "XMP", "comment", "IPTC"
    (tmp_path / "in.jpg").write_bytes(FILE[:20] + b"".join(CARRIED[carried] for carried in names) + FILE[20:])
    result = run_restore(tmp_path / "in.jpg", "-o", tmp_path / name, "--model", "tiny")
    assert result.exit_code == 0
    with Image.open(tmp_path / name) as image:
        assert image.info["exif"].removeprefix(b"Exif\0\0") == TIFF
        assert image.info["xmp"] == b"<x:xmpmeta/>"
    has_notice = "left out comment, IPTC, which a JPEG output keeps" in result.stderr
    assert has_notice is (name == "out.png")
    if name == "out.jpg":
        assert carried_by((tmp_path / name).read_bytes()) == JFIF + b"".join(CARRIED[carried] for carried in names)
