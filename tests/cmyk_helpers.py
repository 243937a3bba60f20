"""A small ICC profile of an invented printer, and CMYK and YCCK files to test with it."""

from __future__ import annotations

import io
import itertools
import struct
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

import optcodec
from optcodec import CoefficientImage, Component, Metadata
from optcodec.jpeg.quantize import quantize

# L*, a*, b* of the inks printed in full, for relative colorimetric; no ink is the white of the paper.
INKS = {"C": (60.0, -30.0, -40.0), "M": (50.0, 65.0, 0.0), "Y": (90.0, -5.0, 80.0), "K": (20.0, 0.0, 0.0)}
_WHITE_D50 = (0.9642, 1.0, 0.8249)


def lab_of(cmyk: tuple[float, ...]) -> tuple[float, float, float]:
    """L*, a*, b* of inks that are each 0 or 1: the darkness of the inks adds up, and black covers all."""
    light, a, b = 100.0, 0.0, 0.0
    for ink, amount in zip("CMY", cmyk, strict=False):
        light -= (100 - INKS[ink][0]) * amount
        a, b = a + INKS[ink][1] * amount, b + INKS[ink][2] * amount
    light = max(light, 25.0)
    black = cmyk[3]
    return light + (INKS["K"][0] - light) * black, a * (1 - black), b * (1 - black)


def profile(*, intents_differ: bool = False) -> bytes:
    """ICC.1:2001-04 (version 2.4): CMYK to L*a*b* by the corners of the cube, and back by lightness only.

    With ``intents_differ`` the table of the perceptual intent shows all colours as grey.
    """
    corners = [lab_of(corner) for corner in itertools.product((0.0, 1.0), repeat=4)]
    grey = [(light, 0.0, 0.0) for light, _, _ in corners]
    back = [(0, 0, 0, 65535 * (1 - light)) for light in (0, 1) for _ in range(4)]
    tags = {
        b"A2B0": _table(4, 3, [_lab16(lab) for lab in (grey if intents_differ else corners)]),
        b"A2B1": _table(4, 3, [_lab16(lab) for lab in corners]),
        b"B2A0": _table(3, 4, back),
        b"B2A1": _table(3, 4, back),
        b"wtpt": b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(65536 * value) for value in _WHITE_D50)),
        b"cprt": b"text\0\0\0\0none\0",
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"none\0" + bytes(78),
    }
    start = 128 + 4 + 12 * len(tags)
    directory, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        padded = content + bytes(-len(content) % 4)
        directory += struct.pack(">4sII", name, start + len(body), len(content))
        body += padded
    header = struct.pack(">I4xI4s4s4s", start + len(body), 0x02400000, b"prtr", b"CMYK", b"Lab ")
    header += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    header += struct.pack(">3i", *(round(65536 * value) for value in _WHITE_D50))
    return header.ljust(128, b"\0") + directory + body


def _lab16(lab: tuple[float, ...]) -> tuple[float, ...]:
    """L*, a*, b* as ICC version 2 codes them in 16 bits: L* from 0..100 to 0..65280, a* and b* = -128 as 0."""
    return lab[0] * 652.8, (lab[1] + 128) * 256, (lab[2] + 128) * 256


def _table(inputs: int, outputs: int, corners: list[Any]) -> bytes:
    """A lut16Type with straight curves and two points on each axis."""
    identity = struct.pack(">9i", *(65536 * (row == column) for row in range(3) for column in range(3)))
    straight = struct.pack(">2H", 0, 65535)
    values = [min(65535, max(0, round(value))) for corner in corners for value in corner]
    return (
        b"mft2\0\0\0\0"
        + struct.pack(">4B", inputs, outputs, 2, 0)
        + identity
        + struct.pack(">2H", 2, 2)
        + straight * inputs
        + struct.pack(f">{len(values)}H", *values)
        + straight * outputs
    )


def patches(side: int = 16) -> np.ndarray:
    """Squares of paper, single inks, two inks, and black over all; shape (side, 7 * side, 4), 255 is full ink."""
    inks = [(0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1), (1, 0, 1, 0), (1, 1, 1, 1)]
    return np.repeat(np.repeat(255 * np.array([inks], np.uint8), side, axis=0), side, axis=1)


def cmyk_file(image_format: str, **options: Any) -> bytes:
    """`patches` as Pillow writes them; JPEG files have Adobe's inverted inks."""
    file = io.BytesIO()
    if image_format == "JPEG":
        options |= {"quality": 95, "subsampling": "4:4:4"}
    Image.frombytes("CMYK", (112, 16), patches().tobytes()).save(file, image_format, **options)
    return file.getvalue()


def ycck_file(icc_profile: bytes | None = None) -> bytes:
    """`patches` as Photoshop writes JPEG files: Y, Cb and Cr of 255 less the inverted C, M and Y; K inverted."""
    inks = patches()
    table = optcodec.annex_k_tables(95)[0]
    colours = quantize(optcodec.forward(inks[..., :3]), (table,))
    black = quantize(optcodec.forward(255 - inks[..., 3]), (table,))
    (last,) = black.components
    parts = (*colours.components, Component(4, last.h, last.v, 0, last.blocks))
    assert isinstance(colours, CoefficientImage)
    metadata = Metadata(icc_profile=icc_profile, adobe_transform=2)
    return optcodec.write_jpeg(replace(colours, components=parts, metadata=metadata))
