"""Files that end too early: with `partial`, their coefficients are those of libjpeg-turbo, in each of its cases."""

from __future__ import annotations

import random
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from optcodec import CoefficientImage, MalformedJpegError, UnsupportedJpegError, read_jpeg, read_jpeg_rows, write_jpeg
from optcodec.jpeg.reading import decoding
from optcodec.jpeg.reading.structure import read_structure
from optcodec.jpeg.segments import read_segments
from tests.damaged import SMALLEST
from tests.jpeg.test_reader import (
    AC,
    CODES,
    DC,
    REFINE,
    RESTARTS,
    SOI,
    UNKNOWN,
    ZERO,
    coefficient_image,
    decoded,
    grey_file,
    pillow_file,
)
from tests.jpeg.test_tolerant_reader import turbo_coefficients
from tests.jpegfile import EOI, HUFFMAN, Huffman, ScanSpec, build, dht, dqt, entropy_coded, sof, sos

SIZE = (75, 50)
ODD = coefficient_image(((2, 2), (1, 1), (1, 1)), 40, 23)
ODD_RESTARTS = coefficient_image(((2, 2), (1, 1), (1, 1)), 40, 23, restart_interval=2)
FILES = {
    "4:2:0": pillow_file(size=SIZE, quality=90),
    "4:4:4, optimized": pillow_file(size=SIZE, quality=60, subsampling="4:4:4", optimize=True),
    "restarts": pillow_file(size=SIZE, quality=80, restart_marker_blocks=3),
    "a restart for each MCU": pillow_file(size=SIZE, quality=95, subsampling="4:4:4", restart_marker_blocks=1),
    "progressive": pillow_file(size=SIZE, quality=80, progressive=True),
    "progressive, restarts": pillow_file(size=SIZE, quality=70, progressive=True, restart_marker_blocks=2),
    "gray": pillow_file("L", SIZE, quality=80),
    "CMYK": pillow_file("CMYK", (40, 30), quality=80),
    "two scans": build(ODD, [ScanSpec((0,)), ScanSpec((1, 2))]),
    "two scans, restarts": build(ODD_RESTARTS, [ScanSpec((0,)), ScanSpec((1, 2))], table=HUFFMAN[-1]),
}
PROGRESSIVE = FILES["progressive"]


def read_part(data: bytes) -> tuple[CoefficientImage, list[str]]:
    notices: list[str] = []
    return read_jpeg(data, partial=True, notify=notices.append), notices


def assert_as_libjpeg(data: bytes, folder: Path) -> list[str]:
    """Check that all coefficients, also row by row, are those of libjpeg-turbo; return the notices."""
    image, notices = read_part(data)
    for index, (blocks, _) in enumerate(turbo_coefficients(data, folder)):
        np.testing.assert_array_equal(image.components[index].blocks, blocks, f"component {index} of {len(data)} bytes")
    rows = list(read_jpeg_rows(data, partial=True, notify=lambda notice: None))
    for index, component in enumerate(image.components):
        np.testing.assert_array_equal(np.concatenate([row[index] for row in rows]), component.blocks)
    return notices


def cuts(data: bytes) -> list[int]:
    """Positions in the data of scans: near restart markers, stuffed zeros and both ends, and at random."""
    scans = [segment for segment in read_segments(data) if segment.name == "SOS"]
    generator, positions = random.Random(len(data)), set()
    for scan in scans:
        first, last = scan.data_offset + (scan is scans[0]), scan.end
        positions |= {first, first + 1, last - 2, last - 1, last}
        near = [match.start() + 1 for match in re.finditer(rb"\xff", data[first:last])]
        positions |= {first + at + step for at in generator.sample(near, min(3, len(near))) for step in range(3)}
        positions |= set(generator.sample(range(first, last), min(5, last - first)))
    return sorted(position for position in positions if any(scan.data_offset < position <= scan.end for scan in scans))


@pytest.mark.parametrize("name", FILES)
def test_coefficients_of_partial_files_are_those_of_libjpeg(name, tmp_path):
    data = FILES[name]
    for position in cuts(data):
        cut = data[:position]
        assert_as_libjpeg(cut, tmp_path)
        assert_as_libjpeg(cut + EOI, tmp_path)
        if "progressive" not in name and "two scans" not in name:
            np.testing.assert_array_equal(decoded(write_jpeg(read_part(cut)[0])), decoded(cut + EOI))


@pytest.mark.parametrize("options", [{}, {"restart_marker_blocks": 7}, {"restart_marker_rows": 1}], ids=str)
def test_rows_that_pause_are_the_same(options, monkeypatch):
    monkeypatch.setattr(decoding, "_SPACE_NBYTES", SMALLEST)
    data = pillow_file(size=(300, 200), quality=97, **options)
    for position in random.Random(1).sample(range(700, len(data)), 20):
        image, expected = read_part(data[:position])
        notices: list[str] = []
        rows = list(read_jpeg_rows(data[:position], partial=True, notify=notices.append))
        assert notices == expected
        for index, component in enumerate(image.components):
            np.testing.assert_array_equal(np.concatenate([row[index] for row in rows]), component.blocks)


@pytest.mark.parametrize("name", ["progressive", "progressive, restarts", "two scans", "two scans, restarts"])
def test_missing_data_in_the_middle_of_a_file(name, tmp_path):
    """The end of each scan that no later one refines, and where there are restart intervals the end of one."""
    data = FILES[name]
    for scan in [scan.segment for scan in read_structure(data).scans if scan.header.Al == 0]:
        for missing in (1, scan.data_nbytes // 3, scan.data_nbytes):
            assert_as_libjpeg(data[: scan.end - missing] + data[scan.end :], tmp_path)
        for match in list(re.finditer(rb"(?<!\xff)[^\xff]{3}\xff[\xd0-\xd7]", data[scan.data_offset : scan.end]))[::3]:
            position = scan.data_offset + match.start()
            assert_as_libjpeg(data[:position] + data[position + 3 :], tmp_path)
            assert_as_libjpeg(data[:position] + data[position + 2 :], tmp_path)


def test_data_that_ends_within_a_code_is_completed_with_zero_bits(tmp_path):
    """The data ends in codes, in additional bits, in runs; zero bits are valid codes, invalid codes, or no codes."""
    first = {0x11: Huffman((0, 1, 2) + (0,) * 13, (0x11, 0, 1)), 0xF1: Huffman((0, 1, 2) + (0,) * 13, (0xF1, 0, 1))}
    bits = [DC[3] + "1", DC[0] + CODES[5] + "10", ZERO + "1" * 7, DC[0] + "1" * 9, ZERO + DC[9][:5], "", ZERO]
    files = [grey_file(code_bits, blocks=5) for code_bits in bits]
    files += [grey_file([ZERO * 2, code_bits], blocks=7, before=RESTARTS.replace(b"\1", b"\2")) for code_bits in bits]
    files += [grey_file("1", blocks=3, before=dht(1, 0, table)) for table in first.values()]
    files += [grey_file("0001", scan=AC, blocks=3, before=dht(1, 0, table)) for table in first.values()]
    files += [grey_file("", scan=REFINE, before=dht(1, 0, table)) for table in first.values()]
    once = sos([(1, 0, 0)], 1, 5, 0, 2)
    again = sos([(1, 0, 0)], 1, 5, 0, 1) + entropy_coded(["010"]) + sos([(1, 0, 0)], 1, 5, 1, 0)
    files += [grey_file("0", scan=scan, before=dht(1, 0, table)) for scan in (once, again) for table in first.values()]
    ends = ("", CODES[0x10][:4], CODES[5] + "1", CODES[0xF0], UNKNOWN[:7])
    files += [grey_file(end, scan=AC, blocks=3) for end in ends]
    for data in files:
        assert any("truncated scan" in notice for notice in assert_as_libjpeg(data, tmp_path)), data.hex()
        if read_structure(data).scans[0].segment.data_nbytes:
            assert_as_libjpeg(data[:-2], tmp_path)


def test_refinement_that_ends_early(tmp_path):
    """Progressive files with many bits and runs over blocks in every band are cut at every third byte of a scan."""
    image = coefficient_image(((1, 1),), 48, 40)
    script = [ScanSpec((0,), 0, 0, 0, 2), ScanSpec((0,), 1, 9, 0, 3), ScanSpec((0,), 10, 63, 0, 2)]
    script += [ScanSpec((0,), 1, 9, low + 1, low) for low in (2, 1, 0)] + [ScanSpec((0,), 0, 0, 2, 1)]
    script += [ScanSpec((0,), 10, 63, 2, 1)]
    data = build(image, script, table=HUFFMAN[-1])
    scans = [segment for segment in read_segments(data) if segment.name == "SOS"]
    for scan in scans[1:]:
        for position in range(scan.data_offset, scan.end, 3):
            assert_as_libjpeg(data[:position], tmp_path)


def test_missing_data_is_reported():
    data = FILES["restarts"]
    image, notices = read_part(data[: len(data) // 2])
    assert len(notices) == 2
    assert re.search(r"^the file ends where a marker .*at byte \d+.; the file was read up to there$", notices[0])
    assert re.search(
        r"^truncated scan: a block needs .*at byte \d+.; missing coefficients of a scan were taken as 0", notices[1]
    )
    assert not image.components[0].blocks[-1].any()
    _, notices = read_part(PROGRESSIVE[: PROGRESSIVE.rindex(b"\xff\xc4")])
    assert re.search(r"EOI, before its scans .*; bits that were not sent were taken as 0$", notices[-1])
    _, notices = read_part(PROGRESSIVE[: PROGRESSIVE.rindex(b"\xff\xc4") + 9])
    assert re.search(r"^truncated DHT: .*; this segment was left out$", notices[0])
    two = FILES["two scans"]
    _, notices = read_part(two[: two.rindex(b"\xff\xda")] + EOI)
    assert notices == [f"the file has no scan of the components [1, 2] (at byte {two.rindex(bytes([255, 218]))}); "
                       "components without scans were taken as 0"]  # fmt: skip


def test_components_without_a_scan(tmp_path):
    data = FILES["two scans"]
    image, _ = read_part(data[: data.rindex(b"\xff\xda")])
    assert image.components[0].blocks.any()
    assert not image.components[1].blocks.any()
    np.testing.assert_array_equal(decoded(write_jpeg(image)), decoded(data[: data.rindex(b"\xff\xda")] + EOI))
    rows = read_jpeg_rows(data[: data.rindex(b"\xff\xda")], partial=True, notify=lambda notice: None)
    assert [component.id for component in rows.components] == [1, 2, 3]


SEQUENTIAL = FILES["4:2:0"]
HEADERS = SEQUENTIAL.index(b"\xff\xda") + 14


@pytest.mark.parametrize(
    ("data", "message"),
    [
        *((SEQUENTIAL[:nbytes], "EOI|truncated|SOI|marker") for nbytes in range(0, HEADERS + 1, 3)),
        (SEQUENTIAL[:HEADERS], "ends before the first scan has any data"),
        (SEQUENTIAL[:HEADERS] + b"\xff\xff", "ends before the first scan has any data"),
        (FILES["two scans"][: FILES["two scans"].rindex(b"\xff\xda") + 9], "truncated SOS"),
        (grey_file(UNKNOWN * 2, blocks=9), "begin no code"),
        (grey_file(DC[0] + CODES[0xF0] * 4, blocks=9), "behind the last one of the band"),
        (grey_file([ZERO] * 3, blocks=5, before=RESTARTS).replace(b"\xff\xd1", b"\xff\xd2"), "restart markers"),
        (grey_file([""] * 1200, blocks=1200, before=RESTARTS), "more than 1000 restart intervals of a scan end early"),
    ],
)
def test_breaches_that_are_never_tolerated(data, message):
    for read in (read_jpeg, lambda *arguments, **options: list(read_jpeg_rows(*arguments, **options))):
        with pytest.raises(MalformedJpegError, match=message):
            read(data, partial=True, notify=lambda notice: None)


def test_a_header_that_claims_too_much():
    """A file with little data is read, with coefficients in one corner, unless its size is above the limit."""
    tiny = Huffman((1,) + (0,) * 15, (0,))
    pieces = [SOI, dqt(0, [1] * 64), sof(0xC0, 65500, 65500, [(1, 1, 1, 0)]), dht(0, 0, tiny), dht(1, 0, tiny)]
    data = b"".join([*pieces, sos([(1, 0, 0)]), bytes(50)])
    tracemalloc.start()
    try:
        with pytest.raises(UnsupportedJpegError, match="65500x65500"):
            read_jpeg(data, partial=True, notify=lambda notice: None)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    small = data.replace((65500).to_bytes(2) * 2, (800).to_bytes(2) * 2)
    assert read_part(small)[0].components[0].blocks.shape == (100, 100, 8, 8)
    with pytest.raises(MalformedJpegError, match="10000 blocks takes 20000 bits or more, found 400"):
        read_jpeg(small, notify=lambda notice: None)


def test_a_scan_that_refines_ambiguous_coefficients_is_refused():
    """In a scan in the middle of the file, zero bits are decoded to a coefficient outside of its band."""
    table = Huffman((0, 1, 2) + (0,) * 13, (0xF1, 0, 1))
    scan = sos([(1, 0, 0)], 1, 5, 0, 1) + entropy_coded([""]) + sos([(1, 0, 0)], 1, 5, 1, 0)
    with pytest.raises(MalformedJpegError, match="goes on from one that ended early"):
        read_jpeg(grey_file("0", scan=scan, before=dht(1, 0, table)), partial=True, notify=lambda notice: None)
