"""Functions that the rate-distortion benchmarks share: photographs, encoders, measures, BD-rates.

Every encoder is a function of pixels, chroma subsampling and a quality factor that returns the bytes of a file. Files
are decoded by Pillow (libjpeg-turbo). OPTCODEC_DATA is the folder with the photographs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import bjontegaard
import click
import numpy as np
import numpy.typing as npt
from PIL import Image

from optcodec import encode, psnr_db
from optcodec.metrics import luminance_ssim, ssimulacra2
from optcodec.pictures.pixels import decoded_pixels
from optcodec.shared import encode_jpegli, encode_mozjpeg, encode_turbo, luminance, percentile_interval

Pixels = npt.NDArray[np.uint8]
Encoder = Callable[[Pixels, str, int], bytes]
Points = Sequence[tuple[float, float]]  # bytes and a measure

QUALITIES = (10, 20, 30, 40, 50, 60, 70, 80, 90, 95)
REFERENCE = "libjpeg-turbo"
DRAWS = 2000  # of the bootstrap
MEASURES = ("psnr_rgb", "psnr_y", "ssim_y", "ssimulacra2")


def photographs(*folders: str) -> list[Path]:
    """Paths of the photographs in folders of OPTCODEC_DATA."""
    data = Path(os.environ["OPTCODEC_DATA"])
    return [path for folder in folders for path in sorted((data / folder).glob("*.png"))]


def load(path: Path) -> Pixels:
    """RGB pixels of a photograph."""
    return np.asarray(Image.open(path).convert("RGB"))


def ours(
    pixels: Pixels, subsampling: str, quality: int, *, tune: str, progressive: bool, overshoot: bool = True
) -> bytes:
    """A file of our encoder with rate-distortion optimization (effort 3)."""
    coded = encode(
        pixels,
        quality=quality,
        effort=3,
        tune=tune,
        subsampling=subsampling,
        progressive=progressive,
        overshoot=overshoot,
    )
    return coded.data


def encoders() -> dict[str, Encoder]:
    """All encoders that are compared, baseline and progressive, by name."""
    by_name: dict[str, Encoder] = {
        REFERENCE: encode_turbo,
        f"{REFERENCE}, progressive": partial(encode_turbo, progressive=True),
    }
    for progressive, ending in ((False, ""), (True, ", progressive")):
        for name, table in (("flat tables", 1), ("default tables", 3)):
            by_name[f"mozjpeg, {name}{ending}"] = partial(encode_mozjpeg, table=table, progressive=progressive)
        by_name[f"jpegli{ending}"] = partial(encode_jpegli, progressive=progressive)
        by_name[f"optcodec psnr, trellis alone{ending}"] = partial(ours, tune="ycbcr", progressive=progressive)
        for tune in ("psnr", "ssim", "people"):
            by_name[f"optcodec {tune}{ending}"] = partial(ours, tune=tune, progressive=progressive)
    return by_name


def measured(pixels: Pixels, data: bytes, *, people: bool) -> dict[str, float]:
    """Bytes of a file and its measures. SSIMULACRA2, which takes almost a second, is NaN unless ``people`` is true."""
    decoded = decoded_pixels(data)
    measures = {
        "nbytes": len(data),
        "psnr_rgb": psnr_db(pixels, decoded),
        "psnr_y": psnr_db(luminance(pixels), luminance(decoded)),
        "ssim_y": luminance_ssim(pixels, decoded),
    }
    return measures | {"ssimulacra2": ssimulacra2(pixels, decoded) if people else float("nan")}


def chosen(encoders: dict[str, Encoder], again: Collection[str]) -> dict[str, Encoder]:
    """The encoders of some names, or all without any."""
    if unknown := set(again) - set(encoders):
        raise click.UsageError(f"there are the encoders {'; '.join(encoders)}; got {'; '.join(sorted(unknown))}")
    return {name: encoder for name, encoder in encoders.items() if not again or name in again}


def check_same(held: Collection[str], now: Collection[str], kind: str) -> None:
    """End the benchmark unless a result, of which some figures shall stay, has the pictures of now."""
    if list(held) != list(now):
        raise click.UsageError(f"the result has {len(held)} {kind}, which are not the {len(now)} of now")


def bd_rate(reference: Points, test: Points) -> tuple[float, float]:
    """BD-rate: the mean difference in bytes at equal measure in %, over the range of the measure that both cover.

    Also returns this range as a part of the reference's range. Points are (bytes, measure); a point that has more bytes
    but no better measure than another one is left out. Bjontegaard, VCEG-M33 (2001), with piecewise cubic interpolation
    of the logarithm of the rate.
    """
    first, second = _rising(reference), _rising(test)
    low, high = max(first[1][0], second[1][0]), min(first[1][-1], second[1][-1])
    difference = bjontegaard.bd_rate(*first, *second, method="pchip", require_matching_points=False, min_overlap=0)
    return float(difference), float((high - low) / (first[1][-1] - first[1][0]))


def averaged(rates: Sequence[float] | npt.NDArray[np.float64]) -> dict[str, Any]:
    """Mean of the BD-rates of several pictures in %, and its 95 % interval."""
    ends = percentile_interval(rates, resamples=DRAWS)
    return {"bd_rate": round(float(np.mean(rates)), 2), "interval": np.round(ends, 2).tolist()}


def compared(pairs: Iterable[tuple[Points, Points]]) -> tuple[list[float], dict[str, Any]]:
    """BD-rates of pairs of curves, reference first; their mean with its interval, and the least overlap of ranges."""
    rates, overlaps = zip(*(bd_rate(*pair) for pair in pairs), strict=True)
    return np.round(rates, 2).tolist(), averaged(rates) | {"least_overlap": round(min(overlaps), 3)}


def _rising(points: Points) -> tuple[list[float], list[float]]:
    """Rates and measures of the points that have a better measure than all smaller files."""
    kept: list[tuple[float, float]] = []
    for rate, measure in sorted(points):
        if not kept or (rate > kept[-1][0] and measure > kept[-1][1]):
            kept.append((rate, measure))
    rates, measures = zip(*kept, strict=True)
    return list(rates), list(measures)
