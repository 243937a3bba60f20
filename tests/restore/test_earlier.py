"""Earlier codings: their steps and grids are found, and pictures that were coded once have none."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import scipy.integrate
from PIL import Image, ImageDraw
from skimage.data import astronaut

import optcodec
from restore.runtime import grids
from restore.runtime.cells import DCT, fit_laplacian
from restore.runtime.decode import Received, receive
from restore.runtime.earlier import EarlierCoding, find_earlier_coding

PHOTOGRAPH = astronaut()[60:260, 100:340]
# resized, which leaves no grid of blocks
SMALLER = np.asarray(Image.fromarray(astronaut()).resize((240, 240), Image.Resampling.LANCZOS))


def saved(pixels: np.ndarray, quality: int, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, **options)
    return file.getvalue()


def opened(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def earlier(data: bytes) -> EarlierCoding | None:
    return find_earlier_coding(receive(data))


def drawing() -> np.ndarray:
    image = Image.new("RGB", (240, 200), (255, 255, 255))
    draw = ImageDraw.Draw(image)
    for index in range(12):
        x, y = 23 * index, 17 * (index % 7)
        draw.rectangle([x, y, x + 30, y + 21], fill=(20 * index, 255 - 17 * index, 90))
        draw.ellipse([x + 9, y + 40, x + 60, y + 71], outline=(40, 10 * index, 130), width=3)
        draw.text((x, 13 + 19 * index), "The quick brown fox", fill=(0, 0, 60))
    return np.asarray(image)


@pytest.mark.parametrize(("first", "second"), [(10, 75), (15, 90), (40, 85), (60, 75), (75, 82), (75, 95)])
def test_the_first_quality_is_found_on_the_same_grid(first: int, second: int) -> None:
    coding = earlier(saved(opened(saved(PHOTOGRAPH, first)), second))
    assert coding is not None
    assert (coding.quality, coding.shift) == (first, (0, 0))
    expected = np.stack([table.steps for table in optcodec.annex_k_tables(first)])
    assert coding.steps.dtype == np.uint16
    assert np.array_equal(coding.steps, expected)


@pytest.mark.parametrize(("first", "second"), [(15, 90), (40, 85)])
@pytest.mark.parametrize(("top", "left"), [(3, 5), (0, 2)])
def test_the_first_grid_is_found_after_cropping(first: int, second: int, top: int, left: int) -> None:
    coding = earlier(saved(opened(saved(PHOTOGRAPH, first))[top:, left:], second))
    assert coding is not None
    assert (coding.quality, coding.shift) == (first, (-top % 8, -left % 8))


@pytest.mark.parametrize(("quality", "subsampling"), [(20, "4:2:0"), (75, "4:4:4"), (90, "4:2:0"), (100, "4:4:4")])
def test_coded_once_is_no_earlier_coding(quality: int, subsampling: str) -> None:
    assert earlier(saved(SMALLER, quality, subsampling=subsampling)) is None
    assert earlier(saved(drawing(), quality, subsampling=subsampling)) is None


@pytest.mark.parametrize("tune", ["psnr", "ssim", "people"])
def test_chosen_indices_are_no_earlier_coding(tune: Any) -> None:
    assert earlier(optcodec.encode(SMALLER, quality=60, effort=3, tune=tune).data) is None


def patterns() -> dict[str, np.ndarray]:
    y, x = np.mgrid[:160, :160]
    noise = np.random.default_rng(0).integers(0, 256, (160, 160))
    planes = {
        "flat": np.full((64, 64), 77),
        "ramp": x,
        "checks": (x // 4 + y // 4) % 2 * 200,
        "stripes": x // 3 % 2 * 100 + 50,
        "noise": noise,
        "one block": noise[:8, :8],
        "part of a block": noise[:7, :30],
        "few blocks": noise[:16, :24],
    }
    return {name: plane.astype(np.uint8) for name, plane in planes.items()}


@pytest.mark.parametrize("name", patterns())
def test_patterns_are_no_earlier_coding(name: str) -> None:
    for quality in (20, 90):
        assert earlier(saved(patterns()[name], quality)) is None


def test_finer_steps_and_other_sizes_are_no_earlier_coding() -> None:
    assert earlier(saved(opened(saved(PHOTOGRAPH, 95)), 60)) is None
    assert earlier(saved(opened(saved(PHOTOGRAPH, 75)), 75)) is None
    resized = Image.fromarray(opened(saved(PHOTOGRAPH, 30))).resize((330, 250), Image.Resampling.BICUBIC)
    assert earlier(saved(np.asarray(resized), 90)) is None


def flat(step: int) -> bytes:
    table = optcodec.QuantTable(np.full((8, 8), step, np.uint16))
    return optcodec.encode(PHOTOGRAPH, tables=[table, table]).data


def test_flat_steps_count_as_coarser_by_their_mean() -> None:
    assert earlier(saved(opened(flat(8)), 85)) is None
    coding = earlier(saved(opened(flat(8)), 95))
    assert coding is not None
    assert np.abs(np.log2(coding.steps[0] / 8)).mean() < 0.1


def test_steps_of_other_tables_are_found() -> None:
    u, v = np.mgrid[:8, :8]
    table = optcodec.QuantTable((12 + 5 * u + 3 * v).astype(np.uint16))
    coding = earlier(saved(opened(optcodec.encode(PHOTOGRAPH, tables=[table, table]).data), 90))
    assert coding is not None
    assert coding.quality is None
    errors = np.abs(np.log2(coding.steps[0] / table.steps))
    assert np.all(errors[u + v <= 5] == 0)
    assert errors.max() < 0.5


def test_flat_steps_are_completed_by_flat_steps() -> None:
    coding = earlier(saved(opened(flat(40)), 90))
    assert coding is not None
    assert np.abs(np.log2(coding.steps[0] / 40)).max() < 0.3


def test_blocks_with_black_white_or_saturated_pixels_are_left_out() -> None:
    pixels = np.random.default_rng(4).integers(60, 200, (64, 96, 3), np.uint8)
    pixels[8:16, 16:24] = 255
    pixels[32:40, 0:8] = 0
    pixels[48:56, 88:96] = (255, 120, 120)  # only red is
    received = receive(saved(pixels, 100, subsampling="4:4:4"))
    (region,) = grids.sampled_regions(received)
    assert {(row // 8, column // 8) for row, column in zip(*np.nonzero(~region.unclipped), strict=True)} == {
        (1, 2),
        (4, 0),
        (6, 11),
    }
    assert grids.on_present_grid([region], received.steps(0)).counts.sum(axis=1).max() <= 8 * 12 - 3


def test_dc_is_examined_by_its_differences() -> None:
    received = receive(saved(np.random.default_rng(5).integers(110, 140, (8, 80), np.uint8), 95))
    counts = grids.on_present_grid(grids.sampled_regions(received), received.steps(0)).counts[0]
    dc = received.coefficients.components[0].blocks[0, :, 0, 0].astype(int)
    differences = np.abs(np.diff(dc, prepend=dc[:1]))
    assert np.array_equal(counts, np.bincount(differences, minlength=128))


def test_almost_only_white_pictures_are_examined_all_the_same() -> None:
    page = np.where(np.random.default_rng(6).random((64, 64)) < 0.1, 0, 255).astype(np.uint8)
    received = receive(saved(page, 50))
    counts = grids.on_present_grid(grids.sampled_regions(received), received.steps(0)).counts
    assert counts[9].sum() == 64


def test_saturated_colours_do_not_hide_the_first_quality() -> None:
    glaring = np.clip((PHOTOGRAPH.astype(np.float64) - 110) * [2.6, 1.2, 1.8] + 110, 0, 255).astype(np.uint8)
    coding = earlier(saved(opened(saved(glaring, 40)), 85))
    assert coding is not None
    assert coding.quality == 40


def test_gray_files_have_one_table() -> None:
    coding = earlier(saved(opened(saved(PHOTOGRAPH[..., 1], 30)), 85))
    assert coding is not None
    assert (coding.quality, coding.steps.shape) == (30, (1, 8, 8))


def test_more_evidence_is_more_confidence() -> None:
    twice = opened(saved(PHOTOGRAPH, 50))
    coarse, fine = (earlier(saved(twice, quality)) for quality in (60, 92))
    assert coarse is not None
    assert fine is not None
    assert 0 < coarse.confidence < fine.confidence / 3


def test_coefficients_in_memory_and_row_by_row_are_the_same() -> None:
    data = saved(opened(saved(PHOTOGRAPH, 40))[2:], 85)
    rows, whole = earlier(data), find_earlier_coding(Received(optcodec.read_jpeg(data)))
    assert rows is not None
    assert whole is not None
    assert (rows.quality, rows.shift, rows.confidence) == (whole.quality, whole.shift, whole.confidence)


def test_large_pictures_are_sampled_evenly() -> None:
    rng = np.random.default_rng(1)
    pixels = np.sort(rng.integers(90, 160, (1200, 1600), np.uint8), axis=0)  # brighter from top to bottom
    regions = grids.sampled_regions(receive(saved(pixels, 50)))
    assert len(regions) == 32
    assert sum(region.luminance.size for region in regions) <= 1 << 20
    levels = [region.luminance.mean() for region in regions]
    assert np.all(np.abs(np.diff(levels) - 2) < 4)  # from top to bottom, and nowhere is a large part left out
    assert (levels[0], levels[-1]) == pytest.approx((90, 160), abs=8)


def test_rows_that_were_examined_are_released(monkeypatch: pytest.MonkeyPatch) -> None:
    released: list[int] = []
    monkeypatch.setattr(Received, "release", lambda _, row: released.append(row))
    grids.sampled_regions(receive(saved(np.full((3000, 700), 90, np.uint8), 50)))
    assert released == sorted(released)
    assert released[-1] > 2800


def test_noise_of_another_grid_is_that_of_errors_carried_there() -> None:
    """A plane of coding errors alone: their variances on the other grid, and those that are foretold."""
    received = receive(saved(PHOTOGRAPH[..., 1], 60))
    regions = grids.sampled_regions(received)
    foretold = grids.on_other_grid(regions, received.steps(0), (3, 6)).noise.reshape(8, 8) ** 2
    blocks = received.coefficients.components[0].blocks
    variance = np.empty((8, 8))
    for place, decay in np.ndenumerate(fit_laplacian(blocks)):
        variance[place] = error_variance(float(received.steps(0)[place]), decay)
    variance[0, 0] = received.steps(0)[0, 0] ** 2 / 12
    errors = np.random.default_rng(2).normal(0, 1, (120, 120, 8, 8)) * np.sqrt(variance)
    plane = (DCT.T @ errors @ DCT).transpose(0, 2, 1, 3).reshape(960, 960)[3:-5, 6:-2]
    moved = DCT @ plane.reshape(119, 8, 119, 8).transpose(0, 2, 1, 3) @ DCT.T
    expected = moved.var(axis=(0, 1)) + 0.4**2 + 1 / 12
    expected[0, 0] *= 2  # the difference of two blocks
    assert np.allclose(foretold, expected, rtol=0.06)


def error_variance(step: float, decay: float) -> float:
    """Of uniform cells and the cell of 0 under a Laplacian, by numerical integration."""
    if not np.isfinite(decay):
        return 0.0
    rate, half = decay / step, step / 2
    inside = scipy.integrate.quad(lambda x: x**2 * rate * np.exp(-rate * x), 0, half)[0]
    return float(inside + np.exp(-rate * half) * step**2 / 12)


@pytest.mark.parametrize("shift", [(0, 3), (4, 4), (6, 1)])
def test_the_first_grid_is_promising(shift: tuple[int, int]) -> None:
    pixels = opened(saved(PHOTOGRAPH, 40))[-shift[0] % 8 :, -shift[1] % 8 :]
    shifts = grids.promising_shifts(grids.sampled_regions(receive(saved(pixels, 85))), 4)
    assert shift in shifts
    assert len(set(shifts)) == 4
    assert (0, 0) not in shifts
