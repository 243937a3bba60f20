"""Figures and tables of `lighter.py` and `others.py`: PSNR and MACs of networks, with an interval where it counts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmarks.accelir.report import (
    DIGITS,
    OURS,
    REFERENCE,
    Figure,
    Floats,
    Measured,
    Record,
    Rows,
    bd_figures,
    difference,
    digests,
    figure,
    together,
)
from benchmarks.markdown import signed, table

Figures = dict[str, Any]


def lighter(records: Sequence[Record], macs: dict[str, dict[str, float]]) -> Figures:
    """The result of `lighter.py quality`.

    For each task and rate the mean PSNR by method and receiver, and the change of MACs in % at the PSNR that the widest
    network has with default JPEG. Between networks, PSNR is interpolated linearly in the logarithm of the MACs;
    ``at_least`` is true if the narrowest network with our files is already better: the change would be larger with a
    still narrower one. For each receiver BD-PSNR in dB over default JPEG.
    """
    measured, tasks = Measured(records), {}
    for task, costs in macs.items():
        rates = sorted({record["bpp"] for record in records if record["task"] == task})
        curves = {
            network: {
                method: [measured.rows(task, network, task, method, bpp) for bpp in rates]
                for method in dict.fromkeys(record["method"] for record in records if record["task"] == task)
            }
            for network in sorted(costs, key=costs.__getitem__)
        }
        networks = [network for network in curves if costs[network]]
        by_rate = {}
        for number, bpp in enumerate(rates):
            psnr_db = {
                method: {network: _mean(curves[network][method][number]) for network in curves}
                for method in curves[networks[-1]]
            }
            rows = [curves[network][method][number] for method in (REFERENCE, OURS) for network in networks]
            change = _change(together(*rows), [costs[network] for network in networks])
            by_rate[f"{bpp:g}"] = {"psnr_db": psnr_db, "change_percent": change}
        tasks[task] = {
            "macs_per_pixel": costs,
            "rates": by_rate,
            "bd_psnr_db": {network: _bd_psnr(rows[REFERENCE], rows[OURS]) for network, rows in curves.items()},
        }
    return {"tasks": tasks, "digests": digests(records)}


def _bd_psnr(reference: Sequence[Rows], test: Sequence[Rows]) -> Figure | None:
    """BD-PSNR in dB of a method over another; None if the curves do not overlap."""
    known = bd_figures(reference, test)
    return known and known["bd_psnr_db"]


def _mean(rows: Rows) -> float:
    return round(float(together(rows).mean()), DIGITS)


def _change(columns: Floats, costs: Sequence[float]) -> Figure:
    """Change of MACs in % from PSNR of shape (photographs, 2 * networks): default JPEG first, then our files."""
    means = columns.mean(axis=0)
    enough = bool(means[len(costs)] >= means[len(costs) - 1])
    return figure(columns, partial(_change_of_means, logs=np.log(costs))) | {"at_least": enough}


def _change_of_means(columns: Floats, logs: Floats) -> float:
    jpeg, ours = np.split(columns.mean(axis=0), [len(logs)])
    rising = np.maximum.accumulate(ours)
    if rising[-1] < jpeg[-1]:
        return float("nan")
    needed = np.interp(jpeg[-1], rising, logs)
    return float(100 * (np.exp(needed - logs[-1]) - 1))


def change_shown(change: Figures) -> str:
    """A change of MACs in %, with "at least" if the narrowest network is already good enough."""
    return ("at least " if change["at_least"] else "") + signed(change, 0)


def lighter_table(measured: Figures, latency: Figures, published: Figures, titles: dict[str, str]) -> str:
    """PSNR and MACs of the widest network with default JPEG, and of all receivers with our files, as in Table 2.

    The paper's change of FLOPs is the mean of its networks.
    """
    header = ["network", "milliseconds", "kMAC a pixel", "files", "low rate, dB", "middle rate, dB", "high rate, dB"]
    header += ["BD-PSNR, dB"]
    rows = []
    for task, figures in measured["tasks"].items():
        costs, title = figures["macs_per_pixel"], titles[task]
        by_rate = figures["rates"].values()
        rows.append([f"**{title}**, {', '.join(figures['rates'])} bpp", *[""] * 7])
        for network, macs in costs.items():
            spent = latency["milliseconds_median_and_quartiles"][task][network][0]
            about = [f"`{network}`" if macs else network, f"{spent:.1f}", f"{macs / 1000:.1f}"]
            for method in next(iter(figures["rates"].values()))["psnr_db"]:
                gain = signed(figures["bd_psnr_db"][network]) if method == OURS else ""
                shown = [f"{part['psnr_db'][method][network]:.2f}" for part in by_rate]
                rows.append([*about, method, *shown, gain])
        changes = [change_shown(part["change_percent"]) for part in by_rate]
        rows.append([f"FLOPs at equal PSNR, %; the paper: {published[task]:+d}", "", "", "", *changes, ""])
    return table(header, rows)


def others(records: Sequence[Record], macs: dict[str, float]) -> Figures:
    """The result of `others.py`: by network and rate the mean PSNR by method, and gains in dB over default JPEG."""
    measured, networks = Measured(records), {}
    for network, cost in macs.items():
        known = [record for record in records if record["network"] == network]
        task, rates = known[0]["task"], sorted({record["bpp"] for record in known})
        rows = {
            method: [measured.rows(task, network, task, method, bpp) for bpp in rates]
            for method in dict.fromkeys(record["method"] for record in known)
        }
        gains = {
            method: {
                f"{bpp:g}": difference(ours, jpeg) for bpp, ours, jpeg in zip(rates, part, rows[REFERENCE], strict=True)
            }
            for method, part in rows.items()
            if method != REFERENCE
        }
        networks[network] = {
            "task": task,
            "macs_per_pixel": round(cost),
            "psnr_db": {f"{bpp:g}": _mean(part) for bpp, part in zip(rates, rows[REFERENCE], strict=True)},
            "gain_db": gains,
            "bd_psnr_db": {method: _bd_psnr(rows[REFERENCE], rows[method]) for method in gains},
            "receiver_over_rdo": _bd_psnr(rows["rdo"], rows["receiver"]),
        }
    return {"networks": networks, "digests": {record["network"]: record["digest"] for record in records}}


def others_table(measured: Figures, titles: dict[str, str]) -> str:
    """PSNR with default JPEG and gains at equal FLOPs at three rates, with BD-PSNR, by network."""
    header = ["network", "kMAC a pixel", "files", "low rate, dB", "middle rate, dB", "high rate, dB", "BD-PSNR, dB"]
    rows = []
    for name, network in measured["networks"].items():
        cost = f"{network['macs_per_pixel'] / 1000:.0f}"
        title = f"{titles[network['task']]}: {name}, {', '.join(network['psnr_db'])} bpp"
        rows.append([title, cost, "jpeg", *(f"{value:.2f}" for value in network["psnr_db"].values()), ""])
        for method, gains in network["gain_db"].items():
            rows.append(["", "", method, *map(signed, gains.values()), signed(network["bd_psnr_db"][method])])
        rows.append(["", "", "receiver over rdo", "", "", "", signed(network["receiver_over_rdo"])])
    return table(header, rows)
