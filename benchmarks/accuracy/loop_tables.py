"""Format the tables of files that are made with networks in the loop; `benchmarks.accuracy.tables` fills them in."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from benchmarks.markdown import percent, table
from benchmarks.record import RESULTS

__all__ = ["network_loop", "rates"]

Figures = dict[str, Any]
TITLES = {
    "squeezenet1_1": "SqueezeNet 1.1",
    "mobilenet_v2": "MobileNetV2",
    "mobilenet_v1": "MobileNetV1",
    "efficientnet_lite0": "EfficientNet-Lite0",
    "efficientnet_lite1": "EfficientNet-Lite1",
}
_JPEG, _AS_DECODED = "default JPEG", "as decoded"
_TOGETHER = "loop, the first "


def network_loop() -> dict[str, str]:
    """All tables, by the name in their marks."""
    squares, whole = _result("network_loop"), _result("network_loop_whole")
    return {
        "network loop: divergence": rates(squares, "log_divergence"),
        "network loop: loss": rates(squares, "loss"),
        "network loop: looks": _looks(squares),
        "network loop: top-1": _accuracy(squares),
        "network loop: whole": rates(whole, "log_divergence"),
        "network loop: in short": _in_short(squares),
    }


def _result(name: str) -> Figures:
    document: Figures = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return document


def _networks(document: Figures, way: str) -> list[str]:
    """The networks at the encoder."""
    if way.startswith(_TOGETHER):
        return list(document["networks"][: int(way.removeprefix(_TOGETHER))])
    return [name for name in document["networks"] if way.endswith((f", {name}", f":{name}"))]


def _title(document: Figures, way: str) -> str:
    """A way in words: the kind, and the names of the networks."""
    names = [TITLES[name] for name in _networks(document, way)]
    if not names:
        return "`dnn:generic`" if way == "generic" else way
    kind = "`dnn:` profile of" if way.startswith("dnn:") else f"`{way.partition(',')[0]}`,"
    return f"{kind} {_listed(names)}"


def _listed(names: list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def rates(document: Figures, measure: str) -> str:
    """Changes of the bytes against default JPEG, for each network; those of networks that took part in bold."""
    rows = []
    for way, figures in document["ways"].items():
        if way == _JPEG:
            continue
        part = _networks(document, way)
        cells = [percent(figures["networks"][name][_AS_DECODED]["bd_rate"][measure]) for name in document["networks"]]
        marked = [
            f"**{cell}**" if name in part else cell for name, cell in zip(document["networks"], cells, strict=True)
        ]
        rows.append([_title(document, way), *marked])
    return table([f"{document['images']} photographs", *(TITLES[name] for name in document["networks"])], rows)


def _looks(document: Figures) -> str:
    """Changes of the bytes at equal divergence, of the loop for each network alone, by how it looks at the files."""
    ways = {way: _networks(document, way) for way in document["ways"] if way.startswith("loop, ")}
    alone = {names[0]: document["ways"][way]["networks"] for way, names in ways.items() if len(names) == 1}
    looks = list(next(iter(alone.values()))[next(iter(alone))])
    rows = [
        [look, *(percent(figures[name][look]["bd_rate"]["log_divergence"]) for name, figures in alone.items())]
        for look in looks
    ]
    return table(["as the network looks at it", *(TITLES[name] for name in alone)], rows)


def _accuracy(document: Figures) -> str:
    """Top-1 accuracy of the network that a file is made for, at each size, and the seconds of a file."""
    qualities, ways = document["qualities"], document["ways"]
    kinds: dict[str, Callable[[str], str]] = {
        "default JPEG": lambda name: _JPEG,
        "`dnn:generic`": lambda name: "generic",
        "`choose`": lambda name: f"choose, {name}",
        "`weights`": lambda name: f"weights, {name}",
        "`loop`": lambda name: f"loop, {name}",
    }
    rows = []
    for name in document["networks"]:
        for kind, way_of in kinds.items():
            way = ways[way_of(name)]
            figures = way["networks"][name][_AS_DECODED]
            top1 = [f"{value:.0f}" for value in figures["top1"][: len(qualities)]]
            first = f"{TITLES[name]} ({figures['clean_top1']:.0f})" if kind == "default JPEG" else ""
            seconds = "" if kind == "default JPEG" else f"{sum(way['seconds']) / len(way['seconds']):.2f}"
            rows.append([first, kind, *top1, seconds])
    return table(["network (originals)", "files", *(f"q{quality}" for quality in qualities), "s a file"], rows)


def _in_short(document: Figures) -> str:
    """What each network gains that the loop is made for, by both measures."""
    rows = []
    for name in document["networks"]:
        cells = []
        for way in ("generic", f"choose, {name}", f"weights, {name}", f"loop, {name}"):
            rates = document["ways"][way]["networks"][name][_AS_DECODED]["bd_rate"]
            cells.append(percent(rates["log_divergence"]))
        rows.append([TITLES[name], *cells])
    header = [f"bytes at equal divergence, %, n = {document['images']}", "`--tune dnn:generic`"]
    return table([*header, "`choose`", "`--rounds 0`", "`--network`"], rows)
