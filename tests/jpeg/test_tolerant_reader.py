"""Files that break T.81 but that libjpeg reads have the same pixels and a notice, or are refused by strict reading."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import jpeglib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optcodec import (
    CoefficientImage,
    InvalidInputError,
    JpegWarning,
    MalformedJpegError,
    encode,
    load_tables,
    read_jpeg,
    read_jpeg_rows,
    write_jpeg,
)
from optcodec.jpeg.reading import decoding
from optcodec.jpeg.reading.structure import read_structure
from optcodec.jpeg.segments import read_segments
from optcodec.notices import Finding
from tests.damaged import SMALLEST
from tests.jpeg.test_reader import (
    AC,
    CODES,
    ZERO,
    coefficient_image,
    decoded,
    grey_file,
    libjpeg_coefficients,
    pillow_file,
)
from tests.jpegfile import EOI, HUFFMAN, SOI, ScanSpec, build, dht, dqt, scan_data, segment, sof, sos
from tests.strategies import assert_same_image

SIZE = (75, 50)
COLOUR = pillow_file(size=SIZE, quality=80)
PROGRESSIVE = pillow_file(size=SIZE, quality=80, progressive=True)
RESTARTS = pillow_file(size=SIZE, quality=80, restart_marker_blocks=3)


def tolerated(finding: Finding) -> None:
    """Tolerate a finding without a notice."""


def before(name: str, inserted: bytes, data: bytes = COLOUR, which: int = 0) -> bytes:
    """Insert bytes in front of a segment of a file."""
    position = [s.offset for s in read_segments(data, tolerate=tolerated) if s.name == name][which]
    return data[:position] + inserted + data[position:]


def without(name: str, data: bytes = COLOUR) -> bytes:
    """Remove all segments with a name from a file."""
    for header in reversed([s for s in read_segments(data) if s.name == name]):
        data = data[: header.offset] + data[header.data_offset :]
    return data


def changed(name: str, position: int, value: bytes, data: bytes = COLOUR) -> bytes:
    """Replace bytes in the payload of the first segment with a name; a negative position counts from its end."""
    first = next(s for s in read_segments(data, tolerate=tolerated) if s.name == name)
    at = (first.payload_offset if position >= 0 else first.data_offset) + position
    return data[:at] + value + data[at + len(value) :]


def identical_ids(data: bytes = COLOUR) -> bytes:
    """Make a file whose three components have the identifier 1, in the frame and in the scan."""
    for position in (9, 12):
        data = changed("SOF0", position, b"\1", data)
    for position in (3, 5):
        data = changed("SOS", position, b"\1", data)
    return data


def in_all_intervals(inserted: bytes) -> bytes:
    """Insert bytes in front of each restart marker."""
    start = RESTARTS.index(b"\xff\xda")
    return RESTARTS[:start] + re.sub(rb"(?=\xff[\xd0-\xd7])", inserted, RESTARTS[start:])


def other_order(order: tuple[int, ...]) -> tuple[bytes, CoefficientImage]:
    """Make a file of four components: first a scan of some in the given order, then a scan of the others."""
    image = coefficient_image(((2, 1), (1, 1), (1, 2), (1, 1)), 40, 23)
    other_indices = tuple(index for index in range(4) if index not in order)
    return build(image, [ScanSpec(order), *([ScanSpec(other_indices)] if other_indices else [])]), image


NO_STEP = coefficient_image(((1, 1),), 30, 30)
NO_STEP.components[0].blocks.flags.writeable = True
NO_STEP.components[0].blocks[:, :, 7, 5:] = 0
NO_STEP.components[0].blocks.flags.writeable = False


def zero_steps(first: int) -> bytes:
    """Set the steps from a zig-zag position on to 0; the coefficients 62 and 63 of the file are all 0."""
    data = build(NO_STEP, [ScanSpec((0,))])
    return data.replace(dqt(0, [7] * 64), dqt(0, [7] * first + [0] * (64 - first)))


TOLERATED = {
    "a byte between segments": (before("DQT", b"\0"), r"\(at byte 20\); 1 byte skipped between segments"),
    "bytes in several places": (before("SOF0", b"ab", before("DHT", b"c")), "in 2 places, .*; 3 bytes skipped between"),
    "a stuffed zero": (before("SOF0", b"\xff\0\xff\xff\0"), "5 bytes skipped between"),
    "restart markers between segments": (before("DHT", b"\xff\xd3\xff\xff\xd0"), "5 bytes skipped between"),
    "TEM": (before("DHT", b"\xff\1\xff"), "marker TEM .*; 2 bytes skipped between"),
    "TEM behind a scan": (before("EOI", b"\xff\1abc"), "5 bytes skipped between"),
    "bytes between scans": (before("DHT", b"\0\0", PROGRESSIVE, 2), "left over behind the last block"),
    "no EOI": (COLOUR[:-2], "EOI .* is missing .*; the file was read"),
    "half an EOI": (COLOUR[:-1], "EOI .* is missing"),
    "zeros for EOI": (COLOUR[:-2] + bytes(500), "EOI .* is missing"),
    "no EOI, progressive": (PROGRESSIVE[:-2], "EOI .* is missing"),
    "no EOI, restarts": (RESTARTS[:-2], "EOI .* is missing"),
    "a comment that the file cuts off": (
        COLOUR[:-2] + b"\xff\xfe\0\x20abc",
        "truncated COM: .*; this segment was left",
    ),
    "a comment before no EOI": (COLOUR[:-2] + segment(0xFE, b"abc") + b"\0\xff", "EOI .* is missing"),
    "bytes left over": (before("EOI", b"\0\0"), "left over behind the last block .*; these bytes were skipped"),
    "many bytes left over": (before("EOI", bytes(9000) + b"\xff\0" * 9), "left over behind the last block"),
    "left over in each interval": (in_all_intervals(b"ab"), "left over .*in [0-9]+ places, the first at byte"),
    "much left over in each interval": (in_all_intervals(bytes(5000)), "left over .*in [0-9]+ places"),
    "a restart marker behind the last interval": (
        before("EOI", b"\xff\xd5", RESTARTS),
        "restart markers .*; restart markers behind",
    ),
    "restart markers without DRI": (
        before("EOI", b"\xff\xd0\xff\xff\xd7"),
        "restart markers .*; restart markers behind",
    ),
    "restart markers between scans": (
        before("DHT", b"\xff\xd0", PROGRESSIVE, 3),
        "restart markers .*; restart markers behind",
    ),
    "data behind a needless restart marker": (before("EOI", b"\xff\xd1ab\xff\0\xff\xd2cd"), "restart markers"),
    "an empty DHT": (before("SOS", segment(0xC4, b"")), "empty DHT segments were ignored"),
    "empty DHT in progressive files": (before("SOS", segment(0xC4, b""), PROGRESSIVE, 4), "empty DHT segments"),
    "an empty DQT": (before("SOS", segment(0xDB, b"")), "empty DQT segments were ignored"),
    "no DHT": (without("DHT"), r"no DHT .*in 6 places, .*; .* read with those of T.81, K.3"),
    "one DHT": (
        COLOUR.replace(re.search(rb"\xff\xc4\x00\x1f\x01.{28}", COLOUR, re.DOTALL)[0], b""),
        "DC table 1",
    ),
    "identical identifiers": (
        identical_ids(),
        "identifiers differ, found .1, 1, 1.*; the components of scans were",
    ),
    "a step of 0": (zero_steps(62), "steps are at least 1, found 0 .*; steps of 0 were taken as 1"),
    "SOS of zeros": (changed("SOS", -3, b"\0\0\0"), "no such scan in SOF0: .*; it was read as Ss=0 Se=63"),
    "SOS of anything": (changed("SOS", -3, b"\7\xff\x9d"), "no such scan in SOF0"),
    "a length of 0": (
        before("DQT", b"\xff\xfe\0\0"),
        "the length of COM .* found 0 .*; these segments were",
    ),
    "a length of 1": (before("DQT", b"\xff\xe5\0\1"), "the length of APP5 .* found 1"),
    "DNL in front": (before("DQT", segment(0xDC, b"\0\x32")), "DNL stands right behind .*; other DNL segments were"),
    "another DNL": (before("EOI", segment(0xDC, b"\0\x31")), "DNL stands right behind"),
    "a short DNL": (before("EOI", segment(0xDC, b"")), "DNL stands right behind"),
    "steps of 16 bits, with an invalid precision": (
        without("DQT").replace(
            b"\xff\xc0", segment(0xDB, b"\x20" + b"\0\4" * 64 + b"\xf1" + b"\0\6" * 64) + b"\xff\xc0"
        ),
        "found 2 .in 2 places, .*; steps were read as 16 bits",
    ),
    "a number of a needless table": (
        changed("SOS", 2, b"\x0f", PROGRESSIVE),
        "0..3, found 15 .*; the scan needs no such",
    ),
    "components in another order": (
        other_order((3, 2))[0],
        "found indices .3, 2.*; components were",
    ),
    "three components in another order": (other_order((1, 3, 2))[0], "found indices .1, 3, 2"),
    "an end-of-band run that goes on": (grey_file(CODES[0x10] + "1", scan=AC), "end-of-band run .*; the rest of these"),
}


TWO_NOTICES = ("zeros for EOI", "a comment before no EOI")  # these files lack EOI and have another fault


def read_with_notices(data: bytes) -> tuple[CoefficientImage, list[str]]:
    notices: list[str] = []
    return read_jpeg(data, notify=notices.append), notices


def turbo_coefficients(data: bytes, folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Read blocks and quantization table of each component with libjpeg-turbo."""
    with jpeglib.version("turbo210"):
        return libjpeg_coefficients(data, folder)


@pytest.mark.parametrize("name", TOLERATED)
def test_breaches_that_libjpeg_tolerates_are_read_with_a_notice(name, tmp_path):
    data, notice = TOLERATED[name]
    image, notices = read_with_notices(data)
    (about,) = [sentence for sentence in notices if re.search(notice, sentence)]
    assert len(notices) == (2 if name in TWO_NOTICES else 1), notices
    assert re.search(r"\((in \d+ places, the first )?at byte \d+\); ", about)
    if "a length" not in name:  # jpeglib itself needs correct lengths
        for component, (blocks, _) in zip(image.components, turbo_coefficients(data, tmp_path), strict=True):
            np.testing.assert_array_equal(component.blocks, blocks)
    if data.count(b"\xff\1") == 0:  # Pillow itself does not know TEM
        ended = data + EOI * ("missing" in "".join(notices) or "truncated" in about)  # Pillow refuses files without EOI
        np.testing.assert_array_equal(decoded(write_jpeg(image)), decoded(ended))
    with pytest.raises(MalformedJpegError) as error:
        read_jpeg(data, strict=True)
    assert f"at byte {error.value.offset})" in "".join(notices)


@pytest.mark.parametrize("name", TOLERATED)
@pytest.mark.parametrize("space", [SMALLEST, 1 << 18])
def test_rows_are_as_tolerant(name, space, monkeypatch):
    data = TOLERATED[name][0]
    monkeypatch.setattr(decoding, "_SPACE_NBYTES", space)
    expected, expected_notices = read_with_notices(data)
    notices: list[str] = []
    rows = read_jpeg_rows(data, notify=notices.append)
    for _ in range(2):  # the same notice is not given again
        for index, blocks in enumerate(zip(*rows, strict=True)):
            np.testing.assert_array_equal(np.concatenate(blocks), expected.components[index].blocks)
        assert notices == expected_notices
    with pytest.raises(MalformedJpegError):
        list(read_jpeg_rows(data, strict=True))


def test_notices_are_warnings_by_default():
    data = before("DHT", b"a", before("EOI", bytes(2)))
    with pytest.warns(JpegWarning) as warned:
        read_jpeg(data)
    assert [("between" in str(warning.message), warning.filename) for warning in warned] == [
        (True, __file__),
        (False, __file__),
    ]
    with pytest.warns(JpegWarning) as warned:
        list(read_jpeg_rows(data))
    assert [("between" in str(warning.message), warning.filename) for warning in warned] == [
        (True, __file__),
        (False, __file__),
    ]
    with pytest.warns(JpegWarning, match="skipped between") as warned:
        read_structure(data)
    assert [warning.filename for warning in warned] == [__file__]
    assert issubclass(JpegWarning, UserWarning)


@pytest.mark.parametrize("options", [{}, {"progressive": "smaller"}, {"quality": 60, "tune": "ycbcr"}], ids=str)
def test_tolerated_breaches_are_reported_once_by_every_way_to_encode(options):
    """A notice is given once, although damaged application segments are kept, and read again by some ways to encode."""
    data = COLOUR[:2] + segment(0xE1, b"Exif\0\0") + before("EOI", b"\0\0")[2:]
    image, notices = read_with_notices(data)
    assert len(notices) == 2
    encoded = encode(image, **options)  # warnings are errors
    assert encoded.coefficients.width == SIZE[0]


def test_valid_files_are_read_without_notices():
    for data in (COLOUR, PROGRESSIVE, RESTARTS):
        image, notices = read_with_notices(data + b"anything")
        assert notices == []
        assert_same_image(read_jpeg(data, strict=True), image)
        assert_same_image(read_jpeg(data, partial=True), image)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_files_are_accepted_as_any_bytes(kind: Callable[[bytes], bytes]):
    assert_same_image(read_jpeg(kind(COLOUR)), read_jpeg(COLOUR))
    rows = read_jpeg_rows(kind(COLOUR))
    assert type(rows.data) is bytes
    assert_same_image(rows.whole(), read_jpeg(COLOUR))


@pytest.mark.parametrize("read", [read_jpeg, read_jpeg_rows, read_structure])
def test_wrong_arguments(read):
    with pytest.raises(InvalidInputError, match="given as bytes, got list"):
        read([1, 2])
    with pytest.raises(InvalidInputError, match="strict and partial exclude one another"):
        read(COLOUR, strict=True, partial=True)


# A file is refused if libjpeg refuses it, or if what libjpeg decodes is not the picture.
REFUSED = {
    "SOI again": (before("DHT", SOI), "found the marker SOI"),
    "a reserved marker": (before("DHT", b"\xff\x7f"), "found the marker RES 7F"),
    "an expansion": (before("EOI", segment(0xF3, b"")), "JPG3"),
    "a short DQT": (before("SOS", segment(0xDB, b"\0" + bytes(60))), "DQT has 61 bytes of payload, needs 65"),
    "a long DHT": (before("SOS", segment(0xC4, b"\0")), "DHT has 1 bytes of payload, needs 17"),
    "a long DRI": (before("SOS", segment(0xDD, bytes(3))), "DRI: 1 bytes more"),
    "a long frame header": (COLOUR.replace(b"\xff\xc0\0\x11", b"\xff\xc0\0\x12"), "SOF0: 1 bytes more"),
    "a length of 0 of a table": (before("SOS", b"\xff\xc4\0\0"), "length of DHT .* found 0"),
    "no DHT in a progressive file": (without("DHT", PROGRESSIVE), "no DHT before this scan defines DC table 0"),
    "no DHT for a table that T.81 does not have": (changed("SOS", 2, b"\x22"), "no DHT .* DC table 2"),
    "components in the wrong order": (other_order((1, 0))[0], "keep the order of the frame, found indices .1, 0"),
    "three components in the wrong order": (other_order((3, 2, 1))[0], "keep the order of the frame"),
    "one component twice": (changed("SOS", 3, b"\3"), r"keep the order of the frame, found indices \[0, 2, 2\]"),
    "a scan twice": (COLOUR[:-2] + COLOUR[COLOUR.index(b"\xff\xda") :], "component 0: .* does not go on"),
    "a step of 0 with coefficients": (zero_steps(61), "coefficients whose quantization step is 0"),
    "cut off": (COLOUR[:-300], "truncated scan"),
    "cut off, with EOI": (COLOUR[:-300] + EOI, "truncated scan"),
    "cut off, zeros for EOI": (COLOUR[:1200] + bytes(9), "truncated scan"),
    "cut off in progression": (
        PROGRESSIVE[: PROGRESSIVE.rindex(b"\xff\xc4")],
        "before its scans have sent all",
    ),
    "cut off in a table": (PROGRESSIVE[: PROGRESSIVE.rindex(b"\xff\xc4") + 9], "truncated DHT"),
    "cut off before a scan": (COLOUR[: COLOUR.index(b"\xff\xda")], "EOI .* is missing"),
    "a restart marker too few": (re.sub(rb"\xff\xd1(?=[^\xff])", b"", RESTARTS, count=1), "restart markers"),
    "a restart marker too early": (before("EOI", b"", COLOUR[:1500] + b"\xff\xd0" + COLOUR[1500:]), "truncated scan"),
    "two FF and a zero in the data": (before("EOI", b"\xff\xff\0"), "FF is followed by neither"),
    "bits that mean nothing": (grey_file(ZERO + "1" * 30, blocks=2), "begin no code"),
}


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=list(REFUSED))
def test_files_with_uncertain_pixels_are_refused(data, message):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", JpegWarning)
        for read in (read_jpeg, lambda data: list(read_jpeg_rows(data))):
            with pytest.raises(Exception, match=message) as error:
                read(data)
            assert type(error.value).__module__ == "optcodec.errors"


def test_components_in_another_order_are_those_of_the_frame():
    for order in ((3, 2), (1, 3, 2), (2, 1, 3)):
        data, image = other_order(order)
        assert_same_image(read_with_notices(data)[0], image)


@pytest.mark.parametrize("progressive", [False, True])
def test_identical_identifiers_are_not_written_again(progressive):
    image, _ = read_with_notices(identical_ids())
    assert [component.id for component in image.components] == [1, 2, 3]
    rows = read_jpeg_rows(identical_ids(), notify=lambda notice: None)
    assert [component.id for component in rows.components] == [1, 2, 3]
    file = write_jpeg(image, progressive=progressive)
    assert_same_image(read_jpeg(file, strict=True), image)
    np.testing.assert_array_equal(decoded(file), decoded(COLOUR))


def test_one_identifier_in_several_scans_is_always_the_first_component():
    image = coefficient_image(((1, 1), (1, 1), (1, 1)), 16, 16)
    pieces = [SOI, dqt(0, [7] * 64), sof(0xC0, 16, 16, [(5, 1, 1, 0), (5, 1, 1, 0), (5, 1, 1, 0)])]
    pieces += [dht(0, 0, HUFFMAN[0].for_dc()), dht(1, 0, HUFFMAN[0])]
    for index in range(3):
        pieces += [sos([(5, 0, 0)]), scan_data(image, ScanSpec((index,)), HUFFMAN[0])]
    with pytest.raises(MalformedJpegError, match=r"scan of component 0: .* does not go on"):
        read_jpeg(b"".join([*pieces, EOI]), notify=lambda notice: None)


def test_the_structure_lists_coefficients_with_steps_of_0():
    """The steps of 0 belong to the components that use the table."""
    data = zero_steps(62)
    structure = read_structure(data, notify=lambda notice: None)
    assert structure.zero_steps == ((62, 63),)
    assert structure.tables[0].steps.ravel()[61:].tolist() == [7, 1, 1]


def test_tables_with_steps_of_0_are_not_loaded(tmp_path):
    path = tmp_path / "zero.jpg"
    path.write_bytes(zero_steps(62))
    with pytest.raises(InvalidInputError, match="quantization steps are at least 1, found 0"):
        load_tables(path)
    path.write_bytes(before("DQT", b"\0", COLOUR[:-2]))
    assert load_tables(path) == read_jpeg(COLOUR).tables


GARBAGE = st.binary(min_size=1, max_size=12).map(lambda data: data.replace(b"\xff", b"\xff\0"))
SEGMENTS = [s.offset for s in read_segments(COLOUR)][2:]
SCANS = [s.offset for s in read_segments(PROGRESSIVE)][2:]


@settings(max_examples=80, deadline=None)
@given(st.booleans(), st.dictionaries(st.integers(0, 50), GARBAGE, min_size=1, max_size=5))
def test_garbage_between_segments(progressive, garbage):
    data, positions = (PROGRESSIVE, SCANS) if progressive else (COLOUR, SEGMENTS)
    expected, damaged = read_jpeg(data), data
    for position, inserted in sorted(
        ((positions[number % len(positions)], inserted) for number, inserted in garbage.items()), reverse=True
    ):
        damaged = damaged[:position] + inserted + damaged[position:]
    image, notices = read_with_notices(damaged)
    assert 1 <= len(notices) <= 2, notices
    assert_same_image(image, expected)
    np.testing.assert_array_equal(decoded(damaged), decoded(data))
    rows = read_jpeg_rows(damaged, notify=lambda notice: None)
    assert_same_image(rows.whole(), expected)


def test_segments_do_not_contain_skipped_bytes():
    data = before("DHT", b"abc", before("EOI", b"\xff\1"))
    segments = read_segments(data, tolerate=tolerated)
    names = [s.name for s in segments]
    assert names == [s.name for s in read_segments(COLOUR)]
    gaps = [after.offset - before.end for before, after in pairwise(segments)]
    assert {name: gap for name, gap in zip(names[1:], gaps, strict=True) if gap} == {"DHT": 3, "EOI": 2}
    assert [s.name for s in read_segments(COLOUR[:-2], tolerate=tolerated)] == names[:-1]


def test_long_runs_of_fill_bytes_take_no_long_time():
    """If the rest of the file were searched again for each marker, the time would grow with the square: minutes."""
    many = b"\xff" * 400_000
    image, notices = read_with_notices(before("DHT", many + b"\0", before("EOI", b"\0" + many)))
    assert_same_image(image, read_jpeg(COLOUR))
    assert len(notices) == 2
