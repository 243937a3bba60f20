"""Format the Markdown tables of encoders with a receiver behind them; a table without a result file is empty."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from benchmarks.markdown import percent, table
from benchmarks.record import tables_of
from restore.evaluation.measures import MEASURES

__all__ = ["at_rates", "pair"]

_PLAIN, _RECEIVER = "jpeg", "default"
_IN_SHORT = (0.25, 0.6, 1.2)  # bits per pixel in the table of the README
_BESIDES = "ssim", "ssimulacra2"  # measures with tables of their own
_UNSEEN = ("unseen",)  # photographs that no receiver was trained on
_SHARES = ("dnn", 0.5, 1.0)  # of the receiver's change, in the table of classifiers
Figures = dict[str, Any]


def pair() -> dict[str, str]:
    """All tables by name."""
    needs: dict[str, tuple[Callable[[Figures], str], tuple[str, ...]]] = {
        "pair in short": (partial(at_rates, rates=_IN_SHORT), ("receiver_pipeline",)),
        "pair": (at_rates, ("receiver_pipeline",)),
        **{f"pair {name}": (partial(at_rates, measure=name), ("receiver_pipeline",)) for name in _BESIDES},
        "pair gains": (gains, ("receiver_pipeline",)),
        "pair on pages": (at_rates, ("receiver_pipeline_pages",)),
        "pair progressive": (at_rates, ("receiver_pipeline_progressive",)),
        "pair in the loop": (at_rates, ("receiver_pipeline_loop",)),
        "turns": (turns, ("receiver_turns",)),
        "next turn": (turns, ("receiver_further",)),
        "classifiers": (classifiers, ("receiver_classifiers",)),
        "classifiers in short": (partial(classifiers, sets=_UNSEEN), ("receiver_classifiers",)),
        "classifiers of dncnn": (classifiers, ("receiver_classifiers_dncnn",)),
    }
    return tables_of(needs)


def at_rates(document: Figures, measure: str = "psnr", *, rates: tuple[float, ...] | None = None) -> str:
    """A measure without -> with the receiver at each rate, and BD-rates to both anchors."""
    anchor, digits, of = document["anchor"], MEASURES[measure].digits, _set(document)
    shown = rates or tuple(rate["value"] for rate in document["rates"])
    points = {(p["sender"], p["receiver"], p["rate"]["value"]): p for p in document["points"] if p["set"] == of}
    deltas = {
        (bd["sender"], bd["receiver"], bd["against"]["receiver"]): bd
        for bd in document["bd_rates"]
        if (bd["set"], bd["measure"]) == (of, measure)
    }
    count = max(point["images"] for point in points.values())
    rows = []
    for sender in document["senders"]:
        cells = []
        for value in shown:
            both = [points.get((sender, side, value)) for side in (_PLAIN, _RECEIVER)]
            cell = " -> ".join(f"{p['measures'][measure]['value']:.{digits}f}" if p else "-" for p in both)
            counts = {p["images"] for p in both if p} - {count}
            cells.append(cell + "".join(f" (n = {fewer})" for fewer in sorted(counts)))
        alone = [_percent(deltas.get((sender, side, _PLAIN))) for side in (_PLAIN, _RECEIVER)]
        rows.append([sender, *cells, " -> ".join(alone), _percent(deltas.get((sender, _RECEIVER, _RECEIVER)))])
    header = [f"{MEASURES[measure].title}, without -> with `{_RECEIVER}`", *(f"{value:g} bpp" for value in shown)]
    return table([*header, f"BD-rate to {anchor} alone, %", f"to {anchor} + `{_RECEIVER}`, %"], rows)


def gains(document: Figures) -> str:
    """PSNR that the receiver adds at each rate, in dB: mean and least of the photographs."""
    psnr = {(r["sender"], r["set"], r["image"], r["rate"]["value"], r["receiver"]): r for r in document["rows"]}
    shown = [rate["value"] for rate in document["rates"]]
    added: dict[tuple[str, float], list[float]] = {}
    for (sender, of, image, value, receiver), row in psnr.items():
        if receiver == _RECEIVER:
            decoded = psnr[sender, of, image, value, _PLAIN]["measures"]["psnr"]
            added.setdefault((sender, value), []).append(row["measures"]["psnr"] - decoded)
    rows = [
        [sender, *(_mean_and_least(added[sender, value]) if (sender, value) in added else "-" for value in shown)]
        for sender in document["senders"]
    ]
    return table([f"dB added by `{_RECEIVER}`, mean (least)", *(f"{value:g} bpp" for value in shown)], rows)


def _mean_and_least(values: list[float]) -> str:
    return f"{statistics.mean(values):+.2f} ({min(values):+.2f})"


def turns(document: Figures) -> str:
    """Mean PSNR over all photographs and rates behind each receiver, and BD-rates to default JPEG with `default`."""
    of = _set(document)
    receivers = list(dict.fromkeys(point["receiver"] for point in document["points"]))
    deltas = {
        (bd["sender"], bd["receiver"]): bd
        for bd in document["bd_rates"]
        if bd["set"] == of and bd["against"]["receiver"] == bd["receiver"] == _RECEIVER
    }
    rows = []
    for sender in document["senders"]:
        means = [_mean_psnr(document, of, sender, receiver) for receiver in receivers]
        delta = _percent(deltas.get((sender, _RECEIVER)))
        rows.append([sender, *(f"{mean:.2f}" for mean in means), delta])
    titles = (f"`{name}`, dB" for name in receivers)
    return table(["mean of all rates", *titles, f"BD-rate to {document['anchor']} + `{_RECEIVER}`, %"], rows)


def classifiers(document: Figures, sets: Sequence[str] | None = None) -> str:
    """Change of the divergence by the receiver for each network: mean over the encoders, and where it is worse."""
    rows = []
    for name in sets or document["sets"]:
        shares = document["shares"][name]
        shown = {share: shares.index(share) for share in _SHARES if share in shares}
        for network, encoders in document["sets"][name].items():
            count = next(iter(next(iter(encoders.values())).values()))["n"]
            qualities = list(next(iter(encoders.values())))
            for share, index in shown.items():
                by_quality = [[encoder[at] for encoder in encoders.values()] for at in qualities]
                cells = [f"{statistics.mean(e['kl'][index] - e['kl'][0] for e in each):+.2f}" for each in by_quality]
                worse = [e["kl_change"][index - 1][0] > 0 for each in by_quality for e in each]
                title = f"{name}, {network}, n = {count}, {_share(share)}"
                rows.append([title, *cells, f"{sum(worse)} of {len(worse)}"])
    return table(["nats", *(f"quality {at}" for at in qualities), "surely worse"], rows)


def _share(share: float | str) -> str:
    return f"`--for {share}`" if isinstance(share, str) else f"share {share:g}"


def _mean_psnr(document: Figures, of: str, sender: str, receiver: str) -> float:
    values: list[float] = [
        point["measures"]["psnr"]["value"]
        for point in document["points"]
        if (point["set"], point["sender"], point["receiver"]) == (of, sender, receiver)
    ]
    return statistics.mean(values)


def _set(document: Figures) -> str:
    """The union of all sets, or the only one."""
    names: list[str] = [point["set"] for point in document["points"]]
    return "all" if "all" in names else names[0]


def _percent(delta: Figures | None) -> str:
    """A BD-rate with its interval; that of the anchor to itself is 0."""
    return "0" if delta is None else percent(delta)
