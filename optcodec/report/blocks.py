"""Draw maps of the blocks of an image: utility, quality or weight, and bits, as in AccelIR's Figure 7."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optcodec.blocks.allocate import ALLOCATORS
from optcodec.blocks.choice import BlockChoice, BlockContext, allocated_qualities
from optcodec.blocks.curves import BLOCK_SIDE
from optcodec.extras import require_packages
from optcodec.trellis.field import BLOCK, QualityField

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["BlockMap", "RecordingChoice", "bits_map", "blocks_figure", "weight_map"]

Floats = npt.NDArray[np.float64]

# Layout in inches.
_LONG, _LEAST, _SHORT = 4.6, (2.2, 0.7), 0.04  # picture: longer side; least width and height of its room; shortest side
_EDGE, _HEAD, _TITLE, _BAR, _TICKS = 0.2, 0.72, 0.32, 0.14, 0.62
_DPI = 130
_SHAPE = 1.5  # desired ratio of width to height of the figure
_SAMPLES = 1600  # largest number of pixels drawn along the longer side, about
_LEAST_CELL = 0.02  # a finer grid would hide the image
_GREY = "#57606a"


@dataclass(frozen=True, eq=False)
class BlockMap:
    """A number for each block.

    Parameters
    ----------
    name, unit : str
        Title of the map, and unit of its values.
    values : ndarray, shape (rows, columns)
        Finite.
    side : int
        Side of the block of each value, in pixels.
    around : bool
        Use a colour scale centred on 0, with different colours for negative and positive values.
    """

    name: str
    unit: str
    values: npt.NDArray[Any]
    side: int = BLOCK_SIDE
    around: bool = False

    @property
    def record(self) -> dict[str, Any]:
        """The fields for ``--json``."""
        return {"unit": self.unit, "side": self.side, "values": self.values.tolist()}


@dataclass(frozen=True, eq=False)
class RecordingChoice(BlockChoice):
    """A `BlockChoice` that records the arguments and results of `field`, that is, the weights a file was coded with."""

    calls: list[tuple[BlockContext, float | None, QualityField]] = dataclasses.field(default_factory=list)

    @classmethod
    def of(cls, choice: BlockChoice) -> RecordingChoice:
        """The same choice, recorded."""
        return cls(choice.way, choice.profile, choice.net, choice.part)

    def field(self, context: BlockContext, budget: float | None) -> QualityField:
        """See `BlockChoice.field`."""
        weights = super().field(context, budget)
        self.calls.append((context, budget, weights))
        return weights

    def maps(self, region: QualityField | None = None) -> dict[str, BlockMap]:
        """Maps of the last call: expected utility if there is a QP-NET, and qualities for an allocator, else weights,
        times those of a region."""
        context, budget, field = self.calls[-1]
        maps = {"weight": weight_map(field if region is None else field.times(region))}
        if self.profile is None:
            return maps
        utility = 1000 * context.shares @ self.profile.utility
        if self.way in ALLOCATORS and budget is not None:
            span = "{} to {}".format(*self.profile.qualities[[0, -1]])
            maps = {"quality": BlockMap("quality", span, allocated_qualities(context, budget, self.way))}
        signed = bool((self.profile.utility < 0).any())
        return {"utility": BlockMap("expected utility", "dB per kB", utility, around=signed)} | maps


def weight_map(field: QualityField) -> BlockMap:
    """Map of weights in dB relative to their geometric mean; what weighs nothing is like what weighs least."""
    least = field.weights[field.weights > 0].min()
    logarithms = 10 * np.log10(np.maximum(field.weights, least))
    return BlockMap("weight of errors", "dB", logarithms - logarithms.mean(), BLOCK, around=True)


def bits_map(bits: npt.NDArray[np.int64]) -> BlockMap:
    """Map of the result of `optcodec.receivers.block_bits.file_block_bits`."""
    return BlockMap("size in the file", f"bits per {BLOCK_SIDE}x{BLOCK_SIDE} block", bits)


def blocks_figure(
    pixels: npt.NDArray[np.uint8],
    maps: list[BlockMap],
    *,
    title: str,
    note: str = "",
    region: QualityField | None = None,
) -> Figure:
    """Draw the image, with maps of its blocks beside and below it.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3) or (height, width)
        The image.
    maps : list of BlockMap
        In the order in which they are drawn.
    title, note : str
        Lines above the pictures.
    region : QualityField, optional
        Outlined in the image, where its weights pass the middle between the least and the largest one.
    """
    require_packages("matplotlib.figure")
    from matplotlib.figure import Figure

    height, width = pixels.shape[:2]
    scale = _LONG / max(height, width)
    drawn = max(width * scale, _SHORT), max(height * scale, _SHORT)
    tall = max(drawn[1], _LEAST[1])  # height of the image or, if it is larger, of a readable colour bar
    room = max(drawn[0], _LEAST[0]) + _BAR + _TICKS, tall + _TITLE
    columns = _columns(1 + len(maps), *room)
    rows = -(-(1 + len(maps)) // columns)
    size = 2 * _EDGE + columns * room[0], _HEAD + _EDGE + rows * room[1]
    figure = Figure(figsize=size, dpi=_DPI, facecolor="white")
    _head(figure, title, note)
    for index, block_map in enumerate([None, *maps]):
        row, column = divmod(index, columns)
        left, top = _EDGE + column * room[0], size[1] - _HEAD - row * room[1] - _TITLE
        axes = figure.add_axes(_part((left, top - drawn[1], *drawn), size))
        if block_map is None:
            _draw_image(axes, pixels)
            _outline(axes, region)
        else:
            bar = figure.add_axes(_part((left + drawn[0] + 0.08, top - tall, _BAR, tall), size))
            _draw_map(axes, bar, block_map)
        _finish(axes, width, height, scale, "image" if block_map is None else f"{block_map.name}, {block_map.unit}")
    return figure


def _head(figure: Figure, title: str, note: str) -> None:
    """Write the title and the note; lines longer than the figure are shortened in the middle."""
    width, height = figure.get_size_inches()
    for text, letter, down, style in (
        (title, 0.12, 0.24, {"fontsize": 12, "fontweight": "bold"}),
        (note, 0.08, 0.5, {"fontsize": 9, "color": _GREY}),
    ):
        most = int((width - 2 * _EDGE) / letter)
        shortened = text if len(text) <= most else f"{text[: most // 2]}…{text[-(most - most // 2 - 1) :]}"
        figure.text(_EDGE / width, 1 - down / height, shortened, va="center", fontdict=style)


def _columns(count: int, width: float, height: float) -> int:
    """Number of columns whose figure is nearest to the ratio ``_SHAPE``, with at most one panel left empty."""

    def distance(columns: int) -> float:
        return abs(math.log(columns * width / (-(-count // columns) * height) / _SHAPE))

    return min((columns for columns in range(1, count + 1) if -count % columns <= 1), key=distance)


def _part(box: tuple[float, float, float, float], size: tuple[float, float]) -> tuple[float, float, float, float]:
    """Convert left, bottom, width and height from inches to fractions of the figure."""
    return box[0] / size[0], box[1] / size[1], box[2] / size[0], box[3] / size[1]


def _draw_image(axes: Axes, pixels: npt.NDArray[np.uint8]) -> None:
    height, width = pixels.shape[:2]
    step = max(1, max(height, width) // _SAMPLES)
    extent = (0, width, height, 0)
    axes.imshow(pixels[::step, ::step], cmap="gray", vmin=0, vmax=255, interpolation="antialiased", extent=extent)


def _outline(axes: Axes, region: QualityField | None) -> None:
    """Draw a line around what weighs more, light on dark, which can be seen on any image."""
    if region is None or min(region.weights.shape) < 2 or region.weights.min() == region.weights.max():
        return
    rows, columns = (BLOCK * (np.arange(count) + 0.5) for count in region.weights.shape)
    middle = (region.weights.min() + region.weights.max()) / 2
    for color, width in (("black", 2.6), ("white", 1.2)):
        axes.contour(columns, rows, region.weights, levels=[middle], colors=color, linewidths=width)


def _draw_map(axes: Axes, bar: Axes, block_map: BlockMap) -> None:
    from matplotlib.ticker import MaxNLocator

    rows, columns = block_map.values.shape
    low, high = float(block_map.values.min()), float(block_map.values.max())
    if block_map.around:
        high = max(abs(low), abs(high), 0.1)
        low = -high
    drawn = axes.imshow(
        block_map.values,
        cmap="RdBu_r" if block_map.around else "viridis",
        vmin=low,
        vmax=high if high > low else low + 1,  # a colour bar needs a range, even if all values are equal
        interpolation="nearest",
        extent=(0, columns * block_map.side, rows * block_map.side, 0),
        aspect="auto",
    )
    axes.figure.colorbar(drawn, cax=bar, ticks=MaxNLocator(6 if bar.bbox.height > _DPI else 2))
    bar.tick_params(labelsize=7.5, length=2)


def _finish(axes: Axes, width: int, height: int, scale: float, title: str) -> None:
    """Add the title and the grid of the blocks, and limit the axes to the image."""
    cell = BLOCK_SIDE * scale
    if cell >= _LEAST_CELL:
        style: dict[str, Any] = {"colors": "white", "linewidth": min(0.5, 4 * cell), "alpha": 0.45}
        axes.vlines(np.arange(BLOCK_SIDE, width, BLOCK_SIDE), 0, height, **style)
        axes.hlines(np.arange(BLOCK_SIDE, height, BLOCK_SIDE), 0, width, **style)
    axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[], aspect="auto")
    axes.set_title(title, fontsize=9.5, loc="left", pad=4)
