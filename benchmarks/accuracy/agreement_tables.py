"""Format the tables of networks that give no classes; `benchmarks.accuracy.tables` fills them in."""

from __future__ import annotations

from typing import Any

from benchmarks.markdown import table
from benchmarks.record import load_result

__all__ = ["agreements"]

_JPEG = "default JPEG"
# What the agreements of a result are called, by the name of the figure.
_TITLES = {
    "faces": {"agreement": "boxes found, %"},
    "segmentation": {"agreement": "same class, %", "wide": "network that took no part, %"},
}


def agreements() -> dict[str, str]:
    """All tables, by the name in their marks."""
    return {f"agreement: {name}": _agreement(name, titles) for name, titles in _TITLES.items()}


def _agreement(name: str, titles: dict[str, str]) -> str:
    """Bytes, agreements with their gains over default JPEG, and PSNR, by quality and way."""
    document = load_result(name)
    rows = []
    for quality, level in document["qualities"].items():
        for way, figures in level["ways"].items():
            cells = []
            for part in titles:
                gain = "gain" if part == "agreement" else f"{part}, gain"
                cells += [_percent(figures[part], ".0f"), "" if way == _JPEG else _percent(figures[gain], "+.0f")]
            rows.append([quality, way, f"{figures['nbytes']:,.0f}", *cells, f"{figures['psnr_db']:.1f}"])
    columns = [column for title in titles.values() for column in (title, "against default JPEG, points")]
    header = [f"quality of default JPEG, n = {document['images']}", "files", "bytes", *columns, "PSNR, dB"]
    return table(header, rows)


def _percent(figure: dict[str, Any], form: str) -> str:
    value, low, high = (f"{100 * figure[end]:{form}}" for end in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"
