"""Bits of 32x32 blocks, against the count of the entropy coder, and against a slow decoder that tracks its position."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from PIL import Image

from optcodec import CoefficientImage, encode, read_jpeg, write_jpeg
from optcodec.errors import InvalidInputError
from optcodec.jpeg.bitstream import group_slots, scan_groups
from optcodec.jpeg.entropy import optimal_tables, scan_bits, sequential_tokens
from optcodec.receivers.block_bits import block_bits, file_block_bits
from tests import naive
from tests.cli_helpers import photograph
from tests.strategies import coefficient_images, image_of

FACTORS = {
    "grey": ((1, 1),),
    "4:4:4": ((1, 1), (1, 1), (1, 1)),
    "4:2:2": ((2, 1), (1, 1), (1, 1)),
    "4:2:0": ((2, 2), (1, 1), (1, 1)),
    "4:4:0": ((1, 2), (1, 1), (1, 1)),
}
SIZES = [(32, 32), (33, 31), (96, 64), (100, 75), (7, 130)]


def counted(image: CoefficientImage) -> int:
    """The number of bits of all scans, as the entropy coder counts them."""
    total = 0
    for group in scan_groups(image):
        tokens = sequential_tokens(image, group, group_slots(len(image.components), group))
        total += scan_bits(tokens, optimal_tables(tokens.histogram))
    return total


def naive_block_bits(data: bytes, groups: list[list[int]], monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Bits of the 32x32 blocks, from the positions in the bit stream behind each 8x8 block."""
    ends: list[tuple[naive.NaiveBits, int]] = []
    plain = naive.naive_sequential_ac

    def listening(stream: naive.NaiveBits, table: dict[str, int], block: list[int]) -> None:
        plain(stream, table, block)
        ends.append((stream, stream.position))

    with monkeypatch.context() as patch:
        patch.setattr(naive, "naive_sequential_ac", listening)
        naive.naive_read(data)
    image = read_jpeg(data)
    factors = [(part.h, part.v) for part in image.components]
    h_max, v_max = max(h for h, _ in factors), max(v for _, v in factors)
    order = [
        position
        for group in groups
        for mcu in naive.naive_mcus(image.width, image.height, factors, group)
        for position in mcu
    ]
    bits = np.zeros((-(-image.height // 32), -(-image.width // 32)), int)
    before: tuple[naive.NaiveBits | None, int] = (None, 0)
    for (index, row, column), (stream, position) in zip(order, ends, strict=True):
        h, v = factors[index]
        top = min(row * 8 * v_max // v // 32, bits.shape[0] - 1)
        left = min(column * 8 * h_max // h // 32, bits.shape[1] - 1)
        bits[top, left] += position - (before[1] if before[0] is stream else 0)
        before = stream, position
    return bits


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("factors", FACTORS.values(), ids=FACTORS)
def test_the_sum_is_the_bits_of_the_scan(factors: tuple[tuple[int, int], ...], size: tuple[int, int]) -> None:
    image = image_of(factors, *size)
    bits = block_bits(image)
    assert bits.shape == (-(-size[1] // 32), -(-size[0] // 32))
    assert bits.sum() == counted(image)


@settings(max_examples=60, deadline=None)
@given(coefficient_images(max_side=90))
def test_the_sum_is_the_bits_of_the_scans_of_any_image(image: CoefficientImage) -> None:
    assert block_bits(image).sum() == counted(image)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(coefficient_images(max_side=90))
def test_files_by_a_slow_decoder(monkeypatch: pytest.MonkeyPatch, image: CoefficientImage) -> None:
    data = write_jpeg(image)
    np.testing.assert_array_equal(file_block_bits(data), naive_block_bits(data, scan_groups(image), monkeypatch))


@pytest.mark.parametrize("restart", [0, 3])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_files_of_another_coder_with_other_tables(
    monkeypatch: pytest.MonkeyPatch, subsampling: str, restart: int
) -> None:
    file = io.BytesIO()
    Image.fromarray(photograph(75, 101)).save(
        file, "jpeg", quality=60, subsampling=subsampling, restart_marker_blocks=restart
    )
    bits = file_block_bits(file.getvalue())
    np.testing.assert_array_equal(bits, naive_block_bits(file.getvalue(), [[0, 1, 2]], monkeypatch))
    assert bits.sum() > block_bits(read_jpeg(file.getvalue())).sum()  # Annex K tables are not optimal


def test_files_with_luminance_in_a_separate_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    image = image_of(FACTORS["4:2:0"], 100, 75)
    values = np.arange(image.components[0].blocks.size // 64) % 14 * 60
    image.components[0].blocks.flags.writeable = True
    image.components[0].blocks[..., 0, 0] = values.reshape(image.components[0].blocks.shape[:2])
    data = write_jpeg(image, apart=True)
    assert data.count(b"\xff\xda") == 2
    np.testing.assert_array_equal(file_block_bits(data), naive_block_bits(data, [[0], [1, 2]], monkeypatch))


def test_with_optimal_tables_a_file_is_counted_as_its_coefficients() -> None:
    data = encode(photograph(300, 200), quality=80).data  # a large image, which never has only one pair of tables
    np.testing.assert_array_equal(file_block_bits(data), block_bits(read_jpeg(data)))


def test_threads_do_not_matter() -> None:
    image = image_of(FACTORS["4:2:0"], 1000, 900)  # computed in several parts if there are several processors
    assert block_bits(image).sum() == counted(image)
    assert (block_bits(image) > 0).all()


def test_an_empty_image_by_hand() -> None:
    """A block of zeros takes 2 bits, one for DC difference 0 and one for EOB; 32x32 pixels have 24 blocks."""
    image = image_of(FACTORS["4:2:0"], 64, 40, share=0)
    np.testing.assert_array_equal(block_bits(image), [[48, 48], [24, 24]])


def test_progressive_files_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="sequential files, got a progressive one"):
        file_block_bits(encode(photograph(40, 40), progressive=True).data)
