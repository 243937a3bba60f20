"""Segments, headers and metadata: their values in valid files, and the errors for invalid ones."""

from __future__ import annotations

import io
import itertools
import struct
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from optcodec.errors import InvalidInputError, MalformedJpegError, UnsupportedJpegError
from optcodec.jpeg.headers import HuffmanSpec, ScanComponent, ScanHeader
from optcodec.jpeg.image import Metadata
from optcodec.jpeg.quality import estimate_quality
from optcodec.jpeg.reading.structure import read_structure
from optcodec.jpeg.segments import read_segments
from optcodec.jpeg.tables import QuantTable, annex_k_tables
from tests.jpegfile import EOI, SOI, Huffman, dht, dqt, entropy_coded, segment, sof, sos

TINY = Huffman((1,) + (0,) * 15, (0,))  # one code of one bit
GREY = {
    "soi": SOI,
    "app": b"",
    "dqt": dqt(0, [1] * 64),
    "sof": sof(0xC0, 8, 8, [(1, 1, 1, 0)]),
    "dht_dc": dht(0, 0, TINY),
    "dht_ac": dht(1, 0, TINY),
    "sos": sos([(1, 0, 0)]),
    "data": entropy_coded(["00"]),
    "eoi": EOI,
}


def grey(**changed: bytes) -> bytes:
    """A valid file of one grey block, with some pieces replaced."""
    assert set(changed) <= set(GREY)
    return b"".join((GREY | changed).values())


def offset_of(piece: str) -> int:
    """Return the offset of a piece of `grey()` in the file."""
    names = list(GREY)
    return len(b"".join(GREY[name] for name in names[: names.index(piece)]))


def pillow_file(mode: str = "RGB", size: tuple[int, int] = (50, 35), **options: object) -> bytes:
    channels = len(Image.new(mode, (1, 1)).getbands())
    samples = np.random.default_rng(3).integers(0, 256, (size[1], size[0], channels)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(samples.squeeze(), mode=None).convert(mode).save(file, "JPEG", **options)
    return file.getvalue()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 2}, {"comment": b"hello"}])
def test_segments_cover_the_file(options):
    data = pillow_file(**options) + b"garbage behind the image"
    segments = read_segments(data)
    assert [s.name for s in segments[:2]] == ["SOI", "APP0"]
    assert segments[-1].name == "EOI"
    assert all(before.end == after.offset for before, after in itertools.pairwise(segments))
    assert data[segments[-1].end :] == b"garbage behind the image"
    for s in segments:
        assert data[s.payload_offset : s.payload_offset + len(s.payload)] == s.payload
        assert (s.data_nbytes > 0) == (s.name == "SOS")
        assert data[s.data_offset - len(s.payload) : s.data_offset] == s.payload


def test_data_of_a_scan_includes_stuffing_and_restart_markers():
    data = b"\x12\xff\x00\xff\xd0\x34\xff\xff\xd1\x56"
    by_name = {s.name: s for s in read_segments(grey(data=data))}
    assert by_name["SOS"].data_nbytes == len(data)
    assert by_name["SOS"].data_offset == offset_of("data")


def test_fill_bytes_belong_to_the_segment_behind_them():
    data = grey(dqt=b"\xff\xff\xff" + GREY["dqt"], eoi=b"\xff\xff" + EOI)
    by_name = {s.name: s for s in read_segments(data)}
    assert (by_name["DQT"].offset, by_name["DQT"].nbytes) == (2, len(GREY["dqt"]) + 3)
    assert by_name["DQT"].payload == GREY["dqt"][4:]
    assert (by_name["SOS"].data_nbytes, by_name["EOI"].nbytes) == (1, 4)


@pytest.mark.parametrize(
    ("data", "message", "offset"),
    [
        (b"", "SOI .* found an empty file", 0),
        (b"\x89PNG", "SOI .* found 89 50, as of a PNG file", 0),
        (b"GIF89a", "SOI .* found 47 49, as of a GIF file", 0),
        (b"\x89PN", "SOI .* found 89 50 ", 0),
        (SOI, "EOI .* missing", 2),
        (grey(eoi=b""), "EOI .* missing", offset_of("eoi")),
        (grey(eoi=b"\xff"), "EOI .* missing", offset_of("eoi") + 1),
        (grey(app=b"\x00"), "expected a marker .* found 00 ff", 2),
        (grey(app=b"\xff\x00"), "found the marker RES 00", 2),
        (grey(app=b"\xff\x01"), "found the marker TEM", 2),
        (grey(app=b"\xff\xd3"), "found the marker RST3", 2),
        (grey(app=SOI), "found the marker SOI", 2),
        (grey(app=b"\xff\xe0\x00\x01"), "length of APP0 .* at least 2, found 1", 4),
        (SOI + b"\xff\xe0\x00", "APP0: it has no length", 2),
        (SOI + b"\xff\xe0\x00\x09JFIF", "APP0: it needs 9 bytes, the file ends after 10", 2),
    ],
)
def test_broken_chain_of_segments(data, message, offset):
    with pytest.raises(MalformedJpegError, match=message) as error:
        read_segments(data)
    assert error.value.offset == offset


def test_only_bytes_are_taken():
    with pytest.raises(InvalidInputError, match="given as bytes, got str"):
        read_segments("photo.jpg")


def test_structure_of_a_progressive_file():
    structure = read_structure(pillow_file(progressive=True, quality=70, subsampling="4:2:2"))
    frame = structure.frame
    assert (frame.name, frame.width, frame.height, frame.is_progressive) == ("SOF2", 50, 35, True)
    assert [(c.id, c.h, c.v, c.table) for c in frame.components] == [(1, 2, 1, 0), (2, 1, 1, 1), (3, 1, 1, 1)]
    assert structure.tables == annex_k_tables(70)
    assert structure.table_indices == (0, 1, 1)
    first, second = structure.scans[0], structure.scans[1]
    components = (ScanComponent(0, 0, 0), ScanComponent(1, 1, 0), ScanComponent(2, 1, 0))
    assert first.header == ScanHeader(components, Ss=0, Se=0, Ah=0, Al=1)
    assert second.header == ScanHeader((ScanComponent(0, 0, 0),), Ss=1, Se=5, Ah=0, Al=2)
    assert None not in first.dc_tables
    assert first.ac_tables == (None, None, None)
    assert [structure.blocks_shape(index) for index in range(3)] == [(5, 7), (5, 4), (5, 4)]


def test_several_tables_in_one_segment():
    quant = segment(0xDB, bytes([0x03, *range(1, 65), 0x10]) + struct.pack(">64H", *range(300, 364)))
    codes = segment(0xC4, bytes([0x00, *TINY.counts, 0, 0x12, 0, 2, *[0] * 14, 1, 2]))
    structure = read_structure(grey(dqt=quant, dht_dc=codes, sos=sos([(1, 0, 2)])))
    assert structure.tables == (QuantTable.from_zigzag(range(300, 364)),)
    assert structure.scans[0].dc_tables == (HuffmanSpec(bytes(TINY.counts), b"\x00"),)
    assert structure.scans[0].ac_tables == (HuffmanSpec(bytes([0, 2] + [0] * 14), b"\x01\x02"),)


def bad_dht(counts: list[int], symbols: int, head: int = 0x00) -> bytes:
    return segment(0xC4, bytes([head, *counts, *[0] * (16 - len(counts)), *(s % 256 for s in range(symbols))]))


def bad_frame(content: str) -> bytes:
    return segment(0xC0, bytes.fromhex(content))


@pytest.mark.parametrize(
    ("changed", "message", "at"),
    [
        ({"dqt": segment(0xDB, b"")}, "DQT: a table is expected", "dqt"),
        ({"dqt": segment(0xDB, bytes([0] + [1] * 63))}, "DQT has 64 bytes of payload, needs 65", "dqt"),
        ({"dqt": segment(0xDB, bytes([0x20] + [1] * 64))}, "8 .0. or 16 bits .1., found 2", "dqt"),
        ({"dqt": segment(0xDB, bytes([4] + [1] * 64))}, "numbers 0..3, found 4", "dqt"),
        ({"dqt": dqt(0, [1] * 63 + [0])}, "steps are at least 1, found 0", "dqt"),
        ({"dqt": b""}, "no DQT before this scan defines table 0", "sos"),
        ({"dht_dc": segment(0xC4, b"")}, "DHT: a table is expected", "dht_dc"),
        ({"dht_dc": bad_dht([0, 0, 9], 9)}, "over-subscribed", "dht_dc"),
        ({"dht_dc": bad_dht([0, 2], 1)}, "DHT has 18 bytes of payload, needs 19", "dht_dc"),
        ({"dht_dc": bad_dht([0] * 14 + [200, 57], 257)}, "at most 256 codes, found 257", "dht_dc"),
        ({"dht_dc": bad_dht([1], 1, head=0x20)}, "class 0 .DC. or 1 .AC., found 2", "dht_dc"),
        ({"dht_dc": bad_dht([1], 1, head=0x04)}, "numbers 0..3, found 4", "dht_dc"),
        ({"dht_dc": b""}, "defines DC table 0", "sos"),
        ({"dht_ac": b""}, "defines AC table 0", "sos"),
        ({"sof": bad_frame("09 0008 0008 01 011100")}, "samples have 8 bits .* found 9", "sof"),
        ({"sof": bad_frame("0c 0008 0008 01 011100")}, "samples have 8 bits .* found 12", "sof"),
        ({"sof": bad_frame("08 0008 0000 01 011100")}, "width is at least 1", "sof"),
        ({"sof": bad_frame("08 0000 0008 01 011100")}, "height is 0, and no DNL", "sof"),
        ({"sof": bad_frame("08 0008 0008 00")}, "at least 1 component, found 0", "sof"),
        ({"sof": bad_frame("08 0008 0008 01 010100")}, "1..4, found 0x1", "sof"),
        ({"sof": bad_frame("08 0008 0008 01 011500")}, "1..4, found 1x5", "sof"),
        ({"sof": bad_frame("08 0008 0008 01 011104")}, "numbers 0..3, found 4", "sof"),
        ({"sof": bad_frame("08 0008 0008 02 011100 011100")}, "identifiers differ", "sof"),
        ({"sof": bad_frame("08 0008 0008 02 011100")}, "needs 10 or more", "sof"),
        ({"sof": bad_frame("08 0008 0008 01 011100 00")}, "1 bytes more than its content needs", "sof"),
        ({"sof": GREY["sof"] * 2}, "found a second, SOF0", "sof"),
        ({"sof": b""}, "frame header .SOF. is expected before SOS", "sos"),
        ({"sof": b"", "sos": b"", "data": b""}, "frame header .SOF. is expected before EOI", "eoi"),
        ({"sos": b"", "data": b""}, r"no scan of the components \[0\]", "eoi"),
        ({"sos": sos([])}, "1 to 1 components, found 0", "sos"),
        ({"sos": sos([(2, 0, 0)])}, r"the frame has components \[1\], found 2", "sos"),
        ({"sos": sos([(1, 4, 0)])}, "Huffman tables have the numbers 0..3, found 4", "sos"),
        ({"sos": sos([(1, 0, 0)], Se=62)}, "no such scan in SOF0: Ss=0 Se=62", "sos"),
        ({"sos": sos([(1, 0, 0)], Al=1)}, "no such scan in SOF0", "sos"),
        ({"sos": segment(0xDA, bytes.fromhex("01 0100 00 3f 00 00"))}, "1 bytes more", "sos"),
        ({"app": segment(0xDD, b"\x00")}, "DRI has 1 bytes of payload, needs 2", "app"),
        ({"app": segment(0xDD, b"\x00\x00\x00")}, "DRI: 1 bytes more", "app"),
        ({"app": segment(0xDC, b"\x00\x08")}, "DNL stands right behind the first scan", "app"),
        ({"eoi": segment(0xDC, b"\x00\x09") + EOI}, "DNL .* agrees with the frame header", "eoi"),
        ({"app": segment(0xE0, b"JFIF\0\1\2\0\0")}, "has 4 bytes, needs 7", "app"),
        ({"app": segment(0xE1, b"Exif\0\0")}, "has 0 bytes, needs 1", "app"),
        ({"app": segment(0xEE, b"Adobe\0d\0\0\0\0")}, "has 6 bytes, needs 7", "app"),
        ({"app": segment(0xE2, b"ICC_PROFILE\0\1")}, "has 1 bytes, needs 2", "app"),
        ({"app": segment(0xE2, b"ICC_PROFILE\0\1\2abc")}, "of 2 chunks lacks number 2", "app"),
        (
            {"app": segment(0xE2, b"ICC_PROFILE\0\0\1abc")},
            "chunk 0 of 1 does not fit a colour profile of 1 chunks",
            "app",
        ),
        ({"app": segment(0xE2, b"ICC_PROFILE\0\1\2abc") * 2}, "chunk 1 of 2 .* is repeated", "app"),
    ],
)
def test_broken_header(changed, message, at):
    with pytest.raises(MalformedJpegError, match=message) as error:
        read_structure(grey(**changed), strict=True)
    sizes = {name: len(piece) for name, piece in (GREY | changed).items()}
    names = list(sizes)
    start = sum(sizes[name] for name in names[: names.index(at)])
    assert start <= error.value.offset <= start + sizes[at]


def test_the_valid_file_is_read():
    assert read_structure(grey()).frame.width == 8


COLOUR = [(1, 2, 1, 0), (2, 1, 1, 0), (3, 1, 1, 0)]


@pytest.mark.parametrize(
    ("frame", "scans", "message"),
    [
        (0xC0, [sos([(1, 0, 0), (3, 0, 0)])], r"no scan of the components \[1\]"),
        (0xC0, [sos([(1, 0, 0), (2, 0, 0)]), sos([(2, 0, 0), (3, 0, 0)])], "component 1: .* does not go on"),
        (0xC0, [sos([(2, 0, 0), (1, 0, 0)])], "keep the order of the frame"),
        (0xC0, [sos([(1, 0, 0), (1, 0, 0)])], "keep the order of the frame"),
        (0xC2, [sos([(1, 0, 0), (2, 0, 0)], Se=0)], r"no scan of the components \[2\]"),
        (0xC2, [sos([(1, 0, 0)], Ss=1)], "AC of component 0 is sent before its DC"),
        (0xC2, [sos([(1, 0, 0)], Se=5)], "no such scan in SOF2: Ss=0 Se=5"),
        (0xC2, [sos([(1, 0, 0)], Se=0), sos([(1, 0, 0)], Ss=6, Se=5)], "no such scan"),
        (0xC2, [sos([(1, 0, 0)], Se=0), sos([(1, 0, 0)], Ss=1, Se=64)], "no such scan"),
        (0xC2, [sos([(1, 0, 0), (2, 0, 0)], Se=0), sos([(1, 0, 0), (2, 0, 0)], Ss=1)], "no such scan"),
        (0xC2, [sos([(1, 0, 0)], Se=0, Al=14)], "no such scan .* Al=14"),
        (0xC2, [sos([(1, 0, 0)], Se=0, Al=2), sos([(1, 0, 0)], Se=0, Ah=2, Al=0)], "no such scan"),
        (0xC2, [sos([(1, 0, 0)], Se=0, Al=2), sos([(1, 0, 0)], Se=0, Ah=1, Al=0)], "does not go on"),
        (0xC2, [sos([(1, 0, 0)], Se=0), sos([(1, 0, 0)], Se=0)], "does not go on"),
        (0xC2, [sos([(1, 0, 0)], Se=0), sos([(1, 0, 0)], Ss=1, Ah=1)], "does not go on"),
    ],
)
def test_scans_that_contradict_one_another(frame, scans, message):
    data = grey(sof=sof(frame, 8, 8, COLOUR), sos=b"\0".join(scans))
    with pytest.raises(MalformedJpegError, match=message):
        read_structure(data)


def test_an_interleaved_mcu_has_at_most_ten_blocks():
    frame = sof(0xC0, 8, 8, [(1, 4, 2, 0), (2, 2, 1, 0), (3, 1, 1, 0)])
    with pytest.raises(MalformedJpegError, match="at most 10 blocks, found 11"):
        read_structure(grey(sof=frame, sos=sos([(1, 0, 0), (2, 0, 0), (3, 0, 0)])))
    alone = [sos([(identifier, 0, 0)]) for identifier in (1, 2, 3)]
    assert len(read_structure(grey(sof=frame, sos=b"\0".join(alone))).scans) == 3


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        *(({"sof": sof(0xC0 + n, 8, 8, [(1, 1, 1, 0)])}, f"SOF{n} is") for n in (3, 5, 6, 7, 9, 10, 11, 13, 14, 15)),
        ({"sof": segment(0xC1, bytes.fromhex("0c 0008 0008 01 011100"))}, "12 bits; handled are samples of 8"),
        ({"sof": sof(0xC0, 8, 8, [(n, 1, 1, 0) for n in range(5)])}, "5 components; handled are 1 to 4"),
        ({"app": segment(0xCC, b"\x00\x10")}, "DAC belongs to arithmetic"),
        ({"sof": segment(0xF7, GREY["sof"][4:])}, "JPG7 belongs to"),
    ],
)
def test_legal_but_unsupported_files(changed, message):
    with pytest.raises(UnsupportedJpegError, match=message):
        read_structure(grey(**changed))


def test_metadata_written_by_pillow():
    profile = np.random.default_rng(0).bytes(150000)  # large enough for three segments
    exif = Image.Exif()
    exif[0x010E] = "a description"
    metadata = read_structure(pillow_file(icc_profile=profile, exif=exif, dpi=(300, 72))).metadata
    assert replace(metadata, segments=None) == Metadata(profile, exif.tobytes()[6:], None, (1, 300, 72))


def test_metadata_of_a_cmyk_file():
    assert read_structure(pillow_file("CMYK")).metadata == Metadata(adobe_transform=0)


def test_chunks_of_a_profile_in_any_order_and_other_segments():
    chunks = [segment(0xE2, b"ICC_PROFILE\0" + bytes([n, 3]) + text) for n, text in ((2, b"b"), (3, b"c"), (1, b"a"))]
    others = [segment(0xE2, b"MPF\0"), segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0"), segment(0xE0, b"JFXX\0")]
    metadata = read_structure(grey(app=b"".join(chunks + others))).metadata
    assert replace(metadata, segments=None) == Metadata(icc_profile=b"abc")
    assert metadata.segments is not None
    assert b"".join(segment(carried.marker, carried.payload) for carried in metadata.segments) == b"".join(
        chunks + others
    )


@pytest.mark.parametrize("quality", [1, 10, 50, 75, 99, 100])
def test_quality_of_default_tables_is_exact(quality):
    luminance, chrominance = annex_k_tables(quality)
    assert estimate_quality([luminance, chrominance]) == (quality, True)
    assert estimate_quality([luminance]) == (quality, True)


def test_quality_of_other_tables_is_the_nearest():
    luminance, chrominance = annex_k_tables(80)
    other = QuantTable(luminance.steps + np.eye(8, dtype=np.uint16))
    assert estimate_quality([other, chrominance]) == (80, False)


def test_headers_need_no_compiler():
    code = (
        "import sys, optcodec.jpeg.reading.structure; print(*sorted({'numba', 'llvmlite', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
