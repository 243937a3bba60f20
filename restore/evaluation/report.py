"""Print the results of `restore evaluate` as tables."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from restore.evaluation.measures import MEASURES

__all__ = ["show"]

_PLAIN_WIDTH = 160  # characters in a line, where the output is not a terminal


def show(document: dict[str, Any], console: Console | None = None) -> None:
    """Print the tables of a result to stdout: means, and comparisons and costs where they were measured."""
    if console is None:
        console = Console()
        if not console.is_terminal:
            console = Console(width=_PLAIN_WIDTH)
    console.print(_means(document))
    if "comparisons" in document:
        console.print(_comparisons(document))
    if "cost" in document:
        console.print(_cost(document["cost"]))


def _means(document: dict[str, Any]) -> Table:
    sets = ", ".join(
        f"{name} {size['images']}" + (f" of {size['complete']}" if (size["complete"] or 0) > size["images"] else "")
        for name, size in document["sets"].items()
    )
    table = Table(title=f"{document['protocol']}, means over images ({sets})")
    noisy = any(record["sigma"] for record in document["means"])
    for heading in ("set", "quality", *(["sigma"] if noisy else []), "receiver", "bpp"):
        table.add_column(heading, justify="left" if heading in ("set", "receiver") else "right")
    for name in document["measures"]:
        table.add_column(MEASURES[name].title, justify="right")
    previous = None
    for record in document["means"]:
        group = (record["set"], record["quality"], record["sigma"])
        if previous not in (None, group):
            table.add_section()
        previous = group
        sigma = [f"{record['sigma']:g}"] if noisy else []
        values = [_number(record[name], MEASURES[name].digits) for name in document["measures"]]
        table.add_row(
            record["set"], str(record["quality"]), *sigma, record["receiver"], f"{record['bpp']:.3f}", *values
        )
    return table


def _comparisons(document: dict[str, Any]) -> Table:
    several = any(record["low"] is not None for record in document["comparisons"])
    interval = ", with 95 % interval" if several else ""
    table = Table(title=f"difference from {document['against']} on the same images{interval}")
    for heading in ("set", "quality", "sigma", "receiver", "measure", "images", "difference", "t-test p", "Wilcoxon p"):
        table.add_column(heading, justify="left" if heading in ("set", "receiver", "measure") else "right")
    for record in document["comparisons"]:
        digits = MEASURES[record["measure"]].digits + 1
        mean, low, high = (_number(record[name], digits, sign="+") for name in ("mean", "low", "high"))
        interval = "" if record["low"] is None else f" [{low}, {high}]"
        tests = [_probability(record[name]) for name in ("t_p", "wilcoxon_p")]
        labels = [record["set"], str(record["quality"]), f"{record['sigma']:g}", record["receiver"]]
        table.add_row(*labels, MEASURES[record["measure"]].title, str(record["images"]), f"{mean}{interval}", *tests)
    return table


def _cost(cost: dict[str, Any]) -> Table:
    table = Table(title=f"cost of one file: {cost['image']}, {cost['width']}x{cost['height']}")
    threads = next(iter(cost["receivers"].values()))["threads"]
    headings = ("model kB", "kMAC per pixel", "ms, 1 thread", f"ms, {threads} threads", "peak MiB")
    table.add_column("receiver")
    for heading in headings:
        table.add_column(heading, justify="right")
    for name, costs in cost["receivers"].items():
        size, macs = (None if costs[key] is None else costs[key] / 1000 for key in ("model_nbytes", "macs_per_pixel"))
        times = [f"{1000 * costs[key]:.1f}" for key in ("seconds_one_thread", "seconds_all_threads")]
        table.add_row(name, _number(size, 0), _number(macs, 1), *times, f"{costs['peak_nbytes'] / 2**20:.0f}")
    return table


def _number(value: float | None, digits: int, *, sign: str = "") -> str:
    return "-" if value is None else format(value, f"{sign}.{digits}f")


def _probability(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"
