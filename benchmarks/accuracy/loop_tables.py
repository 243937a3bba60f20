"""Format the tables of files that are made with networks in the loop; `benchmarks.accuracy.tables` fills them in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.markdown import percent, table
from benchmarks.record import load_result
from optcodec.fit.ways import CROP

__all__ = ["TITLES", "best_encoder", "least_bytes", "network_loop", "rate", "rates"]

Figures = dict[str, Any]
TITLES = {
    "squeezenet1_1": "SqueezeNet 1.1",
    "mobilenet_v2": "MobileNetV2",
    "mobilenet_v1": "MobileNetV1",
    "efficientnet_lite0": "EfficientNet-Lite0",
    "efficientnet_lite1": "EfficientNet-Lite1",
}
_ENCODERS = "mozjpeg", "mozjpeg-flat", "jpegli"
_JPEG, _AS_DECODED = "default JPEG", "as decoded"
_TOGETHER, _WITHOUT, _CROP = ", the first ", "generic without ", "crop, "


def network_loop() -> dict[str, str]:
    """All tables, by the name in their marks."""
    squares, profiles = load_result("network_loop"), load_result("network_profiles")
    whole_loop, whole = load_result("network_loop_whole"), load_result("network_profiles_whole")
    return {
        "network loop: divergence": rates(squares, "log_divergence"),
        "network loop: loss": rates(squares, "loss"),
        "network loop: looks": _looks(squares),
        "network loop: top-1": _accuracy(squares),
        "network loop: kept": _kept(squares),
        "network loop: in short": _in_short(squares),
        "network loop: together": _together(squares),
        "network loop: whole": rates(whole_loop, "log_divergence"),
        "network loop: whole in short": _whole_in_short(whole_loop),
        "network profiles: divergence": rates(profiles, "log_divergence"),
        "network profiles: loss": rates(profiles, "loss"),
        "network profiles: whole": rates(whole, "log_divergence"),
        "network profiles: in short": _profiles_in_short(profiles),
        "network profiles: cropped": _cropped_in_short(whole),
    }


def _networks(document: Figures, way: str) -> list[str]:
    """The networks that a way is about: those at the encoder, that of its profile, or those that are left out."""
    if _TOGETHER in way:
        count = way.partition(_TOGETHER)[2].partition(",")[0]
        return list(document["networks"][: int(count)])
    if way.startswith(_WITHOUT):
        return way.removeprefix(_WITHOUT).split(" and ")
    return [name for name in document["networks"] if way.endswith((f", {name}", f":{name}"))]


def _title(document: Figures, way: str) -> str:
    """A way in words: the kind, and the names of the networks."""
    if way.startswith(_CROP):
        return f"{_title(document, way.removeprefix(_CROP))}, `--blocks {CROP}`"
    names = [TITLES[name] for name in _networks(document, way)]
    if not names:
        return "`dnn:generic`" if way == "generic" else way
    kind = f"`{way.partition(',')[0]}`,"
    if way.startswith("dnn:"):
        kind = "`dnn:` profile of"
    if way.startswith(_WITHOUT):
        kind = "the same, made without"
    return f"{kind} {_listed(names)}" + (", `--fidelity 0.2`" if "fidelity" in way else "")


def _listed(names: list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def rates(document: Figures, measure: str) -> str:
    """Changes of the bytes against default JPEG, for each network; those of networks that a way is about in bold."""
    rows = []
    for way, figures in document["ways"].items():
        if way == _JPEG:
            continue
        reads = {name: figures["networks"][name][_AS_DECODED]["bd_rate"][measure] for name in document["networks"]}
        rows.append([_title(document, way), *_marked(document, way, reads)])
    return table([f"{document['images']} photographs", *(TITLES[name] for name in document["networks"])], rows)


def _marked(document: Figures, way: str, reads: dict[str, Figures]) -> list[str]:
    """Changes by network; those of networks that a way is about in bold."""
    part = _networks(document, way)
    return [f"**{percent(figure)}**" if name in part else percent(figure) for name, figure in reads.items()]


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


def _kept(document: Figures) -> str:
    """The bytes from which on the top-1 accuracy is that of the originals, half a point less at most."""
    rows = []
    for name in document["networks"]:
        least = [least_bytes(document["ways"][way], name) for way in (_JPEG, f"loop, {name}")]
        change = f"{100 * (least[1] / least[0] - 1):+.0f} %" if least[0] and least[1] else "-"
        rows.append([TITLES[name], *(f"{nbytes:,.0f}" if nbytes else "-" for nbytes in least), change])
    return table([f"n = {document['images']}", "default JPEG, bytes", "`--network`, bytes", "change"], rows)


def least_bytes(way: Figures, name: str) -> float | None:
    """Mean bytes of the smallest files from which on a network decides right as often as on the originals."""
    figures, least = way["networks"][name][_AS_DECODED], None
    for nbytes, top1 in zip(reversed(way["nbytes"]), reversed(figures["top1"]), strict=True):
        if top1 < figures["clean_top1"] - 0.5:
            break
        least = float(nbytes)
    return least


def rate(document: Figures, way: str, name: str) -> Figures:
    """The change of the bytes at equal divergence."""
    figure: Figures = document["ways"][way]["networks"][name][_AS_DECODED]["bd_rate"]["log_divergence"]
    return figure


def best_encoder(document: Figures, name: str) -> str:
    """The other encoder with the fewest bytes at equal divergence."""
    known = [way for way in _ENCODERS if rate(document, way, name)["value"] is not None]
    return min(known, key=lambda way: float(rate(document, way, name)["value"]))


def _in_short(document: Figures) -> str:
    """What each network gains that files are made for."""
    rows = []
    for name in document["networks"]:
        ways = "generic", f"choose, {name}", f"weights, {name}", f"loop, {name}"
        rows.append([TITLES[name], *(percent(rate(document, way, name)) for way in ways)])
    header = [f"bytes at equal divergence, %, n = {document['images']}", "`--tune dnn:generic`"]
    return table([*header, "`choose`", "`--rounds 0`", "`--network`"], rows)


def _whole_in_short(document: Figures) -> str:
    """What each network gains of whole photographs that files are made for, alone or together."""
    rows = []
    for name in document["networks"]:
        ways = f"{_CROP}generic", f"weights, {name}", f"loop, {name}", "loop, the first 4"
        rows.append([TITLES[name], *(percent(rate(document, way, name)) for way in ways)])
    header = [f"bytes at equal divergence, %, n = {document['images']}", f"`dnn:generic`, `--blocks {CROP}`"]
    return table([*header, "`--rounds 0`", "`--network`", "`--network`, the first four at once"], rows)


def _together(document: Figures) -> str:
    """What files that are made for some networks cost these, and others, and their PSNR against default JPEG."""
    plain = document["ways"][_JPEG]["psnr_db"]
    rows = []
    for way in ("generic", "loop, squeezenet1_1", *(way for way in document["ways"] if _TOGETHER in way)):
        reads = {name: rate(document, way, name) for name in document["networks"]}
        figures = document["ways"][way]["psnr_db"]
        change = sum(after - before for after, before in zip(figures, plain, strict=False)) / len(figures)
        rows.append([_title(document, way), *_marked(document, way, reads), f"{change:+.1f}"])
    header = ["files made for", *(TITLES[name] for name in document["networks"]), "PSNR, dB"]
    return table(header, rows)


def _profiles_in_short(squares: Figures) -> str:
    """What files for networks gain that are not at the encoder, and those of other encoders."""
    rows = []
    for name in squares["networks"]:
        others = [way for way in squares["ways"] if way.startswith(_WITHOUT) and name in _networks(squares, way)]
        cells = [percent(rate(squares, way, name)) for way in (f"dnn:{name}", "generic")]
        cells += [", ".join(percent(rate(squares, way, name)) for way in others)]
        rows.append([TITLES[name], *cells, _best(squares, name)])
    header = [f"bytes at equal divergence, %, n = {squares['images']}", "`dnn:NAME`", "`dnn:generic`"]
    return table([*header, "the same, made without it and another one", "best other encoder"], rows)


def _best(document: Figures, name: str) -> str:
    best = best_encoder(document, name)
    return f"{best}: {percent(rate(document, best, name))}"


def _cropped_in_short(whole: Figures) -> str:
    """What it is worth to know what networks crop away."""
    rows = []
    for name in whole["networks"]:
        ways = f"dnn:{name}", f"{_CROP}dnn:{name}", "generic", f"{_CROP}generic"
        rows.append([TITLES[name], *(percent(rate(whole, way, name)) for way in ways), _best(whole, name)])
    kinds = (kind + crop for kind in ("`dnn:NAME`", "`dnn:generic`") for crop in ("", ", cropped"))
    return table([f"bytes at equal divergence, %, n = {whole['images']}", *kinds, "best other encoder"], rows)
