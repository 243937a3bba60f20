"""Draw a contact sheet: photographs coded by several methods side by side, with their tables, sizes and errors."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optcodec.extras import require_packages
from optcodec.jpeg.tables import QuantTable
from optcodec.report.heatmap import draw_table
from optcodec.report.squares import fullest_square

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Panel", "SheetRow", "contact_sheet", "to_png"]

# Layout in inches. At the resolution of `to_png`, a detail of _CROP pixels is drawn at exactly twice its size.
_DPI = 120
_CELL = 2.0
_CROP = int(_CELL * _DPI / 2)
_WHOLE = 2.4
_TABLE = 0.93
_GAP = 0.1
_CAPTION = 0.5
_HEAD = 0.86
_EDGE = 0.15
_BOLD: dict[str, Any] = {"fontsize": 8.5, "fontweight": "bold"}
_SMALL: dict[str, Any] = {"fontsize": 8, "color": "#57606a"}
_GOOD, _BAD, _GREY = "#1a7f37", "#b3261e", "#57606a"


@dataclass(frozen=True, eq=False)
class Panel:
    """The file of one method for a photograph.

    Parameters
    ----------
    method : str
        Displayed name, such as ``"JPEG q75"``.
    pixels : ndarray of uint8, shape (H, W, 3) or (H, W)
        Pixels of the decoded file.
    tables : tuple of QuantTable
        Table of luminance, or tables of luminance and chrominance.
    nbytes : int
        Size of the file.
    bpp, psnr_db, error : float
        Bits per pixel, PSNR in dB, and the error that is equal in all files.
    error_name : str
        What the error is called.
    """

    method: str
    pixels: npt.NDArray[np.uint8]
    tables: tuple[QuantTable, ...]
    nbytes: int
    bpp: float
    psnr_db: float
    error: float
    error_name: str = "SWE"


@dataclass(frozen=True, eq=False)
class SheetRow:
    """A photograph and its panels; file sizes are compared with the size of the first panel."""

    name: str
    original: npt.NDArray[np.uint8]
    panels: tuple[Panel, ...]


def contact_sheet(rows: Sequence[SheetRow], *, title: str, note: str = "") -> Figure:
    """Draw a row for each photograph: the whole image, a detail of the original and of each method, and the tables.

    Parameters
    ----------
    rows : sequence of SheetRow
        All with the same number of panels.
    title, note : str
        Lines above the pictures: the message, and an explanation of the figures.
    """
    require_packages("matplotlib.figure")
    from matplotlib.figure import Figure

    panels = len(rows[0].panels)
    width = 2 * _EDGE + _WHOLE + (panels + 1) * (_CELL + _GAP) + 0.3 + panels * (_TABLE + _GAP / 2)
    height = _HEAD + len(rows) * (_CELL + _CAPTION) + _EDGE / 2
    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor="white")
    figure.text(_EDGE / width, 1 - 0.27 / height, title, fontsize=16, fontweight="bold", va="center")
    figure.text(_EDGE / width, 1 - 0.58 / height, note, fontsize=9.5, color=_GREY, va="center")
    for index, row in enumerate(rows):
        _draw_row(figure, row, height - _HEAD - index * (_CELL + _CAPTION))
    return figure


def _draw_row(figure: Figure, row: SheetRow, top: float) -> None:
    """Draw one photograph; ``top`` is the upper edge of its pictures, in inches from the bottom of the sheet."""
    y, x = busiest_crop(row.original, _CROP)
    height, width = row.original.shape[:2]
    scale = min(_WHOLE / width, _CELL / height)
    photograph = _axes(figure, _EDGE, top, width * scale, height * scale)
    _show(photograph, row.original)
    _frame(photograph, x, y)
    _caption(photograph, row.name, f"{width} x {height}, {row.original.nbytes:,} bytes uncompressed")
    left = _EDGE + _WHOLE + _GAP
    detail = _axes(figure, left, top, _CELL, _CELL)
    _show(detail, _cut(row.original, y, x))
    _caption(detail, "original", "detail, twice its size")
    for panel in row.panels:
        left += _CELL + _GAP
        axes = _axes(figure, left, top, _CELL, _CELL)
        _show(axes, _cut(panel.pixels, y, x))
        _describe(axes, panel, row.panels[0])
    _draw_tables(figure, row.panels, left + _CELL + 0.3, top)


def _axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes at a position in inches."""
    all_width, all_height = figure.get_figwidth(), figure.get_figheight()
    return figure.add_axes((left / all_width, (top - height) / all_height, width / all_width, height / all_height))


def _describe(axes: Axes, panel: Panel, first: Panel) -> None:
    figures = f"{panel.bpp:.2f} bpp · {panel.psnr_db:.1f} dB · {panel.error_name} {panel.error:.3g}"
    _caption(axes, f"{panel.method}    {panel.nbytes:,} bytes", figures)
    if panel is first:
        return
    change = panel.nbytes / first.nbytes - 1
    label = {"facecolor": _GOOD if change < 0 else _BAD, "edgecolor": "none", "pad": 3}
    style: dict[str, Any] = {"fontsize": 11, "fontweight": "bold", "color": "white", "bbox": label}
    axes.text(0.97, 0.96, f"{100 * change:+.1f} %", transform=axes.transAxes, ha="right", va="top", **style)


def _draw_tables(figure: Figure, panels: Sequence[Panel], left: float, top: float) -> None:
    largest = max(int(table.steps.max()) for panel in panels for table in panel.tables)
    axes = None
    for panel in panels:
        for row, table in enumerate(panel.tables):
            axes = _axes(figure, left, top - row * (_CELL - _TABLE), _TABLE, _TABLE)
            draw_table(axes, table, largest=largest, numbers=False)
            if panel is panels[0]:
                axes.set_ylabel(("Y", "Cb, Cr")[row], fontsize=8, labelpad=3)
        if axes is not None:
            axes.text(0, -0.055, panel.method, transform=axes.transAxes, ha="left", va="top", **_BOLD)
        if axes is not None and panel is panels[0]:
            legend = f"quantization steps, from 1 (dark) to {largest} (light)"
            axes.text(0, -0.23, legend, transform=axes.transAxes, ha="left", va="top", **_SMALL)
        left += _TABLE + _GAP / 2


def _show(axes: Axes, pixels: npt.NDArray[np.uint8]) -> None:
    exact = max(pixels.shape[:2]) <= _CROP
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest" if exact else "antialiased")
    axes.set_anchor("NW")
    axes.axis("off")


def _frame(axes: Axes, x: int, y: int) -> None:
    from matplotlib.patches import Rectangle

    for colour, width in (("black", 2.4), ("white", 1.2)):
        axes.add_patch(Rectangle((x, y), _CROP, _CROP, fill=False, edgecolor=colour, linewidth=width))


def _caption(axes: Axes, first: str, second: str) -> None:
    """Write two lines under a picture, at a fixed distance in points."""
    below: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "ha": "left", "va": "top"}
    axes.annotate(first, (0, 0), (0, -4), **below, **_BOLD)
    axes.annotate(second, (0, 0), (0, -16), **below, **_SMALL)


def _cut(pixels: npt.NDArray[np.uint8], y: int, x: int) -> npt.NDArray[np.uint8]:
    return pixels[y : y + _CROP, x : x + _CROP]


def busiest_crop(pixels: npt.NDArray[np.uint8], side: int) -> tuple[int, int]:
    """Top and left of the square of pixels with the largest sum of absolute horizontal and vertical differences.

    Squares begin at multiples of 8 pixels; if the image is smaller than ``side``, the square begins at 0.
    """
    grey = pixels.mean(axis=2) if pixels.ndim == 3 else pixels.astype(np.float64)
    busy = np.zeros(grey.shape)
    busy[:-1, :-1] = np.abs(np.diff(grey, axis=0))[:, :-1] + np.abs(np.diff(grey, axis=1))[:-1]
    return fullest_square(busy, side)


def to_png(figure: Figure) -> bytes:
    """Render a figure to the bytes of an RGB PNG file; the same figure always gives the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    buffer = io.BytesIO()
    samples = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    Image.fromarray(samples[..., :3].copy()).save(buffer, "PNG")
    return buffer.getvalue()
