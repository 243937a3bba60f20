"""Scans straight from pixels: small ones that are written at once have the tokens, tables and bytes of all others."""

from __future__ import annotations

import numpy as np
import pytest

import optcodec
from optcodec.jpeg.direct import pixel_scan
from optcodec.jpeg.entropy import optimal_tables, scan_bytes
from optcodec.jpeg.tables import annex_k_tables


def pictures() -> list[np.ndarray]:
    """Noise, and noise beside white and black; at last with colours whose luminance is as that of white and black."""
    random = np.random.default_rng(5)
    noise = random.integers(0, 256, (61, 83, 3), np.uint8)
    clipped = np.where(random.random((61, 83, 1)) < 0.3, noise, np.uint8(255))
    clipped[20:40] = np.where(random.random((20, 83, 1)) < 0.5, clipped[20:40], np.uint8(0))
    nearly = np.where(clipped == 255, np.array([255, 255, 254], np.uint8), clipped)
    nearly[:30] = np.where(nearly[:30] == 0, np.array([0, 0, 1], np.uint8), nearly[:30])
    return [noise, clipped, nearly, clipped[:7, :5], clipped[..., :1]]


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
@pytest.mark.parametrize("picture", range(5))
@pytest.mark.parametrize("quality", [3, 75, 100])
def test_scans_that_are_written_at_once(subsampling: str, picture: int, quality: int) -> None:
    pixels = np.ascontiguousarray(pictures()[picture])
    luminance, chrominance = annex_k_tables(quality)
    tables = [luminance, chrominance, chrominance][: pixels.shape[2]]
    scan = pixel_scan(pixels.shape, subsampling, tables, dct="float", restart_interval=0, overshoot=True)
    apart, at_once = (scan.tokens(pixels, write=write) for write in (False, True))
    assert apart.coded is None
    assert at_once.coded is not None
    np.testing.assert_array_equal(at_once.histogram, apart.histogram)
    (array, count), (expected, expected_count) = at_once.parts[0], apart.parts[0]
    np.testing.assert_array_equal(array[:count], expected[:expected_count])
    tables_at_once, data = at_once.coded
    tables_apart = optimal_tables(apart.histogram)
    assert (tables_at_once.definition, tables_at_once.used) == (tables_apart.definition, tables_apart.used)
    assert bytes(data) == b"".join(scan_bytes(apart, tables_apart))
    occurs = np.flatnonzero(apart.histogram)
    np.testing.assert_array_equal(tables_at_once.codes[occurs], tables_apart.codes[occurs])


@pytest.mark.parametrize("picture", range(5))
def test_samples_overshoot_as_in_files_of_several_scans(picture: int) -> None:
    """These are made from coefficients and masks of all clipped samples, which are found in another way."""
    pixels = pictures()[picture]
    direct, by_coefficients = (optcodec.encode(pixels, quality=50, scans=scans) for scans in ("together", "apart"))
    for one, other in zip(direct.coefficients.components, by_coefficients.coefficients.components, strict=True):
        np.testing.assert_array_equal(one.blocks, other.blocks)
    plain = optcodec.encode(pixels, quality=50, overshoot=False)
    blocks = [one.coefficients.components[0].blocks for one in (plain, direct)]
    assert np.array_equal(*blocks) == (picture == 0)
