"""Fill the tables of the documents with the figures of the committed results.

    python -m benchmarks.accuracy.tables

writes every table of all benchmarks between its marks (``<!-- table: NAME -->`` and ``<!-- end -->``). The tables of
the accuracy benchmarks are formatted here, the others in the ``tables`` module of their folder.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from benchmarks.accelir.tables import accelir
from benchmarks.accuracy.agreement_tables import agreements
from benchmarks.accuracy.loop_tables import network_loop
from benchmarks.conformance.tables import conformance
from benchmarks.documents.demo import of_network
from benchmarks.documents.measured import measured
from benchmarks.markdown import percent, table
from benchmarks.rates.tables import (
    in_short_for_eyes,
    page_rates,
    pages_in_short,
    parts,
    people,
    people_in_short,
    rate_distortion,
    rivals,
    strongest,
    strongest_in_short,
    subsampling_choice,
)
from benchmarks.receiver.pair import pair
from benchmarks.receiver.tables import receiver
from benchmarks.record import ROOT, load_result
from benchmarks.speed.tables import speed

TITLES = {"mobilenet_v2": "MobileNetV2", "squeezenet1_1": "SqueezeNet 1.1"}
NETWORKS = tuple(TITLES)
BASELINE = "JPEG, 4:2:0"
PLAIN = "OptS (eq. 14), 4:4:4"
OURS = "RD-OPT, at quality 40, 4:2:0"
DOCUMENTS = (
    "README.md",
    "docs/what-not-to-do.md",
    "docs/tuning.md",
    "docs/networks.md",
    "docs/restoring.md",
    "docs/blocks.md",
    "docs/speed.md",
    "docs/datasets.md",
    "benchmarks/README.md",
    "restore/data/models/README.md",
    "restore/data/tasks/README.md",
    "optcodec/data/qpnet/README.md",
    "docs/measured.md",
    "docs/conformance.md",
)
Figure = dict[str, Any]


def fill() -> None:
    """Fill the tables of all documents."""
    for name in DOCUMENTS:
        path = ROOT / name
        path.write_text(filled(path.read_text("utf-8")), "utf-8")


def filled(text: str) -> str:
    """Replace each table of a text, between its marks, by the one that the results give."""
    formatted = tables()
    return re.sub(
        r"(<!-- table: (.*?) -->\n).*?(<!-- end -->)",
        lambda mark: f"{mark[1]}{formatted[mark[2]]}\n{mark[3]}",
        text,
        flags=re.DOTALL,
    )


def tables() -> dict[str, str]:
    """All tables by the name in their marks."""
    return {
        "in short": in_short(),
        "setting 1": "\n\n".join(setting_1(name) for name in NETWORKS),
        "equal bytes": "\n\n".join(equal_bytes(name) for name in NETWORKS),
        "beyond OptS": variant_table("beyond_opts"),
        "generalization": generalization(),
        "trellis for networks": variant_table("rdo_accuracy"),
        "rate and distortion 4:2:0": rate_distortion("4:2:0"),
        "rate and distortion 4:4:4": rate_distortion("4:4:4"),
        "rate and distortion in short": in_short_for_eyes(),
        "rivals": rivals(),
        "parts": parts(),
        "pages": page_rates(),
        "pages in short": pages_in_short(),
        "strongest": strongest(),
        "strongest in short": strongest_in_short(),
        "people": people(),
        "people in short": people_in_short(),
        "subsampling": subsampling_choice(),
        "demo: network": of_network(),
        **agreements(),
        **network_loop(),
        **receiver(),
        **pair(),
        **accelir(),
        **conformance(),
        **speed(),
        **measured(),
    }


def setting_1(name: str) -> str:
    """Bits per pixel and top-1 accuracy in % of the authors' implementation and of ours, by quality."""
    published = json.loads((Path(__file__).parent / "published.json").read_text("utf-8"))
    theirs = published["networks"][name]
    document = load_result(f"rate_accuracy_{name}_444")
    ours = {(p["method"], p["level"]): p for p in document["points"] if p["setting"] == "1"}
    methods = [("jpeg", "JPEG"), ("optd", "OptD"), ("opts", "OptS")]
    known = [method for method in methods if method[0] in theirs]
    header = ["QF", *(f"{title}, authors" for _, title in known), *(f"{title}, here" for _, title in methods)]
    rows = []
    for place, quality in enumerate(published["qualities"]):
        cells = [f"{theirs[m]['bpp'][place]:.2f}: {theirs[m]['top1'][place]:.1f}" for m, _ in known]
        for method, _ in methods:
            point = ours[method, quality]
            top1 = point["top1_percent"]
            rate = f"{point['bpp']['value']:.2f}"
            cells.append(f"{rate}: {top1['value']:.1f} [{top1['low']:.0f}, {top1['high']:.0f}]")
        rows.append([str(quality), *cells])
    top1 = document["uncompressed"]["top1_percent"]
    title = f"{TITLES[name]}; uncompressed: {theirs['uncompressed']:.1f} (authors), "
    title += f"{top1['value']:.1f} [{top1['low']:.0f}, {top1['high']:.0f}] (here)."
    return f"{title}\n\n{table(header, rows)}"


def at_margin(curve: Figure, margin: float) -> str:
    """Format the rate at which accuracy falls by a margin in points, and its change in % where that is known."""
    record = next(row for row in curve["at_accuracy"] if row["margin_points"] == margin)
    rate, change = record["bpp"], percent(record["change_percent"])
    if rate is None or rate["value"] is None:
        return "-"
    return f"{rate['value']:.2f}" + ("" if change == "-" else f" ({change})")


def equal_bytes(name: str) -> str:
    """BD-rates in % of all methods against default JPEG and against plain OptS."""
    summary = load_result("accuracy_summary")["networks"][name]
    against_opts = {curve["method"]: curve for curve in summary[PLAIN]}
    rows = []
    for curve in summary[BASELINE]:
        method = curve["method"]
        other = against_opts[method]
        figures = [percent(compared.get("bd_rate_loss_percent")) for compared in (curve, other)]
        rows.append([method, *figures, at_margin(curve, 0.5), at_margin(curve, 1.0)])
    header = [TITLES[name], "BD-rate to JPEG at 4:2:0, %", "to plain OptS, %", "bpp at -0.5 points", "bpp at -1 point"]
    return table(header, rows)


def in_short() -> str:
    """Change of the rate in % at equal loss, against default JPEG."""
    summaries = [load_result("accuracy_summary")["networks"][name][BASELINE] for name in NETWORKS]
    curves_by_method = [{curve["method"]: curve for curve in summary} for summary in summaries]
    shown = {PLAIN: "OptS as published, 4:4:4", "RD-OPT, clean, 4:4:4": "the same profile, RD-OPT, 4:4:4"}
    shown |= {"OptS (eq. 14), 4:2:0": "OptS as published, 4:2:0"}
    shown |= {OURS: "profile for small files, RD-OPT, 4:2:0"}
    shown |= {"JPEG, 4:4:4": "default JPEG, 4:4:4"}
    shown |= {peer: peer for peer in ("mozjpeg, 4:2:0", "jpegli, 4:2:0")}
    rows = [
        [title, *(percent(curves[method].get("bd_rate_loss_percent")) for curves in curves_by_method)]
        for method, title in shown.items()
    ]
    return table(["bytes at equal loss, %", *(TITLES[name] for name in NETWORKS)], rows)


def variant_table(benchmark: str) -> str:
    """BD-rates in % against plain OptS, and increases of the loss, of the variants of a benchmark at 4:2:0."""
    documents = [load_result(f"{benchmark}_{name}_420") for name in NETWORKS]
    curves_by_method = [
        {curve["method"]: curve for curve in document["comparisons"]["curves"]} for document in documents
    ]
    points = [
        {(p["method"], p["level"]): p["loss_increase"]["value"] for p in document["points"]} for document in documents
    ]
    rows = []
    for method in dict.fromkeys(point["method"] for document in documents for point in document["points"]):
        cells = []
        for curves, loss in zip(curves_by_method, points, strict=True):
            if method not in curves:
                cells += ["", ""]
                continue
            cells += [
                percent(curves[method].get("bd_rate_loss_percent")),
                f"{loss[method, 20]:.3f}, {loss[method, 75]:.3f}",
            ]
        rows.append([method, *cells])
    header = ["4:2:0, equal bytes"]
    for name in NETWORKS:
        header += [f"{TITLES[name]}: BD-rate, %", "loss increase"]
    return table(header, rows)


def generalization() -> str:
    """BD-rates in % of all profiles against default JPEG, on both test sets."""
    sets = ("imagenet_sample", "nips2017_dev")
    curves_by_method = [
        {curve["method"]: curve for curve in load_result(f"generalization_{name}_{folder}")["comparisons"]["curves"]}
        for name in NETWORKS
        for folder in sets
    ]
    methods = dict.fromkeys(method for curves in curves_by_method for method in curves if method != "jpeg")
    rows = [
        [
            method,
            *(
                percent(curves[method].get("bd_rate_loss_percent")) if method in curves else ""
                for curves in curves_by_method
            ),
        ]
        for method in methods
    ]
    return table(["profile", *(f"{TITLES[name]}, {folder}" for name in NETWORKS for folder in sets)], rows)


if __name__ == "__main__":
    fill()
