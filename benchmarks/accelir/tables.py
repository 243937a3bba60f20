"""Format the Markdown tables of the AccelIR benchmarks from their results; a table without a result file is empty."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.accelir.lighter_report import change_shown, lighter_table, others_table
from benchmarks.markdown import signed, table
from benchmarks.record import ROOT, has_result, load_result, tables_of

_FOLDER = Path(__file__).parent
Figures = dict[str, Any]
_TITLES = {"sr4": "super-resolution x4", "denoise25": "de-noising, 25", "deblur1.5": "de-blurring, 1.5"}
_TITLES |= {"deblock": "JPEG artifacts"}
_OURS, _MIDDLE = "receiver+qpnet", "1.2"
_LOOPS = "loop", "loop to the clean picture"
# Goals of the project: gains over default JPEG in dB by task; then largest overhead in %, largest median and 95th
# percentile of the size error in %, and least share of the headroom in %.
_GAINS = {"sr4": 0.6, "denoise25": 0.25}
_OVERHEAD, _MEDIAN, _PERCENTILE, _SHARE = 10, 0.3, 1, 70


def accelir() -> dict[str, str]:
    """All tables of this module by name."""
    needs: dict[str, tuple[Callable[..., str], tuple[str, ...]]] = {
        "accelir in short": (in_short, ("accelir_rates",)),
        "accelir methods": (methods, ("accelir_rates",)),
        "accelir rates": (by_rate, ("accelir_rates",)),
        "accelir qpnet": (qpnet, ("accelir_rates",)),
        "accelir before": (before, ("accelir_rates",)),
        "accelir lighter": (lighter, ("accelir_lighter", "accelir_latency")),
        "accelir unseen": (unseen, ("accelir_unseen",)),
        "accelir loop": (in_the_loop, ("accelir_loop",)),
        "accelir loop tuned": (in_the_loop, ("accelir_loop_tuned",)),
        "accelir fine-tuned": (fine_tuned, ("accelir_fine_tuned",)),
        "task figures": (task_figures, ("accelir_tasks",)),
        "accelir others": (others, ("accelir_others",)),
        "accelir others tuned": (others, ("accelir_others_tuned",)),
        "accelir encoder": (encoder_time, ("accelir_speed",)),
        "accelir targets": (targets, ("accelir_rates", "accelir_lighter", "accelir_control", "accelir_speed")),
    }
    return tables_of(needs) | {"qpnet card": cards(), "task networks": networks()}


def in_short(rates: Figures) -> str:
    """Gains in dB at the middle rate, over default JPEG and over the rivals."""
    middle = f"{rates['middle']:g}"
    header = [
        f"{middle} bits per sent pixel, dB",
        "over default JPEG",
        "over the best mozjpeg",
        "over our trellis for PSNR",
    ]
    rows = []
    for name, task in rates["tasks"].items():
        over = {rival.split(" (")[0]: value for rival, value in task["qpnet_over"].get(middle, {}).items()}
        gain = task["methods"].get(_OURS, {}).get("gain_db", {}).get(middle)
        rows.append([_title(name), *map(signed, (gain, over.get("best mozjpeg"), over.get("rdo")))])
    return table(header, rows)


def methods(rates: Figures) -> str:
    """Gain of every method over default JPEG at the middle rate."""
    tasks = rates["tasks"]
    names = dict.fromkeys(name for task in tasks.values() for name in task["methods"] if name != "jpeg")
    middle = f"{rates['middle']:g}"
    header = [f"dB over default JPEG, {middle} bpp", *map(_title, tasks)]
    rows = []
    for name in names:
        gains_by_task = (task["methods"].get(name, {}).get("gain_db", {}) for task in tasks.values())
        rows.append([name, *(signed(gains.get(middle)) for gains in gains_by_task)])
    return table(header, rows)


def by_rate(rates: Figures) -> str:
    """Gain by rate, BD-PSNR and BD-rate of the methods that were measured at all rates; one table for each task."""
    parts = []
    for name, task in rates["tasks"].items():
        points = [f"{bpp:g}" for bpp in rates["rates"]]
        header = [_title(name), *(f"{bpp} bpp" for bpp in points), "BD-PSNR, dB", "BD-rate, %"]
        rows = []
        for method, figures in task["methods"].items():
            if method == "jpeg" or "curve" not in figures:
                continue
            gains = [signed(figures["gain_db"].get(bpp)) for bpp in points]
            ends = [signed(figures["curve"]["bd_psnr_db"]), signed(figures["curve"]["bd_rate_percent"], 1)]
            rows.append([method, *gains, *ends])
        jpeg = task["methods"]["jpeg"]["psnr_db"]
        rows.insert(0, ["jpeg, PSNR in dB", *(f"{jpeg[bpp]:.2f}" if bpp in jpeg else "" for bpp in points), "", ""])
        parts.append(table(header, rows))
    return "\n\n".join(parts)


def qpnet(rates: Figures) -> str:
    """Gain of QP-NET over each rival at the middle rate, and its share of the gain that the true groups would have."""
    middle, rows = f"{rates['middle']:g}", []
    tasks = rates["tasks"]
    rivals = dict.fromkeys(name.split(" (")[0] for t in tasks.values() for name in t["qpnet_over"].get(middle, {}))
    for rival in rivals:
        cells = [rival]
        for task in tasks.values():
            known = {name.split(" (")[0]: value for name, value in task["qpnet_over"].get(middle, {}).items()}
            cells.append(signed(known.get(rival)))
        rows.append(cells)
    headroom = [task["headroom"] or {} for task in tasks.values()]
    rows.append(["oracle over receiver", *(signed(shares.get("headroom")) for shares in headroom)])
    rows.append(
        [f"share of it, % (goal: {_SHARE})", *(signed(_percent(shares.get("share")), 0) for shares in headroom)]
    )
    return table([f"receiver+qpnet, dB over ..., {middle} bpp", *map(_title, tasks)], rows)


def in_the_loop(measured: Figures) -> str:
    """Gains with the receiver in the loop, for networks that others trained."""
    over_jpeg, over_receiver = ("webp", "rdo", "receiver"), ("weights of one gradient", *_LOOPS)
    header = [f"{measured['bpp']:g} bpp, dB", "n", *(f"{name} over JPEG" for name in over_jpeg)]
    header += [*(f"{name} over receiver" for name in over_receiver), *(f"{name} over WebP" for name in _LOOPS)]
    rows = []
    for name, network in measured["networks"].items():
        cells = [signed(network["over_jpeg"][method]) for method in over_jpeg]
        cells += [signed(network["over_receiver"][method]) for method in over_receiver]
        cells += [signed(network["over_webp"][method]) for method in _LOOPS]
        cells.append(signed(_percent(network["share_of_bits"]["share"]), 0))
        rows.append([f"{_title(network['task'])}: {name}", str(network["over_jpeg"]["receiver"]["images"]), *cells])
    return table([*header, "share of the loop's gain with its bits by block, %"], rows)


def fine_tuned(measured: Figures) -> str:
    """PSNR of networks before and after they were fine-tuned on JPEG files, by what they restore."""
    codings = next(iter(measured["networks"].values()))["after"]
    rows = []
    for name, network in measured["networks"].items():
        changes = [f"{network['before'][coding]:.2f} -> {network['after'][coding]:.2f}" for coding in codings]
        rows.append([f"{_title(network['problem'])}: {name}", f"{network['steps']:,}", *changes])
    return table([f"dB, n = {measured['images']}", "steps", *codings], rows)


def task_figures(measured: Figures) -> str:
    """PSNR of the networks of the package, by what they restore."""
    codings = next(iter(measured["networks"].values()))["psnr_db"]
    rows = [
        [f"`{name}`", *(f"{network['psnr_db'][coding]:.2f}" for coding in codings)]
        for name, network in measured["networks"].items()
    ]
    return table([f"dB, n = {measured['images']}", *codings], rows)


def lighter(measured: Figures, latency: Figures) -> str:
    """PSNR and FLOPs of networks of several widths."""
    return lighter_table(measured, latency, _published()["flops_change_percent"], _TITLES)


def others(measured: Figures) -> str:
    """Gains of networks that others trained at three rates."""
    return others_table(measured, _TITLES)


def before(rates: Figures) -> str:
    """PSNR before restoration and visibility of block borders, against default JPEG at equal bytes."""
    header = [f"{rates['middle']:g} bpp, against default JPEG", "method", "before restoration, dB"]
    header += ["before, against the clean image, dB", "seams of 32x32 blocks"]
    rows = []
    for name, task in rates["tasks"].items():
        for method in ("rdo", "receiver", _OURS, "ideal accelir"):
            figures = task["methods"].get(method, {})
            if "before_db" in figures:
                seams = f"{figures['seam_ratio']:.3f} ({signed(figures.get('seam'), 3)})"
                clean = signed(figures.get("before_against_clean_db"))
                rows.append([_title(name), method, signed(figures["before_db"]), clean, seams])
    return table(header, rows)


def unseen(measured: Figures) -> str:
    """Gain by receiver and by the receiver that the file was made for; one table for each set.

    Methods whose figures are the same, since they write the same files, have one row.
    """
    parts = []
    for kept, matrix in measured["gain_db"].items():
        methods: dict[tuple[str, ...], list[str]] = {}
        for name in dict.fromkeys(name for row in matrix.values() for name in row):
            methods.setdefault(tuple(signed(row.get(name)) for row in matrix.values()), []).append(name)
        rows = [[", ".join(names), *figures] for figures, names in methods.items()]
        title = "all photographs" if kept == "all" else kept
        parts.append(table([f"{title}: dB over default JPEG", *(f"restored by {name}" for name in matrix)], rows))
    return "\n\n".join(parts)


def targets(rates: Figures, measured: Figures, control: Figures, speed: Figures) -> str:
    """The paper's figures, ours and the goals side by side."""
    paper, rows = _published(), []
    for name, task in rates["tasks"].items():
        gain = task["methods"].get(_OURS, {}).get("gain_db", {}).get(_MIDDLE)
        goal = f"{_GAINS[name]:+.2f}" if name in _GAINS else ""
        rows.append([f"{_title(name)}: dB over default JPEG, {_MIDDLE} bpp", "", goal, signed(gain)])
    for name, task in measured["tasks"].items():
        theirs, (rate, middle) = f"{paper['flops_change_percent'][name]:+d}", list(task["rates"].items())[1]
        shown = change_shown(middle["change_percent"])
        rows.append([f"{_title(name)}: FLOPs at equal PSNR, {rate} bpp, %", theirs, theirs, shown])
    low, high = paper["before_restoration_db"]
    for name, task in rates["tasks"].items():
        before_restoration = task["methods"].get(_OURS, {}).get("before_db")
        rows.append(
            [
                f"{_title(name)}: dB before restoration",
                f"within {low:.2f} to {high:.2f}",
                "0",
                signed(before_restoration),
            ]
        )
    errors, missing = paper["size_error_percent"], control["missing"]["all"]
    for title, key, limit in (("median", "median", _MEDIAN), ("95th percentile", "percentile_95", _PERCENTILE)):
        rows.append([f"size error, {title}, %", f"{errors[key]}", f"{limit}", f"{missing[f'{key}_percent']:.2f}"])
    rows.append(["files above the budget", "", "0", str(missing["above_the_budget"])])
    for setting, title in (("quality", "at a quality"), ("bytes", "for a size")):
        overheads = [case["overhead_percent"][setting]["median"] for case in speed["cases"].values()]
        theirs = f"{paper['encoding_overhead_percent']:+d}"
        ends = f"median {median(overheads):+.1f}, from {min(overheads):+.1f} to {max(overheads):+.1f}"
        rows.append([f"time of the encoder, {title}, %", theirs, f"at most {_OVERHEAD}", ends])
    return table(["", "paper", "goal", "here"], rows)


def encoder_time(speed: Figures) -> str:
    """Milliseconds of the encoder with and without QP-NET by size, medians over images, beside plain JPEG."""
    header = ["milliseconds, one thread", "libjpeg-turbo", "plain"]
    for setting in ("quality 75", "1.2 bpp"):
        header += [f"for the receiver, {setting}", "and QP-NET", "more, %"]
    cases, rows = list(speed["cases"].values()), []
    for tools, size in dict.fromkeys((case["tools"], case["size"]) for case in cases):
        same = [case for case in cases if (case["tools"], case["size"]) == (tools, size)]
        spent = {kind: f"{1000 * median(case['seconds'][kind] for case in same):.1f}" for kind in same[0]["seconds"]}
        row = [f"`{tools}`, {size}", spent["libjpeg-turbo"], spent["plain"]]
        for setting in ("quality", "bytes"):
            more = median(case["overhead_percent"][setting]["median"] for case in same)
            row += [spent[f"{setting} without"], spent[f"{setting} with"], f"{more:+.0f}"]
        rows.append(row)
    return table(header, rows)


def cards() -> str:
    """How well the QP-NETs predict groups on images on which nothing was trained."""
    rows = []
    for task in _TITLES:
        if has_result(f"qpnet_{task}"):
            result = load_result(f"qpnet_{task}")
            card, blocks = result["card"], result["blocks"]
            shown = [f"{card[key]:.2f}" for key in ("top1", "within_one", "rank_correlation")]
            rows.append(
                [f"`{task}`", f"{blocks['profile']:,}", f"{blocks['training']:,}", f"{card['blocks']:,}", *shown]
            )
    header = ["name", "blocks of the profile", "of training", "of the card", "top-1", "within one", "rank correlation"]
    return table(header, rows) if rows else ""


def networks() -> str:
    """The networks for restoration tasks, as the headers of their files describe them."""
    rows = []
    for path in sorted((ROOT / "restore" / "data" / "tasks").glob("*.safetensors")):
        data = path.read_bytes()
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        about = header.pop("__metadata__")
        config, steps = json.loads(about["config"]), json.loads(about["provenance"])["steps"]
        count = sum(math.prod(entry["shape"]) for entry in header.values())
        rest = ", ".join(f"{key} {value}" for key, value in config.items() if key in ("width", "depth", "blocks"))
        rows.append(
            [f"`{path.stem}`", f"{config['network']}, {rest}", f"{count:,}", f"{steps:,}", f"{len(data) / 1000:.0f}"]
        )
    return table(["name", "network", "parameters", "steps of 16 patches", "kB"], rows)


def _title(task: str) -> str:
    return _TITLES.get(task, task)


def _percent(figure: Figures | None) -> Figures | None:
    return figure and {key: 100 * figure[key] for key in ("value", "low", "high")}


def _published() -> Figures:
    published: Figures = json.loads((_FOLDER / "published_accelir.json").read_text("utf-8"))
    return published
