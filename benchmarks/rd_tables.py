"""The tables of the rate-distortion benchmarks, from their results."""

from __future__ import annotations

import json
from typing import Any

from record import RESULTS

_COLUMNS = {"psnr_rgb": "PSNR-RGB", "psnr_y": "PSNR-Y", "ssim_y": "SSIM-Y", "ssimulacra2": "SSIMULACRA2"}
_HEADER = ["encoder", *_COLUMNS.values()]


def rate_distortion(subsampling: str) -> str:
    """BD-rates of all encoders against libjpeg-turbo, and the best of ours image by image."""
    document = json.loads((RESULTS / f"rd_peers_{subsampling.replace(':', '')}.json").read_text("utf-8"))
    rows = [[name, *(_figure(figures.get(measure)) for measure in _COLUMNS)] for name, figures in _ours_last(document)]
    best = document["best_of_each_image"]
    rows.append(["best of optcodec, image by image", *(f"{best[measure]:+.1f}" for measure in _COLUMNS)])
    marks = ["---", *("---:" for _ in _COLUMNS)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [[*_HEADER], marks, *rows])


def _ours_last(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Encoders but the reference: peers first, baseline before progressive."""
    curves = [(name, figures) for name, figures in document["curves"].items() if name != document["reference"]]
    return sorted(curves, key=lambda each: (each[0].startswith("optcodec"), each[0].endswith("progressive")))


def _figure(figures: dict[str, Any] | None) -> str:
    if figures is None:
        return ""
    low, high = figures["interval"]
    return f"{figures['bd_rate']:+.1f} [{low:+.0f}, {high:+.0f}]"
