"""Format the Markdown tables of the rate-distortion benchmarks from their results."""

from __future__ import annotations

from typing import Any

from benchmarks.markdown import lines
from benchmarks.record import RESULTS, load_result

_COLUMNS = {"psnr_rgb": "PSNR-RGB", "psnr_y": "PSNR-Y", "ssim_y": "SSIM-Y", "ssimulacra2": "SSIMULACRA2"}
_HEADER = ["encoder", *_COLUMNS.values()]


def rate_distortion(subsampling: str) -> str:
    """BD-rates in % of all encoders against libjpeg-turbo; last, those with the best of our settings for each image."""
    document = _document(subsampling)
    rows = [[name, *(_figure(figures.get(measure)) for measure in _COLUMNS)] for name, figures in _ours_last(document)]
    best = document["best_of_each_image"]
    rows.append(["best of optcodec, image by image", *(f"{best[measure]:+.1f}" for measure in _COLUMNS)])
    marks = ["---", *("---:" for _ in _COLUMNS)]
    return lines([_HEADER, marks, *rows])


def in_short_for_eyes() -> str:
    """BD-rates of each tuning by its own measure, against libjpeg-turbo and against the best of the other encoders."""
    rows = [["tuned for", "4:2:0, baseline", "4:2:0, progressive", "progressive, against"], ["---", *3 * ["---:"]]]
    curves = _document("4:2:0")["curves"]
    direct = load_result("rd_direct")["4:2:0"]
    for tune, measure in (("psnr", "psnr_rgb"), ("ssim", "ssim_y"), ("people", "ssimulacra2")):
        names = (f"optcodec {tune}", f"optcodec {tune}, progressive")
        cells = (f"{curves[name][measure]['bd_rate']:+.1f} %" for name in names)
        rival = direct[f"{names[1]}: {measure}"]
        other = f"{rival['against'].removesuffix(', progressive')}: {rival['directly']['bd_rate']:+.1f} %"
        rows.append([_COLUMNS[measure], *cells, other])
    return lines(rows)


def rivals() -> str:
    """BD-rates in % of our encoder against the best other encoder of each measure, and by parts of the range."""
    header = ["", "against", "directly", "worst, best image", "against libjpeg-turbo at 10 to 50", "at 50 to 95"]
    rows = [header, ["---", "---", *4 * ["---:"]]]
    document = load_result("rd_direct")
    for subsampling in ("4:2:0", "4:4:4"):
        for name, figures in document[subsampling].items():
            direct = figures["directly"]
            halves = (f"{half['bd_rate']:+.1f}" for half in figures["against_reference"].values())
            extremes = f"{direct['most']:+.1f}, {direct['least']:+.1f}"
            rows.append([f"{name}, {subsampling}", figures["against"], f"{direct['bd_rate']:+.1f}", extremes, *halves])
    return lines(rows)


def parts() -> str:
    """BD-rates in % after each part of the optimization is added."""
    document = load_result("rd_ablation")["samplings"]
    rows = [["BD-rate, PSNR-RGB", *document], ["---", *("---:" for _ in document)]]
    names = next(iter(document.values()))["parts"]
    rows += [[name, *(f"{figures['parts'][name]:+.1f}" for figures in document.values())] for name in names]
    return lines(rows)


def page_rates() -> str:
    """BD-rates in % on pages, charts and products on white: against others, and by overshoot."""
    measures = {name: title for name, title in _COLUMNS.items() if name != "psnr_y"}
    rows = [["", *(f"{title}, worst picture" for title in measures.values())], ["---", *("---:" for _ in measures)]]
    for path in sorted(RESULTS.glob("rd_pages_*.json")):
        subsampling = ":".join(path.stem.removeprefix("rd_pages_"))
        for pair, figures in load_result(path.stem)["direct"].items():
            worst = [max(figures[measure]["pictures"].values()) for measure in measures]
            cells = [f"{_figure(figures[m])}, {value:+.0f}" for m, value in zip(measures, worst, strict=True)]
            rows.append([f"{pair}, {subsampling}", *cells])
    return lines(rows)


def strongest() -> str:
    """Direct BD-rates in % of ours against the strongest settings of mozjpeg's own cjpeg, and against jpegli."""
    rivals = ("mozjpeg", "jpegli")
    rows = [["", *(f"{rival}, worst picture" for rival in rivals)], ["---", *("---:" for _ in rivals)]]
    for pictures, pairs in load_result("rd_strongest")["direct"].items():
        for pair, figures in pairs.items():
            name, _, measure = pair.partition(", ")
            cells = [
                f"{_figure(figures[rival])}, {max(figures[rival]['pictures'].values()):+.1f}"
                if rival in figures
                else "-"
                for rival in rivals
            ]
            rows.append([f"{_COLUMNS[measure]}: {name}, {pictures}", *cells])
    return lines(rows)


def strongest_in_short() -> str:
    """The same at 4:2:0, with a row for each tuning."""
    direct = load_result("rd_strongest")["direct"]
    rivals, pictures = ("mozjpeg", "jpegli"), ("photographs", "pages")
    rows = [["tuned for", *(f"{rival}, {kind}" for rival in rivals for kind in pictures)], ["---", *4 * ["---:"]]]
    for pair in direct["photographs, 4:2:0"]:
        found = [direct[f"{kind}, 4:2:0"][pair].get(rival) for rival in rivals for kind in pictures]
        measure = pair.partition(", ")[2]
        rows.append([_COLUMNS[measure], *("-" if figures is None else f"{_figure(figures)} %" for figures in found)])
    return lines(rows)


def people() -> str:
    """Direct BD-rates in % of files for people, with the loop and without, against each rival, by all measures."""
    titles = {"butteraugli_3": "butteraugli, 3-norm", "butteraugli_max": "largest"} | _COLUMNS
    measures = ("ssimulacra2", "butteraugli_3", "butteraugli_max", "ssim_y", "psnr_rgb")
    rows = [["", *(f"{titles[measure]}, worst picture" for measure in measures)], ["---", *5 * ["---:"]]]
    for pictures, pairs in _people().items():
        for pair, figures in pairs.items():
            cells = [f"{_figure(figures[measure])}, {figures[measure]['worst']:+.0f}" for measure in measures]
            rows.append([f"{pair.replace('optcodec people, ', '')}, {pictures}", *cells])
    return lines(rows)


def people_in_short() -> str:
    """Of the loop alone, by the two measures that people are judged by."""
    kinds, measures = list(_people()), {"ssimulacra2": "SSIMULACRA2", "butteraugli_3": "butteraugli, 3-norm"}
    rows = [["against, at equal", *kinds], ["---", *("---:" for _ in kinds)]]
    for rival in ("optcodec people, effort 3", "jpegli", "mozjpeg"):
        for measure, title in measures.items():
            found = [_people()[kind][f"optcodec people, effort 4 against {rival}"][measure] for kind in kinds]
            rows.append([f"{rival.replace('optcodec people, ', '')}: {title}", *(f"{_figure(one)} %" for one in found)])
    return lines(rows)


def _people() -> dict[str, Any]:
    direct: dict[str, Any] = load_result("rd_people")["direct"]
    return direct


def pages_in_short() -> str:
    """BD-rates in % of each tuning by its own measure on pages, against others and against ours without overshoot."""
    direct = load_result("rd_pages_420")["direct"]
    rows = [["tuned for", "mozjpeg, flat tables", "mozjpeg, default tables", "jpegli", "ours without overshoot"]]
    rows.append(["---", *4 * ["---:"]])
    for tune, measure in (("psnr", "psnr_rgb"), ("people", "ssimulacra2")):
        pairs = [f"optcodec {tune} against {rival}" for rival in rows[0][1:4]]
        figures = [direct[pair][measure] for pair in (*pairs, f"optcodec {tune}: overshoot")]
        rows.append([_COLUMNS[measure], *(f"{_figure(figure)} %" for figure in figures)])
    return lines(rows)


def subsampling_choice() -> str:
    """BD-rates in % of the choice of the subsampling against 4:2:0 and 4:4:4, those of the oracle, right choices."""
    document = load_result("subsampling")
    header = ["", "auto against 4:2:0", "against 4:4:4", "oracle against 4:2:0", "right"]
    rows = [header, ["---", *4 * ["---:"]]]
    for way, figures in document["judging"].items():
        for measure, title in _COLUMNS.items():
            if measure in figures:
                rates = [_figure(figures[measure][name]) for name in ("auto", "auto against 4:4:4", "oracle")]
                right = figures[measure].get("right")
                rows.append([f"{way}: {title}", *rates, "" if right is None else f"{100 * right:.0f} %"])
    return lines(rows)


def _document(subsampling: str) -> dict[str, Any]:
    return load_result(f"rd_peers_{subsampling.replace(':', '')}")


def _ours_last(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """All encoders but the reference: peers before ours, baseline before progressive."""
    curves = [(name, figures) for name, figures in document["curves"].items() if name != document["reference"]]
    return sorted(curves, key=lambda item: (item[0].startswith("optcodec"), item[0].endswith("progressive")))


def _figure(figures: dict[str, Any] | None) -> str:
    if figures is None:
        return ""
    low, high = figures["interval"]
    return f"{figures['bd_rate']:+.1f} [{low:+.0f}, {high:+.0f}]"
