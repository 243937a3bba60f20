"""Draw the pictures of docs/theory.md, each from the functions that the encoder and the receiver use.

    python -m benchmarks.documents.theory

writes docs/theory/*.png. The photograph is `skimage.data.astronaut`; there is nothing random in them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from skimage import data

import optcodec
from benchmarks.record import ROOT
from optcodec.design.deepn import deepn_steps
from optcodec.design.laplacian import deadzone_distortion, midpoint_distortion
from optcodec.design.statistics import Statistics, gather
from restore.runtime.cells import centroid_offset

FOLDER = ROOT / "docs" / "theory"
QUALITY = 75
FREQUENCY = 8  # the first vertical AC frequency, row-major
METHODS = {"jpeg": "default JPEG", "optd": "OptD", "opts": "OptS", "rdopt": "RD-OPT"}
_STEPS = np.arange(1, 256)
Floats = npt.NDArray[np.float64]


def main() -> None:
    """Draw all pictures, and print their sizes."""
    FOLDER.mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        path = FOLDER / f"{name}.png"
        save(draw(), path)
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")


def save(figure: Figure, path: Path) -> None:
    """Write a picture that can be read on light and dark pages, and close it."""
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    engine.set(w_pad=0.1, h_pad=0.1)
    figure.savefig(path, dpi=110, facecolor="white", metadata={"Software": None})
    plt.close(figure)


def sensitivity() -> Figure:
    """Weights of the profile of MobileNetV2."""
    profile = optcodec.load_profile("mobilenet_v2").normalized()
    figure, axes = plt.subplots(1, 3, figsize=(8.4, 2.9), layout="constrained")
    scale = LogNorm(profile.weights[profile.weights > 0].min(), profile.weights.max())
    for axis, weights, title in zip(axes, profile.weights, ("Y", "Cb", "Cr"), strict=True):
        image = axis.imshow(weights, norm=scale, cmap="viridis")
        axis.set(title=title, xlabel="horizontal frequency", xticks=range(8), yticks=range(8))
    axes[0].set_ylabel("vertical frequency")
    figure.colorbar(image, ax=axes, label="normalized weight s")
    return figure


def distortion() -> Figure:
    """The error of a step by eq. (14) of OptS, by JPEG's rounding, and as it is in a photograph."""
    scale, models, counted = distortions(_statistics())
    figure, axis = _axes()
    for title, values in models.items():
        axis.plot(_STEPS, values, label=title)
    axis.plot(_STEPS, counted, "k--", label="counted in the photograph")
    title = f"astronaut, luminance, first vertical frequency: λ = {scale:.1f}"
    axis.set(xlabel="step q", ylabel="mean squared error D", title=title)
    axis.legend()
    return figure


def distortions(statistics: Statistics) -> tuple[float, dict[str, Floats], Floats]:
    """Scale of the Laplacian model at `FREQUENCY`, error of each step by both models, and the error as counted."""
    scale = float(statistics.laplacian.scale[0, FREQUENCY])
    models = {
        "dead zone, eq. (14)": deadzone_distortion(scale, _STEPS),
        "round to nearest, as JPEG does": midpoint_distortion(scale, _STEPS),
    }
    return scale, models, statistics.empirical[0, FREQUENCY]


def tables() -> Figure:
    """Tables of luminance for one photograph, with equal weighted error."""
    photo, profile = data.astronaut(), optcodec.load_profile("mobilenet_v2")
    figure, axes = plt.subplots(1, 4, figsize=(11.2, 3.4), layout="constrained")
    for axis, (method, title) in zip(axes, METHODS.items(), strict=True):
        target = optcodec.MatchQuality(QUALITY, jointly=True)
        file = optcodec.encode(photo, profile=profile, target=target, method=method, subsampling="4:4:4")
        steps = file.coefficients.tables[0].steps
        axis.imshow(steps, norm=LogNorm(1, 255), cmap="cividis")
        for (v, u), step in np.ndenumerate(steps):
            axis.text(u, v, step, ha="center", va="center", fontsize=7, color="black" if step > 60 else "white")
        axis.set(title=f"{title}: {file.nbytes:,} bytes", xticks=[], yticks=[])
    return figure


def mapping() -> Figure:
    """DeepN-JPEG's map from the spread of a coefficient to its step."""
    deviation = np.linspace(0, 100, 1001)
    figure, axis = _axes()
    axis.plot(deviation, deepn_steps(deviation), ".", markersize=2)
    axis.set(xlabel="standard deviation of the coefficient over the data set", ylabel="step at quality 50")
    return figure


def steps() -> Figure:
    """Error and bits of all steps at one frequency, and those that RD-OPT may take."""
    bits, error, on_hull = step_costs(_statistics())
    figure, axis = _axes()
    axis.plot(bits, error, ".", color="0.6", label="steps 1 to 255")
    axis.plot(bits[on_hull], error[on_hull], "o-", markersize=3, label="lower convex hull")
    axis.set(xlabel="bits per coefficient (entropy)", ylabel="mean squared error", yscale="log")
    axis.legend()
    return figure


def step_costs(statistics: Statistics) -> tuple[Floats, Floats, npt.NDArray[np.intp]]:
    """Bits and error of each step at `FREQUENCY`, and the steps that are best at some price of a bit."""
    bits, error = statistics.bits[0, FREQUENCY], statistics.empirical[0, FREQUENCY]
    prices = np.geomspace(1e-3, 1e6, 2000)
    best = np.unique([int(np.argmin(error + price * bits)) for price in prices])
    return bits, error, best


def trellis() -> Figure:
    """How often indices have each magnitude, rounded and chosen by the trellis, with the same tables."""
    figure, axis = _axes()
    for shift, (title, counts) in zip((-0.2, 0.2), magnitudes().items(), strict=True):
        axis.bar(np.arange(len(counts)) + shift, counts, 0.4, label=title)
    axis.set(xlabel="magnitude of the index", ylabel="luminance AC coefficients", yscale="log", xticks=range(9))
    axis.legend()
    return figure


def magnitudes() -> dict[str, npt.NDArray[np.int64]]:
    """Counts of the magnitudes 0 to 8 of AC indices of luminance, for both ways to choose them."""
    photo, tables = data.astronaut(), optcodec.annex_k_tables(QUALITY)
    files = {
        "rounded to nearest": optcodec.encode(photo, tables=tables),
        "chosen by the trellis": optcodec.encode(photo, tables=tables, effort=3),
    }
    found = {}
    for title, file in files.items():
        indices = np.abs(file.coefficients.components[0].blocks.reshape(-1, 64)[:, 1:])
        found[f"{title}: {file.nbytes:,} bytes"] = np.bincount(np.minimum(indices.ravel(), 9), minlength=10)[:9]
    return found


def allocation() -> Figure:
    """Mean curves of groups of blocks for the receiver that removes noise: what a byte is worth to it."""
    profile = optcodec.load_utility_profile("denoise25")
    figure, axis = _axes()
    colours = plt.get_cmap("viridis")(np.linspace(0, 0.9, profile.groups))
    for group, colour in enumerate(colours):
        label = {0: "most useful group", profile.groups - 1: "least useful group"}.get(group)
        axis.plot(profile.nbytes[group], profile.psnr_db[group], ".-", color=colour, label=label)
    axis.set(xlabel="bytes of a block of 32x32 pixels", ylabel="PSNR after restoration, dB", xscale="log")
    axis.set_xticks([20, 50, 100, 200, 500], labels=["20", "50", "100", "200", "500"])
    axis.minorticks_off()
    axis.legend()
    return figure


def cells() -> Figure:
    """Quantization cells under a Laplacian density, with their middles and centroids."""
    decay = 1.5  # the product of the decay and of the step
    values = np.linspace(-2.5, 2.5, 1001)
    offset = float(centroid_offset(np.full((8, 8), decay))[0, 1])
    figure, axis = _axes()
    axis.fill_between(values, np.exp(-decay * np.abs(values)) * decay / 2, alpha=0.3, label="density")
    for edge in (-1.5, -0.5, 0.5, 1.5):
        axis.axvline(edge, color="0.5", linewidth=0.8)
    middles = np.array([-2, -1, 0, 1, 2])
    axis.plot(middles, 0 * middles, "o", clip_on=False, label="middles, where decoders put a coefficient")
    axis.plot(middles - np.sign(middles) * offset, 0 * middles, "^", clip_on=False, label="centroids")
    axis.set(xlabel="coefficient, in steps", ylim=(0, None), xticks=middles)
    axis.legend()
    return figure


def _statistics() -> Statistics:
    return gather(data.astronaut(), subsampling="4:4:4")


def _axes() -> tuple[Figure, Any]:
    figure, axis = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    axis.spines[["top", "right"]].set_visible(False)
    return figure, axis


PICTURES: dict[str, Callable[[], Figure]] = {
    "sensitivity": sensitivity,
    "distortion": distortion,
    "tables": tables,
    "mapping": mapping,
    "steps": steps,
    "trellis": trellis,
    "allocation": allocation,
    "cells": cells,
}

if __name__ == "__main__":
    main()
