"""Progressive scans: equal to libjpeg's and to a naive coder's, and read back by every decoder at hand."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from optcodec.jpeg.entropy import ScanTokens, optimal_tables, scan_bits, scan_bytes
from optcodec.jpeg.image import CoefficientImage, Component, Metadata, blocks_shape
from optcodec.jpeg.layout import mcu_layout, segments
from optcodec.jpeg.reader import read_jpeg
from optcodec.jpeg.scans import ScanSpec, progressive_scan, progressive_scans, scan_script
from optcodec.jpeg.structure import read_structure
from optcodec.jpeg.tables import NATURAL_ORDER, QuantTable
from optcodec.jpeg.writer import Preamble, jpeg_bytes, write_jpeg
from tests.jpegfile import Huffman, scan_data
from tests.naive import naive_read
from tests.peers import libjpeg_coefficients, picture, pillow_jpeg, pillow_pixels
from tests.strategies import ALL_FACTORS, COLOUR_FACTORS, GREY_FACTORS, assert_same_image, coefficient_images

DATA = os.environ.get("OPTCODEC_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="OPTCODEC_DATA does not name the folder of test images")

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


def libjpeg_takes(factors: tuple[tuple[int, int], ...]) -> bool:
    """1, 3 or 4 components, and sampling factors that divide the largest."""
    h_max, v_max = max(h for h, _ in factors), max(v for _, v in factors)
    return len(factors) != 2 and all(h_max % h == v_max % v == 0 for h, v in factors)


def grey_image(blocks: np.ndarray, restart_interval: int = 0) -> CoefficientImage:
    """A grey image of whole blocks."""
    component = Component(1, 1, 1, 0, blocks.astype(np.int16))
    table = QuantTable(np.full((8, 8), 2))
    height, width = blocks.shape[0] * 8, blocks.shape[1] * 8
    return CoefficientImage(width, height, (component,), (table,), restart_interval=restart_interval)


def file_of(image: CoefficientImage, script: list[ScanSpec] | tuple[ScanSpec, ...]) -> bytes:
    return jpeg_bytes(Preamble.of(image), [progressive_scan(image, spec) for spec in script], progressive=True)


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
    for part, (blocks, _) in zip(image.components, naive_read(file), strict=True):
        np.testing.assert_array_equal(part.blocks, blocks)


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


# ---- Whole files -----------------------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(coefficient_images(with_metadata=True))
def test_progressive_files_are_read_back(image):
    found = read_jpeg(write_jpeg(image, progressive=True))
    assert_same_image(found, image)
    assert (found.metadata, found.restart_interval) == (image.metadata, image.restart_interval)


@settings(max_examples=40, deadline=None)
@given(coefficient_images(factors=COLOUR_FACTORS + GREY_FACTORS, max_side=40))
def test_other_decoders_see_the_pixels_of_the_baseline_file(image):
    baseline, progressive = write_jpeg(image), write_jpeg(image, progressive=True)
    np.testing.assert_array_equal(pillow_pixels(progressive), pillow_pixels(baseline))
    space = "GRAY" if len(image.components) == 1 else "RGB"
    np.testing.assert_array_equal(simplejpeg.decode_jpeg(progressive, space), simplejpeg.decode_jpeg(baseline, space))


@pytest.mark.parametrize("restart_interval", [0, 1, 2, 7])
@pytest.mark.parametrize("factors", [f for f in ALL_FACTORS if libjpeg_takes(f)], ids=str)
def test_libjpeg_reads_every_coefficient(factors, restart_interval, tmp_path):
    image = random_image(factors, 45, 27, restart_interval)
    planes = libjpeg_coefficients(write_jpeg(image, progressive=True), tmp_path)
    for part, plane in zip(image.components, planes, strict=True):
        np.testing.assert_array_equal(part.blocks, plane)


def random_image(
    factors: tuple[tuple[int, int], ...], width: int, height: int, restart_interval: int = 0
) -> CoefficientImage:
    """Sparse coefficients of all sizes."""
    random = np.random.default_rng(width)
    h_max, v_max = max(h for h, _ in factors), max(v for _, v in factors)
    components = []
    for index, (h, v) in enumerate(factors):
        shape = (*blocks_shape(width, height, h, v, h_max, v_max), 8, 8)
        values = np.rint(random.laplace(0, 6, shape)) * (random.random(shape) < 0.3)
        components.append(Component(index + 1, h, v, 0, values.clip(-1023, 1023).astype(np.int16)))
    tables = (QuantTable(np.full((8, 8), 3)),)
    return CoefficientImage(width, height, tuple(components), tables, restart_interval=restart_interval)


def test_the_smaller_file():
    tiny = read_jpeg(pillow_jpeg(picture(16, 16)))
    large = read_jpeg(pillow_jpeg(picture(300, 200)))
    for image, winner in ((tiny, False), (large, True)):
        files = {progressive: write_jpeg(image, progressive=progressive) for progressive in (False, True)}
        assert len(files[winner]) < len(files[not winner])
        assert write_jpeg(image, progressive="smaller") == files[winner]


def test_any_number_of_threads_makes_the_same_file():
    image = random_image(((2, 2), (1, 1), (1, 1)), 1000, 900, 0)
    layout = mcu_layout(1000, 900, [(2, 2), (1, 1), (1, 1)], [0, 2, 2])
    assert len(segments(layout, 3)) == 3
    files = {write_jpeg(image, progressive=True, threads=threads) for threads in (1, 2, 3, None)}
    assert len(files) == 1


# ---- The script ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("factors", "adobe"), [*((f, None) for f in ALL_FACTORS), (((1, 1),) * 3, 0)], ids=str)
def test_the_script_carries_every_bit_once_and_in_order(factors, adobe):
    """T.81, G.1.1.1.1: DC first; each band from its highest bits down, Ah the Al of the scan before."""
    image = random_image(factors, 40, 30)
    image = CoefficientImage(40, 30, image.components, image.tables, Metadata(adobe_transform=adobe))
    precision: dict[tuple[int, int], int] = {}  # Al of the last scan with component and position
    for spec in scan_script(image):
        assert (spec.Ss == spec.Se == 0) or (1 <= spec.Ss <= spec.Se <= 63 and len(spec.components) == 1)
        for index in spec.components:
            assert spec.Ss == 0 or (index, 0) in precision
            for position in range(spec.Ss, spec.Se + 1):
                assert spec.Ah == precision.get((index, position), 0)
                assert spec.Ah == 0 or spec.Al == spec.Ah - 1
                assert spec.Ah or (index, position) not in precision
                precision[index, position] = spec.Al
    assert precision == dict.fromkeys([(c, k) for c in range(len(factors)) for k in range(64)], 0)


def test_components_too_large_to_interleave():
    """More than 10 blocks in an MCU: DC scans have one component each (T.81, B.2.3)."""
    image = random_image(((4, 2), (2, 1), (1, 1)), 70, 50)
    assert [spec.components for spec in scan_script(image) if spec.Ss == 0] == [(0,), (1,), (2,)]
    assert_same_image(read_jpeg(write_jpeg(image, progressive=True)), image)


def test_red_green_and_blue_are_treated_alike():
    image = random_image(((1, 1),) * 3, 40, 30)
    rgb = CoefficientImage(40, 30, image.components, image.tables, Metadata(adobe_transform=0))
    bands = [[s[1:] for s in map(_fields, scan_script(rgb)) if s[0] == (index,)] for index in range(3)]
    assert bands[0] == bands[1] == bands[2]
    assert len(scan_script(rgb)) > len(scan_script(image))


def _fields(spec: ScanSpec) -> tuple[object, ...]:
    return spec.components, spec.Ss, spec.Se, spec.Ah, spec.Al


@needs_data
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
def test_files_are_smaller_than_those_of_libjpeg(subsampling):
    """Same coefficients, twelve photographs, three qualities."""
    ratios = []
    for path in sorted(Path(DATA or "", "Kodak").glob("*.png")):
        with Image.open(path) as photo:
            for quality in (50, 75, 90):
                theirs = pillow_jpeg(photo, quality=quality, subsampling=subsampling, progressive=True)
                ratios.append(len(write_jpeg(read_jpeg(theirs), progressive=True)) / len(theirs))
    assert len(ratios) == 36
    assert np.mean(ratios) < 0.994
    assert max(ratios) < 1.006


def test_scans_come_in_the_order_of_the_script():
    image = random_image(((2, 1), (1, 1), (1, 1)), 300, 300)
    scans = progressive_scans(image, threads=2)
    made = [(tuple(scan.components), scan.Ss, scan.Se, scan.Ah, scan.Al) for scan in scans]
    assert made == [_fields(spec) for spec in scan_script(image)]
