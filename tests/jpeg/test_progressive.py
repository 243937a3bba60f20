"""Progressive scans are equal to those of libjpeg and of a naive coder, and all available decoders read them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optcodec.jpeg.bitstream import Preamble, jpeg_bytes
from optcodec.jpeg.entropy import ScanTokens, optimal_tables, scan_bits, scan_bytes
from optcodec.jpeg.image import CoefficientImage, Component
from optcodec.jpeg.reading.reader import read_jpeg
from optcodec.jpeg.reading.structure import read_structure
from optcodec.jpeg.scans import ScanSpec, progressive_scan
from optcodec.jpeg.tables import NATURAL_ORDER, QuantTable
from optcodec.jpeg.writer import write_jpeg
from tests.jpegfile import Huffman, scan_data
from tests.naive import naive_read
from tests.peers import picture, pillow_jpeg, pillow_pixels
from tests.strategies import assert_same_image, coefficient_images

# libjpeg, jcparam.c: jpeg_simple_progression, for YCbCr and for grey.
LIBJPEG_COLOUR = (
    ScanSpec((0, 1, 2), 0, 0, 0, 1),
    ScanSpec((0,), 1, 5, 0, 2),
    ScanSpec((2,), 1, 63, 0, 1),
    ScanSpec((1,), 1, 63, 0, 1),
    ScanSpec((0,), 6, 63, 0, 2),
    ScanSpec((0,), 1, 63, 2, 1),
    ScanSpec((0, 1, 2), 0, 0, 1, 0),
    ScanSpec((2,), 1, 63, 1, 0),
    ScanSpec((1,), 1, 63, 1, 0),
    ScanSpec((0,), 1, 63, 1, 0),
)
LIBJPEG_GREY = tuple(ScanSpec((0,), s.Ss, s.Se, s.Ah, s.Al) for s in LIBJPEG_COLOUR if 0 in s.components)


def grey_image(blocks: np.ndarray, restart_interval: int = 0) -> CoefficientImage:
    """A grey image of whole blocks."""
    component = Component(1, 1, 1, 0, blocks.astype(np.int16))
    table = QuantTable(np.full((8, 8), 2))
    height, width = blocks.shape[0] * 8, blocks.shape[1] * 8
    return CoefficientImage(width, height, (component,), (table,), restart_interval=restart_interval)


def file_of(image: CoefficientImage, script: list[ScanSpec] | tuple[ScanSpec, ...]) -> bytes:
    return jpeg_bytes(
        Preamble.of(image), [progressive_scan(image, spec) for spec in script], progressive=True, share_tables=False
    )


def entropy_coded(data: bytes) -> list[bytes]:
    """Entropy-coded data of each scan of a file."""
    scans = read_structure(data).scans
    return [data[scan.segment.data_offset : scan.segment.end] for scan in scans]


@st.composite
def scripts(draw: st.DrawFn, count: int) -> list[ScanSpec]:
    """Scans with random bands and bits."""
    everyone = tuple(range(count))
    groups = draw(st.sampled_from([[everyone], [(index,) for index in everyone]]))
    top = draw(st.integers(0, 3))
    scans = [ScanSpec(group, 0, 0, 0, top) for group in groups]
    scans += [ScanSpec(group, 0, 0, low + 1, low) for low in reversed(range(top)) for group in groups]
    for index in everyone:
        edges = [1, *sorted(draw(st.sets(st.integers(2, 63), max_size=3))), 64]
        for Ss, end in pairwise(edges):
            top = draw(st.integers(0, 11))
            scans.append(ScanSpec((index,), Ss, end - 1, 0, top))
            scans += [ScanSpec((index,), Ss, end - 1, low + 1, low) for low in reversed(range(top))]
    return scans


# ---- Scans one by one ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("blocks_per_restart", [0, 1, 2, 7])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("size", [(1, 1), (9, 8), (33, 17), (151, 143)])
def test_scans_are_those_of_libjpeg(size, subsampling, blocks_per_restart):
    """Byte for byte with the same script, so every choice is the same: runs, order of bits, filling blocks, codes."""
    for quality in (30, 90):
        options = {"quality": quality, "subsampling": subsampling, "restart_marker_blocks": blocks_per_restart}
        theirs = pillow_jpeg(picture(*size), progressive=True, **options)
        ours = file_of(read_jpeg(theirs), LIBJPEG_COLOUR)
        assert entropy_coded(ours) == entropy_coded(theirs)


@pytest.mark.parametrize("blocks_per_restart", [0, 3])
def test_grey_scans_are_those_of_libjpeg(blocks_per_restart):
    theirs = pillow_jpeg(picture(90, 61, "L"), progressive=True, restart_marker_blocks=blocks_per_restart)
    assert entropy_coded(file_of(read_jpeg(theirs), LIBJPEG_GREY)) == entropy_coded(theirs)


@st.composite
def ac_specs(draw: st.DrawFn, image: CoefficientImage) -> ScanSpec:
    Ss = draw(st.integers(1, 63))
    Al = draw(st.integers(0, 10))
    index = draw(st.integers(0, len(image.components) - 1))
    return ScanSpec((index,), Ss, draw(st.integers(Ss, 63)), draw(st.sampled_from([0, Al + 1])), Al)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_ac_scans_are_those_of_a_naive_coder(data):
    image = data.draw(coefficient_images(max_side=50))
    spec = data.draw(ac_specs(image))
    tokens = progressive_scan(image, spec).tokens
    tables = optimal_tables(tokens.histogram)
    table = Huffman(tuple(tables.definition[1:17]), tuple(tables.definition[17:]))
    assert b"".join(scan_bytes(tokens, tables)) == scan_data(image, spec, table)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_any_script_is_read_back(data):
    image = data.draw(coefficient_images(max_side=40))
    file = file_of(image, data.draw(scripts(len(image.components))))
    assert_same_image(read_jpeg(file), image)
    for component, (blocks, _) in zip(image.components, naive_read(file), strict=True):
        np.testing.assert_array_equal(component.blocks, blocks)


def interval_bits(tokens: ScanTokens, codes: np.ndarray) -> list[int]:
    """Bits of each restart interval, token by token."""
    array, count = tokens.parts[0]
    sizes = codes[array[:count] >> 16] & 255
    bounds = [0, count] if tokens.bounds is None else tokens.bounds.tolist()
    return [int(sizes[first:last].sum()) for first, last in pairwise(bounds)]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_bits_are_known_before_they_are_written(data):
    image = data.draw(coefficient_images(max_side=50))
    for spec in data.draw(scripts(len(image.components))):
        tokens = progressive_scan(image, spec).tokens
        tables = optimal_tables(tokens.histogram)
        bits = interval_bits(tokens, tables.codes)
        assert scan_bits(tokens, tables) == sum(bits)
        written = b"".join(scan_bytes(tokens, tables)).replace(b"\xff\x00", b"\xfe")
        markers = 2 * (len(bits) - 1)
        assert len(written) - markers == sum(-(-size // 8) for size in bits)


# ---- End-of-band runs ------------------------------------------------------------------------------------------------


def runs(tokens: ScanTokens) -> list[int]:
    """Blocks of each end-of-band run."""
    array, count = tokens.parts[0]
    used = array[:count].astype(np.int64)
    symbols, extra = (used >> 16) - 256, used & 0xFFFF
    is_run = (symbols >= 0) & (symbols < 0xF0) & (symbols % 16 == 0)
    return ((1 << (symbols[is_run] >> 4)) + extra[is_run]).tolist()


@pytest.mark.parametrize("spec", [ScanSpec((0,), 1, 63, 0, 1), ScanSpec((0,), 1, 63, 1, 0)])
def test_runs_of_more_than_32767_blocks(spec):
    """With a restart interval of 40000 the second run starts anew there."""
    blocks = np.zeros((200, 400, 8, 8))
    for interval, expected in ((0, [32767, 32767, 14466]), (40000, [32767, 7233, 32767, 7233])):
        assert runs(progressive_scan(grey_image(blocks, interval), spec).tokens) == expected


def test_long_runs_keep_their_correction_bits():
    """libjpeg ends a run when some 900 correction bits wait; T.81 knows no such limit."""
    blocks = np.zeros((180, 200, 8, 8))
    blocks[..., 1, 1:] = np.random.default_rng(3).choice([-3, -2, 2, 3], blocks[..., 1, 1:].shape)
    image = grey_image(blocks)
    assert runs(progressive_scan(image, ScanSpec((0,), 1, 63, 1, 0)).tokens) == [32767, 3233]
    script = [ScanSpec((0,)), ScanSpec((0,), 1, 63, 0, 1), ScanSpec((0,), 1, 63, 1, 0)]
    file = file_of(image, script)
    assert_same_image(read_jpeg(file), image)
    np.testing.assert_array_equal(pillow_pixels(file), pillow_pixels(write_jpeg(image)))


def test_runs_of_zeros_around_correction_bits():
    """16 and more zeros before a new coefficient, with coefficients between them that are known already."""
    blocks = np.zeros((1, 4, 64))
    for column, (known, new) in enumerate(
        [((5, 17, 18, 19), (40,)), ((), (63,)), ((16, 17), (18, 62)), ((1, 63), (35,))]
    ):
        blocks[0, column, NATURAL_ORDER[list(known)]] = -3
        blocks[0, column, NATURAL_ORDER[list(new)]] = 1
    image = grey_image(blocks.reshape(1, 4, 8, 8))
    script = [ScanSpec((0,)), ScanSpec((0,), 1, 63, 0, 1), ScanSpec((0,), 1, 63, 1, 0)]
    tokens = progressive_scan(image, script[-1]).tokens
    assert tokens.histogram[256 + 0xF0] == 2 + 3 + 2 + 2
    assert_same_image(read_jpeg(file_of(image, script)), image)
