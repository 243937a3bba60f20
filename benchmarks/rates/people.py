"""Is the loop for people (``effort=4, tune="people"``) ahead of jpegli and of mozjpeg, also in what it is not made for?

    OPTCODEC_DATA=DATA python -m benchmarks.rates.people --cjpeg PATH --butteraugli PATH [4:2:0 | 4:4:4 ...]

Butteraugli comes in no package of a Python registry: ``butteraugli_main`` is one of the tools of libjxl (in Debian,
package libjxl-devtools). mozjpeg's ``cjpeg`` is that of `strongest.py`, with its best settings for SSIMULACRA2. All
files are progressive. BD-rates are direct: of ours, with effort 3 and 4, against each rival, with 95 % intervals
(bootstrap over pictures). The pictures are five photographs of Kodak and four of Val20, to which nothing in the loop
was fitted, and five of `pages.py`. The loop reads SSIMULACRA2 and a distance that is like butteraugli's 3-norm;
butteraugli's largest distance, SSIM of luminance and PSNR took no part. Writes ``results/rd_people.json``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rates.pages import pages
from benchmarks.rates.peers import PACKAGES
from benchmarks.rates.rd import Encoder, Pixels, averaged, bd_rate, load, measured, photographs
from benchmarks.rates.strongest import encode_cjpeg, version_of
from benchmarks.record import write_result
from optcodec import encode
from optcodec.butteraugli import visibility
from optcodec.console.progress import tracked
from optcodec.pictures.pixels import decoded_pixels
from optcodec.shared import encode_jpegli

QUALITIES = (30, 50, 70, 85)
SAMPLINGS = "4:2:0", "4:4:4"
MEASURES = "ssimulacra2", "butteraugli_3", "butteraugli_max", "ssim_y", "psnr_rgb"
RIVALS = "optcodec people, effort 3", "jpegli", "mozjpeg"
FITTED = "kodim05", "kodim07", "kodim15", "kodim23"  # of which parts were used to fit the loop
PAGES = "article", "editor", "spreadsheet", "line chart", "shop"


def ours(pixels: Pixels, subsampling: str, quality: int, *, effort: int) -> bytes:
    """A progressive file for people."""
    coded = encode(
        pixels, quality=quality, effort=effort, tune="people", subsampling=subsampling, progressive=True, threads=1
    )
    return coded.data


def butteraugli(reference: Pixels, test: Pixels, program: str) -> dict[str, float]:
    """Butteraugli's 3-norm and largest distance, by ``butteraugli_main``; negative, so that more is better."""
    seen = visibility(reference, test, program=program)
    return {"butteraugli_3": -seen.norm_3, "butteraugli_max": -seen.largest}


def encoders(cjpeg: str) -> dict[str, Encoder]:
    """The loop, then what it is compared with."""
    return {
        "optcodec people, effort 4": partial(ours, effort=4),
        RIVALS[0]: partial(ours, effort=3),
        RIVALS[1]: partial(encode_jpegli, progressive=True),
        RIVALS[2]: partial(encode_cjpeg, cjpeg=cjpeg, measure="ssimulacra2"),
    }


def one_picture(task: tuple[Pixels, str, str, str]) -> dict[str, dict[str, float]]:
    """BD-rate in % of the loop, and of effort 3, against each rival, by pair and measure."""
    pixels, subsampling, cjpeg, program = task
    files: dict[str, list[dict[str, float]]] = {}
    for name, encoder in encoders(cjpeg).items():
        files[name] = []
        for quality in QUALITIES:
            data = encoder(pixels, subsampling, quality)
            distances = butteraugli(pixels, decoded_pixels(data), program)
            files[name].append(measured(pixels, data, people=True) | distances)
    loop, plain = "optcodec people, effort 4", RIVALS[0]
    pairs = [(loop, rival) for rival in RIVALS] + [(plain, rival) for rival in RIVALS[1:]]

    def curve(name: str, measure: str) -> list[tuple[float, float]]:
        return [(figures["nbytes"], figures[measure]) for figures in files[name]]

    return {
        f"{mine} against {rival}": {
            measure: bd_rate(curve(rival, measure), curve(mine, measure))[0] for measure in MEASURES
        }
        for mine, rival in pairs
    }


def summary(pictures: dict[str, dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Mean, interval, worst picture and all pictures, by pair and measure."""
    first = next(iter(pictures.values()))
    return {
        pair: {
            measure: averaged(rates)
            | {
                "worst": round(max(rates), 2),
                "pictures": dict(zip(pictures, np.round(rates, 2).tolist(), strict=True)),
            }
            for measure in MEASURES
            for rates in [[figures[pair][measure] for figures in pictures.values()]]
        }
        for pair in first
    }


def pictures_of() -> dict[str, dict[str, Pixels]]:
    """Photographs and pages by name."""
    unseen = [path for path in photographs("Kodak") if path.stem not in FITTED][:5]
    paths = [*unseen, *photographs("Val20")[1:8:2]]
    drawn = pages()
    return {
        "photographs": {f"{path.parent.name}/{path.stem}": load(path) for path in paths},
        "pages": {name: drawn[name] for name in PAGES},
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cjpeg", required=True, help="mozjpeg's cjpeg")
    parser.add_argument("--butteraugli", required=True, help="libjxl's butteraugli_main")
    parser.add_argument("samplings", nargs="*", default=[], help="4:2:0 and 4:4:4 by default")
    chosen = parser.parse_args(arguments)
    version = version_of(chosen.cjpeg)
    programs = str(Path(chosen.cjpeg).resolve()), str(Path(chosen.butteraugli).resolve())
    direct: dict[str, Any] = {}
    for subsampling in chosen.samplings or SAMPLINGS:
        for name, pictures in pictures_of().items():
            tasks = [(pixels, subsampling, *programs) for pixels in pictures.values()]
            with ProcessPoolExecutor(1) as pool:
                rates = list(tracked(pool.map(one_picture, tasks), f"{name}, {subsampling}", len(tasks)))
            direct[f"{name}, {subsampling}"] = summary(dict(zip(pictures, rates, strict=True)))
            document = {"cjpeg": version, "qualities": QUALITIES, "direct": direct}
            print(write_result("rd_people", document, packages=PACKAGES), flush=True)


if __name__ == "__main__":
    main()
