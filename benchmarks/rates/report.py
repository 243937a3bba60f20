"""How does our encoder compare directly with the best other one, and at low and high qualities? Draw the curves, too.

    python -m benchmarks.rates.report  (after peers.py)

Draws ``docs/rd_peers.png`` from ``results/rd_peers_420.npz``: each measure over bits per pixel, both as means over the
photographs at each quality factor. Writes ``results/rd_direct.json``: BD-rates of our encoder against the best other
encoder of each measure, over the range that both have, and against libjpeg-turbo over its qualities 10 to 50 and 50 to
95. The direct comparison is needed because BD-rates against libjpeg-turbo are taken over different ranges: the smallest
files of jpegli, for example, are larger than those of the others.
"""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np

from benchmarks.rates.rd import bd_rate
from benchmarks.record import RESULTS, ROOT, load_result, write_result

mpl.use("Agg")
import matplotlib.pyplot as plt

TITLES = {"psnr_rgb": "PSNR of RGB, dB", "ssim_y": "SSIM of luminance", "ssimulacra2": "SSIMULACRA2"}
SHOWN = {
    "libjpeg-turbo": ("0.4", "-"),
    "mozjpeg, flat tables, progressive": ("tab:orange", "--"),
    "mozjpeg, default tables, progressive": ("tab:orange", ":"),
    "jpegli, progressive": ("tab:green", "--"),
    "optcodec psnr, progressive": ("tab:blue", "-"),
    "optcodec ssim, progressive": ("tab:purple", "-"),
    "optcodec people, progressive": ("tab:red", "-"),
}
TICKS = (0.2, 0.5, 1, 2, 4)  # bits per pixel
PIXELS = {"Kodak": 768 * 512}
RIVALS = (  # ours, the best of the others, measure
    ("optcodec psnr", "mozjpeg, flat tables", "psnr_rgb"),
    ("optcodec psnr, progressive", "mozjpeg, flat tables, progressive", "psnr_rgb"),
    ("optcodec ssim", "mozjpeg, flat tables", "ssim_y"),
    ("optcodec ssim, progressive", "mozjpeg, flat tables, progressive", "ssim_y"),
    ("optcodec people", "jpegli", "ssimulacra2"),
    ("optcodec people, progressive", "jpegli, progressive", "ssimulacra2"),
)
HALVES = {"10 to 50": slice(0, 5), "50 to 95": slice(4, 10)}


def direct(subsampling: str) -> dict[str, Any]:
    """BD-rates in % of each pair of `RIVALS` directly, and against libjpeg-turbo over each part of its qualities."""
    name = f"rd_peers_{subsampling.replace(':', '')}"
    document = load_result(name)
    rows, pairs = np.load(RESULTS / f"{name}.npz"), {}
    for ours, other, measure in RIVALS:
        column = document["columns"].index(measure)
        curves = {name: rows[name][..., [0, column]] for name in (ours, other, document["reference"])}
        if any(np.isnan(curve).any() for curve in curves.values()):
            continue
        pairs[f"{ours}: {measure}"] = {
            "against": other,
            "directly": mean_rate(curves[other], curves[ours]),
            "against_reference": {
                half: mean_rate(curves[document["reference"]][:, part], curves[ours]) for half, part in HALVES.items()
            },
        }
    return pairs


def mean_rate(reference: np.ndarray, test: np.ndarray) -> dict[str, Any]:
    """BD-rate in % of curves (images, qualities, 2): mean over images, extremes, and least overlap of the ranges."""
    rates, overlaps = zip(*map(bd_rate, reference.tolist(), test.tolist()), strict=True)
    figures = {"bd_rate": np.mean(rates), "least": min(rates), "most": max(rates), "least_overlap": min(overlaps)}
    return {name: round(float(value), 2) for name, value in figures.items()}


def main() -> None:
    document = load_result("rd_peers_420")
    rows = np.load(RESULTS / "rd_peers_420.npz")
    kodak = [place for place, name in enumerate(document["images"]) if name.startswith("Kodak/")]
    figure, axes = plt.subplots(1, len(TITLES), figsize=(15, 5), layout="constrained")
    for axis, (measure, title) in zip(axes, TITLES.items(), strict=True):
        column = document["columns"].index(measure)
        for name, (colour, style) in SHOWN.items():
            curve = rows[name][kodak]
            bpp = 8 * curve[..., 0].mean(0) / PIXELS["Kodak"]
            values = curve[..., column].mean(0)
            if not np.isnan(values).any():
                axis.plot(bpp, values, style, color=colour, marker=".", label=name)
        axis.set(xlabel="bits per pixel", xscale="log", title=title)
        axis.set_xticks(TICKS, labels=[f"{tick:g}" for tick in TICKS])
        axis.minorticks_off()
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7)
    figure.suptitle("12 Kodak photographs, 4:2:0, quality factors 10 to 95")
    path = ROOT / "docs" / "rd_peers.png"
    figure.savefig(path, dpi=110)
    print(path)
    print(
        write_result(
            "rd_direct",
            {subsampling: direct(subsampling) for subsampling in ("4:2:0", "4:4:4")},
            packages=("bjontegaard",),
        )
    )


if __name__ == "__main__":
    main()
