"""Sections of a result of ``optcodec accuracy``: what coding does to a network's decisions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from optcodec.accuracy.rows import Rows
from optcodec.console.show import count
from optcodec.errors import InvalidInputError
from optcodec.report.curves import SETTINGS, Interval, Result, method_name, result_in
from optcodec.report.curves import Point as Measured
from optcodec.report.page.sections import (
    Change,
    Chart,
    Charts,
    Heatmap,
    Level,
    Line,
    Panel,
    Part,
    Point,
    Savings,
    Table,
)
from optcodec.report.page.words import INTERVALS, figure_of, listed, made_with, roles, saving_sentences

__all__ = ["accuracy_part"]

_OURS = ("opts", "rdopt")  # families of methods that know the network; the others are their rivals
_WORST = 10
_BD = {"bd_rate_loss_percent": "at equal loss", "bd_rate_top1_percent": "at equal top-1 accuracy"}


def accuracy_part(record: Mapping[str, Any], path: str, subject: str | None) -> Part:
    """The part of a page about the accuracy of a network on coded pictures.

    Raises
    ------
    InvalidInputError, KeyError, TypeError, ValueError
        If the record is no such result.
    """
    result, curves = result_in(record, path), record["comparisons"]["curves"]
    baseline = str(record["comparisons"]["baseline"])
    setting, where, changes = _changes(curves, baseline, subject)
    headline = ["The curves have too few points in common to compare bytes at equal loss."]
    sections: list[Any] = []
    if where:
        headline = saving_sentences(changes, where, method_name(baseline))
        title = f"Bytes saved {where}, in % of those of {method_name(baseline)}"
        sections.append(Savings(title, changes, f"{_setting(setting)}. {INTERVALS}"))
    sections += [_charts(result, setting), *_heatmap(curves, baseline)]
    about = next((change.name for change in changes if change.role == "subject"), None)
    sections += _worst(record, path, setting, about)
    compared = _compared(record, result)
    made = made_with(record)
    return Part("What was measured", compared, headline, sections, str(record.get("command", "")), made)


def _setting(setting: str) -> str:
    words = SETTINGS.get(setting, setting)
    return words[:1].upper() + words[1:]


def _compared(record: Mapping[str, Any], result: Result) -> str:
    methods = [method_name(method) for method in dict.fromkeys(point.method for point in result.points)]
    pictures = count(record["uncompressed"]["images"], "picture")
    data = f" of {record['data']}" if "data" in record else ""
    return (
        f"The network {record['model']} classified {pictures}{data}, coded with tables of {listed(methods)} at "
        f"chroma subsampling {record['subsampling']}. Rates are those of whole files."
    )


def _figures(curve: Mapping[str, Any]) -> dict[str, Interval | None]:
    """Changes in bytes of a curve by what is equal: those of whole curves, then those at the loss of one quality."""
    figures = {where: figure_of(curve[name]) for name, where in _BD.items()}
    for at in curve["at_loss"]:
        where = f"at the loss of quality {at['baseline_level']:g}"
        figures[where] = figure_of(at["change_percent"])
    return figures


def _changes(curves: Sequence[Mapping[str, Any]], baseline: str, subject: str | None) -> tuple[str, str, list[Change]]:
    """Setting, what is equal, and the changes in bytes by it: whole curves first, where most methods are compared."""
    figures = [
        (where, str(curve["setting"]), str(curve["method"]), figure)
        for curve in curves
        if curve["method"] != baseline
        for where, figure in _figures(curve).items()
        if figure is not None
    ]
    known = Counter((where, setting) for where, setting, _, _ in figures)
    measured = dict.fromkeys(where for where, _ in known)
    where = next((where for where in [*_BD.values(), *measured] if where in measured), None)
    if where is None:
        return "", "", []
    setting = max((at for of, at in known if of == where), key=lambda at: known[where, at])
    by_method = {method: figure for of, at, method, figure in figures if (of, at) == (where, setting)}
    changes = [Change(method_name(m), percent) for m, percent in ({baseline: Interval(0, 0, 0)} | by_method).items()]
    ours = [method_name(method) for method in by_method if method.partition(":")[0] in _OURS]
    return setting, where, roles(changes, ours, subject)


def _charts(result: Result, first: str) -> Charts:
    """A panel for each setting, that of the headline first: accuracy and loss over the rate."""
    methods = list(dict.fromkeys(point.method for point in result.points))
    panels = []
    for setting in sorted(dict.fromkeys(point.setting for point in result.points), key=lambda at: at != first):
        lines: dict[str, list[Measured]] = {}
        for point in sorted(result.points, key=lambda point: point.bpp):
            if point.setting == setting:
                lines.setdefault(point.method, []).append(point)
        panels.append(Panel(_setting(setting), [_accuracy(result, lines, methods), _loss(lines, methods)]))
    note = (
        "Vertical bars are intervals of the difference from the uncompressed pictures, paired. "
        f"{INTERVALS} Rates are those of whole files."
    )
    return Charts("Accuracy and loss over rate", "What is equal", panels, note)


def _accuracy(result: Result, lines: Mapping[str, Sequence[Measured]], methods: Sequence[str]) -> Chart:
    top1 = result.uncompressed_top1_percent.value
    drawn = [
        Line(
            method_name(method),
            [Point(p.bpp, _around(top1, p)) for p in lines[method]],
            methods.index(method),
        )
        for method in methods
        if method in lines
    ]
    level = Level("uncompressed", top1)
    return Chart("Top-1 accuracy over rate", "bits per pixel", "top-1 accuracy (%)", drawn, level)


def _around(top1: float, point: Measured) -> Interval:
    """The accuracy, with the interval of its difference from that of the uncompressed pictures."""
    change = point.top1_change_points
    return Interval(point.top1_percent, top1 + change.low, top1 + change.high)


def _loss(lines: Mapping[str, Sequence[Measured]], methods: Sequence[str]) -> Chart:
    drawn = [
        Line(method_name(method), [Point(p.bpp, p.loss_increase) for p in lines[method]], methods.index(method))
        for method in methods
        if method in lines
    ]
    values = [point.y.value for line in drawn for point in line.points]
    below = max(values) / 50 if max(values) > max(10 * min(values), 0) else None
    title = "increase of cross-entropy (nats)"
    return Chart("Loss over rate", "bits per pixel", title, drawn, Level("uncompressed", 0), below)


def _heatmap(curves: Sequence[Mapping[str, Any]], baseline: str) -> list[Heatmap]:
    """Changes in bytes of all methods in all settings, by all that can be equal."""
    several = len({curve["setting"] for curve in curves}) > 1
    rows = {
        f"{method_name(str(curve['method']))}{', setting ' + str(curve['setting']) if several else ''}": _figures(curve)
        for curve in curves
        if curve["method"] != baseline
    }
    columns = dict.fromkeys(where for figures in rows.values() for where in figures)
    values = {
        name: [None if (figure := figures.get(where)) is None else figure.value for where in columns]
        for name, figures in rows.items()
    }
    known = {name: row for name, row in values.items() if any(value is not None for value in row)}
    if not known:
        return []
    note = f"In % of the bytes of {method_name(baseline)}; blue cells save bytes, red ones need more. Empty: not known."
    title = "Change in bytes by everything that can be equal"
    return [Heatmap(title, [*known], [*columns], [*known.values()], "+.1f", signed=True, note=note)]


def _worst(record: Mapping[str, Any], path: str, setting: str, name: str | None) -> list[Table]:
    """The pictures whose loss grew most in the files of a method, from the rows beside the result, if they are there.

    They are those of the level in the middle.
    """
    file = Path(path).parent / str(record.get("rows", ""))
    if name is None or not file.is_file():
        return []
    rows = Rows.load(file)
    chosen = [
        index
        for index, condition in enumerate(rows.conditions)
        if (method_name(condition.method), condition.setting) == (name, setting)
    ]
    if not chosen:
        raise InvalidInputError(f"{file} has no rows of {name} in the setting {setting}, which {path} has")
    middle = sorted(chosen, key=lambda index: float(rows.nbytes[index].sum()))[len(chosen) // 2]
    increase = rows.loss[middle].astype(np.float64) - rows.reference_loss
    order = np.argsort(-increase, kind="stable")[:_WORST].tolist()
    kept = rows.predicted[middle] == rows.reference_predicted
    table = [
        (rows.images[i], f"{increase[i]:+.3f}", "same" if kept[i] else "changed", f"{rows.nbytes[middle, i]:,}")
        for i in order
    ]
    note = (
        f"{name} at the level {rows.conditions[middle].level:g}, the middle one of {len(chosen)}; the pictures whose "
        "loss grew most first."
    )
    return [Table(f"Worst pictures of {name}", ("picture", "increase of the loss", "decision", "bytes"), table, note)]
