"""Sections of what ``optcodec blocks show --json`` printed: utility, quality or weight, and bits of blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from optcodec.report.page.files import found
from optcodec.report.page.pictures import Named, views_of
from optcodec.report.page.sections import BlockMaps, Overlay, Part, Section
from optcodec.report.page.words import number_of

__all__ = ["maps_part"]


def maps_part(record: Mapping[str, Any], path: str) -> Part:
    """The part of a page about the blocks of a picture.

    Raises
    ------
    InvalidInputError, KeyError, TypeError, ValueError
        If the record is no such result, or the picture is not where it says.
    """
    maps = [_overlay(str(name), each) for name, each in record["maps"].items()]
    if not maps:
        raise ValueError("it has no maps")
    file = found(str(record["input"]), path)
    if file is None:
        raise ValueError(f"the picture {record['input']} is not there, over which the maps are drawn")
    (picture,) = views_of(file.stem, [Named("picture", file)]).layers
    height, width = record["height"], record["width"]
    if (picture.height, picture.width) != (height, width):
        shown = f"{picture.width}x{picture.height}"
        raise ValueError(f"{file} is shown with {shown} pixels; the maps are of {width}x{height}")
    names = ("blocks", "allocator", "tune")
    settings = {name: str(record[name]) for name in names if record.get(name) is not None}
    sections: list[Section] = [BlockMaps("Maps of the blocks", picture, maps)]
    compared = f"Blocks of {maps[0].side} x {maps[0].side} pixels of {file.name}, {width} x {height} pixels."
    headline = f"The file has {record['nbytes']:,} bytes, {number_of(record['bpp']):.3f} bits per pixel."
    return Part("Where the bits go", compared, [headline], sections, made_with=settings)


def _overlay(name: str, record: Mapping[str, Any]) -> Overlay:
    values = np.array([[number_of(value) for value in row] for row in record["values"]], np.float64)
    if values.ndim != 2 or not values.size:
        raise ValueError(f"the map {name} is no table of numbers")
    return Overlay(name, str(record["unit"]), values, int(number_of(record["side"])), signed=bool((values < 0).any()))
