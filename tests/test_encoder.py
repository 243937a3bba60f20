"""Encoding pixels: the same bytes as libjpeg-turbo and as the single stages, and extreme sizes and arguments."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from optcodec import (
    Bpp,
    CoefficientImage,
    Component,
    InvalidInputError,
    MatchQuality,
    MaxBytes,
    Metadata,
    QuantTable,
    TargetNotMetError,
    UnreadableSizeWarning,
    WaterLevel,
    annex_k_tables,
    encode,
    forward,
    load_profile,
    read_jpeg,
    write_jpeg,
)
from optcodec.design import SamplingMismatchWarning
from optcodec.jpeg import layout
from optcodec.jpeg.quantize import quantize
from tests.peers import picture, pillow_jpeg, pillow_pixels
from tests.strategies import quant_tables

SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0", "4:4:0")


def pixels_of(width: int, height: int, mode: str = "RGB") -> np.ndarray:
    return np.asarray(picture(width, height, mode))


def entropy_coded(data: bytes) -> bytes:
    """The entropy-coded data of a file with one scan."""
    start = data.index(b"\xff\xda")
    return data[start + 2 + int.from_bytes(data[start + 2 : start + 4]) : -2]


def blocks(data: bytes) -> list[np.ndarray]:
    return [component.blocks for component in read_jpeg(data).components]


def same_blocks(first: bytes, second: bytes) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(blocks(first), blocks(second), strict=True))


@settings(max_examples=120, deadline=None)
@given(
    width=st.integers(1, 59),
    height=st.integers(1, 59),
    quality=st.integers(1, 100),
    subsampling=st.sampled_from(["4:4:4", "4:2:2", "4:2:0", "grey"]),
    noise=st.booleans(),
)
def test_exact_scan_is_byte_for_byte_pillows(width, height, quality, subsampling, noise):
    mode = "L" if subsampling == "grey" else "RGB"
    image = picture(width, height, mode)
    if noise:
        shape = (height, width) if mode == "L" else (height, width, 3)
        image = Image.fromarray(np.random.default_rng(width).integers(0, 256, shape, dtype=np.uint8))
    options = {} if mode == "L" else {"subsampling": subsampling}
    ours = encode(image, quality=quality, dct="exact", subsampling=options.get("subsampling"))
    theirs = pillow_jpeg(image, quality=quality, optimize=True, **options)
    assert entropy_coded(ours.data) == entropy_coded(theirs)


@settings(max_examples=40, deadline=None)
@given(luminance=quant_tables(), chrominance=quant_tables(), width=st.integers(1, 70))
def test_exact_scan_is_pillows_with_any_tables(luminance, chrominance, width):
    image = picture(width, 33)
    ours = encode(image, tables=(luminance, chrominance), dct="exact", subsampling="4:2:0")
    qtables = [table.steps.ravel().tolist() for table in (luminance, chrominance)]
    theirs = pillow_jpeg(image, qtables=qtables, subsampling="4:2:0", optimize=True)
    assert entropy_coded(ours.data) == entropy_coded(theirs)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (17, 40), (203, 157)])
def test_exact_440_has_the_coefficients_of_libjpeg_turbo(width, height):
    pixels = np.ascontiguousarray(pixels_of(width, height))
    # TurboJPEG uses its accurate DCT from quality 96 on
    theirs = simplejpeg.encode_jpeg(pixels, 97, colorsubsampling="440", fastdct=False)
    assert same_blocks(encode(pixels, quality=97, dct="exact", subsampling="4:4:0").data, theirs)


def test_exact_reaches_the_extremes_of_libjpeg():
    rng = np.random.default_rng(3)
    pixels = rng.choice(np.array([0, 255], np.uint8), (64, 64, 3))
    theirs = pillow_jpeg(Image.fromarray(pixels), quality=100, subsampling="4:4:4", optimize=True)
    assert entropy_coded(encode(pixels, quality=100, dct="exact", subsampling="4:4:4").data) == entropy_coded(theirs)


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
@pytest.mark.parametrize(("width", "height"), [(1, 1), (8, 8), (41, 17), (130, 99)])
def test_float_path_is_the_sum_of_its_stages(width, height, subsampling):
    pixels = pixels_of(width, height)
    tables = annex_k_tables(85)
    whole = encode(pixels, tables=tables, subsampling=subsampling).coefficients
    staged = quantize(forward(pixels, subsampling), tables)
    for expected, actual in zip(whole.components, staged.components, strict=True):
        np.testing.assert_array_equal(expected.blocks, actual.blocks)


def naive_samples(pixels: np.ndarray, h: int, v: int) -> list[np.ndarray]:
    """JFIF samples in 8 bits: edges are repeated up to whole blocks, and chroma is averaged sample by sample."""
    height, width, _ = pixels.shape
    r, g, b = (pixels[..., k].astype(int) for k in range(3))
    full = [
        (19595 * r + 38470 * g + 7471 * b + 32768) >> 16,
        (-11059 * r - 21709 * g + 32768 * b + (128 << 16) + 32767) >> 16,
        (32768 * r - 27439 * g - 5329 * b + (128 << 16) + 32767) >> 16,
    ]
    planes = []
    for index, plane in enumerate(full):
        dx, dy = (1, 1) if index == 0 else (h, v)
        rows, columns = -(-height // dy), -(-width // dx)
        samples = np.empty((-(-rows // 8) * 8, -(-columns // 8) * 8))
        for y in range(samples.shape[0]):
            for x in range(samples.shape[1]):
                source = min(y, rows - 1)
                ys = [min(source * dy + j, height - 1) for j in range(dy)]
                xs = [min(x * dx + i, width - 1) for i in range(dx)]
                total = sum(int(plane[j, i]) for j in ys for i in xs)
                bias = {1: 0, 2: (x % 2 if dx == 2 else 1), 4: 1 + x % 2}[dx * dy]
                samples[y, x] = (total + bias) // (dx * dy)
        planes.append(samples)
    return planes


@pytest.mark.parametrize(
    ("subsampling", "h", "v"), [("4:4:4", 1, 1), ("4:2:2", 2, 1), ("4:2:0", 2, 2), ("4:4:0", 1, 2)]
)
@pytest.mark.parametrize(("width", "height"), [(1, 1), (9, 20), (35, 18)])
def test_forward_is_the_transform_of_naive_samples(subsampling, h, v, width, height):
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    k = np.arange(8)
    basis = np.cos((2 * k + 1) * k[:, None] * np.pi / 16) / 2
    basis[0] /= np.sqrt(2)
    for samples, component in zip(naive_samples(pixels, h, v), forward(pixels, subsampling).components, strict=True):
        rows, columns = component.coefficients.shape[:2]
        shaped = samples.reshape(rows, 8, columns, 8).swapaxes(1, 2) - 128
        np.testing.assert_allclose(component.coefficients, basis @ shaped @ basis.T, atol=2e-3)


def test_any_number_of_threads_gives_the_same_bytes():
    pixels = np.ascontiguousarray(np.tile(pixels_of(640, 480), (2, 2, 1)))
    for options in ({}, {"dct": "exact", "subsampling": "4:4:4"}, {"progressive": True}, {"restart_interval": 5}):
        files = {encode(pixels, threads=threads, **options).data for threads in (1, 2, 3, 7)}
        assert len(files) == 1, options
    single_thread, three_threads = forward(pixels, "4:2:0", threads=1), forward(pixels, "4:2:0", threads=3)
    for a, b in zip(single_thread.components, three_threads.components, strict=True):
        np.testing.assert_array_equal(a.coefficients, b.coefficients)


@pytest.mark.parametrize("parts", [2, 3, 13])
@pytest.mark.parametrize("quality", [3, 75, 100])
def test_an_image_of_several_parts_is_the_same_file(monkeypatch, parts, quality):
    pixels = pixels_of(150, 208)
    whole = encode(pixels, quality=quality, threads=1).data
    blocks_of_image = 13 * 10 * 6
    monkeypatch.setattr(layout, "_BLOCKS_PER_PART", blocks_of_image // parts)
    assert len(layout.segments(layout.pixel_layout(pixels.shape, "4:2:0")[0], 1)) == parts
    assert encode(pixels, quality=quality, threads=1).data == whole


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_interval": 3}, {"dct": "exact"}])
@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_other_decoders_read_what_we_write(options, subsampling):
    pixels = pixels_of(75, 53)
    encoded = encode(pixels, quality=92, subsampling=subsampling, **options)
    decoded = pillow_pixels(encoded.data)
    np.testing.assert_array_equal(simplejpeg.decode_jpeg(encoded.data, fastdct=False, fastupsample=False), decoded)
    error = np.mean((decoded.astype(float) - pixels) ** 2)
    reference = pillow_pixels(pillow_jpeg(Image.fromarray(pixels), quality=92, subsampling="4:2:0"))
    assert error < 1.2 * np.mean((reference.astype(float) - pixels) ** 2)


@pytest.mark.parametrize("shape", [(1, 65500, 3), (65500, 1, 3), (1, 65500), (3, 40000, 3)])
def test_longest_sides(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    encoded = encode(pixels, quality=50)
    assert pillow_pixels(encoded.data).shape == shape
    assert encoded.coefficients.width == shape[1]


@pytest.mark.parametrize("options", [{}, {"tune": "ycbcr"}, {"target": Bpp(1.0)}, {"progressive": True}])
@pytest.mark.parametrize("shape", [(2, 65501), (65501, 1, 3), (1, 65535)])
def test_sides_that_no_libjpeg_opens_are_refused(shape, options):
    message = f"{shape[1]}x{shape[0]} pixels; expected sides of at most 65500, as no libjpeg opens larger JPEG files"
    with pytest.raises(InvalidInputError, match=message):
        encode(np.zeros(shape, np.uint8), **options)


def test_files_with_longer_sides_are_transcoded_with_a_warning():
    blocks = np.random.default_rng(1).integers(-3, 4, (1, 8188, 8, 8)).astype(np.int16)
    image = CoefficientImage(65501, 2, (Component(1, 1, 1, 0, blocks),), annex_k_tables(50)[:1])
    with pytest.warns(UnreadableSizeWarning, match="65501x2 pixels; no libjpeg opens sides above 65500") as caught:
        encoded = encode(image)
    assert caught[0].filename == __file__
    assert same_blocks(encoded.data, write_jpeg(image))


def test_layout_of_the_array_does_not_matter():
    pixels = pixels_of(50, 40)
    expected = encode(pixels).data
    assert encode(np.asfortranarray(pixels)).data == expected
    assert encode(np.flip(np.flip(pixels, 0).copy(), 0)).data == expected
    frozen = pixels.copy()
    frozen.flags.writeable = False
    assert encode(frozen).data == expected
    assert encode(Image.fromarray(pixels)).data == expected


def test_grey_pixels_make_one_component_and_one_table():
    encoded = encode(pixels_of(30, 30, "L"), subsampling="4:2:0")
    image = encoded.coefficients
    assert image.subsampling == "grey"
    assert len(image.tables) == 1
    assert pillow_pixels(encoded.data).shape == (30, 30)


def test_equal_tables_are_written_once():
    flat = QuantTable(np.full((8, 8), 9))
    image = encode(pixels_of(20, 20), tables=(flat, QuantTable(np.full((8, 8), 9)))).coefficients
    assert image.tables == (flat,)


@pytest.mark.parametrize("side", [8, 30, 64])
def test_small_images_share_huffman_tables(side):
    encoded = encode(pixels_of(side, side))
    assert encoded.data.count(b"\xff\xc4") == 1
    exact = encode(pixels_of(side, side), dct="exact")
    assert encoded.nbytes < exact.nbytes - 20
    np.testing.assert_array_equal(pillow_pixels(encoded.data).shape, (side, side, 3))
    assert same_blocks(encode(encoded.coefficients).data, encoded.data)


def test_bpp_counts_the_whole_file():
    encoded = encode(pixels_of(30, 20))
    assert encoded.bpp == 8 * len(encoded.data) / 600
    assert encoded.nbytes == len(encoded.data)


def test_smaller_takes_the_smaller_file():
    for pixels in (pixels_of(9, 9), pixels_of(400, 300)):
        sizes = {choice: encode(pixels, progressive=choice).nbytes for choice in (False, True, "smaller")}
        assert sizes["smaller"] == min(sizes[False], sizes[True])


@pytest.mark.parametrize("options", [{"progressive": True}, {"progressive": "smaller"}, {"scans": "apart"}])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_other_scans_are_written_from_coefficients_not_from_a_file(monkeypatch, options, mode):
    pixels = pixels_of(83, 61, mode)
    expected = write_jpeg(
        encode(pixels, quality=70).coefficients,
        progressive=options.get("progressive", False),
        apart="scans" in options,
    )

    def refused(*arguments, **options):
        raise AssertionError("a file was read back")

    monkeypatch.setattr("optcodec.jpeg.sources.read_jpeg", refused)
    assert encode(pixels, quality=70, **options).data == expected


@pytest.mark.parametrize("options", [{}, {"effort": 3}, {"effort": 3, "target": WaterLevel(0.05)}])
def test_a_profile_of_another_sampling_warns_where_the_caller_stands(options):
    profile = load_profile("mobilenet_v2_420")
    with pytest.warns(SamplingMismatchWarning, match=r"estimated at 4:2:0, but is used at 4:4:4") as caught:
        encode(pixels_of(40, 32), **({"target": Bpp(2.0), "profile": profile, "subsampling": "4:4:4"} | options))
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize("progressive", [False, True])
def test_transcoding_with_the_tables_of_the_file_keeps_every_coefficient(progressive):
    original = pillow_jpeg(picture(99, 61), quality=71, icc_profile=b"profile" * 20)
    encoded = encode(read_jpeg(original), progressive=progressive)
    assert same_blocks(encoded.data, original)
    assert encoded.coefficients.tables == read_jpeg(original).tables
    assert encoded.coefficients.metadata.icc_profile == b"profile" * 20
    assert encode(read_jpeg(original), metadata=False).coefficients.metadata == Metadata()


def test_transcoding_to_a_multiple_of_a_step_rounds_its_coefficients():
    original = read_jpeg(pillow_jpeg(picture(64, 48), quality=90))
    coarse = tuple(QuantTable(np.minimum(table.steps * 3, 255)) for table in original.tables)
    for before, after in zip(original.components, encode(original, tables=coarse).coefficients.components, strict=True):
        old, new = original.tables[before.table].steps, coarse[after.table].steps
        np.testing.assert_array_equal(after.blocks, np.rint(before.blocks * (old / new)))


@pytest.mark.parametrize("progressive", [False, True, "smaller"])
@pytest.mark.parametrize("share", [0.9, 0.45, 0.2])
def test_max_bytes_is_kept_and_nearly_used(progressive, share):
    pixels = pixels_of(200, 150)
    limit = int(encode(pixels, quality=80).nbytes * share)
    encoded = encode(pixels, target=MaxBytes(limit), progressive=progressive)
    assert 0.99 * limit <= encoded.nbytes <= limit


def test_bpp_of_a_profile_is_met_by_the_file():
    encoded = encode(pixels_of(224, 224), profile=load_profile("mobilenet_v2"), target=Bpp(0.8))
    assert 0.99 * 0.8 <= encoded.bpp <= 0.8
    assert encoded.coefficients.subsampling == "4:4:4"  # the sampling at which the profile was estimated


def test_transcoding_to_a_size_needs_no_pixels():
    original = read_jpeg(pillow_jpeg(picture(160, 120), quality=92))
    encoded = encode(original, target=MaxBytes(4000))
    assert 3960 <= encoded.nbytes <= 4000


@pytest.mark.parametrize("bpp", [0.5, 1.0, 1.3, 1.9, 2.4])
def test_bpp_is_met_where_coefficients_leave_zero_all_at_once(bpp):
    quantized_before = read_jpeg(pillow_jpeg(picture(320, 240), quality=90, subsampling="4:4:4"))
    encoded = encode(quantized_before, profile=load_profile("mobilenet_v2"), target=Bpp(bpp))
    assert 0.99 * bpp <= encoded.bpp <= bpp


def test_what_no_table_reaches_is_said():
    with pytest.raises(TargetNotMetError, match="at most 100, but the nearest that can be reached is"):
        encode(pixels_of(64, 64), target=MaxBytes(100))


def test_defaults_are_quality_75_and_420():
    pixels = pixels_of(40, 40)
    assert encode(pixels).data == encode(pixels, quality=75, subsampling="4:2:0").data


PIXELS = np.zeros((16, 16, 3), np.uint8)
WIDE = QuantTable(np.full((8, 8), 256))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quality": 101}, "1..100, got 101"),
        ({"quality": 50, "tables": annex_k_tables(50)}, "quality and tables exclude one another"),
        ({"quality": 50, "target": Bpp(1.0)}, "quality and target exclude one another"),
        ({"profile": load_profile("mobilenet_v2")}, "profile needs a target such as "),
        ({"method": "optd"}, "method designs tables for a target such as "),
        ({"method": "best", "target": Bpp(1.0)}, "got 'best'"),
        ({"target": MatchQuality(50), "method": "opts"}, "needs a sensitivity profile"),
        ({"target": WaterLevel(0.1), "method": "jpeg"}, "takes a Quality"),
        ({"tables": ()}, "one to four quantization tables are expected, got 0"),
        ({"tables": (WIDE,)}, "lie in 1..255, got 256"),
        ({"subsampling": "4:1:1"}, "got '4:1:1'"),
        ({"dct": "fast"}, "got 'fast'"),
        ({"progressive": "yes"}, "got 'yes'"),
        ({"restart_interval": 65536}, "0..65535, got 65536"),
        ({"threads": 0}, "from 1 on, got 0"),
    ],
)
def test_wrong_arguments_are_refused(options, message):
    with pytest.raises(InvalidInputError, match=message):
        encode(PIXELS, **options)


def test_the_result_is_frozen():
    encoded = encode(PIXELS)
    with pytest.raises(dataclasses.FrozenInstanceError):
        encoded.data = b""


def test_tables_of_rgb_components_are_not_designed():
    image = encode(pixels_of(40, 30), subsampling="4:4:4").coefficients
    rgb = dataclasses.replace(image, metadata=Metadata(adobe_transform=0))
    with pytest.raises(InvalidInputError, match="grey or YCbCr"):
        encode(rgb, target=Bpp(1.0))
    assert same_blocks(encode(rgb).data, encode(image).data)


def test_a_file_is_saved(tmp_path: Path) -> None:
    encoded = encode(np.zeros((8, 8), np.uint8))
    encoded.save(tmp_path / "new" / "a.jpg")
    assert (tmp_path / "new" / "a.jpg").read_bytes() == encoded.data
    with pytest.raises(InvalidInputError, match="cannot write"):
        encoded.save(tmp_path / "new")
