"""Coefficients read from files are equal to libjpeg's, a naive decoder's, and those written; bad files are refused."""

from __future__ import annotations

import functools
import io
import os
import random
import tracemalloc
from dataclasses import replace
from pathlib import Path

import jpeglib
import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from optcodec.errors import MalformedJpegError, OptcodecError, UnsupportedJpegError
from optcodec.jpeg.image import CoefficientImage, Component, blocks_shape
from optcodec.jpeg.reading.reader import read_jpeg
from optcodec.jpeg.tables import QuantTable
from optcodec.jpeg.writer import write_jpeg
from tests.jpegfile import (
    EOI,
    HUFFMAN,
    SOI,
    Huffman,
    ScanSpec,
    build,
    dht,
    dqt,
    entropy_coded,
    scan_data,
    segment,
    sof,
    sos,
)
from tests.naive import NaiveError, naive_read
from tests.strategies import ALL_FACTORS, assert_same_image, coefficient_images, known_to_libjpeg

DATA = os.environ.get("OPTCODEC_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="OPTCODEC_DATA does not name the folder of test images")
DC, CODES = HUFFMAN[0].for_dc().codes(), HUFFMAN[0].codes()


@functools.cache
def photo(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Make a picture with smooth areas, edges and noise."""
    y, x = np.mgrid[:height, :width]
    waves = 120 + 90 * np.sin(x / 7 + y / 11) + 40 * ((x // 9 + y // 5) % 2)
    noise = np.random.default_rng(1).normal(0, 12, (height, width, 4))
    planes = np.stack([waves, 255 - waves, waves / 2 + x % 50, y % 256], 2) + noise
    channels = {"L": 1, "RGB": 3, "CMYK": 4}[mode]
    samples = planes[..., :channels].clip(0, 255).astype(np.uint8)
    return Image.frombytes(mode, (width, height), samples.tobytes())


def pillow_file(mode: str = "RGB", size: tuple[int, int] = (61, 43), **options: object) -> bytes:
    file = io.BytesIO()
    photo(*size, mode).save(file, "JPEG", **options)
    return file.getvalue()


def libjpeg_coefficients(data: bytes, folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Read blocks and quantization table of each component with libjpeg."""
    path = folder / "file.jpg"
    path.write_bytes(data)
    jpeg = jpeglib.read_dct(str(path))
    planes = [plane for plane in (jpeg.Y, jpeg.Cb, jpeg.Cr, jpeg.K) if plane is not None]
    return [(plane, jpeg.qt[number]) for plane, number in zip(planes, jpeg.quant_tbl_no, strict=True)]


def assert_coefficients(image: CoefficientImage, expected: list[tuple[np.ndarray, np.ndarray]]) -> None:
    for index, (component, (blocks, table)) in enumerate(zip(image.components, expected, strict=True)):
        np.testing.assert_array_equal(component.blocks, blocks, f"component {index}")
        np.testing.assert_array_equal(image.tables[component.table].steps, table, f"table of component {index}")


# ---- Files of other encoders -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"optimize": True, "quality": 95},
        {"progressive": True},
        {"restart_marker_blocks": 1},
        {"restart_marker_rows": 1, "optimize": True},
        {"progressive": True, "restart_marker_blocks": 3, "quality": 98},
        {"qtables": [[1] * 64, [3] * 32 + [255] * 32]},
        {"quality": 1},
        {"keep_rgb": True, "progressive": True},
    ],
    ids=str,
)
def test_files_of_pillow(options, subsampling, tmp_path):
    data = pillow_file(**options, subsampling="4:4:4" if "keep_rgb" in options else subsampling)
    image = read_jpeg(data)
    assert_coefficients(image, libjpeg_coefficients(data, tmp_path))
    assert_coefficients(image, naive_read(data))


@pytest.mark.parametrize("mode", ["L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (8, 9), (50, 31)])
def test_grey_and_cmyk_files(mode, progressive, size, tmp_path):
    data = pillow_file(mode, size, progressive=progressive)
    image = read_jpeg(data)
    assert (image.width, image.height) == size
    assert_coefficients(image, libjpeg_coefficients(data, tmp_path))
    assert_coefficients(image, naive_read(data))


@pytest.mark.parametrize("subsampling", ["444", "422", "420", "440", "411", "Gray"])
def test_files_of_simplejpeg(subsampling, tmp_path):
    grey = subsampling == "Gray"
    pixels = np.ascontiguousarray(np.asarray(photo(75, 53, "L" if grey else "RGB")).reshape(53, 75, -1))
    data = simplejpeg.encode_jpeg(pixels, 88, "GRAY" if grey else "RGB", subsampling)
    image = read_jpeg(data)
    assert_coefficients(image, libjpeg_coefficients(data, tmp_path))
    names = {"444": "4:4:4", "422": "4:2:2", "420": "4:2:0", "440": "4:4:0", "411": "4x1,1x1,1x1", "Gray": "grey"}
    assert image.subsampling == names[subsampling]


@needs_data
def test_photographs(tmp_path):
    paths = sorted(Path(DATA or "", "imagenet_sample").glob("*.*[gG]"))
    assert len(paths) == 500
    for path in paths[::10]:
        data = path.read_bytes()
        assert_coefficients(read_jpeg(data), libjpeg_coefficients(data, tmp_path))


# ---- Colours ---------------------------------------------------------------------------------------------------------

JFIF = segment(0xE0, b"JFIF\0\1\2\0\0\1\0\1\0\0")
RGB_IDS = (82, 71, 66)


def adobe(transform: int) -> bytes:
    return segment(0xEE, b"Adobe\0d\0\0\0\0" + bytes([transform]))


@pytest.mark.parametrize("ids", [(1, 2, 3), RGB_IDS, (0, 1, 2)], ids=str)
@pytest.mark.parametrize(
    ("before", "behind", "transform"),
    [
        (b"", b"", None),
        (JFIF, b"", None),
        (adobe(0), b"", 0),
        (adobe(1), b"", 1),
        (JFIF + adobe(0), b"", None),
        (adobe(0) + JFIF, b"", None),
        (JFIF + adobe(1), b"", 1),
        (adobe(0) + adobe(1), b"", 1),
        (adobe(1) + adobe(0), b"", 0),
        (segment(0xE0, JFIF[4:-1]) + adobe(0), b"", 0),  # too short for a JFIF segment
        (segment(0xE0, JFIF[4:-1]), b"", None),
        (b"", adobe(0) + JFIF, None),  # only segments before the first scan decide the colours
        (adobe(1), adobe(0), 1),
    ],
    ids=lambda value: value.hex() if isinstance(value, bytes) else str(value),
)
def test_colours_are_those_of_libjpeg(before, behind, transform, ids):
    image = coefficient_image(((1, 1), (1, 1), (1, 1)), 16, 16)
    components = tuple(replace(component, id=id) for component, id in zip(image.components, ids, strict=True))
    data = build(replace(image, components=components), [ScanSpec((0,)), ScanSpec((1, 2))])
    second = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    data = data[:2] + before + data[2:second] + behind + data[second:]
    read_image = read_jpeg(data)
    says_nothing = ids == RGB_IDS and JFIF not in before and b"Adobe" not in before
    assert read_image.metadata.adobe_transform == (0 if says_nothing else transform)
    np.testing.assert_array_equal(decoded(write_jpeg(read_image)), decoded(data))


def decoded(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


@pytest.mark.parametrize(
    "segments", [b"", JFIF, adobe(0), adobe(2), JFIF + adobe(2), adobe(2) + adobe(0)], ids=bytes.hex
)
def test_colours_of_four_components(segments):
    data = build(coefficient_image(((1, 1),) * 4, 16, 16), [ScanSpec((0, 1, 2, 3))])
    data = data[:2] + segments + data[2:]
    np.testing.assert_array_equal(decoded(write_jpeg(read_jpeg(data))), decoded(data))


# ---- Files that no encoder at hand writes ----------------------------------------------------------------------------


@st.composite
def scripts(draw: st.DrawFn, count: int) -> list[ScanSpec]:
    """Scans of `count` components: sequential in groups, or progressive with random bands and bits."""
    everyone = tuple(range(count))
    cut = draw(st.integers(1, count))
    groups = [everyone[:cut]] + ([everyone[cut:]] if cut < count else [])
    if draw(st.booleans()):
        return [ScanSpec(group) for group in groups]
    top = draw(st.integers(0, 13))
    scans = [ScanSpec(group, 0, 0, 0, top) for group in groups]
    refinements = [ScanSpec(everyone, 0, 0, low + 1, low) for low in reversed(range(top))]
    for index in everyone:
        edges = sorted(draw(st.sets(st.integers(2, 63), max_size=3)))
        for Ss, Se in zip([1, *edges], [*(edge - 1 for edge in edges), 63], strict=True):
            top = draw(st.integers(0, 5))
            scans.append(ScanSpec((index,), Ss, Se, 0, top))
            refinements += [ScanSpec((index,), Ss, Se, low + 1, low) for low in reversed(range(top))]
    return scans + refinements


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_what_went_in_comes_out(data):
    image = data.draw(coefficient_images(max_side=40, max_step=65535))
    script = data.draw(scripts(len(image.components)))
    table, longest_run = data.draw(st.sampled_from(HUFFMAN)), data.draw(st.sampled_from([1, 3, 32767]))
    file = build(image, script, table=table, longest_run=longest_run)
    read_image = read_jpeg(file)
    assert_same_image(read_image, image)
    assert read_image.restart_interval == image.restart_interval
    assert_coefficients(read_image, naive_read(file))


@pytest.mark.parametrize("factors", [f for f in ALL_FACTORS if known_to_libjpeg(f)], ids=str)
def test_odd_sampling_as_libjpeg_reads_it(factors, tmp_path):
    image = coefficient_image(factors, 45, 27)
    everyone = tuple(range(len(factors)))
    bands = [ScanSpec((index,), 1, 63, 0, 1) for index in everyone]
    fine = [ScanSpec((index,), 1, 63, 1, 0) for index in everyone]
    for script in ([ScanSpec(everyone)], [ScanSpec(everyone, 0, 0), *bands, *fine]):
        data = build(image, script)
        assert_coefficients(read_jpeg(data), libjpeg_coefficients(data, tmp_path))


@settings(max_examples=60, deadline=None)
@given(coefficient_images(with_metadata=True))
def test_files_of_the_writer_are_read_back(image):
    read_image = read_jpeg(write_jpeg(image))
    assert_same_image(read_image, image)
    assert (read_image.metadata, read_image.restart_interval) == (image.metadata, image.restart_interval)


def coefficient_image(factors: tuple[tuple[int, int], ...], width: int, height: int, **more: int) -> CoefficientImage:
    """Make an image with sparse random coefficients."""
    generator = np.random.default_rng(5)
    h_max, v_max = max(h for h, _ in factors), max(v for _, v in factors)
    components = []
    for index, (h, v) in enumerate(factors):
        rows, columns = blocks_shape(width, height, h, v, h_max, v_max)
        blocks = generator.integers(-40, 41, (rows, columns, 8, 8)) * (generator.random((rows, columns, 8, 8)) < 0.2)
        components.append(Component(index + 1, h, v, 0, blocks.astype(np.int16)))
    return CoefficientImage(width, height, tuple(components), (QuantTable(np.full((8, 8), 7)),), **more)


# ---- What a file may do ----------------------------------------------------------------------------------------------


def two_scans(before: bytes, between: bytes, dc: tuple[int, int] = (0, 0)) -> tuple[bytes, CoefficientImage]:
    """Make a colour file with one scan of Y and one of Cb and Cr."""
    image = coefficient_image(((1, 1), (1, 1), (1, 1)), 16, 16)
    components = [(1, 1, 1, 0), (2, 1, 1, 0), (3, 1, 1, 0)]
    pieces = [SOI, before, sof(0xC0, 16, 16, components), sos([(1, dc[0], 0)])]
    pieces += [scan_data(image, ScanSpec((0,)), HUFFMAN[0]), between, sos([(2, dc[1], 0), (3, dc[1], 0)])]
    return b"".join([*pieces, scan_data(image, ScanSpec((1, 2)), HUFFMAN[0]), EOI]), image


def test_the_table_at_the_first_scan_of_a_component_counts():
    codes = dht(0, 0, HUFFMAN[0].for_dc()) + dht(1, 0, HUFFMAN[0])
    data, image = two_scans(dqt(0, [9] * 64) + dqt(0, [7] * 64) + codes, dqt(0, [8] * 64))
    read_image = read_jpeg(data)
    assert [component.table for component in read_image.components] == [0, 1, 1]
    assert [int(table.steps[0, 0]) for table in read_image.tables] == [7, 8]
    for ours, theirs in zip(read_image.components, image.components, strict=True):
        np.testing.assert_array_equal(ours.blocks, theirs.blocks)


def test_a_table_behind_the_first_scan_of_a_component_does_not_count():
    image = coefficient_image(((1, 1),), 16, 16)
    data = build(image, [ScanSpec((0,), 0, 0), ScanSpec((0,), 1, 63)])
    second = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    assert_same_image(read_jpeg(data[:second] + dqt(0, [9] * 64) + data[second:]), image)


def test_huffman_tables_may_change_between_scans():
    useless = Huffman((1,) + (0,) * 15, (0,))
    first = dqt(0, [7] * 64) + dht(0, 2, HUFFMAN[0].for_dc()) + dht(1, 0, HUFFMAN[0])
    data, image = two_scans(first, dht(0, 2, useless) + dht(0, 1, HUFFMAN[0].for_dc()), dc=(2, 1))
    assert_same_image(read_jpeg(data), image)


def test_garbage_and_fill_bytes():
    image = coefficient_image(((1, 1),), 30, 30, restart_interval=3)
    data = build(image, [ScanSpec((0,))])
    filled = data.replace(b"\xff\xda", b"\xff\xff\xff\xda").replace(b"\xff\xd1", b"\xff\xff\xff\xff\xd1")
    filled = filled[:-2] + b"\xff\xff" + EOI + b"\xff\xd8 garbage \xff\xd9"
    assert len(filled) > len(data) + 16
    assert_same_image(read_jpeg(filled), image)


def test_height_from_dnl_behind_the_first_scan():
    image = coefficient_image(((1, 1), (1, 1)), 20, 44)
    data = build(image, [ScanSpec((0,)), ScanSpec((1,))])
    height, position = (44).to_bytes(2), data.index(b"\xff\xc0") + 5
    assert data[position : position + 2] == height
    second = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    open_height = data[:position] + b"\0\0" + data[position + 2 : second] + segment(0xDC, height) + data[second:]
    assert_same_image(read_jpeg(open_height), image)
    assert_coefficients(read_jpeg(open_height), naive_read(open_height))


def test_progressive_files_may_leave_coefficients_out():
    image = coefficient_image(((1, 1),), 30, 30)
    read_image = read_jpeg(build(image, [ScanSpec((0,), 0, 0, 0, 1), ScanSpec((0,), 1, 9)])).components[0].blocks
    expected = np.zeros((4, 4, 64), np.int16)
    coefficients = [0, 1, 8, 16, 9, 2, 3, 10, 17, 24]  # row-major positions of the first ten in zig-zag order
    expected[..., coefficients] = image.components[0].blocks.reshape(4, 4, 64)[..., coefficients]
    expected[..., 0] &= ~1
    np.testing.assert_array_equal(read_image, expected.reshape(4, 4, 8, 8))


def test_arrays_are_read_only():
    blocks = read_jpeg(pillow_file()).components[1].blocks
    assert blocks.flags.c_contiguous
    with pytest.raises(ValueError, match="read-only"):
        blocks[0, 0, 0, 0] = 1


# ---- What it may not -------------------------------------------------------------------------------------------------


def grey_file(bits: str | list[str], *, blocks: int = 1, scan: bytes | None = None, before: bytes = b"") -> bytes:
    """Make a file with a row of grey blocks; for an AC scan, it is progressive and begins with a DC scan of zeros."""
    frame = sof(0xC2 if scan else 0xC0, 8 * blocks, 8, [(1, 1, 1, 0)])
    pieces = [SOI, dqt(0, [1] * 64), frame, dht(0, 0, HUFFMAN[0].for_dc()), dht(1, 0, HUFFMAN[0])]
    if scan:
        pieces += [sos([(1, 0, 0)], 0, 0), entropy_coded([DC[0] * blocks])]
    pieces += [before, scan or sos([(1, 0, 0)]), entropy_coded([bits] if isinstance(bits, str) else bits), EOI]
    return b"".join(pieces)


ZERO, UNKNOWN = DC[0] + CODES[0], "1" * 16
RESTARTS = segment(0xDD, b"\0\1")
AC = sos([(1, 0, 0)], 1, 63, 0, 0)
AC_HIGH = sos([(1, 0, 0)], 1, 63, 0, 10)
REFINE = sos([(1, 0, 0)], 1, 63, 0, 1) + entropy_coded([CODES[0]]) + sos([(1, 0, 0)], 1, 63, 1, 0)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (grey_file(ZERO, blocks=3), "truncated scan"),
        (grey_file(DC[0] + CODES[5] + "101"), "truncated scan"),
        (grey_file(UNKNOWN * 2), "begin no code"),
        (grey_file(DC[0] + UNKNOWN), "begin no code"),
        (grey_file(CODES[16] + CODES[0], before=dht(0, 0, HUFFMAN[0])), "symbol is not allowed"),
        (grey_file(DC[0] + CODES[0x20] + CODES[0]), "symbol is not allowed"),
        (grey_file(DC[0] + CODES[0xF0] * 3 + CODES[0xF1] + "1"), "behind the last one of the band"),
        (grey_file(DC[0] + CODES[0xF0] * 4), "behind the last one of the band"),
        (grey_file(DC[15] + "1" * 15 + CODES[0] + DC[1] + "1" + CODES[0], blocks=2), "outside of -32768..32767"),
        (grey_file(DC[15] + "0" * 15 + CODES[0] + DC[2] + "00" + CODES[0], blocks=2), "outside of -32768"),
        (grey_file(ZERO + "0" * 8), "left over"),
        (grey_file([ZERO, ZERO]), "restart markers"),
        (grey_file([ZERO, ZERO], blocks=3, before=RESTARTS), "restart markers"),
        (grey_file([ZERO, ZERO, ZERO], blocks=2, before=RESTARTS), "restart markers"),
        (grey_file([ZERO] * 3, blocks=3, before=RESTARTS).replace(b"\xff\xd1", b"\xff\xd2"), "restart markers"),
        (grey_file([ZERO, ""], blocks=2, before=RESTARTS), "truncated scan"),
        (grey_file([ZERO] * 2, blocks=2, before=RESTARTS).replace(b"\xff\xd0", b"\xff\xff\x00"), "FF is followed by"),
        (grey_file(CODES[0x10] + "1", scan=AC), "end-of-band run goes on"),
        (grey_file(CODES[0xE0] + "1" * 14, scan=AC, blocks=9), "end-of-band run goes on"),
        (grey_file(CODES[0xF0] * 4, scan=AC), "behind the last one of the band"),
        (grey_file(CODES[0x06] + "1" * 6 + CODES[0], scan=AC_HIGH), "outside of -32768..32767"),
        (grey_file(UNKNOWN, scan=AC), "begin no code"),
        (grey_file("", scan=AC), "truncated scan"),
        (grey_file(CODES[0x02] + "11", scan=REFINE), "symbol is not allowed"),
        (grey_file(UNKNOWN, scan=REFINE), "begin no code"),
        (grey_file(CODES[0xF0] * 4, scan=REFINE), "behind the last one of the band"),
        (grey_file(CODES[0x10] + "0", scan=REFINE), "end-of-band run goes on"),
    ],
)
def test_broken_data(data, message):
    with pytest.raises(MalformedJpegError, match=message) as error:
        read_jpeg(data, strict=True)
    assert data.index(b"\xff\xda") < error.value.offset <= data.index(EOI)
    with pytest.raises(NaiveError):
        naive_read(data)


def test_coefficients_at_the_limits_of_int16():
    bits = DC[15] + "0" * 15 + CODES[0x0F] + "1" * 15 + CODES[0x0F] + "0" * 15 + CODES[0]
    blocks = read_jpeg(grey_file(bits + DC[1] + "0" + CODES[0], blocks=2)).components[0].blocks
    assert blocks[0, :, 0, 0].tolist() == [-32767, -32768]
    assert (blocks[0, 0, 0, 1], blocks[0, 0, 1, 0]) == (32767, -32767)


def test_where_the_damage_is():
    """The damage is in the third of five restart intervals, behind stuffed zeros and restart markers."""
    good = DC[8] + "1" * 8 + CODES[0] + "1" * 7  # its data ends with FF 00
    intervals = [good, good, ZERO + "1" * 6 + UNKNOWN, good, good]
    data = grey_file(intervals, blocks=5, before=RESTARTS)
    start = data.index(b"\xff\xd1") + 2
    with pytest.raises(MalformedJpegError, match="left over") as error:
        read_jpeg(data, strict=True)
    assert error.value.offset == start + 2
    intervals[2] = UNKNOWN * 2
    with pytest.raises(MalformedJpegError, match="begin no code") as error:
        read_jpeg(grey_file(intervals, blocks=5, before=RESTARTS))
    assert error.value.offset == start
    intervals[2] = ZERO
    intervals[3] = "0" * 8 + UNKNOWN * 2
    data = grey_file(intervals, blocks=5, before=RESTARTS)
    with pytest.raises(MalformedJpegError, match="begin no code") as error:
        read_jpeg(data)
    assert error.value.offset == data.index(b"\xff\xd2") + 3


@pytest.mark.parametrize("marker", [0xC0, 0xC2])
def test_a_header_that_claims_too_much(marker):
    """A file of about 200 bytes claims 65535x65535 pixels, and is refused before memory is allocated."""
    Se = 63 if marker == 0xC0 else 0
    pieces = [SOI, dqt(0, [1] * 64), sof(marker, 65535, 65535, [(1, 1, 1, 0)])]
    tiny = Huffman((1,) + (0,) * 15, (0,))
    data = b"".join([*pieces, dht(0, 0, tiny), dht(1, 0, tiny), sos([(1, 0, 0)], 0, Se), bytes(50), EOI])
    assert len(data) < 220
    tracemalloc.start()
    try:
        with pytest.raises(MalformedJpegError, match=r"67108864 blocks takes \d+ bits or more, found 400"):
            read_jpeg(data)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_restart_intervals_that_the_data_cannot_hold():
    data = grey_file("0" * 18 * 500, blocks=500, before=RESTARTS)
    with pytest.raises(MalformedJpegError, match="takes 7984 bits or more"):
        read_jpeg(grey_file("0" * 4000, blocks=500, before=RESTARTS))
    with pytest.raises(MalformedJpegError, match="restart markers"):
        read_jpeg(data)


def test_too_many_scans_of_runs_are_refused():
    """Each coefficient has 14 scans of its own, and each scan has few bytes for a quarter of a million blocks."""
    tiny = Huffman((2,) + (0,) * 15, (0x00, 0xE0))
    blocks = 500 * 500
    runs = "1" + "0" * 14
    scan = entropy_coded([runs * (blocks // 16384) + ("1" + format(blocks % 16384, "014b"))])
    pieces = [SOI, dqt(0, [1] * 64), sof(0xC2, 4000, 4000, [(1, 1, 1, 0)]), dht(0, 0, tiny), dht(1, 0, tiny)]
    pieces += [sos([(1, 0, 0)], 0, 0), bytes(blocks // 8)]
    for k in range(1, 64):
        pieces += [sos([(1, 0, 0)], k, k, 0, 13), scan]
        for low in reversed(range(13)):
            pieces += [sos([(1, 0, 0)], k, k, low + 1, low), scan]
    with pytest.raises(UnsupportedJpegError, match="AC scans visit 220500000 blocks"):
        read_jpeg(b"".join([*pieces, EOI]))


# ---- Fuzzing ---------------------------------------------------------------------------------------------------------


def fuzz_files() -> list[bytes]:
    size = (23, 19)
    odd = coefficient_image(((1, 3), (3, 1), (1, 1)), 29, 30, restart_interval=2)
    everyone = (0, 1, 2)
    script = [ScanSpec(everyone, 0, 0, 0, 1), *(ScanSpec((index,), 1, 63, 0, 2) for index in everyone)]
    script += [ScanSpec((index,), 1, 63, 2, 1) for index in everyone] + [ScanSpec(everyone, 0, 0, 1, 0)]
    return [
        pillow_file(size=size, quality=50, optimize=True),
        pillow_file(size=size, quality=60, progressive=True),
        pillow_file("L", size, quality=80, restart_marker_blocks=2, optimize=True),
        build(odd, script, table=HUFFMAN[-1]),
        build(odd, [ScanSpec(everyone)], table=HUFFMAN[-1]),
    ]


@pytest.mark.parametrize("number", range(5))
def test_truncated_files_are_refused(number):
    data = fuzz_files()[number]
    for nbytes in range(len(data)):
        with pytest.raises(MalformedJpegError) as error:
            read_jpeg(data[:nbytes], strict=True)
        assert error.value.offset <= nbytes


@pytest.mark.parametrize("number", range(5))
def test_damaged_files_are_refused_or_read_as_the_naive_decoder_reads_them(number):
    data = fuzz_files()[number]
    start = data.index(b"\xff\xda")
    generator = random.Random(number)
    outcomes = {"refused": 0, "read": 0}
    for trial in range(800):
        damaged = bytearray(data)
        for _ in range(generator.choice([1, 1, 2, 8])):
            position = generator.randrange(2 if trial % 2 else start, len(data))
            damaged[position] ^= 1 << generator.randrange(8) if trial % 3 else generator.randrange(1, 256)
        try:
            image = read_jpeg(bytes(damaged), strict=True)
        except OptcodecError:
            outcomes["refused"] += 1
            continue
        outcomes["read"] += 1
        assert_coefficients(image, naive_read(bytes(damaged)))
    assert min(outcomes.values()) > 20, outcomes
