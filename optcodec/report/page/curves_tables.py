"""Tables and heatmaps of a result of curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optcodec.console.show import count
from optcodec.rates.rates import Rate
from optcodec.rates.rows import Row
from optcodec.report.page.curves_result import CurvesResult, change_against
from optcodec.report.page.sections import Heatmap, Table
from optcodec.report.page.words import figure_of

__all__ = ["bytes_heatmap", "failures_table", "gain_heatmap", "worst_table"]

_WORST = 10
_EQUAL_BYTES = ("bpp", "bytes")  # kinds of rates at which all senders have files of about the same size


def worst_table(result: CurvesResult, measure: str, names: Sequence[str]) -> list[Table]:
    """The pictures for which a curve saves least in comparison with another, given the names of both."""
    if len(names) < 2 or not result.measures[measure].per_image:
        return []
    name, other = names
    pictures: dict[tuple[str, str], list[Row]] = {}
    for row in result.rows:
        pictures.setdefault((row.set, row.image), []).append(row)
    figures = {at: change_against(result, measure, name, other, rows) for at, rows in pictures.items()}
    known = sorted(((f.value, at) for at, f in figures.items() if f is not None), reverse=True)[:_WORST]
    several = len({at[0] for at in pictures}) > 1
    return [
        Table(
            f"Worst pictures of {name}",
            ("picture", f"bytes against {other}"),
            [("/".join(at) if several else at[1], f"{value:+.1f} %") for value, at in known],
            note=f"Change in bytes {result.at_equal(measure)}, picture by picture; where most bytes are needed "
            f"first. Listed: {len(known)} of {count(len(figures), 'picture')}.",
        )
    ]


def bytes_heatmap(result: CurvesResult) -> list[Heatmap]:
    """Changes in bytes of all curves by all measures in all sets, which the headline is one of."""
    rows: dict[str, dict[str, float | None]] = {}
    columns: dict[str, None] = {}
    several_sets, noisy = len(result.sets) > 1, any(result.sigmas)
    for bd in result.record["bd_rates"]:
        figure = figure_of(bd)
        noise = f", noise {bd['sigma']:g}" if noisy else ""
        row = f"{result.names[bd['sender'], bd['receiver']]}{noise} against {result.name_of_anchor(bd)}"
        title = result.measures[bd["measure"]].title
        column = f"{title}, {bd['set']}" if several_sets else title
        columns[column] = None
        rows.setdefault(row, {})[column] = None if figure is None else figure.value
    values = [[cells.get(column) for column in columns] for cells in rows.values()]
    if all(value is None for row in values for value in row):
        return []
    note = "Change in bytes at equal quality, in % (Bjøntegaard rate); blue cells save bytes, red ones need more."
    return [Heatmap("Change in bytes by every measure", [*rows], [*columns], values, "+.1f", signed=True, note=note)]


def gain_heatmap(result: CurvesResult) -> list[Heatmap]:
    """By how much the first measure is better than the anchor's at each rate, where the rates are equal bytes."""
    same_files = len({sender for sender, _ in result.names}) == 1
    if not same_files and any(rate["kind"] not in _EQUAL_BYTES for rate in result.record["rates"]):
        return []
    measure, title = next(iter(result.read.titles.items()))
    at = result.sets[0], result.sigmas[0]
    figures: dict[str, dict[str, float]] = {}
    for point in result.record["points"]:
        if (point["set"], point["sigma"]) == at and (figure := figure_of(point["measures"][measure])) is not None:
            rates = figures.setdefault(result.names[point["sender"], point["receiver"]], {})
            rates[str(Rate(**point["rate"]))] = figure.value
    base = figures.pop(result.anchor_name, {})
    if not figures or not base:
        return []
    values = [[cells[rate] - base[rate] if rate in cells else None for rate in base] for cells in figures.values()]
    kind = result.measures[measure]
    changed = f"{title} gained" if kind.rises else f"Change in {title}"
    return [
        Heatmap(
            f"{changed} at equal bytes{result.noise}",
            [*figures],
            [*base],
            values,
            f"+.{kind.digits}f",
            signed=True,
            more_is_better=kind.rises,
            note=f"Difference of the means to {result.anchor_name} at each rate, of the set {at[0]}; blue is better.",
        )
    ]


def failures_table(record: Mapping[str, Any]) -> list[Table]:
    rows = [
        (str(failed["image"] or ""), str(failed["sender"] or failed["receiver"] or ""), str(failed["reason"]))
        for failed in record["failures"]
    ]
    title = f"Not measured: {len(rows)}"
    return [Table(title, ("picture", "encoder or receiver", "reason"), rows[:_WORST], text=3)] if rows else []
