"""What a page consists of, as plain values: readers of result files make them, and the renderer draws them.

Changes in bytes are in percent of those of another file or curve, below 0 where bytes are saved, as in the results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from optcodec.report.curves import Interval

__all__ = [
    "BlockMaps",
    "Change",
    "Chart",
    "Charts",
    "Heatmap",
    "Layer",
    "Level",
    "Line",
    "Overlay",
    "Page",
    "Panel",
    "Part",
    "Point",
    "Previews",
    "Savings",
    "Section",
    "Table",
    "Views",
    "Wiper",
]


@dataclass(frozen=True)
class Change:
    """How many bytes something needs in comparison with an anchor, in percent; below 0 where it needs fewer.

    Parameters
    ----------
    name : str
        What is compared.
    percent : Interval
        The change, and the ends of its 95 % interval, which may be infinite.
    role : {"subject", "rival", ""}
        Whether it is what the page is about, or the strongest of the others.
    """

    name: str
    percent: Interval
    role: str = ""


@dataclass(frozen=True)
class Savings:
    """The bytes that several candidates save, by falling saving."""

    title: str
    changes: Sequence[Change]
    note: str = ""


@dataclass(frozen=True)
class Point:
    """A point of a line; the text is shown with its figures."""

    x: float
    y: Interval
    text: str = ""


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Parameters
    ----------
    name : str
        The same name has the same colour in all charts of a page.
    points : sequence of Point
        In the order of x.
    colour, dash : int
        Number of the colour and of the dash pattern, from 0.
    """

    name: str
    points: Sequence[Point]
    colour: int
    dash: int = 0


@dataclass(frozen=True)
class Level:
    """A horizontal line, such as the accuracy without compression."""

    name: str
    value: float


@dataclass(frozen=True)
class Chart:
    """Lines over a rate.

    Parameters
    ----------
    title, x_title, y_title : str
        Heading, and titles of the axes with their units.
    lines : sequence of Line
        At least one.
    level : Level, optional
        A horizontal line.
    linear_below : float, optional
        The vertical axis is logarithmic above this value and linear around 0; linear everywhere without it.
    """

    title: str
    x_title: str
    y_title: str
    lines: Sequence[Line]
    level: Level | None = None
    linear_below: float | None = None


@dataclass(frozen=True)
class Panel:
    """Charts that are shown together, under a label by which they are chosen."""

    label: str
    charts: Sequence[Chart]


@dataclass(frozen=True)
class Charts:
    """Panels of charts, of which one is shown at a time; ``choice`` says what the panels differ in."""

    title: str
    choice: str
    panels: Sequence[Panel]
    note: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of text; the first ``text`` columns are aligned to the left, the others are numbers."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    text: int = 1


@dataclass(frozen=True)
class Heatmap:
    """Numbers in coloured cells.

    Parameters
    ----------
    title, form : str
        Heading, and format of the numbers, such as ``"+.1f"``.
    rows, columns : sequence of str
        Names; empty for a quantization table, whose rows and columns are frequencies.
    values : sequence of sequence of float or None
        None where there is no number.
    signed : bool
        Use a colour scale centred on 0, with different colours for negative and positive values.
    logarithmic : bool
        Colours follow the logarithm; for values of at least 1.
    largest : float, optional
        Value with the last colour, where several heatmaps share a scale; the largest one by default.
    more_is_better : bool
        Of signed values, give the colour of what is better, blue, to those above 0 instead of those below.
    """

    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    values: Sequence[Sequence[float | None]]
    form: str = "g"
    signed: bool = False
    logarithmic: bool = False
    largest: float | None = None
    more_is_better: bool = False
    note: str = ""


@dataclass(frozen=True)
class Layer:
    """A picture inside the page: its name, a line about it, its bytes as a data URI, and its size in pixels."""

    name: str
    caption: str
    uri: str = field(repr=False)
    width: int
    height: int


@dataclass(frozen=True)
class Views:
    """Pictures of one motif and one size, original first, between which a slider wipes."""

    name: str
    layers: Sequence[Layer]


@dataclass(frozen=True)
class Wiper:
    """A slider between pictures; with several motifs one is chosen."""

    title: str
    views: Sequence[Views]
    note: str = ""


@dataclass(frozen=True)
class Previews:
    """Small pictures in groups with headings; of each motif, the caption of the first layer has the figures."""

    title: str
    groups: Mapping[str, Sequence[Views]]
    note: str = ""


@dataclass(frozen=True, eq=False)
class Overlay:
    """A number for each block of a picture, drawn over it.

    Parameters
    ----------
    name, unit : str
        What it is.
    values : ndarray of float64, shape (rows, columns)
        Finite.
    side : int
        Side of a block in pixels.
    signed : bool
        Use a colour scale centred on 0.
    largest : float, optional
        Value with the last colour, where several maps share a scale; the largest one by default.
    """

    name: str
    unit: str
    values: npt.NDArray[np.float64]
    side: int
    signed: bool = False
    largest: float | None = None


@dataclass(frozen=True, eq=False)
class BlockMaps:
    """Maps of the blocks of a picture, of which one is shown at a time over the picture."""

    title: str
    picture: Layer
    maps: Sequence[Overlay]
    note: str = ""


Section: TypeAlias = Savings | Charts | Table | Heatmap | Wiper | Previews | BlockMaps


@dataclass(frozen=True)
class Part:
    """What one result file gives.

    Parameters
    ----------
    title, compared : str
        Heading, such as the name of the file, and what was compared, in a sentence.
    headline : sequence of str
        The result in sentences, the most important one first.
    sections : sequence of Section
        In the order in which they are shown.
    command : str
        The command line that made the result; empty if the file does not have it.
    made_with : mapping of str to str
        Versions, machine and the like, by name.
    """

    title: str
    compared: str
    headline: Sequence[str]
    sections: Sequence[Section]
    command: str = ""
    made_with: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """A whole page; ``about`` says how the page itself was made."""

    title: str
    parts: Sequence[Part]
    about: str = ""
