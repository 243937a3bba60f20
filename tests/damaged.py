"""JPEG files damaged at random from a seed, and the result of decoding each of them.

``python -m tests.damaged`` prints the results as JSON, to compare kernels that were compiled in different ways.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
from unittest import mock

from optcodec import read_jpeg, read_jpeg_rows
from optcodec.jpeg.reading import decoding
from optcodec.notices import ignore
from tests.jpeg.test_reader import coefficient_image, fuzz_files, pillow_file
from tests.jpegfile import ScanSpec, build

SMALLEST = 4096  # size in bytes of the decoder's buffer, small so that decoding pauses often; an MCU needs up to 3200
TRIALS = 60


def sound_files() -> list[bytes]:
    """Undamaged files: baseline and progressive, several samplings, restart intervals, one scan and many."""
    size = (75, 50)
    return [
        *fuzz_files(),
        pillow_file(size=size, quality=97),
        pillow_file(size=size, quality=90, subsampling="4:2:0", restart_marker_blocks=3),
        pillow_file(size=size, quality=80, subsampling="4:2:2", optimize=True),
        pillow_file(size=size, quality=70, subsampling="4:2:0", progressive=True, restart_marker_blocks=2),
        pillow_file("CMYK", (40, 30), quality=90),
        build(coefficient_image(((2, 2), (1, 1), (1, 1)), 40, 23), [ScanSpec((0,)), ScanSpec((1, 2))]),
    ]


def damage(data: bytes, generator: random.Random, kind: int) -> bytes:
    """A copy with flipped bits, with bytes replaced, cut, repeated or removed, or with a wrong segment length."""
    damaged, start = bytearray(data), data.index(b"\xff\xda")
    if kind == 0:
        return data[: generator.randrange(2, len(data))]
    if kind == 1:  # the length of a segment, or bytes near it
        places = [place for place in range(2, start) if data[place] == 0xFF and data[place + 1] >= 0xC0]
        place = generator.choice(places) + generator.choice([2, 3])
        damaged[place] = generator.choice([0, 1, 2, 255, damaged[place] ^ 1 << generator.randrange(8)])
    elif kind == 2:
        place = generator.randrange(start, len(data))
        length = generator.choice([1, 8, 200])
        damaged[place : place + length] = b"" if generator.randrange(2) else damaged[place : place + length] * 2
    elif kind == 3:  # turns codes and numbers into the longest and the largest ones
        place = generator.randrange(start + 10, len(data))
        damaged[place : place + 40] = generator.choice([b"\xff\x00" * 20, bytes(40), bytes([254]) * 40])
    else:
        for _ in range(generator.choice([1, 2, 8])):
            damaged[generator.randrange(2 if kind == 4 else start, len(data))] ^= 1 << generator.randrange(8)
    return bytes(damaged)


def damaged_files(seed: int) -> list[bytes]:
    """The undamaged files, and damaged copies of them."""
    generator, sound = random.Random(seed), sound_files()
    return sound + [damage(data, generator, trial % 6) for data in sound for trial in range(TRIALS)]


def outcome(data: bytes, *, partial: bool) -> list[str]:
    """A hash of the coefficients, or the error message: of the whole file, and of reading it row by row."""

    def whole() -> str:
        blocks = [part.blocks.tobytes() for part in read_jpeg(data, partial=partial, notify=ignore).components]
        return hashlib.sha256(b"".join(blocks)).hexdigest()

    def by_rows() -> str:
        read = read_jpeg_rows(data, partial=partial, notify=ignore)
        rows = [part.tobytes() for row in read for part in row]
        return hashlib.sha256(b"".join(rows)).hexdigest()

    def ending(read: object) -> str:
        try:
            return read()
        except Exception as error:  # callers look for the IndexError of checked kernels
            return f"{type(error).__name__}: {error}"

    return [ending(whole), ending(by_rows)]


def outcomes(seed: int) -> list[list[str]]:
    with mock.patch.object(decoding, "_SPACE_NBYTES", SMALLEST):
        return [outcome(data, partial=partial) for data in damaged_files(seed) for partial in (False, True)]


if __name__ == "__main__":
    json.dump(outcomes(int(sys.argv[1])), sys.stdout)
