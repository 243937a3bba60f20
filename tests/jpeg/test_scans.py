"""Progressive files by the default script: their scans, how decoders read them, how large they are."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from PIL import Image

from optcodec.jpeg.image import CoefficientImage, Metadata
from optcodec.jpeg.layout import mcu_layout, worker_count
from optcodec.jpeg.reading.reader import read_jpeg
from optcodec.jpeg.scans import ScanSpec, progressive_scans, scan_script
from optcodec.jpeg.tables import QuantTable
from optcodec.jpeg.writer import write_jpeg
from tests.peers import libjpeg_coefficients, picture, pillow_jpeg, pillow_pixels
from tests.strategies import ALL_FACTORS, COLOUR_FACTORS, GREY_FACTORS, assert_same_image, coefficient_images, image_of

DATA = os.environ.get("OPTCODEC_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="OPTCODEC_DATA does not name the folder of test images")


def libjpeg_takes(factors: tuple[tuple[int, int], ...]) -> bool:
    """1, 3 or 4 components, and sampling factors that divide the largest."""
    h_max, v_max = max(h for h, _ in factors), max(v for _, v in factors)
    return len(factors) != 2 and all(h_max % h == v_max % v == 0 for h, v in factors)


# ---- Whole files -----------------------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(coefficient_images(with_metadata=True))
def test_progressive_files_are_read_back(image):
    read_image = read_jpeg(write_jpeg(image, progressive=True))
    assert_same_image(read_image, image)
    assert (read_image.metadata, read_image.restart_interval) == (image.metadata, image.restart_interval)


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
    image = random_image(factors, 45, 27, restart_interval=restart_interval)
    planes = libjpeg_coefficients(write_jpeg(image, progressive=True), tmp_path)
    for component, plane in zip(image.components, planes, strict=True):
        np.testing.assert_array_equal(component.blocks, plane)


def random_image(factors: tuple[tuple[int, int], ...], width: int, height: int, **more: object) -> CoefficientImage:
    return image_of(factors, width, height, (QuantTable(np.full((8, 8), 3)),), share=0.3, **more)


def test_the_smaller_file():
    tiny = read_jpeg(pillow_jpeg(picture(16, 16)))
    large = read_jpeg(pillow_jpeg(picture(300, 200)))
    for image, winner in ((tiny, False), (large, True)):
        files = {progressive: write_jpeg(image, progressive=progressive) for progressive in (False, True)}
        assert len(files[winner]) < len(files[not winner])
        assert write_jpeg(image, progressive="smaller") == files[winner]


def test_any_number_of_threads_makes_the_same_file():
    image = random_image(((2, 2), (1, 1), (1, 1)), 1000, 900)
    layout = mcu_layout(1000, 900, [(2, 2), (1, 1), (1, 1)], [0, 2, 2])
    assert worker_count(layout, 3) == 3
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
    fields = [(tuple(scan.components), scan.Ss, scan.Se, scan.Ah, scan.Al) for scan in scans]
    assert fields == [_fields(spec) for spec in scan_script(image)]
