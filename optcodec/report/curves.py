"""Draw rate-accuracy curves from the result files of ``optcodec accuracy``."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optcodec.errors import InvalidInputError
from optcodec.extras import require_packages
from optcodec.report.contact_sheet import to_png
from optcodec.report.documents import read_document

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "FORMATS",
    "SETTINGS",
    "Interval",
    "Point",
    "Result",
    "Style",
    "draw_to",
    "method_name",
    "rate_accuracy_figure",
    "read_result",
    "result_in",
    "styles_of",
]

FORMATS = (".png", ".svg", ".pdf")

_NAMES = {"jpeg": "JPEG", "optd": "OptD", "opts": "OptS", "deepn": "DeepN-JPEG", "rdopt": "RD-OPT"}
SETTINGS = {
    "fixed": "levels as given, nothing matched",
    "1": "equal SWE of JPEG, luminance and chrominance apart (setting 1)",
    "1-joint": "equal SWE of JPEG, all components together (setting 1)",
    "2": "equal SWE of OptS, luminance and chrominance apart (setting 2)",
    "2-joint": "equal SWE of OptS, all components together (setting 2)",
    "bytes": "no more bytes than JPEG, image by image",
}
# Colours of Okabe and Ito (2008), which people with any colour vision can tell apart. Methods of the OptS paper always
# have the same colour.
_FIXED_COLOURS = {"jpeg": "#000000", "optd": "#0072b2", "opts": "#d55e00", "deepn": "#009e73", "rdopt": "#cc79a7"}
_OTHERS = ("#e69f00", "#56b4e9", "#8c6d31", "#7b4ea3", "#6e6e6e")
_MARKERS = "osD^vP*X"
_GREY = "#57606a"
_NOTE = (
    "Bands: 95 % intervals of the difference from the uncompressed images, paired, over another choice of images. "
    "Rates are those of whole files."
)


@dataclass(frozen=True)
class Interval:
    """A value and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Point:
    """One condition of a result file; accuracy in percent, its change in percentage points, loss in nats."""

    method: str
    setting: str
    bpp: float
    top1_percent: float
    top1_change_points: Interval
    loss_increase: Interval


@dataclass(frozen=True)
class Result:
    """The part of a result file that is drawn."""

    title: str
    uncompressed_top1_percent: Interval
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Style:
    """The look of a line."""

    colour: str
    marker: str


def read_result(path: str | os.PathLike[str]) -> Result:
    """Read a file that ``optcodec accuracy`` wrote.

    Raises
    ------
    InvalidInputError
        If the file cannot be read or is not such a result.
    """
    return result_in(read_document(path), path)


def result_in(record: Any, path: str | os.PathLike[str]) -> Result:
    """The result in the JSON of a file, see `read_result`; the path is for messages."""
    try:
        return _result(record)
    except KeyError as error:
        raise InvalidInputError(f"{path} is no result of optcodec accuracy: {error} is missing") from None
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"{path} is no result of optcodec accuracy: {error}") from None


def _result(record: Mapping[str, Any]) -> Result:
    uncompressed = record["uncompressed"]
    points = tuple(
        Point(
            str(point["method"]),
            str(point["setting"]),
            _interval(point["bpp"]).value,
            _interval(point["top1_percent"]).value,
            _interval(point["top1_change_points"]),
            _interval(point["loss_increase"]),
        )
        for point in record["points"]
    )
    if not points:
        raise ValueError("it has no points")
    title = f"{record['model']}, {record['subsampling']}, {uncompressed['images']} images"
    return Result(title, _interval(uncompressed["top1_percent"]), points)


def _interval(record: Mapping[str, Any]) -> Interval:
    interval = Interval(float(record["value"]), float(record["low"]), float(record["high"]))
    if not all(math.isfinite(number) for number in (interval.value, interval.low, interval.high)):
        raise ValueError(f"expected finite figures, got {interval}")
    return interval


def method_name(method: str) -> str:
    """Displayed name of a method: ``OptS`` for ``"opts"``, ``OptS (laplacian)`` for ``"opts:laplacian"``."""
    family, _, variant = method.partition(":")
    name = _NAMES.get(family, family)
    return f"{name} ({variant})" if variant else name


def rate_accuracy_figure(results: Sequence[Result], *, settings: Sequence[str] = ()) -> Figure:
    """Draw accuracy (left) and loss increase (right) against the rate, one row for each result and setting.

    The left panel has the layout of the OptS paper: bits per pixel, top-1 accuracy, a line for each method, and a
    dashed line at the accuracy of the uncompressed images. Bands are the intervals of the difference from that line,
    which is measured on the same images; the interval of the line itself, which all curves share, is in the legend.

    Parameters
    ----------
    results : sequence of Result
        From `read_result`.
    settings : sequence of str
        Settings to draw; by default all that were measured.

    Raises
    ------
    InvalidInputError
        If a setting was not measured, or there is nothing to draw.
    """
    require_packages("matplotlib.figure")
    from matplotlib.figure import Figure

    rows = _rows(results, settings)
    styles = styles_of([point.method for _, _, points in rows for point in points])
    figure = Figure(figsize=(11, 3.9 * len(rows) + 0.3), dpi=120, layout="constrained", facecolor="white")
    grid = figure.subplots(len(rows), 2, squeeze=False)
    for axes, (result, setting, points) in zip(grid, rows, strict=True):
        lines: dict[str, list[Point]] = {}
        for point in sorted(points, key=lambda point: point.bpp):
            lines.setdefault(point.method, []).append(point)
        lines = {method: lines[method] for method in styles if method in lines}
        _draw_accuracy(axes[0], result, lines, styles)
        _draw_loss(axes[1], lines, styles)
        axes[0].set_title(result.title, loc="left", fontsize=10, fontweight="bold")
        axes[1].set_title(SETTINGS.get(setting, setting), loc="left", fontsize=10)
    figure.supxlabel(_NOTE, fontsize=8, color=_GREY)
    return figure


def _rows(results: Sequence[Result], settings: Sequence[str]) -> list[tuple[Result, str, list[Point]]]:
    """Result, setting and points of each row of panels."""
    measured = list(dict.fromkeys(point.setting for result in results for point in result.points))
    for setting in settings:
        if setting not in measured:
            raise InvalidInputError(f"setting {setting!r} was not measured; expected one of {', '.join(measured)}")
    rows = []
    for result in results:
        for setting in settings or measured:
            points = [point for point in result.points if point.setting == setting]
            if points:
                rows.append((result, setting, points))
    if not rows:
        raise InvalidInputError("expected at least one result to draw, got none")
    return rows


def styles_of(methods: Sequence[str]) -> dict[str, Style]:
    """The style of each method, the same in all rows; methods of the paper first."""
    distinct = dict.fromkeys(methods)
    known = [method for method in _FIXED_COLOURS if method in distinct]
    others = [method for method in distinct if method not in _FIXED_COLOURS]
    colours = [_FIXED_COLOURS[method] for method in known] + [_OTHERS[i % len(_OTHERS)] for i in range(len(others))]
    markers = [_MARKERS[i % len(_MARKERS)] for i in range(len(colours))]
    return dict(zip(known + others, map(Style, colours, markers), strict=True))


def _draw_accuracy(axes: Axes, result: Result, lines: Mapping[str, Sequence[Point]], styles: dict[str, Style]) -> None:
    top1 = result.uncompressed_top1_percent
    for method, points in lines.items():
        # the intervals are of the change from the uncompressed images, so they are drawn relative to the dashed line
        ends = [(top1.value + p.top1_change_points.low, top1.value + p.top1_change_points.high) for p in points]
        _draw_line(axes, method, points, [point.top1_percent for point in points], ends, styles[method])
    label = f"uncompressed, {top1.value:.1f} % ({top1.low:.1f} to {top1.high:.1f})"
    axes.axhline(top1.value, color=_GREY, linestyle="--", linewidth=1.2, label=label)
    axes.set_ylabel("top-1 accuracy (%)")
    axes.legend(loc="lower right", fontsize=8, framealpha=0.9)


def _draw_loss(axes: Axes, lines: Mapping[str, Sequence[Point]], styles: dict[str, Style]) -> None:
    increases = [point.loss_increase for points in lines.values() for point in points]
    for method, points in lines.items():
        ends = [(point.loss_increase.low, point.loss_increase.high) for point in points]
        _draw_line(axes, method, points, [point.loss_increase.value for point in points], ends, styles[method])
    least, largest = min(increase.value for increase in increases), max(increase.value for increase in increases)
    if largest > max(10 * least, 0):  # on a linear scale, small values could not be told from 0
        if min(increase.low for increase in increases) > 0:
            axes.set_yscale("log")
        else:  # linear below 1/50 of the largest value, where curves end in noise around 0; logarithmic above
            axes.set_yscale("symlog", linthresh=largest / 50)
            axes.axhline(0, color=_GREY, linestyle="--", linewidth=1.2)
    axes.set_ylabel("mean increase of cross-entropy (nats)")


def _draw_line(
    axes: Axes,
    method: str,
    points: Sequence[Point],
    values: Sequence[float],
    ends: Sequence[tuple[float, float]],
    style: Style,
) -> None:
    rates = [point.bpp for point in points]
    low, high = zip(*ends, strict=True)
    axes.fill_between(rates, low, high, color=style.colour, alpha=0.13, linewidth=0)
    axes.plot(
        rates, values, color=style.colour, marker=style.marker, markersize=4, linewidth=1.5, label=method_name(method)
    )
    axes.set_xlabel("bits per pixel")
    axes.grid(alpha=0.25)


def draw_to(figure: Figure, suffix: str) -> bytes:
    """Render a figure to the bytes of a file; the same figure always gives the same bytes.

    Parameters
    ----------
    figure : Figure
        From `rate_accuracy_figure`.
    suffix : str
        One of `FORMATS`.

    Raises
    ------
    InvalidInputError
        If the suffix is not one of them.
    """
    from matplotlib import rc_context

    if suffix not in FORMATS:
        raise InvalidInputError(f"a figure is a file in {', '.join(FORMATS)}; got {suffix or 'no suffix'}")
    if suffix == ".png":
        return to_png(figure)
    buffer = io.BytesIO()
    no_date = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    with rc_context({"svg.hashsalt": "optcodec"}):
        figure.savefig(buffer, format=suffix[1:], metadata=no_date[suffix])
    return buffer.getvalue()
