"""Coefficients read row by row are the same as all at once, in less memory, and the same files are refused."""

from __future__ import annotations

import random
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optcodec import CoefficientImage, OptcodecError, read_jpeg, read_jpeg_rows
from optcodec.jpeg.reading import decoding
from tests.jpeg.test_reader import ZERO, coefficient_image, fuzz_files, grey_file, pillow_file
from tests.jpegfile import HUFFMAN, ScanSpec, build
from tests.strategies import coefficient_images

SMALLEST = 4096  # size of the decoder's buffer in bytes; an MCU needs up to 3200


def assert_rows(data: bytes) -> CoefficientImage:
    """Check that the rows of a file make up the whole image, and are as high as its MCUs; return the whole image."""
    image, rows = read_jpeg(data), read_jpeg_rows(data)
    mcu_rows = list(rows)
    assert (rows.width, rows.height) == (image.width, image.height)
    assert (rows.tables, rows.metadata, rows.restart_interval) == (image.tables, image.metadata, image.restart_interval)
    assert rows.subsampling == image.subsampling
    for index, (header, component) in enumerate(zip(rows.components, image.components, strict=True)):
        assert (header.id, header.h, header.v, header.table) == (
            component.id,
            component.h,
            component.v,
            component.table,
        )
        assert header.shape == component.blocks.shape[:2]
        height = component.v if len(image.components) > 1 else 1
        assert [len(row[index]) for row in mcu_rows[:-1]] == [height] * (len(mcu_rows) - 1)
        np.testing.assert_array_equal(np.concatenate([row[index] for row in mcu_rows]), component.blocks)
        assert not any(row[index].flags.writeable for row in mcu_rows)
    return image


def text_of(data: bytes, *, by_rows: bool) -> str:
    """Return the error for which a file is refused; empty if it is not refused."""
    try:
        if by_rows:
            for _ in read_jpeg_rows(data, strict=True):
                pass
        else:
            read_jpeg(data, strict=True)
    except OptcodecError as error:
        return f"{type(error).__name__}: {error}"
    return ""


@pytest.fixture
def little_space(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let decoding pause within rows and within restart intervals."""
    monkeypatch.setattr(decoding, "_SPACE_NBYTES", SMALLEST)


@pytest.mark.parametrize("size", [(1, 1), (8, 9), (17, 16), (61, 43), (300, 200)])
@pytest.mark.parametrize("mode", ["L", "4:4:4", "4:2:2", "4:2:0", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"restart_marker_blocks": 3}, {"progressive": True}], ids=str)
@pytest.mark.usefixtures("little_space")
def test_rows_are_those_of_the_whole(mode, options, size):
    sampling = {"subsampling": mode} if ":" in mode else {}
    assert_rows(pillow_file("RGB" if sampling else mode, size, quality=97, **sampling, **options))


@pytest.mark.parametrize("factors", [((4, 1), (1, 1), (1, 1)), ((1, 3), (3, 1), (1, 1)), ((2, 2),), ((1, 2), (2, 1))])
@pytest.mark.parametrize("interval", [0, 1, 7, 1000])
@pytest.mark.usefixtures("little_space")
def test_any_sampling_and_restart_interval(factors, interval):
    image = coefficient_image(factors, 303, 139, restart_interval=interval)
    data = build(image, [ScanSpec(tuple(range(len(factors))))])
    assert len(data) > 2 * SMALLEST
    np.testing.assert_array_equal(assert_rows(data).components[0].blocks, image.components[0].blocks)


@settings(max_examples=40, deadline=None)
@given(coefficient_images(max_side=70), st.booleans())
def test_rows_of_what_was_written(image, together):
    everyone = tuple(range(len(image.components)))
    assert_rows(build(image, [ScanSpec(everyone)] if together else [ScanSpec((index,)) for index in everyone]))


def test_blocks_with_the_most_bits_are_not_taken_for_truncated(monkeypatch):
    """An MCU has ten blocks, and each coefficient has 31 bits; the work space holds hardly more than one such MCU."""
    monkeypatch.setattr(decoding, "_SPACE_NBYTES", SMALLEST)
    image = coefficient_image(((2, 4), (1, 2)), 50, 100)
    generator = np.random.default_rng(3)
    loud = [
        np.where(generator.random(component.blocks.shape) < 0.5, 32767, -32767).astype(np.int16)
        for component in image.components
    ]
    for blocks in loud:
        blocks[..., 0, 0] = np.where(np.arange(blocks.shape[1]) % 2, 16383, -16384)
    components = [
        type(component)(component.id, component.h, component.v, 0, blocks)
        for component, blocks in zip(image.components, loud, strict=True)
    ]
    whole = CoefficientImage(50, 100, tuple(components), image.tables)

    assert_rows(build(whole, [ScanSpec((0, 1))], table=HUFFMAN[2]))


def test_rows_can_be_iterated_over_again():
    rows = read_jpeg_rows(pillow_file(size=(90, 70)))
    first, again = ([component.tobytes() for row in rows for component in row] for _ in range(2))
    assert first == again
    np.testing.assert_array_equal(rows.whole().components[0].blocks, read_jpeg(rows.data).components[0].blocks)


@pytest.mark.parametrize("number", range(5))
@pytest.mark.usefixtures("little_space")
def test_damaged_files_are_refused_alike(number):
    base = fuzz_files()
    large = [
        pillow_file(size=(190, 120), quality=97),
        pillow_file("L", (200, 160), quality=97, restart_marker_blocks=5),
    ]
    data = [base[0], base[2], base[4], *large][number]
    start, generator = data.index(b"\xff\xda"), random.Random(number)
    refused = 0
    for trial in range(200):
        damaged = bytearray(data)
        for _ in range(generator.choice([1, 2, 8])):
            damaged[generator.randrange(start, len(data))] ^= 1 << generator.randrange(8)
        if trial % 10 == 0:
            del damaged[generator.randrange(start, len(data)) : -2]
        expected = text_of(bytes(damaged), by_rows=False)
        assert text_of(bytes(damaged), by_rows=True) == expected
        refused += bool(expected)
        if not expected:
            assert_rows(bytes(damaged))
    assert refused > 20


def test_errors_behind_the_last_row_are_raised_with_that_row():
    rows = iter(read_jpeg_rows(grey_file(ZERO + "0" * 8), strict=True))
    with pytest.raises(OptcodecError, match="left over"):
        next(rows)


def test_wrong_markers_are_refused_before_anything_is_decoded(monkeypatch):
    monkeypatch.setattr(decoding, "_SPACE_NBYTES", SMALLEST)
    data = pillow_file("L", (400, 300), quality=97, restart_marker_rows=1)
    position = data.rindex(b"\xff\xd0")
    damaged = data[: position + 1] + b"\xd3" + data[position + 2 :]
    assert position > len(data) // 2 > 4 * SMALLEST
    rows = iter(read_jpeg_rows(damaged))
    with pytest.raises(OptcodecError, match="restart markers") as error:
        next(rows)
    assert text_of(damaged, by_rows=False) == f"MalformedJpegError: {error.value}"


def test_a_header_that_claims_too_much_is_refused_at_once():
    data = bytearray(grey_file("0" * 400))
    position = data.index(b"\xff\xc0")
    data[position + 5 : position + 9] = b"\xff\xff\xff\xff"
    with pytest.raises(OptcodecError, match="67108864 blocks takes"):
        read_jpeg_rows(bytes(data))


def test_rows_take_the_memory_of_a_row():
    data = pillow_file("L", (2000, 1600), quality=90)
    next(iter(read_jpeg_rows(data)))  # load the kernels first
    peaks = []
    for by_rows in (True, False):
        tracemalloc.start()
        text_of(data, by_rows=by_rows)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] > 2 * 2000 * 1600
    assert peaks[0] < 700_000 < peaks[1] / 9
