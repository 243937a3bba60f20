"""Images to be encoded, in all formats that people have, and masks: a picture of ours, or one clear refusal."""

from __future__ import annotations

import contextlib
import functools
import io
import random
import struct
import warnings
import zlib

import numpy as np
from PIL import Image

from optcodec.errors import OptcodecError
from optcodec.pictures.orientation import Orient, orientation_of, turned
from optcodec.pictures.pixels import Picture, load_picture
from optcodec.trellis.field import QualityField
from tests.fuzz.answers import without_numbers
from tests.fuzz.documents import scratch_folder
from tests.fuzz.jpeg_damage import damaged_bytes
from tests.fuzz.kinds import Kind

__all__ = ["KINDS"]

_MOST_PIXELS = 1 << 22  # a damaged header may say 12000x12000, which takes time and memory
_EXTREMES = (0, 1, 2, 255, 256, 32767, 32768, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1)
_FORMATS = (
    ("PNG", "L 1 P RGB LA RGBA I;16", ({}, {"transparency": 0})), ("BMP", "1 L P RGB RGBA", ({},)),
    ("GIF", "L P", ({},)),
    ("TIFF", "1 L P RGB RGBA CMYK I;16 F", ({}, {"compression": "tiff_lzw"}, {"compression": "tiff_adobe_deflate"})),
    ("TIFF", "L RGB", ({"compression": "jpeg"}, {"compression": "packbits"})), ("PPM", "1 L RGB I;16", ({},)),
    ("WEBP", "RGB RGBA", ({}, {"lossless": True})), ("JPEG2000", "L RGB RGBA", ({},)), ("TGA", "L P RGB RGBA", ({},)),
    ("PCX", "1 L P RGB", ({},)), ("SGI", "L RGB", ({},)), ("ICO", "RGB", ({},)), ("JPEG", "L RGB CMYK", ({},)),
    ("DDS", "RGB RGBA", ({},)),
)  # fmt: skip


@functools.cache
def seed_pictures() -> tuple[bytes, ...]:
    """A small picture in every format and mode that Pillow here writes."""
    waves = (np.add.outer(np.arange(13) * 9, np.arange(19) * 6)[..., None] + [0, 60, 120, 200]) % 256
    whole = Image.fromarray(waves.astype(np.uint8))
    Image.init()
    files = []
    for name, modes, choices in _FORMATS:
        for mode in modes.split() if name in Image.SAVE else ():
            for options in choices:
                picture = whole.convert("L").convert("I;16") if mode == "I;16" else whole.convert(mode)
                file = io.BytesIO()
                with contextlib.suppress(OSError, ValueError, KeyError):  # a mode or an option that is not known here
                    picture.save(file, name, **options)
                    files.append(file.getvalue())
    return tuple(files)


def changed_picture(data: bytes, source: random.Random) -> bytes:
    """A picture whose header or data is changed."""
    if data.startswith(b"\x89PNG") and source.random() < 0.8:
        return changed_png(data, source)
    if source.random() < 0.7:
        for _ in range(source.choice([1, 1, 2, 4])):
            data = changed_number(data, source)
        return data
    return damaged_bytes(data, source)


def changed_number(data: bytes, source: random.Random) -> bytes:
    """Another value in what may be a field of the header, or of the directory at the end of a TIFF file."""
    form = source.choice(["<B", "<H", ">H", "<I", ">I"])
    nbytes = struct.calcsize(form)
    reach = source.choice([20, 60, 200, len(data)])
    place = source.randrange(max(1, min(reach, len(data) - nbytes)))
    if source.random() < 0.4:
        place = max(0, len(data) - place - nbytes)
    value = source.choice(_EXTREMES) % (1 << 8 * nbytes)
    digits = source.choice([b"0", b"-1", b"9" * 30, b"1e9", b" "])
    if data[:1] == b"P" and source.random() < 0.5:
        return data[:place] + digits + data[place + 1 :]
    return data[:place] + struct.pack(form, value) + data[place + nbytes :]


def changed_png(data: bytes, source: random.Random) -> bytes:
    """A PNG with chunks changed, missing, doubled, in another order, or more of them, with checksums that are right."""
    chunks, place = [], 8
    while place < len(data):
        length = int.from_bytes(data[place : place + 4])
        chunks.append((data[place + 4 : place + 8], data[place + 8 : place + 8 + length]))
        place += 12 + length
    for _ in range(source.choice([1, 1, 2])):
        index = source.randrange(len(chunks))
        kind, body = chunks[index]
        way = source.randrange(6)
        if way == 0:
            del chunks[index]
        elif way == 1:
            chunks.insert(source.randrange(len(chunks) + 1), chunks[index])
        elif way <= 3 and body:
            chunks[index] = kind, changed_number(body, source) if way == 2 else damaged_bytes(body, source)
        else:
            chunks.insert(source.choice([1, len(chunks) - 1]), odd_chunk(source))
        if not chunks:
            break
    pieces = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    ]
    return data[:8] + b"".join(pieces)


def odd_chunk(source: random.Random) -> tuple[bytes, bytes]:
    """One that says much in few bytes, or nothing right."""
    text = zlib.compress(bytes(source.choice([9, 1_200_000, 70_000_000])))
    return source.choice([
        (b"zTXt", b"key\0\0" + text), (b"iTXt", b"key\0\1\0\0\0" + text), (b"iCCP", b"p\0\0" + text),
        (b"tEXt", b"key\0" + bytes(1_200_000)), (b"IDAT", text), (b"pHYs", b"\0\0\0\1\0\0\0\1\1"),
        (b"pHYs", b"\xff" * 9),
        (b"eXIf", b"MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0"), (b"eXIf", source.randbytes(20)), (b"pHYs", b""),
        (b"tRNS", b"\0\1"), (b"gAMA", b""), (b"PLTE", b"abc"), (b"IHDR", bytes(13)),
        (b"acTL", b"\0\0\0\2\0\0\0\0"),
        (b"fcTL", bytes(26)), (b"abcd", b""), (b"ABCD", b"x"),
    ])  # fmt: skip


def loaded(data: bytes, background: str | None = None, orient: Orient = "keep") -> Picture | str:
    """The picture, or what is said of it."""
    place = scratch_folder() / "picture"
    place.write_bytes(data)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # of odd entries in TIFF files
            return load_picture(place, background=background, max_pixels=_MOST_PIXELS, orient=orient)
    except OptcodecError as error:
        return f"refused: {without_numbers(error).replace(without_numbers(place), 'FILE')}"
    except MemoryError:  # Pillow asks a file of 600 bytes for 4 GB; that is the caller's to deal with
        return "refused: more memory than there is"


def check_picture(data: bytes) -> str:
    """Load it, save its samples as PNG, and load that as the same; turn it as its orientation says, or not at all."""
    picture, composited = loaded(data), loaded(data, "white")
    if isinstance(composited, str):
        assert isinstance(picture, str), "refused with a background only"
        return composited
    orientation = orientation_of(composited.metadata.exif)
    upright = loaded(data, "white", "apply")
    assert isinstance(upright, Picture), upright
    np.testing.assert_array_equal(upright.pixels, turned(composited.pixels, orientation))
    assert orientation_of(upright.metadata.exif) == 1
    for version in (picture, composited):
        if isinstance(version, Picture):
            file = io.BytesIO()
            Image.fromarray(version.pixels).save(file, "PNG")
            again = loaded(file.getvalue())
            assert isinstance(again, Picture), again
            np.testing.assert_array_equal(again.pixels, version.pixels)
    return "loaded" if isinstance(picture, Picture) else "loaded with a background"


def check_mask(data: bytes) -> str:
    """Weights of a mask, in their range."""
    picture = loaded(data)
    if isinstance(picture, str):
        return picture
    try:
        field = QualityField.from_mask(picture.pixels, strength=random.Random(data).choice([0.01, 1.0, 16.0, 1e9]))
    except OptcodecError as error:
        return f"refused: {without_numbers(error)}"
    assert np.isfinite(field.weights).all()
    assert field.weights.min() > 0
    return "a field of weights"


KINDS = {
    "picture": Kind(seed_pictures, changed_picture, check_picture, ".picture"),
    "mask": Kind(seed_pictures, changed_picture, check_mask, ".picture"),
}
