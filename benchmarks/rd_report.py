"""How do the encoders compare in a picture?

    python benchmarks/rd_report.py  (after rd_peers.py)

Draws ``docs/rd_peers.png`` from ``results/rd_peers_420.npz``: each measure over bits per pixel, both as means over the
photographs at each quality factor.
"""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib as mpl
import numpy as np
from record import RESULTS

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
PIXELS = {"Kodak": 768 * 512}


def main() -> None:
    document = json.loads((RESULTS / "rd_peers_420.json").read_text("utf-8"))
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
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7)
    figure.suptitle("12 Kodak photographs, 4:2:0, quality factors 10 to 95")
    path = Path(__file__).parent.parent / "docs" / "rd_peers.png"
    figure.savefig(path, dpi=110)
    print(path)


if __name__ == "__main__":
    main()
