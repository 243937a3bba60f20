"""Transcoding JPEG files: the result is never larger, and nothing is lost without need."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from optcodec import (
    Bpp,
    InvalidInputError,
    JpegWarning,
    MalformedJpegError,
    MatchPsnr,
    MatchQuality,
    MatchSwe,
    MaxBytes,
    annex_k_tables,
    encode,
    read_jpeg,
    transcode,
)
from optcodec.jpeg.segments import read_segments
from tests.cli_helpers import photograph, run, run_json
from tests.jpegfile import segment

PHOTO = photograph(200, 160)
XMP = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>")
COMMENT = segment(0xFE, b"a comment")


def pillow(quality: int = 75, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(PHOTO).save(file, "JPEG", quality=quality, **options)
    return file.getvalue()


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def number_of_scans(data: bytes) -> int:
    return sum(segment.name == "SOS" for segment in read_segments(data))


FILES = {
    "plain": pillow(),
    "optimal": encode(PHOTO, quality=75).data,
    "progressive": encode(PHOTO, quality=75, progressive=True).data,
    "two scans": encode(PHOTO, effort=3, scans="apart").data,
    "restart": pillow(restart_marker_blocks=3),
    "grey": encode(PHOTO[..., 1], quality=60).data,
}
TARGETS = {
    "nothing": {},
    "match quality": {"target": MatchQuality(75)},
    "finer": {"quality": 95},
    "tables": {"tables": annex_k_tables(90)},
    "swe of 0": {"target": MatchSwe(0)},
    "psnr": {"target": MatchPsnr(60)},
    "progressive": {"progressive": True},
    "smaller": {"progressive": "smaller"},
    "trellis": {"effort": 3, "quality": 98},
    "coarser": {"quality": 20},
}


@pytest.mark.parametrize("options", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("original", FILES.values(), ids=FILES)
def test_a_file_never_grows(original: bytes, options: dict[str, object]) -> None:
    result = transcode(original, **options)
    assert result.original_nbytes == len(original)
    if result.kept:
        assert result.data == original
    else:
        assert result.nbytes < len(original)
        assert result.data == transcode(original, allow_larger=True, **options).data
    assert (result.width, result.height) == (160, 200)


def test_what_grew_before_is_kept() -> None:
    """A file of quality 75 that is encoded at quality 95 becomes larger without gaining detail."""
    result = transcode(FILES["optimal"], quality=95)
    assert result.kept == "the new file would not be smaller"
    larger = transcode(FILES["optimal"], quality=95, allow_larger=True)
    assert larger.nbytes > 1.2 * result.nbytes
    assert larger.kept is None


@pytest.mark.parametrize("target", [MaxBytes(10**6), Bpp(24), MaxBytes(len(FILES["plain"]))])
def test_a_size_that_the_file_has_already(target: Bpp | MaxBytes) -> None:
    result = transcode(FILES["plain"], target=target)
    assert (result.data, result.kept) == (FILES["plain"], "it meets the target already")
    assert transcode(FILES["plain"], target=MaxBytes(len(FILES["plain"]) - 1)).kept is None


def test_a_target_that_no_table_reaches_but_the_file_does() -> None:
    coarse = encode(PHOTO, tables=[annex_k_tables(10)[0]]).data
    for target in (MatchPsnr(99), MatchSwe(0)):
        assert transcode(coarse, target=target).data == coarse


def test_without_options_no_coefficient_changes() -> None:
    result = transcode(FILES["plain"])
    assert result.kept is None
    np.testing.assert_array_equal(pixels(result.data), pixels(FILES["plain"]))


def test_progressive_files_stay_so_unless_baseline_is_asked_for() -> None:
    progressive = {name: read_jpeg(transcode(data, quality=30).data).progressive for name, data in FILES.items()}
    assert progressive == {name: name == "progressive" for name in FILES}
    baseline = transcode(FILES["progressive"], progressive=False)
    assert not read_jpeg(baseline.data).progressive
    assert baseline.nbytes > len(FILES["progressive"])  # decoders need the ICC profile, so that the file may grow by it
    np.testing.assert_array_equal(pixels(baseline.data), pixels(FILES["progressive"]))
    image = read_jpeg(FILES["progressive"])
    assert read_jpeg(encode(image).data).progressive
    assert not read_jpeg(encode(image, progressive=False).data).progressive


def test_restart_markers_that_are_asked_for_may_cost_bytes() -> None:
    result = transcode(FILES["optimal"], restart_interval=1)
    assert read_jpeg(result.data).restart_interval == 1
    assert result.nbytes > len(FILES["optimal"])


def test_two_scans_become_one_only_where_that_is_smaller() -> None:
    assert transcode(FILES["two scans"]).data == FILES["two scans"]
    together = transcode(FILES["two scans"], allow_larger=True)
    assert (number_of_scans(FILES["two scans"]), number_of_scans(together.data)) == (2, 1)


def test_metadata_that_is_stripped_goes_even_if_the_scans_are_kept() -> None:
    file = FILES["two scans"]
    carrying = file[:2] + XMP + COMMENT + file[2:] + b"behind the end"
    for options in ({}, {"target": MaxBytes(10**6)}, {"quality": 99}):
        result = transcode(carrying, metadata=False, **options)
        assert result.kept
        assert result.data == file
        assert transcode(carrying, **options).data == carrying


def test_a_file_without_jfif_gets_none_when_it_is_stripped() -> None:
    bare = FILES["optimal"][:2] + FILES["optimal"][20:]
    for front in (b"", COMMENT, segment(0xEE, b"Adobe\0d\0\0\0\0\1")):
        original = bare[:2] + front + bare[2:]
        stripped = transcode(original, metadata=False)
        assert stripped.nbytes <= len(original)
        assert b"JFIF" not in stripped.data
        np.testing.assert_array_equal(pixels(stripped.data), pixels(original))


def test_the_command_line_says_what_was_kept_and_counts_it(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name, data in FILES.items():
        (tmp_path / f"in/{name}.jpg").write_bytes(data)
    arguments = "encode", tmp_path / "in", "-o", tmp_path / "out", "-q", 95, "--force"
    report = run_json(*arguments)
    sizes = {name: len(data) for name, data in FILES.items()}
    kept = [record for record in report["files"] if record["kept"]]
    assert len(kept) == report["kept"] >= 4
    assert report["total_input_nbytes"] == sum(sizes.values())
    assert report["total_nbytes"] == sum((tmp_path / "out").joinpath(f"{name}.jpg").stat().st_size for name in FILES)
    assert report["saving"] == pytest.approx(1 - report["total_nbytes"] / sum(sizes.values()))
    for record in kept:
        assert Path(record["output"]).read_bytes() == Path(record["input"]).read_bytes()
        assert record["notices"] == [f"kept as it is, since {record['kept']}; --allow-larger encodes it all the same"]
    result = run(*arguments)
    assert f"{len(kept)} files: kept as it is" in result.stderr
    assert f"total of 6 files, {len(kept)} kept as they are" in result.stdout.splitlines()[-2]
    larger = run_json(*arguments, "--allow-larger")
    assert (larger["kept"], larger["saving"] < 0) == (0, True)


def test_baseline_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "in.jpg").write_bytes(FILES["progressive"])
    (record,) = run_json("encode", tmp_path / "in.jpg", "-o", tmp_path / "out.jpg", "--baseline")["files"]
    assert record["kept"] is None
    assert not read_jpeg((tmp_path / "out.jpg").read_bytes()).progressive
    result = run("encode", tmp_path / "in.jpg", "--baseline", "--smaller")
    assert "--smaller and --baseline exclude one another" in result.stderr


def test_errors_are_those_of_encode() -> None:
    with pytest.raises(InvalidInputError, match="quality and target exclude one another"):
        transcode(FILES["plain"], quality=50, target=Bpp(1))
    with pytest.raises(InvalidInputError, match="quality and target exclude one another"):
        transcode(FILES["plain"], quality=50, target=Bpp(24))  # which the file meets already


# ---- Files that break the standard -----------------------------------------------------------------------------------


def test_files_that_are_tolerated_do_not_grow_either() -> None:
    small = FILES["optimal"]
    tolerated = small[:20] + b"\0" + small[20:-2]  # a byte between segments, and no EOI
    notices: list[str] = []
    for options in ({}, {"quality": 95}, {"metadata": False}):
        result = transcode(tolerated, notify=notices.append, **options)
        assert result.nbytes <= len(tolerated)
        again = read_jpeg(result.data, notify=lambda sentence: None)
        for before, after in zip(read_jpeg(small).components, again.components, strict=True):
            np.testing.assert_array_equal(before.blocks, after.blocks)
    assert len(notices) == 6
    with pytest.warns(JpegWarning):
        transcode(tolerated)
    with pytest.raises(MalformedJpegError):
        transcode(tolerated, strict=True)


def test_what_is_left_of_a_file_is_coded_anew() -> None:
    cut = FILES["optimal"][: len(FILES["optimal"]) // 2]
    with pytest.raises(MalformedJpegError, match="partial=True"):
        transcode(cut)
    with pytest.warns(JpegWarning):
        result = transcode(cut, partial=True)
    assert result.kept is None
    assert read_segments(result.data)[-1].name == "EOI"


def test_a_file_whose_metadata_is_damaged_is_kept_byte_for_byte(tmp_path: Path) -> None:
    damaged = FILES["two scans"][:20] + segment(0xE2, b"ICC_PROFILE\0\1\2part") + FILES["two scans"][20:]
    (tmp_path / "in.jpg").write_bytes(damaged)
    (record,) = run_json("encode", tmp_path / "in.jpg", "-o", tmp_path / "out.jpg")["files"]
    assert (tmp_path / "out.jpg").read_bytes() == damaged
    assert ["damaged application segments were ignored" in notice for notice in record["notices"]] == [True, False]
