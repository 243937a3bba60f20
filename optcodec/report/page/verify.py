"""Sections of what ``optcodec verify --json`` printed: what coding changed for a network, picture by picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optcodec.report.curves import Interval
from optcodec.report.page.files import found, motifs
from optcodec.report.page.pictures import Named
from optcodec.report.page.sections import Change, Part, Savings, Section, Table
from optcodec.report.page.words import (
    INTERVALS,
    change_sentence,
    figure_of,
    has_ends,
    made_with,
    number_of,
    saved,
    were,
)

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
    kept = _figure(figures, "saved_percent")
    if kept is None:
        raise ValueError("it has no figures")
    percent = saved(kept)
    headline = [f"{change_sentence('Coding', percent, 'the original files')}.", _effect(figures, network)]
    note = "The change of all files together."
    if figures["images"] > 1:
        note += f" {INTERVALS}"
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
    pictures = were(figures["images"], "picture", f" of {record['before']}")
    compared = (
        f"{pictures} compared with the coded files in {record['after']} "
        f"as {network} sees them, with the labels: {record['labels']}."
    )
    return Part("What was verified", compared, headline, sections, str(record.get("command", "")), made_with(record))


def _figure(figures: Mapping[str, Any], name: str) -> Interval | None:
    """A figure with its interval; None if there is none."""
    return None if figures[name] is None else figure_of({**figures[name], "images": figures["images"]})


def _ends(figure: Interval, form: str) -> tuple[str, str]:
    """The ends of an interval, empty without one."""
    return (format(figure.low, form), format(figure.high, form)) if has_ends(figure) else ("", "")


def _effect(figures: Mapping[str, Any], network: str) -> str:
    """A sentence on what coding does to a network: to its loss, or to outputs that have none."""
    of_loss = figures["loss_increase"] is not None
    figure = _figure(figures, "loss_increase" if of_loss else "agreement_percent")
    if figure is None:
        raise ValueError("it has no figures")
    if of_loss:
        interval = f" ({figure.low:+.4f} to {figure.high:+.4f})" if has_ends(figure) else ""
        return f"The loss of {network} changes by {figure.value:+.4f} nats{interval}."
    interval = f" ({figure.low:.1f} to {figure.high:.1f} %)" if has_ends(figure) else ""
    return f"{figure.value:.1f} % of what {network} sees stays as it is on the originals{interval}."


def _table(figures: Mapping[str, Any]) -> Table:
    rows = []
    for name, (title, form) in _FIGURES.items():
        figure = _figure(figures, name)
        if figure is not None:
            rows.append((title, format(figure.value, form), *_ends(figure, form)))
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
    rows = [(name, *_seen(by_name[name]), *_sizes(by_name[name])) for name in worst[:_WORST]]
    if not rows:
        return []
    of_loss = all(each["loss_increase"] is not None for each in files)
    seen = ("loss", "divergence") if of_loss else ("the same, %",)
    note = "The pictures whose loss grew most." if of_loss else "The pictures that agree least."
    return [Table("Worst pictures", ("picture", *seen, "bytes before", "bytes after"), rows, note)]


def _seen(file: Mapping[str, Any]) -> tuple[str, ...]:
    """What coding changed in a picture for the network."""
    if file["loss_increase"] is None:
        return (f"{100 * number_of(file['map_agreement']):.1f}",)
    return f"{number_of(file['loss_increase']):+.4f}", f"{number_of(file['kl']):.4f}"


def _sizes(file: Mapping[str, Any]) -> tuple[str, str]:
    return f"{file['nbytes_before']:,}", f"{file['nbytes_after']:,}"
