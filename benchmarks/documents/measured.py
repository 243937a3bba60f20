"""Format the tables of docs/measured.md: each figure with its interval, beside the strongest rival, and its command.

`python -m benchmarks.accuracy.tables` fills them in. Whoever is ahead is told from the intervals alone, by `verdict`.
"""

from __future__ import annotations

import re
from functools import cache, partial
from typing import Any

from benchmarks.accuracy.loop_tables import TITLES, best_encoder, rate
from benchmarks.markdown import table
from benchmarks.record import load_result
from optcodec.fit.ways import CROP
from optcodec.rates import Curve, Measure, Row
from optcodec.rates.summary import bd_rates

__all__ = ["measured", "verdict"]

Figures = dict[str, Any]
_MEASURES = {"psnr_rgb": "PSNR of RGB", "ssim_y": "SSIM of luminance", "ssimulacra2": "SSIMULACRA2"}
_NETWORKS = {"mobilenet_v2": "MobileNetV2", "squeezenet1_1": "SqueezeNet 1.1"}
_OURS, _REFERENCE = "RD-OPT, at quality 40, 4:2:0", "JPEG, 4:2:0"
_RIVALS = ("mozjpeg, 4:2:0", "jpegli, 4:2:0")
_DNCNN = "DnCNN-3, its authors' weights, projected"
_RESTORING = "large", "default", "tiny"  # models
_OTHERS = "default JPEG", "mozjpeg flat", "jpegli"  # encoders before the receiver


def measured() -> dict[str, str]:
    """All tables by the name in their marks."""
    return {
        "measured: people": people(),
        "measured: networks": networks(),
        "measured: network files": network_files(),
        "measured: blocks": blocks(),
        "measured: pair": pair(),
        "measured: receiver": receiver(),
        "measured: receiver in colour": receiver_in_colour(),
        "measured: speed": speed(),
        "measured: decoders": decoders(),
        "measured: behind": behind(),
    }


def verdict(low: float, high: float, *, less_is_better: bool = True) -> str:
    """Who is ahead, by the ends of an interval of our change against a rival."""
    if less_is_better:
        low, high = -high, -low
    return "ahead" if low > 0 else "behind" if high < 0 else "within chance"


def people() -> str:
    """BD-rates in % against the strongest settings of mozjpeg and against jpegli."""
    document = load_result("rd_strongest")
    rows = []
    for pictures, pairs in document["direct"].items():
        for pair, rivals in pairs.items():
            for rival, figures in rivals.items():
                low, high = figures["interval"]
                figure = f"{figures['bd_rate']:+.1f} % [{low:+.1f}, {high:+.1f}]"
                count, losses = len(figures["pictures"]), sum(value > 0 for value in figures["pictures"].values())
                measure = _MEASURES[pair.partition(", ")[2]]
                rows.append([f"{measure}, {pictures}", rival, figure, f"{count}", f"{losses}", verdict(low, high)])
    header = ["bytes at equal measure", "against", "change", "n", "of which larger", "we are"]
    return f"{table(header, rows)}\n\n{_origin('rd_strongest')}"


def networks() -> str:
    """BD-rates in % at equal loss of a network, against default JPEG at 4:2:0, beside the best rival."""
    rows = []
    for name, title in _NETWORKS.items():
        curves = {each["method"]: each for each in load_result("accuracy_summary")["networks"][name][_REFERENCE]}
        figures = {method: curves[method]["bd_rate_loss_percent"] for method in (_OURS, *_RIVALS)}
        best = min(_RIVALS, key=lambda method: figures[method]["value"])
        ours, theirs = figures[_OURS], figures[best]
        apart = verdict(ours["low"] - theirs["high"], ours["high"] - theirs["low"])
        count = load_result(f"rate_accuracy_{name}_444")["images"]
        rows.append([title, _percent(ours), f"{best}: {_percent(theirs)}", f"{count}", apart])
    header = ["bytes at equal loss, against default JPEG at 4:2:0", "optcodec", "strongest rival", "n", "we are"]
    return f"{table(header, rows)}\n\n{_origin('accuracy_summary')}"


def network_files() -> str:
    """BD-rates in % at equal divergence, with and without the network in the loop, beside the best rival."""
    rows = []
    for name, title in TITLES.items():
        for result, way, what in (
            ("network_loop", f"loop, {name}", "`--network`"),
            ("network_profiles", "generic", "`--tune dnn:generic`"),
            ("network_profiles_whole", "crop, generic", f"whole photographs, the same, `--blocks {CROP}`"),
        ):
            document = load_result(result)
            best = best_encoder(document, name)
            ours, theirs = (rate(document, each, name) for each in (way, best))
            apart = verdict(ours["low"] - theirs["high"], ours["high"] - theirs["low"])
            about = f"{best}: {_percent(theirs)}"
            rows.append([f"{title}, {what}", _percent(ours), about, str(document["images"]), apart])
    header = ["bytes at equal divergence, against default JPEG at 4:2:0", "optcodec", "strongest rival", "n", "we are"]
    return f"{table(header, rows)}\n\n{_origin('network_loop', 'network_profiles', 'network_profiles_whole')}"


def blocks() -> str:
    """PSNR in dB after restoration at equal bytes, against the best of mozjpeg and against WebP."""
    document = load_result("accelir_rates")
    middle = f"{document['middle']:g}"
    rows = []
    for name, task in document["tasks"].items():
        over = task["qpnet_over"][middle]
        for rival in [each for each in over if each.startswith("best mozjpeg") or each == "webp"]:
            figure = over[rival]
            ahead = verdict(figure["low"], figure["high"], less_is_better=False)
            title = "WebP" if rival == "webp" else rival
            rows.append([f"`{name}`", title, _decibels(figure), f"{figure['images']}", ahead])
    header = [f"PSNR after restoration, {middle} bits per sent pixel", "against", "change", "n", "we are"]
    return f"{table(header, rows)}\n\n{_origin('accelir_rates')}"


def pair() -> str:
    """BD-rates in % of our best sender against the strongest other encoder, both with the receiver behind them."""
    rows = []
    for title, ours, rival, figure in _pairs():
        ahead = verdict(figure["low"], figure["high"])
        rows.append([title, ours, rival, _percent(figure), f"{figure['images']}", ahead])
    header = ["bytes at equal measure after `default`", "our best sender", "strongest other", "change", "n", "we are"]
    return f"{table(header, rows)}\n\n{_origin('receiver_pipeline')}"


@cache
def _pairs() -> list[tuple[str, str, str, Figures]]:
    """For each measure: its title, our sender and the other encoder that need the fewest bytes, and the BD-rate."""
    document = load_result("receiver_pipeline")
    rows, pairs = [Row.from_json(row) for row in document["rows"]], []
    for measure, kind in document["measures"].items():
        alone = {
            bd["sender"]: bd["value"]
            for bd in document["bd_rates"]
            if (bd["set"], bd["measure"], bd["receiver"]) == ("all", measure, "default")
            and bd["against"]["receiver"] == "jpeg"
        }
        rival = min(_OTHERS, key=alone.__getitem__)
        ours = min((name for name in alone if not name.startswith(_OTHERS)), key=alone.__getitem__)
        curves = {name: Curve(name, "default", 0.0) for name in (ours, rival)}
        both = [row for row in rows if row.curve in curves.values()]
        direct = bd_rates(both, partial(_only, curves[rival]), {measure: Measure(**kind)})
        pairs.append((kind["title"], ours, rival, next(bd for bd in direct if bd["set"] == "all")))
    return pairs


def _only(anchor: Curve, curve: Curve) -> list[Curve]:
    """The anchors of any curve: this one."""
    return [anchor]


def receiver() -> str:
    """PSNR of luminance that DnCNN-3 gains over the decoded file, and that the shipped models have beyond it."""
    document, rows = load_result("receiver_quality"), []
    for name, by_quality in document["over_dncnn3_db"].items():
        for quality, changes in by_quality.items():
            psnr = document["psnr_y_db"][name][quality]
            cells = [_decibels(changes[model]) for model in _RESTORING]
            rows.append([f"{name}, quality {quality}", f"{psnr[_DNCNN] - psnr['jpeg']:+.2f} dB", *cells])
            rows[-1].append(f"{changes[_RESTORING[0]]['images']}")
    models = (f"`{model}` over DnCNN-3" for model in _RESTORING)
    header = ["PSNR of luminance", "DnCNN-3 over the decoded file", *models, "n"]
    return f"{table(header, rows)}\n\n{_origin('receiver_quality')}"


def receiver_in_colour() -> str:
    """PSNR of RGB that the shipped models gain over the decoded file, with intervals."""
    rows = []
    for figure in load_result("receiver_evaluate_colour")["comparisons"]:
        if figure["measure"] == "psnr" and figure["receiver"] in _RESTORING and figure["sigma"] == 0:
            change = f"{figure['mean']:+.2f} dB [{figure['low']:+.2f}, {figure['high']:+.2f}]"
            title = f"{figure['set']}, quality {figure['quality']}: `{figure['receiver']}`"
            ahead = verdict(figure["low"], figure["high"], less_is_better=False)
            rows.append([title, change, f"{figure['images']}", ahead])
    header = ["PSNR of RGB over the decoded file", "change", "n", "we are"]
    return f"{table(header, rows)}\n\n{_origin('receiver_evaluate_colour')}"


def speed() -> str:
    """How many times as fast as libjpeg-turbo a plain encode is; medians of rounds."""
    document = load_result("speed")
    rows = []
    for case, figures in document["cases"].items():
        for peer in ("simplejpeg", "pillow"):
            times = figures["times_faster"].get(f"float / {peer}")
            if times is not None:
                ahead = "ahead" if times > 1 else "behind"
                rows.append([case, peer, f"{times:.2f}", f"{document['rounds']} rounds", ahead])
    header = ["plain encode, one core", "against", "times as fast", "n", "we are"]
    return f"{table(header, rows)}\n\n{_origin('speed')}"


def decoders() -> str:
    """How many decoders show all of our files, and what the others do with them."""
    document = load_result("conformance")
    known = [row for row in document["decoders"].values() if row["version"] is not None]
    total = sum(document["our_files"].values())
    rows = [["all kinds", str(total), f"{sum(row['right'] == total for row in known)} of {len(known)}"]]
    for kind, count in document["our_files"].items():
        good = sum(kind not in {*row["wrong"], *row["refused"]} for row in known)
        rows.append([kind, str(count), f"{good} of {len(known)}"])
    return f"{table(['files', 'how many', 'decoders that show all of them'], rows)}\n\n{_origin('conformance')}"


def behind() -> str:
    """Where a rival is ahead in these results, on pages also by measures that a file was not tuned for."""
    rows = [*_behind_on_pages(), *_behind_in_pairs(), *_behind_in_restoring(), *_behind_in_speed()]
    return table(["what", "against", "by", "n"], rows)


def _behind_on_pages() -> list[list[str]]:
    rows = []
    for name in ("rd_pages_420", "rd_pages_444"):
        for pair, measures in load_result(name)["direct"].items():
            ours, against, rival = pair.partition(" against ")
            for measure, figures in measures.items():
                low, high = figures["interval"]
                if against and verdict(low, high) == "behind":
                    sampling = ":".join(name.removeprefix("rd_pages_"))
                    title = f"bytes of pages at equal {_MEASURES[measure]}, {ours}, {sampling}"
                    figure = f"{figures['bd_rate']:+.1f} % [{low:+.1f}, {high:+.1f}]"
                    rows.append([title, rival, figure, f"{len(figures['pictures'])}"])
    return rows


def _behind_in_pairs() -> list[list[str]]:
    return [
        [f"bytes at equal {title} after `default`, {ours}", rival, _percent(figure), f"{figure['images']}"]
        for title, ours, rival, figure in _pairs()
        if verdict(figure["low"], figure["high"]) == "behind"
    ]


def _behind_in_restoring() -> list[list[str]]:
    document, rows = load_result("accelir_rates"), []
    for name, task in document["tasks"].items():
        for rival, figure in task["qpnet_over"][f"{document['middle']:g}"].items():
            if verdict(figure["low"], figure["high"], less_is_better=False) == "behind":
                rows.append([f"PSNR after restoration, `{name}`", rival, _decibels(figure), f"{figure['images']}"])
    for name, by_quality in load_result("receiver_quality")["over_dncnn3_db"].items():
        for model in _RESTORING:
            quality = min(by_quality, key=lambda each: by_quality[each][model]["value"])
            figure = by_quality[quality][model]
            if verdict(figure["low"], figure["high"], less_is_better=False) == "behind":
                title = f"PSNR of `{model}`, {name}, at its worst quality, {quality}"
                rows.append([title, "DnCNN-3", _decibels(figure), f"{figure['images']}"])
    return rows


def _behind_in_speed() -> list[list[str]]:
    document = load_result("speed")
    return [
        [f"speed of a plain encode, {case}", peer, f"{times:.2f} times as fast", f"{document['rounds']} rounds"]
        for case, figures in document["cases"].items()
        for peer in ("simplejpeg", "pillow")
        if (times := figures["times_faster"].get(f"float / {peer}", 1)) < 1
    ]


def _origin(*names: str) -> str:
    """The commands of results, without the folders of the machine that they ran on, and links to them."""
    parts = []
    for name in names:
        document = load_result(name)
        commands = [*document.get("earlier_commands", []), document["command"]]
        made = ", then ".join("`" + re.sub(r"(?<=[ =])/\S*/", "", command) + "`" for command in commands)
        parts.append(f"Made by {made}: [`{name}.json`](../benchmarks/results/{name}.json).")
    return "\n".join(parts)


def _decibels(figure: Figures) -> str:
    return f"{figure['value']:+.2f} dB [{figure['low']:+.2f}, {figure['high']:+.2f}]"


def _percent(figure: Figures) -> str:
    return f"{figure['value']:+.1f} % [{figure['low']:+.1f}, {figure['high']:+.1f}]"
