"""Sections of a result of ``optcodec rates`` or ``restore pipeline``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optcodec.console.show import count
from optcodec.rates.summary import ALL_SETS
from optcodec.report.curves import Interval
from optcodec.report.page.curves_result import CurvesResult, change_against, curves_result
from optcodec.report.page.curves_tables import bytes_heatmap, failures_table, gain_heatmap, worst_table
from optcodec.report.page.sections import Change, Chart, Charts, Line, Panel, Part, Point, Savings, Section
from optcodec.report.page.words import INTERVALS, figure_of, listed, made_with, noise_sentence, roles, saving_sentences
from optcodec.report.rate_curves import RatePoint

__all__ = ["curves_part", "rates_part"]

_OWN = "optcodec"
_HINT = "hint"  # stands before a sender of `restore pipeline` whose files get hints


def rates_part(record: Mapping[str, Any], path: str, subject: str | None) -> Part:
    """The part of a page about a result of encoders; see `curves_part`."""
    result = curves_result(record, path)
    ours = [name for (sender, _), name in result.names.items() if _is_own(sender, record.get("encoders"))]
    return curves_part(record, path, subject, ours=ours, compared=_compared(result))


def _is_own(sender: str, encoders: Mapping[str, Any] | None) -> bool:
    """Whether a sender is optcodec, by what stands behind its label; earlier results have labels only."""
    if encoders is None:
        return sender.startswith(_OWN)
    text = str(encoders[sender])
    hint, _, hinted = text.partition(":")
    return (hinted if hint.partition("@")[0] == _HINT else text).partition(":")[0] == _OWN


def curves_part(
    record: Mapping[str, Any], path: str, subject: str | None, *, ours: Sequence[str], compared: str
) -> Part:
    """The part of a page about curves of pictures' quality over the rate.

    Parameters
    ----------
    record : mapping
        A result in the layout of ``optcodec rates``.
    path : str
        Where it is from, for messages.
    subject : str, optional
        Name of the curve that the headline is about.
    ours : sequence of str
        Names of the curves that are not rivals of one another.
    compared : str
        What was compared, in a sentence.

    Raises
    ------
    InvalidInputError, KeyError, TypeError, ValueError
        If the record is no such result.
    """
    result = curves_result(record, path)
    measure, changes = _changes(result, subject, ours)
    headline = [_why_nothing_is_compared(result)] if measure is None else []
    sections: list[Section] = [_charts(result), *bytes_heatmap(result), *gain_heatmap(result)]
    if measure is not None:
        headline = _headline(result, measure, changes)
        title = f"Bytes saved {result.at_equal(measure)}, in % of those of {result.anchor_name}"
        note = "The Bjøntegaard rate of one picture, which compares whole curves."
        if len(_pictures(result)) > 1:
            note = f"Mean over the pictures of the Bjøntegaard rate, which compares whole curves. {INTERVALS}"
        names = [change.name for role in ("subject", "rival") for change in changes if change.role == role]
        sections = [Savings(title, changes, note), *sections, *worst_table(result, measure, names)]
    sections += failures_table(record)
    command, made = str(record.get("command", "")), made_with(record)
    return Part("What was measured", compared, headline, sections, command, made)


def _compared(result: CurvesResult) -> str:
    pictures = count(len(_pictures(result)), "picture")
    senders = list(dict.fromkeys(sender for sender, _ in result.names))
    receivers = list(dict.fromkeys(receiver for _, receiver in result.names))
    sets = [name for name in result.sets if name != ALL_SETS]
    rates = count(len(result.record["rates"]), "rate")
    readers = f", and {listed(receivers)} made pictures of the files" if len(receivers) > 1 else ""
    return (
        f"{listed(senders)} coded {pictures} of {listed(sets)} at {rates}, with chroma subsampling "
        f"{result.read.subsampling}{readers}.{noise_sentence(result.sigmas)} The decoded pictures were compared "
        f"with the originals by {listed([measure.title for measure in result.measures.values()])}. "
        "Rates are those of whole files."
    )


def _changes(result: CurvesResult, subject: str | None, ours: Sequence[str]) -> tuple[str | None, list[Change]]:
    """The first measure by which curves can be compared, and their changes in bytes by it."""
    anchor = result.anchor
    for measure in result.measures:
        changes = [
            Change(result.names[bd["sender"], bd["receiver"]], percent)
            for bd in result.record["bd_rates"]
            if (bd["set"], bd["sigma"], bd["measure"]) == (result.sets[0], result.sigmas[0], measure)
            and (bd["against"]["sender"], bd["against"]["receiver"]) == anchor
            and (percent := figure_of(bd)) is not None
        ]
        if changes:
            zero = Change(result.names[anchor], Interval(0, 0, 0))
            return measure, roles([zero, *changes], ours, subject)
    return None, []


def _why_nothing_is_compared(result: CurvesResult) -> str:
    """Why there are no bytes at equal quality: of several reasons, that of the first two curves."""
    for bd in result.record["bd_rates"]:
        if (bd["set"], bd["sigma"]) == (result.sets[0], result.sigmas[0]) and "reason" in bd:
            names = result.names[bd["sender"], bd["receiver"]], result.name_of_anchor(bd)
            return f"{listed(names)} cannot be compared {result.at_equal(bd['measure'])}: {bd['reason']}."
    if len(result.names) == 1:
        return f"Only {result.anchor_name} was measured: there is nothing to compare it with."
    return "What all are compared with was not measured."


def _headline(result: CurvesResult, measure: str, changes: Sequence[Change]) -> list[str]:
    """What the subject saves at equal quality, what its strongest rival does, both directly, and what has no figure."""
    by_role = {change.role: change.name for change in changes}
    name, other = by_role["subject"], by_role.get("rival")
    direct = None
    if other is not None and result.anchor_name not in (name, other):
        direct = change_against(result, measure, name, other, result.rows)
    left_out = [name for name in result.names.values() if name not in [change.name for change in changes]]
    sentences = saving_sentences(changes, result.at_equal(measure), result.anchor_name, direct)
    return [*sentences, *([f"Not compared: {listed(left_out)}."] if left_out else [])]


def _pictures(result: CurvesResult) -> set[tuple[str, str]]:
    """Set and name of each picture."""
    return {(row.set, row.image) for row in result.rows}


def _charts(result: CurvesResult) -> Charts:
    """A panel for each set and noise, a chart for each measure: colours are senders, dashes are receivers."""
    noisy = any(result.sigmas)
    panels = [
        Panel(f"{name}, noise {sigma:g}" if noisy else name, charts)
        for name in result.sets
        for sigma in result.sigmas
        if (charts := _panel(result, [p for p in result.read.points if (p.set, p.sigma) == (name, sigma)]))
    ]
    bars = f"Vertical bars are intervals. {INTERVALS} " if len(_pictures(result)) > 1 else ""
    note = f"{bars}Rates are those of whole files."
    return Charts("Quality over rate", "Set of pictures", panels, note)


def _panel(result: CurvesResult, points: Sequence[RatePoint]) -> list[Chart]:
    anchor = result.anchor
    pairs = sorted(result.names, key=lambda pair: pair != anchor)
    senders, receivers = (list(dict.fromkeys(pair[side] for pair in pairs)) for side in (0, 1))
    one = len(senders) == 1
    charts = []
    for measure, title in result.read.titles.items():
        lines = []
        for pair in pairs:
            along = [p for p in points if (p.sender, p.receiver) == pair and measure in p.measures]
            drawn = [Point(p.bpp, p.measures[measure]) for p in sorted(along, key=lambda p: p.bpp)]
            colour = receivers.index(pair[1]) if one else senders.index(pair[0])
            dash = 0 if one else receivers.index(pair[1])
            lines += [Line(result.names[pair], drawn, colour, dash)] if drawn else []
        charts += [Chart(f"{title} over rate", "bits per pixel", title, lines)] if lines else []
    return charts
