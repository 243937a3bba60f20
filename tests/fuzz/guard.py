"""The decoder and the encoder with all their arrays at guard pages; the answers are those without.

A kernel checks no index, as it is machine code on plain arrays. Reading one byte behind the file, or writing one
coefficient behind the last, mostly does no harm that a test would see; here the process dies of it.
"""

from __future__ import annotations

import contextlib
import io
import random
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np
from PIL import Image

from optcodec.encoder import encode
from optcodec.errors import InvalidInputError, OptcodecError
from optcodec.jpeg.image import SUBSAMPLINGS, CoefficientImage
from optcodec.jpeg.reading import decoding
from optcodec.jpeg.reading.reader import read_jpeg, read_jpeg_rows
from optcodec.jpeg.writer import write_jpeg
from optcodec.notices import Notify, ignore
from tests.fuzz.answers import changed_jpeg, libjpeg_pixels
from tests.fuzz.jpeg_seeds import seed_files
from tests.fuzz.kinds import Kind
from tests.fuzz.memory import Guard, guarded_kernels
from tests.strategies import assert_same_image

__all__ = ["KINDS"]

_CODING = ("bits", "decode", "encode", "entropy", "huffman", "progressive")
_CHOOSING = (*_CODING, "blockbits", "dcsteps", "distortion", "forward", "histogram", "quantize", "rates", "trellis")
_SMALL_SPACE = 7000  # bytes that wait to be decoded: some MCUs, so that large files are decoded in parts
_GUARDS = {at_end: [Guard(at_end) for _ in range(24)] for at_end in (True, False)}


def check_file(data: bytes) -> str:
    """Read a file, or of one that is refused the part that is there, and write what was read, at both borders."""
    options = {"partial": refusal(data) is not None, "notify": ignore}
    said = refusal(data, **options)
    if said is not None:
        for guards in _GUARDS.values():
            with guarded_kernels(_CODING, guards):
                assert refusal(data, **options) == said
        return "refused"
    expected, outcome = read_jpeg(data, **options), "read"
    for at_end, guards in _GUARDS.items():
        with guarded_kernels(_CODING, guards):
            assert options["partial"] == (refusal(data) is not None)
            image = read_jpeg(data, **options)
            assert_same_image(image, expected)
            check_parts(data, expected, options)
            outcome = check_written(placed(image, at_end), expected)
    return f"a part is {outcome}" if options["partial"] else outcome


def refusal(data: bytes, *, partial: bool = False, notify: Notify = ignore) -> str | None:
    """What is said of a file that is not read, whole or row by row; None where it is."""
    with mock.patch.object(decoding, "_SPACE_NBYTES", _SMALL_SPACE), contextlib.suppress(OptcodecError):
        list(read_jpeg_rows(data, partial=partial, notify=notify))
    try:
        read_jpeg(data, partial=partial, notify=notify)
    except OptcodecError as error:
        return str(error)
    return None


def check_parts(data: bytes, expected: CoefficientImage, options: dict[str, Any]) -> None:
    """Decode row by row, and large files in parts."""
    with mock.patch.object(decoding, "_SPACE_NBYTES", _SMALL_SPACE):
        rows = list(read_jpeg_rows(data, **options))
    for index, part in enumerate(expected.components):
        np.testing.assert_array_equal(np.concatenate([row[index] for row in rows]), part.blocks)


def placed(image: CoefficientImage, at_end: bool) -> CoefficientImage:
    """The image with its coefficients at borders: the kernels get their addresses only."""
    components = []
    for part in image.components:
        blocks = Guard(at_end).copy(part.blocks)
        blocks.flags.writeable = False
        components.append(replace(part, blocks=blocks))
        assert components[-1].blocks is blocks, "copied away from the guard page"
    return replace(image, components=tuple(components))


def check_written(image: CoefficientImage, expected: CoefficientImage) -> str:
    """Write in all ways, and read again."""
    for options in ({}, {"progressive": True}, {"progressive": True, "smallest": True}):
        try:
            data = write_jpeg(image, threads=1, **options)
        except InvalidInputError:
            return "read, has coefficients that 8-bit JPEG has no code for"
        assert_same_image(read_jpeg(data, notify=ignore), expected)
    return "read and written"


def one_picture() -> tuple[bytes, ...]:
    """A picture of one pixel."""
    file = io.BytesIO()
    Image.new("L", (1, 1)).save(file, "PNG")
    return (file.getvalue(),)


def odd_picture(_: bytes, source: random.Random) -> bytes:
    """Another small PNG, of any size, smooth or noise."""
    width, height, channels = source.randrange(1, 70), source.randrange(1, 70), source.choice([1, 3])
    generator = np.random.default_rng(source.randrange(1 << 32))
    noise = generator.integers(0, 256, (height, width, channels))
    ramp = np.add.outer(np.arange(height) * 3, np.arange(width) * 5)[..., None] + noise % source.choice([1, 9])
    samples = (noise if source.random() < 0.4 else ramp % 256).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(samples[..., 0] if channels == 1 else samples).save(file, "PNG")
    return file.getvalue()


def check_pixels(data: bytes) -> str:
    """Encode a picture in ways that its bytes choose, at both borders; libjpeg reads what was written."""
    with Image.open(io.BytesIO(data)) as picture:
        pixels = np.array(picture)
    source = random.Random(data)
    options: dict[str, Any] = {
        "quality": source.choice([1, 10, 50, 90, 100]),
        "subsampling": source.choice(list(SUBSAMPLINGS)),
        "progressive": source.choice([False, True, "smaller"]),
        "restart_interval": source.choice([0, 0, 1, 7, 65535]),
        "tune": "ycbcr" if source.random() < 0.2 else None,
    }
    options["dct"] = "float" if options["tune"] else source.choice(["float", "exact"])
    expected = encode(pixels, threads=1, **options).data
    for guards in _GUARDS.values():
        with guarded_kernels(_CHOOSING, guards):
            assert encode(pixels, threads=1, **options).data == expected
    decoded, reason = libjpeg_pixels(expected)
    assert decoded is not None, f"of what we wrote, libjpeg says: {reason}"
    assert decoded.shape == pixels.shape
    return "encoded"


KINDS = {
    "guard": Kind(seed_files, changed_jpeg, check_file, ".jpg"),
    "pixels": Kind(one_picture, odd_picture, check_pixels, ".png"),
}
