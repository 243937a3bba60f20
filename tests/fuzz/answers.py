"""What is to be true of a JPEG file, whatever is in it.

It is refused with an error of ours, or read. What was read is written and read again, the same in every coefficient.
And where libjpeg decodes the file, with a warning or without, what we write has the same pixels.
"""

from __future__ import annotations

import io
import random
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import simplejpeg
from PIL import JpegImagePlugin

from optcodec.errors import InvalidInputError, OptcodecError
from optcodec.jpeg.image import CoefficientImage
from optcodec.jpeg.reading.reader import read_jpeg, read_jpeg_rows
from optcodec.jpeg.reading.structure import read_structure
from optcodec.jpeg.writer import write_jpeg
from optcodec.notices import ignore
from tests.fuzz.jpeg_damage import DAMAGES, damaged_bytes
from tests.fuzz.jpeg_moves import MOVES
from tests.fuzz.jpeg_pieces import joined, pieces_of
from tests.fuzz.jpeg_seeds import seed_files
from tests.fuzz.kinds import Kind
from tests.strategies import assert_same_image

__all__ = ["KINDS", "changed_jpeg", "check_jpeg"]

Decoder = Callable[[bytes], tuple[np.ndarray | None, Any]]

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
    notices: list[str] = []
    image, refusal = read(data, notify=notices.append)
    check_kinds_of_reading(data, image, notices)
    theirs, reason = libjpeg_pixels(data)
    if image is None:
        return f"{check_part(data)}, {'refused by both' if theirs is None else f'read by libjpeg only: {refusal}'}"
    outcome = f"read by us only: {reason}" if theirs is None else "read by both"
    expected, _ = (None, "") if not is_complete(data) else pillow_pixels(data)
    try:
        check_written(image, expected, libjpeg_pixels if theirs is not None else pillow_pixels)
    except InvalidInputError:
        return f"{outcome}, has coefficients that 8-bit JPEG has no code for"
    if theirs is None and expected is not None:
        return "read by both, tolerating something" if notices else f"read by both, libjpeg warns: {reason}"
    return outcome if is_complete(data) else f"{outcome}, coefficients are missing"


def read(data: bytes, **options: Any) -> tuple[CoefficientImage | None, str]:
    """The coefficients, or what is said where there are none."""
    try:
        return read_jpeg(data, **options), ""
    except OptcodecError as error:
        return None, without_numbers(error)


def check_kinds_of_reading(data: bytes, image: CoefficientImage | None, notices: list[str]) -> None:
    """Where reading strictly gives something, there is nothing to tolerate; what is there, `partial` gives too."""
    strict, _ = read(data, strict=True)
    assert (strict is not None) == (image is not None and not notices), notices
    assert len(set(notices)) == len(notices)
    partial, _ = read(data, partial=True, notify=ignore)
    if image is not None:
        assert partial is not None
        assert_same_image(partial, image)
    if strict is not None and image is not None:
        assert_same_image(strict, image)
    check_rows(data, image, notify=ignore)
    check_rows(data, partial, partial=True, notify=ignore)


def check_part(data: bytes) -> str:
    """Of a file that is refused, `partial` gives what libjpeg makes of it; of a progressive one that is smoothed."""
    image, _ = read(data, partial=True, notify=ignore)
    if image is None:
        return "no part"
    if read_structure(data, partial=True, notify=ignore).frame.is_progressive:
        return "a part, progressive"
    expected, _ = pillow_pixels(data + b"\xff\xd9")  # so does libjpeg read on where a file ends
    try:
        check_written(image, expected, pillow_pixels)
    except InvalidInputError:
        return "a part, has coefficients that 8-bit JPEG has no code for"
    return "a part" if expected is None else "a part, as in libjpeg"


def check_written(image: CoefficientImage, expected: np.ndarray | None, decoded: Decoder) -> None:
    """What is written is read again, the same, and is decoded to the pixels that are expected."""
    for progressive in (False, True):
        file = write_jpeg(image, progressive=progressive, threads=1)
        notices: list[str] = []
        again = read_jpeg(file, notify=notices.append)
        assert all("application segments" in notice for notice in notices), notices  # those are kept as they are
        assert_same_image(again, image)
        assert again.restart_interval == image.restart_interval
        if expected is not None:
            ours, reason = decoded(file)
            assert ours is not None, f"of what we wrote, libjpeg says: {reason}"
            np.testing.assert_array_equal(
                ours, expected, "pixels of the file that we wrote, against those of the input"
            )


def check_rows(data: bytes, image: CoefficientImage | None, **options: Any) -> None:
    """Row by row, a file is refused like a whole one, or gives the same blocks."""
    try:
        rows = list(read_jpeg_rows(data, **options))
    except OptcodecError:
        assert image is None, "refused row by row, but not as a whole"
        return
    assert image is not None, "read row by row, but refused as a whole"
    for index, part in enumerate(image.components):
        np.testing.assert_array_equal(np.concatenate([row[index] for row in rows]), part.blocks)


def pillow_pixels(data: bytes) -> tuple[np.ndarray | None, int | str]:
    """Pixels as Pillow decodes them, and the number of components; None where it does not, and what it says."""
    try:
        with warnings.catch_warnings(), JpegImagePlugin.JpegImageFile(io.BytesIO(data)) as file:
            warnings.simplefilter("error")
            if file.width * file.height > _MOST_PIXELS:
                return None, "more pixels than are compared"
            return np.array(file), file.layers
    except Exception as error:  # Pillow raises almost anything on a broken file
        return None, without_numbers(error)


def libjpeg_pixels(data: bytes) -> tuple[np.ndarray | None, str]:
    """Pixels as libjpeg decodes them; None where it does not, or warns, and what it says.

    Pillow hides the warnings of libjpeg. simplejpeg tells of them, but does not know every sampling: there, what Pillow
    decodes counts.
    """
    pixels, about = pillow_pixels(data)
    if pixels is None:
        return None, str(about)
    try:
        simplejpeg.decode_jpeg(data, _COLOURS[int(about)])
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
    structure = read_structure(data, notify=ignore)
    if not structure.frame.is_progressive:
        return True
    low_bits = np.full((len(structure.frame.components), 64), 99)
    for scan in structure.scans:
        header = scan.header
        for part in header.components:
            low_bits[part.index, header.Ss : header.Se + 1] = header.Al
    return not low_bits.any()


KINDS = {"segments": Kind(seed_files, changed_jpeg, check_jpeg, ".jpg")}
