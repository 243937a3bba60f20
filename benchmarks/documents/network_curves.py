"""Draw how often networks decide right on files that are made for them, at each size.

    python -m benchmarks.documents.network_curves

writes docs/network-curves.png from results/network_loop.json: top-1 accuracy and bits per pixel of default JPEG, of
``--tune dnn:generic``, of ``--rounds 0`` and of ``--network``, a panel for each network; dashed, that on the originals.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from benchmarks.accuracy.loop_tables import TITLES
from benchmarks.accuracy.others import AS_DECODED
from benchmarks.documents.theory import save
from benchmarks.record import ROOT, load_result

WAYS = {"default JPEG": "default JPEG", "generic": "dnn:generic", "weights, {}": "--rounds 0", "loop, {}": "--network"}
STYLES = ("o", "#57606a"), ("s", "#0969da"), ("^", "#bf8700"), ("D", "#1a7f37")
PIXELS = 224 * 224


def main() -> None:
    """Draw the picture."""
    path = ROOT / "docs" / "network-curves.png"
    save(network_curves(), path)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")


def network_curves() -> Figure:
    """A panel for each network."""
    document = load_result("network_loop")
    names = document["networks"]
    figure, axes = plt.subplots(1, len(names), figsize=(13, 3.2), sharey=True, layout="constrained")
    for axis, name in zip(axes, names, strict=True):
        for (way, label), (marker, color) in zip(WAYS.items(), STYLES, strict=True):
            files = document["ways"][way.format(name)]
            figures = files["networks"][name][AS_DECODED]
            rates = [8 * nbytes / PIXELS for nbytes in files["nbytes"]]
            axis.plot(rates, figures["top1"], marker=marker, color=color, label=label, markersize=4)
        axis.axhline(figures["clean_top1"], color="black", linestyle="--", linewidth=0.8)
        axis.set(title=TITLES[name], xlabel="bits per pixel", xscale="log")
        axis.set_xticks([0.25, 0.5, 1, 2], ["0.25", "0.5", "1", "2"])
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    axes[0].set_ylabel(f"top-1 accuracy, %, n = {document['images']}")
    axes[0].legend(fontsize=8, loc="lower right")
    return figure


if __name__ == "__main__":
    main()
