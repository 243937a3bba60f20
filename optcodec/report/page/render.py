"""Write a page as one HTML file with everything inside: styles, scripts, pictures, and the library that draws charts.

Charts are drawn by Vega-Lite, whose scripts come with the package vl-convert. A content security policy in the page
allows its own scripts, each by its hash, and nothing from the network.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from functools import cache
from importlib.resources import files
from typing import Any

from optcodec.extras import require_packages
from optcodec.jsontext import finite
from optcodec.report.curves import Interval
from optcodec.report.page.colours import ends_of, gradient, heat, overlay_uri
from optcodec.report.page.sections import BlockMaps, Change, Chart, Charts, Page, Savings
from optcodec.report.page.words import has_ends, saved

__all__ = ["render"]

_SCRIPTS = ("theme.js", "charts.js", "wiper.js", "maps.js")
_PACKAGES = ("jinja2", "vl_convert")
_REFERENCE = Interval(0, 0, 0)


def render(page: Page) -> bytes:
    """The HTML of a page, UTF-8.

    Raises
    ------
    InvalidInputError
        If a package of the extra ``report`` is missing.
    """
    require_packages(*_PACKAGES, extra="report")
    from jinja2 import Environment, StrictUndefined

    scripts = [_asset(name) for name in _SCRIPTS]
    if any(isinstance(section, Charts) for part in page.parts for section in part.sections):
        scripts.insert(0, _charts_library())
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(_asset("page.html"))
    text = template.render(
        page=page,
        style=_asset("page.css"),
        scripts=[_inside_script(script) for script in scripts],
        hashes=[_hash(_inside_script(script)) for script in scripts],
        kind=lambda section: type(section).__name__,
        chart_json=_chart_json,
        bars=_bars,
        heat=heat,
        scale=gradient,
        ends=_shown_ends,
        overlay_uri=overlay_uri,
        map_json=_map_json,
        interval=_interval,
        has_intervals=_has_intervals,
    )
    return text.encode()


def _asset(name: str) -> str:
    return (files("optcodec.report.page") / "assets" / name).read_text("utf-8")


@cache
def _charts_library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script."""
    from vl_convert import javascript_bundle

    bundle: str = javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return bundle


def _inside_script(text: str) -> str:
    """A script or JSON that does not end the element that it is inside of."""
    return text.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")


def _json(value: Any) -> str:
    """JSON for a script element: no markup can begin inside of it."""
    return json.dumps(value, allow_nan=False).replace("<", "\\u003c")


def _chart_json(chart: Chart) -> str:
    """The figures of a chart and its axes, from which the script in the page makes a Vega-Lite specification."""
    rows = [
        {"name": line.name, "x": point.x, "y": point.y.value, "low": finite(point.y.low), "high": finite(point.y.high)}
        for line in chart.lines
        for point in line.points
    ]
    return _json(
        {
            "title": chart.title,
            "xTitle": chart.x_title,
            "yTitle": chart.y_title,
            "rows": rows,
            "lines": [{"name": line.name, "colour": line.colour, "dash": line.dash} for line in chart.lines],
            "level": None if chart.level is None else {"name": chart.level.name, "value": chart.level.value},
            "linearBelow": chart.linear_below,
        }
    )


def _bars(savings: Savings) -> list[dict[str, Any]]:
    """Of each change the bytes saved, and where its bar begins and ends, in % of the width; 0 is always inside."""
    ends = [end for change in savings.changes for end in _finite_ends(change)]
    low, high = min([0.0, *(-end for end in ends)]), max([0.0, *(-end for end in ends)])
    width = (high - low) or 1.0

    def place(value: float) -> float:
        return round(100 * (min(max(value, low), high) - low) / width, 2)

    return [
        {
            "change": change,
            "saved": f"{round(-change.percent.value, 1) + 0.0:.1f}\u00a0%",  # without the sign of -0.0
            "interval": "the reference" if change.percent == _REFERENCE else _interval(saved(change.percent)),
            "zero": place(0),
            "left": place(-change.percent.high),
            "right": place(-change.percent.low),
            "at": place(-change.percent.value),
        }
        for change in savings.changes
    ]


def _finite_ends(change: Change) -> list[float]:
    figure = change.percent
    return [end for end in (figure.value, figure.low, figure.high) if math.isfinite(end)]


def _interval(figure: Interval, form: str = ".1f") -> str:
    if not has_ends(figure):
        return "no interval"
    low, high = (format(end, form) if math.isfinite(end) else "no end" for end in (figure.low, figure.high))
    return f"{low} to {high}"


def _has_intervals(chart: Chart) -> bool:
    """Whether any point has an interval; those of single figures have no width."""
    return any(point.y.low != point.y.high for line in chart.lines for point in line.points)


def _shown_ends(overlay: Any) -> tuple[str, str]:
    low, high = ends_of(overlay)
    return f"{low:.4g}", f"{high:.4g}"


def _map_json(section: BlockMaps) -> str:
    """The values of all maps, which are shown for the block under the pointer."""
    return _json(
        [
            {
                "name": each.name,
                "unit": each.unit,
                "side": each.side,
                "values": [[float(f"{value:.4g}") for value in row] for row in each.values.tolist()],
            }
            for each in section.maps
        ]
    )
