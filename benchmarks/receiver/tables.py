"""Format the Markdown tables of the restoring models from their results; a table without a result file is empty."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.markdown import lines
from benchmarks.record import ROOT, tables_of
from restore.evaluation.measures import MEASURES

_FOLDER = Path(__file__).parent
_DATA = ROOT / "restore" / "data"
_FULL = "dncnn-full, float32"
_RIVAL = "DnCNN-3, its authors' weights"
_NAMES = {"large": "`large`", "default": "`default`", "tiny": "`tiny`", "dncnn": "`dncnn`, the paper's route"}
_REFERENCE = "jpeg"  # the decoded file without restoration, over which gains are measured
_SHOWN = ("10", "40", "60", "75", "80", "85", "90", "95", "98", "100")  # qualities in the table of harm
Figures = dict[str, Any]
CurvesByReceiver = dict[str, dict[int, float]]  # PSNR in dB by receiver and quality


def receiver() -> dict[str, str]:
    """All tables by name."""
    needs: dict[str, tuple[Callable[..., str], tuple[str, ...]]] = {
        "receiver in short": (in_short, ("receiver_speed", "receiver_quality")),
        "receiver quality": (quality, ("receiver_quality",)),
        "receiver speed": (speed, ("receiver_speed",)),
        "receiver large": (large, ("receiver_large",)),
        "receiver route": (route, ("receiver_route", "receiver_speed")),
        "receiver measures": (measures, ("receiver_evaluate_gray",)),
        "receiver colour": (colour, ("receiver_evaluate_colour",)),
        "receiver harm": (harm, ("receiver_harm",)),
        "receiver paper": (paper, ("receiver_paper",)),
        "receiver paper without noise": (paper_without_noise, ("receiver_paper",)),
    }
    return {"receiver files": files(_indices()), **tables_of(needs)}


def in_short(timed: Figures, measured: Figures) -> str:
    """Size, time and gain in dB of each model, of DnCNN and of DnCNN-3, on the same files, all projected."""
    ours = {quality: figures for quality, figures in measured["psnr_y_db"]["LIVE1"].items() if quality != "images"}
    header = ["INT8, one thread, 481x321 gray", "file, kB", "ms", "times faster than DnCNN", "ms without VNNI"]
    rows = [[*header, *(f"dB over JPEG at {quality}" for quality in ours)], _marks(4 + len(ours))]

    def add(title: str, network: str, receiver_name: str) -> None:
        costs = [""] * 4
        if network in timed["networks"]:
            costs = [*_costs(timed["networks"][network]), f"{timed['without_vnni'][network]['ms']:.1f}"]
        gains = (
            f"{psnr[receiver_name] - psnr[_REFERENCE]:+.2f}" if receiver_name in psnr else "" for psnr in ours.values()
        )
        rows.append([title, *costs, *gains])

    for name, title in _NAMES.items():
        add(title, f"{name}, int8", f"{name}, int8, projected")
    add("DnCNN, 17 layers, 32-bit floats", _FULL, f"{_FULL}, projected")
    add(f"{_RIVAL}, 20 layers, 32-bit floats", "", f"{_RIVAL}, projected")
    return lines(rows)


def quality(measured: Figures) -> str:
    """PSNR of luminance in dB, a table for each set."""
    parts = []
    for name, figures in measured["psnr_y_db"].items():
        qualities = [int(key) for key in figures if key != "images"]
        receivers = figures[str(qualities[0])]
        curves = {
            receiver_name: {at: figures[str(at)][receiver_name] for at in qualities} for receiver_name in receivers
        }
        parts.append(lines(_by_quality(f"{name}, {figures['images']} images, dB", curves, qualities)))
    return "\n\n".join(parts)


def speed(timed: Figures) -> str:
    """Parameters, MACs, bytes and milliseconds of each network.

    The parameters and MACs of an INT8 file are those of the 32-bit network from which it was made.
    """
    networks = timed["networks"]
    header = ["one thread, 481x321 gray", "parameters", "kMAC a pixel", "file, kB", "ms", "times faster"]
    rows = [[*header, "ms without VNNI", "times faster"], _marks(7)]
    for name, row in sorted(networks.items(), key=lambda item: -item[1]["ms"]):
        counted, slower = networks[f"{name.split(',')[0]}, float32"], timed["without_vnni"][name]
        counts = [f"{counted['parameters']:,}", f"{counted['macs'] / 1000:.1f}"]
        rows.append([name, *counts, *_costs(row), *_costs(slower)[1:]])
    return lines(rows)


def large(timed: Figures) -> str:
    """Seconds and peak memory by image size."""
    rows = [["`default`, one thread", "seconds", "peak memory, MB"], _marks(2)]
    rows += [
        [f"1000x1000, {_planes(row)}, bytes to pixels", f"{row['seconds']:.2f}", ""] for row in timed["one_megapixel"]
    ]
    for row in timed["runs"]:
        title = f"{row['side']}x{row['side']}, {_planes(row)}, `restore run` to PNG, whole process"
        rows.append([title, f"{row['seconds']:.1f}", f"{row['peak_mb']:,}"])
    return lines(rows)


def _planes(row: Figures) -> str:
    return "gray" if row["planes"] == 1 else "colour"


def route(stages: Figures, timed: Figures) -> str:
    """Costs and PSNR after each stage of compression from the full DnCNN to INT8, and the change over all stages."""
    records = stages["stages"]
    full, last = records[0], records[-1]
    measured = [name for name in full if name.startswith("psnr_")]
    header = ["stage", "parameters", "kMAC a pixel", "file, kB", *(f"dB at {name[6:]}" for name in measured)]
    rows = [header, _marks(3 + len(measured))]
    for stage in records:
        costs = [f"{stage['parameters']:,}", f"{stage['macs'] / 1000:.1f}", _kilo(stage["bytes"])]
        rows.append([stage["stage"], *costs, *(f"{stage[name]:.2f}" for name in measured)])
    ratio = timed["networks"]["dncnn, int8"]["ms"] / timed["networks"][_FULL]["ms"]
    loss = sum(last[name] - full[name] for name in measured) / len(measured)
    ours = (100 * (last["bytes"] / full["bytes"] - 1), 100 * (ratio - 1), loss)
    paper = _published()["route"]
    theirs = (paper["bytes_change_percent"], paper["seconds_change_percent"], paper["psnr_change_db"])
    whole = [["full to last", "bytes", "time", "PSNR, mean of qualities"], _marks(3)]
    for title, (nbytes, seconds, psnr) in (("the paper", theirs), ("here", ours)):
        whole.append([title, f"{nbytes:+.0f} %", f"{seconds:+.0f} %", f"{psnr:+.2f} dB"])
    return f"{lines(rows)}\n\n{lines(whole)}"


def measures(evaluated: Figures) -> str:
    """All measures of all receivers at the lowest quality, and by how much they changed, a table for each set."""
    names = evaluated["measures"]
    lowest = min(record["quality"] for record in evaluated["means"])
    at_lowest = [each for each in evaluated["comparisons"] if each["quality"] == lowest and each["sigma"] == 0]
    changes = {(each["set"], each["receiver"], each["measure"]): each for each in at_lowest}
    parts = []
    for name, records in _sets(evaluated).items():
        header = [f"{name}, quality {lowest}", *(MEASURES[measure].title for measure in names)]
        rows = [header, _marks(len(names))]
        for record in records:
            if record["quality"] == lowest:
                at = name, record["receiver"]
                cells = (_changed(record[measure], changes.get((*at, measure)), measure) for measure in names)
                rows.append([record["receiver"], *cells])
        parts.append(lines(rows))
    return "\n\n".join(parts)


def colour(evaluated: Figures) -> str:
    """PSNR of RGB in dB, a table for each set."""
    parts = []
    for name, records in _sets(evaluated).items():
        curves: CurvesByReceiver = {}
        for record in records:
            curves.setdefault(record["receiver"], {})[record["quality"]] = record["psnr"]
        qualities = list(dict.fromkeys(record["quality"] for record in records))
        parts.append(lines(_by_quality(f"{name}, {records[0]['images']} images, dB", curves, qualities)))
    return "\n\n".join(parts)


def harm(swept: Figures) -> str:
    """Mean and least gain in dB of every model, by coding and quality, and how many files became worse."""
    parts = []
    for model, figures in swept["models"].items():
        worse = len(figures["harmed"])
        header = [f"`{model}`, dB, {worse} of {figures['files']:,} files harmed", *(f"quality {at}" for at in _SHOWN)]
        rows = [header, _marks(len(_SHOWN))]
        for coding, gains in figures["gains"].items():
            cells = ((gains[at]["mean"], gains[at]["least"]) if at in gains else None for at in _SHOWN)
            rows.append([coding, *("" if cell is None else f"{cell[0]:+.2f} ({cell[1]:+.2f})" for cell in cells)])
        parts.append(lines(rows))
    return "\n\n".join(parts)


def paper(evaluated: Figures) -> str:
    """Table I of the paper on the compressed DnCNN: mean and spread over all files with noise, beside its figures."""
    names, costs = evaluated["measures"], evaluated["cost"]["receivers"]
    rows = [["receiver", "file, kB", "ms", *(MEASURES[name].title for name in names), "p"], _marks(3 + len(names))]
    noisy = [row for row in evaluated["rows"] if row["sigma"] > 0]
    for receiver, cells in _with_spread(evaluated, noisy).items():
        nbytes, seconds = costs[receiver]["model_nbytes"], costs[receiver]["seconds_one_thread"]
        rows.append([receiver, "" if nbytes is None else _kilo(nbytes), f"{1000 * seconds:.0f}", *cells])
    for row in _published()["table"]:
        cells = [row["measures"].get(name, "") for name in names]
        rows.append([f"the paper: {row['name']}", row["kilobytes"], row["ms"], *cells, row["p"]])
    return lines(rows)


def paper_without_noise(evaluated: Figures) -> str:
    """The same for the files without noise, of which the paper has no figures."""
    names = evaluated["measures"]
    clean = [row for row in evaluated["rows"] if row["sigma"] == 0]
    header = ["without noise", *(MEASURES[name].title for name in names), "p"]
    rows = ([receiver, *cells] for receiver, cells in _with_spread(evaluated, clean).items())
    return lines([header, _marks(1 + len(names)), *rows])


def _with_spread(evaluated: Figures, rows: Sequence[Figures]) -> dict[str, list[str]]:
    """Mean and standard deviation of each measure by receiver, and p of the paired t-test against the reference.

    An image's PSNR for the test is the mean over qualities and noises.
    """
    from scipy.stats import ttest_rel

    psnr = {receiver: _means_by_image(rows, receiver) for receiver in evaluated["cost"]["receivers"]}
    result = {}
    for receiver in psnr:
        cells = []
        for name in evaluated["measures"]:
            values = [row[name] for row in rows if row["receiver"] == receiver]
            digits = MEASURES[name].digits
            cells.append(f"{statistics.mean(values):.{digits}f} ± {statistics.stdev(values):.{digits}f}")
        is_reference = receiver == evaluated["against"]
        p = "" if is_reference else f"{ttest_rel(psnr[receiver], psnr[evaluated['against']]).pvalue:.1g}"
        result[receiver] = [*cells, p]
    return result


def _means_by_image(rows: Sequence[Figures], receiver: str) -> list[float]:
    """Mean PSNR of each image, in the order of their names."""
    by_image: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if row["receiver"] == receiver:
            by_image.setdefault((row["set"], row["image"]), []).append(row["psnr"])
    return [statistics.mean(by_image[image]) for image in sorted(by_image)]


def files(indices: Sequence[Figures]) -> str:
    """The files of the models, each once, and how long their networks were trained."""
    rows = [["file", "restores", "kB", "steps of training", "minutes", "SHA-256"], ["---", "---", *["---:"] * 3, "---"]]
    for index in indices:
        for role in ("luminance", "chrominance"):
            entry = index[role]
            if entry is not None:
                trainings = index["card"][Path(entry["file"]).stem]["trainings"]
                steps, seconds = (sum(training[key] for training in trainings) for key in ("step", "seconds"))
                steps, minutes = f"{steps:,.0f}", f"{seconds / 60:.0f}"
                digest = f"`{entry['sha256'][:12]}`"
                rows.append([f"`{entry['file']}`", role, _kilo(entry["bytes"]), steps, minutes, digest])
    return lines(list(dict.fromkeys(map(tuple, rows)))) if indices else ""


def _indices() -> list[Figures]:
    paths = [_DATA / "models" / f"{name}.json" for name in (*_NAMES, "noise")]
    return [_read(path) for path in paths if path.exists()]


def _sets(evaluated: Figures) -> dict[str, list[Figures]]:
    """The means that were measured without noise, by set."""
    records_by_set: dict[str, list[Figures]] = {}
    for record in evaluated["means"]:
        if record["sigma"] == 0:
            records_by_set.setdefault(record["set"], []).append(record)
    return records_by_set


def _by_quality(title: str, curves: CurvesByReceiver, qualities: Sequence[int]) -> list[list[str]]:
    """Rows with the PSNR of each receiver in dB and, in parentheses, its gain over JPEG as it is decoded."""
    rows = [[title, *(f"quality {at}" for at in qualities)], _marks(len(qualities))]
    for name, curve in curves.items():
        gains = ["" if name == _REFERENCE else f" ({curve[at] - curves[_REFERENCE][at]:+.2f})" for at in qualities]
        rows.append([name, *(f"{curve[at]:.2f}{gain}" for at, gain in zip(qualities, gains, strict=True))])
    return rows


def _published() -> Figures:
    return _read(_FOLDER / "published_receivers.json")


def _read(path: Path) -> Figures:
    document: Figures = json.loads(path.read_text("utf-8"))
    return document


def _costs(row: Figures) -> list[str]:
    """Size in kB, time in ms, and times faster than the full network."""
    return [_kilo(row["bytes"]), f"{row['ms']:.1f}", f"{row['times_faster']:.1f}"]


def _kilo(nbytes: float) -> str:
    return f"{nbytes / 1000:,.0f}"


def _changed(value: float | None, change: Figures | None, measure: str) -> str:
    """A mean and, in parentheses, the interval of its change from that of the reference."""
    digits = MEASURES[measure].digits
    number = "-" if value is None else f"{value:.{digits}f}"
    return number if change is None else f"{number} ({change['low']:+.{digits}f} to {change['high']:+.{digits}f})"


def _marks(numbers: int) -> list[str]:
    return ["---", *["---:"] * numbers]
