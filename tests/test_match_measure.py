"""A user's own measure as a target: of pixels and of files, with designed tables and with a trellis."""

from __future__ import annotations

import doctest
import io
import math
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from optcodec import (
    InvalidInputError,
    MatchMeasure,
    MatchPsnr,
    TargetNotMetError,
    annex_k_tables,
    design_tables,
    encode,
    match_measure,
    psnr_db,
    read_jpeg,
    transcode,
)
from tests.peers import pillow_jpeg, pillow_pixels

PHOTO = np.ascontiguousarray(astronaut()[40:168, 150:342])
EFFORTS = pytest.mark.parametrize(
    "words", [{}, {"tune": "ycbcr"}, {"effort": 3}], ids=["tables", "trellis", "effort 3"]
)


def largest_difference(data: bytes) -> float:
    return float(np.abs(pillow_pixels(data).astype(int) - PHOTO).max())


def psnr(data: bytes) -> float:
    return psnr_db(PHOTO, pillow_pixels(data))


def test_the_example_of_the_documentation_runs() -> None:
    result = doctest.testmod(match_measure, optionflags=doctest.ELLIPSIS)
    assert result.attempted >= 7
    assert result.failed == 0


@EFFORTS
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_interval": 2, "subsampling": "4:4:4"}])
def test_a_distance_is_not_exceeded(words: dict[str, Any], options: dict[str, object]) -> None:
    files = [encode(PHOTO, target=MatchMeasure(largest_difference, limit), **words, **options) for limit in (40, 80)]
    assert 30 <= largest_difference(files[0].data) <= 40
    assert 60 <= largest_difference(files[1].data) <= 80
    assert files[1].nbytes < 0.8 * files[0].nbytes


@EFFORTS
def test_a_quality_is_not_undercut(words: dict[str, Any]) -> None:
    file = encode(PHOTO, target=MatchMeasure(psnr, 33.0, at_least=True), **words)
    assert 33 <= psnr(file.data) <= 33.3
    near = encode(PHOTO, target=MatchMeasure(psnr, 33.0, at_least=True, tolerance=0.01), tune="ycbcr")
    assert 33 <= psnr(near.data) <= 33.02
    assert near.nbytes == pytest.approx(encode(PHOTO, target=MatchPsnr(33.0), tune="ycbcr").nbytes, rel=0.01)


def test_the_same_limit_as_a_distance_and_as_a_quality() -> None:
    """The size of the file as a stand-in for a quality: as large as need be, and hardly larger."""
    for limit in (3000, 6000):
        file = encode(PHOTO, target=MatchMeasure(len, limit, at_least=True), tune="ycbcr")
        assert limit <= file.nbytes <= 1.002 * limit
        lost = MatchMeasure(lambda data: 50_000 - len(data), 50_000 - limit, tolerance=10)
        assert limit <= encode(PHOTO, target=lost, tune="ycbcr").nbytes <= limit + 10


def test_limits_and_measures_may_be_zero_or_negative() -> None:
    file = encode(PHOTO, target=MatchMeasure(lambda data: 33 - psnr(data), 0, tolerance=0.05), tune="ycbcr")
    assert 33 <= psnr(file.data) <= 33.05
    file = encode(PHOTO, target=MatchMeasure(lambda data: -psnr(data), -33), tune="ycbcr")
    assert 33 <= psnr(file.data) <= 33.07


def test_infinity_is_a_measure() -> None:
    """A file that loses nothing has an infinite PSNR."""
    flat = np.full((16, 24), 128, np.uint8)

    def flat_psnr(data: bytes) -> float:
        return psnr_db(flat, np.asarray(Image.open(io.BytesIO(data))))

    for words in ({}, {"tune": "ycbcr"}):
        assert flat_psnr(encode(flat, target=MatchMeasure(flat_psnr, 40, at_least=True), **words).data) == math.inf


@pytest.mark.parametrize("size", [(1, 1), (3, 9)])
@EFFORTS
def test_small_images(size: tuple[int, int], words: dict[str, Any]) -> None:
    pixels = np.ascontiguousarray(PHOTO[: size[0], : size[1]])

    def difference(data: bytes) -> float:
        return float(np.abs(pillow_pixels(data).astype(int) - pixels).max())

    assert difference(encode(pixels, target=MatchMeasure(difference, 20), **words).data) <= 20


@EFFORTS
def test_a_limit_that_no_file_keeps(words: dict[str, Any]) -> None:
    with pytest.raises(TargetNotMetError, match=r"a measure of at least 90, but the nearest .* is \d+"):
        encode(PHOTO, target=MatchMeasure(psnr, 90, at_least=True), **words)
    with pytest.raises(TargetNotMetError, match=r"a measure of at most 0\.5, but the nearest .* is [1-9]"):
        encode(PHOTO, target=MatchMeasure(largest_difference, 0.5), **words, subsampling="4:4:4")


# ---- Transcoding -----------------------------------------------------------------------------------------------------

FILE = pillow_jpeg(Image.fromarray(PHOTO), quality=90)


def worst_against_file(data: bytes) -> float:
    return float(np.abs(pillow_pixels(data).astype(int) - pillow_pixels(FILE)).max())


def test_files_are_transcoded_to_a_measure() -> None:
    for words in ({}, {"tune": "ycbcr"}):
        smaller = transcode(FILE, target=MatchMeasure(worst_against_file, 40), **words)
        assert smaller.kept is None
        assert smaller.nbytes < 0.8 * len(FILE)
        assert 20 <= worst_against_file(smaller.data) <= 40


def test_a_file_that_keeps_the_limit_is_kept_where_no_other_does() -> None:
    def measure(data: bytes) -> float:
        return 0.0 if data == FILE else 1.0

    for options in ({}, {"tune": "ycbcr"}):
        kept = transcode(FILE, target=MatchMeasure(measure, 0.5), **options)
        assert (kept.data, kept.kept) == (FILE, "it meets the target already")
        with pytest.raises(TargetNotMetError):
            transcode(FILE, target=MatchMeasure(measure, 0.5), allow_larger=True, **options)


def test_a_file_that_misses_the_limit_may_grow() -> None:
    """Against the photograph the file itself is not good enough: what keeps the limit is larger."""
    coarse = encode(PHOTO, tables=annex_k_tables(30)).data

    def size(data: bytes) -> float:
        return float(len(data))

    larger = transcode(coarse, target=MatchMeasure(size, len(coarse) + 500, at_least=True))
    assert larger.kept is None
    assert larger.nbytes >= len(coarse) + 500
    with pytest.raises(TargetNotMetError):
        transcode(coarse, target=MatchMeasure(size, 10**7, at_least=True))


def test_metadata_that_is_left_out_counts_for_the_measure() -> None:
    image = read_jpeg(FILE)
    assert transcode(FILE, target=MatchMeasure(len, len(FILE) - 2000, at_least=True)).nbytes >= len(FILE) - 2000
    assert encode(image, target=MatchMeasure(len, len(FILE) - 2000, at_least=True)).nbytes >= len(FILE) - 2000


# ---- What is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("psnr", 30), "a measure is a function of the bytes of a file, got 'psnr'"),
        ((psnr, "30"), "the limit of a measure is a finite number, got '30'"),
        ((psnr, math.nan), "the limit of a measure is a finite number, got nan"),
        ((psnr, math.inf), "the limit of a measure is a finite number, got inf"),
        ((psnr, True), "the limit of a measure is a finite number, got True"),
        ((psnr, 30, 1), "at_least is True or False, got 1"),
        ((psnr, 30, True, -1), "the tolerance of a measure is a finite number from 0 on, got -1"),
        ((psnr, 30, True, math.inf), "the tolerance of a measure is a finite number from 0 on, got inf"),
    ],
)
def test_measures_that_are_none(arguments: tuple, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        MatchMeasure(*arguments)


@pytest.mark.parametrize("number", [None, "30", math.nan, True, 1j])
@EFFORTS
def test_functions_that_give_no_number(number: object, words: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match=r"the function of a MatchMeasure gives a real number, got "):
        encode(PHOTO, target=MatchMeasure(lambda data: number, 30), **words)  # type: ignore[arg-type, return-value]


def test_errors_of_the_function_reach_the_caller() -> None:
    def broken(data: bytes) -> float:
        raise LookupError("no reference")

    with pytest.raises(LookupError, match="no reference"):
        encode(PHOTO, target=MatchMeasure(broken, 30))


def test_tables_of_a_data_set_have_no_file_to_measure() -> None:
    with pytest.raises(InvalidInputError, match=r"expected a target such as .*, got MatchMeasure"):
        design_tables(PHOTO, MatchMeasure(psnr, 30))
