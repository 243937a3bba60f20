"""Sections of a result of ``restore evaluate``: the same files read by several receivers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from optcodec.rates.measures import FITTED_MEASURES, MEASURES, Measure
from optcodec.rates.rates import Rate
from optcodec.rates.result import FORMAT
from optcodec.rates.rows import Curve, Row
from optcodec.rates.summary import bd_rates, points
from optcodec.report.page.rates import curves_part
from optcodec.report.page.sections import Part
from optcodec.report.page.words import listed, noise_sentence, number_of, were

__all__ = ["evaluate_part"]

_PLAIN = "jpeg"  # the receiver that only decodes
_CLASSICAL = {_PLAIN, "centroid", "deblock", "smooth"}
_VARIANTS = (":unprojected", ":dnn")  # ways to run a model of ours
_ABOUT = ("command", "versions", "packages", "machine", "date", "seed")
_NBYTES_PER_BPP = 10**6  # the result has no bytes; only the ratio of the sizes of a picture's files counts


def evaluate_part(record: Mapping[str, Any], path: str, subject: str | None) -> Part:
    """The part of a page about receivers, whose bytes at equal quality are computed from the rows of the result.

    Raises
    ------
    InvalidInputError, KeyError, TypeError, ValueError
        If the record is no such result.
    """
    sender, names = str(record["encoder"]), [str(name) for name in record["measures"]]
    measures = _described(names)
    rows = [_row(row, sender, names) for row in record["rows"]]
    if not rows:
        raise ValueError("it has no rows")
    receivers = list(dict.fromkeys(row.curve.receiver for row in rows))
    against = record["against"] if record["against"] in receivers else None
    plain = against or (_PLAIN if _PLAIN in receivers else receivers[0])
    seed = int(record["seed"])
    curves = {
        "format": FORMAT,
        "files_of_one_sender": True,  # curves are those of receivers, also if there is one only
        "subsampling": str(record["subsampling"]),
        "rates": [asdict(rate) for rate in dict.fromkeys(row.rate for row in rows)],
        "measures": {name: asdict(measure) for name, measure in measures.items()},
        "points": points(rows, seed=seed),
        "bd_rates": bd_rates(rows, lambda curve: [Curve(sender, plain, curve.sigma)], measures, seed=seed),
        "rows": [row.to_json() for row in rows],
        "failures": [],
    } | {name: record[name] for name in _ABOUT if name in record}
    ours = [name for name in receivers if _is_own(name, record.get("receivers"))]
    return curves_part(curves, path, subject, ours=ours, compared=_compared(record, rows, measures))


def _is_own(receiver: str, texts: Mapping[str, Any] | None) -> bool:
    """Whether a receiver is a network of ours, by what stands behind its label; earlier results have labels only.

    Networks of others and functions have a colon in it: ``dncnn:FILE``, ``package.module:function``.
    """
    text = receiver if texts is None else str(texts[receiver])
    text = text.rpartition(":")[0] if text.endswith(_VARIANTS) else text
    return text not in _CLASSICAL and ":" not in text


def _described(names: list[str]) -> dict[str, Measure]:
    known = MEASURES | FITTED_MEASURES
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"it has the measures {listed(unknown)}; expected some of {listed(list(known))}")
    return {name: known[name] for name in names}


def _row(record: Mapping[str, Any], sender: str, names: list[str]) -> Row:
    if missing := [name for name in names if name not in record]:
        raise ValueError(f"a row has no {listed(missing)}; expected the measures {listed(names)}")
    bpp = number_of(record["bpp"])
    curve = Curve(sender, str(record["receiver"]), number_of(record["sigma"]))
    figures = {name: float("inf") if record[name] is None else number_of(record[name]) for name in names}
    at = str(record["set"]), str(record["image"])
    return Row(*at, curve, Rate("quality", record["quality"]), max(1, round(_NBYTES_PER_BPP * bpp)), bpp, figures)


def _compared(record: Mapping[str, Any], rows: list[Row], measures: Mapping[str, Measure]) -> str:
    sets = f" of {listed(list(dict.fromkeys(row.set for row in rows)))}"
    pictures = were(len({(row.set, row.image) for row in rows}), "picture", sets)
    receivers = dict.fromkeys(row.curve.receiver for row in rows)
    qualities = [f"{value:g}" for value in dict.fromkeys(row.rate.value for row in rows)]
    planes = "colour" if record["protocol"] == "RGB" else "luminance"
    return (
        f"{pictures} coded by "
        f"{record['encoder']} at the qualities {listed(qualities)}.{noise_sentence(row.curve.sigma for row in rows)} "
        f"{listed(list(receivers))} made pictures of the same files, of which the {planes} was compared "
        f"with the originals by {listed([measure.title for measure in measures.values()])}."
    )
