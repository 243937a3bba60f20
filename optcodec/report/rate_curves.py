"""Draw the curves of ``optcodec rates`` and ``restore pipeline``: every measure against the rate, with intervals."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optcodec.errors import InvalidInputError
from optcodec.extras import require_packages
from optcodec.rates.result import FORMAT
from optcodec.report.curves import Interval, Style, styles_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["RatePoint", "RateResult", "is_rates", "rates_figure", "rates_in"]

_DASHES = ("-", "--", ":", "-.")  # of receivers; senders have colours
_NOTE = "Bars: 95 % intervals of the mean over another choice of images. Rates are those of whole files."


@dataclass(frozen=True)
class RatePoint:
    """A point of a curve: means over the images of a set; a measure that is not known is left out."""

    set: str
    sender: str
    receiver: str
    sigma: float
    bpp: float
    measures: Mapping[str, Interval]


@dataclass(frozen=True)
class RateResult:
    """The part of a result file that is drawn: its points, and the titles of the measures by name."""

    subsampling: str
    titles: Mapping[str, str]
    points: tuple[RatePoint, ...]


def is_rates(record: Any) -> bool:
    """Whether the JSON of a file is a result of these commands."""
    return isinstance(record, dict) and record.get("format") == FORMAT


def rates_in(record: Mapping[str, Any], path: str | os.PathLike[str]) -> RateResult:
    """The result in the JSON of a file.

    Parameters
    ----------
    record : mapping
        The JSON object.
    path : str or path
        Where it is from, for messages.

    Raises
    ------
    InvalidInputError
        If it is no such result.
    """
    try:
        titles = {str(name): str(kind["title"]) for name, kind in record["measures"].items()}
        points = tuple(_point(point) for point in record["points"])
        if not points or not titles:
            raise ValueError("it has no points")
        return RateResult(str(record["subsampling"]), titles, points)
    except KeyError as error:
        raise InvalidInputError(f"{path} is no result of optcodec rates: {error} is missing") from None
    except (AttributeError, TypeError, ValueError) as error:
        raise InvalidInputError(f"{path} is no result of optcodec rates: {error}") from None


def _interval(figure: Mapping[str, Any]) -> Interval:
    """A figure with its interval, which has no width where there is none, as of a single picture."""
    value = float(figure["value"])
    ends = (value if figure[end] is None else float(figure[end]) for end in ("low", "high"))
    return Interval(value, *ends)


def _point(record: Mapping[str, Any]) -> RatePoint:
    measures = {
        str(name): _interval(figure) for name, figure in record["measures"].items() if figure["value"] is not None
    }
    rate = float(record["bpp"]["value"])
    numbers = [rate, *(end for each in measures.values() for end in (each.value, each.low, each.high))]
    if not all(map(math.isfinite, numbers)):
        raise ValueError("expected finite figures")
    names = (str(record["set"]), str(record["sender"]), str(record["receiver"]))
    return RatePoint(*names, float(record["sigma"]), rate, measures)


def rates_figure(results: Sequence[RateResult]) -> Figure:
    """Draw every measure against the rate: a row for each result, set and noise, a panel for each measure.

    Senders have colours, receivers have dashes.

    Raises
    ------
    InvalidInputError
        If there is nothing to draw.
    """
    require_packages("matplotlib.figure")
    from matplotlib.figure import Figure

    rows = [(result, *key) for result in results for key in dict.fromkeys((p.set, p.sigma) for p in result.points)]
    if not rows:
        raise InvalidInputError("expected at least one result to draw, got none")
    wide = max(len(result.titles) for result in results)
    colours = styles_of([point.sender for result in results for point in result.points])
    receivers = list(dict.fromkeys(point.receiver for result in results for point in result.points))
    figure = Figure(figsize=(4.2 * wide + 1, 3.6 * len(rows) + 0.3), dpi=120, layout="constrained", facecolor="white")
    grid = figure.subplots(len(rows), wide, squeeze=False)
    for axes, (result, set_name, sigma) in zip(grid, rows, strict=True):
        points = [point for point in result.points if (point.set, point.sigma) == (set_name, sigma)]
        for panel, (measure, title) in zip(axes, result.titles.items(), strict=False):
            _draw(panel, points, measure, colours, receivers)
            panel.set_ylabel(title)
        for panel in axes[len(result.titles) :]:
            panel.set_axis_off()
        noise = f", noise of sigma {sigma:g}" if sigma else ""
        axes[0].set_title(f"{set_name}, {result.subsampling}{noise}", loc="left", fontsize=10, fontweight="bold")
        axes[-1].legend(
            *axes[0].get_legend_handles_labels(),
            loc="center left",
            bbox_to_anchor=(1.02, 0.5),
            fontsize=7,
            frameon=False,
        )
    figure.supxlabel(_NOTE, fontsize=8)
    return figure


def _draw(
    axes: Axes, points: Sequence[RatePoint], measure: str, colours: Mapping[str, Style], receivers: Sequence[str]
) -> None:
    """Draw the curves of a measure with error bars."""
    curves: dict[tuple[str, str], list[RatePoint]] = {}
    for point in sorted(points, key=lambda point: point.bpp):
        if measure in point.measures:
            curves.setdefault((point.sender, point.receiver), []).append(point)
    for (sender, receiver), along in sorted(curves.items()):
        figures = [point.measures[measure] for point in along]
        ends = [[each.value - each.low for each in figures], [each.high - each.value for each in figures]]
        axes.errorbar(
            [point.bpp for point in along],
            [each.value for each in figures],
            yerr=ends,
            color=colours[sender].colour,
            marker=colours[sender].marker,
            linestyle=_DASHES[receivers.index(receiver) % len(_DASHES)],
            label=sender if len(receivers) == 1 else f"{sender}, {receiver}",
            markersize=4,
            linewidth=1.3,
            elinewidth=0.7,
            capsize=2,
        )
    axes.set_xlabel("bits per pixel")
    axes.grid(alpha=0.25)
