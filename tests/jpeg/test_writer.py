"""Written files: every byte of the headers, scans equal to libjpeg's, and the coefficients that other decoders read."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings

from optcodec.errors import InvalidInputError
from optcodec.jpeg.bitstream import Preamble, Scan, jpeg_bytes, scan_groups
from optcodec.jpeg.entropy import sequential_tokens
from optcodec.jpeg.image import CoefficientImage, Component, Metadata
from optcodec.jpeg.layout import mcu_layout, worker_count
from optcodec.jpeg.reading.reader import read_jpeg
from optcodec.jpeg.reading.structure import read_structure
from optcodec.jpeg.segments import read_segments
from optcodec.jpeg.tables import QuantTable
from optcodec.jpeg.writer import write_jpeg
from tests.jpegfile import ScanSpec, build
from tests.naive import naive_read
from tests.peers import libjpeg_coefficients, picture, pillow_jpeg, pillow_pixels
from tests.strategies import (
    ALL_FACTORS,
    COLOUR_FACTORS,
    FLAT,
    GREY_FACTORS,
    assert_same_image,
    coefficient_images,
    image_of,
)

GREY, COLOUR = ((1, 1),), ((2, 2), (1, 1), (1, 1))


def with_values(values: list[int], position: int = 0, restart_interval: int = 0) -> CoefficientImage:
    """Make a row of grey blocks with one nonzero coefficient each, at a row-major position."""
    blocks = np.zeros((1, len(values), 64), np.int16)
    blocks[0, :, position] = values
    component = Component(1, 1, 1, 0, blocks.reshape(1, -1, 8, 8))
    return CoefficientImage(8 * len(values), 8, (component,), (FLAT,), restart_interval=restart_interval)


def names(data: bytes) -> list[str]:
    return [segment.name for segment in read_segments(data)]


def payloads(data: bytes, name: str) -> list[bytes]:
    return [segment.payload for segment in read_segments(data) if segment.name == name]


# ---- Segments --------------------------------------------------------------------------------------------------------


def test_every_byte_of_a_small_file():
    """A grey block with DC 3 and no AC: the only symbol of each table has the code 0, and ones fill up the byte."""
    expected = (
        "FFD8"
        "FFE0 0010 4A46494600 0102 00 0001 0001 00 00"
        f"FFDB 0043 00 {'10' * 64}"
        "FFC0 000B 08 0008 0008 01 01 11 00"
        f"FFC4 0026 00 01{'00' * 15} 02 10 01{'00' * 15} 00"
        "FFDA 0008 01 01 00 00 3F 00"
        "6F"  # the bits 0 11 0, then 1111 to fill up the byte
        "FFD9"
    )
    assert write_jpeg(with_values([3])).hex(" ") == bytes.fromhex(expected).hex(" ")


def test_segments_come_in_order():
    metadata = Metadata(icc_profile=bytes(70000), exif=b"MM\0*", density=(1, 300, 150))
    image = image_of(COLOUR, 40, 40, (FLAT, FLAT), metadata=metadata, restart_interval=2)
    head = ["SOI", "APP0", "APP1", "APP2", "APP2", "DQT"]
    assert names(write_jpeg(image)) == [*head, "SOF0", "DRI", "DHT", "SOS", "EOI"]
    progressive = names(write_jpeg(image, progressive=True))
    assert progressive[:8] == [*head, "SOF2", "DRI"]
    assert progressive[8:] == ["DHT", "SOS"] * 7 + ["EOI"]


def test_no_segment_without_need():
    for image in (image_of(GREY, 9, 9), image_of(COLOUR, 40, 40)):
        assert names(write_jpeg(image)) == ["SOI", "APP0", "DQT", "SOF0", "DHT", "SOS", "EOI"]


def test_metadata():
    profile = np.random.default_rng(0).bytes(65519 + 65519 + 5)
    metadata = Metadata(icc_profile=profile, exif=b"II*\0rest", density=(2, 30, 65535))
    data = write_jpeg(image_of(GREY, 8, 8, metadata=metadata))
    assert payloads(data, "APP0") == [b"JFIF\0\x01\x02\x02" + struct.pack(">HH", 30, 65535) + b"\0\0"]
    assert payloads(data, "APP1") == [b"Exif\0\0II*\0rest"]
    chunks = payloads(data, "APP2")
    assert [chunk[:14] for chunk in chunks] == [b"ICC_PROFILE\0" + bytes([number, 3]) for number in (1, 2, 3)]
    assert [len(chunk) for chunk in chunks] == [65533, 65533, 19]
    assert b"".join(chunk[14:] for chunk in chunks) == profile
    assert read_jpeg(data).metadata == metadata


def test_an_adobe_segment_stands_for_jfif():
    """There is no JFIF segment beside an Adobe segment, since both could contradict each other about the colours."""
    data = write_jpeg(image_of(((1, 1),) * 3, 8, 8, metadata=Metadata(adobe_transform=0)))
    assert payloads(data, "APP14") == [b"Adobe\0\x64\0\0\0\0\0"]
    assert "APP0" not in names(data)


@pytest.mark.parametrize(
    ("metadata", "limit"),
    [(Metadata(exif=bytes(65528)), 65527), (Metadata(icc_profile=bytes(255 * 65519 + 1)), 255 * 65519)],
    ids=["exif", "icc"],
)
def test_metadata_that_does_not_fit(metadata, limit):
    with pytest.raises(InvalidInputError, match=f"at most {limit} bytes, got {limit + 1}"):
        write_jpeg(image_of(GREY, 8, 8, metadata=metadata))
    shorter = Metadata(*(value[:-1] if isinstance(value, bytes) else value for value in vars(metadata).values()))
    assert read_jpeg(write_jpeg(image_of(GREY, 8, 8, metadata=shorter))).metadata == shorter


@pytest.mark.parametrize(
    ("largest", "frame", "precisions"),
    [((255, 254), "SOF0", [0, 0]), ((255, 256), "SOF1", [0, 1]), ((65535, 1), "SOF1", [1, 0])],
)
def test_tables_take_16_bits_only_where_they_must(largest, frame, precisions):
    steps = np.arange(1, 65).reshape(8, 8)
    tables = tuple(QuantTable(np.where(steps == 64, value, np.minimum(steps, value))) for value in largest)
    image = image_of(COLOUR, 20, 20, tables)
    data = write_jpeg(image)
    (payload,) = payloads(data, "DQT")
    expected = b""
    for number, (table, precision) in enumerate(zip(tables, precisions, strict=True)):
        expected += bytes([precision << 4 | number])
        expected += b"".join(int(step).to_bytes(1 + precision, "big") for step in table.steps_zz)
    assert payload == expected
    assert frame in names(data)
    assert "SOF2" in names(write_jpeg(image, progressive=True))
    assert_same_image(read_jpeg(data), image)


def test_frame_and_scan_header():
    image = image_of(((2, 1), (1, 1), (1, 1)), 300, 7, (FLAT, QuantTable(np.full((8, 8), 9))))
    components = (replace(image.components[0], id=82), image.components[1], replace(image.components[2], id=0))
    renamed = replace(image, components=components)
    scans = [Scan([0, 1, 2], [0, 2, 2], sequential_tokens(renamed, [0, 1, 2], [0, 2, 2]))]
    data = jpeg_bytes(Preamble.of(renamed), scans, progressive=False, share_tables=False)
    (frame,), (scan,) = payloads(data, "SOF0"), payloads(data, "SOS")
    assert frame == bytes([8, 0, 7, 300 >> 8, 300 & 255, 3, 82, 0x21, 0, 2, 0x11, 1, 0, 0x11, 1])
    assert scan == bytes([3, 82, 0x00, 2, 0x11, 0, 0x11, 0, 63, 0])
    # A scan header with one pair of Huffman tables for all components.
    one_pair = bytes([3, 82, 0x00, 2, 0x00, 0, 0x00, 0, 63, 0])
    assert payloads(write_jpeg(renamed), "SOS") == [one_pair]


# ---- Restart markers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("factors", [GREY, COLOUR], ids=str)
@pytest.mark.parametrize("interval", [1, 2, 7, 100, 65535])
@pytest.mark.parametrize("progressive", [False, True])
def test_restart_markers(factors, interval, progressive):
    """There is a marker between any two intervals and none at the end, RST0 to RST7 in turn; intervals count MCUs."""
    image = image_of(factors, 90, 60, restart_interval=interval)
    data = write_jpeg(image, progressive=progressive)
    assert payloads(data, "DRI") == [struct.pack(">H", interval)]
    for scan in read_structure(data).scans:
        coded = data[scan.segment.data_offset : scan.segment.end]
        markers = [coded[at + 1] for at in range(len(coded) - 1) if coded[at] == 0xFF and coded[at + 1]]
        indices = [component.index for component in scan.header.components]
        layout = mcu_layout(90, 60, factors, [0] * len(indices), indices)
        intervals = -(-layout.rows * layout.columns // interval)
        assert markers == [0xD0 + number % 8 for number in range(intervals - 1)]
    assert_same_image(read_jpeg(data), image)


# ---- Scans -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("size", [(1, 1), (7, 40), (33, 17), (201, 143)])
@pytest.mark.parametrize("restart_blocks", [0, 1, 5])
def test_scans_are_those_of_libjpeg(size, subsampling, restart_blocks):
    """Scans are equal to those of libjpeg in every byte, and headers are not longer."""
    for quality in (10, 75, 98):
        options = {"quality": quality, "subsampling": subsampling, "restart_marker_blocks": restart_blocks}
        theirs = pillow_jpeg(picture(*size), optimize=True, **options)
        image = read_jpeg(theirs)
        scan = Scan([0, 1, 2], [0, 2, 2], sequential_tokens(image, [0, 1, 2], [0, 2, 2]))
        ours = jpeg_bytes(Preamble.of(image), [scan], progressive=False, share_tables=False)
        assert scan_data(ours) == scan_data(theirs)
        assert len(write_jpeg(image)) <= len(ours) <= len(theirs)


def scan_data(data: bytes) -> list[bytes]:
    return [data[scan.segment.data_offset : scan.segment.end] for scan in read_structure(data).scans]


@settings(max_examples=60, deadline=None)
@given(coefficient_images(max_side=50))
def test_the_naive_decoder_reads_what_was_written(image):
    for component, (blocks, table) in zip(image.components, naive_read(write_jpeg(image)), strict=True):
        np.testing.assert_array_equal(component.blocks, blocks)
        np.testing.assert_array_equal(image.tables[component.table].steps, table)


@settings(max_examples=40, deadline=None)
@given(coefficient_images(factors=COLOUR_FACTORS + GREY_FACTORS, max_side=40, with_metadata=True))
def test_other_decoders_see_the_same_picture(image):
    """The pixels are those of a file with the same coefficients that a naive coder wrote with fixed Huffman tables."""
    plain = build(image, [ScanSpec(tuple(range(len(image.components))))])
    space = "GRAY" if len(image.components) == 1 else "RGB"
    for data in (write_jpeg(image), write_jpeg(image, progressive=True)):
        np.testing.assert_array_equal(pillow_pixels(data), pillow_pixels(plain))
        np.testing.assert_array_equal(simplejpeg.decode_jpeg(data, space), simplejpeg.decode_jpeg(plain, space))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("factors", [((4, 2), (2, 1), (1, 1)), ((2, 2),) * 3, ((4, 4), (4, 4))], ids=str)
def test_components_too_large_to_interleave(factors, progressive, tmp_path):
    """An MCU has at most 10 blocks (T.81, B.2.3); if it would have more, each component has its own scan."""
    image = image_of(factors, 75, 45)
    data = write_jpeg(image, progressive=progressive)
    first = [scan.header for scan in read_structure(data).scans if scan.header.Ss == 0]
    assert [[component.index for component in header.components] for header in first] == [
        [n] for n in range(len(factors))
    ]
    assert_same_image(read_jpeg(data), image)
    if len(factors) == 3:
        for component, plane in zip(image.components, libjpeg_coefficients(data, tmp_path), strict=True):
            np.testing.assert_array_equal(component.blocks, plane)


@pytest.mark.parametrize(
    ("factors", "apart", "groups"),
    [
        (((2, 2), (1, 1), (1, 1)), False, [[0, 1, 2]]),
        (((2, 2), (1, 1), (1, 1)), True, [[0], [1, 2]]),
        (((2, 1), (1, 1), (1, 1)), True, [[0], [1, 2]]),
        (((1, 1), (1, 1), (1, 1)), True, [[0, 1, 2]]),  # luminance is no finer than chrominance
        (((2, 2),), True, [[0]]),
        (((4, 4),), False, [[0]]),  # the MCU of a single component is one block, not 16
        (((2, 2), (1, 1)), True, [[0, 1]]),
        (((2, 2), (1, 1), (1, 1), (2, 2)), True, [[0, 1, 2, 3]]),
        (((2, 2), (2, 2), (2, 2)), False, [[0], [1], [2]]),  # 12 blocks are more than an MCU may have
    ],
)
def test_which_components_share_a_scan(factors, apart, groups):
    assert scan_groups(image_of(factors, 40, 24), apart=apart) == groups


@pytest.mark.parametrize("factors", [f for f in ALL_FACTORS if sum(h * v for h, v in f) <= 10], ids=str)
def test_components_are_interleaved_where_they_can_be(factors):
    assert len(read_structure(write_jpeg(image_of(factors, 30, 30))).scans) == 1


@pytest.mark.parametrize("factors", [GREY, COLOUR, ((1, 1),) * 3], ids=str)
@pytest.mark.parametrize("restart_interval", [0, 11])
def test_any_number_of_threads_makes_the_same_file(factors, restart_interval):
    image = image_of(factors, 1030, 1000, restart_interval=restart_interval)
    assert worker_count(mcu_layout(1030, 1000, factors, [0] * len(factors)), 3) == 3
    assert len({write_jpeg(image, threads=threads) for threads in (1, 2, 3, 7, None)}) == 1


# ---- Values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("progressive", [False, True, "smaller"])
@pytest.mark.parametrize(
    "image",
    [
        with_values([0, 1024], position=1),
        with_values([0, -1024], position=63),
        with_values([0, 1024], position=12),
        with_values([-32768], position=5),
        with_values([32767], position=5),
        with_values([-1024, 1024]),
        with_values([1024, -1024]),
        with_values([2048]),
        with_values([-32768]),
        with_values([-32767, 32767]),
    ],
    ids=[
        "AC 1024",
        "AC -1024",
        "AC 12",
        "AC -32768",
        "AC 32767",
        "DC +2048",
        "DC -2048",
        "DC",
        "DC -32768",
        "DC 65534",
    ],
)
def test_values_without_a_code_are_refused(image, progressive):  # fmt: skip
    with pytest.raises(InvalidInputError, match="8-bit JPEG codes"):
        write_jpeg(image, progressive=progressive)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize(
    "image",
    [
        *(with_values([0, 1023, -1023], position=position) for position in (1, 12, 63)),
        with_values([-1024, 1023, -1024]),
        with_values([-1023, 1024, -1023]),
        with_values([2047, 2047]),
        with_values([1500, -1500, 2047, -2047], restart_interval=1),
    ],
)
def test_the_largest_values_that_have_a_code(image, progressive):
    assert_same_image(read_jpeg(write_jpeg(image, progressive=progressive)), image)


@pytest.mark.parametrize("progressive", ["yes", None, 2])
def test_values_of_progressive(progressive):
    with pytest.raises(InvalidInputError, match=r'progressive is False, True or "smaller"; got '):
        write_jpeg(image_of(GREY, 8, 8), progressive=progressive)
