"""Decoding to samples, compared with libjpeg and naive implementations; the gain by centroids and projection."""

from __future__ import annotations

import io
import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.fft
import scipy.optimize
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage import data

import optcodec
import restore
from optcodec import CoefficientImage, Component, Metadata, UnsupportedJpegError
from restore.runtime.cells import centroid_offset, fit_laplacian, project
from restore.runtime.decode import Received, receive
from restore.runtime.image import decode_image
from tests.cli_helpers import photograph
from tests.receiver_helpers import jpeg, pillow_pixels
from tests.test_decoder import cmyk

SIZES = [(77, 91), (16, 16), (1, 1), (40, 9), (130, 64)]


def from_scratch(factors: list[tuple[int, int]], size: tuple[int, int] = (45, 83)) -> CoefficientImage:
    """Some coefficients at these sampling factors."""
    rng = np.random.default_rng(2)
    h_max, v_max = (max(part[axis] for part in factors) for axis in (0, 1))
    components = []
    for index, (h, v) in enumerate(factors):
        samples = math.ceil(size[0] * v / v_max), math.ceil(size[1] * h / h_max)
        shape = (math.ceil(samples[0] / 8), math.ceil(samples[1] / 8), 8, 8)
        blocks = np.zeros(shape, np.int16)
        blocks[..., :3, :3] = rng.integers(-2, 3, (*shape[:2], 3, 3))
        blocks[..., 0, 0] = rng.integers(-20, 20, shape[:2])
        components.append(Component(index + 1, h, v, 0 if index == 0 else 1, blocks))
    return CoefficientImage(size[1], size[0], tuple(components), optcodec.annex_k_tables(60))


@pytest.mark.parametrize("quality", [10, 50, 95])
@pytest.mark.parametrize("size", SIZES)
def test_luminance_equals_libjpeg_up_to_rounding(size: tuple[int, int], quality: int) -> None:
    data = jpeg(*size, "L", quality=quality)
    difference = np.abs(decode_image(receive(data)) - pillow_pixels(data))
    assert difference.max() <= 1
    assert np.mean(difference > 0) < 0.03  # its integer transform misses the nearest number at times


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("factors", [(1, 1), (2, 1), (2, 2), (1, 2), (4, 1), (1, 4), (4, 2), (3, 1)])
def test_planes_are_those_of_libjpeg_at_any_sampling(factors: tuple[int, int], size: tuple[int, int]) -> None:
    image = from_scratch([factors, (1, 1), (1, 1)], size)
    received = Received(image)
    region = (0, size[0]), (0, size[1])
    ours = np.stack([received.luminance(*region), *received.chrominance(*region)], axis=-1)
    theirs = pillow_pixels(optcodec.write_jpeg(image), "YCbCr")
    difference = np.abs(ours - theirs)
    assert difference.max() <= 1
    assert np.mean(difference > 0) < 0.03


@pytest.mark.parametrize("factors", [(2, 2), (2, 1), (1, 2)])
def test_images_of_every_small_size_are_those_of_libjpeg(factors: tuple[int, int]) -> None:
    """libjpeg does not interpolate chrominance of one or two columns, in neither direction."""
    largest, differing, total = 0, 0, 0
    for size in itertools.product(range(1, 21), repeat=2):
        image = from_scratch([factors, (1, 1), (1, 1)], size)
        difference = np.abs(decode_image(Received(image)) - pillow_pixels(optcodec.write_jpeg(image)))
        largest, total = max(largest, difference.max()), total + difference.size
        differing += np.count_nonzero(difference > 1)
    assert largest <= 3  # as for other sizes: see the test of colours below
    assert differing < 0.02 * total


def test_chrominance_of_a_narrow_image_is_the_same_in_every_region() -> None:
    received = Received(from_scratch([(2, 2), (1, 1), (1, 1)], (50, 4)))
    whole = received.chrominance((0, 50), (0, 4))
    for top in (0, 16, 32):
        region = (top, min(top + 24, 50)), (0, 4)
        np.testing.assert_array_equal(received.chrominance(*region), whole[:, slice(*region[0])])


@pytest.mark.parametrize("quality", [10, 95])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_colours_are_those_of_libjpeg(subsampling: str, quality: int) -> None:
    data = jpeg(90, 121, subsampling=subsampling, quality=quality)
    difference = np.abs(decode_image(receive(data)) - pillow_pixels(data))
    assert difference.max() <= 3  # one level of Y and of Cb each, which counts 1.77 times in blue
    assert np.mean(difference > 1) < 0.02
    assert np.mean(difference) < 0.06


def test_a_region_equals_that_part_of_the_whole_image() -> None:
    received = receive(jpeg(100, 150, subsampling="4:2:0"))
    for centroid in (False, True):
        luminance = received.luminance((0, 100), (0, 150), centroid=centroid)
        chrominance = received.chrominance((0, 100), (0, 150), centroid=centroid)
        for top, left in ((0, 0), (16, 32), (64, 128)):
            region = (top, min(top + 48, 100)), (left, min(left + 48, 150))
            cut = np.s_[slice(*region[0]), slice(*region[1])]
            np.testing.assert_array_equal(received.luminance(*region, centroid=centroid), luminance[cut])
            np.testing.assert_array_equal(received.chrominance(*region, centroid=centroid), chrominance[:, *cut])


def test_behind_the_border_luminance_is_what_the_file_has_there_and_chrominance_is_repeated() -> None:
    image = from_scratch([(2, 2), (1, 1), (1, 1)], (17, 19))
    received = Received(image)
    steps = image.tables[0].steps.astype(float)
    last = scipy.fft.idctn(image.components[0].blocks[2, 2] * steps, norm="ortho") + 128
    whole = received.luminance((16, 32), (16, 32))
    np.testing.assert_array_equal(whole[:8, :8], np.clip(np.floor(last + 0.5), 0, 255))
    np.testing.assert_array_equal(whole[8:, :8], np.repeat(whole[7:8, :8], 8, axis=0))
    np.testing.assert_array_equal(whole[:, 8:], np.repeat(whole[:, 7:8], 8, axis=1))
    chrominance = received.chrominance((0, 32), (0, 32))
    beyond = 2 * 9 + 1  # 9 rows of chrominance; the last of their 18 has only itself below
    np.testing.assert_array_equal(chrominance[:, beyond:], np.repeat(chrominance[:, beyond - 1 : beyond], 13, axis=1))


def test_tables_are_those_of_y_and_cb() -> None:
    luminance, chrominance = optcodec.annex_k_tables(30)
    tables = receive(jpeg(16, 16, quality=30)).tables
    np.testing.assert_array_equal(tables, np.stack([luminance.steps, chrominance.steps]))
    assert tables.dtype == np.float32
    assert receive(jpeg(16, 16, "L", quality=30)).tables.shape == (1, 8, 8)


def bytes_of(mode: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (16, 16)).save(file, "JPEG", **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (bytes_of("CMYK"), "the file has 4 components; expected gray, or Y, Cb and Cr"),
        (bytes_of("RGB", keep_rgb=True), "the components are red, green and blue; expected gray, or Y, Cb and Cr"),
        (
            optcodec.write_jpeg(from_scratch([(1, 1), (2, 1), (1, 1)])),
            "the sampling is 1x1,2x1,1x1; expected luminance in full resolution",
        ),
    ],
    ids=["CMYK", "RGB", "coarse luminance"],
)
def test_other_channels_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(UnsupportedJpegError) as refusal:
        receive(data)
    assert str(refusal.value) == message


def test_rgb_marked_only_by_component_identifiers_is_refused() -> None:
    image = from_scratch([(1, 1)] * 3)
    named = [replace(part, id=ord(name)) for part, name in zip(image.components, "RGB", strict=True)]
    beside_jfif = optcodec.write_jpeg(replace(image, components=tuple(named)))
    jfif = beside_jfif[2:20]
    assert jfif.startswith(b"\xff\xe0")
    with pytest.raises(UnsupportedJpegError, match="red, green and blue"):
        receive(beside_jfif.replace(jfif, b""))
    decoded = decode_image(receive(beside_jfif))  # there libjpeg, too, takes them for Y, Cb and Cr
    assert np.abs(decoded.astype(int) - pillow_pixels(beside_jfif)).max() <= 3
    Received(replace(image, components=tuple(named), metadata=Metadata(adobe_transform=1)))


def minus_log_likelihood(decay: float, indices: np.ndarray) -> float:
    """Negative log-likelihood of quantized Laplacian values, from the distribution function."""
    sizes = np.abs(indices)
    cells = np.where(sizes == 0, -np.expm1(-decay / 2), np.exp(-decay * (sizes - 0.5)) * -np.expm1(-decay) / 2)
    return -float(np.log(cells).sum())


@given(st.lists(st.integers(-40, 40), min_size=2, max_size=60).filter(any))
def test_the_laplacian_is_the_most_likely_one(indices: list[int]) -> None:
    blocks = np.zeros((1, len(indices), 8, 8), np.int16)
    blocks[0, :, 2, 3] = indices
    fitted = fit_laplacian(blocks)[2, 3]
    best = scipy.optimize.minimize_scalar(
        minus_log_likelihood, args=(np.array(indices),), bounds=(1e-4, 20), method="bounded", options={"xatol": 1e-9}
    )
    assert minus_log_likelihood(fitted, np.array(indices)) <= best.fun + 1e-7
    assert fitted == pytest.approx(best.x, rel=1e-3)


def test_a_frequency_of_zeros_has_no_decay() -> None:
    assert np.isposinf(fit_laplacian(np.zeros((3, 4, 8, 8), np.int16))).all()
    assert not centroid_offset(np.full((8, 8), np.inf)).any()


@pytest.mark.parametrize("decay", [0.01, 0.5, 1.0, 3.0, 12.0])
def test_the_centroid_is_the_mean_of_the_density_in_a_cell(decay: float) -> None:
    x = (np.arange(200_000) + 0.5) / 200_000 - 0.5  # the cell, one step wide, around its middle
    mean = np.average(x, weights=np.exp(-decay * x))
    offsets = centroid_offset(np.full((8, 8), decay))
    np.testing.assert_allclose(offsets.ravel()[1:], -mean, rtol=1e-6)
    assert offsets[0, 0] == 0


def test_centroids_win_on_laplacian_coefficients_what_the_formula_says() -> None:
    rng, scale = np.random.default_rng(3), 0.6  # steps
    coefficients = rng.laplace(0, scale, (500, 500, 1, 1)) * np.ones((8, 8))
    blocks = np.rint(coefficients).astype(np.int16)
    decay = fit_laplacian(blocks)[1, 1]
    assert decay == pytest.approx(1 / scale, rel=0.01)
    offset = centroid_offset(np.full((8, 8), decay))[1, 1]
    kept, index = coefficients[..., 1, 1], blocks[..., 1, 1]
    errors = [np.mean((kept - index + shift * np.sign(index)) ** 2) for shift in (0, offset)]
    # reconstruction at the mean lowers the mean squared error by the square of the distance
    assert errors[0] - errors[1] == pytest.approx(offset**2 * np.mean(index != 0), rel=0.02)


@pytest.mark.parametrize(("mode", "gain_db"), [("L", 0.1), ("RGB", 0.03)])
def test_centroids_are_nearer_to_a_photograph(mode: str, gain_db: float) -> None:
    clean = np.asarray(Image.fromarray(photograph(160, 160)).convert(mode))
    received = receive(jpeg(160, 160, mode, quality=25))
    plain, better = (
        float(optcodec.psnr_db(clean, decode_image(received, centroid=centroid))) for centroid in (False, True)
    )
    assert better > plain + gain_db


def test_centroids_of_a_file_in_memory() -> None:
    """Also turned upright, or of a file that ends too early."""
    exif = Image.Exif()
    exif[0x0112] = 6
    data, notes = jpeg(40, 60, quality=25, exif=exif), list[str]()
    kept = restore.decode_centroids(data)
    assert kept.shape == (40, 60, 3)
    np.testing.assert_array_equal(kept, decode_image(Received(optcodec.read_jpeg(data)), centroid=True))
    np.testing.assert_array_equal(restore.decode_centroids(data, orient="apply"), np.rot90(kept, -1))
    part = optcodec.read_jpeg(data[:-50], partial=True, notify=lambda note: None)
    np.testing.assert_array_equal(
        restore.decode_centroids(data[:-50], partial=True, notify=notes.append),
        decode_image(Received(part), centroid=True),
    )
    assert len(notes) == 2  # no EOI, and coefficients that are missing


@pytest.mark.parametrize(
    ("error", "words", "data", "options"),
    [
        (optcodec.InvalidInputError, r'^orient is "keep" or "apply", got \'turn\'$', jpeg(8, 8), {"orient": "turn"}),
        (optcodec.OptcodecError, "pixels", jpeg(8, 8), {"max_pixels": 63}),
        (optcodec.MalformedJpegError, "SOI", b"no JPEG file", {}),
        (optcodec.MalformedJpegError, "truncated scan", jpeg(40, 60)[:-50], {"notify": len}),
        (optcodec.UnsupportedJpegError, "the file has 4 components", cmyk(), {}),
    ],
)
def test_files_without_centroids(error: type[Exception], words: str, data: bytes, options: dict[str, Any]) -> None:
    with pytest.raises(error, match=words):
        restore.decode_centroids(data, **options)


def naive_projection(
    plane: np.ndarray, blocks: np.ndarray, steps: np.ndarray, growth: np.ndarray | None = None
) -> np.ndarray:
    growth = np.zeros((8, 8)) if growth is None else growth
    out = np.empty(plane.shape)
    for row, column in np.ndindex(blocks.shape[:2]):
        cut = np.s_[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
        values = scipy.fft.dctn(plane[cut].astype(float) - 128, norm="ortho")
        for v, u in np.ndindex(8, 8):
            k, q = int(blocks[row, column, v, u]), int(steps[v, u])
            beyond = growth[v, u] if k == 0 else min(growth[v, u], 0.5)  # away from zero, on both sides of it
            low, high = k - 0.5 - beyond * (k <= 0), k + 0.5 + beyond * (k >= 0)
            values[v, u] = min(max(values[v, u], low * q), high * q)
        out[cut] = scipy.fft.idctn(values, norm="ortho") + 128
    return out


def test_projection_moves_coefficients_into_their_cells() -> None:
    image = from_scratch([(1, 1)], (24, 40))
    blocks, steps = image.components[0].blocks, image.tables[0].steps
    plane = np.random.default_rng(4).uniform(0, 255, (24, 40)).astype(np.float32)
    projected = project(plane, blocks, steps)
    np.testing.assert_allclose(projected, naive_projection(plane, blocks, steps), atol=1e-3)
    assert np.abs(projected - plane).max() > 1
    np.testing.assert_allclose(project(projected, blocks, steps), projected, atol=1e-3)


def test_intervals_grow_away_from_zero() -> None:
    """Each frequency by its own growth; those of other indices than 0 by half a step at most."""
    image = from_scratch([(1, 1)], (24, 40))
    blocks, steps = image.components[0].blocks, image.tables[0].steps
    assert {-1, 0, 1} <= set(np.sign(blocks).ravel().tolist())
    growth = np.linspace(1, 0, 64).reshape(8, 8)
    plane = np.random.default_rng(4).uniform(0, 255, (24, 40)).astype(np.float32)
    projected = project(plane, blocks, steps, growth)
    np.testing.assert_allclose(projected, naive_projection(plane, blocks, steps, growth), atol=1e-3)
    assert np.abs(projected - project(plane, blocks, steps)).max() > 1
    np.testing.assert_array_equal(project(plane, blocks, steps, np.zeros((8, 8))), project(plane, blocks, steps))


def test_intervals_hold_the_originals_of_an_encoder_that_chooses_indices() -> None:
    """Of a trellis without overshoot, by the growth that its zeros show: the projection hardly moves the original."""
    clean = np.asarray(Image.fromarray(data.astronaut()[:256, :256]).convert("L"))
    coded = optcodec.encode(clean, quality=50, effort=3, tune="psnr", overshoot=False)
    received = Received(coded.coefficients)
    region = (0, 256), (0, 256)
    blocks, steps, growth = received.blocks(0, *region), received.steps(0), received.interval_growth(0)
    fixed, grown = (np.square(project(clean.astype(np.float32), blocks, steps, g) - clean).mean() for g in (0, growth))
    assert fixed > 0.3
    assert grown < 0.05 * fixed


def test_projection_leaves_the_original_alone_and_brings_others_nearer_to_it() -> None:
    clean = np.asarray(Image.fromarray(photograph(64, 80)).convert("L"))
    received = Received(optcodec.encode(clean, quality=60).coefficients)
    blocks, steps = received.blocks(0, (0, 64), (0, 80)), received.steps(0)
    np.testing.assert_allclose(project(clean.astype(np.float32), blocks, steps), clean, atol=1e-3)
    noisy = clean + np.random.default_rng(5).normal(0, 15, clean.shape).astype(np.float32)
    before, after = (np.square(plane - clean).mean() for plane in (noisy, project(noisy, blocks, steps)))
    assert after < 0.8 * before
