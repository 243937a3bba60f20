"""Sections of what ``optcodec verify --json`` printed: what coding changed for a network, picture by picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optcodec.report.page.files import found, motifs
from optcodec.report.page.pictures import Named
from optcodec.report.page.sections import Change, Part, Savings, Section, Table
from optcodec.report.page.words import change_sentence, figure_of, made_with, number_of, saved

__all__ = ["verify_part"]

_FIGURES = {
    "agreement_percent": ("same decision, %", ".1f"),
    "loss_increase": ("increase of the loss, nats", "+.4f"),
    "kl": ("divergence (Kullback-Leibler), nats", ".4f"),
    "top1_percent_before": ("top-1 accuracy before, %", ".1f"),
    "top1_percent_after": ("top-1 accuracy after, %", ".1f"),
    "top1_change_points": ("change of top-1 accuracy, points", "+.1f"),
}
_WORST = 10


def verify_part(record: Mapping[str, Any], path: str) -> Part:
    """The part of a page about a verification.

    Raises
    ------
    InvalidInputError, KeyError, TypeError, ValueError
        If the record is no such result, or no picture could be measured.
    """
    figures, network = record["figures"], str(record["network"])
    if figures is None:
        raise ValueError("no picture could be measured")
    kept = figure_of(figures["saved_percent"])
    loss = figure_of(figures["loss_increase"])
    if kept is None or loss is None:
        raise ValueError("it has no figures")
    percent = saved(kept)
    headline = [
        f"{change_sentence('Coding', percent, 'the original files')}.",
        f"The loss of {network} changes by {loss.value:+.4f} nats ({loss.low:+.4f} to {loss.high:+.4f}).",
    ]
    note = (
        "The change of all files together. Intervals (95 %) say how far other pictures of the same kind may be from "
        "these."
    )
    sections: list[Section] = [
        Savings("Bytes saved, in % of those of the original files", [Change("coded files", percent, "subject")], note),
        _table(figures),
        *_limits(record["limits"]),
        *_worst(record["files"], figures["worst"]),
    ]
    files = []
    for name in map(str, figures["worst"]):
        before, after = (found(f"{record[side]}/{name}", path) for side in ("before", "after"))
        if before is not None and after is not None:
            files.append((name, [Named("original", before), Named("coded", after)]))
    sections += motifs(files)
    compared = (
        f"{figures['images']} pictures of {record['before']} were compared with their coded files in {record['after']} "
        f"as {network} sees them, with the labels: {record['labels']}."
    )
    return Part("What was verified", compared, headline, sections, str(record.get("command", "")), made_with(record))


def _table(figures: Mapping[str, Any]) -> Table:
    rows = []
    for name, (title, form) in _FIGURES.items():
        figure = None if figures[name] is None else figure_of(figures[name])
        if figure is not None:
            rows.append((title, *(format(end, form) for end in (figure.value, figure.low, figure.high))))
    return Table("What the network sees", ("figure", "value", "95 % from", "to"), rows)


def _limits(limits: Sequence[Mapping[str, Any]]) -> list[Table]:
    rows = [
        (
            f"--{str(each['name']).replace('_', '-')}",
            f"{number_of(each['limit']):g}",
            f"{number_of(each['reached']):.4g}",
            "kept" if each["kept"] else "not kept",
        )
        for each in limits
    ]
    return [Table("Limits", ("limit", "value", "worse end of the interval", "verdict"), rows)] if rows else []


def _worst(files: Sequence[Mapping[str, Any]], worst: Sequence[str]) -> list[Table]:
    by_name = {str(each["name"]): each for each in files}
    rows = [
        (
            name,
            f"{number_of(by_name[name]['loss_increase']):+.4f}",
            f"{number_of(by_name[name]['kl']):.4f}",
            f"{by_name[name]['nbytes_before']:,}",
            f"{by_name[name]['nbytes_after']:,}",
        )
        for name in worst[:_WORST]
    ]
    columns = ("picture", "loss", "divergence", "bytes before", "bytes after")
    return [Table("Worst pictures", columns, rows, "The pictures whose loss grew most.")] if rows else []
