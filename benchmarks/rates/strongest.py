"""How do we compare with the strongest settings of mozjpeg's own ``cjpeg``, on photographs and on pages?

    OPTCODEC_DATA=DATA python -m benchmarks.rates.strongest --cjpeg PATH [4:2:0 | 4:4:4 ...] [--again MEASURE]

mozjpeg's ``cjpeg`` comes in no package of a registry: build it from its sources (github.com/mozilla/mozjpeg), and say
where it is. It has tunings and tables that pyvips does not pass on. The strongest settings for each measure were found
among all of them: for PSNR its tuning for PSNR, with flat tables and chrominance steps of 0.6 times those of luminance;
for SSIM its tuning for MS-SSIM, with flat tables; for SSIMULACRA2 its tuning for PSNR-HVS with table 2. jpegli is
measured by SSIM and SSIMULACRA2, too. All files are progressive. BD-rates are direct: of ours against each rival, on
the Kodak photographs with odd numbers and on the pictures of `pages.py`, to which nothing was fitted, with 95 %
intervals (bootstrap over pictures). With ``--again`` only the rows of this measure are made, for instance after the
tuning for it has changed; all others stay as they are in the result. Writes ``results/rd_strongest.json``.
"""

from __future__ import annotations

import io
import subprocess
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image

from benchmarks.rates.pages import pages
from benchmarks.rates.peers import PACKAGES
from benchmarks.rates.rd import Encoder, Pixels, averaged, bd_rate, check_same, load, measured, ours, photographs
from benchmarks.record import load_result, write_result
from optcodec.console.progress import tracked
from optcodec.shared import encode_jpegli

QUALITIES = (30, 45, 60, 75, 85, 92)
SAMPLINGS = {"4:2:0": "2x2", "4:4:4": "1x1"}
CHROMINANCE_STEP = 0.6  # in flat tables, over the step of luminance
SETTINGS = {
    "psnr_rgb": ("-tune-psnr", "-quant-table", "1"),
    "ssim_y": ("-tune-ms-ssim", "-quant-table", "1"),
    "ssimulacra2": ("-tune-hvs-psnr", "-quant-table", "2"),
}
Rows = dict[str, dict[str, Any]]  # figures by measure and rival
TUNES = {"psnr_rgb": "psnr", "ssim_y": "ssim", "ssimulacra2": "people"}


def with_step(quality: float, factor: float) -> float:
    """The quality whose steps are `factor` times as large (jcparam.c: jpeg_quality_scaling)."""
    scale = factor * (5000 / quality if quality < 50 else 200 - 2 * quality)
    return (200 - scale) / 2 if scale <= 100 else 5000 / scale


def encode_cjpeg(pixels: Pixels, subsampling: str, quality: int, *, cjpeg: str, measure: str) -> bytes:
    """A progressive file of mozjpeg's ``cjpeg`` with its best settings for a measure."""
    ppm = io.BytesIO()
    Image.fromarray(pixels).save(ppm, "PPM")
    of_chrominance = f",{with_step(quality, CHROMINANCE_STEP):.3f}" if measure == "psnr_rgb" else ""
    command = [cjpeg, *SETTINGS[measure], "-quality", f"{quality}{of_chrominance}", "-sample", SAMPLINGS[subsampling]]
    return subprocess.run(command, input=ppm.getvalue(), check=True, capture_output=True).stdout


def encoders(cjpeg: str, measure: str) -> dict[str, Encoder]:
    """Ours, then its rivals."""
    by_name: dict[str, Encoder] = {
        f"optcodec {TUNES[measure]}": partial(ours, tune=TUNES[measure], progressive=True),
        "mozjpeg": partial(encode_cjpeg, cjpeg=cjpeg, measure=measure),
    }
    return by_name if measure == "psnr_rgb" else by_name | {"jpegli": partial(encode_jpegli, progressive=True)}


def one_picture(task: tuple[Pixels, str, str, Sequence[str]]) -> dict[str, dict[str, float]]:
    """BD-rate in % of ours against each rival, by measure and rival."""
    pixels, subsampling, cjpeg, measures = task
    rates: dict[str, dict[str, float]] = {}
    for measure in measures:
        curves = {
            name: [
                (figures["nbytes"], figures[measure])
                for quality in QUALITIES
                for figures in [
                    measured(pixels, encoder(pixels, subsampling, quality), people=measure == "ssimulacra2")
                ]
            ]
            for name, encoder in encoders(cjpeg, measure).items()
        }
        mine, *rivals = curves
        rates[measure] = {rival: bd_rate(curves[rival], curves[mine])[0] for rival in rivals}
    return rates


def summary(pictures: dict[str, dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Mean, interval and all pictures, by measure and rival."""
    first = next(iter(pictures.values()))
    return {
        f"optcodec {TUNES[measure]}, {measure}": {
            rival: {
                **averaged(rates),
                "pictures": dict(zip(pictures, np.round(rates, 2).tolist(), strict=True)),
            }
            for rival in first[measure]
            for rates in [[rates[measure][rival] for rates in pictures.values()]]
        }
        for measure in first
    }


def kept(sets: dict[str, dict[str, Pixels]]) -> dict[str, Rows]:
    """The rows of the result by kind, of the pictures of now."""
    stored: dict[str, Rows] = load_result("rd_strongest")["direct"]
    for kind, rows in stored.items():
        name = kind.partition(", ")[0]
        for by_rival in rows.values():
            for figures in by_rival.values():
                check_same(figures["pictures"], sets[name], name)
    return stored


def version_of(cjpeg: str) -> str:
    """The version that the program prints; ends the benchmark if it is not mozjpeg's."""
    run = subprocess.run([cjpeg, "-version"], check=False, capture_output=True, text=True)
    lines = (run.stdout + run.stderr).splitlines()
    version = lines[0] if lines else "nothing"
    if not version.startswith("mozjpeg"):
        raise SystemExit(f"--cjpeg {cjpeg}: expected the cjpeg of mozjpeg, got {version!r}")
    return version


@click.command()
@click.argument("samplings", nargs=-1, type=click.Choice(tuple(SAMPLINGS)))
@click.option("--cjpeg", required=True, help="mozjpeg's cjpeg.")
@click.option("--again", type=click.Choice(tuple(SETTINGS)), help="Only this measure; all else stays in the result.")
def main(samplings: tuple[str, ...], cjpeg: str, again: str | None) -> None:
    """Measure, and write the result."""
    version, path = version_of(cjpeg), str(Path(cjpeg).resolve())
    sets = {"photographs": {path.stem: load(path) for path in photographs("Kodak")}, "pages": pages()}
    direct: dict[str, Rows] = kept(sets) if again else {}
    for subsampling in samplings or SAMPLINGS:
        for name, pictures in sets.items():
            tasks = [(pixels, subsampling, path, [again] if again else list(SETTINGS)) for pixels in pictures.values()]
            with ProcessPoolExecutor(2) as pool:
                rates = list(tracked(pool.map(one_picture, tasks), f"{name}, {subsampling}", len(tasks)))
            kind = f"{name}, {subsampling}"
            direct[kind] = direct.get(kind, {}) | summary(dict(zip(pictures, rates, strict=True)))
    document = {"cjpeg": version, "settings": SETTINGS, "qualities": QUALITIES, "direct": direct}
    print(write_result("rd_strongest", document, packages=PACKAGES, renewed=bool(again)))


if __name__ == "__main__":
    main()
