"""What is to be true of a JPEG file, whatever is in it.

It is refused with an error of ours, or read. What was read is written and read again, the same in every coefficient.
And where libjpeg decodes the file without a warning, what we write has the same pixels.
"""

from __future__ import annotations

import io
import random
import re
import warnings

import numpy as np
import simplejpeg
from PIL import JpegImagePlugin

from optcodec.errors import InvalidInputError, OptcodecError
from optcodec.jpeg.image import CoefficientImage
from optcodec.jpeg.reader import read_jpeg, read_jpeg_rows
from optcodec.jpeg.structure import read_structure
from optcodec.jpeg.writer import write_jpeg
from tests.fuzz.jpeg_damage import DAMAGES, damaged_bytes
from tests.fuzz.jpeg_moves import MOVES
from tests.fuzz.jpeg_pieces import joined, pieces_of
from tests.fuzz.jpeg_seeds import seed_files
from tests.fuzz.kinds import Kind
from tests.strategies import assert_same_image

__all__ = ["KINDS", "changed_jpeg", "check_jpeg"]

_MOST_PIXELS = 1 << 22  # that libjpeg is asked for: a damaged header may say 65535x65535
_COLOURS = {1: "GRAY", 3: "RGB", 4: "CMYK"}


def changed_jpeg(data: bytes, source: random.Random) -> bytes:
    """The file with a few changes, most of which keep it right in one half of the cases."""
    try:
        pieces = pieces_of(data)
    except OptcodecError:
        return damaged_bytes(data, source)
    if source.random() < 0.05:
        return damaged_bytes(data, source)
    gentle = source.random() < 0.5
    for _ in range(source.choice([1, 1, 2, 3])):
        source.choice(MOVES)(pieces, source)
    for _ in range(source.choice([0, 0, 1] if gentle else [1, 1, 2, 4])):
        source.choice(DAMAGES)(pieces, source)
    changed = joined(pieces)
    return changed[: source.randrange(len(changed) + 1)] if source.random() < 0.02 else changed


def check_jpeg(data: bytes) -> str:
    """Try a file; raise `AssertionError` where an answer is wrong."""
    refusal, image = "", None
    try:
        image = read_jpeg(data)
    except OptcodecError as error:
        refusal = without_numbers(error)
    check_rows(data, image)
    theirs, reason = libjpeg_pixels(data)
    if image is None:
        return "refused by both" if theirs is None else f"read by libjpeg only: {refusal}"
    outcome = f"read by us only: {reason}" if theirs is None else "read by both"
    try:
        files = [write_jpeg(image, progressive=progressive, threads=1) for progressive in (False, True)]
    except InvalidInputError:
        return f"{outcome}, has coefficients that 8-bit JPEG has no code for"
    for file in files:
        again = read_jpeg(file)
        assert_same_image(again, image)
        assert again.restart_interval == image.restart_interval
        if theirs is not None and is_complete(data):
            ours, reason = libjpeg_pixels(file)
            assert ours is not None, f"of what we wrote, libjpeg says: {reason}"
            np.testing.assert_array_equal(ours, theirs, "pixels of the file that we wrote, against those of the input")
    return outcome if is_complete(data) else f"{outcome}, coefficients are missing"


def check_rows(data: bytes, image: CoefficientImage | None) -> None:
    """Row by row, a file is refused like a whole one, or gives the same blocks."""
    try:
        rows = list(read_jpeg_rows(data))
    except OptcodecError:
        assert image is None, "refused row by row, but not as a whole"
        return
    assert image is not None, "read row by row, but refused as a whole"
    for index, part in enumerate(image.components):
        np.testing.assert_array_equal(np.concatenate([row[index] for row in rows]), part.blocks)


def libjpeg_pixels(data: bytes) -> tuple[np.ndarray | None, str]:
    """Pixels as libjpeg decodes them; None where it does not, or warns, and what it says.

    Pillow hides the warnings of libjpeg. simplejpeg tells of them, but does not know every sampling: there, what Pillow
    decodes counts.
    """
    try:
        with warnings.catch_warnings(), JpegImagePlugin.JpegImageFile(io.BytesIO(data)) as file:
            warnings.simplefilter("error")
            if file.width * file.height > _MOST_PIXELS:
                return None, "more pixels than are compared"
            pixels, components = np.array(file), file.layers
    except Exception as error:  # Pillow raises almost anything on a broken file
        return None, without_numbers(error)
    try:
        simplejpeg.decode_jpeg(data, _COLOURS[components])
    except ValueError as error:
        if "subsampling" not in str(error):
            return None, without_numbers(error)
    return pixels, ""


def without_numbers(error: object) -> str:
    """The first line of the message without what was found, so that it can be counted."""
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return re.sub(r"\d+", "N", re.sub(r"(found|got) .*", r"\1 ...", line))[:160]


def is_complete(data: bytes) -> bool:
    """Whether every bit of every coefficient is sent. Where some are not, libjpeg makes up smooth blocks."""
    structure = read_structure(data)
    if not structure.frame.is_progressive:
        return True
    low_bits = np.full((len(structure.frame.components), 64), 99)
    for scan in structure.scans:
        header = scan.header
        for part in header.components:
            low_bits[part.index, header.Ss : header.Se + 1] = header.Al
    return not low_bits.any()


KINDS = {"segments": Kind(seed_files, changed_jpeg, check_jpeg, ".jpg")}
